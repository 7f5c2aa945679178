"""The dates that `on` names: weekdays, days of the month and months, read into a rule.

    on       = rule *("," rule)                several rules have the same parts: "1 jan,25 dec", "2nd tue,4th tue"
    rule     = [[nths] weekdays] [days] [months]
    nths     = nth *("," nth)                  only before weekdays, and not with days
    weekdays = weekday-span *("," weekday-span)
    days     = day-span *("," day-span)
    months   = month-span *("," month-span)

    nth           1st, 2nd … 23rd, last, 2nd-last …; first to fifth
    weekday-span  mon, mon-fri, fri-mon; weekdays (mon-fri), weekends (sat-sun)
    day-span      1 to 31, last, -1 (last), -2 (second to last) … -31; 2-8, 25-last, -3-last, 28-3
    month-span    jan, jan-mar, nov-feb

| on | dates |
|---|---|
| `mon-fri` · `sat,sun` · `fri-mon` | weekdays; a range may go past the end of the week |
| `1,15` · `last` · `-2` · `25-last` | days of the month, `-2` the second to last one |
| `1st mon` · `last fri` · `2nd,4th tue` | the n-th weekday of the month |
| `last mon-fri` · `1st mon-fri` | the n-th of the days from Monday to Friday: the last working day, the first one |
| `wed 2-8` · `fri 13` | both at once: a Wednesday that is one of these days |
| `1 jan,jul` · `last fri mar,jun` · `mon-fri jan-mar` · `aug` | only in these months |
| `1 jan,25 dec` · `1st mon mar,3rd tue may` | several rules |

A space narrows the dates, a comma adds some. Names have three letters or more, capital or not, in the plural or not:
`mon`, `Tues`, `Mondays`, `sept`, `January`. A day that a month does not have is left out in that month.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.cron_field import MONTH, WEEKDAY

NTH, DAY_OF_WEEK, DAY_OF_MONTH, IN_MONTH = range(4)
"""The parts of a rule, in their order."""
PARTS = ("the n-th", "weekdays", "days of the month", "months")

WEEKDAYS = (*WEEKDAY.names[1:], WEEKDAY.names[0])
"""From Monday on, as `date.weekday` counts."""
_SETS = {"WEEKDAY": (0, 4), "WEEKEND": (5, 6)}
_ORDINALS = ("FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH")
_NTH = re.compile(r"([1-9][0-9]?)(?:ST|ND|RD|TH)(-LAST)?")
_DAY = r"-?[0-9]+|LAST"
_DAYS = re.compile(rf"({_DAY})(?:-({_DAY}))?")
_LENGTHS = {month: (28, 29) if month == 2 else (30 if month in (4, 6, 9, 11) else 31,) for month in range(1, 13)}
_MAX_LENGTH = 200  # of a text that is read
_FIRST_YEAR, _YEARS = 2000, 28  # after which the calendar repeats

Span = tuple[int, int]


def is_leap(year: int) -> bool:
    """Return whether a year has a 29 February."""
    # Not by the module `calendar`, which takes longer to load than this one.
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


class Rule(NamedTuple):
    """Dates that fit all that is given; an empty part fits any."""

    nths: tuple[int, ...]
    """Which of the weekdays of a month: 1 for the first one, -1 for the last one."""
    weekdays: tuple[Span, ...]
    """From Monday, 0, on. A span whose start is greater than its end goes past the end of the week."""
    days: tuple[Span, ...]
    """From 1 on, or from -1 down, counted from the end of the month."""
    months: tuple[Span, ...]

    def has_month(self, month: int) -> bool:
        """Return whether some of the dates may be in a month."""
        return not self.months or any(month in _numbers(span, 1, 12) for span in self.months)

    def dates(self, length: int, first: int) -> set[int]:
        """Return the days in a month of `length` days that begins with the weekday `first`."""
        found = set(range(1, length + 1))
        if self.days:
            found = {day for span in self.days for day in _days(span, length)}
        if not self.weekdays:
            return found
        fitting = [
            [day for day in range(1, length + 1) if (first + day - 1) % 7 in _numbers(span, 0, 6)]
            for span in self.weekdays
        ]
        if not self.nths:
            return found.intersection(*[{day for days in fitting for day in days}])
        return {days[nth - 1 if nth > 0 else nth] for days in fitting for nth in self.nths if abs(nth) <= len(days)}


def _numbers(span: Span, least: int, most: int) -> set[int]:
    start, end = span
    return set(range(start, end + 1)) if start <= end else {*range(start, most + 1), *range(least, end + 1)}


def _days(span: Span, length: int) -> set[int]:
    """Return the days of a span in a month of a length."""
    start, end = (day if day > 0 else length + 1 + day for day in span)
    # Past the end of the month: from 28 to 3, or from the second to last day to the second one.
    wraps = span[0] > span[1] if (span[0] > 0) == (span[1] > 0) else span[0] < 0
    days = {*range(start, length + 1), *range(1, end + 1)} if wraps else set(range(start, end + 1))
    return {day for day in days if 1 <= day <= length}


class Dates:
    """The dates that a text names. None are kept: each one is worked out from the one before."""

    __slots__ = ("_by_month", "months", "rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self.months = [month for month in range(1, 13) if any(rule.has_month(month) for rule in rules)]
        self._by_month: dict[tuple[int, int, int], tuple[int, ...]] = {}

    def __contains__(self, day: date) -> bool:
        return day.day in self._days(day.year, day.month)

    def from_on(self, day: date) -> Iterator[date]:
        """Yield the dates from one on, itself included, in order."""
        for year in range(day.year, MAXYEAR + 1):
            for month in self.months:
                if (year, month) >= (day.year, day.month):
                    days = self._days(year, month)
                    least = day.day if (year, month) == (day.year, day.month) else 1
                    yield from map(partial(date, year, month), days[bisect_left(days, least) :])

    def down_from(self, day: date) -> Iterator[date]:
        """Yield the dates up to one, itself included, from the last one down."""
        for year in range(day.year, MINYEAR - 1, -1):
            for month in reversed(self.months):
                if (year, month) <= (day.year, day.month):
                    days = self._days(year, month)
                    most = day.day if (year, month) == (day.year, day.month) else 31
                    yield from map(partial(date, year, month), reversed(days[: bisect_right(days, most)]))

    def least_distance(self) -> int:
        """Return how many days lie between two dates that are as near to each other as any."""
        nearest = 400 * 366
        for earlier, later in pairwise(self.from_on(date(_FIRST_YEAR, 1, 1))):
            nearest = min(nearest, (later - earlier).days)
            if nearest == 1 or later.year >= _FIRST_YEAR + 2 * _YEARS:
                break
        return nearest

    def ever_come(self) -> bool:
        """Return whether there is any date."""
        return any(
            self._days_of(month, length, first)
            for month in self.months
            for length in _LENGTHS[month]
            for first in range(7)
        )

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        first = date(year, month, 1)
        length = _LENGTHS[month][-1] if month != 2 or is_leap(year) else 28
        return self._days_of(month, length, first.weekday())

    def _days_of(self, month: int, length: int, first: int) -> tuple[int, ...]:
        """Return the days in such a month, in order."""
        days = self._by_month.get((month, length, first))
        if days is None:
            found = {day for rule in self.rules if rule.has_month(month) for day in rule.dates(length, first)}
            days = self._by_month[month, length, first] = tuple(sorted(found))
        return days


@lru_cache(maxsize=1024)
def read_dates(text: str) -> Dates:
    """Return the dates that a text names. Raises `ValueError` that names what is wrong."""
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"it is longer than {_MAX_LENGTH} characters")
    dates = Dates(tuple(_rules(split(text))))
    if not dates.ever_come():
        raise ValueError("there is no such date in any year; the last day of a month is 'last', as in 'last feb'")
    return dates


class SeveralFormsError(ValueError):
    """A comma between rules that do not have the same parts."""


class Item(NamedTuple):
    """A word of the text."""

    part: int
    value: Span
    """Of the n-th: the number, twice."""
    text: str
    is_added: bool
    """Whether it comes after a comma."""


def split(text: str) -> list[Item]:
    """Return the words of a text. Raises `ValueError` that names one that is none of the parts."""
    items = list[Item]()
    groups = [group.split() for group in re.sub(r"\s+-\s+", "-", text).split(",")]
    for group in reversed(groups):  # from the end: what `last` means depends on what follows it
        if not group:
            raise ValueError("a word is missing beside a comma" if len(groups) > 1 else "it is empty")
        for word in reversed(group):
            follower = items[-1] if items else None
            counts = follower is not None and (
                follower.part == NTH or (follower.part == DAY_OF_WEEK and not follower.is_added)
            )
            part, value = _read_word(word, counts)
            items.append(Item(part, value, word, len(groups) > 1 and word is group[0]))
    items[-1] = items[-1]._replace(is_added=False)
    return items[::-1]


def _read_word(word: str, counts: bool) -> tuple[int, Span]:
    capitals = word.upper()
    nth = read_nth(capitals)
    if nth is not None and (capitals != "LAST" or counts):
        return NTH, (nth, nth)
    match = _DAYS.fullmatch(capitals)
    if match is not None:
        start, end = _read_day(match[1]), _read_day(match[2] or match[1])
        return DAY_OF_MONTH, (start, end)
    if capitals.removesuffix("S") in _SETS:
        return DAY_OF_WEEK, _SETS[capitals.removesuffix("S")]
    start_name, dash, end_name = capitals.partition("-")
    for part, names, least in ((DAY_OF_WEEK, WEEKDAYS, 0), (IN_MONTH, MONTH.names, 1)):
        first = number_of(start_name, names)
        last = number_of(end_name, names) if dash else first
        if first is not None and last is not None:
            return part, (first + least, last + least)
    raise ValueError(f"{short_repr(word)} is no weekday, day of the month or month")


def read_nth(capitals: str) -> int | None:
    """Return the number of `1ST`, `FIRST`, `LAST` or `2ND-LAST`; None for any other word."""
    if capitals == "LAST":
        return -1
    if capitals in _ORDINALS:
        return _ORDINALS.index(capitals) + 1
    match = _NTH.fullmatch(capitals)
    return None if match is None else -int(match[1]) if match[2] else int(match[1])


def _read_day(text: str) -> int:
    day = -1 if text == "LAST" else int(text) if len(text) <= 3 else 0
    if day == 0 or abs(day) > 31:
        raise ValueError(f"{text} is no day of the month: these are 1 to 31, and last, -1 to -31 from the end")
    return day


def number_of(word: str, names: tuple[str, ...]) -> int | None:
    """Return the position of a name of which a word has the first three letters or more; None if it is none."""
    for position, name in enumerate(names):
        if len(word) >= 3 and (name.startswith(word) or word == f"{name}S"):
            return position
    return None


def _rules(items: list[Item]) -> Iterator[Rule]:
    """Yield the rules of words. Raises `ValueError` that names a word that is out of place."""
    rules = list[dict[int, list[Item]]]()
    before: Item | None = None
    for item in items:
        if before is None or (item.is_added and item.part != before.part):
            rules.append({item.part: [item]})
        elif item.is_added:
            rules[-1][item.part].append(item)
        elif item.part > before.part:
            rules[-1][item.part] = [item]
        else:
            raise ValueError(f"{before.text!r} and {item.text!r} are {_order_of(before, item)}")
        before = item
    for rule in rules:
        _check_parts(rule, rules[0])
        yield Rule(
            tuple(item.value[0] for item in rule.get(NTH, ())),
            *(tuple(item.value for item in rule.get(part, ())) for part in (DAY_OF_WEEK, DAY_OF_MONTH, IN_MONTH)),
        )


def _order_of(before: Item, item: Item) -> str:
    if before.part == item.part:
        return f"both {PARTS[item.part]}: a comma is missing between them"
    return f"not in order, which is: {', '.join(PARTS)}"


def _size(weekdays: Item) -> int:
    return len(_numbers(weekdays.value, 0, 6))


def _check_parts(rule: dict[int, list[Item]], first: dict[int, list[Item]]) -> None:
    if NTH in rule:
        word = rule[NTH][0].text
        if DAY_OF_WEEK not in rule:
            raise ValueError(f"{word!r} has no weekday after it")
        if DAY_OF_MONTH in rule:
            instead = f"{rule[DAY_OF_WEEK][0].text} {rule[DAY_OF_MONTH][0].text}"
            raise ValueError(
                f"{word!r} counts the weekdays of a whole month, not among some of its days: write {instead!r} without "
                f"it for a weekday that is one of these days"
            )
        if all(abs(item.value[0]) > 5 for item in rule[NTH]) and all(_size(item) == 1 for item in rule[DAY_OF_WEEK]):
            raise ValueError(f"a month has at most five of each weekday, and {word!r} is beyond them")
        if any(item.text.upper().startswith("WEEKEND") for item in rule[DAY_OF_WEEK]):
            raise ValueError(f"{word!r} counts days, and a weekend has two: write '{word} sat' or '{word} sun'")
    elif DAY_OF_WEEK in rule and any(item.text.upper() == "LAST" for item in rule.get(DAY_OF_MONTH, ())):
        name = rule[DAY_OF_WEEK][0].text
        raise ValueError(f"write 'last {name}' for the last one of the month, '{name} -1' for one that is the last day")
    if rule.keys() != first.keys():
        one, other = (" with ".join(PARTS[part] for part in sorted(parts)) for parts in (first, rule))
        raise SeveralFormsError(f"its rules have several forms: {one}, and {other}")
