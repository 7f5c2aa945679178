"""`run_at`: a single slot."""

from datetime import datetime, timedelta

from typing_extensions import override

from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.schedules.schedule import Kind, moment_in


class Once(Kind):
    """One moment."""

    __slots__ = ("_moment", "zone")

    shortest = timedelta.max
    is_recurring = False

    def __init__(self, moment: datetime, zone: Zone = LOCAL) -> None:
        self._moment = moment
        self.zone = zone

    @classmethod
    @override
    def of(cls, value: datetime, zone: Zone) -> "Once":
        return cls(value, zone)

    @classmethod
    @override
    def describe(cls, value: datetime, zone: str) -> str:
        return f"once at {moment_text(value, zone)}"

    @classmethod
    @override
    def is_local(cls, value: datetime) -> bool:
        return value.tzinfo is None

    @override
    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:
        return self._slot() if last is None else self.after(last)

    @override
    def after(self, moment: datetime) -> datetime | None:
        return slot if (slot := self._slot()) > moment else None

    @override
    def latest(self, moment: datetime) -> datetime | None:
        return slot if (slot := self._slot()) <= moment else None

    def _slot(self) -> datetime:
        return moment_in(self._moment, self.zone)


def moment_text(moment: datetime, zone: str) -> str:
    """Return a moment as it was set; `zone` is added to a wall time."""
    return f"{moment}{zone}" if moment.tzinfo is None else str(moment)
