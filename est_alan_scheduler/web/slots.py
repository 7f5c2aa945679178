"""The slots of a task, with what a change of the clock does to each."""

from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta
from functools import partial

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone, named
from est_alan_scheduler.fields.times import times_of
from est_alan_scheduler.task import Task
from est_alan_scheduler.web.api.models import Mark, SlotModel

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def marked_slots(task: Task, slots: Iterable[datetime], now: datetime) -> list[SlotModel]:
    """Return the slots of a task with their marks: "moved", "merged", "repeated", or None.

    One that is due by `now` has none: it runs at once, whatever its wall time was.
    """
    begin, mark_of = to_utc(now), _marker(task)
    return [SlotModel(at=at, mark=None if mark_of is None or to_utc(at) <= begin else mark_of(at)) for at in slots]


def _marker(task: Task) -> Callable[[datetime], Mark | None] | None:
    """Return what marks the slots of a task; None if none has a mark."""
    is_wall_moment = task.run_at is not None and task.run_at.tzinfo is None and task.jitter is None
    if is_wall_moment:
        return partial(_mark_of_moment, task=task)
    is_slot = _slot_test(task)
    return None if is_slot is None else partial(_mark, task=task, is_slot=is_slot)


def _slot_test(task: Task) -> Callable[[time], bool] | None:
    """Return a test whether a wall time is one of the schedule; None if its slots are not wall times."""
    if task.jitter is not None:
        return None
    if task.at is not None:
        return set(times_of(task.at)).__contains__
    if task.cron is None:
        return None
    from est_alan_scheduler.calendar.cron_expression import parse  # late: most tasks have no cron

    parsed = parse(task.cron)
    hours, minutes, seconds = parsed.hours, parsed.minutes, parsed.seconds
    if minutes.text.startswith("*") or hours.text.startswith("*"):  # elapsed time counts
        return None
    return lambda at: at.hour in hours.numbers and at.minute in minutes.numbers and at.second in seconds.numbers


def _zone_of(task: Task) -> Zone:
    return LOCAL if task.timezone is None else named(task.timezone)


def _mark_of_moment(slot: datetime, task: Task) -> Mark | None:
    """Return what a change of the clock does to the only slot of a task."""
    zone, moment = _zone_of(task), task.run_at
    wall = zone.from_utc(zone.instant(slot))
    if moment is not None and wall.replace(fold=0) != moment.replace(fold=0):
        return "moved"
    return _if_repeated(wall, zone)


def _if_repeated(wall: datetime, zone: Zone) -> Mark | None:
    return "repeated" if zone.to_utc(wall.replace(fold=1)) != zone.to_utc(wall.replace(fold=0)) else None


def _mark(slot: datetime, task: Task, is_slot: Callable[[time], bool]) -> Mark | None:
    """Return what a change of the clock does to a slot."""
    zone = _zone_of(task)
    instant = zone.instant(slot)
    wall = zone.from_utc(instant)
    if not is_slot(wall.time()):
        return "moved"
    skipped = zone.from_utc(instant - _SECOND) + _SECOND
    while skipped < wall:
        if is_slot(skipped.time()):
            return "merged"
        skipped += _MINUTE
    return _if_repeated(wall, zone)
