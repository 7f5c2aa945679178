"""The engine of a SQL backend: connections, transactions, and the errors of a database that is unavailable."""

import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from typing_extensions import override

from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError
from est_alan_scheduler.backends.checks import FORMER_SCHEMA, SCHEMA, check_schema
from est_alan_scheduler.backends.sql.tables import Tables, sql


class SqlEngine(Backend):
    """A backend with an engine. Thread-safe: each call takes a connection from the pool, and nothing else changes."""

    _now: str
    """An expression: the time by the store's clock. It may refer to the parameter `now`."""
    _lock: str
    """The clause that locks the rows of a SELECT."""
    _skip: str
    """The same, without the rows that others have locked."""

    def __init__(self, engine: Engine, single: Engine, name: str, clock: Callable[[], int] | None) -> None:
        super().__init__(engine.url.render_as_string(hide_password=True), clock)
        self._engine = engine
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

    def _read(self, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
        """Return the rows of a single statement, which is a transaction of its own."""
        with self._guard(), self._single.connect() as connection:
            return connection.execute(sql(statement), parameters).all()

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
        """Turn all errors of a database that is unavailable into one."""
        if os.getpid() != self._pid:  # after a fork the connections belong to the parent
            self._pid = os.getpid()
            self._engine.dispose(close=False)
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise BackendUnavailableError(f"{self.url}: {getattr(error, 'orig', None) or error}") from error
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise BackendUnavailableError(f"{self.url}: {error.orig}") from error
