"""`after`: no slots. New successes of other tasks let the task run; its dependencies tell whether they are new."""

from datetime import datetime

from typing_extensions import override

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.zones import Zone
from est_alan_scheduler.schedules.schedule import AT_ONCE, NoSlots
from est_alan_scheduler.task import Task


class After(NoSlots):
    """The ids of other tasks. As far as times go, the task is due at once."""

    __slots__ = ()

    @classmethod
    @override
    def of(cls, value: list[str], zone: Zone) -> "After":
        return _AFTER

    @classmethod
    @override
    def describe(cls, value: list[str], zone: str) -> str:
        return f"after {and_listed(value)}"

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        return AT_ONCE


_AFTER = After()


def and_listed(ids: list[str]) -> str:
    """Return ids as they stand in a sentence: "'a', 'b' and 'c'"."""
    *first, last = map(short_repr, ids)
    return f"{', '.join(first)} and {last}" if first else last
