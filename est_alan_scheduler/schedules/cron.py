"""`cron`: the slots of an expression, by way of cronsim (the extra `cron`), exact at every clock change.

Fixed minutes and hours mean wall times: like `at`, they come once on every date that exists. If either is a wildcard
(`*`, `*/n`), elapsed time counts: a gap has no slots to make up for, and a repeated hour counts twice. So does Debian's
cron, which cronsim follows for five fields and a wall clock; here it is so for all expressions.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from typing_extensions import override

from est_alan_scheduler.calendar.cron_expression import parse
from est_alan_scheduler.calendar.zones import Zone
from est_alan_scheduler.schedules.schedule import Kind

if TYPE_CHECKING:
    from cronsim import CronSim

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_NO_SLOT = (StopIteration, OverflowError, ValueError)  # cronsim looks fifty years ahead; the end of the calendar


class Cron(Kind):
    """A cron expression."""

    __slots__ = ("_is_fixed", "_new", "_state", "zone")

    waits_for_slot = True

    def __init__(self, expression: str, zone: Zone) -> None:
        self.zone = zone
        parsed = parse(expression)
        self._state = parsed.__dict__
        self._new = partial(object.__new__, type(parsed))
        _, minutes, hours, *_ = parsed.parts
        self._is_fixed = not minutes.startswith("*") and not hours.startswith("*")

    @classmethod
    @override
    def of(cls, value: str, zone: Zone) -> Cron:
        return _cron(value, zone)

    @classmethod
    @override
    def describe(cls, value: str, zone: str) -> str:
        words = parse(value).explain()
        return f"{words[:1].lower()}{words[1:]}{zone}"

    @override
    def after(self, moment: datetime) -> datetime | None:
        with suppress(*_NO_SLOT):
            return self._fixed_after(moment) if self._is_fixed else self._elapsed_after(moment)
        return None

    @override
    def latest(self, moment: datetime) -> datetime | None:
        with suppress(*_NO_SLOT):
            return self._fixed_latest(moment) if self._is_fixed else self._elapsed_latest(moment)
        return None

    def _fixed_after(self, moment: datetime) -> datetime | None:
        for wall in self._walk(self.zone.from_utc(moment), 1):
            slot = self.zone.first_instant(wall)
            if slot is not None and slot > moment:
                return slot
        return None

    def _fixed_latest(self, moment: datetime) -> datetime | None:
        wall = self.zone.from_utc(moment)
        if self._offset(moment - _DAY) != self._offset(moment):
            wall += _DAY  # within a repeated hour, later wall times may have come already
        for earlier in self._walk(wall.replace(microsecond=0) + _SECOND, -1):
            slot = self.zone.first_instant(earlier)
            if slot is not None and slot <= moment:
                return slot
        return None

    # Elapsed time, from one clock change to the next. Not by cronsim's own support for zones: a repeated half hour
    # (Lord Howe) leads it back in time.

    def _elapsed_after(self, moment: datetime) -> datetime | None:
        steady = self.zone.steady_offset(moment)
        if steady is not None:
            slot = next(self._walk(moment + steady, 1)) - steady
            if slot - moment <= _DAY:
                return slot
        wall, offset = self.zone.from_utc(moment), self._offset(moment)
        if self._offset(moment + _DAY) != offset:
            change = self._change(moment, moment + _DAY)
            slot = next(self._walk(wall, 1)) - offset
            if slot < change:
                return slot
            wall, offset = self.zone.from_utc(change) - _SECOND, self._offset(change)
        for later in self._walk(wall, 1):
            slot = later - offset
            if self._offset(slot) == offset:
                return slot
            slot = self.zone.to_utc(later)
            if self.zone.from_utc(slot) == later:  # not in a gap
                return slot
        return None

    def _elapsed_latest(self, moment: datetime) -> datetime | None:
        wall, offset = self.zone.from_utc(moment).replace(microsecond=0) + _SECOND, self._offset(moment)
        if self._offset(moment - _DAY) != offset:
            change = self._change(moment - _DAY, moment)
            slot = next(self._walk(wall, -1)) - offset
            if slot >= change:
                return slot
            before = change - _SECOND
            wall, offset = self.zone.from_utc(before) + _SECOND, self._offset(before)
        for earlier in self._walk(wall, -1):
            slot = earlier - offset
            if self._offset(slot) == offset:
                return slot
            slot = self.zone.to_utc(earlier.replace(fold=1))
            if self.zone.from_utc(slot) == earlier:
                return slot
        return None

    def _offset(self, moment: datetime) -> timedelta:
        return self.zone.from_utc(moment) - moment

    def _change(self, before: datetime, after: datetime) -> datetime:
        """Return the instant between two at which the clock is changed."""
        before, after = before.replace(microsecond=0), after.replace(microsecond=0) + _SECOND
        offset = self._offset(before)
        while after - before > _SECOND:
            middle = before + (after - before) // 2 // _SECOND * _SECOND
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def _walk(self, start: datetime, direction: int) -> CronSim:
        """Return the wall times of the expression from `start` on, itself left out."""
        if start.microsecond or start.fold:
            start = start.replace(microsecond=0, fold=0)
        walk = self._new()  # parsing takes longer than a step, and so does `copy`
        walk.__dict__ = {**self._state, "dt": start, "tick_direction": direction}
        return walk


_cron = lru_cache(maxsize=1024)(Cron)  # so that equal schedules of many tasks are one object
