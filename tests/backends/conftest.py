"""A backend on a task list of its own, for each test."""

import pytest

from est_alan_scheduler.backends import Backend
from tests.backends.stores import Clock, Store


@pytest.fixture
def backend(store: Store, clock: Clock) -> Backend:
    return store.open(clock)
