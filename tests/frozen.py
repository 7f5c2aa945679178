"""A registry whose local time a test sets, and functions to schedule."""

from datetime import datetime, timedelta

from est_alan_scheduler.task import Task
from tests.twin import Clock, ClockedRegistry

START = datetime(2026, 6, 1, 12)
SECOND = timedelta(seconds=1)


class Frozen(ClockedRegistry):
    """A registry whose local time is set by the test."""

    def __init__(self) -> None:
        super().__init__(Clock(START))
        self.now = START

    def _now(self) -> datetime:
        return self.now

    def tick_at(self, now: datetime) -> None:
        self.now = now
        self.tick()


def work() -> str:
    return "done"


def boom() -> None:
    raise ValueError("boom")


def run_times(task: Task) -> list[str]:
    return [f"{run['run_at']:%H:%M:%S}" for run in task.history]
