"""The plugin for pytest: a registry of its own for each test that asks for `task_registry`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from est_alan_scheduler.task_registry import TaskRegistry

_PATIENCE = 1.0  # seconds for runs in flight at the end of a test


@pytest.fixture
def task_registry() -> "Iterator[TaskRegistry]":
    """Give an empty registry, and shut it down after the test; runs that go on then are recorded as failed."""
    # Late: pytest loads this module at its start, also for tests that do not use it, and before coverage is measured.
    from est_alan_scheduler.task_registry import TaskRegistry

    registry = TaskRegistry()
    yield registry
    registry.shutdown(_PATIENCE)
