"""Defaults of a registry: values of the fields that its tasks leave open."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any

from pydantic import ValidationError

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields.checks import near_miss
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import check_unheld
from est_alan_scheduler.schedules.kinds.table import KINDS, options_of
from est_alan_scheduler.task import OPTIONS, Task

ALLOWED = (
    "timezone",
    "start_at",
    "end_at",
    "exclude",
    "jitter",
    "misfire_grace",
    "run_immediately",
    "depends_on_mode",
    "timeout",
    "retry",
    "history_limit",
    "tags",
    "max_runs",
    "remove_when_done",
)
"""The fields of which a registry may have a default. What a task is, and its state, is its own."""

_FIELDS = Task.model_fields


def check_defaults(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return valid defaults as tasks keep them, in a dict of their own; `TypeError` or `ValueError` for others."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidTypeError(
            f"defaults must be a dict of fields of tasks such as {{'timezone': 'Asia/Seoul'}}, got {short_repr(given)}"
        )
    for name in given:
        if name not in ALLOWED:
            is_field = name in Task.model_fields
            fault = "each task has its own" if is_field else f"no such default{near_miss(name, ALLOWED)}"
            raise InvalidValueError(
                f"defaults cannot have {short_repr(name)}: {fault}; defaults can be: {', '.join(ALLOWED)}"
            )
    try:
        checked = Task(func=check_defaults, **given)
    except ValidationError as error:
        faults = [
            ": ".join((*map(str, one["loc"]), one["msg"].removeprefix("Value error, ")))
            for one in error.errors(include_url=False)
        ]
        raise InvalidValueError(f"defaults: {'; '.join(faults)}") from None
    return {name: getattr(checked, name) for name in given}


@contextmanager
def filled(task: Task, defaults: Mapping[str, Any], agenda: Agenda) -> Generator[None]:
    """Fill the fields that a task, while it is registered, leaves open; undo that if the task is refused.

    They do not count as set by the task, and replace those of a registry that has had it before.
    """
    store = agenda.store
    if not isinstance(task, Task) or dict.get(store, task.id) is task:
        yield
        return
    check_unheld(task, agenda.reference)
    own = set(task.model_fields_set)
    is_new = task._entry is None
    left = {} if is_new else {name: _FIELDS[name].default for name in ALLOWED if _is_implicit(task, name, {})}
    bare = task.model_copy(update=left)
    bare.__pydantic_fields_set__.intersection_update(own)
    replaced = task._store(left | _fitting(bare, defaults))
    task.__pydantic_fields_set__.intersection_update(own)
    try:
        yield
    except BaseException:
        if dict.get(store, task.id) is not task:
            task._store(replaced)
            task.__pydantic_fields_set__.intersection_update(own)
        raise


def refitted(task: Task, changes: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return new values of the fields that a task leaves open, if valid changes give it a schedule of another kind.

    A default that means nothing any more is left out, one that means something again is filled in.
    """
    former = _meaningless(task)
    if not former and OPTIONS.keys().isdisjoint(changes):
        return {}
    changed = task.model_copy(update=changes)
    names = _meaningless(changed)
    left = {name: _FIELDS[name].default for name in names if name not in changes and _is_implicit(task, name, defaults)}
    came = {name: defaults[name] for name in former if name in defaults and name not in names}
    return left | (_fitting(changed, came) if came else {})


def _is_implicit(task: Task, name: str, defaults: Mapping[str, Any]) -> bool:
    """Return whether the value of a field comes from a default of a registry.

    A task that was read from a backend or from JSON sets all that it has: there, what equals a default counts as one.
    """
    value = getattr(task, name)
    is_open = name not in task.model_fields_set or (name in defaults and value == defaults[name])
    return is_open and bool(value != _FIELDS[name].default)


def _meaningless(task: Task) -> tuple[str, ...]:
    """Return the fields that mean nothing for a task with its schedule option."""
    options = options_of(task)
    kind = KINDS[options[0]] if options else None
    if kind is None:
        return ()
    return kind.meaningless if kind.is_recurring else (*kind.meaningless, "exclude")


def _fitting(task: Task, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that a task takes; ValueError for one that contradicts a field of the task."""
    without = {*task.model_fields_set, *_meaningless(task)}
    values = {name: copy(value) for name, value in defaults.items() if name not in without}
    try:
        task.model_copy(update=values)._check_together()
    except ValueError as error:
        task._check_together()
        raise InvalidValueError(
            f"task {task.id!r} does not fit the defaults of the registry: {error}; give it a value of its own, or None"
        ) from None
    return values
