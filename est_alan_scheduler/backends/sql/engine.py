"""The engine of a SQL backend: connections, transactions, and the errors of a database that is unavailable."""

import os
import random
import sqlite3
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from typing_extensions import ParamSpec, override

from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.checks import FORMER_SCHEMA, SCHEMA, check_schema
from est_alan_scheduler.backends.sql.errors import ConflictError, needs_new_connections, store_error
from est_alan_scheduler.backends.sql.tables import Tables, sql

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")
_TRIES = 6  # of an operation while other transactions come first
_PAUSE = 0.01  # seconds before the second, at most; before each later one twice as long


def tried_again(operation: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Repeat an operation that failed only because another transaction came first."""

    @wraps(operation)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        for number in range(_TRIES - 1):
            try:
                return operation(*args, **kwargs)
            except ConflictError:
                time.sleep(random.uniform(0, _PAUSE * 2**number))  # noqa: S311  # no secret: so that two do not meet
        return operation(*args, **kwargs)

    return call


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
    def open(self) -> None:
        t = self._tables
        with self._guard():
            with self._single.connect() as connection:
                exists = inspect(connection).has_table(t.meta)
                found = self._schema(connection) if exists else None
            if found in (None, FORMER_SCHEMA):
                with self._engine.begin() as connection:
                    self._create(connection)
                    found = self._schema(connection)
                    if found == FORMER_SCHEMA:
                        found = self._upgrade(connection)
                    if found is None:
                        found = SCHEMA
                        columns = "id, schema_version, revision, paused, born"
                        insert = f"INSERT INTO {t.meta} ({columns}) VALUES (1, :schema, 0, false, {self._now})"
                        connection.execute(sql(insert), {"schema": SCHEMA, **self._times()})
        check_schema(found, self.url)

    def _upgrade(self, connection: Connection) -> int:
        """Bring the tables of the former schema up to date, and return the schema."""
        t, number = self._tables, "BIGINT NOT NULL DEFAULT 0"
        for table, column in ((t.meta, "dropped_revision"), (t.meta, "dropped_version"), (t.tasks, "kept_until")):
            connection.execute(sql(f"ALTER TABLE {table} ADD COLUMN {column} {number}"))
        for index in t.metadata.tables[t.tasks].indexes:
            index.create(connection)
        connection.execute(sql(f"DROP INDEX ix_{t.tasks}_revision"))
        connection.execute(sql(f"UPDATE {t.meta} SET schema_version = {SCHEMA}"))
        return SCHEMA

    @override
    def close(self) -> None:
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
        with self._guard(), self._connect_for_one() as connection:
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
        with self._guard(), self._engine.begin() as connection:
            yield connection

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
