"""The simulation of a plan in virtual time: a real registry with another clock, and functions that do nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.events.subscribers import log_outcome
from est_alan_scheduler.schedules.state import share_state
from est_alan_scheduler.schedules.upcoming import PlannedRun
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry


def simulate(registry: TaskRegistry, start: datetime, end: datetime | timedelta) -> Iterator[PlannedRun]:
    """Return the runs from `start` to `end`, in order, as if each succeeded at once; no function is called.

    Tasks begin as they are now, with their earlier runs; dependencies count. The registry is not changed. `start` and
    `end` are naive local time, or aware; `end` may be a `timedelta` from `start`. Raises `TypeError` for anything else,
    `ValueError` for an end before the start.
    """
    if not isinstance(start, datetime):
        raise InvalidTypeError(f"start must be a datetime, got {short_repr(start)}")
    if not isinstance(end, datetime | timedelta):
        raise InvalidTypeError(f"end must be a datetime or a timedelta, got {short_repr(end)}")
    first = to_utc(start)
    last = to_utc(end) if isinstance(end, datetime) else first + end
    if last < first:
        raise InvalidValueError(f"end must not lie before start, got {end} and {start}")
    if registry.is_paused:
        return iter(())
    virtual = _VirtualRegistry(first)
    virtual.store = {task.id: _stand_in(task) for task in registry}
    for copy in virtual:
        share_state(copy, registry.store[copy.id])
    return virtual.run(last)


class _VirtualRegistry(TaskRegistry):
    def __init__(self, utc: datetime) -> None:
        super().__init__()
        for name in ("succeeded", "failed"):
            self._recorder.subscribers.remove(name, log_outcome)
        self._parts.is_silent = True
        self._utc = utc
        self._started: list[Task] = []

    def run(self, end: datetime) -> Iterator[PlannedRun]:
        while self._utc <= end:
            self._started.clear()
            self.tick()
            for task in self._started:
                if task.last_run_at is not None:
                    yield PlannedRun(task.last_run_at, task.id)
            with self._lock:
                moment = self._agenda.next_moment()
            if moment is None or (moment <= self._utc and not self._started):
                return  # the latter at the ends of the calendar, for moments that no wall clock there shows
            self._utc = max(self._utc, moment)

    def _now(self) -> datetime:
        wall = from_utc(self._utc)
        return datetime.combine(wall.date(), wall.timetz())  # of the class that a frozen clock gives

    def _execute(self, task: Task) -> None:
        self._started.append(task)
        super()._execute(task)


def _stand_in(task: Task) -> Task:
    copy = task.model_copy()
    copy.__dict__.update(func=_do_nothing, history_limit=0, timeout=None)
    if copy.status is TaskStatus.RUNNING:
        copy.__dict__.update(status=TaskStatus.SUCCESS, last_success_at=copy.last_run_at)
    return copy


def _do_nothing(*_args: object, **_kwargs: object) -> None:
    pass
