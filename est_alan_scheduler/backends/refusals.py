"""Writes that a store refuses for what they are: each row is written alone, and then in plainer words."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from est_alan_scheduler.backends.backend import Backend, ValueRefusedError

_Row = TypeVar("_Row")
_Answer = TypeVar("_Answer", dict[Any, Any], set[Any])


def write_apart(
    backend: Backend,
    write: Callable[[Sequence[_Row]], _Answer],
    rows: Sequence[_Row],
    variants: Callable[[_Row], Sequence[_Row]],
    note: Callable[[_Row, ValueRefusedError, bool], None],
) -> _Answer:
    """Write rows, together if the store takes them so, and return its answers as one.

    A row that it refuses even alone is written as the first of its `variants` that it takes. `note` is told about such
    a row, and whether that was possible.
    """
    try:
        return write(rows)
    except ValueRefusedError as error:
        if len(rows) == 1:
            return _write_variant(backend, write, rows[0], variants, note, error)
        half = len(rows) // 2
        first, second = (write_apart(backend, write, part, variants, note) for part in (rows[:half], rows[half:]))
        return first | second


def _write_variant(
    backend: Backend,
    write: Callable[[Sequence[_Row]], _Answer],
    row: _Row,
    variants: Callable[[_Row], Sequence[_Row]],
    note: Callable[[_Row, ValueRefusedError, bool], None],
    error: ValueRefusedError,
) -> _Answer:
    for variant in variants(row):
        try:
            answer = write([variant])
        except ValueRefusedError:
            continue
        note(row, error, True)
        return answer
    backend.instances()  # raises an error if the store refuses everything: then no row is to blame
    note(row, error, False)
    return write([])  # its empty answer
