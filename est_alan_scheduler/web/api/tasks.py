"""Endpoints of tasks: what there is, one of them, and what may be done with it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import islice, takewhile
from typing import Any
from urllib.parse import quote

from pydantic import Field

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.cluster.codecs.definitions import local_zone
from est_alan_scheduler.fields.serialization import json_or_repr
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.schedules.upcoming import upcoming
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.definitions import (
    NewTask,
    TaskChange,
    changes_of,
    definition_of,
    new_task,
    refuse_marked,
)
from est_alan_scheduler.web.api.endpoint import Answer, Call, Endpoint, GivenMoment, Input, Limit
from est_alan_scheduler.web.api.models import VALUES, PlannedRunModel, RunPage, TaskModel, TaskPage, TaskSummary, Why
from est_alan_scheduler.web.api.problems import Problem, refused, text_without_values
from est_alan_scheduler.web.api.runs import TaskRunsQuery, page_of_runs, planned_run
from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.paging import cursor_of, key_of, page
from est_alan_scheduler.web.site import Site


class TaskQuery(Input):
    """Which tasks, and which page of them."""

    status: TaskStatus | None = Field(None, description="Only tasks with this status.")
    tag: str | None = Field(None, description="Only tasks with this tag.")
    q: str | None = Field(None, description="Only tasks with this text in the id, the name or the description.")
    cursor: str | None = Field(None, description="The `next_cursor` of the page before.")
    limit: Limit = 100


class PlanQuery(Input):
    """Which runs to come of a task."""

    until: GivenMoment | None = Field(None, description="Up to then.")
    limit: Limit = 10


class RunRequest(Input):
    """A request of a run."""

    force: bool = Field(False, strict=True, description="True: the run does not wait for its dependencies.")
    args: list[Any] | None = Field(None, description="Arguments of this run, in place of those of the task.")
    kwargs: dict[str, Any] | None = Field(None, description="Keyword arguments of this run, in place of those.")


# What there is to show.


def _summary(site: Site, task: Task, zone: str, version: str) -> dict[str, Any]:
    """Return the fields of a summary. `task` is a copy; `next_run` is that of the registered task."""
    return {
        "id": task.id,
        "name": task.name,
        "description": task.description,
        "tags": list(task.tags),
        "status": task.status,
        "schedule": describe(task),
        "paused": task.paused,
        "next_run": site.registry.next_run(task),
        "last_run_at": task.last_run_at,
        "last_success_at": task.last_success_at,
        "first_run_at": task.first_run_at,
        "runs": task.runs,
        "consecutive_failures": task.consecutive_failures,
        "error_message": task.error_message,
        "timezone": task.timezone or zone,
        "runs_here": not is_unknown(task.func),
        "version": version,
    }


def task_of(site: Site, task: Task) -> TaskModel:
    """Return a task with its definition and its state, and the version of this very definition."""
    task = task.model_copy()  # in one step: others change the task at the same time
    version = site.version_now(task)  # first: a task that never can be read is known by it
    definition, result = definition_of(site.registry, task), json_or_repr(task.result)
    if site.hide_values:
        definition |= dict.fromkeys(VALUES)
        result = None
    return TaskModel(
        **_summary(site, task, zone_name(), version),
        definition=definition,
        result=result,
        attempt=task.attempt,
        retry_at=task.retry_at,
        run_requested=task.run_requested,
        misfires=task.misfires,
        misfired_at=task.misfired_at,
        values_hidden=site.hide_values,
    )


def zone_name() -> str:
    """Return the name of this machine's time zone."""
    return str(local_zone()["name"])


def tasks_page(site: Site, query: TaskQuery) -> TaskPage:
    """Return a page of tasks, in the order of their ids."""
    try:
        after = None if query.cursor is None else key_of(query.cursor)
    except ValueError as error:
        raise refused([("cursor", str(error))]) from None
    site.registry.refresh()
    found, has_more = page(site.registry, query.limit, after, query.tag, query.status, query.q)
    zone = zone_name()
    items = []
    for task in found:
        with suppress(UnknownTaskError):  # removed meanwhile
            copy = task.model_copy()
            items.append(TaskSummary(**_summary(site, copy, zone, site.version(copy))))
    return TaskPage(items=items, next_cursor=cursor_of(found[-1].id) if has_more else None)


def planned_of(registry: TaskRegistry, task: Task, until: datetime | None, limit: int) -> list[PlannedRunModel]:
    """Return the runs to come of one task, as `registry.upcoming` does for all."""
    if registry.is_paused:
        return []
    registry.next_run(task)  # what was assigned counts
    end = None if until is None else to_utc(until)
    runs = islice(upcoming({0: task}, [(datetime.min, 0)], registry._now()), limit)
    return [planned_run(run) for run in takewhile(lambda run: end is None or to_utc(run.at) <= end, runs)]


# The endpoints.


def list_tasks(call: Call) -> TaskPage:
    """Answer a page of tasks."""
    return tasks_page(call.site, call.query)


def get_task(call: Call) -> Answer:
    """Answer one task."""
    return _answer(call, _found(call))


def create_task(call: Call) -> Answer:
    """Register a new task."""
    site, registry, given = call.site, call.registry, call.body.given()
    if "id" not in given and registry.backend is not None:
        raise refused([("id", "a backend needs a stable id: give one")])
    task = new_task(site, given)
    registry.refresh(task.id)
    taken = Problem(409, f"there is a task with the id {task.id!r} already")
    if task.id in registry.store or task.id in registry.unresolved():
        raise taken
    try:
        registry.register(task)
    except InvalidValueError:
        if task.id in registry.store:  # by now
            raise taken from None
        raise
    return _answer(call, task, 201, {"Location": f"tasks/{quote(task.id, safe='')}"})


def change_task(call: Call) -> Answer:
    """Change the definition of a task."""
    _need_version(call)
    task = _found(call)
    version = call.registry.version(task)  # before it is compared with what is given, so that nothing comes in between
    changes, _ = changes_of(call.site, task, call.body.given())
    changed = call.registry.update(task.id, if_version=_if_version(call, version), **changes)
    return _answer(call, changed)


def delete_task(call: Call) -> None:
    """Remove a task."""
    _need_version(call)
    call.registry.remove(call.path["id"], if_version=_if_version(call))


def run_task(call: Call) -> Answer:
    """Request a run of a task."""
    return _answer(call, request_run(call))


def request_run(call: Call) -> Task:
    """Request a run of a task, without an answer about it."""
    body = call.body
    refuse_marked({"args": body.args, "kwargs": body.kwargs})
    return call.registry.run_now(call.path["id"], body.force, args=body.args, kwargs=body.kwargs)


def pause_task(call: Call) -> Answer:
    """Pause a task."""
    return _answer(call, pause(call))


def pause(call: Call) -> Task:
    """Pause a task, without an answer about it."""
    return call.registry.pause(call.path["id"], if_version=_if_version(call))


def resume_task(call: Call) -> Answer:
    """Undo the pause of a task."""
    return _answer(call, resume(call))


def resume(call: Call) -> Task:
    """Undo the pause of a task, without an answer about it."""
    return call.registry.resume(call.path["id"], if_version=_if_version(call))


def why(call: Call) -> Why:
    """Answer why a task does not run now."""
    task = _found(call)
    reason = call.registry.why_not(task)
    if call.site.hide_values:
        reason = text_without_values(reason)
    return Why(id=task.id, why=reason, next_run=call.registry.next_run(task))


def upcoming_of_task(call: Call) -> list[PlannedRunModel]:
    """Answer the runs to come of a task."""
    return planned_of(call.registry, _found(call), call.query.until, call.query.limit)


def runs_of_task(call: Call) -> RunPage:
    """Answer a page of the runs of a task; of one that was removed, those that were in flight then."""
    return page_of_runs(call.site, call.query, call.path["id"])


def _found(call: Call) -> Task:
    call.registry.refresh(call.path["id"])
    return call.registry[call.path["id"]]


def _if_version(call: Call, version: str | None = None) -> str | None:
    """Return the version that the caller has seen, as the registry has it; None for any.

    `version` is the one that the task has, if that was read already.
    """
    seen, task_id = call.if_match, call.path["id"]
    if seen is None or "*" in seen:
        return None
    if len(seen) == 1 and not call.site.hide_values:
        return seen[0]
    if version is None:
        version = call.registry.version(_found(call))
    if call.site.shown_version(task_id, version) not in seen:
        has = "one of the versions" if len(seen) > 1 else "the version"
        raise Problem(412, f"task {task_id!r} does not have {has} in If-Match: read it again, and repeat the change")
    return version


def _need_version(call: Call) -> None:
    """Refuse a call without the version that the caller has seen: a change could undo one of somebody else."""
    if call.if_match is None:
        raise Problem(428, "If-Match is needed: the ETag of the task as you have seen it, or * for any")


def _answer(call: Call, task: Task, status: int | None = None, headers: dict[str, str] | None = None) -> Answer:
    shown = task_of(call.site, task)
    return Answer(shown, status, {"ETag": f'"{shown.version}"', **(headers or {})})


def _of_task(
    method: str,
    path: str,
    handle: Callable[[Call], Any],
    summary: str,
    answer: Any = TaskModel,
    problems: tuple[int, ...] = (),
    **options: Any,
) -> Endpoint:
    """Return the endpoint of a path below that of a task; whoever changes something has to manage."""
    role = Role.READ if method == "GET" else Role.MANAGE
    headers = ("ETag",) if answer is TaskModel else ()
    path, problems = f"/tasks/{{id}}{path}", (404, *problems)
    return Endpoint(method, path, handle, summary, answer, role, problems=problems, headers=headers, **options)


ENDPOINTS = (
    Endpoint("GET", "/tasks", list_tasks, "The tasks, by pages in the order of their ids.", TaskPage, query=TaskQuery),
    Endpoint(
        "POST",
        "/tasks",
        create_task,
        "Register a new task.",
        TaskModel,
        role=Role.MANAGE,
        body=NewTask,
        status=201,
        problems=(409,),
        headers=("ETag", "Location"),
    ),
    _of_task("GET", "", get_task, "A task."),
    _of_task("PATCH", "", change_task, "Change a task.", body=TaskChange, problems=(409, 412, 428)),
    _of_task("DELETE", "", delete_task, "Remove a task.", answer=None, status=204, problems=(409, 412, 428)),
    _of_task("POST", "/run", run_task, "Request a run of a task.", body=RunRequest),
    _of_task("POST", "/pause", pause_task, "Pause a task.", problems=(412,)),
    _of_task("POST", "/resume", resume_task, "Let a paused task run again.", problems=(412,)),
    _of_task("GET", "/why", why, "Why a task does not run now.", answer=Why),
    _of_task(
        "GET",
        "/upcoming",
        upcoming_of_task,
        "The runs to come of a task, in order.",
        answer=list[PlannedRunModel],
        query=PlanQuery,
    ),
    _of_task(
        "GET", "/runs", runs_of_task, "The runs of a task, the newest first.", answer=RunPage, query=TaskRunsQuery
    ),
)
"""Those of tasks."""
