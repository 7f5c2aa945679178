"""The slots of cron expressions around a clock change, found by trying every half minute with `zoneinfo`.

python -m tests.schedules.kinds.cron_oracle      all zones, all transitions from 1970 to 2037, two expressions each
"""

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import takewhile
from random import Random
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim

from est_alan_scheduler.calendar.cron_expression import parse
from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.schedules.kinds.cron import Cron
from tests.oracle import DAY, HALF_MINUTE, HOUR, cases, transitions, wall

AROUND = 5 * HOUR


def slots(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the slots after an instant, up to another one."""
    found, cron = [], Cron(expression, named(zone))
    moment = cron.after(start)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = cron.after(moment)
    return found


def elapsed(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the instants after another one whose wall time matches, by trying every half minute."""
    tz = ZoneInfo(zone)
    walls = takewhile(lambda wall: wall < end + timedelta(days=2), CronSim(expression, start - timedelta(days=2)))
    matching = set(walls)
    found, instant = [], start.replace(second=0) + HALF_MINUTE
    while instant <= end:
        if instant > start and wall(tz, instant) in matching:
            found.append(instant)
        instant += HALF_MINUTE
    return found


def some_expression(random: Random) -> str:
    """Return a valid expression."""

    def field(low: int, high: int, *others: str) -> str:
        first, second = sorted(random.sample(range(low, high + 1), 2))  # else cronsim reads a range otherwise
        step = random.randint(1, max(2, high // 3))
        return random.choice(
            [
                "*",
                "*",
                f"*/{step}",
                str(first),
                f"{first},{second}",
                f"{first}-{second}",
                f"{first}-{second}/{step}",
                *others,
            ]
        )

    while True:
        days = field(1, 31, "L", "LW")
        weekdays = field(0, 7, "mon-fri", "sat,sun", "fri#2", "5L")
        expression = f"{field(0, 59)} {field(0, 23)} {days} {field(1, 12, 'jan', 'mar-oct')} {weekdays}"
        try:
            parse(expression)
        except ValueError:
            continue
        return expression


def is_fixed(expression: str) -> bool:
    return not any(field.startswith("*") for field in expression.split()[:2])


def fixed(expression: str, zone: str, change: datetime) -> list[datetime]:
    """Return the first instant of each matching wall time, one per date, skipped times included."""
    tz = ZoneInfo(zone)
    start, end = change - AROUND, change + AROUND
    first = dict(cases(tz, change))
    before, after = wall(tz, start) - start, wall(tz, end) - end
    old = wall(tz, change - HALF_MINUTE) + HALF_MINUTE
    walls = takewhile(lambda at: at < end + 2 * DAY, CronSim(expression, start - 2 * DAY))
    found = {first.get(at) or at - (before if at < old else after) for at in walls}
    return sorted(instant for instant in found if start < instant <= end)


def check(expression: str, zone: str, change: datetime) -> str | None:
    """Describe a wrong slot of an expression around a clock change; None if there is no wrong slot."""
    start, end = change - AROUND, change + AROUND
    found = slots(expression, zone, start, end)
    expected = fixed(expression, zone, change) if is_fixed(expression) else elapsed(expression, zone, start, end)
    if found != expected:
        return f"{zone} {change} {expression!r}: the slots are {found}, expected {expected}"
    latest = [Cron(expression, named(zone)).latest(slot) for slot in found]
    return None if latest == found else f"{zone} {change} {expression!r}: the latest at {found} are {latest}"


def expressions(random: Random, kind: Callable[[str], bool]) -> str:
    """Draw an expression of the given kind; most have slots at night, when clocks change."""
    while True:
        expression = some_expression(random)
        minute, hour, *_ = expression.split()
        if kind(expression):
            return random.choice([expression, f"{minute} {hour} * * *", f"{minute} {hour} * * *"])


def main() -> int:
    """Return the exit code."""
    began, number, changes, some, wrong = time.monotonic(), 0, 0, 0, 0
    random = Random(5)
    names = sorted(available_timezones())
    for name in names:
        for change in transitions(ZoneInfo(name)):
            changes += 1
            for kind in (is_fixed, lambda expression: not is_fixed(expression)):
                expression = expressions(random, kind)
                number += 1
                some += bool(slots(expression, name, change - AROUND, change + AROUND))
                problem = check(expression, name, change)
                if problem is not None:
                    wrong += 1
                    print(problem)
    seconds = time.monotonic() - began
    print(
        f"{len(names)} zones, {changes:,} transitions, {number:,} expressions, {some:,} of them with slots there, "
        f"in {seconds:.0f} s: {wrong} wrong"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
