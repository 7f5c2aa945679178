"""Errors of stores, told apart by their codes: outages, conflicts, and values that are refused for what they are."""

import gc
import random
import socketserver
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from est_alan_scheduler.backends import Backend, BackendUnavailableError, ValueRefusedError, open_backend
from est_alan_scheduler.backends.address import Address
from est_alan_scheduler.backends.rows import Assignment, Change, DeadRunOutcome
from tests.backends.stores import LEASE, Servers, claim, define, success
from tests.backends.test_outage import OPERATIONS

URL = "some://store"

SQLSTATES = {
    "25006": "cannot execute UPDATE in a read-only transaction",
    "42P01": "relation does not exist",
    "42703": "column does not exist",
    "42501": "permission denied for table",
    "57P01": "terminating connection due to administrator command",
    "57P02": "crash shutdown",
    "57P03": "the database system is starting up",
    "57014": "canceling statement due to statement timeout",
    "53100": "could not extend file: No space left on device",
    "53200": "out of memory",
    "53300": "too many clients already",
    "08006": "connection failure",
    "08P01": "protocol violation",
    "55P03": "canceling statement due to lock timeout",
    "55000": "object not in prerequisite state",
    "26000": "prepared statement does not exist",
    "42P05": "prepared statement already exists",
    "28P01": "password authentication failed",
    "3D000": "database does not exist",
    "58030": "could not read file",
    "XX001": "invalid page in block 0",
    "40001": "could not serialize access due to concurrent update",
    "40P01": "deadlock detected",
}
REFUSING_CODES = sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT
SQLITE_CODES = (
    "BUSY",
    "LOCKED",
    "CORRUPT",
    "NOTADB",
    "FULL",
    "READONLY",
    "IOERR",
    "CANTOPEN",
    "PERM",
    "NOMEM",
    "ERROR",
)
REPLIES = (
    "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.",
    "NOREPLICAS Not enough good replicas to write.",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "UNKILLABLE Sorry the script already executed write commands against the dataset.",
    "CLUSTERDOWN Hash slot not served",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "MOVED 3999 127.0.0.1:6381",
    "NOAUTH Authentication required.",
    "NOPERM User default has no permissions to run the 'evalsha' command",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "SOMENEWCODE that no client knows",
    "ERR ACL failure in script: User default has no permissions to run the 'hset' command",
    "ERR Error running script (call to f_1b): @user_script:42: @user_script: 42: -OOM command not allowed",  # before 7
    "ERR Error running script (call to f_1b): @user_script:42: @user_script: 42: The user executing the script can't"
    " run this command or subcommand",
)


WRITES: list[Callable[[Backend], object]] = [
    *OPERATIONS,
    lambda backend: backend.change([Change("a", paused=True)]),
    lambda backend: backend.assign([Assignment("a", 1, {"attempt": 1})]),
    lambda backend: backend.reap([DeadRunOutcome("a", 1, "me")]),
]


class DriverError(Exception):
    """An error of a driver."""

    def __init__(self, sqlstate: str | None = None, sqlite_errorcode: int = 0) -> None:
        super().__init__("some error\nof the driver")
        self.sqlstate = sqlstate
        self.sqlite_errorcode = sqlite_errorcode


def sql_error(error: BaseException) -> BackendUnavailableError:
    pytest.importorskip("sqlalchemy")
    module: Any = import_module("est_alan_scheduler.backends.sql.errors")
    found: BackendUnavailableError = module.store_error(URL, error)
    return found


@pytest.mark.parametrize("state", [*SQLSTATES, None])
def test_a_database_that_refuses_for_now_is_unavailable(state: str | None) -> None:
    error = sql_error(DriverError(state))
    assert not isinstance(error, ValueRefusedError)
    assert str(error) == f"{URL}: some error of the driver" + (f" (SQLSTATE {state})" if state else "")


@pytest.mark.parametrize("name", SQLITE_CODES)
def test_a_file_that_is_refused_for_now_is_unavailable(name: str) -> None:
    code = getattr(sqlite3, f"SQLITE_{name}")
    assert not isinstance(
        sql_error(DriverError(None, code | 7 << 8)), ValueRefusedError
    )  # with details in the other bits


@pytest.mark.parametrize(
    "error",
    [
        *(DriverError(state) for state in ("22P05", "22021", "22003", "22P02", "23502", "54000")),
        *(DriverError(None, code) for code in REFUSING_CODES),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        UnicodeEncodeError("latin-1", "😀", 0, 1, "ordinal not in range(256)"),
    ],
    ids=str,
)
def test_a_value_that_a_database_refuses_for_what_it_is(error: BaseException) -> None:
    assert isinstance(sql_error(error), ValueRefusedError)


def test_an_operation_is_repeated_while_other_transactions_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sqlalchemy")
    engine: Any = import_module("est_alan_scheduler.backends.sql.engine")
    errors: Any = import_module("est_alan_scheduler.backends.sql.errors")
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    asked: list[int] = []
    backend = Mock()

    def operation(_: object, conflicts: int) -> str:
        asked.append(len(asked))
        if len(asked) <= conflicts:
            raise sql_error(DriverError("40001"))
        return "done"

    operate = engine.tried_again(operation)
    assert operate(backend, 5) == "done"
    assert pauses == [0.01, 0.02, 0.04, 0.08, 0.16]
    asked.clear()
    with pytest.raises(errors.TransactionConflictError, match="SQLSTATE 40001"):
        operate(backend, 6)
    assert len(asked) == 6


@pytest.mark.parametrize("number", range(len(WRITES)))
def test_each_operation_on_a_database_is_repeated_after_a_conflict(
    number: int, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = open_backend(servers.get("postgres").url, f"conflicts{number}")
    define(backend, "a")
    begin, asked = type(backend)._connect_for_one, type(backend)._transaction
    conflicts: list[str] = []

    def conflict(name: str, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(self: Any) -> Any:
            if not conflicts:
                conflicts.append(name)
                raise sql_error(DriverError("40P01"))
            return original(self)

        return call

    monkeypatch.setattr(type(backend), "_connect_for_one", conflict("one", begin))
    monkeypatch.setattr(type(backend), "_transaction", conflict("many", asked))
    WRITES[number](backend)
    assert len(conflicts) == 1
    backend.close()


@contextmanager
def refusing_redis(replies: dict[bytes, str]) -> Iterator[str]:
    """Yield the URL of a server that answers commands by these replies, and others with OK."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while count := self.rfile.readline():
                words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(count[1:]))]
                self.wfile.write((replies.get(words[0].upper(), "+OK") + "\r\n").encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0?protocol=2"
        finally:
            server.shutdown()
            thread.join()


def redis_backend(url: str) -> Any:
    pytest.importorskip("redis")
    module: Any = import_module("est_alan_scheduler.backends.redis.backend")
    return module.RedisBackend(Address(url, "redis"))


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.split()[0])
def test_a_redis_that_refuses_for_now_is_unavailable(reply: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the client tries again by itself
    commands = b"EVALSHA", b"SCRIPT", b"ZRANGE", b"ZREVRANGEBYSCORE", b"INFO"
    with refusing_redis(dict.fromkeys(commands, f"-{reply}")) as url:
        backend = redis_backend(url)
        for operation in OPERATIONS:
            with pytest.raises(BackendUnavailableError) as caught:
                operation(backend)
            assert not isinstance(caught.value, ValueRefusedError)
            assert reply.partition(" ")[2] in str(caught.value)
            assert "Command #" not in str(caught.value)
        with pytest.raises(BackendUnavailableError):
            backend.open()
        backend.close()


@pytest.mark.parametrize("reply", ["ERR user_script:3: some error", "WRONGTYPE Operation against a key"])
def test_a_redis_that_refuses_a_value_says_so(reply: str) -> None:
    with refusing_redis({b"EVALSHA": f"-{reply}"}) as url:
        backend = redis_backend(url)
        with pytest.raises(ValueRefusedError, match=r"some error|WRONGTYPE Operation"):
            define(backend, "a")
        backend.close()


@pytest.mark.parametrize("command", ["hset", "hmget", "hincrby", "zadd", "zrangebyscore"])
def test_a_command_that_a_script_may_not_use_makes_redis_unavailable(command: str, servers: Servers) -> None:
    backend: Any = open_backend(servers.get("redis").url, f"without_{command}")
    define(backend, "a")
    backend.renew("me", LEASE)
    acl = "ACL", "SETUSER", "default"

    def operate() -> None:
        backend.claim("me", "token", [claim("a", 1)])
        backend.finish("me", [success("a", 1)])
        backend.remove(["a"])

    backend._client.execute_command(*acl, f"-{command}")
    try:
        with pytest.raises(BackendUnavailableError, match="no permissions to run") as caught:
            operate()
        assert not isinstance(caught.value, ValueRefusedError)
    finally:
        backend._client.execute_command(*acl, "+@all")
    backend.close()


def test_after_an_outage_redis_is_connected_anew(servers: Servers) -> None:
    backend: Any = open_backend(servers.get("redis").url, "anew")
    before = backend._client.client_id()
    backend._client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(BackendUnavailableError, match="read only replica"):
            define(backend, "a")
    finally:
        backend._client.execute_command("REPLICAOF", "NO", "ONE")
    assert backend._client.client_id() != before
    define(backend, "a")
    backend.close()


def test_a_session_that_became_read_only_is_replaced(servers: Servers) -> None:
    """Such as that of a server which is a stand-by since a fail-over."""
    backend: Any = open_backend(servers.get("postgres").url, "anew")
    with backend._engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        connection.commit()
    with pytest.raises(BackendUnavailableError, match=r"read-only transaction \(SQLSTATE 25006\)$"):
        define(backend, "a")
    define(backend, "a")
    backend.close()


def test_an_outage_leaves_no_connection_of_another_thread_open(servers: Servers) -> None:
    backend: Any = open_backend(servers.get("postgres").url, "anew")
    with backend._single.connect() as other:
        other.exec_driver_sql("SET default_transaction_read_only = on")
        pid = other.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with backend._engine.connect() as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = on")
            connection.commit()
        with pytest.raises(BackendUnavailableError, match="read-only transaction"):
            define(backend, "b")
    define(backend, "b")
    sessions = backend._read("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid", {"pid": pid})
    assert sessions[0][0] == 0
    backend.close()
    gc.collect()  # warns of connections that were not closed


def break_header(content: bytearray) -> None:
    content[:16] = b"no database at a"


def break_pages(content: bytearray) -> None:
    content[4096:] = random.Random(1).randbytes(len(content) - 4096)


@pytest.mark.parametrize("spoil", [break_header, break_pages])
def test_a_damaged_file_is_unavailable_until_another_one_takes_its_place(
    spoil: Callable[[bytearray], None], tmp_path: Path
) -> None:
    pytest.importorskip("sqlalchemy")
    path = tmp_path / "tasks.db"
    backend = open_backend(f"sqlite:///{path}")
    define(backend, "a")
    backend.close()
    content = path.read_bytes()
    damaged = bytearray(content)
    spoil(damaged)
    path.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(BackendUnavailableError, match=r"file is not a database|malformed"):
            define(backend, "b")
    path.unlink()
    path.write_bytes(content)
    assert set(define(backend, "b")) == {"b"}
    assert set(backend.fetch(None, 0).states) == {"a", "b"}
    backend.close()


@pytest.mark.parametrize(("pragma", "message"), [("query_only = 1", "readonly"), ("max_page_count = 1", "full")])
def test_a_file_that_takes_no_more_is_unavailable(pragma: str, message: str, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    backend: Any = open_backend(f"sqlite:///{tmp_path}/tasks.db")
    with backend._single.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    with pytest.raises(BackendUnavailableError, match=message):
        define(backend, *(str(number) for number in range(1_000)))
    define(backend, "a")  # with another connection
    backend.close()
