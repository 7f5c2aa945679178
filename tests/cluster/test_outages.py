"""Stores that refuse for a while: one line of the log, no start meanwhile, and everything goes on afterwards."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import Backend, open_backend
from tests.backends.stores import Servers, Valkey
from tests.cluster.helpers import Flaky, end_pause, noop
from tests.messages import missing
from tests.ways import wait_until

Outage = Callable[[], AbstractContextManager[None]]
"""A context in which a store refuses."""
_numbers = count()


def go_through(backend: Backend, outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    """Assert what a registry on a backend does before, during and after an outage."""
    caplog.set_level(logging.WARNING, "est_alan_scheduler")
    registry = TaskRegistry(backend=backend, lease=600)
    session = registry._session
    assert session is not None
    registry.register(Task(id="a", every={"microseconds": 1}, func=noop))
    registry.tick()
    before = len(registry.history("a"))
    assert before == 1

    def is_refused() -> bool:
        end_pause(registry)
        registry.tick()
        return session.outage.is_on()

    with outage():
        wait_until(is_refused)
        assert [is_refused() for _ in range(3)] == [True] * 3
        assert session.outage.seconds_left() > 0
    wait_until(lambda: not is_refused())
    registry.tick()
    assert len(registry.history("a")) > before
    lines = [(record.levelname, record.message.partition(",")[0]) for record in caplog.records]
    assert lines == [("ERROR", "The store is out of reach"), ("WARNING", "The store is back.")]
    assert [record.exc_info for record in caplog.records] == [None, None]
    assert all("\n" not in record.message for record in caplog.records)
    errors = [row["error"] for row in registry.history() if row["error"] is not None]
    assert [missing(error, "not started") for error in errors] == [[]] * len(errors)  # a claim without an answer
    registry.shutdown(0)
    backend.close()


class Database:
    """A database of PostgreSQL, and what an administrator does to it."""

    def __init__(self, url: str) -> None:
        sqlalchemy: Any = pytest.importorskip("sqlalchemy")
        server = sqlalchemy.make_url(url)
        self.name = f"outage{next(_numbers)}"
        self._engine = sqlalchemy.create_engine(
            server, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.pool.NullPool
        )
        self.run(f"CREATE ROLE {self.name} LOGIN", f"CREATE DATABASE {self.name} OWNER {self.name}")
        self.url = server.set(database=self.name, username=self.name).render_as_string(hide_password=False)
        inside = server.set(database=self.name)
        self._inside = sqlalchemy.create_engine(
            inside, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.pool.NullPool
        )

    def run(self, *statements: str, inside: bool = False) -> list[Any]:
        with (self._inside if inside else self._engine).connect() as connection:
            return [connection.exec_driver_sql(statement) for statement in statements]

    def close_sessions(self) -> None:
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self.run(f"ALTER DATABASE {self.name} SET default_transaction_read_only = on")
        self.close_sessions()
        yield
        self.run(f"ALTER DATABASE {self.name} RESET default_transaction_read_only")

    @contextmanager
    def read_only_server(self) -> Iterator[None]:
        self.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        yield
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            connection.exec_driver_sql("ALTER SYSTEM RESET default_transaction_read_only")
            connection.exec_driver_sql("SELECT pg_reload_conf()")

    @contextmanager
    def without_tables(self) -> Iterator[None]:
        self.run("ALTER TABLE t_tasks RENAME TO gone", "ALTER TABLE t_instances RENAME TO also_gone", inside=True)
        yield
        self.run("ALTER TABLE gone RENAME TO t_tasks", "ALTER TABLE also_gone RENAME TO t_instances", inside=True)

    @contextmanager
    def without_privileges(self) -> Iterator[None]:
        self.run(f"REVOKE ALL ON t_tasks, t_meta FROM {self.name}", inside=True)
        yield
        self.run(f"GRANT ALL ON t_tasks, t_meta TO {self.name}", inside=True)

    @contextmanager
    def without_connections(self) -> Iterator[None]:
        self.run(f"ALTER ROLE {self.name} CONNECTION LIMIT 0")
        self.close_sessions()
        yield
        self.run(f"ALTER ROLE {self.name} CONNECTION LIMIT -1")


@pytest.mark.parametrize(
    "name", ["read_only", "read_only_server", "without_tables", "without_privileges", "without_connections"]
)
def test_an_outage_of_postgresql(name: str, servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(servers.get("postgres").url)
    go_through(open_backend(database.url, "t"), getattr(database, name), caplog)


class Keys:
    """A Redis, and what an administrator does to it."""

    def __init__(self, server: Any) -> None:
        assert isinstance(server, Valkey)
        redis: Any = pytest.importorskip("redis")
        self.url = server.url
        self._directory = Path(server._directory.name)
        self._client = redis.Redis.from_url(server.url)
        self.run = self._client.execute_command

    @contextmanager
    def set(self, **settings: str) -> Iterator[None]:
        before = {name: self._client.config_get(name.replace("_", "-")).popitem()[1] for name in settings}
        for name, value in settings.items():
            self.run("CONFIG", "SET", name.replace("_", "-"), value)
        yield
        for name, value in before.items():
            self.run("CONFIG", "SET", name.replace("_", "-"), value)

    def too_few_replicas(self) -> Any:
        return self.set(min_replicas_to_write="1")

    def out_of_memory(self) -> Any:
        return self.set(maxmemory="1")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self.run("REPLICAOF", "127.0.0.1", "1")
        yield
        self.run("REPLICAOF", "NO", "ONE")

    @contextmanager
    def without_a_master(self) -> Iterator[None]:
        with self.set(replica_serve_stale_data="no"), self.read_only():
            yield

    @contextmanager
    def without_permission(self) -> Iterator[None]:
        self.run("ACL", "SETUSER", "default", "-evalsha")
        yield
        self.run("ACL", "SETUSER", "default", "+@all")

    @contextmanager
    def without_snapshots(self) -> Iterator[None]:
        (self._directory / "dump.rdb").unlink(missing_ok=True)
        (self._directory / "dump.rdb").mkdir()
        with self.set(save="3600 1"):
            self._save()
            yield
            (self._directory / "dump.rdb").rmdir()
            self._save()

    def _save(self) -> None:
        before = self._client.info("persistence")
        with suppress(Exception):
            self.run("BGSAVE")
        wait_until(
            lambda: self._client.info("persistence")["rdb_last_bgsave_status"] != before["rdb_last_bgsave_status"]
        )

    @contextmanager
    def busy(self) -> Iterator[None]:
        with self.set(busy_reply_threshold="1"):
            thread = threading.Thread(target=self._loop)
            thread.start()
            yield
            wait_until(self._kill)
            thread.join()

    def _loop(self) -> None:
        with suppress(Exception):
            self.run("EVAL", "while true do end", 0)

    def _kill(self) -> bool:
        with suppress(Exception):
            self.run("SCRIPT", "KILL")
            return True
        return False


@pytest.mark.parametrize(
    "name",
    [
        "too_few_replicas",
        "out_of_memory",
        "read_only",
        "without_a_master",
        "without_permission",
        "without_snapshots",
        "busy",
    ],
)
def test_an_outage_of_redis(name: str, servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    keys = Keys(servers.get("redis"))
    go_through(open_backend(keys.url, f"outage{next(_numbers)}"), getattr(keys, name), caplog)


@contextmanager
def replaced(path: Path, backend: Backend, content: Callable[[bytes], bytes]) -> Iterator[None]:
    backend.close()  # so that all is in the file
    before = path.read_bytes()
    path.write_bytes(content(before))
    yield
    path.unlink()
    path.write_bytes(before)


@pytest.mark.parametrize("name", ["no_database", "damaged", "emptied", "locked"])
def test_an_outage_of_sqlite(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")
    monkeypatch.setattr("est_alan_scheduler.backends.sql.sqlite._PATIENCE", 0.01)
    path = tmp_path / "tasks.db"
    backend = open_backend(f"sqlite:///{path}", "t")

    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    outages: dict[str, Outage] = {
        "no_database": lambda: replaced(path, backend, lambda before: b"no database at all" + before[18:]),
        "damaged": lambda: replaced(path, backend, lambda before: before[:4096] + b"\xff" * (len(before) - 4096)),
        "emptied": lambda: replaced(path, backend, lambda _: b""),
        "locked": locked,
    }
    go_through(backend, outages[name], caplog)


def test_the_heartbeat_does_not_end_an_outage_that_a_tick_has_noticed(
    flaky: Flaky, registry: TaskRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    session = registry._session
    assert session is not None
    registry.register(Task(id="a", every={"minutes": 1}, func=noop))
    flaky.fails_before = {"fetch"}  # which a heartbeat does not ask for
    for step in (registry.tick, session.heartbeat, registry.tick, session.heartbeat):
        end_pause(registry)
        step()
        assert session.outage.is_on()
    flaky.fails_before = {"renew"}
    end_pause(registry)
    session.heartbeat()
    flaky.fails_before.clear()
    end_pause(registry)
    registry.tick()
    assert not session.outage.is_on()
    assert [record.levelname for record in caplog.records if "The store is" in record.message] == ["ERROR", "WARNING"]


def test_the_heartbeat_ends_an_outage_that_it_has_noticed_itself(flaky: Flaky, registry: TaskRegistry) -> None:
    session = registry._session
    assert session is not None
    session.lease.deadline = 0.0
    flaky.fails_before = {"renew"}
    session.heartbeat()
    assert session.outage.is_on()
    flaky.fails_before.clear()
    end_pause(registry)
    session.heartbeat()
    assert not session.outage.is_on()
