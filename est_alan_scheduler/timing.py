"""What a schedule means: schedule and last run in, next due moment out.

A schedule yields slots. A slot is due when it has come and no run has started at or after it. Everything here is a
pure function of its arguments and of the machine's zone rules; no clock is read. `now` and the fields of a task are
naive local time (aware values are converted); due moments are naive UTC, so that they can be compared and subtracted.
"""

from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache

from est_alan_scheduler.local_time import first_instant, from_utc, to_utc
from est_alan_scheduler.task import Task

# An assignment would pass through the validation of fields.
_keep_slot = Task.__dict__["_slot"].__set__
_keep_schedule = Task.__dict__["_schedule"].__set__

AT_ONCE = datetime.min
"""The due moment of a slot that has come whatever the clock says."""

_DAY = timedelta(days=1)


class Schedule:
    """When a task is due, given its earlier runs."""

    __slots__ = ()

    def due(self, task: Task, now: datetime) -> datetime | None:
        """Return the earliest slot that no run of `task` covers, as seen at `now`; None if none will come."""
        raise NotImplementedError


class Every(Schedule):
    """A fixed grid of elapsed time from the first run, so that lateness never adds up."""

    __slots__ = ("step",)

    def __init__(self, step: timedelta) -> None:
        self.step = step

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        fields = task.__dict__  # this is the hot path, and attributes of a model are slower
        last_run_at, first_run_at, kept = fields["last_run_at"], fields["first_run_at"], task._slot
        is_kept = kept is not None and kept[1] is self.step and kept[2] is first_run_at
        if is_kept and kept[3] is last_run_at and kept[0] <= _in_utc(now):
            return kept[0]  # type: ignore[no-any-return]  # a slot that has come, so the last run lies before `now`
        if last_run_at is None:
            return AT_ONCE
        if (last_run_at > now or last_run_at.fold) and self.is_astray(last_run_at, now):
            return AT_ONCE
        try:
            if not is_kept:
                slot = self._next_slot(last_run_at, first_run_at)
            elif kept[3] is last_run_at:
                return kept[0]  # type: ignore[no-any-return]
            else:  # on the same grid: one step further, unless the last run was early or late by more than that
                slot = kept[0] + self.step
                if not kept[0] <= _in_utc(last_run_at) < slot:
                    slot = self._next_slot(last_run_at, first_run_at)
        except OverflowError:  # beyond the year 9999
            return None
        _keep_slot(task, (slot, self.step, first_run_at, last_run_at))
        return slot

    def _next_slot(self, last_run_at: datetime, first_run_at: datetime | None) -> datetime:
        last = to_utc(last_run_at)
        if first_run_at is None:
            return last + self.step
        return last + (self.step - (last - to_utc(first_run_at)) % self.step)

    def is_astray(self, last_run_at: datetime, now: datetime) -> bool:
        """Tell whether the last run lies more than one step ahead: the clock went back, and the grid starts anew."""
        return to_utc(last_run_at) - to_utc(now) > self.step


class Daily(Schedule):
    """One slot for every local date that exists: at a wall time, or at the first valid instant after it."""

    __slots__ = ("at",)

    def __init__(self, at: time_of_day) -> None:
        self.at = at

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        last_run_at = task.last_run_at
        last = None if last_run_at is None else to_utc(last_run_at)
        today = date(now.year, now.month, now.day)
        # After the clock went back, the last run may lie days ahead.
        day = today if last_run_at is None else max(today, date(last_run_at.year, last_run_at.month, last_run_at.day))
        # The slot of the day before counts only where a gap has pushed it into today; the zone may skip the day after.
        for days in (-1, 0, 1, 2):
            try:
                slot = first_instant(datetime.combine(day + days * _DAY, self.at))
                if slot is not None and (last is None or last < slot) and from_utc(slot).date() >= today:
                    return slot
            except (OverflowError, ValueError):  # noqa: PERF203  # outside the years 1 to 9999
                continue
        return None


class Once(Schedule):
    """A single slot."""

    __slots__ = ("moment",)

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: ARG002, D102  # as in Schedule
        slot = to_utc(self.moment)
        if self.moment.tzinfo is None and not self.moment.fold:
            slot = first_instant(self.moment) or slot
        return slot if task.last_run_at is None or to_utc(task.last_run_at) < slot else None


def read_schedule(task: Task) -> Schedule | None:
    """Return what the schedule options of `task` mean; None unless exactly one stands."""
    every, at, run_at = task.every, task.at, task.run_at
    if every is not None:
        return _every(tuple(every.items())) if at is None and run_at is None else None
    if at is not None:
        return _daily(at) if run_at is None else None
    return None if run_at is None else Once(run_at)


def keep_schedule(task: Task) -> Schedule | None:
    """Return what `read_schedule` does, and keep it with `task` until one of the options is assigned."""
    schedule = read_schedule(task)
    _keep_schedule(task, schedule)
    return schedule


def due_moment(task: Task, now: datetime) -> datetime | None:
    """Return the naive UTC moment of the earliest slot that no run of `task` covers; None if none will come.

    A moment in the past means that the task is due. The answer is a lower bound as long as the clock goes forward.
    """
    schedule = task._schedule or read_schedule(task)
    return None if schedule is None else schedule.due(task, now)


def is_due(task: Task, now: datetime) -> bool:
    """Tell whether a slot of `task` has come that no run has covered."""
    moment = due_moment(task, now)
    return moment is not None and moment <= _in_utc(now)


def first_run(task: Task, now: datetime) -> datetime:
    """Return what `first_run_at` becomes when a run of `task` starts at `now`."""
    last_run_at, first_run_at = task.last_run_at, task.first_run_at
    if last_run_at is not None and (last_run_at > now or last_run_at.fold):
        schedule = task._schedule or read_schedule(task)
        if isinstance(schedule, Every) and schedule.is_astray(last_run_at, now):
            return now
    return first_run_at or last_run_at or now


_converted = (AT_ONCE, AT_ONCE)


def _in_utc(moment: datetime) -> datetime:
    """Do what `to_utc` does, at once for the same object as last time: a tick asks for its `now` for every task."""
    global _converted
    converted = _converted
    if converted[0] is not moment:
        converted = _converted = moment, to_utc(moment)
    return converted[1]


# Cached so that equal schedules of many tasks are one object.
@lru_cache(maxsize=1024)
def _every(items: tuple[tuple[str, float], ...]) -> Every:
    return Every(timedelta(**dict(items)))


@lru_cache(maxsize=1440)
def _daily(at: str) -> Daily:
    return Daily(time_of_day(int(at[:2]), int(at[3:])))
