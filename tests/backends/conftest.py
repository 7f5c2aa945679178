"""A backend on a task list of its own, for each test."""

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import State
from tests.backends.stores import LEASE, Clock, Store, claim, define, state


@pytest.fixture
def backend(store: Store, clock: Clock) -> Backend:
    return store.open(clock)


@pytest.fixture
def running(backend: Backend) -> State:
    """A task in its first run, claimed by the owner "me"."""
    define(backend, "a")
    backend.renew("me", LEASE)
    assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}
    return state(backend, "a")
