"""What the SQL backends have in common, by way of SQLAlchemy Core."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from est_alan_scheduler.backends.backend import check_fields, check_ids, stored_fields
from est_alan_scheduler.backends.rows import (
    Assignment,
    Change,
    Definition,
    RunRow,
    Snapshot,
    State,
    newest,
    to_definition,
    to_runs,
    to_state,
    to_states,
)
from est_alan_scheduler.backends.sql.leases import SqlLeases
from est_alan_scheduler.backends.sql.tables import BLANK, RUN, STATE, sql
from est_alan_scheduler.task import TaskStatus

_ID = State._fields.index("id")
_MOST = 2**63 - 1  # what a LIMIT can be


class SqlBackend(SqlLeases):
    """State in four tables. Subclasses know their database: its clock, its locks, and the fastest way to claim.

    Rows are locked in one order, so that nobody waits in a cycle: meta, instances, tasks by id, runs.
    """

    def fetch(
        self, ids: Collection[str] | None, seen_revision: int, known: Mapping[str, int] | None = None
    ) -> Snapshot:
        """Return the time, the revision, what changed since another one, and the states of tasks, in one statement."""
        t = self._tables
        news = "t.revision > :seen"
        wanted = "1 = 1" if ids is None else f"({news} OR {self._among('t.id')})" if ids else news
        wanted = f"({wanted} OR {self._changed()})" if known else wanted
        statement = (
            f"SELECT {self._now}, m.revision, m.paused, m.born, {news}, t.removed,"
            f" CASE WHEN {news} THEN t.definition END, t.hash, {STATE}"
            f" FROM {t.meta} m LEFT JOIN {t.tasks} t ON {wanted}"
        )
        parameters = {"seen": seen_revision, **self._times(), **({"ids": self._ids(ids)} if ids else {})}
        parameters |= {"known": json.dumps(known)} if known else {}
        began = self.clock.begin()
        rows = self._read(statement, parameters)
        if not rows:  # the store was emptied
            self.open()
            return self.fetch(ids, 0, known)
        now, revision, paused, born = rows[0][:4]
        self.clock.note(now, began)
        if revision < seen_revision:  # an older state of the store was restored
            return self.fetch(ids, 0, known)
        snapshot = Snapshot(now, revision, {}, {}, {}, bool(paused), born)
        for _, _, _, _, is_news, removed, definition, checksum, *state in rows:
            task_id = state[_ID]
            if task_id is None:
                continue  # no task was asked for, and nothing is new
            if removed:
                if is_news:
                    snapshot.definitions[task_id] = None
                continue
            try:
                snapshot.states[task_id] = to_state(state)
                if is_news:
                    snapshot.definitions[task_id] = to_definition(task_id, definition, checksum)
            except ValueError as error:
                snapshot.states.pop(task_id, None)
                snapshot.unreadable[task_id] = str(error)
        return snapshot

    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        """Write definitions whose hash is new, and return the state of all."""
        check_ids(definitions)
        t = self._tables
        wanted = {definition.id: definition for definition in definitions}
        found = f"SELECT t.removed, t.hash, {STATE} FROM {t.tasks} t WHERE {self._among('t.id')}"
        ids = {"ids": self._ids(wanted)}
        rows = {row[2 + _ID]: row for row in self._read(found, ids)}
        if any(_is_new(rows.get(task_id), definition) for task_id, definition in wanted.items()):
            with self._transaction() as connection:
                revision = self._next_revision(connection)
                rows = {row[2 + _ID]: row for row in connection.execute(sql(found), ids)}
                new = [
                    {**definition._asdict(), "revision": revision}
                    for task_id, definition in sorted(wanted.items())
                    if _is_new(rows.get(task_id), definition)
                ]
                insert = (
                    f"INSERT INTO {t.tasks} (id, definition, hash, revision, removed, version, epoch, status, attempt,"
                    " misfires, paused, run_requested)"
                    " VALUES (:id, :json, :hash, :revision, false, 1, 0, 'pending', 0, 0, :paused, 0)"
                )
                update = (
                    f"UPDATE {t.tasks} SET definition = :json, hash = :hash, revision = :revision, removed = false,"
                    " paused = CASE WHEN removed THEN :paused ELSE paused END, version = version + 1 WHERE id = :id"
                )
                self._execute_all(connection, insert, [values for values in new if values["id"] not in rows])
                self._execute_all(connection, update, [values for values in new if values["id"] in rows])
                rows = {row[2 + _ID]: row for row in connection.execute(sql(found), ids)}
        return to_states(rows[task_id][2:] for task_id in wanted if task_id in rows)

    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        """Change what tasks are, and return the states of those that were changed."""
        if not changes:
            return {}
        t = self._tables
        update = (
            f"UPDATE {t.tasks} SET definition = COALESCE(:json, definition), hash = COALESCE(:hash, hash),"
            " paused = COALESCE(:paused, paused), run_requested = COALESCE(:run_requested, run_requested),"
            " version = version + 1, revision = :revision"
            " WHERE id = :id AND NOT removed AND hash = COALESCE(:seen_hash, hash)"
        )
        with self._transaction() as connection:
            revision = self._next_revision(connection)
            self._execute_all(
                connection,
                update,
                [
                    {
                        "id": task_id,
                        "json": definition and definition.json,
                        "hash": definition and definition.hash,
                        "seen_hash": seen_hash,
                        "paused": paused,
                        "run_requested": run_requested,
                        "revision": revision,
                    }
                    for task_id, definition, seen_hash, paused, run_requested in sorted(changes, key=lambda one: one.id)
                ],
            )
            changed = f"SELECT {STATE} FROM {t.tasks} t WHERE t.revision = :revision"
            rows = connection.execute(sql(changed), {"revision": revision}).all()
        return to_states(rows)

    def remove(self, ids: Collection[str]) -> None:
        """Remove tasks and their finished runs; what stays is the epoch."""
        t = self._tables
        update = (
            f"UPDATE {t.tasks} SET removed = true, definition = '', hash = '', revision = :revision,"
            f" version = version + 1, {BLANK} WHERE id = :id AND NOT removed"
        )
        delete = f"DELETE FROM {t.runs} WHERE task_id = :id AND finished IS NOT NULL"
        with self._transaction() as connection:
            revision = self._next_revision(connection)
            parameters = [{"id": task_id, "revision": revision} for task_id in sorted(ids)]
            self._execute_all(connection, update, parameters)
            self._execute_all(connection, delete, [{"id": task_id} for task_id in sorted(ids)])

    def pause_all(self, paused: bool) -> bool:
        """Let no claim be won any more, or be won again; return whether that is a change."""
        update = f"UPDATE {self._tables.meta} SET paused = :paused, revision = revision + 1 WHERE paused <> :paused"
        with self._transaction() as connection:
            return connection.execute(sql(update), {"paused": paused}).rowcount > 0

    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        """Write fields into rows that still have the version seen, and return their new versions."""
        for assignment in assignments:
            check_fields(assignment)
        if not assignments:
            return {}
        t = self._tables
        wanted = {assignment.id: assignment for assignment in reversed(assignments)}  # of several, the first
        select = f"SELECT id, version FROM {t.tasks} WHERE {self._among('id')} AND NOT removed ORDER BY id {self._skip}"
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        versions = {}
        with self._transaction() as connection:
            for task_id, version in connection.execute(sql(select), {"ids": self._ids(wanted)}):
                _, seen_version, fields = wanted[task_id]
                if version == seen_version:
                    versions[task_id] = version + 1
                    groups.setdefault(tuple(fields), []).append({"task_id": task_id, **stored_fields(fields)})
            for names, parameters in groups.items():
                columns = "".join(f", {name} = :{name}" for name in names)
                taken = ", owner = NULL, token = NULL" if "status" in names else ""
                update = f"UPDATE {t.tasks} SET version = version + 1{columns}{taken} WHERE id = :task_id"
                self._execute_all(connection, update, parameters)
        return versions

    def history(
        self, task_id: str | None = None, status: TaskStatus | None = None, since: int | None = None, limit: int = 100
    ) -> list[RunRow]:
        """Return the latest runs, the oldest of them first."""
        asked = {"task_id": task_id, "status": None if status is None else status.value, "since": since}
        parameters = {name: value for name, value in asked.items() if value is not None}
        conditions = [f"r.{name} = :{name}" for name in ("task_id", "status") if name in parameters]
        conditions += ["r.started >= :since"] if "since" in parameters else []
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = (
            f"SELECT {RUN} FROM {self._tables.runs} r{where}"
            " ORDER BY r.started DESC, r.task_id DESC, r.epoch DESC LIMIT :limit"
        )
        rows = self._read(statement, {**parameters, "limit": min(max(limit, 0), _MOST)})
        return to_runs(reversed(rows))

    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        """Return, of each of these tasks, its newest finished runs, in one statement."""
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

    def _next_revision(self, connection: Connection) -> int:
        """Return the next management revision. It is locked until the end of the transaction, so none comes before."""
        meta = self._tables.meta
        connection.execute(sql(f"UPDATE {meta} SET revision = revision + 1"))
        return int(connection.execute(sql(f"SELECT revision FROM {meta}")).scalar_one())


def _is_new(row: Any | None, definition: Definition) -> bool:
    return row is None or bool(row[0]) or row[1] != definition.hash
