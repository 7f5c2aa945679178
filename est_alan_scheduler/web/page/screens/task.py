"""The page of one task: its standing, the reason why it does not run now, its runs and its next slots."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from markupsafe import Markup
from pydantic import Field
from starlette.responses import Response

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.backends.rows import DeadRunOutcome
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import due_slot, keep_schedule, show
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.endpoint import Input
from est_alan_scheduler.web.api.models import VALUES, PlanModel, RunModel, SlotModel, TaskModel
from est_alan_scheduler.web.api.preview import plan_of
from est_alan_scheduler.web.api.problems import text_without_values
from est_alan_scheduler.web.api.runs import TaskRunsQuery, page_of_runs
from est_alan_scheduler.web.api.tasks import task_of
from est_alan_scheduler.web.page.drawing.graph import graph
from est_alan_scheduler.web.page.excerpts import excerpt
from est_alan_scheduler.web.page.links import edit_link, tag_link, task_link
from est_alan_scheduler.web.page.moments import NOTHING, exact_text, weekday
from est_alan_scheduler.web.page.run_notes import NOTHING_NOTED, traceback_of
from est_alan_scheduler.web.page.screens.neighbours import Neighbourhood
from est_alan_scheduler.web.page.screens.next_run import NO_RUN, next_run_of
from est_alan_scheduler.web.page.standing import standing
from est_alan_scheduler.web.page.view import PageCall
from est_alan_scheduler.web.page.words.language import TRANSLATIONS
from est_alan_scheduler.web.page.words.statuses import status_name
from est_alan_scheduler.web.site import Site

_SLOTS = _RUNS = 20  # on one page
_LONGEST = 1_000  # characters of a value
_SHORT = 200  # characters of a name, of an id, and of a value in the table of runs


class TaskQuery(Input):
    """The query of a task: its id, and a page of its runs."""

    id: str = Field(min_length=1)
    outcome: TaskStatus | None = None
    cursor: str | None = None


class ShownRun(NamedTuple):
    """A run, with what its history leaves out."""

    run: RunModel
    lateness: float | None
    """Seconds from its slot to its start; None for a retry, and for a run without a slot."""
    is_lost: bool
    """Its instance has died, or has lost its lease."""
    error: str
    result: str
    traceback: str | None
    is_elsewhere: bool
    """If it has a traceback, that is not known in this process."""


class ShownRuns(NamedTuple):
    """A page of runs."""

    items: list[ShownRun]
    next_cursor: str | None
    has_owners: bool
    """A backend tells which instance has made each run."""


class ShownField(NamedTuple):
    """A field of the definition."""

    name: str
    text: str | None
    """None if it is hidden."""
    is_managed: bool
    """It was changed since code registered the task."""


def page(call: PageCall) -> Response:
    """Answer the page of one task."""
    task, is_read = _read(call)
    site, registry, now = call.site, call.registry, call.registry._now()
    shown, runs = task_of(site, task), _runs(call, task) if is_read else None
    following = NO_RUN if registry.is_paused else next_run_of(task, now, registry.store)
    plan, is_grid_open = _plan(registry, task)
    zoned = following.at or following.since
    why = _why(call, task)
    return call.view.html(
        "task.html",
        task=shown,
        name=excerpt(shown.name, _SHORT),
        id=excerpt(shown.id, _SHORT),
        is_observer=registry.is_observer,
        description=excerpt(task.description or "", _LONGEST),
        standing=standing(task, now, registry.is_paused),
        tags=[(excerpt(tag, _SHORT), tag_link(tag)) for tag in task.tags],
        edit=edit_link(task.id),
        why=text_without_values(why) if site.hide_values else why,
        lost_owner=_lost_owner(call, task, runs),
        following=following,
        awaited=(excerpt(following.awaited, _SHORT), task_link(following.awaited)),
        zoned=zoned,
        is_due=zoned is not None and to_utc(zoned) <= to_utc(now),
        zones=_in_zones(zoned, shown.timezone),
        result=None if site.hide_values or shown.last_success_at is None else excerpt(_text(shown.result), _LONGEST),
        error=excerpt(shown.error_message or "", _LONGEST),
        attempts=None if task.retry is None else task.retry.attempts,
        traceback=_last_traceback(site, task),
        last_run=_last_run(runs, task),
        plan=plan,
        is_grid_open=is_grid_open,
        slots=_slots(plan, TRANSLATIONS[call.view.language].gettext),
        runs=runs,
        outcome=call.query.outcome,
        is_first_page=call.query.cursor is None,
        picture=_picture(call, task, now),
        fields=list(_fields(site, task, shown)),
    )


def _read(call: PageCall) -> tuple[Task, bool]:
    """Return the task, and whether the store has been read: in an outage, it is as it was before."""
    registry, task_id = call.registry, call.query.id
    is_read = call.refresh(task_id)
    if not is_read and task_id not in registry:
        raise BackendUnavailableError("the store is out of reach, and the task is not known here")
    return registry[task_id], is_read


def _in_zones(at: datetime | None, zone: str) -> list[tuple[str, str]]:
    """Return a moment in the zone of the task and in UTC, each with the name of the zone."""
    if at is None:
        return []
    own, utc = exact_text(at).partition(f" {zone}")[0], exact_text(to_utc(at).replace(tzinfo=UTC))
    return [("UTC", utc)] if zone.endswith("UTC") else [(zone, own), ("UTC", utc)]


def _plan(registry: TaskRegistry, task: Task) -> tuple[PlanModel, bool]:
    """Return the plan of the task, and whether all its slots will count from a first run that is due.

    The plan has slots alone: for a run that is due, its slot in place of the present moment.
    """
    plan, now = plan_of(registry, task, _SLOTS), registry._now()  # in this order: the plan begins at an earlier moment
    begin = to_utc(now)
    if not plan.slots or to_utc(plan.slots[0].at) > begin:
        return plan, False
    slot, schedule = due_slot(task, now), keep_schedule(task)
    is_known = slot is not None and slot is not AT_ONCE and slot <= begin
    first = [SlotModel(at=show(task.timezone, slot, now), mark=None)] if is_known and slot is not None else []
    has_begun = task.first_run_at is not None or task.last_run_at is not None
    has_grid = schedule is None or schedule.is_fixed or has_begun
    return plan.model_copy(update={"slots": first + (plan.slots[1:] if has_grid else [])}), not has_grid


def _slots(plan: PlanModel, gettext: Callable[[str], str]) -> list[tuple[str, str | None]]:
    """Return the slots of a plan as texts, each with its mark."""
    return [(f"{weekday(slot.at, gettext)} {exact_text(slot.at)[:26]}", slot.mark) for slot in plan.slots]


# Why it does not run.


def _why(call: PageCall, task: Task) -> str:
    """Return why the task is not running, with what only the store knows: whether an instance is alive."""
    why = call.registry.why_not(task)
    if why == "due now, it runs with the next tick of another instance" and call.view.has_no_instance:
        return "due now, but no instance is alive to run it"
    return why


def _lost_owner(call: PageCall, task: Task, runs: ShownRuns | None) -> str | None:
    """Return the instance of the run in flight if that is no longer alive; None if it is, or if that is not known."""
    leases = call.site.leases.latest() if task.status is TaskStatus.RUNNING else None
    if leases is None or runs is None:
        return None
    run = next((one.run for one in runs.items if one.run.finished_at is None), None)
    if run is None:  # it is not on this page of the runs
        query = TaskRunsQuery(status=TaskStatus.RUNNING, cursor=None, limit=1)
        with suppress(BackendUnavailableError):
            found = call.site.reads.read(lambda: page_of_runs(call.site, query, task.id))
            run = next(iter(found.items), None)
    return run.owner if run is not None and run.owner and leases.has_lost(run.owner, run.run_at) else None


# Runs.


def _runs(call: PageCall, task: Task) -> ShownRuns | None:
    """Return a page of the runs of the task; None if the store does not answer."""
    query = TaskRunsQuery(status=call.query.outcome, cursor=call.query.cursor, limit=_RUNS)
    with suppress(BackendUnavailableError):
        found = call.site.reads.read(lambda: page_of_runs(call.site, query, task.id))
        shown = [_shown_run(call.site, task, run) for run in found.items]
        return ShownRuns(shown, found.next_cursor, call.registry.backend is not None)
    return None


def _shown_run(site: Site, task: Task, run: RunModel) -> ShownRun:
    note, is_lost = site.run_notes.of(task.id, run.run_at, run.attempt), _is_lost(run)
    slot = run.slot or note.slot
    late = None if slot is None or run.attempt > 1 else (to_utc(run.run_at) - to_utc(slot)).total_seconds()
    if run.slot is None and late == 0:  # a note has the start in place of a slot if nothing was due
        late = None
    traceback = note.traceback
    if traceback is None and run.error is not None and _is_last(task, run):
        traceback = _last_traceback(site, task)
    return ShownRun(
        run,
        None if late is None else max(late, 0.0),
        is_lost,
        excerpt(run.error or "", _SHORT),
        excerpt(run.result or "", _SHORT),
        traceback,
        run.error is not None and traceback is None and note == NOTHING_NOTED and not is_lost,
    )


def _is_lost(run: RunModel) -> bool:
    return run.owner is not None and run.error == DeadRunOutcome(run.task_id, run.epoch, run.owner).error


def _is_last(task: Task, run: RunModel) -> bool:
    """Return whether a run is the latest one of the task."""
    start = task.last_run_at
    return start is not None and to_utc(start) == to_utc(run.run_at) and task.attempt == run.attempt


def _last_traceback(site: Site, task: Task) -> str | None:
    """Return the traceback of the error that the task has; None if this process does not know it."""
    error, start = task.error, task.last_run_at
    if task.status is TaskStatus.FAILED and start is not None:
        note = site.run_notes.of(task.id, start, task.attempt)
        if note.traceback is not None:
            return note.traceback
    return None if error is None else traceback_of(error)


def _last_run(runs: ShownRuns | None, task: Task) -> ShownRun | None:
    """Return the latest run of the task, if it is among these runs."""
    items = [] if runs is None else runs.items
    return next((one for one in items if _is_last(task, one.run)), None)


# Neighbours.


def _picture(call: PageCall, task: Task, now: datetime) -> Markup | None:
    """Return the graph of the tasks around this one; None if there are none."""
    gettext = TRANSLATIONS[call.view.language].gettext

    def words(state: str) -> str:
        beside = {"missing": gettext("not registered"), "more": gettext("more")}
        return beside.get(state) or status_name(state, gettext)

    found = Neighbourhood(call.registry, task, now, words)
    nodes = found.nodes()
    if len(nodes) == 1 and not found.edges():
        return None
    return graph(nodes, found.edges(), gettext("Dependencies as a graph"))


# The definition.


def _fields(site: Site, task: Task, shown: TaskModel) -> Iterator[ShownField]:
    """Yield the fields that differ from their defaults, or from what code registered."""
    managed = site.registry._managed_fields(task.id)
    for name, value in shown.definition.items():
        is_managed = name in managed
        if site.hide_values and name in VALUES:
            yield ShownField(name, None, False)  # whether it differs might tell what it is
        elif is_managed or not _is_default(task, name, value):
            yield ShownField(name, excerpt(_text(value), _LONGEST), is_managed)


def _is_default(task: Task, name: str, value: Any) -> bool:
    if name == "name":
        return name not in task.__dict__  # it is that of the function
    field = Task.model_fields[name]
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return bool(value == (list(default) if isinstance(default, tuple) else default))


# Texts.


def _text(value: Any) -> str:
    """Return a value as people read it: a text as it is, anything else as JSON."""
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
