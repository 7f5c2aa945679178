"""Fixtures: a registry on a store that a test can put out of reach."""

from collections.abc import Iterator

import pytest

from est_alan_scheduler import TaskRegistry
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky


@pytest.fixture
def flaky(clock: Clock) -> Flaky:
    return Flaky(clock)


@pytest.fixture
def registry(flaky: Flaky) -> Iterator[TaskRegistry]:
    registry = TaskRegistry(backend=flaky, lease=600)
    yield registry
    flaky.fails_before.clear()
    flaky.fails_after.clear()
    registry.shutdown(0)
