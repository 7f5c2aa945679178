"""The slots of a task, with what a change of the clock does to each."""

from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta

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
    begin, is_slot = to_utc(now), _slot_test(task)
    return [
        SlotModel(at=at, mark=None if is_slot is None or to_utc(at) <= begin else _mark(at, task, is_slot))
        for at in slots
    ]


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


def _mark(slot: datetime, task: Task, is_slot: Callable[[time], bool]) -> Mark | None:
    """Return what a change of the clock does to a slot."""
    zone: Zone = LOCAL if task.timezone is None else named(task.timezone)
    instant = zone.instant(slot)
    wall = zone.from_utc(instant)
    if not is_slot(wall.time()):
        return "moved"
    skipped = zone.from_utc(instant - _SECOND) + _SECOND
    while skipped < wall:
        if is_slot(skipped.time()):
            return "merged"
        skipped += _MINUTE
    return "repeated" if zone.to_utc(wall.replace(fold=1)) != zone.to_utc(wall.replace(fold=0)) else None
