"""Leases in a SQL backend, and what becomes of the runs of those that let theirs expire."""

from collections.abc import Sequence

from est_alan_scheduler.backends.backend import renewed_since
from est_alan_scheduler.backends.rows import DeadRun, InstanceRow, Renewal, RunRow, storable, to_runs
from est_alan_scheduler.backends.sql.engine import SqlStore
from est_alan_scheduler.backends.sql.tables import RUN, sql

_KEPT = 24 * 3600 * 1_000_000  # microseconds for which the row of an expired lease is kept if there is nothing to reap


class SqlLeases(SqlStore):
    """The part of a SQL backend that knows who is alive."""

    def renew(self, owner: str, lease: float) -> Renewal:
        """Let the lease of an owner last for so many seconds from now."""
        t = self._tables
        # Locked, then compared with the clock: what `reap` has seen expired in the meantime counts as broken here.
        select = f"SELECT owner, since, lease_until FROM {t.instances} WHERE owner = :owner {self._lock}"
        upsert = (
            f"INSERT INTO {t.instances} (owner, since, lease_until) VALUES (:owner, :since, :until)"
            " ON CONFLICT (owner) DO UPDATE SET since = excluded.since, lease_until = excluded.lease_until"
        )
        with self._transaction() as connection:
            row = connection.execute(sql(select), {"owner": owner}).one_or_none()
            now = self._read_clock(connection)
            until = now + round(lease * 1_000_000)
            since = renewed_since(None if row is None else InstanceRow._make(row), now)
            connection.execute(sql(upsert), {"owner": owner, "since": since, "until": until})
            if row is None:  # once in a process: clear away those that died without anything to reap
                dead = f"DELETE FROM {t.instances} WHERE lease_until < :dead"
                connection.execute(sql(dead), {"dead": now - _KEPT})
        return Renewal(now, until, since)

    def instances(self) -> list[InstanceRow]:
        """Return all whose lease is alive, the oldest first."""
        alive = f"SELECT owner, since, lease_until FROM {self._tables.instances} WHERE lease_until > {self._now}"
        return [InstanceRow._make(row) for row in self._read(f"{alive} ORDER BY since, owner", self._times())]

    def leave(self, owner: str) -> None:
        """Give a lease back."""
        with self._transaction() as connection:
            connection.execute(sql(f"DELETE FROM {self._tables.instances} WHERE owner = :owner"), {"owner": owner})

    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        """Return runs without an outcome whose owner has no live lease."""
        t = self._tables
        statement = (
            f"SELECT {RUN} FROM {t.runs} r WHERE r.finished IS NULL AND NOT EXISTS"
            f" (SELECT 1 FROM {t.instances} i WHERE i.owner = r.owner AND i.lease_until > {self._now})"
            " ORDER BY r.task_id, r.epoch LIMIT :limit"
        )
        return to_runs(self._read(statement, {"limit": limit, **self._times()}))

    def reap(self, dead_runs: Sequence[DeadRun]) -> set[tuple[str, int]]:
        """Record lost runs as FAILED, and return those that were."""
        if not dead_runs:
            return set()
        t = self._tables
        owners = {"ids": self._ids({dead_run.owner for dead_run in dead_runs})}
        among = self._among("owner")
        # A renewal in progress holds the lock and keeps its runs; one that comes later finds its lease broken.
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
            gone = set(connection.execute(sql(expired), {**owners, **self._times()}).scalars())
            there = set(connection.execute(sql(present), owners).scalars())
            ids = {"ids": self._ids({dead_run.id for dead_run in dead_runs})}
            connection.execute(sql(lock), ids).all()
            still = {tuple(row) for row in connection.execute(sql(unfinished), ids)}
            reaped = [
                dead_run
                for dead_run in dead_runs
                if (dead_run.owner in gone or dead_run.owner not in there)
                and (dead_run.id, dead_run.epoch, dead_run.owner) in still
            ]
            now = self._read_clock(connection)
            common = [
                {"id": dead_run.id, "epoch": dead_run.epoch, "error": storable(dead_run.error)} for dead_run in reaped
            ]
            states = [
                {**row, "owner": dead_run.owner, "retry_at": dead_run.retry_at, "attempt": dead_run.attempt}
                for row, dead_run in zip(common, reaped, strict=True)
            ]
            self._execute_all(connection, fail, states)
            self._execute_all(connection, close, [{**row, "finished": now} for row in common])
            self._execute_all(connection, forget, [{"owner": owner} for owner in sorted(gone)])
        return {(dead_run.id, dead_run.epoch) for dead_run in reaped}
