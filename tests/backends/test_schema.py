"""Requirements that a store is checked for when it is opened."""

from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler.backends import open_backend
from est_alan_scheduler.backends.checks import SCHEMA
from tests.backends.stores import SHARED, Servers, Store, Valkey, define


def write_schema(store: Store, version: int) -> None:
    backend: Any = store.open()
    if store.kind == "redis":
        backend._client.hset(f"{{{store.name}}}:meta", "schema", version)
    else:
        with backend._engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {store.name}_meta SET schema_version = {version}")


@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.parametrize(
    ("other", "remedy"), [(1, "upgrade it, or give"), (-1, "earlier ones are not converted; give")]
)
def test_a_store_written_by_another_version_is_refused(store: Store, other: int, remedy: str) -> None:
    write_schema(store, SCHEMA + other)
    with pytest.raises(RuntimeError) as caught:
        store.open()
    assert str(caught.value) == (
        f"{store._opened[0].url} has schema {SCHEMA + other}, this version of est_alan_scheduler knows {SCHEMA}:"
        f" {remedy} the backend another name"
    )


@pytest.mark.parametrize("store", SHARED, indirect=True)
def test_opening_a_store_again_changes_nothing(store: Store) -> None:
    first = store.open()
    define(first, "a")
    before = first.fetch(None, 0)
    after = store.open().fetch(None, 0)
    assert after == before._replace(now=after.now)


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
def test_a_server_that_evicts_keys_with_a_time_to_live_only_is_accepted(policy: str) -> None:
    server = Valkey(**{"maxmemory-policy": policy})
    try:
        open_backend(server.url).close()
    finally:
        server.close()


def test_a_server_that_may_evict_any_key_is_refused() -> None:
    server = Valkey(**{"maxmemory-policy": "allkeys-lru"})
    try:
        with pytest.raises(RuntimeError) as caught:
            open_backend(server.url)
    finally:
        server.close()
    assert str(caught.value) == (
        f"{server.url} may drop any key when memory runs out (maxmemory-policy allkeys-lru), and the state of tasks"
        " with it: set maxmemory-policy noeviction"
    )


def test_sqlite_writes_ahead_with_every_commit_on_the_disk(tmp_path: Path, servers: Servers) -> None:
    store = servers.store("sqlite", tmp_path)
    backend: Any = store.open()
    with backend._engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]
    store.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    path = tmp_path / "tasks.db"
    path.write_text("hello " * 1_000)
    with pytest.raises(RuntimeError) as caught:
        open_backend(f"sqlite:///{path}")
    assert str(caught.value) == (f"sqlite:///{path}: file is not a database; give the path of another file, or of none")
    assert path.read_text() == "hello " * 1_000
