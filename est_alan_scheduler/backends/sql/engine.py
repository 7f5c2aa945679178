"""The engine of a SQL backend: connections, transactions, and the errors of a database that is unavailable."""

import os
import random
import sqlite3
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import ParamSpec, override

from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.checks import FORMER_SCHEMAS, SCHEMA, check_schema, check_upgrade
from est_alan_scheduler.backends.sql.errors import TransactionConflictError, needs_new_connections, store_error
from est_alan_scheduler.backends.sql.tables import Tables, sql

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")
_TRIES = 6  # of an operation while other transactions come first
_PAUSE = 0.01  # seconds before the second, at most; before each later one twice as long


def tried_again(operation: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Repeat an operation that failed only because another transaction came first.

    What a Ctrl+C has cut off is undone here: it can come at the very end of a `with` block, before its `__exit__`.
    """

    @wraps(operation)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        try:
            for number in range(_TRIES - 1):
                try:
                    return operation(*args, **kwargs)
                except TransactionConflictError:
                    time.sleep(random.uniform(0, _PAUSE * 2**number))  # noqa: S311  # no secret: two must not meet
            return operation(*args, **kwargs)
        except BaseException:
            backend: Any = args[0]
            backend._end_transaction()
            raise

    return call


def _close_on_return(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.invalidate()


class SqlEngine(Backend):
    """A backend with an engine. Thread-safe: each call takes a connection from the pool, and nothing else changes."""

    _now: str
    """An expression: the time by the store's clock. It may refer to the parameter `now`."""
    _lock: str
    """The clause that locks the rows of a SELECT."""
    _skip: str
    """The same, without the rows that others have locked."""

    def __init__(self, url: str, engine: Engine, single: Engine, name: str, clock: Callable[[], int] | None) -> None:
        super().__init__(url, clock)
        self._engine = engine
        event.listen(engine, "handle_error", _drop_useless)
        self._single = single  # the same engine, where each statement is a transaction of its own
        self._pid = os.getpid()
        self._of_thread = threading.local()
        self._tables = Tables(name)

    @abstractmethod
    def _among(self, column: str) -> str:
        """Return the condition that a column is one of the parameter `ids`."""

    @abstractmethod
    def _ids(self, ids: Collection[str]) -> Any:
        """Return the value of the parameter `ids`."""

    @abstractmethod
    def _changed(self) -> str:
        """Return the condition that the version of a task called t differs from that in the parameter `known`."""

    def _create(self, connection: Connection) -> None:
        """Create the tables that are missing, one process at a time."""
        self._tables.metadata.create_all(connection)

    def _times(self) -> dict[str, int]:
        """Return the parameters that `_now` refers to."""
        return {} if self.clock.replacement is None else {"now": self.clock.replacement()}

    @override
    @tried_again
    def open(self) -> None:
        t = self._tables
        with self._guard():
            with self._single.connect() as connection:
                exists = inspect(connection).has_table(t.meta)
                found = self._schema(connection) if exists else None
            if found in FORMER_SCHEMAS:
                check_upgrade(self.may_upgrade, found, self.url)
            if found is None or found in FORMER_SCHEMAS:
                with self._transaction() as connection:
                    self._create(connection)
                    found = self._schema(connection)
                    if found in FORMER_SCHEMAS:
                        found = self._upgrade(connection, found)
                    if found is None:
                        found = SCHEMA
                        self._begin_list(connection)
        check_schema(found, self.url)

    def _begin_list(self, connection: Connection) -> None:
        """Write the row about the list of tasks that a new store has, and one that was emptied lacks."""
        columns, values = "id, schema_version, revision, paused, born", f"1, :schema, 0, false, {self._now}"
        insert = f"INSERT INTO {self._tables.meta} ({columns}) VALUES ({values}) ON CONFLICT (id) DO NOTHING"
        connection.execute(sql(insert), {"schema": SCHEMA, **self._times()})

    def _upgrade(self, connection: Connection, found: int) -> int:
        """Bring the tables of a former schema up to date, and return the schema."""
        check_upgrade(self.may_upgrade, found, self.url)  # a process of that version may have made the tables just now
        t, number = self._tables, "BIGINT NOT NULL DEFAULT 0"
        columns = list[tuple[str, str]]()
        if found < 4:
            columns += [(t.tasks, f"runs {number}"), (t.tasks, "consecutive_failures INTEGER NOT NULL DEFAULT 0")]
            columns.append((t.tasks, "run_arguments TEXT"))
        if found == 2:
            names = (t.meta, "dropped_revision"), (t.meta, "dropped_version"), (t.tasks, "kept_until")
            columns += [(table, f"{name} {number}") for table, name in names]
        for table, column in columns:
            connection.execute(sql(f"ALTER TABLE {table} ADD COLUMN {column}"))
        if found == 2:
            for index in t.metadata.tables[t.tasks].indexes:
                index.create(connection)
            connection.execute(sql(f"DROP INDEX ix_{t.tasks}_revision"))
        for index in t.metadata.tables[t.runs].indexes:
            index.create(connection, checkfirst=True)
        connection.execute(sql(f"DROP INDEX ix_{t.runs}_started"))
        connection.execute(sql(f"UPDATE {t.meta} SET schema_version = {SCHEMA}"))
        return SCHEMA

    @override
    def close(self) -> None:
        # A connection that another thread is using comes back to the former pool, which nothing closes.
        event.listen(self._engine.pool, "checkin", _close_on_return)
        self._engine.dispose()

    def _schema(self, connection: Connection) -> int | None:
        return connection.execute(sql(f"SELECT schema_version FROM {self._tables.meta}")).scalar()

    def _read_clock(self, connection: Connection) -> int:
        began = self.clock.begin()
        now = int(connection.execute(sql(f"SELECT {self._now}"), self._times()).scalar_one())
        self.clock.note(now, began)
        return now

    @tried_again
    def _read(self, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
        """Return the rows of a single statement, which is a transaction of its own."""
        with self._guard(), self._connect_for_one() as connection, self._dropping(connection):
            return self._rows(connection, statement, parameters)

    def _rows(self, connection: Connection, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
        """Return all rows of a SELECT, those with values that the driver cannot load included."""
        return connection.execute(sql(statement), parameters).all()

    def _connect_for_one(self) -> AbstractContextManager[Connection]:
        """Return a connection for a single statement."""
        return self._single.connect()

    def _execute_all(self, connection: Connection, statement: str, parameters: Sequence[dict[str, Any]]) -> None:
        """Execute a statement once for each set of parameters."""
        if parameters:  # SQLAlchemy takes an empty list for no parameters
            connection.execute(sql(statement), parameters)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._guard():
            connection = self._of_thread.connection = self._engine.connect()
            with connection, self._dropping(connection), connection.begin():
                yield connection

    def _end_transaction(self) -> None:
        """Undo what a transaction of this thread has done, if it has not ended."""
        connection: Connection | None = getattr(self._of_thread, "connection", None)
        self._of_thread.connection = None
        if connection is not None:
            self._drop(connection)

    @contextmanager
    def _dropping(self, connection: Connection) -> Iterator[None]:
        """Close a connection for good if anything is raised but an error of its own.

        As long as the frames of a traceback hold a cursor of it, it is in the middle of reading.
        """
        try:
            yield
        except DBAPIError:
            raise
        except BaseException:
            self._drop(connection)
            raise

    def _drop(self, connection: Connection) -> None:
        """Close a connection for good, whatever it is doing: its transaction is undone."""
        if not connection.closed and not connection.invalidated:
            self._stop(connection.connection.dbapi_connection)
            connection.invalidate()
        connection.close()

    def _stop(self, raw: Any) -> None:
        """Undo the transaction of a connection of the driver, unless closing it does."""

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn the errors of a database into those of a backend; after an outage the next call connects anew."""
        if os.getpid() != self._pid:  # after a fork the connections belong to the parent
            self._pid = os.getpid()
            self._engine.dispose(close=False)
        try:
            yield
        except (DBAPIError, PoolTimeoutError, sqlite3.Error, UnicodeError, OverflowError) as error:
            raise store_error(self.url, error) from error


def _drop_useless(context: ExceptionContext) -> None:
    """Let SQLAlchemy drop this connection, and those of other threads when they are back in the pool."""
    if needs_new_connections(context.original_exception):
        context.is_disconnect = True
