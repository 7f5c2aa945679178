"""Fixtures and settings of all tests: length of searches, skips as failures in CI, time zone, stores and servers."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import freezegun
import pytest
from hypothesis import HealthCheck, settings

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from tests.backends.stores import KINDS, Clock, Servers, Store
from tests.documents import HAS_WEB

# FastAPI, too, needs a later pydantic than the core does.
collect_ignore = [] if HAS_WEB else ["web", "test_fastapi.py"]

for profile, examples in (("short", 25), ("full", 100)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell: some tests press Ctrl+C
    signal.signal(signal.SIGINT, signal.default_int_handler)


freezegun.configure(extend_ignore_list=["_pytest.timing"])  # durations are real


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--interrupts", type=int, metavar="N", help="interrupt N programs on each store; 2000: everywhere")
    parser.addoption("--full", action="store_true", help="run the searches of the property tests at full length")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("full" if config.getoption("full") else "short")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that set a time zone themselves, which do the same in every zone of the machine, or open pages."""
    for item in items:
        for fixture, marker in (("set_zone", "sets_zone"), ("browser", "browser")):
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skips tests: all their requirements have to be installed there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def is_full(pytestconfig: pytest.Config) -> bool:
    """Return whether searches run at full length."""
    return bool(pytestconfig.getoption("full"))


@pytest.fixture
def set_zone() -> Iterator[Callable[[str], None]]:
    """Set the time zone of the process for one test."""
    before = os.environ.get("TZ")

    def put(name: str | None) -> None:
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()

    yield put
    put(before)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(params=KINDS)
def store(request: Any, servers: Servers, tmp_path: Path) -> Iterator[Store]:
    store = servers.store(request.param, tmp_path)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def join(store: Store, clock: Clock) -> Iterator[Callable[..., TaskRegistry]]:
    """Make registries that share one store, like separate processes."""
    joined: list[TaskRegistry] = []

    def make(**options: Any) -> TaskRegistry:
        joined.append(TaskRegistry(backend=store.open(clock), lease=600, **options))
        return joined[-1]

    yield make
    for registry in joined:
        registry.shutdown(0)


@pytest.fixture
def alone(clock: Clock) -> Iterator[TaskRegistry]:
    registry = TaskRegistry(backend=MemoryBackend(clock), lease=600)
    yield registry
    registry.shutdown(0)
