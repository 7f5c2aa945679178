"""`at`: one slot for every local date that exists, at a wall time or at the first valid instant after it."""

from collections.abc import Iterator
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

    shortest = timedelta(hours=20)  # a change of the clock takes off three at most

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
        # A slot that was skipped may lie ahead a little.
        day = today if last is None else max(today, self.zone.from_utc(last).date())
        # The slot of the day before counts only where a gap has pushed it into today; the zone may skip the day after.
        for slot in self._slots(day, -1, 0, 1, 2):
            if (last is None or last < slot) and self.zone.from_utc(slot).date() >= today:
                return slot
        return None

    @override
    def after(self, moment: datetime) -> datetime | None:
        day = self.zone.from_utc(moment).date()
        # The clock may have gone back over midnight, and the zone may skip a day.
        return next((slot for slot in self._slots(day, 0, 1, 2, 3) if slot > moment), None)

    @override
    def latest(self, moment: datetime) -> datetime | None:
        day = self.zone.from_utc(moment).date()
        return next((slot for slot in self._slots(day, 1, 0, -1, -2) if slot <= moment), None)

    @override
    def may_have_let_pass(self, last: datetime, now: datetime) -> bool:
        # By wall times, which is fast. The second pass of a repeated hour may show too few slots.
        slots = now.toordinal() - last.toordinal() + (now.time() >= self.at) - (last.time() >= self.at)
        return slots > 1 or now.fold == 1 or now.tzinfo is not last.tzinfo

    @override
    def dates(self, slot: datetime) -> list[date]:
        day = self.zone.from_utc(slot).date()
        is_pushed = day > date.min and slot not in self._slots(day, 0)  # by a gap, from the day before
        return [day - _DAY if is_pushed else day]

    def _slots(self, day: date, *distances: int) -> Iterator[datetime]:
        """Yield the slots of the dates at some distances, in days, from another one."""
        for distance in distances:
            try:
                slot = self.zone.first_instant(datetime.combine(day + distance * _DAY if distance else day, self.at))
            except (OverflowError, ValueError):  # outside the years 1 to 9999
                continue
            if slot is not None:
                yield slot


_daily = lru_cache(maxsize=1440)(Daily)  # so that equal schedules of many tasks are one object
