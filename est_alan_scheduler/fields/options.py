"""Marks of the fields that make up a task's schedule: lists of such fields are derived from the marks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Scheduling:
    """Mark of a field that belongs to the schedule."""

    rearms: bool = False
    """Whether an assignment makes the slots of a task that has never run count from then on."""


@dataclass(frozen=True)
class Option(Scheduling):
    """Mark of a schedule option: a task has exactly one of them."""

    rearms: bool = True
    shortest_gap: Callable[[Any], float] = lambda _: float("inf")
    """The shortest time between two slots in seconds, for a value of the field: `jitter` is less than that."""


_Mark = TypeVar("_Mark", bound=Scheduling)


def marked(fields: Mapping[str, FieldInfo], mark: type[_Mark]) -> dict[str, _Mark]:
    """Return the marks of a class, by the names of the fields that bear them, in the order of the fields."""
    return {name: item for name, field in fields.items() for item in field.metadata if isinstance(item, mark)}
