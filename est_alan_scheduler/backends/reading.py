"""Reading of stored rows: each value is checked for its type and range, and a row of nonsense never hinders others.

A store may hold anything: columns of SQLite take values of any type, fields of Redis any bytes, and others may write
them. What does not fit is reported or logged with the reason.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends.clock import EARLIEST, LATEST, is_instant
from est_alan_scheduler.backends.rows import LARGEST, Definition, InstanceRow, RunRow, Snapshot, State, is_storable
from est_alan_scheduler.task import TaskStatus

_COUNT = (0, 2**31 - 1)
_INSTANT = (EARLIEST, LATEST)
_MAX_DEPTH = 105  # of JSON: no result is written deeper than 100, and no argument, which lies deeper in its definition
_STATUSES = {status.value: status for status in TaskStatus} | {status: status for status in TaskStatus}


class _Columns(NamedTuple):
    """The columns of a row by type, each with its place and name."""

    numbers: tuple[tuple[int, str, int, int, bool], ...]  # with the least, the most, and whether it may be None
    texts: tuple[tuple[int, str, bool], ...]  # with whether it may be None


def _columns(
    fields: Sequence[str], optional: Iterable[str], texts: Iterable[str], **ranges: tuple[int, int]
) -> _Columns:
    may_be_none = set(optional)
    return _Columns(
        tuple((fields.index(name), name, *bounds, name in may_be_none) for name, bounds in ranges.items()),
        tuple((fields.index(name), name, name in may_be_none) for name in texts),
    )


_STATE = _columns(
    State._fields,
    State._field_defaults.keys() - {"attempt", "misfires", "run_requested", "runs", "consecutive_failures"},
    ("id", "error_message", "owner"),
    version=(1, LARGEST),
    epoch=(0, LARGEST),
    attempt=_COUNT,
    misfires=_COUNT,
    run_requested=_COUNT,
    runs=(0, LARGEST),
    consecutive_failures=_COUNT,
    **dict.fromkeys(("first_run_at", "last_run_at", "last_success_at", "retry_at", "misfired_at", "slot"), _INSTANT),
)
_RUN = _columns(
    RunRow._fields,
    ("slot", "finished", "result", "error"),
    ("task_id", "owner", "result", "error"),
    epoch=(1, LARGEST),
    attempt=_COUNT,
    started=_INSTANT,
    slot=_INSTANT,
    finished=_INSTANT,
)
_INSTANCE = _columns(InstanceRow._fields, (), ("owner",), since=_INSTANT, lease_until=_INSTANT)
_STATUS, _PAUSED = State._fields.index("status"), State._fields.index("paused")
_RESULT, _CONSUMED = State._fields.index("result"), State._fields.index("consumed")
_ARGUMENTS = State._fields.index("run_arguments")
_RUN_STATUS, _LATE = RunRow._fields.index("status"), RunRow._fields.index("late")
_UNKNOWN = {"slot": None, "attempt": 1, "started": 0, "finished": None, "result": None, "error": None}  # of a dead run


def to_id(raw: str | bytes) -> str:
    """Return a stored id as text: bytes that are none as halves of surrogate pairs."""
    return raw.decode(errors="surrogateescape") if isinstance(raw, bytes) else raw


def to_definition(task_id: str, text: Any, checksum: Any) -> Definition:
    """Return a stored definition; ValueError if it is not a JSON object."""
    value = _from_json(text, "the definition")
    if not isinstance(value, dict):
        raise ValueError(f"the definition must be a JSON object, it is {type(value).__name__}")
    if not _is_text(checksum):
        raise ValueError(f"hash must be a text, it is {short_repr(checksum)}")
    return Definition(task_id, text, checksum)


def to_state(values: Iterable[Any]) -> State:
    """Return a stored state, its columns in the order of `State`; ValueError if one of them is invalid."""
    columns = list(values)
    if not _fit(columns, _STATE):
        raise ValueError(next(_misfits(columns, _STATE))[1])
    columns[_STATUS], columns[_PAUSED] = _to_status(columns[_STATUS]), to_flag("paused", columns[_PAUSED])
    result, consumed, arguments = columns[_RESULT], columns[_CONSUMED], columns[_ARGUMENTS]
    if result is not None and result != "null":
        _from_json(result, "the result")
    if consumed is not None:
        moments = _from_json(consumed, "consumed")
        is_valid = isinstance(moments, dict) and all(map(is_instant, moments.values()))
        if not is_valid:
            raise ValueError(f"consumed must be a JSON object of integers, it is {short_repr(consumed)[1:-1]}")
    if arguments is not None:
        _check_arguments(arguments)
    return State._make(columns)


def _check_arguments(text: Any) -> None:
    found = _from_json(text, "run_arguments")
    types = {name: type(value) for name, value in found.items()} if isinstance(found, dict) else None
    if types != {"args": list, "kwargs": dict}:
        raise ValueError(f"run_arguments must be a JSON object of args and kwargs, it is {short_repr(text)[1:-1]}")


def to_states(rows: Iterable[Iterable[Any]]) -> dict[str, State]:
    """Return the readable ones of stored states, by id."""
    states = {}
    for row in rows:
        try:
            state = to_state(row)
        except ValueError:
            continue
        states[state.id] = state
    return states


def add_task(
    snapshot: Snapshot, task_id: str, state: Iterable[Any], definition: tuple[Any, Any] | None, removed: Any = False
) -> None:
    """Add a task's state to a snapshot, and its definition (JSON and hash) if that has changed."""
    is_id, problem = is_storable(task_id), None
    try:
        if definition is not None and is_id:
            snapshot.definitions[task_id] = to_definition(task_id, *definition)
    except ValueError as error:
        problem = str(error)
    try:
        if to_flag("removed", removed):
            raise ValueError(f"removed must be false, it is {short_repr(removed)}")
        snapshot.states[task_id] = to_state(state)
    except ValueError as error:
        problem = str(error)
    if not is_id:
        problem = "its id is no text"
    if problem is not None:
        snapshot.states.pop(task_id, None)
        snapshot.unreadable[task_id] = problem


def to_runs(rows: Iterable[Iterable[Any]], is_dead: bool = False) -> list[RunRow]:
    """Return stored runs, their columns in the order of `RunRow`; unreadable ones are logged and left out.

    Of dead runs, which are to be reaped, a value of nonsense counts as unknown, but for task, epoch and owner.
    """
    runs = []
    for row in rows:
        columns = list(row)
        try:
            for place, problem in _misfits(columns, _RUN):
                if not is_dead or RunRow._fields[place] not in _UNKNOWN:
                    raise ValueError(problem)
                columns[place] = _UNKNOWN[RunRow._fields[place]]
            columns[_RUN_STATUS] = TaskStatus.RUNNING if is_dead else _to_status(columns[_RUN_STATUS])
            columns[_LATE] = not is_dead and to_flag("late", columns[_LATE])
            runs.append(RunRow._make(columns))
        except ValueError as error:
            if not is_dead:  # these are looked for again and again
                log_unreadable_run(columns[0], columns[1], error)
    return runs


def to_instances(rows: Iterable[Iterable[Any]]) -> list[InstanceRow]:
    """Return stored leases, their columns in the order of `InstanceRow`; unreadable ones are left out."""
    found = map(list, rows)
    return [InstanceRow._make(columns) for columns in found if not any(_misfits(columns, _INSTANCE))]


def newest(runs: Iterable[RunRow], limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
    """Return the finished ones of runs that come by epoch, at most as many of a task as its limit says."""
    found: dict[str, list[RunRow]] = {}
    for run in runs:
        if run.finished is not None and limits[run.task_id] > 0:
            found.setdefault(run.task_id, []).append(run)
    return {task_id: of_task[-limits[task_id] :] for task_id, of_task in found.items()}


def to_flag(name: str, value: Any) -> bool:
    """Return a stored truth value; ValueError if it is none."""
    if type(value) in (bool, int) and value in (0, 1):
        return bool(value)
    raise ValueError(f"{name} must be true or false, it is {short_repr(value)}")


def log_unreadable_run(task_id: object, epoch: object, error: ValueError) -> None:
    """Log that a stored run is unreadable."""
    log(logging.WARNING, f"the stored run {short_repr(epoch)} of task {short_repr(task_id)} is unreadable: {error}")


def _fit(values: Sequence[Any], columns: _Columns) -> bool:
    """Return whether there are no misfits. Each row that is read needs this."""
    for place, _, least, most, may_be_none in columns.numbers:
        value = values[place]
        if value is None:
            if not may_be_none:
                return False
        elif type(value) is not int or not least <= value <= most:
            return False
    for place, _, may_be_none in columns.texts:
        value = values[place]
        if value is None:
            if not may_be_none:
                return False
        elif not _is_text(value):
            return False
    return True


def _misfits(values: Sequence[Any], columns: _Columns) -> Iterator[tuple[int, str]]:
    """Yield the places of values that do not fit their columns, each with what is wrong."""
    for place, name, least, most, may_be_none in columns.numbers:
        value = values[place]
        if value is None:
            if may_be_none:
                continue
        elif type(value) is int and least <= value <= most:
            continue
        yield place, f"{name} must be an integer from {least} to {most}, it is {short_repr(value)}"
    for place, name, may_be_none in columns.texts:
        value = values[place]
        if not _is_text(value) and (value is not None or not may_be_none):
            yield place, f"{name} must be a text, it is {short_repr(value)}"


def _to_status(value: Any) -> TaskStatus:
    status = _STATUSES.get(value) if isinstance(value, str) else None
    if status is None:
        raise ValueError(f"{short_repr(value)} is not a valid TaskStatus")
    return status


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and ((value.isascii() and "\0" not in value) or is_storable(value))


def _from_json(text: Any, name: str) -> Any:
    try:
        if not _is_text(text):
            raise ValueError(f"{short_repr(text)} is no text")
        value = _decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: {error}") from None
    if text.count("[") + text.count("{") > _MAX_DEPTH and not _is_shallow(value):
        raise ValueError(f"{name} is nested more than {_MAX_DEPTH} deep")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        parts = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [item for items in parts for item in items]
        if not level:
            return True
    return not any(isinstance(part, dict | list) for part in level)
