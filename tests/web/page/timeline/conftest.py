"""A registry at noon, without a store and with one."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import freezegun
import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import MemoryBackend


@pytest.fixture
def noon(set_zone: Callable[[str], None]) -> Iterator[Any]:
    """Freeze the time at noon in UTC."""
    set_zone("UTC")
    with freezegun.freeze_time(datetime(2026, 3, 2, 12)) as clock:
        yield clock


@pytest.fixture(params=["memory", "backend"])
def registry(request: pytest.FixtureRequest, noon: Any) -> TaskRegistry:  # its time is frozen
    """Return a registry."""
    return TaskRegistry(backend=MemoryBackend() if request.param == "backend" else None)
