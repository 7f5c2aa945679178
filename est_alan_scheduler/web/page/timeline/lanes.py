"""The tasks that the timeline shows: first those with trouble, then those that run, then by their next run."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heapreplace
from itertools import islice

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.schedules.due import planned_moment
from est_alan_scheduler.schedules.upcoming import first_run_from
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.standing import standing
from est_alan_scheduler.web.page.timeline.past import PastRun, failures_of

LANES = 40
"""The most lanes of a page."""
_MOST_ASKED = 5_000
"""Tasks that are asked for their exact next run: it takes some microseconds each."""
_RUNNING, _FAILED = TaskStatus.RUNNING, TaskStatus.FAILED  # to look up a member takes longer than to compare with it


@dataclass(frozen=True, slots=True)
class Trouble:
    """A task that has failed, or is late."""

    task: Task
    kind: str
    """`failed` or `late`."""
    at: datetime
    """In naive UTC: when its last failed run started, or since when it is due."""
    number: int = 1
    """Of failures, as far as they are known."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tasks of one page."""

    tasks: list[Task]
    troubles: list[Trouble]
    """Of all tasks that match, not only of this page."""
    before: int
    """The number of tasks on the pages before."""
    after: int
    """The number of tasks on the pages to come."""


def chosen(
    registry: TaskRegistry,
    begin: datetime,
    end: datetime,
    *,
    text: str | None = None,
    tag: str | None = None,
    only_trouble: bool = False,
    page: int = 1,
    is_store_away: bool = False,
) -> Chosen:
    """Return the tasks of a page of those that match; failures count from `begin` to `end`, in naive UTC.

    While the store is away, only failures count that the registry has in memory.
    """
    found = _found(registry, text, tag)
    failures = [] if is_store_away else failures_of(registry, found.tasks, begin, end)
    is_now_shown = begin <= to_utc(registry._now()) <= end
    troubles = [*(_late(registry, found.late) if is_now_shown else ()), *_failed(registry, found, failures, begin, end)]
    first = {trouble.task.id: trouble.task for trouble in troubles}
    if only_trouble:
        total, ordered = len(first), iter(first.values())
    else:
        first |= {task.id: task for task in found.running}
        total, ordered = len(found.tasks), _ordered(registry, found, first)
    before = min((page - 1) * LANES, total)
    shown = list(islice(ordered, before, before + LANES))
    return Chosen(shown, troubles, before, max(total - before - len(shown), 0))


@dataclass(frozen=True, slots=True)
class _Found:
    """The tasks that match, from one look at all: there may be a hundred thousand."""

    tasks: list[Task]
    bounds: list[tuple[datetime, int, bool]]
    """Of each task: a moment in UTC before which it is not due, its place in `tasks`, and False: it is no more than a
    bound."""
    running: list[Task]
    failed: list[Task]
    late: list[Task]
    """Perhaps, by their bounds; those without a bound come last."""
    has_choice: bool
    """Whether a text or a tag was asked for."""


def _found(registry: TaskRegistry, text: str | None, tag: str | None) -> _Found:
    tasks = registry.select(tag=tag, text=text) if text or tag else list(registry)
    if tasks:
        with suppress(UnknownTaskError):  # removed meanwhile
            registry.next_run(tasks[0])  # what was assigned counts
    utc = to_utc(registry._now())
    bounds: list[tuple[datetime, int, bool]] = []
    running: list[Task] = []
    failed: list[Task] = []
    late: list[Task] = []
    unknown: list[Task] = []
    for place, task in enumerate(tasks):
        entry, status = task._entry, task.__dict__["status"]
        due = entry.due if type(entry) is Entry else None
        bounds.append((due or utc, place, False))
        if status is _RUNNING:
            running.append(task)
        elif status is _FAILED:
            failed.append(task)
        if status is not _RUNNING and (due is None or due < utc):
            (unknown if due is None else late).append(task)
    return _Found(tasks, bounds, running, failed, late + unknown, bool(text or tag))


def _failed(
    registry: TaskRegistry, found: _Found, failures: Iterable[PastRun], begin: datetime, end: datetime
) -> list[Trouble]:
    """Return the tasks that failed, the latest first."""
    runs: dict[str, list[PastRun]] = {}
    for run in failures:
        runs.setdefault(run.task_id, []).append(run)
    ids = {task.id for task in found.tasks} if found.has_choice else registry.store
    troubles = []
    for task_id, of_task in runs.items():
        known = registry.get(task_id)
        if known is not None and task_id in ids:
            last = max(of_task, key=lambda run: run.start)
            troubles.append(Trouble(known, "failed", last.start, len(of_task), last.error))
    for task in found.failed:
        if task.id not in runs and task.last_run_at is not None:  # more failed than were read
            at = to_utc(task.last_run_at)
            if begin <= at < end:
                troubles.append(Trouble(task, "failed", at, error=task.error_message))
    troubles.sort(key=lambda trouble: trouble.at, reverse=True)
    return troubles


def _late(registry: TaskRegistry, tasks: Iterable[Task]) -> list[Trouble]:
    """Return those of the tasks that are late, the latest first; of very many, the first ones."""
    now, is_paused = registry._now(), registry.is_paused
    troubles = []
    for task in islice(tasks, _MOST_ASKED):
        if standing(task, now, is_paused) == "late":
            at = planned_moment(task, now)
            troubles.append(Trouble(task, "late", to_utc(now) if at is None else at))
    troubles.sort(key=lambda trouble: trouble.at)
    return troubles


def _ordered(registry: TaskRegistry, found: _Found, first: dict[str, Task]) -> Iterator[Task]:
    """Yield the first ones, then the others by their next run: of very many without any, in their own order."""
    yield from first.values()
    now, tasks, bounds = registry._now(), found.tasks, found.bounds
    heapify(bounds)
    asked = 0
    never: list[Task] = []
    while bounds:
        _, place, is_exact = bounds[0]
        task = tasks[place]
        if is_exact or task.id in first or asked >= _MOST_ASKED:
            heappop(bounds)
            if task.id not in first:
                yield task
            continue
        asked += 1
        at = first_run_from(task, now)
        if at is None:
            heappop(bounds)
            never.append(task)
        else:
            heapreplace(bounds, (to_utc(at), place, True))
    yield from never
