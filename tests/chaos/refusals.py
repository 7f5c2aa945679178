"""Stores that take no writes for a while, as after a fail-over, with a full memory, or under the lock of another."""

import random
import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from tests.backends.stores import Postgres, Store, Valkey

_PATIENCE = 5.0  # seconds to get the lock of a file
_PAUSE = 0.001


class Refusals(ABC):
    """The refusals of one store, one at a time."""

    @abstractmethod
    def begin(self, chance: random.Random) -> str:
        """Let the store refuse writes, and return how; empty if that is not possible."""

    @abstractmethod
    def end(self) -> None:
        """Let it accept writes, also if it does."""


def refusals(store: Store, server: Postgres | Valkey | None) -> Refusals:
    """Return the refusals of a store."""
    if isinstance(server, Postgres):
        return _ReadOnly(server)
    return _File(store) if server is None else _Settings(server)


class _ReadOnly(Refusals):
    """PostgreSQL, all of it read-only, or new sessions of the database: those that were opened meanwhile stay so."""

    def __init__(self, server: Postgres) -> None:
        self._url = server.url.replace("+psycopg", "")

    def begin(self, chance: random.Random) -> str:
        self.end()
        if chance.random() < 0.5:
            self._run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            return "read-only server"
        self._run(
            "ALTER DATABASE postgres SET default_transaction_read_only = on",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()",
        )
        return "read-only database"

    def end(self) -> None:
        self._run(
            "ALTER DATABASE postgres RESET default_transaction_read_only",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )

    def _run(self, *statements: Any) -> None:
        import psycopg

        writable = "-c default_transaction_read_only=off"
        with psycopg.connect(self._url, autocommit=True, options=writable) as connection:
            for statement in statements:
                connection.execute(statement)


class _Settings(Refusals):
    """Redis with too few replicas, without memory, or without a permission."""

    _COMMANDS = (
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("ACL SETUSER default -evalsha", "ACL SETUSER default +@all"),
    )

    def __init__(self, server: Valkey) -> None:
        self._url = server.url

    def begin(self, chance: random.Random) -> str:
        command, _ = chance.choice(self._COMMANDS)
        self._run(command)
        return command

    def end(self) -> None:
        self._run(*(undo for _, undo in self._COMMANDS))

    def _run(self, *commands: str) -> None:
        import redis

        with redis.Redis.from_url(self._url) as client:
            for command in commands:
                client.execute_command(*command.split())


class _File(Refusals):
    """A file of SQLite that somebody else has locked."""

    def __init__(self, store: Store) -> None:
        self._path = store.url.removeprefix("sqlite:///")
        self._connection: sqlite3.Connection | None = None

    def begin(self, chance: random.Random) -> str:
        self.end()
        self._connection = connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with suppress(sqlite3.OperationalError):
                connection.execute("BEGIN IMMEDIATE")
                return "locked"
            time.sleep(_PAUSE * chance.random())
        self.end()
        return ""

    def end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
