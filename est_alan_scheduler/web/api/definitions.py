"""Definitions of tasks: from JSON, with functions by known names alone, and back to JSON."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, create_model, model_validator

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.zones import LOCAL, Zone, named
from est_alan_scheduler.cluster.codecs.functions import is_name
from est_alan_scheduler.fields.checks import near_miss
from est_alan_scheduler.fields.serialization import NOT_JSON, is_marked
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.schedules.schedule import moment_in
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.models import DEFINITION, VALUES, AsInTask, with_offset
from est_alan_scheduler.web.api.problems import FieldProblem, invalid, refused
from est_alan_scheduler.web.site import Site


class _Given(BaseModel):
    """The base of definitions in requests. `Task` checks the values, so that the texts are those of Python."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        unknown = [name for name in given if name not in cls.model_fields] if isinstance(given, dict) else []
        if unknown:
            raise refused((name, _why_unknown(name, given[name])) for name in unknown)
        return given

    def given(self) -> dict[str, Any]:
        """Return the fields that the request has, as it has them."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


def _why_unknown(name: str, value: object) -> str:
    if name == "id":
        return "the id of a task cannot be changed: make a new task instead"
    if name in Task.model_fields:
        return f"{name} is part of the state of a task, which its runs change"
    try:
        Task._check_names({name: value})
    except ValueError as error:
        return str(error)
    return "it cannot be given"  # not reached: every other name is unknown to `Task`


_FUNC = "The name of a function that is known here, or that another task has."


def _about(name: str, is_new: bool) -> str | None:
    about = Task.model_fields[name].description
    return f"{about or ''} Null leaves it, if this site hides it.".strip() if name in VALUES and not is_new else about


def _leave_defaults_out(schema: dict[str, Any]) -> None:
    """Describe fields that keep their values if they are not given."""
    for shown in schema["properties"].values():
        shown.pop("default", None)


def _show_defaults(schema: dict[str, Any]) -> None:
    """Describe fields that get the defaults of `Task` if they are not given."""
    _leave_defaults_out(schema)
    for name, shown in schema["properties"].items():
        field = Task.model_fields[name]
        if name != "id" and not field.is_required():
            value = field.get_default(call_default_factory=True)
            shown["default"] = list(value) if isinstance(value, tuple) else value


def _model(title: str, about: str, names: Iterable[str], describe: Any, required: str = "") -> type[_Given]:
    is_new = bool(required)
    fields: dict[str, Any] = {
        name: (
            _type_of(name, is_new),
            Field(... if name == required else None, description=_FUNC if name == "func" else _about(name, is_new)),
        )
        for name in names
    }
    options = {"extra": "forbid", "json_schema_extra": describe}
    model: type[_Given] = create_model(title, __base__=_Given, __cls_kwargs__=options, __doc__=about, **fields)
    return model


def _type_of(name: str, is_new: bool) -> Any:
    if name == "func":
        return Annotated[str, Field(min_length=1)]
    given: Any = Annotated[Any, AsInTask(name)]
    return given | None if name in VALUES and not is_new else given  # null comes back where a site hides it


NewTask = _model("NewTask", "The definition of a new task.", ("id", *DEFINITION, "paused"), _show_defaults, "func")
TaskChange = _model(
    "TaskChange",
    "Fields of a task with new values. The others stay; an object or a list is replaced as a whole.",
    (*DEFINITION, "paused"),
    _leave_defaults_out,
)
Draft = _model(
    "Draft",
    "The definition of a new task; with the id of a task, a change of that.",
    ("id", *DEFINITION, "paused"),
    _leave_defaults_out,
)


def definition_of(registry: TaskRegistry, task: Task) -> dict[str, Any]:
    """Return the fields that define a task, as JSON has them: with offsets, and with the name of the function."""
    shown = task.model_dump(mode="json", include=set(DEFINITION) - {"func"}) | {"func": name_of(registry, task.func)}
    for name in DEFINITION:
        value = getattr(task, name)
        if isinstance(value, datetime):
            shown[name] = with_offset(_in_effect(value, task.timezone))
    return {name: shown[name] for name in DEFINITION}


def _in_effect(moment: datetime, name: str | None) -> datetime:
    """Return a moment of a definition as it takes effect; a naive one is a wall time in the zone of the task."""
    if moment.tzinfo is not None:
        return moment
    zone: Zone = LOCAL if name is None else named(name)
    return zone.show(moment_in(moment, zone))


def name_of(registry: TaskRegistry, func: Callable[..., Any]) -> str:
    """Return the name by which requests name a function."""
    return registry._functions.shown_name(func)


def fields_of(registry: TaskRegistry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a request as `Task` takes them. A name is compared with those known here, never imported."""
    fields = dict(given)
    if "func" in fields:
        fields["func"] = _function(registry, fields["func"])
    if "retry" in fields:
        try:
            fields["retry"] = registry._functions.with_errors(fields["retry"])
        except ValueError as error:
            raise refused([("retry.on", str(error))]) from None
    return fields


def known_functions(registry: TaskRegistry) -> list[str]:
    """Return the names by which requests may name functions that run here."""
    own = _functions_of_tasks(registry) if registry.backend is None else {}
    return sorted({*registry.known_functions(), *own})


def _functions_of_tasks(registry: TaskRegistry) -> dict[str, Callable[..., Any]]:
    """Return functions of tasks by name: what stands for those that run elsewhere.

    Without a backend, also those that no other process would find, like one of the program itself.
    """
    is_alone = registry.backend is None
    named = {name_of(registry, task.func): task.func for task in registry if is_alone or is_unknown(task.func)}
    return {name: func for name, func in named.items() if is_unknown(func) or is_name(name)}


def _function(registry: TaskRegistry, name: str) -> Callable[..., Any]:
    """Return the function of a name: one that runs here, or what stands for it in a task that runs elsewhere."""
    found = registry._functions.find(name)
    if found is not None:
        return found
    of_tasks = _functions_of_tasks(registry)
    if name in of_tasks:
        return of_tasks[name]
    hint = near_miss(name, {*registry.known_functions(), *of_tasks})
    raise refused([("func", f"no function is known by the name {short_repr(name)}{hint}: register or expose it")])


def check_id(task_id: object) -> None:
    """Raise the problem of an id that no request could name afterwards: clients take such a path for another one."""
    if task_id in (".", ".."):
        raise refused([("id", f"no URL can have {task_id!r} as a part of its path: take another id")])


def new_task(site: Site, given: Mapping[str, Any]) -> Task:
    """Return the task of a definition, which is not registered. Raises `Problem`, or what `Task` raises."""
    check_id(given.get("id"))
    refuse_marked(given)
    return Task(**fields_of(site.registry, given))


def changes_of(site: Site, task: Task, given: Mapping[str, Any]) -> tuple[dict[str, Any], Task]:
    """Return what a request really changes of a task, and a copy with it.

    A value that is the same is left out, or the slots of a schedule would count from now on. So is one that is hidden,
    and comes back as null; any other in its place counts as a change, so that nobody can guess it.
    """
    registry = site.registry
    same = {"func": name_of(registry, task.func), **(dict.fromkeys(VALUES) if site.hide_values else {})}
    fields = fields_of(registry, {k: v for k, v in given.items() if k not in same or v != same[k]})
    copy = task.model_copy()
    _check_each(copy, fields)
    copy._store(copy._validated(fields))
    before, after = (_texts(registry, one, fields) for one in (task, copy))
    hidden = VALUES if site.hide_values else ()
    changes = {name: value for name, value in fields.items() if name in hidden or before[name] != after[name]}
    refuse_marked(changes)
    return changes, copy


def _texts(registry: TaskRegistry, task: Task, names: Iterable[str]) -> dict[str, str]:
    shown = {**definition_of(registry, task), "paused": task.paused}
    return {name: json.dumps(shown[name], sort_keys=True) for name in names}


def _check_each(task: Task, fields: Mapping[str, Any]) -> None:
    """Raise the problem of all fields that are wrong by themselves: `update` names the first one alone."""
    problems: list[FieldProblem] = []
    for name, value in fields.items():
        try:
            task._validated({name: value})
        except ValidationError as error:
            problems += invalid(error).errors
        except ValueError:  # it contradicts another field, which may be given as well
            continue
    if problems:
        raise refused((one.field, one.detail) for one in problems)


def refuse_marked(given: Mapping[str, Any]) -> None:
    """Raise the problem of an argument that was shown as text, because JSON cannot hold it, and comes back so."""
    for field in VALUES:
        values = given.get(field)
        for value in values.values() if isinstance(values, dict) else values if isinstance(values, list) else ():
            if is_marked(value):
                raise refused([(field, f"{value[NOT_JSON]} is a value that JSON could not hold: set it in code")])
