"""Leases in a SQL backend, and the runs of instances whose lease has expired."""

from collections.abc import Sequence

from typing_extensions import override

from est_alan_scheduler.backends.clock import KEPT
from est_alan_scheduler.backends.reading import to_runs
from est_alan_scheduler.backends.rows import DeadRunOutcome, InstanceRow, Renewal, RunRow, storable
from est_alan_scheduler.backends.sql.engine import SqlEngine
from est_alan_scheduler.backends.sql.tables import RUN, sql


class SqlLeases(SqlEngine):
    """The part of a SQL backend that knows which instances are alive."""

    @override
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
            renewed = InstanceRow.renewed(owner, None if row is None else InstanceRow._make(row), now, lease)
            connection.execute(sql(upsert), renewed._asdict())
            if row is None:  # once in a process
                dead = f"DELETE FROM {t.instances} WHERE lease_until < :dead"
                connection.execute(sql(dead), {"dead": now - KEPT})
        return Renewal(now, renewed.lease_until, renewed.since)

    @override
    def instances(self) -> list[InstanceRow]:
        alive = f"SELECT owner, since, lease_until FROM {self._tables.instances} WHERE lease_until > {self._now}"
        return [InstanceRow._make(row) for row in self._read(f"{alive} ORDER BY since, owner", self._times())]

    @override
    def leave(self, owner: str) -> None:
        with self._transaction() as connection:
            connection.execute(sql(f"DELETE FROM {self._tables.instances} WHERE owner = :owner"), {"owner": owner})

    @override
    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        t = self._tables
        statement = (
            f"SELECT {RUN} FROM {t.runs} r WHERE r.finished IS NULL AND NOT EXISTS"
            f" (SELECT 1 FROM {t.instances} i WHERE i.owner = r.owner AND i.lease_until > {self._now})"
            " ORDER BY r.task_id, r.epoch LIMIT :limit"
        )
        return to_runs(self._read(statement, {"limit": limit, **self._times()}))

    @override
    def reap(self, outcomes: Sequence[DeadRunOutcome]) -> set[tuple[str, int]]:
        if not outcomes:
            return set()
        t = self._tables
        owners = {"ids": self._ids({outcome.owner for outcome in outcomes})}
        ids = {"ids": self._ids({outcome.id for outcome in outcomes})}
        among = self._among("owner")
        # A renewal in progress holds the lock and keeps its runs; a later one finds its lease broken.
        expired = (
            f"SELECT owner FROM {t.instances} WHERE {among} AND lease_until <= {self._now} ORDER BY owner {self._skip}"
        )
        present = f"SELECT owner FROM {t.instances} WHERE {among}"
        lock = f"SELECT id FROM {t.tasks} WHERE {self._among('id')} ORDER BY id {self._lock}"
        unfinished = f"SELECT task_id, epoch, owner FROM {t.runs} WHERE {self._among('task_id')} AND finished IS NULL"
        fail = (
            f"UPDATE {t.tasks} SET status = 'failed', error_message = :error, retry_at = :retry_at, attempt = :attempt,"
            " owner = NULL, version = version + 1"
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
            open_runs = {tuple(row) for row in connection.execute(sql(unfinished), ids)}
            dead = [one for one in outcomes if one.owner not in alive]
            reaped = [one for one in dead if (one.id, one.epoch, one.owner) in open_runs]
            finished = self._read_clock(connection)
            rows = [{**one._asdict(), "error": storable(one.error), "finished": finished} for one in reaped]
            self._execute_all(connection, fail, rows)
            self._execute_all(connection, close, rows)
            self._execute_all(connection, forget, [{"owner": owner} for owner in sorted(dead_owners)])
        return {(one.id, one.epoch) for one in reaped}
