"""The backend on SQLite: one writer at a time, so it reads, compares and writes under the lock of the file."""

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import OperationalError
from typing_extensions import override

from est_alan_scheduler._support.errors import InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import one_line
from est_alan_scheduler.backends.backend import DEFAULT_NAME, BackendUnavailableError
from est_alan_scheduler.backends.checks import check_name
from est_alan_scheduler.backends.rows import LARGEST, Claim, RunOutcome, Seen, is_storable, storable
from est_alan_scheduler.backends.sql.backend import SqlBackend
from est_alan_scheduler.backends.sql.engine import tried_again
from est_alan_scheduler.backends.sql.errors import is_damaged, is_locked
from est_alan_scheduler.backends.sql.fair_lock import fair_lock
from est_alan_scheduler.backends.sql.tables import ARGUMENTS_LEFT, TAKE_OVER, lives, next_of, sql

_Answer = TypeVar("_Answer")
_PATIENCE = 10.0  # seconds to wait for the lock
_PAUSE = 0.0005, 0.005  # seconds between two attempts to get it while another process has it


class SqliteBackend(SqlBackend):
    """State in a file on a local disk, shared by the processes of one machine; the store's clock is the host's.

    Every commit is on the disk before it is reported (`synchronous=FULL`).
    """

    hint = "its directory must exist, this user must be able to write there, and nobody else may lock the file"
    _now = "CAST(:now AS INTEGER)"
    _lock = _skip = ""  # the whole file is locked

    def __init__(self, path: str, name: str = DEFAULT_NAME, clock: Callable[[], int] | None = None) -> None:
        engine = create_engine(URL.create("sqlite", database=path), connect_args={"timeout": _PATIENCE})
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        shown = one_line(f"sqlite:///{path}")
        super().__init__(shown, engine, engine.execution_options(single=True), check_name(name), clock)
        self._path = os.path.realpath(path)

    @override
    def open(self) -> None:
        if os.path.isdir(self._path):
            raise InvalidValueError(f"{self.url}: this is a directory; give the path of a file in it")
        try:
            super().open()
        except BackendUnavailableError as error:
            if not is_damaged(error.__cause__):
                raise
            raise WrongStateError(f"{error}; give the path of another file, or of none") from error

    @override
    def _rows(self, connection: Connection, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
        try:
            return super()._rows(connection, statement, parameters)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) is not None:
                raise
        driver: Any = connection.connection.dbapi_connection  # it is the driver that has failed: at bytes of no text
        driver.text_factory = _decode
        try:
            return super()._rows(connection, statement, parameters)
        finally:
            driver.text_factory = str

    @override
    def remove(self, ids: Collection[str], seen: Mapping[str, Seen] | None = None) -> set[str]:
        left = super().remove(ids, seen)
        others = {task_id: raw for task_id in ids if not is_storable(task_id) and (raw := _encode(task_id)) is not None}
        if others:  # ids that are no text are found by their bytes
            self._remove("CAST(id AS BLOB)", others, {})
        return left

    @override
    def _among(self, column: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(:ids))"

    @override
    def _ids(self, ids: Collection[str]) -> Any:
        return json.dumps(list(ids))

    @override
    def _changed(self) -> str:
        known = f"json_each(:known) k JOIN {self._tables.tasks} o ON o.id = k.key"
        return f"t.id IN (SELECT o.id FROM {known} WHERE o.version <> k.value)"

    @override
    def _times(self) -> dict[str, int]:
        return {"now": self.clock.host()}

    @override
    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # SQLite's own waiters sleep longer and longer, and a new one may go first.
        try:
            with fair_lock(self._path).hold(_PATIENCE), super()._transaction() as connection:
                yield connection
        except TimeoutError:
            raise BackendUnavailableError(f"{self.url}: others in this process write for too long") from None

    @override
    def _end_transaction(self) -> None:
        try:
            super()._end_transaction()
        finally:
            fair_lock(self._path).leave()

    @override
    def _stop(self, raw: Any) -> None:
        with suppress(sqlite3.ProgrammingError):  # it is closed: after an interruption, frames end late
            raw.rollback()  # one that is closed keeps the lock of the file as long as there is a cursor of it

    @override
    @tried_again
    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        t = self._tables
        alive = lives("lease_until", self._now)
        lease = f"SELECT 1 FROM {t.instances}, {t.meta} WHERE owner = :me AND {alive} AND NOT paused"
        start = (
            f"UPDATE {t.tasks} SET epoch = epoch + 1, version = version + 1, status = 'running', owner = ?,"
            f" token = ?, run_arguments = {ARGUMENTS_LEFT.format(attempt='?', row='')}, run_requested = 0, slot = ?,"
            " attempt = ?, first_run_at = ?, last_run_at = ?, retry_at = ?, runs = ?"
            f" WHERE id = ? AND version = ? AND status <> 'running' AND NOT removed AND epoch < {LARGEST}"
        )
        mine = (
            f"SELECT id, epoch FROM {t.tasks} WHERE {self._among('id')}"
            " AND owner = :owner AND token = :token AND status = 'running'"
        )
        insert = (
            f"INSERT INTO {t.runs} (task_id, epoch, slot, attempt, owner, started, status, late)"
            f" VALUES (?, ?, ?, ?, ?, ?, 'running', false) {TAKE_OVER}"
        )
        me = {"owner": owner, "token": token, "ids": self._ids({claim.id for claim in claims})}
        with self._transaction() as connection:
            if connection.execute(sql(lease), {"me": owner, **self._times()}).scalar():
                starts = [
                    (owner, token, attempt, slot, attempt, *others, task_id, seen_version)
                    for task_id, seen_version, slot, attempt, _, *others in claims
                ]
                _execute_many(connection, start, starts)
            won = {row[0]: row[1] for row in connection.execute(sql(mine), me)}
            runs = [(one.id, won[one.id], one.slot, one.attempt, owner, one.started) for one in claims if one.id in won]
            _execute_many(connection, insert, runs)
        return won

    @override
    @tried_again
    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        t = self._tables
        mine = f"SELECT id, epoch FROM {t.tasks} WHERE {self._among('id')} AND owner = :owner AND status = 'running'"
        prune = f"DELETE FROM {t.runs} WHERE task_id = ? AND epoch <= ? AND finished IS NOT NULL"
        recorded = (
            f"SELECT task_id, epoch FROM {t.runs} WHERE {self._among('task_id')}"
            " AND owner = :owner AND finished IS NOT NULL AND NOT late"
        )
        ids = {"ids": self._ids({outcome.id for outcome in outcomes}), "owner": owner}
        asked = {(outcome.id, outcome.epoch) for outcome in outcomes}
        with self._transaction() as connection:
            kept = {tuple(row) for row in connection.execute(sql(mine), ids)} & asked
            self._end_runs(connection, owner, outcomes, kept)
            limits = [(one.id, min(one.prune_to, one.epoch - ((one.id, one.epoch) not in kept))) for one in outcomes]
            _execute_many(connection, prune, [limit for limit in limits if limit[1]])
            if kept != asked:  # an earlier call may have recorded the others
                kept |= {tuple(row) for row in connection.execute(sql(recorded), ids)} & asked
                kept |= self._told(connection, [one for one in outcomes if one.leaves_no_run])
        return kept

    def _told(self, connection: Connection, outcomes: list[RunOutcome]) -> set[tuple[str, int]]:
        """Return the outcomes without runs of which the rows of their tasks say that they were recorded."""
        t = self._tables
        statement = (
            f"SELECT t.id, t.epoch, t.status, t.error_message, t.retry_at, t.last_success_at FROM {t.tasks} t"
            f" WHERE {self._among('t.id')} AND t.owner IS NULL AND NOT t.removed AND NOT EXISTS"
            f" (SELECT 1 FROM {t.runs} r WHERE r.task_id = t.id AND r.epoch = t.epoch)"
        )
        ids = {"ids": self._ids({outcome.id for outcome in outcomes})}
        rows = {tuple(row[:2]): row[2:] for row in connection.execute(sql(statement), ids)} if outcomes else {}
        return {one[:2] for one in outcomes if one[:2] in rows and one.is_told_by(*rows[one[:2]])}

    def _end_runs(
        self, connection: Connection, owner: str, outcomes: Sequence[RunOutcome], kept: Collection[tuple[Any, ...]]
    ) -> None:
        end = (
            f"UPDATE {self._tables.tasks} SET status = ?, error_message = ?, retry_at = ?, attempt = ?,"
            f" consecutive_failures = ?, owner = NULL, version = {next_of('version')},"
            " consumed = COALESCE(?, consumed),"
            " result = CASE WHEN ? THEN ? ELSE result END,"
            " last_success_at = CASE WHEN ? THEN ? ELSE last_success_at END"
            " WHERE id = ? AND epoch = ? AND owner = ? AND status = 'running'"
        )
        close = (
            f"UPDATE {self._tables.runs} SET status = CASE WHEN finished IS NULL THEN ? ELSE status END,"
            " error = CASE WHEN finished IS NULL THEN ? ELSE error END, finished = ?, result = ?, late = ?"
            " WHERE task_id = ? AND epoch = ? AND owner = ? AND (finished IS NULL OR late)"
        )
        ends, closes = [], []
        for one in outcomes:
            is_late, status, error = (one.id, one.epoch) not in kept, one.status.value, storable(one.error)
            if not is_late:
                is_success = status == "success"
                news = (one.consumed, is_success, one.result, is_success, one.last_success_at)
                counts = one.attempt, one.consecutive_failures
                ends.append((status, error, one.retry_at, *counts, *news, one.id, one.epoch, owner))
            shown = storable(one.result_text)
            closes.append((status, error, one.finished, shown, is_late, one.id, one.epoch, owner))
        _execute_many(connection, end, ends)
        _execute_many(connection, close, closes)


def _decode(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _encode(task_id: str) -> bytes | None:
    try:
        return task_id.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return None


def _execute_many(connection: Connection, statement: str, parameters: list[tuple[Any, ...]]) -> None:
    if parameters:  # by place, which is the fastest for sqlite3: each run needs these statements
        connection.exec_driver_sql(statement, parameters)


def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # so that sqlite3 begins no transaction by itself: SQLAlchemy's documented remedy
    (mode,) = _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
    if mode != "wal":
        raise WrongStateError(
            f"SQLite cannot use a write-ahead log here, but {mode!r}: the file must be on a local disk"
        )
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    # A deferred transaction that goes on to write would fail at once, without waiting, while another process writes.
    if connection.get_execution_options().get("single"):
        return
    execute: Any = connection.connection.dbapi_connection.execute  # type: ignore[union-attr]  # it is there
    execute("PRAGMA busy_timeout = 0")  # SQLite itself would wait longer and longer, while others go first
    _patiently(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")


def _patiently(attempt: Callable[[], _Answer]) -> _Answer:
    """Repeat an attempt for which SQLite itself does not wait, while others have the lock."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return attempt()
        except (sqlite3.OperationalError, OperationalError) as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(*_PAUSE))  # noqa: S311  # no secret: it keeps two from meeting again and again
