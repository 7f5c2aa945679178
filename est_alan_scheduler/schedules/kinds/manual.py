"""`manual`: no slots. Requests alone let the task run."""

from datetime import datetime

from typing_extensions import override

from est_alan_scheduler.calendar.zones import Zone
from est_alan_scheduler.schedules.schedule import NoSlots
from est_alan_scheduler.task import Task


class Manual(NoSlots):
    """Never due by itself."""

    __slots__ = ()

    meaningless = (*NoSlots.meaningless, "run_immediately")

    @classmethod
    @override
    def of(cls, value: bool, zone: Zone) -> "Manual":
        return _MANUAL

    @classmethod
    @override
    def describe(cls, value: bool, zone: str) -> str:
        return "by run_now only"

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        return None


_MANUAL = Manual()
