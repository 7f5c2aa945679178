"""Tasks that fail, for the tests of retries."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from est_alan_scheduler import Retry, Task
from tests.frozen import Frozen

THREE = Retry(max_retries=3, jitter=0)  # after 1, 2 and 4 seconds


def failing(times: float, error: BaseException | None = None) -> Callable[[], str]:
    """Return a function that fails `times` times, then succeeds."""
    calls = 0

    def fail() -> str:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error or ValueError("boom")
        return "done"

    return fail


def failing_task(times: float = math.inf, **fields: Any) -> Task:
    given: dict[str, Any] = {"id": "a", "func": failing(times), "retry": THREE}
    return Task(**given | fields)


def attempts(registry: Frozen, task: Task, until: datetime) -> list[tuple[str, int]]:
    """Tick whenever the registry says so; return the time and the attempt number of each run."""
    registry.register(task)
    while registry.now <= until:
        registry.tick()
        idle = registry.idle_seconds()
        if idle is None:
            break
        registry.now += timedelta(seconds=idle)
    return [(f"{run['run_at']:%d %H:%M:%S}", run["attempt"]) for run in task.history]
