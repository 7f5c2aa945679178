"""Requirements that a store is checked for when it is opened."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import open_backend
from est_alan_scheduler.backends.backend import DEFAULT_NAME
from est_alan_scheduler.backends.checks import FORMER_SCHEMAS, SCHEMA
from est_alan_scheduler.backends.rows import Definition, State
from est_alan_scheduler.task import TaskStatus
from tests.backends import former
from tests.backends.stores import LEASE, SHARED, Clock, Servers, Store, Valkey, claim, define, state

SUCCESS = TaskStatus.SUCCESS


def write_schema(store: Store, version: int) -> None:
    backend: Any = store.open()
    if store.kind == "redis":
        backend._client.hset(f"{{{store.name}}}:meta", "schema", version)
    else:
        with backend._engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {store.name}_meta SET schema_version = {version}")


@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.parametrize(
    ("other", "remedy"), [(1, "upgrade it, or give"), (1 - SCHEMA, "earlier ones are not converted; give")]
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


@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.parametrize("schema", FORMER_SCHEMAS)
class TestFormerSchema:
    """A store of a former schema is brought up to date when it is opened."""

    def test_the_tasks_and_the_runs_stay(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        backend = store.open(clock)
        snapshot = backend.fetch(None, 0)
        assert snapshot.states == {"a": State("a", 6, 2, SUCCESS, attempt=1, paused=True)}
        assert snapshot.definitions == {"a": Definition("a", '{"id": "a"}', "hash of a")}
        assert (snapshot.revision, snapshot.born, snapshot.paused) == (5, 100, False)
        assert [(run.task_id, run.epoch, run.late) for run in backend.history()] == [("a", 2, False), ("gone", 7, True)]

    def test_tombstones_are_told_kept_for_their_epochs_and_dropped(
        self, store: Store, clock: Clock, schema: int
    ) -> None:
        former.write(store, schema)
        backend = store.open(clock)
        assert backend.fetch([], 4).definitions == {"gone": None}
        assert define(backend, "gone")["gone"].epoch == 7
        backend.renew("me", LEASE)
        backend.remove(["gone"])
        assert backend.drop_tombstones() == 0
        clock.advance(LEASE)
        assert backend.drop_tombstones() == 1
        assert define(backend, "new")["new"].epoch >= 7

    def test_tombstones_of_a_former_schema_can_be_dropped(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        backend = store.open(clock)
        assert (backend.drop_tombstones(), backend.drop_tombstones()) == (1, 0)
        assert backend.fetch([], 4).is_complete

    def test_it_is_done_once_by_any_number_of_instances(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        with ThreadPoolExecutor(4) as pool:
            backends = list(pool.map(lambda _: store.open(clock), range(4)))
        snapshots = [backend.fetch(None, 0) for backend in backends]
        assert snapshots == [snapshots[0]] * 4
        assert set(snapshots[0].states) == {"a"}

    def test_its_tasks_run_and_come_back(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        backend = store.open(clock)
        assert define(backend, "gone")["gone"][-3:] == (0, 0, None)
        backend.renew("me", LEASE)
        assert backend.claim("me", "token", [claim("a", 6)._replace(runs=3)]) == {"a": 3}
        assert state(backend, "a")[-3:] == (3, 0, None)

    def test_it_has_the_tables_of_a_new_store_then(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        backend: Any = store.open(clock)
        if store.kind == "redis":
            prefix = f"{{{store.name}}}:"
            assert backend._client.hget(prefix + "meta", "schema") == str(SCHEMA).encode()
            assert backend._client.zrange(prefix + "revisions", 0, -1) == [b"a"]
            assert backend._client.zrange(prefix + "removed", 0, -1, withscores=True) == [(b"gone", 5.0)]
            return
        upgraded = _tables(backend, store.name)
        store.name += "_new"
        assert upgraded == _tables(store.open(clock), store.name)


def _tables(backend: Any, name: str) -> dict[str, Any]:
    """Return the columns and indexes of each table, without its prefix."""
    from sqlalchemy import inspect

    found = {}
    with backend._engine.connect() as connection:
        inspector = inspect(connection)
        for table in (table for table in inspector.get_table_names() if table.rpartition("_")[0] == name):
            columns = {
                column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            }
            indexes = [
                (
                    str(index["name"]).replace(name, ""),
                    index["column_names"],
                    [f"{option}={value}" for option, value in index.get("dialect_options", {}).items()],
                )
                for index in inspector.get_indexes(table)
            ]
            found[table.removeprefix(name)] = columns, sorted(indexes)
    assert found
    return found


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


@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.parametrize("schema", FORMER_SCHEMAS)
class TestObserver:
    """An observer looks at a store, and brings none up to date: that would lock out those that run the tasks."""

    def test_a_former_schema_is_refused_and_left_as_it_is(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        before = _content(store)
        with pytest.raises(RuntimeError) as caught:
            open_backend(store.url, store.name, clock, upgrade=False)
        assert str(caught.value).partition(" has schema")[2] == (
            f" {schema} of a former version, and is left as it is: an observer upgrades no store, which would lock out"
            " instances of that version. Start the new version of the programs that run the tasks first, or open the"
            " store once without observe=True"
        )
        assert _content(store) == before

    def test_it_looks_at_the_store_once_that_is_up_to_date(self, store: Store, clock: Clock, schema: int) -> None:
        former.write(store, schema)
        store.open(clock)
        backend = open_backend(store.url, store.name, clock, upgrade=False)
        assert set(backend.fetch(None, 0).states) == {"a"}
        backend.close()


@pytest.mark.parametrize("store", SHARED, indirect=True)
def test_an_observer_makes_the_tables_of_an_empty_store(store: Store, clock: Clock) -> None:
    backend = open_backend(store.url, store.name, clock, upgrade=False)
    assert backend.fetch(None, 0).definitions == {}
    backend.close()
    assert store.open(clock).fetch(None, 0).born == clock.now


@pytest.mark.parametrize("schema", FORMER_SCHEMAS)
def test_a_registry_that_observes_brings_no_store_up_to_date(tmp_path: Path, schema: int, servers: Servers) -> None:
    store = servers.store("sqlite", tmp_path)
    store.name = DEFAULT_NAME
    former.write(store, schema)
    before = _content(store)
    with pytest.raises(RuntimeError, match="or open the store once without observe=True"):
        TaskRegistry(backend=store.url, observe=True)
    registry = TaskRegistry()
    with pytest.raises(RuntimeError, match="or open the store once without observe=True"):
        registry.configure(backend=store.url, observe=True)
    assert (_content(store), registry.backend) == (before, None)
    TaskRegistry(backend=store.url).shutdown()
    registry.configure(backend=store.url, observe=True)
    assert registry.is_observer
    registry.shutdown()


def _content(store: Store) -> Any:
    """Return all that a store has: the keys of Redis, or the schema of the tables and their rows."""
    if store.kind == "redis":
        import redis

        with redis.Redis.from_url(store.url) as client:
            return {key: client.dump(key) for key in client.scan_iter(store.key("*"))}
    from sqlalchemy import create_engine

    engine = create_engine(store.url)
    names = ("tasks", "runs", "instances", "meta")
    with engine.connect() as connection:
        rows = [connection.exec_driver_sql(f"SELECT * FROM {store.name}_{name}").all() for name in names]
    found = _tables(SimpleNamespace(_engine=engine), store.name), rows
    engine.dispose()
    return found
