"""The fields of rows in Redis: texts, of which an empty one is a None."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from est_alan_scheduler.backends.reading import to_id, to_runs
from est_alan_scheduler.backends.rows import RunRow, State

STATE = State._fields[1:]
"""The fields of a state beside the id of the task, which is part of the key."""
RUN = RunRow._fields[2:]
"""The fields of a run beside its task and epoch."""
RUN_MEMBER = re.compile(rb".+\0[0-9]{16}", re.DOTALL)
"""A member of the history."""
_TEXTS = frozenset({"status", "result", "owner", "consumed", "run_arguments"})


def number(value: object) -> str:
    """Return a number or a text as it is stored; None is an empty text."""
    return "" if value is None else str(value)


def quoted(value: str | None) -> str:
    """Return a text in JSON, so that an empty one is not a None."""
    return "" if value is None else json.dumps(value)


def sent(rows: Sequence[Any]) -> bytes:
    """Return rows as JSON for a script; the bytes of an id that is no text are those that `loaded` has read."""
    return json.dumps(rows, ensure_ascii=False).encode(errors="surrogateescape")


def can_send(task_id: str) -> bool:
    """Return whether `sent` can send an id."""
    try:
        task_id.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def integer(raw: Any) -> object:
    """Return a stored number; what is not written as scripts compare numbers stays what it is."""
    try:
        number = int(raw)
    except (TypeError, ValueError):
        return raw
    return number if str(number) == raw else raw


def loaded(reply: bytes) -> Any:
    """Return the JSON that a script has returned; a stored byte that is no text does not spoil the rest."""
    return json.loads(to_id(reply))


def read_state(task_id: str, values: Sequence[Any] | str) -> Iterator[Any]:
    """Yield the columns of a state; a value that is no number stays a text. ValueError if there are none."""
    if isinstance(values, str):
        raise ValueError(values)
    yield task_id
    yield from _read(STATE, values, ("error_message",))


def read_runs(found: Iterable[tuple[str, int, Sequence[Any] | str]], owners: Sequence[str] = ()) -> list[RunRow]:
    """Return runs by their ids, epochs and fields; unreadable ones are logged and left out.

    With the `owners` of dead runs, what makes no sense counts as unknown.
    """
    rows = [
        (task_id, epoch, *_read(RUN, (None,) * len(RUN) if isinstance(values, str) else values, ("result", "error")))
        for task_id, epoch, values in found
    ]
    if owners:
        place = RunRow._fields.index("owner")
        rows = [(*row[:place], owner, *row[place + 1 :]) for row, owner in zip(rows, owners, strict=True)]
    return to_runs(rows, is_dead=bool(owners))


def _read(names: Sequence[str], values: Sequence[Any], quoted_names: Collection[str]) -> Iterator[Any]:
    """Yield the values of fields: None for one that is empty or missing, the text of one that is invalid."""
    for name, raw in zip(names, values, strict=True):
        if not raw:
            yield None
        elif name in quoted_names:
            yield _unquoted(raw)
        elif name in _TEXTS:
            yield raw
        else:
            yield integer(raw)


def _unquoted(raw: str) -> object:
    try:
        return str(json.loads(raw))
    except (ValueError, RecursionError):
        return raw.encode(errors="surrogateescape")  # which is no text
