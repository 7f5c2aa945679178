"""The slots of a task within a time, however many there are."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import LOCAL, named
from est_alan_scheduler.schedules.due import following, keep_schedule, show
from est_alan_scheduler.schedules.upcoming import upcoming
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.models import SlotModel
from est_alan_scheduler.web.page.drawing.axis import Axis
from est_alan_scheduler.web.slots import marked_slots

_TICK, _DAY = timedelta(microseconds=1), timedelta(days=1)
_MOST_COUNTED = 1_000
"""Runs of a task with `max_runs` that are counted one by one."""
MOST_WALKED = 600
"""Slots within the time that are counted one by one: those of each half hour of a week and a half, and more."""

NextMoment = Callable[[datetime], datetime | None]
"""What gives the first slot after a moment, both in naive UTC."""


@dataclass(frozen=True)
class Plan:
    """The slots of a task to come: single ones, or, if there are too many of them, the times in which they lie."""

    slots: Sequence[SlotModel] = ()
    spans: Sequence[tuple[datetime, datetime]] = ()
    """Naive UTC."""
    marks: Sequence[SlotModel] = field(default=(), kw_only=True)
    """Slots within the spans that a change of the clock touches; of those that are too near to each other, one."""
    number: int | None = field(default=0, kw_only=True)
    """Of all slots; None if there are more than `MOST_WALKED`, and only counting would tell."""


def plan_of(registry: TaskRegistry, task: Task, begin: datetime, end: datetime, most: int) -> Plan:
    """Return the slots of a task from `begin` to `end`, both in naive UTC; at most `most` single ones or times.

    It takes some hundred steps at most, however far ahead the time lies: a week of a task that runs every second has
    600,000 slots.
    """
    now = registry._now()
    begin = max(begin, to_utc(now))
    if registry.is_paused or begin > end:
        return Plan()
    registry.next_run(task)  # what was assigned counts
    tasks = {0: task}  # of one that begins its grid, a copy comes in
    first = next(upcoming(tasks, [(datetime.min, 0)], now), None)
    if first is None or to_utc(first.at) > end:
        return Plan()
    return _Slots(task, tasks[0], to_utc(first.at), now, end).plan(begin, end, most)


class _Slots:
    """The slots of a task from now on."""

    def __init__(self, task: Task, on_grid: Task, first: datetime, now: datetime, end: datetime) -> None:
        """Begin with a first run, perhaps one that makes up for earlier slots; `on_grid` is the task then."""
        self._task, self._on_grid, self._first, self._now = task, on_grid, first, now
        self._next: NextMoment = self._next_run
        self._is_counted = False
        if task.max_runs is not None:
            runs = takewhile(lambda run: to_utc(run.at) <= end, upcoming({0: task}, [(datetime.min, 0)], now))
            instants = [to_utc(run.at) for run in islice(runs, _MOST_COUNTED)]
            if len(instants) < _MOST_COUNTED:
                self._next, self._is_counted = _next_in(instants), True

    def plan(self, begin: datetime, end: datetime, most: int) -> Plan:
        """Return those of a time."""
        task, now = self._task, self._now
        walk = _walk(self._next, begin, end)
        found = list(islice(walk, most + 1))
        if len(found) <= most:
            slots = [show(task.timezone, at, now) for at in found]
            return Plan(marked_slots(task, slots, now), number=len(found))
        number = None if self._is_counted else self._number(begin, end)
        if number is None:
            found += islice(walk, _MOST_COUNTED if self._is_counted else MOST_WALKED - len(found))
            number = len(found) if next(walk, None) is None else None
        spans = _spans(self._next, begin, end, most)
        return Plan((), spans, marks=_marks(task, self._next, begin, end, now, most), number=number)

    def _next_run(self, moment: datetime) -> datetime | None:
        if moment < self._first:
            return self._first
        if self._task.paused:  # then its run was requested
            return None
        at = following(self._on_grid, show(self._task.timezone, moment, self._now))
        return None if at is None else to_utc(at)

    def _number(self, begin: datetime, end: datetime) -> int | None:
        """Return how many slots there are in a time; None if they have to be counted one by one."""
        first, task = self._first, self._on_grid
        number = _number(task, max(first, begin - _TICK), end, self._now)
        if number is None or task.max_runs is None:
            return None if number is None else number + (first >= begin)
        before = 0 if first >= begin else _number(task, first - _TICK, begin - _TICK, self._now)
        if before is None:
            return None
        return min(number + (first >= begin), max(task.max_runs - task.runs - before, 0))


def plan_of_moments(task: Task, moments: Sequence[datetime], now: datetime, end: datetime, most: int) -> Plan:
    """Return a plan of runs at known moments, in order, from now to `end` in naive UTC."""
    if len(moments) > most:
        instants = [to_utc(at) for at in moments]
        begin, next_one = instants[0], _next_in(instants)
        marks = () if task.depends_on else _marks(task, next_one, begin, end, now, most)
        return Plan((), _spans(next_one, begin, end, most), marks=marks, number=len(moments))
    if task.depends_on:  # it may wait: then it runs at no slot
        return Plan([SlotModel(at=at, mark=None) for at in moments], number=len(moments))
    return Plan(marked_slots(task, moments, now), number=len(moments))


def _walk(next_moment: NextMoment, begin: datetime, end: datetime, step: timedelta = _TICK) -> Iterator[datetime]:
    """Yield the slots of a time, each a step after the last one at least."""
    at = next_moment(begin - _TICK)
    while at is not None and at <= end:
        yield at
        at = next_moment(at + step - _TICK)


def _marks(
    task: Task, next_moment: NextMoment, begin: datetime, end: datetime, now: datetime, most: int
) -> tuple[SlotModel, ...]:
    """Return the slots of a time that a change of the clock touches; of those that are too near to each other, one."""
    if task.at is None and task.cron is None:
        return ()
    zone = LOCAL if task.timezone is None else named(task.timezone)
    found: list[datetime] = []
    for change in Axis(begin, end + _DAY, zone).changes():
        since = max(begin, change.at + min(change.shift, timedelta(0)))  # times that come twice have come before it
        found += _walk(next_moment, since, min(change.at, end), (end - begin) / most)
    slots = marked_slots(task, [show(task.timezone, at, now) for at in found], now)
    return tuple(slot for slot in slots if slot.mark is not None)


def _next_in(instants: Sequence[datetime]) -> NextMoment:
    """Return what gives the first of sorted instants after a moment."""

    def next_one(moment: datetime) -> datetime | None:
        place = bisect_right(instants, moment)
        return instants[place] if place < len(instants) else None

    return next_one


def _spans(next_moment: NextMoment, begin: datetime, end: datetime, most: int) -> list[tuple[datetime, datetime]]:
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
