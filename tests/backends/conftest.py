"""Servers that live as long as the run of the tests, and a task list of its own for each test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler.backends import Backend
from tests.backends.stores import KINDS, Clock, Servers, Store


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
def backend(store: Store, clock: Clock) -> Backend:
    return store.open(clock)
