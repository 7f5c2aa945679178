"""What each schedule option means: a grid of slots. Moments are naive UTC; no clock is read.

`due` answers for a task as it is: its earliest slot that no run covers. What else a task may ask for (another zone,
limits, jitter) is put around these by `limits`, which asks them for the slot `after` a moment and the `latest` before.
"""

from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.task import Task

AT_ONCE = datetime.min
"""The due moment of a slot that has come whatever the clock says."""

_DAY = timedelta(days=1)


class Schedule:
    """When a task is due, given its earlier runs."""

    __slots__ = ()

    def due(self, task: Task, now: datetime) -> datetime | None:
        """Return the earliest slot that no run of `task` covers, as seen at `now`; None if none will come."""
        raise NotImplementedError

    def after(self, moment: datetime) -> datetime | None:
        """Return the first slot after a moment; None if there is none."""
        raise NotImplementedError

    def latest(self, moment: datetime) -> datetime | None:
        """Return the last slot at or before a moment; None if there is none."""
        raise NotImplementedError

    def local_date(self, slot: datetime) -> date:
        """Return the local date that a slot belongs to."""
        raise NotImplementedError


class Every(Schedule):
    """A fixed grid of elapsed time from the first run, so that lateness never adds up."""

    __slots__ = ("step",)

    def __init__(self, step: timedelta) -> None:
        self.step = step

    def grid(self, origin: datetime, zone: Zone) -> "Steps":
        """Return the slots from a first one on."""
        return Steps(origin, self.step, zone)

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        fields = task.__dict__  # this is the hot path, and attributes of a model are slower
        last_run_at, first_run_at, entry = fields["last_run_at"], fields["first_run_at"], task._entry
        kept: Any = None if entry is None else entry.worked_out
        is_kept = kept is not None and kept[1] is self.step and kept[2] is first_run_at
        if is_kept and kept[3] is last_run_at and kept[0] <= in_utc(now):
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
                if not kept[0] <= in_utc(last_run_at) < slot:
                    slot = self._next_slot(last_run_at, first_run_at)
        except OverflowError:  # beyond the year 9999
            return None
        if entry is not None:
            entry.worked_out = slot, self.step, first_run_at, last_run_at
        return slot

    def _next_slot(self, last_run_at: datetime, first_run_at: datetime | None) -> datetime:
        last = to_utc(last_run_at)
        return _next_step(last, last if first_run_at is None else to_utc(first_run_at), self.step)

    def is_astray(self, last_run_at: datetime, now: datetime) -> bool:
        """Tell whether the last run lies more than one step ahead: the clock went back, and the grid starts anew."""
        return to_utc(last_run_at) - to_utc(now) > self.step


class Steps(Schedule):
    """The slots of an `Every` whose first one is known, before it as well as after it."""

    __slots__ = ("_origin", "_step", "_zone")

    def __init__(self, origin: datetime, step: timedelta, zone: Zone) -> None:
        self._origin = origin
        self._step = step
        self._zone = zone

    def after(self, moment: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        try:
            return _next_step(moment, self._origin, self._step)
        except OverflowError:  # beyond the year 9999
            return None

    def latest(self, moment: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        try:
            return moment - (moment - self._origin) % self._step
        except OverflowError:
            return None

    def local_date(self, slot: datetime) -> date:  # noqa: D102  # as in Schedule
        return self._zone.from_utc(slot).date()


class Daily(Schedule):
    """One slot for every local date that exists: at a wall time, or at the first valid instant after it."""

    __slots__ = ("at", "zone")

    def __init__(self, at: time_of_day, zone: Zone = LOCAL) -> None:
        self.at = at
        self.zone = zone

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        last_run_at = task.last_run_at
        return self.first(None if last_run_at is None else to_utc(last_run_at), date(now.year, now.month, now.day))

    def first(self, last: datetime | None, today: date) -> datetime | None:
        """Return the first slot after the moment `last` that falls on the local date `today` or later."""
        # After the clock went back, the last run may lie days ahead.
        day = today if last is None else max(today, self.zone.from_utc(last).date())
        # The slot of the day before counts only where a gap has pushed it into today; the zone may skip the day after.
        for days in (-1, 0, 1, 2):
            slot = self._slot(day, days)
            if slot is not None and (last is None or last < slot) and self.zone.from_utc(slot).date() >= today:
                return slot
        return None

    def after(self, moment: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        offset = self.zone.steady_offset(moment)
        wall = self.zone.from_utc(moment) if offset is None else moment + offset
        day = wall.date()
        is_over = offset is not None and wall.time() >= self.at
        # The clock may have gone back over midnight, and the zone may skip a day.
        for days in (1, 2, 3) if is_over else (0, 1, 2, 3):
            slot = self._slot(day, days)
            if slot is not None and slot > moment:
                return slot
        return None

    def latest(self, moment: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        day = self.zone.from_utc(moment).date()
        for days in (1, 0, -1, -2):
            slot = self._slot(day, days)
            if slot is not None and slot <= moment:
                return slot
        return None

    def local_date(self, slot: datetime) -> date:  # noqa: D102  # as in Schedule
        day = self.zone.from_utc(slot).date()
        return day if self._slot(day, 0) == slot else day - _DAY  # pushed into the next day by a gap

    def _slot(self, day: date, days: int) -> datetime | None:
        try:
            return self.zone.first_instant(datetime.combine(day + days * _DAY if days else day, self.at))
        except (OverflowError, ValueError):  # outside the years 1 to 9999
            return None


class Once(Schedule):
    """A single slot."""

    __slots__ = ("moment", "zone")

    def __init__(self, moment: datetime, zone: Zone = LOCAL) -> None:
        self.moment = moment
        self.zone = zone

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: ARG002, D102  # as in Schedule
        slot = self.slot
        return slot if task.last_run_at is None or to_utc(task.last_run_at) < slot else None

    @property
    def slot(self) -> datetime:
        """The slot."""
        return moment_in(self.moment, self.zone)

    def after(self, moment: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        return self.slot if self.slot > moment else None

    def latest(self, moment: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        return self.slot if self.slot <= moment else None

    def local_date(self, slot: datetime) -> date:  # noqa: D102  # as in Schedule
        return self.zone.from_utc(slot).date()


def _next_step(moment: datetime, origin: datetime, step: timedelta) -> datetime:
    """Return the first moment after another one that lies on a grid. Raises `OverflowError` beyond the year 9999."""
    return moment + (step - (moment - origin) % step)


def moment_in(moment: datetime, zone: Zone) -> datetime:
    """Return a moment that somebody has set: wall time in `zone` if it is naive, put off to the end of a gap."""
    if moment.tzinfo is not None:
        return zone.instant(moment)
    return zone.to_utc(moment) if moment.fold else zone.first_instant(moment) or zone.to_utc(moment)


_converted = (AT_ONCE, AT_ONCE)


def in_utc(moment: datetime) -> datetime:
    """Do what `to_utc` does, at once for the same object as last time: a tick asks for its `now` for every task."""
    global _converted
    converted = _converted
    if converted[0] is not moment:
        converted = _converted = moment, to_utc(moment)
    return converted[1]


# Cached so that equal schedules of many tasks are one object.
@lru_cache(maxsize=1024)
def every(items: tuple[tuple[str, float], ...]) -> Every:
    """Return the schedule of an interval in `timedelta` keywords."""
    return Every(timedelta(**dict(items)))


@lru_cache(maxsize=1440)
def daily(at: str, zone: Zone = LOCAL) -> Daily:
    """Return the schedule of a time of day."""
    return Daily(time_of_day(int(at[:2]), int(at[3:])), zone)
