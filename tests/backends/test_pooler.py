"""PostgreSQL behind a pooler that gives each transaction another session."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import Backend, open_backend
from tests.backends.pooler import Pooler
from tests.backends.stores import Servers, claim, define, success
from tests.backends.test_outage import OPERATIONS
from tests.cluster.helpers import adder

SETTINGS = ("statement_timeout", "lock_timeout", "random_page_cost", "default_transaction_isolation")


@pytest.fixture
def pooler(servers: Servers) -> Iterator[Pooler]:
    pytest.importorskip("psycopg")
    url = servers.get("postgres").url
    pooler = Pooler(f"{parse_qs(urlsplit(url).query)['host'][0]}/.s.PGSQL.5432", "postgres")
    yield pooler
    pooler.close()


@pytest.fixture(params=["", "?prepare_threshold=none"])
def backend(request: pytest.FixtureRequest, pooler: Pooler) -> Iterator[Backend]:
    backend = open_backend(pooler.url + request.param, f"pooled{len(request.param)}")
    yield backend
    backend.close()


def test_every_operation_works_however_often_and_leaves_no_state_in_the_sessions(
    backend: Backend, pooler: Pooler
) -> None:
    before = [pooler.ask_each(f"SHOW {name}") for name in SETTINGS]
    define(backend, "a")
    for _ in range(8):  # statements are prepared when they are executed for the sixth time
        for operation in OPERATIONS:
            operation(backend)
            define(backend, "a")
    assert [pooler.ask_each(f"SHOW {name}") for name in SETTINGS] == before
    assert pooler.ask_each("SELECT count(*) FROM pg_prepared_statements") == ["0", "0"]
    assert pooler.ask_each("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ["0", "0"]


def test_transactions_wait_no_longer_than_is_set_for_them(backend: Any) -> None:
    for _ in range(4):
        rows = backend._read(" UNION ALL ".join(f"SELECT current_setting('{name}')" for name in SETTINGS), {})
        assert [row[0] for row in rows[:3]] == ["30s", "10s", "1.1"]
        with backend._transaction() as connection:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "10s"
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_instances_share_tasks_through_it(pooler: Pooler) -> None:
    backends = [open_backend(pooler.url, "instances") for _ in range(3)]
    registries = [TaskRegistry(backend=backend, lease=600) for backend in backends]
    for registry in registries:
        for number in range(20):
            registry.register(adder(str(number)))

    def tick(registry: TaskRegistry) -> None:
        for _ in range(10):
            registry.tick()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(tick, registries))
    assert sorted(row["task_id"] for row in registries[0].history()) == sorted(map(str, range(20)))
    for registry in registries:
        registry.shutdown(0)
    for backend in backends:
        backend.close()


def test_a_direct_session_is_set_up_once(servers: Servers) -> None:
    backend: Any = open_backend(servers.get("postgres").url, "direct")
    assert not backend._is_pooled
    for _ in range(8):
        rows = backend._read(" UNION ALL ".join(f"SELECT current_setting('{name}')" for name in SETTINGS), {})
    assert [row[0] for row in rows] == ["30s", "10s", "1.1", "read committed"]
    assert backend._read("SELECT count(*) FROM pg_prepared_statements", {})[0][0] > 0
    backend.close()


@pytest.mark.parametrize(("option", "prepares"), [("none", False), ("None", False), ("0", True), ("3", True)])
def test_the_option_that_governs_prepared_statements_is_read_as_its_type(
    option: str, prepares: bool, servers: Servers
) -> None:
    backend: Any = open_backend(f"{servers.get('postgres').url}&prepare_threshold={option}", "direct")
    for _ in range(8):
        found = backend._read("SELECT count(*) FROM pg_prepared_statements", {})[0][0]
    assert (found > 0) is prepares
    assert backend._is_pooled is not prepares  # it tells of a pooler that cannot be recognised
    backend.close()


@pytest.mark.parametrize("option", ["never", "-1", "1.5"])
def test_another_value_of_it_is_refused(option: str, servers: Servers) -> None:
    with pytest.raises(ValueError, match="prepare_threshold must be a whole number or none"):
        open_backend(f"{servers.get('postgres').url}&prepare_threshold={option}", "direct")


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_statements_say_what_isolation_they_need(level: str, servers: Servers) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    server = sqlalchemy.make_url(servers.get("postgres").url)
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    name = level.replace(" ", "_")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    engine.dispose()
    backend: Any = open_backend(server.set(database=name).render_as_string(hide_password=False))
    define(backend, *(str(number) for number in range(20)))
    backend.renew("me", 600)
    operations: list[Callable[[int], Any]] = [
        lambda number: backend.pause_all(number % 2 == 0),
        lambda number: define(backend, str(number), f"new {number}"),
        lambda number: backend.remove([str(number)]),
        lambda number: backend.claim("me", str(number), [claim("0", number)]),
        lambda number: backend.finish("me", [success("0", number)]),
        lambda number: backend.renew("me", 600),
        lambda number: backend.reap([]),
    ]
    with ThreadPoolExecutor(8) as pool:  # any error is raised here
        for wait in [pool.submit(operation, number) for number in range(20) for operation in operations]:
            wait.result()
    with backend._single.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
    backend.close()
