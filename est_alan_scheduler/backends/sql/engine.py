"""The connection of a SQL backend: its engine, its tables, and what counts as out of reach."""

import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from est_alan_scheduler.backends.backend import SCHEMA, Backend, BackendUnavailableError, check_schema
from est_alan_scheduler.backends.sql.tables import Tables, sql


class SqlStore(Backend):
    """A backend with an engine. Thread-safe: the engine's pool hands out connections, and nothing else changes."""

    _now: str
    """An expression: what the store's clock says. It may refer to the parameter `now`."""
    _lock: str
    """What locks the rows of a SELECT."""
    _skip: str
    """The same, leaving out rows that others have locked."""

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
        """Return that parameter."""

    @abstractmethod
    def _changed(self) -> str:
        """Return the condition that a task called t has another version than the parameter `known` says."""

    def _create(self, connection: Connection) -> None:
        """Create the tables that are missing, one process at a time."""
        self._tables.metadata.create_all(connection)

    def _times(self) -> dict[str, int]:
        """Return the parameters that `_now` refers to."""
        return {} if self.clock.replacement is None else {"now": self.clock.replacement()}

    def open(self) -> None:
        """Create the tables that are missing."""
        t = self._tables
        with self._guard():
            with self._single.connect() as connection:
                exists = inspect(connection).has_table(t.meta)
                found = self._schema(connection) if exists else None
            if found is None:
                with self._engine.begin() as connection:
                    self._create(connection)
                    found = self._schema(connection)
                    if found is None:
                        found = SCHEMA
                        columns = "id, schema_version, revision, paused, born"
                        insert = f"INSERT INTO {t.meta} ({columns}) VALUES (1, :schema, 0, false, {self._now})"
                        connection.execute(sql(insert), {"schema": SCHEMA, **self._times()})
        check_schema(found, self.url)

    def close(self) -> None:
        """Close the pool of connections."""
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
        """Turn what says that the database is not available into one error."""
        if os.getpid() != self._pid:  # connections do not survive a fork: they are the parent's
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
