"""The slot of a time of day around a clock change, found with `zoneinfo` by a scan of every half minute.

python -m tests.oracle      every zone, every transition from 1970 to 2037, every minute within an hour of it
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.schedules.kinds.daily import Daily

HALF_MINUTE, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (30, 60, 3_600, 86_400))
BEGIN, END = datetime(1970, 1, 1), datetime(2038, 1, 1)


def wall(zone: ZoneInfo, utc: datetime) -> datetime:
    return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, fold=0)


@cache
def transitions(zone: ZoneInfo, year: int | None = None) -> tuple[datetime, ...]:
    """Return the instants at which the UTC offset changes: from 1970 to 2037, or in one year."""
    found = []
    utc, end = (BEGIN, END) if year is None else (datetime(year, 1, 1), datetime(year + 1, 1, 1))
    offset = wall(zone, utc) - utc
    while utc < end:
        later = utc + DAY
        if wall(zone, later) - later != offset:
            low, high = utc, later
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                if wall(zone, middle) - middle == offset:
                    low = middle
                else:
                    high = middle
            found.append(high)
            offset = wall(zone, later) - later
        utc = later
    return tuple(found)


def first_instants(zone: ZoneInfo, change: datetime) -> tuple[dict[datetime, datetime], dict[datetime, datetime]]:
    """Return the instants of the wall minutes within an hour of a change: the existing ones, the skipped ones."""
    old, new = wall(zone, change - timedelta(seconds=1)) + timedelta(seconds=1), wall(zone, change)
    jump = abs(new - old)
    seen: dict[datetime, datetime] = {}
    # Half minutes, because some offsets are not whole minutes.
    utc = (change - jump - HOUR).replace(second=0)
    while utc < change + jump + HOUR:
        at = wall(zone, utc)
        if not at.second:
            seen.setdefault(at, utc)
        utc += HALF_MINUTE
    dates = {at.date() for at in seen} | {(new - DAY).date(), (new + DAY).date()}
    skipped: dict[datetime, datetime] = {}
    at = old if not old.second else old.replace(second=0) + MINUTE
    while at < new:
        if at.date() in dates and at.date() in (old.date(), new.date()) and not is_skipped(at.date(), old, new):
            skipped[at] = change
        at += MINUTE
    return seen, skipped


def is_skipped(day: date, old: datetime, new: datetime) -> bool:
    """Return whether a gap from `old` to `new` covers a whole day."""
    midnight = datetime.combine(day, datetime.min.time())
    return old <= midnight and midnight + DAY <= new


def cases(zone: ZoneInfo, change: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield each wall minute with its one instant."""
    seen, skipped = first_instants(zone, change)
    yield from seen.items()
    yield from skipped.items()


def check(name: str, at: datetime, expected: datetime) -> str | None:
    """Describe a wrong slot of `at` around that date; None if there is no wrong slot."""
    schedule = Daily(f"{at:%H:%M}", named(name))
    slot = schedule.after(expected - timedelta(microseconds=1))
    if slot != expected:
        return f"{name} {at}: the slot is {slot}, expected {expected}"
    if schedule.dates(expected) != [at.date()]:
        return f"{name} {at}: its date is {schedule.dates(expected)[0]}"
    if schedule.latest(expected) != expected:
        return f"{name} {at}: the latest slot at {expected} is {schedule.latest(expected)}"
    following = schedule.after(expected)
    if following is None or not timedelta(0) < schedule.dates(following)[0] - at.date() <= 2 * DAY:
        return f"{name} {at}: the slot after {expected} is {following}"
    return None


def main() -> int:
    """Return the exit code."""
    began, number, changes, wrong = time.monotonic(), 0, 0, 0
    names = sorted(available_timezones())
    for name in names:
        zone = ZoneInfo(name)
        for change in transitions(zone):
            changes += 1
            for at, expected in cases(zone, change):
                number += 1
                problem = check(name, at, expected)
                if problem is not None:
                    wrong += 1
                    print(problem)
    seconds = time.monotonic() - began
    print(f"{len(names)} zones, {changes:,} transitions, {number:,} cases in {seconds:.0f} s: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
