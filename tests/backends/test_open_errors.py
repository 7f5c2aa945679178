"""Opening a backend: whatever is wrong, the error is of one of the documented kinds, and says what to do."""

import importlib
import os
import random
import socket
import sqlite3
import string
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import InvalidValueError, MissingExtraError, WrongStateError
from est_alan_scheduler.backends import BackendUnavailableError, open_backend, url
from tests.backends.fake_server import fake_server
from tests.backends.stores import Servers
from tests.messages import missing

KINDS = (InvalidValueError, MissingExtraError, WrongStateError, BackendUnavailableError)


def refusal(asked: Any, name: str = "x") -> Exception:
    """Return the error of opening a backend, which must be of a documented kind."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # its class is asserted
        open_backend(asked, name)
    assert type(caught.value) in KINDS, repr(caught.value)
    return caught.value


class TestAnyUrl:
    @pytest.mark.parametrize("asked", [None, 5, b"redis://:secret@h", Path("redis://:secret@h"), ["sqlite:///x"]])
    def test_what_is_no_text_is_named_by_its_type(self, asked: Any) -> None:
        error = refusal(asked)
        assert type(error) is InvalidValueError
        assert missing(error, "None" if asked is None else type(asked).__name__, "available: sqlite:///tasks.db") == []
        assert "secret" not in str(error)

    @pytest.mark.parametrize("asked", ["secret@host", "me:secret@host", "//:secret@h", "redis//:secret@h", " :secret"])
    def test_a_text_without_a_scheme_shows_no_password(self, asked: str) -> None:
        error = refusal(asked)
        assert (type(error), "secret" in str(error)) == (InvalidValueError, False)

    @pytest.mark.parametrize("scheme", ["postgresql", "Postgres", "redis", "REDISS", "valkey"])
    @given(rest=st.text(st.sampled_from(string.printable + "ü٣\u2028\ud800"), max_size=30))
    def test_no_text_raises_another_error(self, scheme: str, rest: str) -> None:
        pytest.importorskip("psycopg")
        pytest.importorskip("redis")
        # Whatever it begins with, it ends with a host that refuses at once: no name is looked up.
        refusal(f"{scheme}://{rest}@127.0.0.1:9")
        refusal(f"{scheme}://127.0.0.1:9/{rest}")
        refusal(f"{scheme}://127.0.0.1:9?{rest}")

    @pytest.mark.parametrize("error", [OSError("libpq.so"), ImportError("cannot import name"), AttributeError("x")])
    def test_a_broken_library_is_an_import_error(self, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(name: str) -> Any:
            raise error

        monkeypatch.setattr(url, "import_module", broken)
        assert missing(refusal("redis://h"), "redis", "pip install", "est-alan-scheduler[redis]", str(error)) == []

    def test_a_library_that_misses_another_one_is_an_import_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(name: str) -> Any:
            raise ModuleNotFoundError("No module named 'greenlet'", name="greenlet")

        monkeypatch.setattr(url, "import_module", broken)
        assert missing(refusal("sqlite:///x"), "sqlalchemy", "greenlet", "pip install") == []

    def test_a_library_that_is_too_old_is_an_import_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def outdated(name: str) -> Any:
            if name.startswith("est_alan_scheduler"):
                raise ImportError("cannot import name 'URL' from 'sqlalchemy'")
            return importlib.import_module(name)

        pytest.importorskip("sqlalchemy")
        monkeypatch.setattr(url, "import_module", outdated)
        assert missing(refusal("sqlite:///x"), "sqlalchemy", "cannot import name 'URL'", "--upgrade") == []


class TestFiles:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("sqlalchemy")
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        "path",
        [
            "a?b.db",
            "my%20jobs.db",
            "a b.db",
            "a#b.db",
            "a@b:c.db",
            "작업.db",
            "a\nb.db",
            "a%3Fb.db",
            "~.db",
            "?",
            "a&b=c",
        ],
    )
    def test_all_that_follows_the_third_slash_is_the_path(self, path: str, tmp_path: Path) -> None:
        for asked in (f"sqlite:///{path}", f"SQLITE:///{tmp_path}/{path}"):
            open_backend(asked).close()
            assert [name for name in os.listdir() if not name.endswith(("-wal", "-shm"))] == [path]

    @pytest.mark.parametrize(
        ("rest", "parts"),
        [
            ("x.db", ["third slash", "sqlite:///tasks.db"]),
            ("host/x.db", ["third slash"]),
            ("/", ["state has to be in a file", "MemoryBackend()"]),
            ("/:memory:", ["state has to be in a file", "MemoryBackend()"]),
            ("/x.db?mode=ro", ["nothing can follow", "'mode'"]),
            ("/x.db\0", ["NUL"]),
            ("/x\ud800.db", ["half a surrogate pair"]),
            ("/.", ["directory", "a file in it"]),
            ("/..", ["directory"]),
            ("//", ["directory"]),
        ],
    )
    def test_what_is_no_path_of_a_file_is_refused(self, rest: str, parts: list[str]) -> None:
        error = refusal(f"sqlite://{rest}")
        assert type(error) is InvalidValueError
        assert missing(error, "sqlite://", *parts) == []
        assert os.listdir() == []

    @pytest.mark.parametrize("path", ["nowhere/x.db", "~/x.db", "x" * 300, "/dev/full", "/dev/null", "/proc/x.db"])
    def test_a_file_that_cannot_be_made_is_unavailable(self, path: str) -> None:
        error = refusal(f"sqlite:///{path}")
        assert type(error) is BackendUnavailableError
        assert missing(error, "directory must exist", "write") == []

    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink(path, path), lambda path: bind(path)])
    def test_what_is_no_file_is_unavailable(self, make: Callable[[str], object]) -> None:
        make("x")
        assert type(refusal("sqlite:///x")) is BackendUnavailableError

    @pytest.mark.parametrize("content", [b"no database" * 1000, random.Random(1).randbytes(9000), b"SQLite format 3\0"])
    def test_a_file_that_is_no_database_is_refused(self, content: bytes) -> None:
        Path("x").write_bytes(content)
        error = refusal("sqlite:///x")
        assert type(error) is WrongStateError
        assert missing(error, "not a database", "another file") == []
        assert Path("x").read_bytes() == content

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE x_meta (a)",
            "CREATE TABLE x_meta (schema_version)",
            "CREATE TABLE x_meta AS SELECT 'abc' AS schema_version",
            "CREATE TABLE x_meta AS SELECT 2.5 AS schema_version",
            "CREATE TABLE x_meta AS SELECT x'ff' AS schema_version",
            "CREATE TABLE x_meta AS SELECT 9 AS schema_version",
            "CREATE VIEW x_meta AS SELECT 1 AS schema_version",
            "CREATE VIEW x_meta AS SELECT missing AS schema_version",
        ],
    )
    def test_tables_of_another_program_are_refused(self, statement: str) -> None:
        with closing(sqlite3.connect("x.db")) as connection:
            connection.execute(statement)
            connection.commit()
        error = refusal("sqlite:///x.db")
        assert type(error) is WrongStateError
        assert missing(error, "sqlite:///x.db", "give the backend another name") == []


def bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


class TestPostgres:
    @pytest.fixture
    def server(self, servers: Servers) -> str:
        pytest.importorskip("psycopg")
        return servers.get("postgres").url

    @pytest.mark.parametrize(
        ("option", "kind"),
        [
            ("connect_timeout=never", InvalidValueError),
            ("keepalives_idle=1.5", InvalidValueError),
            ("port=x", InvalidValueError),
            ("host=a:1&host=b:x", InvalidValueError),
            ("autocommit=1", InvalidValueError),
            ("row_factory=x", InvalidValueError),
            ("conninfo=x", InvalidValueError),
            ("replication=database", InvalidValueError),
            ("application_name=%00", InvalidValueError),
            ("sslmode=no_such_mode", BackendUnavailableError),
            ("target_session_attrs=x", BackendUnavailableError),
            ("target_session_attrs=standby", BackendUnavailableError),
            ("options=-cno.such=%01%20-x", BackendUnavailableError),
            ("service=no_such_service", BackendUnavailableError),
            ("dbname=no_such_database", BackendUnavailableError),
            ("user=no_such_user", BackendUnavailableError),
            ("host=/no/such/directory", BackendUnavailableError),
            ("options=-csearch_path=no_such_schema", WrongStateError),
        ],
    )
    def test_an_option(self, option: str, kind: type, server: str) -> None:
        base = server.partition("?")[0] + "?" if option.startswith("host") else server + "&"
        error = refusal(base + option, "option")
        assert type(error) is kind
        assert missing(error, "postgresql+psycopg://") == []

    def test_a_directory_of_sockets_may_be_the_host(self, server: str) -> None:
        place = server.partition("host=")[2].replace("/", "%2F")
        open_backend(f"postgres://postgres@{place}/postgres", "sockets").close()

    @pytest.mark.parametrize(
        ("statement", "user", "parts"),
        [
            ("CREATE TABLE {}_meta (a int)", "postgres", ["schema_version", "another name"]),
            ("CREATE TABLE {}_meta (schema_version int)", "postgres", ['"id"', "another name"]),
            ("CREATE TABLE {}_meta AS SELECT 'abc' AS schema_version", "postgres", ["'abc'", "another name"]),
            ("CREATE VIEW {}_meta AS SELECT 1 AS schema_version", "postgres", ["schema 1", "another name"]),
            ("CREATE ROLE {} LOGIN", "{}", ["permission denied", "the right to create"]),
        ],
    )
    def test_what_is_there_does_not_fit(self, statement: str, user: str, parts: list[str], server: str) -> None:
        psycopg = pytest.importorskip("psycopg")
        name = f"misfit_{random.Random(statement).randrange(10**6)}"
        with closing(psycopg.connect(server.replace("+psycopg", ""), autocommit=True)) as connection:
            connection.execute(statement.format(name))
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        error = refusal(server.replace("postgres:@", f"{user.format(name)}@"), name)
        assert type(error) is WrongStateError
        assert missing(error, *parts) == []

    def test_a_server_that_allows_no_writes_is_unavailable(self, server: str) -> None:
        error = refusal(f"{server}&options=-cdefault_transaction_read_only%3Don", "read_only")
        assert type(error) is BackendUnavailableError
        assert missing(error, "read-only transaction", "check that the server runs") == []


ANSWERS: list[Callable[[bytes], bytes]] = [
    lambda received: received,
    lambda _: b"+OK\r\n",
    lambda _: b":1\r\n",
    lambda _: b":abc\r\n",
    lambda _: b"%1\r\n+a\r\n+b\r\n",
    lambda _: b"*-7\r\n",
    lambda _: b"*1\r\n" * 3000 + b":1\r\n",
    lambda _: b"$99999999999\r\n",
    lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    lambda _: b"\xff\xfe\r\n",
    lambda _: b"-ERR unknown command\r\n",
    lambda _: b"-MOVED 1 127.0.0.1:1\r\n",
    lambda _: b"-NOAUTH Authentication required.\r\n",
    lambda _: b"-\xff\r\n",
    lambda _: b"E\0\0\0\x10SFATAL\0\0",
]


class TestRedis:
    @pytest.fixture
    def server(self, servers: Servers) -> str:
        pytest.importorskip("redis")
        return servers.get("redis").url

    @pytest.mark.parametrize(
        "option",
        [
            "decode_responses=true",
            "encoding=utf-16",
            "socket_timeout=long",
            "socket_timeout=0",
            "max_connections=-1",
            "max_connections=many",
            "health_check_interval=often",
            "protocol=9",
            "retry_on_error=x",
            "connection_class=x",
            "host=other",
            "db=one",
            "db=-1",
            "db=999",
            "client_name=a%20b",
            "ssl_certfile=/no/such/file",
        ],
    )
    def test_an_option(self, option: str, server: str) -> None:
        error = refusal(f"{server.rpartition('/')[0]}/?{option}")
        assert type(error) is InvalidValueError
        assert missing(error, "redis://127.0.0.1") == []

    @pytest.mark.parametrize("protocol", [2, 3])
    def test_each_protocol_gives_the_same_answers(self, protocol: int, server: str) -> None:
        backend = open_backend(f"{server}?protocol={protocol}", "protocols")
        assert backend.renew("me", 30).now > 0
        assert [row.owner for row in backend.instances()] == ["me"]
        backend.close()

    def test_a_user_without_a_password_is_taken_for_one(self, server: str) -> None:
        error = refusal(server.replace("redis://", "redis://secret@"))
        assert missing(error, "redis://:password@host:6379/0") == []
        assert "secret" not in str(error)

    def test_a_wrong_password_is_unavailable(self, server: str) -> None:
        error = refusal(server.replace("redis://", "redis://me:secret@"))
        assert type(error) is BackendUnavailableError
        assert missing(error, "invalid username-password pair", "check", "password in the URL") == []

    @pytest.mark.parametrize(
        ("key", "command"),
        [
            ("string", ("SET", "{string}:meta", "x")),
            ("list", ("LPUSH", "{list}:meta", "x")),
            ("text", ("HSET", "{text}:meta", "schema", "abc")),
            ("bytes", ("HSET", "{bytes}:meta", "schema", b"\xff")),
            ("later", ("HSET", "{later}:meta", "schema", "99")),
        ],
    )
    def test_keys_of_another_program_are_refused(self, key: str, command: tuple[Any, ...], server: str) -> None:
        redis = pytest.importorskip("redis")
        with redis.Redis.from_url(server) as client:
            client.execute_command(*command)
        error = refusal(server, key)
        assert type(error) is WrongStateError
        assert missing(error, "another name") == []

    @pytest.mark.parametrize("answer", ANSWERS)
    @pytest.mark.parametrize("scheme", ["redis", "postgresql"])
    def test_another_server(self, answer: Callable[[bytes], bytes], scheme: str) -> None:
        pytest.importorskip("redis")
        pytest.importorskip("psycopg")
        option = "socket_timeout=0.05" if scheme == "redis" else "connect_timeout=2"
        with fake_server(answer) as port:
            for user in ("", "me:pw@"):
                assert missing(refusal(f"{scheme}://{user}127.0.0.1:{port}?{option}"), f"127.0.0.1:{port}") == []
