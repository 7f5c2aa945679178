"""The common part of the SQL backends, in SQLAlchemy Core."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from typing_extensions import override

from est_alan_scheduler.backends.checks import check_fields, check_ids
from est_alan_scheduler.backends.clock import KEPT
from est_alan_scheduler.backends.reading import add_task, newest, to_id, to_instances, to_runs, to_states
from est_alan_scheduler.backends.rows import (
    HIGHEST,
    Assignment,
    Change,
    DeadRunOutcome,
    Definition,
    InstanceRow,
    Renewal,
    RunKey,
    RunRow,
    Seen,
    Snapshot,
    State,
    storable,
)
from est_alan_scheduler.backends.sql.engine import SqlEngine, tried_again
from est_alan_scheduler.backends.sql.tables import BLANK, RUN, STATE, lives, next_of, sql, whole_or
from est_alan_scheduler.task import TaskStatus

_ID = State._fields.index("id")
_MOST = 2**63 - 1  # the largest LIMIT
_ENDED, _IN_FLIGHT = "r.finished IS NOT NULL", "r.finished IS NULL"
_PARTS: dict[TaskStatus | None, tuple[str, ...]] = {
    None: (_ENDED, _IN_FLIGHT),
    TaskStatus.SUCCESS: (f"{_ENDED} AND r.status = 'success'",),
    TaskStatus.FAILED: ("r.status = 'failed'",),
    TaskStatus.RUNNING: (_IN_FLIGHT,),
    TaskStatus.PENDING: ("1 = 0",),
}
"""The parts of the history by the indexes that have them; those in flight are few, and are sorted."""


class SqlBackend(SqlEngine):
    """State in four tables. Subclasses know their database: its clock, its locks, and the fastest way to claim.

    Rows are locked in one order, so that transactions never wait in a cycle: meta, instances, tasks by id, runs.
    """

    @override
    def fetch(self, ids: Collection[str] | None, seen: int, known: Mapping[str, int] | None = None) -> Snapshot:
        t, is_news = self._tables, "t.revision > :seen" if seen else "true"
        # As the indexes have it, of which one has no tombstones.
        wanted = [f"(t.removed <> true AND {is_news})"]
        if seen:
            wanted.append(f"(t.removed = true AND {is_news})")
            wanted += ["t.removed <> true"] if ids is None else [self._among("t.id")] if ids else []
            wanted += [self._changed()] if known else []
        statement = (
            f"SELECT {self._now}, m.revision, m.dropped_revision, m.paused, m.born, {is_news}, t.removed,"
            f" CASE WHEN {is_news} THEN t.definition END, t.hash, {STATE}"
            f" FROM {t.meta} m LEFT JOIN {t.tasks} t ON {' OR '.join(wanted)}"
        )
        parameters: dict[str, Any] = {**self._times(), **({"seen": seen} if seen else {})}
        parameters |= {"ids": self._ids(ids)} if seen and ids else {}
        parameters |= {"known": json.dumps(known)} if seen and known else {}
        began = self.clock.begin()
        rows = self._read(statement, parameters)
        if not rows:  # the store was emptied
            self.open()
            return self.fetch(ids, 0, known)
        now, revision, dropped, paused, born = rows[0][:5]
        self.clock.note(now, began)
        if not dropped <= seen <= revision and seen:  # above it, an older state of the store was restored
            return self.fetch(ids, 0, known)
        snapshot = Snapshot(now, revision, {}, {}, {}, bool(paused), born, is_complete=seen == 0)
        for _, _, _, _, _, is_changed, removed, definition, checksum, *state in rows:
            task_id = state[_ID]
            if task_id is None:
                continue  # no task was asked for, and none has changed
            task_id = to_id(task_id)
            if removed not in (True, 1):
                add_task(snapshot, task_id, state, (definition, checksum) if is_changed else None, removed)
            elif is_changed:
                snapshot.definitions[task_id] = None
        return snapshot

    @override
    @tried_again
    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        check_ids(definitions)
        t = self._tables
        wanted = {definition.id: definition for definition in definitions}
        ids = {"ids": self._ids(wanted)}
        select = f"SELECT t.removed, t.hash, {STATE} FROM {t.tasks} t WHERE {self._among('t.id')}"
        upsert = (
            f"INSERT INTO {t.tasks} AS t (id, definition, hash, revision, removed, version, epoch, status, attempt,"
            " misfires, paused, run_requested)"
            " VALUES (:id, :json, :hash, :revision, false, :last + 1, :last, 'pending', 0, 0, :paused, 0)"
            " ON CONFLICT (id) DO UPDATE SET definition = excluded.definition, hash = excluded.hash,"
            f" revision = excluded.revision, removed = false, version = {next_of('t.version')},"
            " paused = CASE WHEN t.removed THEN excluded.paused ELSE t.paused END"
            " WHERE CASE WHEN t.removed THEN COALESCE(:seen_hash, '') = ''"
            " ELSE t.hash <> excluded.hash AND t.hash = COALESCE(:seen_hash, t.hash) END"  # as it may be by now
        )
        rows = self._read(select, ids)
        found = {row[2 + _ID]: "" if row[0] else row[1] for row in rows}
        if new := [one for task_id, one in sorted(wanted.items()) if one.is_news_to(found.get(task_id, ""))]:
            with self._transaction() as connection:
                revision, last = self._next_revision(connection)
                parameters = [{**one._asdict(), "revision": revision, "last": last} for one in new]
                self._execute_all(connection, upsert, parameters)
                rows = self._rows(connection, select, ids)
        states = to_states(row[2:] for row in rows if not wanted[row[2 + _ID]].yields_to("" if row[0] else row[1]))
        return {task_id: states[task_id] for task_id in wanted if task_id in states}

    @override
    @tried_again
    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        if not changes:
            return {}
        t = self._tables
        update = (
            f"UPDATE {t.tasks} SET definition = COALESCE(:json, definition), hash = COALESCE(:hash, hash),"
            " paused = COALESCE(:paused, paused), run_requested = COALESCE(:run_requested, run_requested),"
            " run_arguments = NULLIF(COALESCE(:run_arguments, run_arguments), 'null'),"
            f" version = {next_of('version')}, revision = :revision"
            " WHERE id = :id AND NOT removed AND hash = COALESCE(:seen_hash, hash)"
            " AND COALESCE(paused = :seen_paused, true)"
        )
        changed = f"SELECT {STATE} FROM {t.tasks} t WHERE t.revision = :revision"
        nothing = {"json": None, "hash": None}
        with self._transaction() as connection:
            revision = {"revision": self._next_revision(connection)[0]}
            parameters = [
                {**(nothing if one.definition is None else one.definition._asdict()), **one._asdict(), **revision}
                for one in sorted(changes, key=lambda change: change.id)
            ]
            self._execute_all(connection, update, parameters)
            rows = self._rows(connection, changed, revision)
        return to_states(rows)

    @override
    @tried_again
    def remove(self, ids: Collection[str], seen: Mapping[str, Seen] | None = None) -> set[str]:
        return self._remove("id", {task_id: task_id for task_id in ids if self.can_hold(task_id)}, seen or {})

    def _remove(self, key: str, ids: Mapping[str, Any], seen: Mapping[str, Seen]) -> set[str]:
        """Remove the tasks whose `key`, an expression of the id, is one of the values; return those that stay."""
        t = self._tables
        # After numbers of nonsense the row begins anew, above the runs that are known.
        last = f"(SELECT COALESCE(MAX({whole_or('r.epoch', '0')}), 0) FROM {t.runs} r WHERE r.task_id = {t.tasks}.id)"
        # A lease that ends later than any can is of a clock that was wrong.
        ends = f"SELECT MAX(lease_until) FROM {t.instances} WHERE lease_until <= {self._now} + {KEPT}"
        update = (
            f"UPDATE {t.tasks} SET removed = true, definition = '', hash = '', revision = :revision,"
            f" kept_until = COALESCE(({ends}), 0), version = {whole_or('version', '0')} + 1,"
            f" epoch = {whole_or('epoch', last)}, {BLANK} WHERE {key} = :id AND removed <> true"
        )
        delete = f"DELETE FROM {t.runs} WHERE {key.replace('id', 'task_id')} = :id AND finished IS NOT NULL"
        select = f"SELECT id, hash, paused FROM {t.tasks} WHERE {self._among('id')} AND removed <> true"
        with self._transaction() as connection:
            revision, _ = self._next_revision(connection)  # a lock: no other instance changes a hash or a pause now
            rows = self._rows(connection, select, {"ids": self._ids(seen.keys() & ids.keys())}) if seen else ()
            left = {task_id for task_id, *found in rows if tuple(found) != seen[task_id]}
            wanted = [value for task_id, value in sorted(ids.items()) if task_id not in left]
            parameters = [{"id": value, "revision": revision, **self._times()} for value in wanted]
            self._execute_all(connection, update, parameters)
            self._execute_all(connection, delete, [{"id": value} for value in wanted])
        return left

    @override
    @tried_again
    def drop_tombstones(self, limit: int = 1_000) -> int:
        t = self._tables
        found = (
            f"SELECT t.id, t.revision, t.version, t.epoch FROM {t.tasks} t"
            f" WHERE t.removed = true AND t.kept_until <= (SELECT {self._now})"
            " AND t.revision <= :most AND t.version <= :most AND t.epoch <= :most AND NOT EXISTS"
            f" (SELECT 1 FROM {t.runs} r WHERE r.task_id = t.id AND r.finished IS NULL)"
            " ORDER BY t.kept_until LIMIT :limit"
        )
        parameters = {"most": HIGHEST, "limit": limit, **self._times()}
        if not self._read(found, parameters | {"limit": 1}):
            return 0  # without a lock
        last = f"SELECT dropped_revision, dropped_version FROM {t.meta} {self._lock}"
        update = f"UPDATE {t.meta} SET dropped_revision = :revision, dropped_version = :version"
        delete = f"DELETE FROM {t.tasks} WHERE {self._among('id')}"
        with self._transaction() as connection:
            revision, version = connection.execute(sql(last)).one()
            rows = self._rows(connection, f"{found} {self._skip}", parameters)
            rows = [row for row in rows if isinstance(row[0], str)]  # else its id is no text
            revision = max([revision, *(row[1] for row in rows)])
            version = max([version, *(number for row in rows for number in row[2:])])
            connection.execute(sql(update), {"revision": int(revision), "version": int(version)})
            connection.execute(sql(delete), {"ids": self._ids([row[0] for row in rows])})
        return len(rows)

    @override
    @tried_again
    def pause_all(self, paused: bool) -> bool:
        update = f"UPDATE {self._tables.meta} SET paused = :paused, revision = revision + 1 WHERE paused <> :paused"
        with self._transaction() as connection:
            return connection.execute(sql(update), {"paused": paused}).rowcount > 0

    @override
    @tried_again
    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        check_fields(assignments)
        if not assignments:
            return {}
        t = self._tables
        wanted = {assignment.id: assignment for assignment in reversed(assignments)}  # of several, the first
        select = f"SELECT id, version FROM {t.tasks} WHERE {self._among('id')} AND NOT removed ORDER BY id {self._skip}"
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        versions = {}
        with self._transaction() as connection:
            for task_id, version in connection.execute(sql(select), {"ids": self._ids(wanted)}):
                assignment = wanted[task_id]
                if version == assignment.seen_version:
                    versions[task_id] = version + 1
                    columns = assignment.to_columns()
                    groups.setdefault(tuple(columns), []).append({"task_id": task_id, **columns})
            for names, parameters in groups.items():
                values = "".join(f", {name} = :{name}" for name in names)
                disowned = ", owner = NULL, token = NULL" if "status" in names else ""
                update = f"UPDATE {t.tasks} SET version = version + 1{values}{disowned} WHERE id = :task_id"
                self._execute_all(connection, update, parameters)
        return versions

    @override
    def history(
        self,
        task_id: str | None = None,
        status: TaskStatus | None = None,
        since: int | None = None,
        limit: int = 100,
        before: RunKey | None = None,
    ) -> list[RunRow]:
        where, parameters = list[str](), dict[str, Any]()
        if since is not None:
            where, parameters["since"] = ["r.started >= :since"], since
        if before is not None:
            where.append("(r.started, r.task_id, r.epoch) < (:started, :task_id, :epoch)")
            parameters |= before._asdict()
        parts = _PARTS[status]
        if task_id is not None:
            parts, parameters["id"] = ("r.task_id = :id",), task_id
            where += [] if status is None else [f"r.status || '' = '{status.value}'"]  # not by the index of failures
        selects = [
            f"SELECT {RUN} FROM {self._tables.runs} r WHERE {' AND '.join([part, *where])}"
            + _latest("r.", is_sorted=task_id is None and part is not _IN_FLIGHT)
            for part in parts
        ]
        union = " UNION ALL ".join(f"SELECT * FROM ({select}) part" for select in selects) + _latest()
        return self._read_runs(selects[0] if len(selects) == 1 else union, parameters, limit)[::-1]

    def _read_runs(self, statement: str, parameters: dict[str, Any], limit: int, is_dead: bool = False) -> list[RunRow]:
        """Return the first readable runs of a statement, at most so many: unreadable ones must not take their place."""
        asked = limit = min(max(limit, 0), _MOST)
        while True:
            rows = self._read(statement, {**parameters, "limit": asked})
            runs = to_runs(rows, is_dead)
            if len(runs) >= limit or len(rows) < asked:
                return runs[:limit]
            asked = min(asked * 2, _MOST)

    @override
    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        if not limits:
            return {}
        place = "row_number() OVER (PARTITION BY r.task_id ORDER BY r.epoch DESC)"
        statement = (
            f"SELECT {RUN} FROM (SELECT r.*, {place} AS place FROM {self._tables.runs} r"
            f" WHERE {self._among('r.task_id')} AND r.finished IS NOT NULL) r"
            " WHERE r.place <= :most ORDER BY r.task_id, r.epoch"
        )
        most = min(max(limits.values()), _MOST)
        return newest(to_runs(self._read(statement, {"ids": self._ids(limits), "most": most})), limits)

    @override
    @tried_again
    def renew(self, owner: str, lease: float) -> Renewal:
        t = self._tables
        # First the lock, then the clock: a lease that `reap` has meanwhile seen expired counts as broken here too.
        select = f"SELECT owner, since, lease_until FROM {t.instances} WHERE owner = :owner {self._lock}"
        upsert = (
            f"INSERT INTO {t.instances} (owner, since, lease_until) VALUES (:owner, :since, :lease_until)"
            " ON CONFLICT (owner) DO UPDATE SET since = excluded.since, lease_until = excluded.lease_until"
        )
        with self._transaction() as connection:
            row = connection.execute(sql(select), {"owner": owner}).one_or_none()
            now = self._read_clock(connection)
            before = next(iter(to_instances(() if row is None else (row,))), None)
            renewed = InstanceRow.renewed(owner, before, now, lease)
            connection.execute(sql(upsert), renewed._asdict())
            if row is None:  # once in a process
                dead = f"DELETE FROM {t.instances} WHERE lease_until < :dead"
                connection.execute(sql(dead), {"dead": now - KEPT})
        return Renewal(now, renewed.lease_until, renewed.since)

    @override
    def instances(self) -> list[InstanceRow]:
        lease = lives("lease_until", self._now)
        alive = f"SELECT owner, since, lease_until FROM {self._tables.instances} WHERE {lease} ORDER BY since, owner"
        return to_instances(self._read(alive, self._times()))

    @override
    @tried_again
    def leave(self, owner: str) -> None:
        with self._transaction() as connection:
            connection.execute(sql(f"DELETE FROM {self._tables.instances} WHERE owner = :owner"), {"owner": owner})

    @override
    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        t = self._tables
        statement = (
            f"SELECT {RUN} FROM {t.runs} r WHERE r.finished IS NULL AND NOT EXISTS"
            f" (SELECT 1 FROM {t.instances} i WHERE i.owner = r.owner AND {lives('i.lease_until', self._now)})"
            " ORDER BY r.task_id, r.epoch LIMIT :limit"
        )
        return self._read_runs(statement, dict(self._times()), limit, is_dead=True)

    @override
    @tried_again
    def reap(self, outcomes: Sequence[DeadRunOutcome]) -> set[tuple[str, int]]:
        if not outcomes:
            return set()
        t = self._tables
        owners = {"ids": self._ids({outcome.owner for outcome in outcomes})}
        ids = {"ids": self._ids({outcome.id for outcome in outcomes})}
        among = self._among("owner")
        # A renewal in progress holds the lock and keeps its runs; a later one finds its lease broken.
        expired = (
            f"SELECT owner FROM {t.instances} WHERE {among} AND NOT {lives('lease_until', self._now)}"
            f" ORDER BY owner {self._skip}"
        )
        present = f"SELECT owner FROM {t.instances} WHERE {among}"
        lock = f"SELECT id FROM {t.tasks} WHERE {self._among('id')} ORDER BY id {self._lock}"
        unfinished = f"SELECT task_id, epoch, owner FROM {t.runs} WHERE {self._among('task_id')} AND finished IS NULL"
        fail = (
            f"UPDATE {t.tasks} SET status = 'failed', error_message = :error, retry_at = :retry_at, attempt = :attempt,"
            f" consecutive_failures = :consecutive_failures, owner = NULL, version = {next_of('version')}"
            " WHERE id = :id AND epoch = :epoch AND owner = :owner AND status = 'running'"
        )
        close = (
            f"UPDATE {t.runs} SET status = 'failed', error = :error, finished = :finished, late = true"
            " WHERE task_id = :id AND epoch = :epoch"
        )
        forget = f"DELETE FROM {t.instances} WHERE owner = :owner"
        with self._transaction() as connection:
            dead_owners = set(connection.execute(sql(expired), {**owners, **self._times()}).scalars())
            alive = set(connection.execute(sql(present), owners).scalars()) - dead_owners
            connection.execute(sql(lock), ids).all()
            open_runs = {tuple(row) for row in self._rows(connection, unfinished, ids)}
            dead = [one for one in outcomes if one.owner not in alive]
            reaped = [one for one in dead if (one.id, one.epoch, one.owner) in open_runs]
            finished = self._read_clock(connection)
            rows = [{**one._asdict(), "error": storable(one.error), "finished": finished} for one in reaped]
            self._execute_all(connection, fail, rows)
            self._execute_all(connection, close, rows)
            self._execute_all(connection, forget, [{"owner": owner} for owner in sorted(dead_owners)])
        return {(one.id, one.epoch) for one in reaped}

    def _next_revision(self, connection: Connection) -> tuple[int, int]:
        """Return the next management revision, and the highest version of a tombstone that was dropped.

        Both are locked until the transaction ends, so that revisions commit in order.
        """
        meta = self._tables.meta
        connection.execute(sql(f"UPDATE {meta} SET revision = revision + 1"))
        found = connection.execute(sql(f"SELECT revision, dropped_version FROM {meta}")).one_or_none()
        if found is None:  # the store was emptied
            self._begin_list(connection)
            return self._next_revision(connection)
        return int(found[0]), int(found[1])


def _latest(prefix: str = "", is_sorted: bool = True) -> str:
    """Return the clause for the latest runs, the newest first; `is_sorted`: an index has them in this order."""
    plus = "" if is_sorted else "+"  # or SQLite would follow the order of an index through all runs
    return f" ORDER BY {plus}{prefix}started DESC, {prefix}task_id DESC, {prefix}epoch DESC LIMIT :limit"
