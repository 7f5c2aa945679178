"""SQLite: one writer at a time, so reading, comparing and writing under its lock is all there is to it."""

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from est_alan_scheduler.backends.backend import DEFAULT_NAME, BackendUnavailableError, check_name
from est_alan_scheduler.backends.clock import host_now
from est_alan_scheduler.backends.rows import Claim, RunOutcome, storable
from est_alan_scheduler.backends.sql.backend import SqlBackend
from est_alan_scheduler.backends.sql.fair_lock import fair_lock
from est_alan_scheduler.backends.sql.tables import sql

_PATIENCE = 10.0  # seconds to wait for the lock
_PAUSE = 0.0005, 0.005  # seconds between two attempts to get it while another process has it


class SqliteBackend(SqlBackend):
    """State in a file on a local disk, shared by the processes of one machine; the store's clock is the host's.

    Every commit is on the disk before it is reported (`synchronous=FULL`). ValueError for a database in memory, of
    which each connection would have its own, and for options in the URL.
    """

    _now = "CAST(:now AS INTEGER)"
    _lock = _skip = ""  # the whole file is locked

    def __init__(self, url: URL, name: str = DEFAULT_NAME, clock: Callable[[], int] | None = None) -> None:
        if url.database in (None, "", ":memory:") or "mode" in url.query:
            raise ValueError(f"{url}: state has to be in a file, like sqlite:///tasks.db")
        if url.query:
            raise ValueError(f"{url}: nothing can follow the path of the file, got {', '.join(map(repr, url.query))}")
        engine = create_engine(url, connect_args={"timeout": _PATIENCE})
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        super().__init__(engine, engine.execution_options(single=True), check_name(name), clock)
        self._path = os.path.realpath(url.database or "")

    def open(self) -> None:
        """Create the tables that are missing; RuntimeError if the file is no database."""
        try:
            super().open()
        except DatabaseError as error:
            if type(error.orig) is not sqlite3.DatabaseError:
                raise
            raise RuntimeError(f"{self.url}: {error.orig}; give the path of another file, or of none") from error

    def _among(self, column: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(:ids))"

    def _ids(self, ids: Collection[str]) -> Any:
        return json.dumps(list(ids))

    def _changed(self) -> str:
        known = f"json_each(:known) k JOIN {self._tables.tasks} o ON o.id = k.key"
        return f"t.id IN (SELECT o.id FROM {known} WHERE o.version <> k.value)"

    def _times(self) -> dict[str, int]:
        return {"now": host_now() if self.clock.replacement is None else self.clock.replacement()}

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # SQLite itself lets those who wait sleep for ever longer, and whoever comes along may go first.
        try:
            with fair_lock(self._path).take(_PATIENCE), super()._transaction() as connection:
                yield connection
        except TimeoutError:
            raise BackendUnavailableError(f"{self.url}: others in this process write for too long") from None

    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        """Start runs of tasks that still have the version seen, and return the epochs of those won."""
        t = self._tables
        may_win = (
            f"SELECT 1 FROM {t.instances}, {t.meta} WHERE owner = :owner AND lease_until > {self._now} AND NOT paused"
        )
        start = (
            f"UPDATE {t.tasks} SET epoch = epoch + 1, version = version + 1, status = 'running', owner = ?,"
            " token = ?, run_requested = 0, first_run_at = ?, last_run_at = ?, retry_at = ?, attempt = ?, slot = ?"
            " WHERE id = ? AND version = ? AND status <> 'running' AND NOT removed"
        )
        mine = (
            f"SELECT id, epoch FROM {t.tasks} WHERE {self._among('id')}"
            " AND owner = :owner AND token = :token AND status = 'running'"
        )
        insert = (
            f"INSERT INTO {t.runs} (task_id, epoch, slot, attempt, owner, started, status, late)"
            " VALUES (?, ?, ?, ?, ?, ?, 'running', false) ON CONFLICT DO NOTHING"
        )
        me = {"owner": owner, "token": token}
        with self._transaction() as connection:
            if connection.execute(sql(may_win), {"owner": owner, **self._times()}).scalar():
                wishes = [
                    (
                        owner,
                        token,
                        one.first_run_at,
                        one.last_run_at,
                        one.retry_at,
                        one.attempt,
                        one.slot,
                        one.id,
                        one.seen_version,
                    )
                    for one in claims
                ]
                _execute_many(connection, start, wishes)
            ids = self._ids({claim.id for claim in claims})
            won = {row[0]: row[1] for row in connection.execute(sql(mine), {"ids": ids, **me}).all()}
            runs = [(one.id, won[one.id], one.slot, one.attempt, owner, one.started) for one in claims if one.id in won]
            _execute_many(connection, insert, runs)
        return won

    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        """Record how runs ended, and return those that still had their tasks."""
        t = self._tables
        mine = f"SELECT id, epoch FROM {t.tasks} WHERE {self._among('id')} AND owner = :owner AND status = 'running'"
        end = (
            f"UPDATE {t.tasks} SET status = ?, error_message = ?, retry_at = ?, attempt = ?, owner = NULL,"
            " version = version + 1, consumed = COALESCE(?, consumed), result = CASE WHEN ? THEN ? ELSE result END,"
            " last_success_at = CASE WHEN ? THEN ? ELSE last_success_at END"
            " WHERE id = ? AND epoch = ? AND owner = ? AND status = 'running'"
        )
        close = (
            f"UPDATE {t.runs} SET status = CASE WHEN finished IS NULL THEN ? ELSE status END,"
            " error = CASE WHEN finished IS NULL THEN ? ELSE error END, finished = ?, result = ?, late = ?"
            " WHERE task_id = ? AND epoch = ? AND owner = ? AND (finished IS NULL OR late)"
        )
        recorded = (
            f"SELECT r.task_id, r.epoch FROM json_each(:missed) m JOIN {t.runs} r"
            " ON r.task_id = json_extract(m.value, '$[0]') AND r.epoch = json_extract(m.value, '$[1]')"
            " WHERE r.owner = :owner AND r.finished IS NOT NULL AND NOT r.late"
        )
        prune = f"DELETE FROM {t.runs} WHERE task_id = ? AND epoch <= ? AND finished IS NOT NULL"
        ids = {"ids": self._ids({outcome.id for outcome in outcomes}), "owner": owner}
        asked = {(outcome.id, outcome.epoch) for outcome in outcomes}
        with self._transaction() as connection:
            kept = {tuple(row) for row in connection.execute(sql(mine), ids).all()} & asked
            ends, closes, prunes = [], [], []
            for one in outcomes:
                is_late, status, error = (one.id, one.epoch) not in kept, one.status.value, storable(one.error)
                if not is_late:
                    is_success = status == "success"
                    news = (one.consumed, is_success, one.result, is_success, one.last_success_at)
                    ends.append((status, error, one.retry_at, one.attempt, *news, one.id, one.epoch, owner))
                shown = storable(one.result_text)
                closes.append((status, error, one.finished, shown, is_late, one.id, one.epoch, owner))
                if one.prune_to:
                    prunes.append((one.id, one.prune_to))
            _execute_many(connection, end, ends)
            _execute_many(connection, close, closes)
            _execute_many(connection, prune, prunes)
            missed = asked - kept  # asked for again, perhaps
            if missed:
                of_these = {"missed": json.dumps(list(missed)), "owner": owner}
                kept |= {tuple(row) for row in connection.execute(sql(recorded), of_these).all()}
        return kept


def _execute_many(connection: Connection, statement: str, parameters: list[tuple[Any, ...]]) -> None:
    if parameters:  # by place, as sqlite3 takes them fastest: these are the statements that each run has
        connection.exec_driver_sql(statement, parameters)


def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # so that sqlite3 begins nothing by itself: SQLAlchemy's documented remedy
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:  # others are at it, and here SQLite does not wait
            if not _is_taken(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise RuntimeError(f"SQLite cannot use a write-ahead log here, but {mode!r}: the file must be on a local disk")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    # A deferred transaction that goes on to write would fail at once when somebody else writes, without waiting.
    if connection.get_execution_options().get("single"):
        return
    execute: Any = connection.connection.dbapi_connection.execute  # type: ignore[union-attr]  # it is there
    execute("PRAGMA busy_timeout = 0")  # SQLite itself would wait longer and longer, while others go first
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            break
        except OperationalError as error:
            if not _is_taken(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(*_PAUSE))  # noqa: S311  # no secret: it keeps two from meeting again and again
    execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")


def _is_taken(error: BaseException | None) -> bool:
    """Tell whether others have the lock, so that it helps to wait."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)  # the rest of the bits says why
