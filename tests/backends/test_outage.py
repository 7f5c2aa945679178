"""Outages of a store."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler.backends import Backend, BackendUnavailableError, open_backend
from tests.backends.stores import SHARED, Servers, Store, claim, define, state, success

OPERATIONS: list[Callable[[Backend], object]] = [
    lambda backend: backend.fetch(["a"], 0),
    lambda backend: backend.fetch(None, 0),
    lambda backend: define(backend, "a", "b"),
    lambda backend: backend.claim("me", "token", [claim("a", 1)]),
    lambda backend: backend.finish("me", [success("a", 1)]),
    lambda backend: backend.renew("me", 30),
    lambda backend: backend.leave("me"),
    lambda backend: backend.instances(),
    lambda backend: backend.find_dead_runs(),
    lambda backend: backend.history(),
    lambda backend: backend.history("a"),
    lambda backend: backend.past({"a": 1}),
    lambda backend: backend.remove(["a"]),
    lambda backend: backend.pause_all(False),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_every_operation_raises_one_error_and_the_next_call_connects_anew(
    kind: str, servers: Servers, tmp_path: Path
) -> None:
    store = servers.store(kind, tmp_path)
    backend = store.open()
    define(backend, "a")
    backend.renew("me", 600)

    def meanwhile() -> None:
        for operation in OPERATIONS:
            with pytest.raises(BackendUnavailableError, match=r"^(postgresql\+psycopg|redis)://"):
                operation(backend)

    servers.get(kind).restart(meanwhile)
    assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}
    assert backend.finish("me", [success("a", 1)]) == {("a", 1)}
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_restart_between_two_calls_costs_one_call_at_most(kind: str, servers: Servers, tmp_path: Path) -> None:
    store = servers.store(kind, tmp_path)
    backend = store.open()
    define(backend, "a")
    servers.get(kind).restart(lambda: None)
    try:
        backend.fetch([], 0)
    except BackendUnavailableError:
        assert set(backend.fetch([], 0).definitions) == {"a"}
    store.close()


def test_a_redis_whose_scripts_were_flushed_gets_them_again(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("redis", tmp_path)
    backend = store.open()
    backend._client.script_flush()  # type: ignore[attr-defined]  # it is a RedisBackend
    define(backend, "a")
    assert set(backend.fetch(None, 0).states) == {"a"}
    store.close()


def test_a_file_that_stays_locked_is_unavailable(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")
    monkeypatch.setattr("est_alan_scheduler.backends.sql.sqlite._PATIENCE", 0.01)
    store = servers.store("sqlite", tmp_path)
    backend = store.open()
    define(backend, "a")
    with closing(sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackendUnavailableError, match=r"^sqlite:////.*/tasks\.db: database is locked$"):
            define(backend, "b")
        assert set(backend.fetch(None, 0).states) == {"a"}  # reading goes on
        other.execute("ROLLBACK")
    assert set(define(backend, "b")) == {"b"}
    store.close()


def test_a_missing_directory_is_unavailable(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(BackendUnavailableError, match="unable to open database file"):
        open_backend(f"sqlite:///{tmp_path}/nowhere/tasks.db")


@pytest.mark.slow
@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking with threads: that is the point
def test_a_forked_child_makes_its_own_connections(store: Store) -> None:
    backend = store.open()
    define(backend, "a")
    child = os.fork()
    if not child:
        code = 1
        try:
            backend.renew("child", 600)
            code = 0 if backend.claim("child", "token", [claim("a", 1)]) == {"a": 1} else 2
        finally:
            os._exit(code)
    for _ in range(20):
        backend.fetch(["a"], 0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert state(backend, "a").owner == "child"


def test_a_file_that_cannot_be_written_is_an_error_without_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    backend: Any = open_backend(f"sqlite:///{tmp_path}/tasks.db")
    backend.close()
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    uri = f"file:{tmp_path}/tasks.db?mode=ro"

    def connect(*_: Any) -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, check_same_thread=False)

    sqlalchemy.event.listen(backend._engine, "do_connect", connect)
    with pytest.raises(BackendUnavailableError, match="attempt to write a readonly database"):
        backend.renew("me", 30)
    backend.close()


def test_an_error_that_waiting_cannot_mend_is_raised_without_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")
    sqlite: Any = import_module("est_alan_scheduler.backends.sql.sqlite")
    backend: Any = open_backend(f"sqlite:///{tmp_path}/tasks.db")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    with pytest.raises(BackendUnavailableError, match="within a transaction"), backend._transaction() as connection:
        sqlite._begin(connection)
    backend.close()


@pytest.mark.parametrize(("code", "answer"), [(5, True), (5 | 2 << 8, True), (6, True), (8, False), (None, False)])
def test_a_locked_file_is_recognised_by_the_code_of_the_error(code: int | None, answer: bool) -> None:
    pytest.importorskip("sqlalchemy")
    errors: Any = import_module("est_alan_scheduler.backends.sql.errors")
    error: Any = sqlite3.OperationalError("database is locked")
    if code is not None:
        error.sqlite_errorcode = code
    assert errors.is_locked(error) is answer
