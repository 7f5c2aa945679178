"""Versions of tasks: a text that stands for the definition and the pause, and the error if another one was expected."""

from collections.abc import Mapping
from typing import Any

from est_alan_scheduler._support.errors import ConflictError, InvalidTypeError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.task import Task

_LENGTH = 32  # characters of a version


def version_of(task: Task, names: FunctionNames) -> str:
    """Do what `TaskRegistry.version` says."""
    import json  # late, as all of these: many programs ask for no version
    from hashlib import sha256

    from est_alan_scheduler.cluster.codecs.definitions import defined_fields

    task = task.model_copy()  # or an assignment could come while it is read
    content = [defined_fields(task, names.shown_name(task.func)), task.paused]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def check_version(task: Task, if_version: str | None, names: FunctionNames) -> Mapping[str, Any] | None:
    """Return the fields of a task of that version, for `is_unchanged`; `ConflictError` if it has another one.

    None if no version is expected. Not under a lock: the `repr` of an argument is user code.
    """
    if if_version is None:
        return None
    if not isinstance(if_version, str):
        raise InvalidTypeError(f"if_version must be a text that version() returned, got {short_repr(if_version)}")
    fields, now = task.__dict__.copy(), version_of(task, names)
    if now == if_version:
        return fields
    is_pause = version_of(task.model_copy(update={"paused": not task.paused}), names) == if_version
    change = ("was paused" if task.paused else "was resumed") if is_pause else "has changed"
    raise ConflictError(
        f"task {task.id!r} {change} since it was of the version {short_repr(if_version)}, it is of {now!r} now: read it"
        " again, and repeat the change if it is still wanted"
    )


def is_unchanged(task: Task, seen: Mapping[str, Any] | None) -> bool:
    """Return whether nothing was assigned since to what a version stands for, if one was. No user code is called."""
    if seen is None:
        return True
    from est_alan_scheduler.cluster.codecs.definitions import DEFINING

    fields = task.__dict__
    return fields["paused"] is seen["paused"] and all(fields.get(name) is seen.get(name) for name in DEFINING)
