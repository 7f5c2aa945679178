"""The slots of a task within a time, however many there are."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import following, keep_schedule, show
from est_alan_scheduler.schedules.upcoming import PlannedRun, upcoming
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.models import SlotModel
from est_alan_scheduler.web.slots import marked_slots

_TICK = timedelta(microseconds=1)
_MOST_COUNTED = 1_000
"""Runs of a task with `max_runs` that are counted one by one."""


@dataclass(frozen=True)
class Plan:
    """The slots of a task to come: single ones, or, if there are too many of them, the times in which they lie."""

    slots: Sequence[SlotModel] = ()
    spans: Sequence[tuple[datetime, datetime]] = ()
    """Naive UTC."""
    number: int | None = field(default=0, kw_only=True)
    """Of all slots; None if there are more than can be counted."""


def plan_of(registry: TaskRegistry, task: Task, begin: datetime, end: datetime, most: int) -> Plan:
    """Return the slots of a task from `begin` to `end`, both in naive UTC; at most `most` single ones or times.

    It takes about `most` steps: a week of a task that runs every second has 600,000 slots.
    """
    now = registry._now()
    begin = max(begin, to_utc(now))
    if registry.is_paused or begin > end:
        return Plan()
    registry.next_run(task)  # what was assigned counts
    tasks = {0: task}  # of one that begins its grid, a copy comes in
    asked = most + 1 if task.max_runs is None else _MOST_COUNTED
    runs = list(islice(_until(end, upcoming(tasks, [(datetime.min, 0)], now)), asked))
    is_whole = len(runs) < asked
    found = [run.at for run in runs if to_utc(run.at) >= begin]
    if is_whole and len(found) <= most:
        return Plan(marked_slots(task, found, now), number=len(found))
    if is_whole:  # with `max_runs`
        return Plan((), _spans(_next_in([to_utc(at) for at in found]), begin, end, most), number=len(found))

    first = to_utc(runs[0].at)  # perhaps one that makes up for earlier slots

    def next_run(moment: datetime) -> datetime | None:
        if moment < first:
            return first
        at = following(tasks[0], show(task.timezone, moment, now))
        return None if at is None else to_utc(at)

    number = _number(tasks[0], max(first, begin - _TICK), end, now)
    if number is not None:
        number = _limited(task, number + (first >= begin))
    return Plan((), _spans(next_run, begin, end, most), number=number)


def plan_of_moments(task: Task, moments: Sequence[datetime], now: datetime, end: datetime, most: int) -> Plan:
    """Return a plan of runs at known moments, in order, from now to `end` in naive UTC."""
    if len(moments) > most:
        instants = [to_utc(at) for at in moments]
        return Plan((), _spans(_next_in(instants), instants[0], end, most), number=len(moments))
    if task.depends_on:  # it may wait: then it runs at no slot
        return Plan([SlotModel(at=at, mark=None) for at in moments], number=len(moments))
    return Plan(marked_slots(task, moments, now), number=len(moments))


def _until(end: datetime, runs: Iterable[PlannedRun]) -> Iterator[PlannedRun]:
    return takewhile(lambda run: to_utc(run.at) <= end, runs)


def _next_in(instants: Sequence[datetime]) -> Callable[[datetime], datetime | None]:
    """Return what gives the first of sorted instants after a moment."""

    def next_one(moment: datetime) -> datetime | None:
        place = bisect_right(instants, moment)
        return instants[place] if place < len(instants) else None

    return next_one


def _spans(
    next_moment: Callable[[datetime], datetime | None], begin: datetime, end: datetime, most: int
) -> list[tuple[datetime, datetime]]:
    """Return at most `most` times in which slots lie, each as wide as a part of the time at least."""
    width = max((end - begin) / most, _TICK)
    spans: list[tuple[datetime, datetime]] = []
    moment = begin - _TICK
    while (at := next_moment(moment)) is not None and at <= end:
        part = (at - begin) // width
        stop = min(begin + (part + 1) * width, end)
        if spans and spans[-1][1] >= begin + part * width:
            spans[-1] = spans[-1][0], stop
        else:
            spans.append((at, stop))
        if stop >= end:
            break
        moment = max(stop - _TICK, at)
    return spans


def _number(task: Task, after: datetime, until: datetime, now: datetime) -> int | None:
    """Return how many slots there are after a moment, up to another one; None if that takes long to count."""
    schedule = keep_schedule(task)
    return (
        None
        if schedule is None or task.jitter is not None
        else schedule.grid_of(task, to_utc(now)).number(after, until)
    )


def _limited(task: Task, number: int) -> int:
    """Return how many of these runs `max_runs` allows."""
    return number if task.max_runs is None else min(number, max(task.max_runs - task.runs, 0))
