"""The fields of rows in Redis: texts, of which an empty one is a None."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from est_alan_scheduler.backends.reading import log_unreadable_run, to_runs
from est_alan_scheduler.backends.rows import RunRow, State

STATE = State._fields[1:]
"""The fields of a state beside the id of the task, which is part of the key."""
RUN = RunRow._fields[2:]
"""The fields of a run beside its task and epoch."""


def text(raw: bytes) -> str:
    """Return a stored text."""
    return raw.decode()


def number(value: object) -> str:
    """Return a number or a text as it is stored; None is an empty text."""
    return "" if value is None else str(value)


def quoted(value: str | None) -> str:
    """Return a text in JSON, so that an empty one is not a None."""
    return "" if value is None else json.dumps(value)


def loaded(reply: bytes) -> Any:
    """Return the JSON that a script has returned; a stored byte that is no text does not spoil the rest."""
    return json.loads(reply.decode(errors="replace"))


def _as_text(raw: str) -> str | None:
    return raw or None


def _as_number(raw: str) -> int | None:
    return int(raw) if raw else None


def _unquoted(raw: str) -> str | None:
    return str(json.loads(raw)) if raw else None


def _reader(name: str) -> Callable[[str], Any]:
    """Return the function that reads a field: it returns None for a text that is empty or missing."""
    if name in ("error", "error_message"):
        return _unquoted
    return _as_text if name in ("status", "result", "owner", "consumed") else _as_number


_OF_STATE = [_reader(name) for name in STATE]
_OF_RUN = [_unquoted if name == "result" else _reader(name) for name in RUN]


def read_state(task_id: str, values: Sequence[str]) -> Iterator[Any]:
    """Yield the columns of a state; ValueError if one of them is invalid."""
    yield task_id
    for read, raw in zip(_OF_STATE, values, strict=True):
        yield read(raw)


def read_runs(found: Iterable[tuple[str, int, Sequence[str]]]) -> list[RunRow]:
    """Return runs by their ids, epochs and fields; unreadable ones are logged and left out."""
    rows = (_row(*one) for one in found)
    return to_runs(row for row in rows if row is not None)


def _row(task_id: str, epoch: int, values: Sequence[str]) -> list[Any] | None:
    try:
        return [task_id, epoch, *(read(raw) for read, raw in zip(_OF_RUN, values, strict=True))]
    except ValueError as error:
        log_unreadable_run(task_id, epoch, error)
        return None
