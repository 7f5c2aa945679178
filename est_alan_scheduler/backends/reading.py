"""Reading of stored rows: an unreadable one is reported or logged, and never hinders the others."""

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.rows import Definition, RunRow, Snapshot, State
from est_alan_scheduler.task import TaskStatus

_INTEGERS = tuple(
    (place, name)
    for place, name in enumerate(State._fields)
    if name not in ("id", "status", "result", "error_message", "paused", "owner", "consumed")
)
_STATUS, _PAUSED = State._fields.index("status"), State._fields.index("paused")
_INTEGER_TYPES = (int, type(None))  # and no bool


def to_definition(task_id: str, text: Any, checksum: Any) -> Definition:
    """Return a stored definition; ValueError if it is not a JSON object."""
    value = _from_json(text, "the definition")
    if not isinstance(value, dict):
        raise ValueError(f"the definition must be a JSON object, it is {type(value).__name__}")
    return Definition(task_id, text, checksum)


def to_state(values: Iterable[Any]) -> State:
    """Return a stored state, its columns in the order of `State`; ValueError if one of them is invalid."""
    columns = list(values)
    for place, name in _INTEGERS:
        if type(columns[place]) not in _INTEGER_TYPES:
            raise ValueError(f"{name} must be an integer, it is {columns[place]!r}")
    columns[_STATUS] = TaskStatus(columns[_STATUS])
    columns[_PAUSED] = bool(columns[_PAUSED])
    state = State._make(columns)
    if state.result is not None and state.result != "null":
        _from_json(state.result, "the result")
    if state.consumed is not None:
        moments = _from_json(state.consumed, "consumed")
        if not isinstance(moments, dict) or not all(type(moment) is int for moment in moments.values()):
            raise ValueError(f"consumed must be a JSON object of integers, it is {state.consumed}")
    return state


def to_states(rows: Iterable[Iterable[Any]]) -> dict[str, State]:
    """Return the readable ones of stored states, by id."""
    states = {}
    for row in rows:
        with suppress(ValueError):
            state = to_state(row)
            states[state.id] = state
    return states


def add_task(snapshot: Snapshot, task_id: str, state: Iterable[Any], definition: tuple[Any, Any] | None) -> None:
    """Add a task's state to a snapshot, and its definition (JSON and hash) if that has changed."""
    try:
        snapshot.states[task_id] = to_state(state)
        if definition is not None:
            snapshot.definitions[task_id] = to_definition(task_id, *definition)
    except ValueError as error:
        snapshot.states.pop(task_id, None)
        snapshot.unreadable[task_id] = str(error)


def to_runs(rows: Iterable[Iterable[Any]]) -> list[RunRow]:
    """Return stored runs, their columns in the order of `RunRow`; unreadable ones are logged and left out."""
    runs = []
    for row in rows:
        run = RunRow._make(row)
        try:
            runs.append(run._replace(status=TaskStatus(run.status), late=bool(run.late)))
        except ValueError as error:
            log_unreadable_run(run.task_id, run.epoch, error)
    return runs


def newest(runs: Iterable[RunRow], limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
    """Return the finished ones of runs that come by epoch, at most as many of a task as its limit says."""
    found: dict[str, list[RunRow]] = {}
    for run in runs:
        if run.finished is not None and limits[run.task_id] > 0:
            found.setdefault(run.task_id, []).append(run)
    return {task_id: of_task[-limits[task_id] :] for task_id, of_task in found.items()}


def log_unreadable_run(task_id: str, epoch: int, error: ValueError) -> None:
    """Log that a stored run is unreadable."""
    log(logging.WARNING, f"the stored run {epoch} of task {task_id!r} is unreadable: {error}")


def _from_json(text: Any, name: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: {error}") from None
