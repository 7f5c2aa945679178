"""The fields of rows in Redis: texts, of which an empty one is a None."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from est_alan_scheduler.backends.reading import log_unreadable_run, to_runs
from est_alan_scheduler.backends.rows import RunRow, State

STATE = State._fields[1:]
"""The fields of a state beside the id of the task, which is part of the key."""
RUN = RunRow._fields[2:]
"""The fields of a run beside its task and epoch."""
_TEXTS = frozenset({"status", "result", "owner", "consumed"})


def number(value: object) -> str:
    """Return a number or a text as it is stored; None is an empty text."""
    return "" if value is None else str(value)


def quoted(value: str | None) -> str:
    """Return a text in JSON, so that an empty one is not a None."""
    return "" if value is None else json.dumps(value)


def loaded(reply: bytes) -> Any:
    """Return the JSON that a script has returned; a stored byte that is no text does not spoil the rest."""
    return json.loads(reply.decode(errors="replace"))


def read_state(task_id: str, values: Sequence[str]) -> Iterator[Any]:
    """Yield the columns of a state; ValueError if one of them is invalid."""
    yield task_id
    yield from _read(STATE, values, ("error_message",))


def read_runs(found: Iterable[tuple[str, int, Sequence[str]]]) -> list[RunRow]:
    """Return runs by their ids, epochs and fields; unreadable ones are logged and left out."""
    rows = []
    for task_id, epoch, values in found:
        try:
            rows.append((task_id, epoch, *_read(RUN, values, ("result", "error"))))
        except ValueError as error:
            log_unreadable_run(task_id, epoch, error)
    return to_runs(rows)


def _read(names: Sequence[str], values: Sequence[str], quoted_names: Collection[str]) -> Iterator[Any]:
    """Yield the values of fields: None for one that is empty or missing."""
    for name, raw in zip(names, values, strict=True):
        if not raw:
            yield None
        elif name in quoted_names:
            yield str(json.loads(raw))
        else:
            yield raw if name in _TEXTS else int(raw)
