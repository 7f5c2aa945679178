"""The state of a task: fields of the task on one side, columns of a row on the other."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from est_alan_scheduler._support.text import error_text
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import Change, RunRow, State
from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.fields.serialization import marked_arguments, round_trip
from est_alan_scheduler.task import Task, TaskStatus

MOMENTS = ("first_run_at", "last_run_at", "last_success_at", "retry_at", "misfired_at")
PLAIN = ("status", "attempt", "error_message", "misfires", "paused", "runs", "consecutive_failures")
FIELDS = (*MOMENTS, *PLAIN, "result", "run_requested", "consumed", "run_arguments")
"""The fields of a task that are its state."""

CLAIMED = ("status", "first_run_at", "last_run_at", "retry_at", "attempt", "runs")
"""The fields that a claim writes, apart from those of a request, which are of management."""

REQUEST = ("run_requested", "run_arguments")
"""The fields of a requested run."""

MANAGED = ("paused", *REQUEST)
"""The fields that are written as a `Change`, not as an `Assignment`."""

_FIRST_RECORDED = State._fields.index("first_run_at")
_REQUESTS = (None, "ready", "force")
_RARE = {name: Task.rare_defaults[name] for name in FIELDS if name in Task.rare_defaults}


def read(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return fields of a task's state from its `__dict__`, in which rare ones may be missing."""
    return {name: fields.get(name, _RARE.get(name)) for name in names}


def reader(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what `read` does for these fields, in half the time."""
    rare = [(name, _RARE[name]) for name in names if name in _RARE]
    common = [name for name in names if name not in _RARE]
    read_common = itemgetter(*common)

    def read_them(fields: dict[str, Any]) -> dict[str, Any]:
        values = dict(zip(common, read_common(fields), strict=True))
        for name, default in rare:
            values[name] = fields.get(name, default)
        return values

    return read_them


def write(task: Task, values: Mapping[str, Any]) -> None:
    """Write fields of its state into a task."""
    fields = task.__dict__
    fields.update(values)
    task._leave_out(fields, _RARE)


def instant(moment: datetime) -> int:
    """Return a recorded moment, naive local or aware, as a backend keeps it."""
    if moment.tzinfo is None:
        return to_instant(to_utc(moment))
    return to_instant(moment.astimezone(UTC).replace(tzinfo=None))


def moment(value: int, task: Task | None = None) -> datetime:
    """Return an instant of a backend as `task` records it: naive local time, or in its zone."""
    utc = from_instant(value)
    return from_utc(utc) if task is None or task.timezone is None else named(task.timezone).show(utc)


def fields_of(state: State, task: Task) -> dict[str, Any]:
    """Return the fields of `task` by its stored state."""
    fields: dict[str, Any] = {name: getattr(state, name) for name in PLAIN}
    for name in MOMENTS:
        value = getattr(state, name)
        fields[name] = None if value is None else moment(value, task)
    fields["result"] = None if state.result is None else json.loads(state.result)
    consumed = None if state.consumed is None else json.loads(state.consumed).items()
    fields["consumed"] = None if consumed is None else {task_id: moment(value) for task_id, value in consumed}
    fields["run_arguments"] = None if state.run_arguments is None else json.loads(state.run_arguments)
    fields["run_requested"] = _REQUESTS[state.run_requested] if 0 <= state.run_requested < len(_REQUESTS) else "ready"
    return fields


def state_problem(state: State, task: Task) -> str | None:
    """Return why a stored state makes no sense as one of `task`; None if it does."""
    try:
        fields_of(state, task)
    except Exception as error:  # the values fit their columns, and not each other
        return f"its row cannot be read: {error_text(error)}"
    return None


def is_blank(state: State) -> bool:
    """Return whether nothing has happened to a task since it was defined, perhaps anew."""
    return state.status is TaskStatus.PENDING and not any(state[_FIRST_RECORDED:])


def stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a task as a backend keeps them."""
    values = dict(fields)
    for name in MOMENTS:
        if values.get(name) is not None:
            values[name] = instant(values[name])
    if "result" in values:
        values["result"] = None if values["result"] is None else round_trip(values["result"])[1]
    if "consumed" in values:
        values["consumed"] = stored_consumed(values["consumed"])
    if "run_requested" in values:
        values["run_requested"] = _REQUESTS.index(values["run_requested"])
    if values.get("run_arguments") is not None:
        values["run_arguments"] = json.dumps(marked_arguments(values["run_arguments"]))
    return values


def change_of(task_id: str, fields: Mapping[str, Any]) -> Change:
    """Return the change of a task by the fields that management sets."""
    change = Change(task_id, **stored(fields))
    is_cleared = "run_arguments" in fields and fields["run_arguments"] is None
    return change._replace(run_arguments="null") if is_cleared else change


def stored_consumed(successes: Mapping[str, datetime] | None) -> str | None:
    """Return the successes that a task has consumed as a backend keeps them."""
    return None if successes is None else json.dumps({key: instant(success) for key, success in successes.items()})


def past_of(run: RunRow, task: Task | None) -> dict[str, Any]:
    """Return a run as `Task.history` has it; `finished_at` is None while it goes on."""
    return {
        "run_at": moment(run.started, task),
        "finished_at": None if run.finished is None else moment(run.finished, task),
        "status": run.status.value,
        "result": run.result,
        "error": run.error,
        "attempt": run.attempt,
    }


def run_dict(run: RunRow, task: Task | None) -> dict[str, Any]:
    """Return a run as `TaskRegistry.history` has it."""
    slot = None if run.slot is None else moment(run.slot, task)
    beside = {"epoch": run.epoch, "slot": slot, "owner": run.owner, "late": run.late}
    return {"task_id": run.task_id, **past_of(run, task), **beside}
