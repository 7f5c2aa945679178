"""`at`: a slot for each time of every local date that exists, at that wall time or at the first instant after a gap.

With `on`, only the dates that it names have slots.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from itertools import islice

from typing_extensions import override

from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.fields.times import Times, dates_of, shortest_gap, times_of
from est_alan_scheduler.schedules.schedule import Kind

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_MIDNIGHT, _TICK = time_of_day(), timedelta(microseconds=1)
_FIRST = datetime.min + _SECOND
_MOST_CHANGED = timedelta(hours=4)  # a change of the clock takes off three at most


class Daily(Kind):
    """Times of day, `"HH:MM"` or `"HH:MM:SS"`, on all dates or on those that `on` names."""

    __slots__ = ("_at", "_dates", "_times", "shortest", "zone")

    passes_with_date = True

    def __init__(self, at: Times, zone: Zone = LOCAL, on: str | None = None) -> None:
        self._at = at
        self._times = times_of(at)
        self._dates = None if on is None else dates_of(on)
        self.zone = zone
        gap = _DAY if len(self._times) == 1 else timedelta(seconds=shortest_gap(at))
        self.shortest = max(gap - _MOST_CHANGED, Kind.shortest)

    @classmethod
    @override
    def of(cls, value: Times, zone: Zone) -> "Daily":
        return _daily(value, zone)

    @override
    def only_on(self, dates: str) -> "Daily":
        return _daily(self._at, self.zone, dates)

    @classmethod
    @override
    def describe(cls, value: Times, zone: str) -> str:
        from est_alan_scheduler.calendar.cron_prose import joined  # late: only words need it

        return f"at {value if isinstance(value, str) else joined(value)}{zone}"

    # Wall times are in the order of their slots; a repeated one comes when it first does. Away from changes of the
    # clock, which is nearly always, an offset holds for a day before a moment and for a day after it.

    @override
    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:
        offset = self.zone.steady_offset(here)
        with suppress(OverflowError):
            if offset is not None:
                midnight = datetime.combine((here + offset).date(), _MIDNIGHT) - offset - _TICK
                return self.after(midnight if last is None or last < midnight else last)
        return self._uncovered_near_change(last, here)

    def _uncovered_near_change(self, last: datetime | None, here: datetime) -> datetime | None:
        today = self.zone.from_utc(here).date()
        begin, first = datetime.combine(today, _MIDNIGHT), None
        # Slots of the day before count only where a gap has pushed them into today.
        for slot in map(self._slot, self._walls_before(begin)):
            if slot is None or (last is not None and slot <= last) or self.zone.from_utc(slot).date() < today:
                break
            first = slot
        if first is not None:
            return first
        # A slot that was skipped may lie ahead a little.
        start = begin if last is None else max(begin, self.zone.from_utc(last).replace(fold=0))
        for slot in map(self._slot, self._walls_from(start)):
            if slot is not None and (last is None or last < slot) and self.zone.from_utc(slot).date() >= today:
                return slot
        return None

    @override
    def after(self, moment: datetime) -> datetime | None:
        offset = self.zone.steady_offset(moment)
        with suppress(OverflowError):
            if offset is not None:
                wall = moment + offset
                day = wall.date()
                position = bisect_right(self._times, wall.time())
                if position < len(self._times) and (self._dates is None or day in self._dates):
                    return datetime.combine(day, self._times[position]) - offset
                if (
                    self._dates is None
                    and (slot := self._slot(datetime.combine(day + _DAY, self._times[0]))) is not None
                ):
                    return slot
        slots = map(self._slot, self._walls_from(self.zone.from_utc(moment)))
        return next((slot for slot in slots if slot is not None and slot > moment), None)

    @override
    def latest(self, moment: datetime) -> datetime | None:
        offset = self.zone.steady_offset(moment)
        with suppress(OverflowError):
            if offset is not None:
                wall = moment + offset
                day = wall.date()
                position = bisect_right(self._times, wall.time())
                if position and (self._dates is None or day in self._dates):
                    return datetime.combine(day, self._times[position - 1]) - offset
                return next(filter(None, map(self._slot, self._walls_before(wall))), None)
        wall, latest = self.zone.from_utc(moment), None
        for slot in map(self._slot, self._walls_from(wall)):  # within a repeated hour, later ones may have come already
            if slot is not None and slot > moment:
                break
            latest = slot or latest
        return latest or next(filter(None, map(self._slot, self._walls_before(wall))), None)

    @override
    def may_have_let_pass(self, last: datetime, now: datetime) -> bool:
        # By wall times, which is fast. The second pass of a repeated hour may show too few slots.
        if now.fold == 1 or now.tzinfo is not last.tzinfo:
            return True
        if self._dates is not None:
            begin, end = last.replace(tzinfo=None), now.replace(tzinfo=None)
            return sum(begin < wall <= end for wall in islice(self._walls_from(begin), 3)) > 1
        times = self._times
        passed = bisect_right(times, now.time()) - bisect_right(times, last.time())
        return (now.toordinal() - last.toordinal()) * len(times) + passed > 1

    @override
    def dates(self, slot: datetime) -> list[date]:
        wall, before = self.zone.from_utc(slot), self.zone.from_utc(max(slot, _FIRST) - _SECOND) + _SECOND
        if before.date() >= wall.date():
            return [wall.date()]
        # A gap over midnight: of the skipped wall times, those of both dates may be asked for.
        found = set[date]()
        for asked in self._walls_from(before):
            if asked > wall:
                break
            if self._slot(asked) == slot:
                found.add(asked.date())
        return sorted(found)

    def _slot(self, wall: datetime) -> datetime | None:
        """Return the instant of a wall time; None if its date does not exist."""
        try:
            return self.zone.first_instant(wall)
        except (OverflowError, ValueError):  # outside the years 1 to 9999
            return None

    def _walls_from(self, start: datetime) -> Iterator[datetime]:
        """Yield the wall times that are asked for from one on, itself included, in order."""
        first = start.date()
        for day in _every_date(first, 1) if self._dates is None else self._dates.from_on(first):
            times = self._times[bisect_left(self._times, start.time()) :] if day == first else self._times
            for time in times:
                yield datetime.combine(day, time)

    def _walls_before(self, end: datetime) -> Iterator[datetime]:
        """Yield the wall times that are asked for before one, the last one first."""
        last = end.date()
        for day in _every_date(last, -1) if self._dates is None else self._dates.down_from(last):
            times = self._times[: bisect_left(self._times, end.time())] if day == last else self._times
            for time in reversed(times):
                yield datetime.combine(day, time)


def _every_date(day: date, step: int) -> Iterator[date]:
    """Yield a date and those after it, or before it, up to the end of the calendar."""
    for number in range(day.toordinal(), (date.max if step > 0 else date.min).toordinal() + step, step):
        yield date.fromordinal(number)


_daily = lru_cache(maxsize=1440)(Daily)  # so that equal schedules of many tasks are one object
