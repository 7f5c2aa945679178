"""The backend on PostgreSQL: claims of any number of tasks in one statement, and outcomes in another."""

import json
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, event
from typing_extensions import override

from est_alan_scheduler._support.errors import WrongStateError
from est_alan_scheduler.backends.address import Address
from est_alan_scheduler.backends.backend import DEFAULT_NAME, ValueRefusedError
from est_alan_scheduler.backends.checks import check_name
from est_alan_scheduler.backends.rows import LARGEST, Claim, RunOutcome, Snapshot
from est_alan_scheduler.backends.sql.backend import SqlBackend
from est_alan_scheduler.backends.sql.postgres_engine import make_engine
from est_alan_scheduler.backends.sql.tables import ARGUMENTS_LEFT, TAKE_OVER, Tables, lives, next_of, sql


def _rows(parameter: str, columns: str) -> str:
    """Return a SELECT of the rows in a parameter: JSON, a list for each row, in the order of these columns.

    Lists, because json_to_recordset needs objects, which take more than twice as long to write.
    """
    pairs = [column.split() for column in columns.split(", ")]
    values = ", ".join(f"CAST(r.row ->> {place} AS {kind}) AS {name}" for place, (name, kind) in enumerate(pairs))
    return f"SELECT {values} FROM jsonb_array_elements(CAST(:{parameter} AS jsonb)) AS r(row)"


# Bounds of every wait (the caller repeats the operation), and look-ups by key: these rows are in memory.
_SETTINGS = {"statement_timeout": "30s", "lock_timeout": "10s", "random_page_cost": "1.1"}
_ISOLATION = {"default_transaction_isolation": "read committed"}  # of statements that begin no transaction

_CLAIMS = _rows(
    "claims",
    "id text, seen_version bigint, slot bigint, attempt int, started bigint, first_run_at bigint, last_run_at bigint,"
    " retry_at bigint, runs bigint",
)
_OUTCOMES = _rows(
    "outcomes",
    "id text, epoch bigint, finished bigint, status text, result text, result_text text, error text,"
    " last_success_at bigint, retry_at bigint, attempt int, prune_to bigint, consumed text,"
    " consecutive_failures int",
)


class PostgresBackend(SqlBackend):
    """State in a database that many machines share. Its clock is the server's."""

    hint = "check that the server runs, and the host, port, user, password and database in the URL"
    _lock = "FOR UPDATE"
    _skip = "FOR UPDATE SKIP LOCKED"

    def __init__(self, address: Address, name: str = DEFAULT_NAME, clock: Callable[[], int] | None = None) -> None:
        engine, options = make_engine(address)
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", self._begin)
        single = engine.execution_options(isolation_level="AUTOCOMMIT")
        super().__init__(address.shown, engine, single, check_name(name), clock)
        self._threshold = options.get("prepare_threshold", ...)
        self._is_pooled = False
        self._encoding = "UTF8"
        # Not now(), which is the start of the transaction: it may have waited since.
        self._now = (
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)"
            if clock is None
            else "CAST(:now AS bigint)"
        )

    def _set_up(self, connection: Any, _record: Any) -> None:
        """Set up a session, if it is one: behind a pooler each transaction may have another one."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid(), current_setting('server_encoding')")
                pid, self._encoding = cursor.fetchone()
                # A pooler makes up a process of its own.
                self._is_pooled = self._threshold is None or pid != connection.info.backend_pid
                if not self._is_pooled:
                    cursor.execute(_set({**_SETTINGS, **_ISOLATION}, is_local=False))
                elif self._threshold is ...:
                    connection.prepare_threshold = None  # another session does not know what one has prepared
            connection.commit()
        except BaseException:
            connection.close()
            raise

    def _begin(self, connection: Connection) -> None:
        if self._is_pooled and connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(_set(_SETTINGS, is_local=True))

    @override
    def _connect_for_one(self) -> AbstractContextManager[Connection]:
        return self._engine.begin() if self._is_pooled else super()._connect_for_one()

    @override
    def open(self) -> None:
        with self._guard(), self._single.connect():
            pass  # now the encoding is known
        if self._encoding == "SQL_ASCII":
            raise WrongStateError(
                f"{self.url}: the database is in SQL_ASCII, which does not say what its bytes mean; create one with"
                " ENCODING 'UTF8' TEMPLATE template0"
            )
        super().open()

    @override
    def can_hold(self, text: str) -> bool:
        if text.isascii() or self._encoding == "UTF8":
            return super().can_hold(text)
        try:
            return super().can_hold(text) and bool(self._read("SELECT CAST(:text AS text)", {"text": text}))
        except ValueRefusedError:
            return False

    @override
    def fetch(self, ids: Collection[str] | None, seen: int, known: Mapping[str, int] | None = None) -> Snapshot:
        try:
            return super().fetch(ids, seen, known)
        except ValueRefusedError:
            held = [task_id for task_id in ids or () if self.can_hold(task_id)]
            if len(held) == len(ids or ()):
                raise
            return super().fetch(held, seen, known)  # the others cannot be there

    @override
    def _among(self, column: str) -> str:
        return f"{column} = ANY(CAST(:ids AS text[]))"

    @override
    def _ids(self, ids: Collection[str]) -> Any:
        return list(ids)

    @override
    def _changed(self) -> str:
        other = "o.version <> CAST(k.value AS bigint)"
        known = "json_each_text(CAST(:known AS json)) k"
        return f"t.id = ANY(ARRAY(SELECT o.id FROM {known} JOIN {self._tables.tasks} o ON o.id = k.key WHERE {other}))"

    @override
    def _create(self, connection: Connection) -> None:
        key = zlib.crc32(self._tables.meta.encode())
        connection.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": key})  # until the transaction ends
        super()._create(connection)
        # Free space beside each row for its next version: claims and outcomes change no index.
        connection.execute(sql(f"ALTER TABLE {self._tables.tasks} SET (fillfactor = 50)"))

    @override
    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        if not claims:
            return {}
        parameters = {"owner": owner, "token": token, "claims": json.dumps(claims), **self._times()}
        return {row[0]: row[1] for row in self._read(_claim(self._tables, self._now), parameters)}

    @override
    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        if not outcomes:
            return set()
        rows = [outcome.to_columns() for outcome in outcomes]
        late = self._read(_finish(self._tables), {"owner": owner, "outcomes": json.dumps(rows)})
        return {(one.id, one.epoch) for one in outcomes} - {tuple(row) for row in late}


def _claim(t: Tables, now: str) -> str:
    """Return the statement that starts the runs of `claims`, and returns their epochs."""
    return f"""
        WITH wanted AS ({_CLAIMS}),
        mine AS (
            SELECT t.id, t.epoch FROM {t.tasks} t JOIN wanted c ON c.id = t.id
            WHERE {_opaque("t.status = 'running' AND t.owner = :owner AND t.token = :token")}
        ),
        free AS (
            SELECT c.* FROM {t.tasks} t JOIN wanted c ON c.id = t.id
            WHERE {_opaque("t.status <> 'running' AND NOT t.removed AND t.version = c.seen_version")}
            AND t.epoch < {LARGEST}
            AND EXISTS (
                SELECT 1 FROM {t.instances} i, {t.meta} m
                WHERE i.owner = :owner AND {lives("i.lease_until", now)} AND NOT m.paused
            )
            ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
        ),
        won AS (
            UPDATE {t.tasks} t SET epoch = t.epoch + 1, version = t.version + 1, status = 'running',
                owner = :owner, token = :token, run_requested = 0, first_run_at = c.first_run_at,
                last_run_at = c.last_run_at, retry_at = c.retry_at, attempt = c.attempt, slot = c.slot, runs = c.runs,
                run_arguments = {ARGUMENTS_LEFT.format(attempt="c.attempt", row="t.")}
            FROM free c WHERE t.id = c.id AND t.version = c.seen_version
            RETURNING t.id, t.epoch, c.slot, c.attempt, c.started
        ),
        started AS (
            INSERT INTO {t.runs} (task_id, epoch, slot, attempt, owner, started, status, late)
            SELECT id, epoch, slot, attempt, :owner, started, 'running', false FROM won
            {TAKE_OVER}
        )
        SELECT id, epoch FROM won UNION ALL SELECT id, epoch FROM mine"""


def _finish(t: Tables) -> str:
    """Return the statement that records `outcomes`, and returns the late ones."""
    return f"""
        WITH ended AS ({_OUTCOMES}),
        held AS (
            SELECT o.* FROM {t.tasks} t JOIN ended o ON o.id = t.id
            WHERE {_opaque("t.owner = :owner AND t.epoch = o.epoch AND t.status = 'running'")}
            ORDER BY t.id FOR UPDATE OF t
        ),
        kept AS (
            UPDATE {t.tasks} t SET status = o.status, error_message = o.error, retry_at = o.retry_at,
                attempt = o.attempt, owner = NULL, version = {next_of("t.version")},
                consumed = COALESCE(o.consumed, t.consumed), consecutive_failures = o.consecutive_failures,
                result = CASE WHEN o.status = 'success' THEN o.result ELSE t.result END,
                last_success_at = CASE WHEN o.status = 'success' THEN o.last_success_at ELSE t.last_success_at END
            FROM held o WHERE t.id = o.id
            RETURNING t.id, t.epoch
        ),
        missed AS MATERIALIZED (
            SELECT id, epoch FROM ended WHERE (id, epoch) NOT IN (SELECT id, epoch FROM kept)
        ),
        closed AS (
            UPDATE {t.runs} r SET finished = o.finished, result = o.result_text,
                late = (o.id, o.epoch) NOT IN (SELECT id, epoch FROM kept),
                status = CASE WHEN r.finished IS NULL THEN o.status ELSE r.status END,
                error = CASE WHEN r.finished IS NULL THEN o.error ELSE r.error END
            FROM ended o WHERE r.task_id = o.id AND r.epoch = o.epoch
            AND (o.prune_to < o.epoch OR (o.id, o.epoch) NOT IN (SELECT id, epoch FROM kept))
            AND {_opaque("r.owner = :owner AND (r.finished IS NULL OR r.late)")}
        ),
        pruned AS (
            DELETE FROM {t.runs} r USING ended o
            WHERE o.prune_to > 0 AND r.task_id = o.id AND r.epoch <= o.prune_to AND CASE WHEN r.epoch = o.epoch
            THEN (o.id, o.epoch) IN (SELECT id, epoch FROM kept) ELSE r.finished IS NOT NULL END
        )
        SELECT id, epoch FROM missed m WHERE NOT EXISTS (
            SELECT 1 FROM {t.runs} r WHERE r.task_id = m.id AND r.epoch = m.epoch
            AND r.owner = :owner AND r.finished IS NOT NULL AND NOT r.late
        ) AND NOT EXISTS (  -- that no run is kept of, but the row of the task tells of
            SELECT 1 FROM ended o JOIN {t.tasks} t ON t.id = o.id WHERE o.id = m.id AND o.epoch = m.epoch
            AND o.prune_to = o.epoch AND t.epoch = o.epoch AND t.owner IS NULL AND t.status = o.status
            AND t.error_message IS NOT DISTINCT FROM o.error AND t.retry_at IS NOT DISTINCT FROM o.retry_at
            AND (o.status <> 'success' OR t.last_success_at = o.last_success_at)
            AND NOT EXISTS (SELECT 1 FROM {t.runs} r WHERE r.task_id = o.id AND r.epoch = o.epoch)
        )"""


def _opaque(condition: str) -> str:
    """Return a condition without statistics, so that the planner looks up each row of the batch by its key.

    If statistics say that few rows fulfil it (such as being RUNNING), the planner compares each of them with the whole
    batch, and they may be many by then.
    """
    return f"CASE WHEN {condition} THEN true ELSE false END"


def _set(settings: Mapping[str, str], is_local: bool) -> str:
    """Return the statement that sets these, of the session or of the transaction."""
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', {is_local})" for name, value in settings.items())
