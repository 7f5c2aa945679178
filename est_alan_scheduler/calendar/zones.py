"""Time zones: from wall times to instants and back, exact at every clock change.

Instants are naive UTC, wall times are naive. A skipped wall time comes at the first instant after the gap, a repeated
one at its first occurrence: so it has exactly one instant on every local date that exists. No clock is read here.
"""

import re
import time
from datetime import MINYEAR, UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from typing_extensions import override

# Bound once, from the real class: freezegun swaps the name `datetime` in this module, and its class answers with the
# frozen offset instead of the zone's rules. The other direction, `astimezone` of a naive time, is not used: its answers
# within a gap differ between releases of Python (gh-83861).
_from_timestamp = datetime.fromtimestamp

_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)  # more than any offset from UTC; and no zone has changed its clock twice within six days
_MAX_DAYS = 4096
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
# No clock is changed in the first and last days of the calendar, and beyond them there is nothing to ask for.
_FIRST, _LAST = datetime(1, 1, 3), datetime(9999, 12, 28)


def _end(moment: datetime) -> datetime:
    """Return the end of the calendar that is near a moment."""
    return datetime.min if moment.year == MINYEAR else datetime.max


class Zone:
    """A time zone. Where an answer would lie outside the calendar, its first or last moment is the answer."""

    def __init__(self) -> None:
        self._machine = time.tzname  # `time.tzset` makes a new tuple: another identity means another zone
        self._days: dict[int, timedelta] = {}  # the offset of each date that has only one, in UTC and in wall time

    def _ask(self, utc: datetime) -> datetime:
        """Return what `from_utc` does, by the rules. Raises `OverflowError` or `ValueError` outside the calendar."""
        raise NotImplementedError

    def instant(self, moment: datetime) -> datetime:
        """Return the instant of an aware moment, or of a naive one in the time of this machine.

        In frozen time, a naive one has to come from the clock itself. When that clock is gone, and freezegun's
        `timestamp` raises `IndexError`, it is a time of this machine like any other.
        """
        try:
            if moment.tzinfo is None:
                return datetime.fromtimestamp(moment.timestamp(), UTC).replace(tzinfo=None)
            return (moment - moment.utcoffset()).replace(tzinfo=None, fold=0)  # type: ignore[operator]  # it is aware
        except IndexError:
            return LOCAL.to_utc(moment)
        except (OverflowError, ValueError):
            return moment.replace(tzinfo=None, fold=0)

    def show(self, utc: datetime) -> datetime:
        """Return an instant as a moment in this zone: aware, but for the zone of this machine."""
        raise NotImplementedError

    def to_utc(self, wall: datetime) -> datetime:
        """Return the instant of a wall time, its `fold` obeyed, or of an aware moment.

        A wall time that the zone skips is read with the offset before the gap, as PEP 495 has it.
        """
        if wall.tzinfo is not None:
            return self.instant(wall)
        try:
            if self._machine is time.tzname:
                offset = self._days.get(wall.toordinal())
                if offset is not None:
                    return wall - offset
            return wall - self._look_up(wall)
        except (OverflowError, ValueError):
            return _end(wall)

    def from_utc(self, utc: datetime) -> datetime:
        """Return the wall time of an instant, `fold` set in a repeated hour."""
        offset = self.steady_offset(utc)
        try:
            return self._ask(utc) if offset is None else utc + offset
        except (OverflowError, ValueError):
            return _end(utc)

    def steady_offset(self, utc: datetime) -> timedelta | None:
        """Return the offset from UTC at an instant, if it is the same for at least a day after that."""
        if self._machine is time.tzname:
            offset = self._days.get(utc.toordinal())
            if offset is not None:
                return offset
        try:
            self._look_up(utc)
        except (OverflowError, ValueError):
            return None
        return self._days.get(utc.toordinal())

    def first_instant(self, wall: datetime) -> datetime | None:
        """Return the instant at which a wall time first comes; None if the zone skips its whole date.

        If the zone skips `wall` alone, that is the first instant after the gap.
        """
        if wall.fold:
            wall = wall.replace(fold=0)
        offset = self.steady_offset(wall)
        if offset is not None:
            try:
                return wall - offset
            except OverflowError:
                return _end(wall)
        # In a gap, `wall` comes too late by the gap's length when read with the offset before it, and too early with
        # the one after it: the end lies between.
        before, after = self.to_utc(wall.replace(fold=1)), self.to_utc(wall)
        if before == after or self.from_utc(after) == wall:  # equal, but not `wall`: at the ends of the calendar
            return after
        while after - before > _SECOND:
            middle = before + (after - before) // 2 // _SECOND * _SECOND
            if self.from_utc(middle) > wall:
                after = middle
            else:
                before = middle
        after = after.replace(microsecond=0)
        exists = self.from_utc(after - _SECOND).date() >= wall.date() or self.from_utc(after).date() <= wall.date()
        return after if exists else None

    def change(self, before: datetime, after: datetime) -> datetime | None:
        """Return when the clock is changed between two instants, a few days apart at most; None if it is not."""
        before, after = before.replace(microsecond=0), after.replace(microsecond=0)
        offset = self.from_utc(before) - before
        if self.from_utc(after) - after == offset:
            return None
        while after - before > _SECOND:
            middle = before + (after - before) // 2 // _SECOND * _SECOND
            if self.from_utc(middle) - middle == offset:
                before = middle
            else:
                after = middle
        return after

    def _look_up(self, wall: datetime) -> timedelta:
        """Return the offset at a wall time by the rules, and keep it if it is the only one of that date."""
        if self._machine is not time.tzname or len(self._days) >= _MAX_DAYS:
            self._days = {}
            self._machine = time.tzname  # last: another thread trusts the offsets from then on
        days = self._days
        midnight = min(max(wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0), _FIRST), _LAST)
        before, after = (self._ask(utc) - utc for utc in (midnight - _DAY, midnight + 2 * _DAY))
        if before == after:
            days[wall.toordinal()] = before
            return before
        valid = [offset for offset in (before, after) if self._ask(wall - offset) == wall]
        if not valid:  # in a gap
            return after if wall.fold else before
        return min(valid) if wall.fold else max(valid)


class LocalZone(Zone):
    """The zone of this machine, by the rules of the operating system."""

    @override
    def _ask(self, utc: datetime) -> datetime:
        return _from_timestamp((utc - _EPOCH) // _SECOND).replace(microsecond=utc.microsecond)

    @override
    def instant(self, moment: datetime) -> datetime:
        return self.to_utc(to_wall(moment))

    show = Zone.from_utc


class NamedZone(Zone):
    """A zone of the IANA database, or one with a fixed offset."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.tz = _read_zone(name)

    @override
    def _ask(self, utc: datetime) -> datetime:
        return self.tz.fromutc(utc.replace(tzinfo=self.tz)).replace(tzinfo=None)

    @override
    def show(self, utc: datetime) -> datetime:
        try:
            return self.tz.fromutc(utc.replace(tzinfo=self.tz))
        except OverflowError:
            return utc.replace(tzinfo=self.tz)


LOCAL = LocalZone()


@lru_cache(maxsize=1024)
def named(name: str) -> NamedZone:
    """Return the zone of that name, `"Asia/Seoul"` or `"+08:00"`. Raises what `ZoneInfo` raises if there is none."""
    return NamedZone(name)


def _read_zone(name: str) -> tzinfo:
    match = _OFFSET.fullmatch(name)
    if match is not None:
        hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        if name == "UTC":  # which needs no database
            return UTC
        raise


def to_wall(moment: datetime) -> datetime:
    """Return an aware `moment` as naive local time; a naive one as it is.

    By way of `datetime.fromtimestamp` looked up at call time, so that it agrees with `datetime.now` when both are
    frozen.
    """
    if moment.tzinfo is None:
        return moment
    try:
        return datetime.fromtimestamp(moment.timestamp())
    except (OverflowError, ValueError):  # the ends of the calendar
        return moment.replace(tzinfo=None)


# True time and the machine's clock differ if a test has frozen the clock: its wall time is then at a constant offset,
# whatever the rules of the machine's zone. `here` is the true instant of `now`.


def is_frozen(now: datetime) -> bool:
    """Return whether `now` was read from a frozen clock: such a moment is of a class of its own."""
    return type(now) is not type(_EPOCH)


def to_clock(instant: datetime, now: datetime, here: datetime) -> datetime:
    """Return a true instant in the UTC of the machine's clock."""
    try:
        return LOCAL.to_utc(now + (instant - here)) if is_frozen(now) else instant
    except OverflowError:  # the end of the calendar
        return instant


def from_clock(wall: datetime, now: datetime, here: datetime) -> datetime:
    """Return the true instant of a naive wall time of the machine's clock."""
    try:
        return here + (wall - now) if is_frozen(now) else LOCAL.to_utc(wall)
    except OverflowError:
        return wall
