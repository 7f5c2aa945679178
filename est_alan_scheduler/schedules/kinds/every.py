"""`every`: a fixed grid of elapsed time from the first run, so that lateness never adds up."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from typing_extensions import override

from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.schedules.schedule import AT_ONCE, Kind, in_utc, just_before
from est_alan_scheduler.task import Task

_ZERO, _SECOND = timedelta(0), timedelta(seconds=1)
_UNITS = [
    (unit, timedelta(**{f"{unit}s": 1}))
    for unit in ("week", "day", "hour", "minute", "second", "millisecond", "microsecond")
]


class Every(Kind):
    """An interval."""

    __slots__ = ("_begin", "gap", "step", "zone")

    is_fixed = False
    is_steady = True

    def __init__(self, step: timedelta, begin: datetime = AT_ONCE, zone: Zone = LOCAL) -> None:
        self.step: timedelta = step
        self.gap = step.total_seconds()
        self._begin = begin  # one of the slots
        self.zone = zone

    @classmethod
    @override
    def of(cls, value: dict[str, float], zone: Zone) -> "Every":
        return _every(tuple(value.items()))

    @classmethod
    @override
    def describe(cls, value: dict[str, float], zone: str) -> str:
        left, amounts = timedelta(**value), []
        for unit, size in _UNITS:
            # Weeks stand alone, and so does a fraction of seconds, or of milliseconds.
            number = left / size if size <= _SECOND else left // size
            if number >= 1 and (unit != "week" or left % size == _ZERO):
                left = _ZERO if size <= _SECOND else left % size
                amounts.append(f"{number_text(number)} {unit}{'' if number == 1 else 's'}")
        return "every " + (amounts[0].removeprefix("1 ") if len(amounts) == 1 else " ".join(amounts))

    @classmethod
    @override
    def is_local(cls, value: dict[str, float]) -> bool:
        return False

    @override
    def grid(self, begin: datetime, zone: Zone) -> "Every":
        return Every(self.step, begin, zone)

    @override
    def after(self, moment: datetime) -> datetime | None:
        try:
            return _next_step(moment, self._begin, self.step)
        except OverflowError:  # beyond the year 9999
            return None

    @override
    def latest(self, moment: datetime) -> datetime | None:
        try:
            return moment - (moment - self._begin) % self.step
        except OverflowError:
            return None

    @override
    def number(self, after: datetime, until: datetime) -> int:
        return (until - self._begin) // self.step - (after - self._begin) // self.step

    @override
    def grid_of(self, task: Task, here: datetime) -> "Every":
        begin = task.first_run_at or task.last_run_at
        return self if begin is None else Every(self.step, to_utc(begin), self.zone)

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        fields = task.__dict__  # this is the hot path, and attributes of a model are slower
        last_run_at, first_run_at, entry = fields["last_run_at"], fields["first_run_at"], task._entry
        kept: Any = None if entry is None else entry.worked_out
        is_on_grid = kept is not None and kept[1] is self.step and kept[2] is first_run_at
        is_kept = is_on_grid and kept[3] is last_run_at
        if is_kept and kept[0] <= in_utc(now):
            return kept[0]  # type: ignore[no-any-return]  # a slot that has come, so the last run lies before `now`
        if last_run_at is None:
            return AT_ONCE
        if (last_run_at > now or last_run_at.fold) and self.is_clock_set_back(to_utc(last_run_at), to_utc(now)):
            return AT_ONCE
        if is_kept:
            return kept[0]  # type: ignore[no-any-return]
        try:
            # One step further, unless the last run was early or late by more than that.
            slot = kept[0] + self.step if is_on_grid else AT_ONCE
            if not (is_on_grid and kept[0] <= in_utc(last_run_at) < slot):
                slot = _next_step(to_utc(last_run_at), to_utc(first_run_at or last_run_at), self.step)
        except OverflowError:  # beyond the year 9999
            return None
        if entry is not None:
            entry.worked_out = slot, self.step, first_run_at, last_run_at
        return slot

    @override
    def next_run(self, task: Task, after: datetime) -> datetime | None:
        moment, recorded = to_utc(after), task.first_run_at or task.last_run_at
        begin = moment if recorded is None else to_utc(recorded)
        slot = self.grid(begin, LOCAL).after(max(moment, just_before(begin)))  # no slots before its begin
        return None if slot is None else from_utc(slot)

    @override
    def following(self, task: Task, run_at: datetime) -> datetime | None:
        return self.next_run(task, run_at)


def _next_step(moment: datetime, begin: datetime, step: timedelta) -> datetime:
    """Return the first moment after another one that lies on a grid. Raises `OverflowError` beyond the year 9999."""
    return moment + (step - (moment - begin) % step)


@lru_cache(maxsize=1024)  # so that equal schedules of many tasks are one object
def _every(items: tuple[tuple[str, float], ...]) -> Every:
    return Every(timedelta(**dict(items)))


def number_text(amount: float) -> str:
    """Return a number of units as people write it."""
    return f"{amount:.15g}"
