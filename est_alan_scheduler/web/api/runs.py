"""Endpoints about runs: those that have been, those that come, those that a simulation expects."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Annotated, Any

from pydantic import Field

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.loops.simulation import simulate
from est_alan_scheduler.schedules.upcoming import PlannedRun
from est_alan_scheduler.task import TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.endpoint import Call, GivenMoment, Input, Limit
from est_alan_scheduler.web.api.models import PlannedRunModel, RunModel, RunPage, SimulationModel
from est_alan_scheduler.web.api.problems import Problem, refused
from est_alan_scheduler.web.paging import cursor_of, key_of
from est_alan_scheduler.web.site import Site

_SIMULATION_SECONDS = 2.0
MOST_SIMULATED = 20_000
"""Tasks: to copy so many takes a second of pure Python, which holds up all other threads."""
_permits = BoundedSemaphore(2)
"""For simulations: each has a copy of all tasks."""
_PERMIT_SECONDS = 0.5  # those who wait hold threads of the site
_Id = Annotated[str, Field(min_length=1)]


class TaskRunsQuery(Input):
    """Which runs of a task, and which page of them."""

    status: TaskStatus | None = Field(None, description="Only runs with this outcome.")
    cursor: str | None = Field(None, description="The `next_cursor` of the page before.")
    limit: Limit = 100


class RunQuery(TaskRunsQuery):
    """Which runs, and which page of them."""

    task: _Id | None = Field(None, description="Only runs of the task of this id.")
    since: GivenMoment | None = Field(None, description="Only runs that started then or later.")


class UpcomingQuery(Input):
    """Which runs to come."""

    until: GivenMoment | None = Field(None, description="Up to then. Without it, as many as `limit` says.")
    limit: Limit = 100


class SimulationQuery(Input):
    """Which time to simulate."""

    from_: GivenMoment | None = Field(None, alias="from", description="The begin; now by default.")
    to: GivenMoment | None = Field(None, description="The end; 24 hours after the begin by default.")
    limit: Limit = 1_000


def runs(call: Call) -> RunPage:
    """Return runs, the newest first."""
    return page_of_runs(call.site, call.query, call.query.task, call.query.since)


def page_of_runs(site: Site, query: TaskRunsQuery, task_id: str | None, since: datetime | None = None) -> RunPage:
    """Return a page of runs, the newest first: at most `limit` of them, after those of the page that gave `cursor`.

    Raises `UnknownTaskError` for an id that neither a task nor a run has: a run outlasts its task if it was in flight.
    """
    before = None if query.cursor is None else _run_of(query.cursor)
    try:
        found = site.registry.history(task_id, query.status, since, query.limit + 1, before)[::-1]
    except InvalidValueError:
        if before is None:
            raise
        raise _no_cursor() from None  # no run can be that one
    if task_id is not None and not found:
        _check_known(site.registry, task_id)
    page = found[: query.limit]
    return RunPage(
        items=[run_model(run, site.hide_values) for run in page],
        next_cursor=_cursor_of(page[-1]) if len(found) > query.limit else None,
    )


def _check_known(registry: TaskRegistry, task_id: str) -> None:
    registry.refresh(task_id)  # it may be new
    if not registry.history(task_id, limit=1):
        _ = registry[task_id]


def run_model(run: Mapping[str, Any], hide_values: bool) -> RunModel:
    """Return a run of `TaskRegistry.history` as a model."""
    start, end = run["run_at"], run["finished_at"]
    duration = None if end is None else (to_utc(end) - to_utc(start)).total_seconds()
    shown = dict(run, result=None) if hide_values else run
    return RunModel(duration=duration, **shown)


def _cursor_of(run: Mapping[str, Any]) -> str:
    return cursor_of(json.dumps([to_utc(run["run_at"]).isoformat(), run["task_id"], run["epoch"]]))


def _run_of(cursor: str) -> dict[str, Any]:
    """Return the key of the last run of a page, from its cursor."""
    try:
        at, task_id, epoch = json.loads(key_of(cursor))
        start = datetime.fromisoformat(at).replace(tzinfo=UTC)
        if type(task_id) is str and type(epoch) is int:
            return {"run_at": start, "task_id": task_id, "epoch": epoch}
    except (ValueError, TypeError, RecursionError):
        pass
    raise _no_cursor()


def _no_cursor() -> Problem:
    return refused([("cursor", "it is not one that a page has given as next_cursor")])


def upcoming(call: Call) -> list[PlannedRunModel]:
    """Return the runs to come, in order."""
    call.registry.refresh()
    return [planned_run(run) for run in call.registry.upcoming(until=call.query.until, limit=call.query.limit)]


def planned_run(run: PlannedRun) -> PlannedRunModel:
    """Return a run to come as a model."""
    return PlannedRunModel(task_id=run.task_id, at=run.at)


def simulation(call: Call) -> SimulationModel:
    """Return what would run in a time, with dependencies, as if each run succeeded at once."""
    start = call.query.from_ or to_utc(call.registry._now()).replace(tzinfo=UTC)  # by the clock of the backend
    end = call.query.to or start + timedelta(days=1)
    call.registry.refresh()
    return permitted_simulation(call.registry, start, end, call.query.limit)


def permitted_simulation(registry: TaskRegistry, start: datetime, end: datetime, limit: int) -> SimulationModel:
    """Return what `simulated` does, unless there are too many tasks, or others simulate already: then it is refused."""
    number = len(registry)
    if number > MOST_SIMULATED:
        detail = f"there are {number:,} tasks: a simulation over HTTP takes at most {MOST_SIMULATED:,}; call simulate()"
        raise Problem(422, f"{detail} in a program of your own, or ask for /upcoming")
    if not _permits.acquire(timeout=_PERMIT_SECONDS):
        raise Problem(503, "others simulate already", headers={"Retry-After": "5"})
    try:
        return simulated(registry, start, end, limit)
    finally:
        _permits.release()


def simulated(registry: TaskRegistry, start: datetime, end: datetime, limit: int) -> SimulationModel:
    """Return at most `limit` runs of a simulation that takes a few seconds at most, apart from its beginning."""
    found: list[PlannedRunModel] = []
    plan = simulate(registry, start, end)
    stop = monotonic() + _SIMULATION_SECONDS
    for run in plan:
        if len(found) == limit or (found and monotonic() > stop):
            return SimulationModel(items=found, until=found[-1].at, is_truncated=True)
        found.append(planned_run(run))
    return SimulationModel(items=found, until=end, is_truncated=False)
