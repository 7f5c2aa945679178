"""The runs of tasks within a time, from the store or from the memory of the registry: a bounded number."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

_MOST_READ = 2_000
"""Runs of all tasks, in one query."""
MOST_OF_TASK = 200
"""Runs of each lane, if those of all tasks are too many."""
_MOST_FAILURES = 500
_MOST_SEARCHED = 200_000
"""Runs in the memory of a registry that are looked through for failures."""
_FAILED = TaskStatus.FAILED  # to look up a member takes longer than to compare with it
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that has begun."""

    task_id: str
    start: datetime
    """Naive UTC, as `end`."""
    end: datetime | None
    """None: it runs still, or its end is not known."""
    status: str
    error: str | None


def runs_of(
    registry: TaskRegistry, tasks: Collection[Task], begin: datetime, end: datetime
) -> dict[str, list[PastRun]]:
    """Return the runs of these tasks that started from `begin` to `end`, in naive UTC, by the ids of the tasks.

    Of a task with many runs, those are the newest ones.
    """
    found: dict[str, list[PastRun]] = {task.id: [] for task in tasks}
    if registry.backend is None:
        for task in tasks:
            found[task.id] = [*_kept(task, begin, end, MOST_OF_TASK)][::-1]
        return found
    since, before = begin.replace(tzinfo=UTC), _key(end)
    runs = registry.history(since=since, limit=_MOST_READ, before=before)
    if len(runs) == _MOST_READ:
        of_tasks = [registry.history(task, since=since, limit=MOST_OF_TASK, before=before) for task in tasks]
        runs = [run for of_task in of_tasks for run in of_task]
    for run in runs:
        if run["task_id"] in found:
            found[run["task_id"]].append(_past(run["task_id"], run))
    return found


def last_before(registry: TaskRegistry, task: Task, end: datetime) -> datetime | None:
    """Return when the last run of a task started before a moment, all in naive UTC; None if none is kept."""
    if registry.backend is None:
        return next((at for run in reversed(task.history) if (at := to_utc(run["run_at"])) < end), None)
    runs = registry.history(task, limit=1, before=_key(end))
    return to_utc(runs[0]["run_at"]) if runs else None


def failures_of(registry: TaskRegistry, tasks: Iterable[Task], begin: datetime, end: datetime) -> list[PastRun]:
    """Return the latest failed runs of these tasks that started from `begin` to `end`, in naive UTC.

    `tasks` is only looked at if the registry has no backend: else the runs are those of all tasks.
    """
    if registry.backend is None:
        return [*_search(tasks, begin, end)]
    since = begin.replace(tzinfo=UTC)
    runs = registry.history(status=TaskStatus.FAILED, since=since, limit=_MOST_FAILURES, before=_key(end))
    return [_past(run["task_id"], run) for run in runs]


def _key(end: datetime) -> Mapping[str, Any]:
    """Return a key of the history before which all runs started before `end`."""
    return {"run_at": end.replace(tzinfo=UTC), "task_id": "0", "epoch": 0}


def _past(task_id: str, run: Mapping[str, Any]) -> PastRun:
    end = run["finished_at"]
    return PastRun(
        task_id, to_utc(run["run_at"]), None if end is None else to_utc(end), str(run["status"]), run["error"]
    )


def _kept(task: Task, begin: datetime, end: datetime, most: int) -> Iterator[PastRun]:
    """Yield the runs that a task has kept, the newest first, and the one in flight."""
    last = task.last_run_at
    if task.status is TaskStatus.RUNNING and last is not None and begin <= to_utc(last) < end:
        yield PastRun(task.id, to_utc(last), None, TaskStatus.RUNNING.value, None)
    for run in task.history[: -most - 1 : -1]:
        start = to_utc(run["run_at"])
        if start < begin:
            return
        if start < end:
            yield _past(task.id, run)


def _search(tasks: Iterable[Task], begin: datetime, end: datetime) -> Iterator[PastRun]:
    """Yield the failed runs that tasks have kept. It looks through as many runs as there is time for."""
    left = _MOST_SEARCHED
    earliest = from_utc(begin) - _DAY  # in the time of any zone
    for task in tasks:
        fields = task.__dict__  # faster than attributes: there may be a hundred thousand tasks
        history = fields["history"]
        if not history:
            continue
        last = history[-1]["run_at"]
        if (last if last.tzinfo is None else last.replace(tzinfo=None)) < earliest:
            continue
        for run in history[: -left - 1 : -1]:
            left -= 1
            if run["status"] == _FAILED:
                start = to_utc(run["run_at"])
                if start < begin:
                    break
                if start < end:
                    yield _past(task.id, run)
        if left <= 0:
            return
