"""Backends by URL."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler.backends import BackendUnavailableError, open_backend, url
from tests.backends.stores import SHARED, Servers, define
from tests.messages import missing

KNOWN = "sqlite:///tasks.db, postgresql+psycopg://user:password@host/database, redis://host:6379/0 or valkey://…"

_NO_NUMBER = "what follows the host is the number of a database, like redis://host:6379/0, got '{}'"


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ("mysql://host/db", "mysql://…"),
        ("postgresql+asyncpg://host/db", "postgresql+asyncpg://…"),
        ("", "''"),
        ("sqlite", "'sqlite'"),
        ("postgresql:/me:secret@host/db", "'postgresql'"),
        ("tasks.db", "'tasks.db'"),
        (None, "None"),
    ],
)
def test_an_unknown_url_is_an_error_that_names_the_known_ones(asked: Any, what: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        open_backend(asked)
    assert str(caught.value) == f"no backend for {what}; available: {KNOWN}"


@pytest.mark.parametrize("asked", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused(asked: str) -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ValueError, match="state has to be in a file") as caught:
        open_backend(asked)
    assert missing(caught.value, asked, "sqlite:///tasks.db", "MemoryBackend()") == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("sqlite:///x.db?foo=1&uri=true", "nothing can follow the path of the file, got 'foo', 'uri'"),
        ("redis://:secret@host/one", _NO_NUMBER.format("one")),
        ("valkey://:secret@host/1/2", _NO_NUMBER.format("1/2")),
    ],
)
def test_a_part_that_would_be_ignored_is_refused(asked: str, message: str) -> None:
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("redis")
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        open_backend(asked)
    shown = asked.replace("secret", "***").replace("valkey", "redis")
    assert str(caught.value) == f"{shown}: {message}"


@pytest.mark.parametrize("name", ["", "Upper", "1st", "a-b", "x" * 41, "a b", None])
def test_a_name_must_fit_into_all_stores(name: Any, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ValueError, match="the name of a backend must be 1 to 40 of a-z, 0-9 and _, not beginning with"):
        open_backend(f"sqlite:///{tmp_path}/tasks.db", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "library", "extra"),
    [
        ("sqlite:///tasks.db", "sqlalchemy", "sql"),
        ("postgresql://localhost/db", "sqlalchemy", "postgres"),
        ("postgresql+psycopg://localhost/db", "psycopg", "postgres"),
        ("valkey://localhost", "redis", "redis"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    asked: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")

    def missing(name: str) -> Any:
        if name == library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.import_module(name)

    monkeypatch.setattr(url, "import_module", missing)
    with pytest.raises(ImportError) as caught:
        open_backend(asked)
    assert str(caught.value) == f'this backend needs {library}: pip install "est-alan-scheduler[{extra}]"'


@pytest.mark.parametrize("kind", SHARED)
def test_different_names_are_different_task_lists(kind: str, servers: Servers, tmp_path: Path) -> None:
    first, second = servers.store(kind, tmp_path), servers.store(kind, tmp_path)
    define(first.open(), "a")
    assert second.open().fetch(None, 0).states == {}
    assert set(first.open().fetch(None, 0).states) == {"a"}
    first.close()
    second.close()


def test_a_valkey_url_reaches_the_same_server(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("redis", tmp_path)
    define(store.open(), "a")
    store.url = store.url.replace("redis://", "valkey://")
    assert set(store.open().fetch(None, 0).states) == {"a"}
    store.close()


@pytest.mark.parametrize(
    ("part", "message"),
    [("/99", "DB index is out of range"), ("/0?no_such_option=1&password=secret", "no_such_option")],
)
def test_an_unknown_database_or_client_option_is_refused(
    part: str, message: str, servers: Servers, tmp_path: Path
) -> None:
    store = servers.store("redis", tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        open_backend(store.url.rpartition("/")[0] + part)
    assert "secret" not in str(caught.value)
    store.close()


def test_a_postgresql_url_may_leave_out_the_driver(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("postgres", tmp_path)
    store.url = store.url.replace("+psycopg", "")
    assert store.open().url.startswith("postgresql+psycopg://")
    store.close()


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("postgresql://me:secret@127.0.0.1:9/db", "postgresql+psycopg://me:***@127.0.0.1:9/db: "),
        ("redis://me:secret@127.0.0.1:9/0", "redis://me:***@127.0.0.1:9/0: "),
        ("redis://:secret@127.0.0.1:9/0", "redis://:***@127.0.0.1:9/0: "),
    ],
)
def test_a_password_stays_out_of_messages(asked: str, shown: str) -> None:
    pytest.importorskip("psycopg")
    pytest.importorskip("redis")
    with pytest.raises(BackendUnavailableError) as caught:
        open_backend(asked)
    assert str(caught.value).startswith(shown)
    assert "secret" not in str(caught.value)
