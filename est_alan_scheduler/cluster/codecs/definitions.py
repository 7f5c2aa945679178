"""Definitions of tasks: JSON that other processes can read, with a hash that is equal for equal tasks."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler._support.text import error_text, short_repr
from est_alan_scheduler.backends.clock import is_instant
from est_alan_scheduler.backends.rows import is_storable
from est_alan_scheduler.calendar.local_time import from_utc
from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.states import FIELDS
from est_alan_scheduler.fields.serialization import is_json
from est_alan_scheduler.fields.unknown_function import UnknownFunction
from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.schedules.kinds.table import KINDS, options_of
from est_alan_scheduler.task import ARMING, Task

DEFINING = frozenset(Task.model_fields) - frozenset(FIELDS) - {"id", "error", "history"}
"""The fields of a task that its application defines. The others are its state."""

_MOMENTS = [datetime(year, month, 1) for year in range(2020, 2038) for month in (4, 10, 1, 7)]
"""When two zones are compared: the last two tell winter from summer."""


class ForeignZone(str):
    """The zone of the instances that run a task, in which an observer elsewhere reads it: no field of the task itself.

    The task has no `timezone` in the store, and gets none by an edit of other fields here.
    """

    zone: dict[str, Any]
    """As the store has it."""


class TaskDefinition(NamedTuple):
    """The definition of a task, as JSON has it."""

    task: dict[str, Any]
    """The fields that differ from their defaults, as they are in force."""
    armed: int | None
    """When the schedule was registered: slots before that do not count. Not part of the hash."""
    zone: dict[str, Any] | None
    """The zone of the machine that registered the task first, if the schedule depends on it. Not part of the hash."""
    place: int = 0
    """The place in the order of registration across instances. Not part of the hash."""
    code: dict[str, Any] | None = None
    """The fields as code registered them last, if management has changed them since."""

    @property
    def registered(self) -> dict[str, Any]:
        """The fields as code registered them last."""
        return self.task if self.code is None else self.code

    def on(self, registered: dict[str, Any]) -> "TaskDefinition":
        """Return these fields as what management has made of those that code registered."""
        return self._replace(code=None if is_equal(self.task, registered) else registered)

    def text(self, edit: str | None = None) -> str:
        """Return it as JSON; with the mark of an edit, by which `is_of_edit` tells it from an equal one of others."""
        values = self._asdict() if edit is None else {**self._asdict(), "edit": edit}
        if self.code is None:
            del values["code"]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    def hash(self) -> str:
        """Return a text that is equal for equal tasks."""
        content = self.task if self.code is None else [self.task, self.code]
        return sha256(_json(content).encode()).hexdigest()

    def has_schedule_of(self, other: "TaskDefinition") -> bool:
        """Return whether the schedules are the same."""
        return not any(_json(self.task.get(name)) != _json(other.task.get(name)) for name in ARMING)


def is_equal(fields: dict[str, Any], others: dict[str, Any]) -> bool:
    """Return whether two tasks have the same fields; a None may be left out, as versions of pydantic differ in that."""
    return _json(fields) == _json(others) or not differences(fields, others)


def differences(fields: dict[str, Any], others: dict[str, Any]) -> list[str]:
    """Return the names of the fields that differ between two tasks."""
    return sorted(name for name in {**fields, **others} if _json(fields.get(name)) != _json(others.get(name)))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def encode(task: Task, names: FunctionNames) -> TaskDefinition:
    """Return the definition of `task`, not armed; ValueError if other processes could not build the task from it."""
    if "id" not in task.model_fields_set:
        raise InvalidValueError(
            f"a backend needs a stable id, the same after a restart: Task(id='…', func={short_repr(task.func)})"
        )
    for field, items in (("args", enumerate(task.args)), ("kwargs", task.kwargs.items())):
        for key, value in items:
            if not is_json(value):
                raise InvalidValueError(
                    f"{field}[{key!r}] of task {task.id!r} is {short_repr(value)}, which JSON cannot hold: with a "
                    "backend, pass texts, numbers, lists and dicts"
                )
    _check_dependencies(task)
    try:
        names.keep_errors(task.retry.on if task.retry is not None else ())
        name = names.name_of(task.func)
    except ValueError as error:
        raise InvalidValueError(f"task {task.id!r}: {error}") from None
    zone = _zone_of(task) if depends_on_local_zone(task) else None
    return TaskDefinition(defined_fields(task, name), None, zone)


def defined_fields(task: Task, func: str) -> dict[str, Any]:
    """Return the fields of `task` that its application has set otherwise than by default, as JSON has them.

    `func` is the name of its function. An argument that JSON cannot hold is its `repr` under a key of its own.
    """
    left_out = {"func", "timezone"} if isinstance(task.timezone, ForeignZone) else {"func"}
    try:
        fields = task.model_dump(mode="json", include=set(DEFINING) - left_out, exclude_defaults=True)
    except ValueError as error:
        # pydantic makes one of whatever comes up meanwhile, also of a Ctrl+C, and another one for each layer around it.
        cause: BaseException | None = error
        while isinstance(cause, Exception):
            cause = cause.__cause__
        if cause is not None:
            raise cause from None
        raise
    return {**fields, "func": func}


def values_to_become(task: Task, other: Task) -> dict[str, Any]:
    """Return the values by which `task` gets the definition of `other`, apart from its function.

    They are those that JSON tells apart, which Python may take for equal: 1 and True, or a moment with two offsets. The
    arguments are always among them: no code of theirs is called.
    """
    compared = set(DEFINING) - {"func", "args", "kwargs"}
    mine, theirs = (one.model_dump(mode="json", include=compared, exclude_defaults=True) for one in (task, other))
    values = {**other.rare_defaults, **other.__dict__}  # what is derived from other fields is not set
    return {name: values[name] for name in ("args", "kwargs", *differences(mine, theirs))}


def decode(text: str) -> TaskDefinition:
    """Return a definition that was stored; ValueError if the text is none."""
    try:
        values = json.loads(text)
        armed = values["armed"]
        place = values.get("place", armed or 0)  # former versions have written none
        code = values.get("code")
        code = code if isinstance(code, dict) else None  # nonsense is as none
        definition = TaskDefinition(values["task"], armed, values["zone"], place, code)
    except (TypeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"its definition cannot be read ({type(error).__name__}: {error})") from None
    task, armed, zone, place, _ = definition
    if not isinstance(task, dict):
        raise ValueError(f"its definition cannot be read (task must be an object, it is {short_repr(task)})")
    if armed is not None and not is_instant(armed):
        raise ValueError(f"its definition cannot be read (armed must be an instant, it is {short_repr(armed)})")
    if type(place) is not int:
        raise ValueError(f"its definition cannot be read (place must be an integer, it is {short_repr(place)})")
    if zone is not None and not _is_zone(zone):
        raise ValueError(f"its definition cannot be read (zone must have a name and offsets, it is {short_repr(zone)})")
    return definition


def is_of_edit(text: str, edit: str) -> bool:
    """Return whether a definition that was stored has the mark of an edit."""
    with suppress(ValueError, RecursionError):
        values = json.loads(text)
        return isinstance(values, dict) and values.get("edit") == edit
    return False


def _is_zone(zone: object) -> bool:
    if not isinstance(zone, dict) or not isinstance(zone.get("name"), str):
        return False
    offsets = zone.get("offsets")
    return isinstance(offsets, list) and all(type(offset) is int for offset in offsets)


def problem_text(error: Exception) -> str:
    """Return why a definition makes no sense here, in one sentence."""
    if isinstance(error, ValidationError):
        fields = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_url=False)]
        return "; ".join(f"{field}: {message.removeprefix('Value error, ')}" for field, message in fields)
    return str(error) if isinstance(error, ValueError | ImportError) else error_text(error)


def build(task_id: str, definition: TaskDefinition, names: FunctionNames, is_read_only: bool = False) -> Task:
    """Return the task of a definition, with a stand-in for a function that is unknown here.

    One that is only read here, and never started, is in the local time of those that start it. ValueError that says why
    it cannot be built here.
    """
    fields = dict(definition.task)
    name = fields.get("func")
    if not isinstance(name, str) or not name:
        raise ValueError(f"its function must be a name, it is {short_repr(name)}")
    func = names.find(name)
    if func is None:
        func = UnknownFunction(name)
    if "retry" in fields:
        fields["retry"] = names.with_errors(fields["retry"])
    foreign = _foreign_zone(definition) if is_read_only else None
    if foreign is None:
        check_zone(task_id, definition)
    else:
        fields["timezone"] = str(foreign)
    unknown = sorted(fields.keys() - DEFINING)
    if unknown:
        raise ValueError(f"its fields {', '.join(map(short_repr, unknown))} are unknown here")
    task = Task(**{**fields, "id": task_id, "func": func})
    _check_dependencies(task)
    if foreign is not None:
        task.__dict__["timezone"] = foreign
    return task


def _check_dependencies(task: Task) -> None:
    """Raise ValueError for a dependency whose id no store can hold."""
    for task_id in inputs(task):
        if not is_storable(task_id):
            name = "depends_on" if task_id in task.depends_on else "after"
            raise InvalidValueError(
                f"{name} of task {task.id!r} has {short_repr(task_id)}, which no task of a backend can have for an"
                " id: it has a NUL or half a surrogate pair"
            )


def check_zone(task_id: str, definition: TaskDefinition) -> None:
    """Raise ValueError for a schedule in the local time of another zone."""
    zone = definition.zone
    if zone is not None and not _is_local(zone):
        raise InvalidValueError(
            f"task {task_id!r} was first registered where local time is {zone['name']}, here it is "
            f"{local_zone()['name']}: say which one is meant, timezone={zone['name']!r} for example, or each zone would"
            " have slots of its own"
        )


def _foreign_zone(definition: TaskDefinition) -> ForeignZone | None:
    """Return the zone in which a schedule in the local time of other instances is to be read here, if it is known.

    None if local time is the same here, or if that zone has no name and more than one offset from UTC.
    """
    zone = definition.zone
    if zone is None or definition.task.get("timezone") is not None or _is_local(zone):
        return None
    name, (offset, *others) = zone["name"], zone["offsets"] or [None]
    try:
        named(name)
    except (KeyError, OSError, ValueError):
        if offset is None or others != [offset] * len(others):
            return None
        hours, minutes = divmod(abs(offset) // 60, 60)
        name = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"
    found = ForeignZone(name)
    found.zone = zone
    return found


def _zone_of(task: Task) -> dict[str, Any]:
    """Return the zone whose local time a task without `timezone` is in."""
    return task.timezone.zone if isinstance(task.timezone, ForeignZone) else local_zone()


def depends_on_local_zone(task: Task) -> bool:
    """Return whether the schedule of `task` means other instants on a machine in another zone."""
    if task.timezone is not None and not isinstance(task.timezone, ForeignZone):
        return False
    moments = (task.start_at, task.end_at)
    is_naive = any(moment is not None and moment.tzinfo is None for moment in moments)
    is_local = any(KINDS[option].is_local(getattr(task, option)) for option in options_of(task))
    return is_local or bool(task.exclude) or is_naive


def local_zone() -> dict[str, Any]:
    """Return the name of this machine's zone, if it has one, and its offsets from UTC in seconds."""
    offsets = [round((from_utc(moment) - moment).total_seconds()) for moment in _MOMENTS[-2:]]
    name = _local_name() or "/".join(f"UTC{offset / 3600:+g}" for offset in sorted(set(offsets)))
    return {"name": name, "offsets": offsets}


def _is_local(zone: Mapping[str, Any]) -> bool:
    here = local_zone()
    if zone["name"] == here["name"]:
        return True
    try:
        other = named(zone["name"])
    except (KeyError, OSError, ValueError):  # known by its offsets only
        return bool(zone["offsets"] == here["offsets"])
    return all(from_utc(moment) == other.from_utc(moment) for moment in _MOMENTS)


def _local_name() -> str | None:
    name = os.environ.get("TZ", "").removeprefix(":") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    if name.startswith(("+", "-")):  # no offset: the operating system takes it for UTC
        return None
    try:
        named(name)
    except (KeyError, OSError, ValueError):  # a POSIX rule, a copied file
        return None
    return name
