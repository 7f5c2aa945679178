"""The axis of time: elapsed time from left to right, with ticks at the wall times of a zone.

Moments are naive UTC, so that a day of 23 or of 25 hours has its true length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from est_alan_scheduler.calendar.zones import Zone

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scale:
    """How an axis is divided; all are parts of a day in minutes."""

    line: int
    """Between two ticks."""
    label: int
    """Between two labels."""
    sparse: int
    """Between two labels where there is little room; perhaps several days."""


SCALES: Mapping[str, Scale] = {
    "hour": Scale(line=5, label=10, sparse=30),
    "day": Scale(line=60, label=180, sparse=720),
    "week": Scale(line=360, label=1440, sparse=4320),
}
"""By the span that is shown."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A wall time on the axis."""

    at: datetime
    wall: datetime
    is_day: bool
    """Whether its date begins there."""
    level: int
    """0: a line alone; 1: with a label if there is room; 2: always with a label."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the clock."""

    at: datetime
    shift: timedelta
    """How far the clock goes forward; less than nothing if it goes back."""
    wall: datetime
    """What the clock shows from then on."""


@dataclass(frozen=True)
class Axis:
    """The time from `start` to `end` in a zone; the end is later."""

    start: datetime
    end: datetime
    zone: Zone

    def place(self, at: datetime) -> float:
        """Return where a moment is, in percent from the left; the nearest edge for one that lies outside."""
        share = (at - self.start) / (self.end - self.start)
        return min(max(100 * share, 0.0), 100.0)

    def contains(self, at: datetime) -> bool:
        """Return whether a moment lies on the axis, its ends included."""
        return self.start <= at <= self.end

    def ticks(self, scale: Scale) -> list[Tick]:
        """Return the ticks, in order. A wall time that is skipped has none, one that is repeated has two."""
        found: dict[datetime, Tick] = {}
        for midnight in self._midnights():
            for tick in self._ticks_of(midnight, scale):
                if self.contains(tick.at):
                    found.setdefault(tick.at, tick)
        return [found[at] for at in sorted(found)]

    def _midnights(self) -> Iterator[datetime]:
        """Yield the midnights of the dates that may be on the axis."""
        day = datetime.combine(self.zone.from_utc(self.start).date(), time())
        last = self.zone.from_utc(self.end)
        while day <= last:
            yield day
            if day.date() == datetime.max.date():
                return
            day += _DAY

    def _ticks_of(self, midnight: datetime, scale: Scale) -> Iterator[Tick]:
        """Yield the ticks of a date."""
        zone, begin = self.zone, self.zone.first_instant(midnight)
        if begin is None:
            return
        is_sparse = midnight.toordinal() % max(scale.sparse // 1440, 1) == 0
        yield Tick(begin, zone.from_utc(begin).replace(fold=0), is_day=True, level=2 if is_sparse else 1)
        for minute in range(0, 1440, scale.line):
            wall = midnight + timedelta(minutes=minute)
            level = 0 if minute % scale.label else 1 if minute % scale.sparse or scale.label >= 1440 else 2
            for at in {zone.to_utc(wall), zone.to_utc(wall.replace(fold=1))}:
                if at != begin and zone.from_utc(at).replace(fold=0) == wall:
                    yield Tick(at, wall, is_day=False, level=0 if minute == 0 else level)

    def changes(self) -> list[Change]:
        """Return the changes of the clock, in order."""
        found, zone, before = [], self.zone, self.start
        while before < self.end:
            after = min(before + _DAY, self.end)
            at = zone.change(before, after)
            if at is not None and self.contains(at):
                shift = (zone.from_utc(at) - at) - (zone.from_utc(before) - before)
                found.append(Change(at, shift, zone.from_utc(at).replace(fold=0)))
            before = after
        return found
