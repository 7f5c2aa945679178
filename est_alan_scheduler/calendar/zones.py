"""Time zones: from wall times to instants and back, exact at every clock change.

Instants are naive UTC, wall times are naive. A skipped wall time comes at the first instant after the gap, a repeated
one at its first occurrence: so it has exactly one instant on every local date that exists.
"""

import contextlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from est_alan_scheduler.calendar import local_time

_EPOCH = datetime(1970, 1, 1)  # of the real class, which freezegun swaps wherever it finds it by name
_DAY = timedelta(days=1)  # more than any offset from UTC
_MAX_DAYS = 4096


class LocalZone:
    """The zone of this machine: its moments are naive, and its instants agree with a frozen clock."""

    to_utc = staticmethod(local_time.to_utc)
    from_utc = staticmethod(local_time.from_utc)
    first_instant = staticmethod(local_time.first_instant)
    steady_offset = staticmethod(local_time.steady_offset)
    instant = staticmethod(local_time.to_utc)
    show = staticmethod(local_time.from_utc)


class NamedZone:
    """A zone of the IANA database."""

    def __init__(self, name: str) -> None:
        self._tz = ZoneInfo(name)
        self._days: dict[int, timedelta] = {}  # the offset of each date that has only one, as in `local_time`

    def to_utc(self, wall: datetime) -> datetime:
        """Return the instant of a naive wall time, its `fold` obeyed; in a gap, with the offset before it (PEP 495)."""
        return wall.replace(fold=0) - wall.replace(tzinfo=self._tz).utcoffset()  # type: ignore[operator]  # never None

    def from_utc(self, utc: datetime) -> datetime:
        """Return the naive wall time of an instant, `fold` set in a repeated hour."""
        offset = self.steady_offset(utc)
        return self._ask(utc) if offset is None else utc + offset

    def steady_offset(self, utc: datetime) -> timedelta | None:
        """Return the offset from UTC at an instant, if it is the same for at least a day after that."""
        day = utc.toordinal()
        offset = self._days.get(day)
        if offset is None:
            with contextlib.suppress(OverflowError):  # the ends of the calendar
                self._learn(utc)
            offset = self._days.get(day)
        return offset

    def first_instant(self, wall: datetime) -> datetime | None:
        """Return the instant at which a naive wall time first comes; None if the zone skips its whole date."""
        offset = self._days.get(wall.toordinal())
        if offset is not None:
            return wall - offset
        try:
            self._learn(wall)
            wall = wall.replace(fold=0)
            instant, other = self.to_utc(wall), self.to_utc(wall.replace(fold=1))
        except OverflowError:  # the ends of the calendar
            return wall
        if instant <= other:  # equal on any other day, less where `wall` is repeated
            return instant
        return local_time.end_of_gap(wall, other, instant, self._ask)

    def instant(self, wall: datetime) -> datetime:
        """Return the instant of an aware moment, or of a naive one in the time of this machine.

        In frozen time, a naive one has to come from the clock itself.
        """
        if wall.tzinfo is None:
            return datetime.fromtimestamp(wall.timestamp(), UTC).replace(tzinfo=None)
        return (wall - wall.utcoffset()).replace(tzinfo=None, fold=0)  # type: ignore[operator]  # of an aware one

    def show(self, utc: datetime) -> datetime:
        """Return an instant as an aware moment in this zone."""
        try:
            return self._tz.fromutc(utc.replace(tzinfo=self._tz))
        except OverflowError:  # the end of the calendar
            return utc.replace(tzinfo=self._tz)

    def _ask(self, utc: datetime) -> datetime:
        return self.show(utc).replace(tzinfo=None)

    def _learn(self, wall: datetime) -> None:
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        before, after = midnight - _DAY, midnight + 2 * _DAY  # no zone has changed its clock twice within six days
        if self._ask(before) - before == self._ask(after) - after:
            if len(self._days) >= _MAX_DAYS:
                self._days = {}
            self._days[wall.toordinal()] = self._ask(before) - before


Zone = LocalZone | NamedZone

LOCAL = LocalZone()


# True time and the machine's clock differ if a test has frozen the clock: its wall time is then at a constant offset,
# whatever the rules of the machine's zone. `here` is the true instant of `now`.


def is_frozen(now: datetime) -> bool:
    """Return whether `now` was read from a frozen clock: such a moment is of a class of its own."""
    return type(now) is not type(_EPOCH)


def to_clock(instant: datetime, now: datetime, here: datetime) -> datetime:
    """Return a true instant in the UTC of the machine's clock."""
    try:
        return local_time.to_utc(now + (instant - here)) if is_frozen(now) else instant
    except OverflowError:  # the end of the calendar
        return instant


def from_clock(wall: datetime, now: datetime, here: datetime) -> datetime:
    """Return the true instant of a naive wall time of the machine's clock."""
    try:
        return here + (wall - now) if is_frozen(now) else local_time.to_utc(wall)
    except OverflowError:
        return wall


@lru_cache(maxsize=1024)
def named(name: str) -> NamedZone:
    """Return the zone of that name. Raises what `ZoneInfo` raises if there is none."""
    return NamedZone(name)
