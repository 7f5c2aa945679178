"""The preview of a definition: its words, its next slots, what it would change. Nothing is registered or changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from typing_extensions import override

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler.fields.unknown_function import UnknownFunction, is_unknown
from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.planning.registration import refusal, refusal_of_change
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.schedules.state import share_state
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.definitions import changes_of, check_id, definition_of, new_task, refuse_marked
from est_alan_scheduler.web.api.endpoint import Call
from est_alan_scheduler.web.api.models import VALUES, FieldChange, PlanModel, PreviewModel
from est_alan_scheduler.web.api.tasks import zone_name
from est_alan_scheduler.web.site import Site
from est_alan_scheduler.web.slots import marked_slots

_SLOTS = 10


def preview(call: Call) -> PreviewModel:
    """Answer what a definition means."""
    given = call.body.given()
    task_id = given.get("id")
    if isinstance(task_id, str):
        call.registry.refresh(task_id)
        task = call.registry.get(task_id)
        if task is not None:
            del given["id"]
            return preview_of_change(call.site, task, given)
    return _of_new(call.site, given)


class _Draft(TaskRegistry):
    """A registry of one task, with the time and the defaults of another one."""

    def __init__(self, registry: TaskRegistry, now: datetime) -> None:
        super().__init__(defaults=registry.defaults)
        self._begin = now

    @override
    def _now(self) -> datetime:
        return self._begin

    def plan(self, task: Task, limit: int = _SLOTS) -> PlanModel:
        """Return the next slots of the task, whether it is paused or not; requests and retries are no slots."""
        task._store({"paused": False, "run_requested": None, "retry_at": None})
        slots = [run.at for run in self.upcoming(limit=limit)]
        return PlanModel(
            schedule=describe(task),
            timezone=task.timezone or zone_name(),
            slots=marked_slots(task, slots, self._now()),
        )


def _of_new(site: Site, given: Mapping[str, Any]) -> PreviewModel:
    if "func" in given:
        task = new_task(site, given)
    else:
        check_id(given.get("id"))
        refuse_marked(given)
        task = Task(**given, func=_any_function)
    if site.registry.is_observer and is_unknown(task.func):
        task.__dict__["func"] = _any_function
    draft = _Draft(site.registry, site.registry._now())
    draft.register(task)
    func = UnknownFunction("any") if task.func is _any_function else task.func  # by its name, it would be known here
    site.registry._check_sharing(task.model_copy(update={"id": task.id, "func": func}))
    refused = refusal(task, site.registry.store, (task.id,), is_adopted=True)
    if refused is not None:
        raise InvalidValueError(refused)
    return PreviewModel(
        plan=draft.plan(task),
        before=None,
        changes=[],
        version=None,
        not_registered=_not_registered(task, site.registry),
        values_hidden=site.hide_values,
    )


def _not_registered(task: Task, registry: TaskRegistry) -> list[str]:
    return [one for one in inputs(task) if one not in registry.store]


def _any_function(*_args: Any, **_kwargs: Any) -> None:
    """Stand for the function of a definition that names none yet."""


def preview_of_change(site: Site, task: Task, given: Mapping[str, Any]) -> PreviewModel:
    """Return what changes of a registered task mean."""
    registry = site.registry
    version, before = site.version_now(task), definition_of(registry, task)
    changes, changed = changes_of(site, task, given)
    registry._check_sharing(changed)
    values = {name: getattr(changed, name) for name in changes}
    refused = refusal_of_change(task, values, registry.store, (task.id,))
    if refused is not None:
        raise InvalidValueError(refused)
    now = registry._now()  # for both plans, so that equal ones have equal slots
    draft, copy = _draft_of(registry, task, now)
    draft.update(copy.id, **changes)
    after = definition_of(registry, copy)
    hidden = VALUES if site.hide_values else ()  # whether they really change would tell whether a guess is right
    found = [
        FieldChange(field=name) if name in hidden else FieldChange(field=name, old=before[name], new=after[name])
        for name in before
        if (name in changes if name in hidden else before[name] != after[name])
    ]
    if "paused" in changes:
        found.append(FieldChange(field="paused", old=task.paused, new=copy.paused))
    former, unchanged = _draft_of(registry, task, now)
    return PreviewModel(
        plan=draft.plan(copy),
        before=former.plan(unchanged),
        changes=found,
        version=version,
        not_registered=_not_registered(copy, registry),
        values_hidden=site.hide_values,
    )


def _draft_of(registry: TaskRegistry, task: Task, now: datetime) -> tuple[_Draft, Task]:
    """Return a copy of a registered task, with its runs so far, in a registry of its own."""
    draft, copy = _Draft(registry, now), task.model_copy()
    draft.store[copy.id] = copy
    share_state(copy, task)
    return draft, copy


def plan_of(registry: TaskRegistry, task: Task, limit: int) -> PlanModel:
    """Return the next slots of a registered task, whether it is paused or not."""
    draft, copy = _draft_of(registry, task, registry._now())
    return draft.plan(copy, limit)
