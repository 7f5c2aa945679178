"""Requested runs: what becomes of each, from the request to the end of its last attempt."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.cluster.completer import unstarted_error
from est_alan_scheduler.schedules.due import may_retry
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.endpoint import Input
from est_alan_scheduler.web.api.models import Moment, Text
from est_alan_scheduler.web.page.aliases import id_of_alias
from est_alan_scheduler.web.page.view import PageCall

_MOST = 1_000  # runs of a task that are looked at
_SPARE = 10  # runs that may begin meanwhile


class Requested(Input):
    """A requested run: the first one of its task that is no retry, and has a number greater than `after`."""

    id: str = Field(min_length=1)
    """Or its alias, as pages have it."""
    after: int = Field(ge=0, strict=True)


class Runs(Input):
    """Requested runs."""

    runs: list[Requested] = Field(min_length=1, max_length=100)


class Outcome(BaseModel):
    """What has become of a requested run."""

    state: Literal["requested", "waiting", "running", "retrying", "success", "failed", "unkept", "gone"]
    """`waiting`: for the end of a run in flight; `unkept`: it has ended, and the history no longer has it."""
    attempt: int = 1
    attempts: int | None = None
    """How many there are at most; None if it is not retried."""
    at: Moment | None = None
    """The start of the attempt that runs, or that of the next one."""
    duration: float | None = None
    """That of the last attempt, in seconds; None if it is not known."""
    error: Text | None = None


class Outcomes(BaseModel):
    """What has become of requested runs, in the order of the request."""

    runs: list[Outcome]


def requested(call: PageCall) -> Outcomes:
    """Answer what has become of each run."""
    asked = call.body.runs
    ids = [id_of_alias(one.id) for one in asked]
    call.refresh(*ids)
    return Outcomes(runs=[outcome(call.registry, task_id, one.after) for task_id, one in zip(ids, asked, strict=True)])


def outcome(registry: TaskRegistry, task_id: str, after: int) -> Outcome:
    """Return what has become of the run that was requested when the latest one had the number `after`."""
    latest = registry._latest_run(task_id)
    if latest is None or latest[0] < after:  # removed, and perhaps registered anew
        return Outcome(state="gone")
    number, task = latest
    if number == after:
        return Outcome(state="waiting" if task.status is TaskStatus.RUNNING else "requested")
    runs = _runs(registry, task, after, number)
    attempts = list(attempts_of(runs, after, number))
    if not attempts:
        is_kept = all(one in runs for one in range(after + 1, number + 1))
        return Outcome(state="requested" if is_kept else "unkept")
    return _of_attempt(runs[attempts[-1]], task, attempts[-1] == number)


def _runs(registry: TaskRegistry, task: Task, after: int, number: int) -> dict[int, Mapping[str, Any]]:
    """Return the runs with numbers from `after` to `number`, by number, as far as they are kept.

    The task was read before them: its latest run is as the task has it, although it may have ended since.
    """
    if number == after + 1 and task.status is TaskStatus.RUNNING:
        return {number: _present(task)}
    found = registry.history(task.id, limit=min(number - after, _MOST) + _SPARE)
    runs: dict[int, Mapping[str, Any]] = {run["epoch"]: run for run in found if after < run["epoch"] <= number}
    if task.status is TaskStatus.RUNNING:
        runs[number] = _present(task)
    elif number not in runs:
        fields = {"status": task.status, "attempt": task.attempt, "error": task.error_message}
        runs[number] = {"run_at": None, "finished_at": None, **fields}
    return runs


def _present(task: Task) -> Mapping[str, Any]:
    """Return the run in flight of a task."""
    return {"status": task.status, "run_at": task.last_run_at, "finished_at": None, "attempt": task.attempt}


def attempts_of(runs: Mapping[int, Mapping[str, Any]], after: int, number: int) -> Iterator[int]:
    """Yield the numbers of the attempts of the run that was requested after the one of the number `after`."""
    last = missing = 0
    for one in range(after + 1, number + 1):
        run = runs.get(one)
        if run is None:
            missing += 1
            continue
        if run["attempt"] == 1 and (last or missing):
            return  # it is another run
        if _has_begun(run) and run["attempt"] == last + missing + 1:  # not a retry that began before the request
            last, missing = run["attempt"], 0
            yield one


def _has_begun(run: Mapping[str, Any]) -> bool:
    """Return whether a run has begun: not if its claim was released before."""
    owner = run.get("owner")
    return owner is None or run["error"] != unstarted_error(owner)


def _of_attempt(run: Mapping[str, Any], task: Task, is_latest: bool) -> Outcome:
    """Return how a run stands whose last attempt so far is this one; `is_latest`: of all runs of its task."""
    start, end, attempt = run["run_at"], run["finished_at"], run["attempt"]
    attempts = None if task.retry is None else max(task.retry.attempts, attempt)
    if run["status"] == TaskStatus.RUNNING:
        return Outcome(state="running", attempt=attempt, attempts=attempts, at=start)
    values: dict[str, Any] = {"attempt": attempt, "attempts": attempts, "error": run["error"]}
    if end is not None:
        values["duration"] = (to_utc(end) - to_utc(start)).total_seconds()
    if run["status"] == TaskStatus.SUCCESS:
        return Outcome(state="success", **values)
    if is_latest and task.run_requested is None and task.retry_at is not None and may_retry(task):
        return Outcome(state="retrying", at=task.retry_at, **values)
    return Outcome(state="failed", **values)
