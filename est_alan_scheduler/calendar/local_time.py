"""Wall time of this machine's zone, to UTC and back.

Naive local datetimes cannot be subtracted across a clock change, and 01:30 happens twice in autumn. So all comparisons
and differences are made in UTC (naive, which is cheap). The rules are the operating system's, read by way of
`datetime`; no clock is read here.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

# Bound once, from the real class: freezegun swaps the name `datetime` in this module, and its class answers with the
# frozen offset instead of the zone's rules. The other direction, `astimezone` of a naive time, is not used: its answers
# within a gap differ between releases of Python (gh-83861).
_from_timestamp = datetime.fromtimestamp

_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)  # more than any offset from UTC; and no zone has changed its clock twice within six days
_MAX_DAYS = 4096


class _Offsets:
    """The zone's UTC offset of each local day that has only one; any other day is looked up each time."""

    __slots__ = ("days", "zone")

    def __init__(self) -> None:
        self.zone = time.tzname  # `time.tzset` makes a new tuple: another identity means another zone
        self.days: dict[int, timedelta] = {}


_offsets = _Offsets()


def to_utc(wall: datetime) -> datetime:
    """Return the naive UTC moment of `wall`: naive local (its `fold` obeyed), or aware.

    A wall time that the zone skips is read with the offset before the gap, as PEP 495 has it. At the ends of the
    calendar, where UTC would lie outside it, `wall` itself.
    """
    if wall.tzinfo is not None:
        wall = to_wall(wall)
    offsets = _offsets
    try:
        if offsets.zone is time.tzname:
            offset = offsets.days.get(wall.toordinal())
            if offset is not None:
                return wall - offset
        return wall - _look_up(wall)
    except (OverflowError, ValueError):
        return wall


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


def from_utc(utc: datetime) -> datetime:
    """Return the naive local wall time at a naive UTC moment, `fold` set in a repeated hour.

    At the ends of the calendar, where that would lie outside it, `utc` itself.
    """
    offset = steady_offset(utc)
    try:
        return _ask_system(utc) if offset is None else utc + offset
    except (OverflowError, ValueError):
        return utc


def steady_offset(utc: datetime) -> timedelta | None:
    """Return the zone's UTC offset at a naive UTC moment, if it is the same for at least a day after that."""
    offsets = _offsets
    if offsets.zone is time.tzname:
        offset = offsets.days.get(utc.toordinal())  # it holds for the UTC day of that date as well
        if offset is not None:
            return offset
    try:
        _look_up(utc)
    except (OverflowError, ValueError):  # the ends of the calendar
        return None
    return _offsets.days.get(utc.toordinal())


def _ask_system(utc: datetime) -> datetime:
    seconds = (utc - _EPOCH) // _SECOND
    return _from_timestamp(seconds).replace(microsecond=utc.microsecond)


def first_instant(wall: datetime) -> datetime | None:
    """Return the naive UTC moment at which the naive local time `wall` first comes.

    If the zone skips `wall`, that is the first moment after the gap; if it skips the whole date, None.
    """
    if wall.fold:
        wall = wall.replace(fold=0)
    offset = steady_offset(wall)  # kept by date, of UTC or of wall time
    if offset is not None:
        return wall - offset
    utc = to_utc(wall)
    try:
        if from_utc(utc) == wall:
            return utc
    except (OverflowError, ValueError):  # the ends of the calendar
        return utc
    return end_of_gap(wall, to_utc(wall.replace(fold=1)), utc, from_utc)


def end_of_gap(
    wall: datetime, before: datetime, after: datetime, wall_at: Callable[[datetime], datetime]
) -> datetime | None:
    """Return the first instant after the gap that skips `wall`; None if that gap skips its whole date.

    The gap's end lies after the instant `before` and not after `after`: read with the offset on the other side of the
    gap, `wall` comes too early or too late by the gap's length. `wall_at` gives the wall time at an instant.
    """
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if wall_at(middle) > wall:
            after = middle
        else:
            before = middle
    after = after.replace(microsecond=0)
    exists = wall_at(after - _SECOND).date() >= wall.date() or wall_at(after).date() <= wall.date()
    return after if exists else None


def _look_up(wall: datetime) -> timedelta:
    global _offsets
    if _offsets.zone is not time.tzname or len(_offsets.days) >= _MAX_DAYS:
        _offsets = _Offsets()
    offsets = _offsets
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    before, after = _offset_at(midnight - _DAY), _offset_at(midnight + 2 * _DAY)
    if before == after:
        offsets.days[wall.toordinal()] = before
        return before
    valid = [offset for offset in (before, after) if _ask_system(wall - offset) == wall]
    if not valid:  # in a gap
        return after if wall.fold else before
    return min(valid) if wall.fold else max(valid)


def _offset_at(utc: datetime) -> timedelta:
    return _ask_system(utc) - utc
