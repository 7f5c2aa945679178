"""`cron`: the slots of an expression, by way of cronsim (the extra `cron`), exact at every clock change.

Fixed minutes and hours mean wall times: like `at`, they come once on every date that exists. If either is a wildcard
(`*`, `*/n`), elapsed time counts: a gap has no slots to make up for, and a repeated hour counts twice. So does Debian's
cron, which cronsim follows for five fields and a wall clock; here it is so for all expressions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from contextlib import suppress
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from typing_extensions import override

from est_alan_scheduler.calendar.zones import Zone
from est_alan_scheduler.schedules.schedule import Kind

if TYPE_CHECKING:
    from cronsim import CronSim

_SECOND, _HOUR, _DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_FIRST = datetime.min + _SECOND


class Cron(Kind):
    """A cron expression."""

    __slots__ = ("_hourly", "_is_fixed", "_new", "_state", "zone")

    waits_for_slot = True

    def __init__(self, expression: str, zone: Zone) -> None:
        from est_alan_scheduler.calendar.cron_expression import parse  # late: most programs have no expressions

        self.zone = zone
        parsed = parse(expression)
        self._state = parsed.walk.__dict__
        self._new = partial(object.__new__, type(parsed.walk))
        self._is_fixed = not parsed.minutes.text.startswith("*") and not parsed.hours.text.startswith("*")
        # The minutes and seconds, if all hours have the same.
        is_each_hour = all(field.is_full for field in (parsed.hours, parsed.days, parsed.months, parsed.weekdays))
        self._hourly = (parsed.minutes.numbers, parsed.seconds.numbers) if is_each_hour and not self._is_fixed else None

    @classmethod
    @override
    def of(cls, value: str, zone: Zone) -> Cron:
        return _cron(value, zone)

    @classmethod
    @override
    def describe(cls, value: str, zone: str) -> str:
        from est_alan_scheduler.calendar.cron_expression import parse
        from est_alan_scheduler.calendar.cron_prose import in_words, nth_weekday

        expression = parse(value)
        both = nth_weekday(expression)
        return f"{in_words(expression)}{zone}" + (f" (for days that are both: cron={both!r})" if both else "")

    @override
    def after(self, moment: datetime) -> datetime | None:
        return self._find(moment, 1)

    @override
    def latest(self, moment: datetime) -> datetime | None:
        return self._find(moment, -1)

    @override
    def number(self, after: datetime, until: datetime) -> int | None:
        offset = self._offset(after)
        if self._hourly is None or (self._offset(until) - offset) % _HOUR:  # else each hour that passes counts
            return None
        minutes, seconds = self._hourly

        def up_to(moment: datetime) -> int:
            wall = moment + offset
            hours = wall.toordinal() * 24 + wall.hour
            number = (hours * len(minutes) + bisect_left(minutes, wall.minute)) * len(seconds)
            return number + (bisect_right(seconds, wall.second) if wall.minute in minutes else 0)

        return up_to(until) - up_to(after)

    @override
    def dates(self, slot: datetime) -> list[date]:
        wall, before = self.zone.from_utc(slot), self.zone.from_utc(max(slot, _FIRST) - _SECOND) + _SECOND
        if not self._is_fixed or before.date() == wall.date():
            return [wall.date()]
        # A gap over midnight: of the skipped wall times, those of both dates may be asked for.
        midnight = datetime.combine(wall, time_of_day())
        asked = [next(self._walk(start - _SECOND, 1), None) for start in (before, midnight)]
        return [at.date() for at in asked if at is not None and at <= wall and self.zone.first_instant(at) == slot]

    def _find(self, moment: datetime, direction: int) -> datetime | None:
        """Return the first slot after a moment, or with the direction -1 the last one at or before it."""
        with suppress(StopIteration, OverflowError, ValueError):  # after fifty years, or at the end of the calendar
            return self._fixed(moment, direction) if self._is_fixed else self._elapsed(moment, direction)
        return None

    def _fixed(self, moment: datetime, direction: int) -> datetime | None:
        start = self._start(moment, self._offset(moment), direction)
        if direction < 0 and self._offset(moment - _DAY) != self._offset(moment):
            start += _DAY  # within a repeated hour, later wall times may have come already
        for wall in self._walk(start, direction):
            slot = self.zone.first_instant(wall)
            if slot is not None and (slot > moment) == (direction > 0):
                return slot
        return None

    def _elapsed(self, moment: datetime, direction: int) -> datetime | None:
        # From one clock change to the next. Not by cronsim's own support for zones: a repeated half hour (Lord Howe)
        # leads it back in time.
        offset, beyond = self._offset(moment), moment + direction * _DAY
        start = self._start(moment, offset, direction)
        if self._offset(beyond) != offset:
            change = self.zone.change(min(moment, beyond), max(moment, beyond) + _SECOND) or beyond
            slot = next(self._walk(start, direction)) - offset
            if (slot < change) == (direction > 0):
                return slot
            before = change - _SECOND
            offset = self._offset(change if direction > 0 else before)
            start = self._start(before, offset, direction)
        for wall in self._walk(start, direction):
            slot = wall - offset
            if self._offset(slot) == offset:
                return slot
            slot = self.zone.to_utc(wall.replace(fold=int(direction < 0)))
            if self.zone.from_utc(slot) == wall:  # not in a gap
                return slot
        return None

    @staticmethod
    def _start(moment: datetime, offset: timedelta, direction: int) -> datetime:
        """Return the wall time to walk from, so that a slot at `moment` is passed over only on the way ahead."""
        return moment + offset if direction > 0 else moment.replace(microsecond=0) + offset + _SECOND

    def _offset(self, moment: datetime) -> timedelta:
        return self.zone.from_utc(moment) - moment

    def _walk(self, start: datetime, direction: int) -> CronSim:
        """Return the wall times of the expression from `start` on, itself left out."""
        if start.microsecond or start.fold:
            start = start.replace(microsecond=0, fold=0)
        walk = self._new()  # parsing takes longer than a step, and so does `copy`
        walk.__dict__ = {**self._state, "dt": start, "tick_direction": direction}
        return walk


_cron = lru_cache(maxsize=1024)(Cron)  # so that equal schedules of many tasks are one object
