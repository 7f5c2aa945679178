"""`at`: one slot for every local date that exists, at a wall time or at the first valid instant after it."""

from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache

from typing_extensions import override

from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.schedules.schedule import Kind

_DAY = timedelta(days=1)


class Daily(Kind):
    """A time of day, `"HH:MM"`."""

    __slots__ = ("at", "zone")

    def __init__(self, at: str, zone: Zone = LOCAL) -> None:
        self.at = time_of_day(int(at[:2]), int(at[3:]))
        self.zone = zone

    @classmethod
    @override
    def of(cls, value: str, zone: Zone) -> "Daily":
        return _daily(value, zone)

    @classmethod
    @override
    def describe(cls, value: str, zone: str) -> str:
        return f"at {value}{zone}"

    @override
    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:
        today = self.zone.from_utc(here).date()
        # After the clock went back, the last run may lie days ahead.
        day = today if last is None else max(today, self.zone.from_utc(last).date())
        # The slot of the day before counts only where a gap has pushed it into today; the zone may skip the day after.
        for days in (-1, 0, 1, 2):
            slot = self._slot(day, days)
            if slot is not None and (last is None or last < slot) and self.zone.from_utc(slot).date() >= today:
                return slot
        return None

    @override
    def after(self, moment: datetime) -> datetime | None:
        offset = self.zone.steady_offset(moment)
        wall = self.zone.from_utc(moment) if offset is None else moment + offset
        day = wall.date()
        is_over = offset is not None and wall.time() >= self.at
        # The clock may have gone back over midnight, and the zone may skip a day.
        for days in (1, 2, 3) if is_over else (0, 1, 2, 3):
            slot = self._slot(day, days)
            if slot is not None and slot > moment:
                return slot
        return None

    @override
    def latest(self, moment: datetime) -> datetime | None:
        day = self.zone.from_utc(moment).date()
        for days in (1, 0, -1, -2):
            slot = self._slot(day, days)
            if slot is not None and slot <= moment:
                return slot
        return None

    @override
    def local_date(self, slot: datetime) -> date:
        day = self.zone.from_utc(slot).date()
        return day if self._slot(day, 0) == slot else day - _DAY  # pushed into the next day by a gap

    def _slot(self, day: date, days: int) -> datetime | None:
        try:
            return self.zone.first_instant(datetime.combine(day + days * _DAY if days else day, self.at))
        except (OverflowError, ValueError):  # outside the years 1 to 9999
            return None


_daily = lru_cache(maxsize=1440)(Daily)  # so that equal schedules of many tasks are one object
