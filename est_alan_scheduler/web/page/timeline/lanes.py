"""The tasks that the timeline shows: first those with trouble, then those that run, then by their next run."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import planned_moment
from est_alan_scheduler.schedules.upcoming import first_run_from
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.screens.standing import standing
from est_alan_scheduler.web.page.timeline.past import PastRun, failures_of

LANES = 40
"""The most lanes of a page."""
_MOST_ASKED = 2_000
"""Tasks that are each asked for their next run; of more, only the first that come are."""
_MOST_PLANNED = 3_000
"""Runs to come that are looked at for the order of many tasks."""


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
    tasks = registry.select(tag=tag, text=text) if text or tag else list(registry)
    failures = [] if is_store_away else failures_of(registry, tasks, begin, end)
    troubles = [*_late(registry, tasks, begin, end), *_failed(tasks, failures, begin, end)]
    first = {trouble.task.id: trouble.task for trouble in troubles}
    if only_trouble:
        total, ordered = len(first), iter(first.values())
    else:
        first |= {task.id: task for task in tasks if task.status is TaskStatus.RUNNING}
        total, ordered = len(tasks), _ordered(registry, tasks, first)
    before = min((page - 1) * LANES, total)
    shown = list(islice(ordered, before, before + LANES))
    return Chosen(shown, troubles, before, max(total - before - len(shown), 0))


def _failed(tasks: Collection[Task], failures: Iterable[PastRun], begin: datetime, end: datetime) -> list[Trouble]:
    """Return the tasks that failed, the latest first."""
    runs: dict[str, list[PastRun]] = {}
    for run in failures:
        runs.setdefault(run.task_id, []).append(run)
    found = []
    for task in tasks:
        of_task = runs.get(task.id)
        if of_task:
            last = max(of_task, key=lambda run: run.start)
            found.append(Trouble(task, "failed", last.start, len(of_task), last.error))
        elif task.status is TaskStatus.FAILED and task.last_run_at is not None:  # more failed than were read
            at = to_utc(task.last_run_at)
            if begin <= at < end:
                found.append(Trouble(task, "failed", at, error=task.error_message))
    found.sort(key=lambda trouble: trouble.at, reverse=True)
    return found


def _late(registry: TaskRegistry, tasks: Collection[Task], begin: datetime, end: datetime) -> list[Trouble]:
    """Return the tasks that are late now, if now is shown; of many, at most those that are found quickly."""
    now = registry._now()
    if registry.is_paused or not begin <= to_utc(now) <= end:
        return []
    if len(tasks) > _MOST_ASKED:
        ids, due = {task.id for task in tasks}, []
        for run in islice(registry.upcoming(until=now), _MOST_PLANNED):
            task = registry.get(run.task_id)
            if task is not None and task.id in ids:
                due.append(task)
        tasks = list({task.id: task for task in due}.values())
    found = []
    for task in tasks:
        if standing(task, now) == "late":
            at = planned_moment(task, now)
            found.append(Trouble(task, "late", to_utc(now) if at is None else at))
    found.sort(key=lambda trouble: trouble.at)
    return found


def _ordered(registry: TaskRegistry, tasks: Collection[Task], first: dict[str, Task]) -> Iterator[Task]:
    """Yield the first ones, then the others by their next run."""
    yield from first.values()
    seen = set(first)
    if len(tasks) <= _MOST_ASKED:
        now = registry._now()
        others = [(first_run_from(task, now), task) for task in tasks if task.id not in seen]
        others.sort(key=lambda pair: datetime.max if pair[0] is None else to_utc(pair[0]))
        yield from (task for _, task in others)
        return
    by_id = {task.id: task for task in tasks}
    for run in islice(registry.upcoming(), _MOST_PLANNED):
        if run.task_id in by_id and run.task_id not in seen:
            seen.add(run.task_id)
            yield by_id[run.task_id]
    yield from (task for task in tasks if task.id not in seen)
