"""A reader of the English that `describe` has for cron expressions: back from the words to times and dates.

It refuses what it does not understand, so that nothing said is passed over. It shares nothing with the library.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

_MONTHS = ["January", "February", "March", "April", "May", "June"]
_MONTHS += ["July", "August", "September", "October", "November", "December"]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_SIZES = {"hour": 3600, "minute": 60, "second": 1}
_DAY = 86_400

Day = Callable[[date], bool]


class Meaning(NamedTuple):
    """What was read."""

    times: set[int]
    """Seconds of the day."""
    has: Day
    """Whether there are slots on a date."""


def read(words: str) -> Meaning:
    """Return what a description says. Raises `AssertionError` for words that it does not understand."""
    words = re.sub(r" \(for days that are both: cron='[^']+'\)$", "", words)
    found = re.fullmatch(r"(.*?)(?: (on .*|every day.*|every \d+ days .*))?", words)
    assert found is not None
    times, days = found[1], found[2] or "every day"
    months = set(range(1, 13))
    listed = re.search(rf",? in ((?:{'|'.join(_MONTHS)}).*)$", found[2] or times)
    if listed is not None:
        months = _numbers(listed[1], _MONTHS, 1)
        times = times if found[2] else times[: listed.start()]
        days = days[: listed.start()] if found[2] else days
    has = _days(days)
    return Meaning(_times(times), lambda day: day.month in months and has(day))


def _items(words: str) -> list[str]:
    items = re.split(r", | and ", words)
    assert all(items), words
    return items


def _numbers(words: str, names: list[str], low: int, is_ring: bool = False) -> set[int]:
    """Return the values of a list of names, with ranges by "to"."""
    numbers = set()
    for item in _items(words):
        first, _, last = item.partition(" to ")
        start, end = names.index(first), names.index(last or first)
        assert is_ring or start <= end, words
        numbers |= {(start + step) % len(names) + low for step in range((end - start) % len(names) + 1)}
    return numbers


# Times


def _clock(words: str) -> int:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", words)
    assert found is not None, words
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)


def _distance(words: str) -> int:
    found = re.fullmatch(r"(?:(\d+) )?(hour|minute|second)(s?)", words)
    assert found is not None, words
    assert bool(found[1]) == bool(found[3]), words
    return int(found[1] or 1) * _SIZES[found[2]]


def _times(words: str) -> set[int]:
    if re.fullmatch(r"at [\d:]+(?:(?:, | and )[\d:]+)*", words) and ":" in words:
        return set(map(_clock, _items(words.removeprefix("at "))))
    whole = re.fullmatch(r"every ((?:\d+ )?(?:minute|second)s?)", words)
    if whole is not None:
        assert _DAY % _distance(whole[1]) == 0
        return set(range(0, _DAY, _distance(whole[1])))
    spans = re.fullmatch(r"every ([\d a-z]+?) (from \d\d:.*)", words)
    if spans is None:
        return _fields(words)
    times = set()
    for item in _items(spans[2]):
        found = re.fullmatch(r"from (\S+) to (\S+)", item)
        assert found is not None, words
        first, last, step = _clock(found[1]), _clock(found[2]), _distance(spans[1])
        assert first < last
        assert (last - first) % step == 0, words
        times |= set(range(first, last + 1, step))
    return times


def _fields(words: str) -> set[int]:
    values = {"second": {0}}
    for part in words.removeprefix("at ").split(" of "):
        unit, numbers = _field(part)
        values[unit] = numbers
    if words.endswith(" of every minute"):
        values["hour"] = set(range(24))
    assert values.keys() == _SIZES.keys(), words
    times = {0}
    for unit, size in _SIZES.items():
        times = {time + number * size for time in times for number in values[unit]}
    return times


def _field(words: str) -> tuple[str, set[int]]:
    full = re.fullmatch("every (second|minute|hour)", words)
    if full is not None:
        return full[1], set(range(24 if full[1] == "hour" else 60))
    steps = re.fullmatch(r"every (\d+) (second|minute|hour)s from \2 (\d+) to \2 (\d+)", words)
    if steps is not None:
        step, first, last = int(steps[1]), int(steps[3]), int(steps[4])
        assert (last - first) % step == 0
        return steps[2], set(range(first, last + 1, step))
    found = re.fullmatch("(second|minute|hour)s? (.+)", words)
    assert found is not None, words
    return found[1], _numbers(found[2], list(map(str, range(60))), 0)


# Days


def _days(words: str) -> Day:
    if words == "every day":
        return lambda day: True
    for link, join in ((", but only ", all), (" or ", any)):
        if link in words:
            first, second = (_clause(part) for part in words.split(link))
            return partial(_joint, join, first, second)
    return _clause(words)


def _joint(join: Callable[[Iterable[bool]], bool], first: Day, second: Day, day: date) -> bool:
    return join((first(day), second(day)))


def _clause(words: str) -> Day:
    found = re.fullmatch(rf"(.*) of ((?:{'|'.join(_MONTHS)}).*)", words)
    if found is not None:
        months, has = _numbers(found[2], _MONTHS, 1), _clause(f"{found[1]} of the month")
        return lambda day: day.month in months and has(day)
    steps = re.fullmatch(r"every (\d+) days from the (\d+\w\w) to the (\d+\w\w) of the month", words)
    if steps is not None:
        first, last = _ordinal(steps[2]), _ordinal(steps[3])
        assert (last - first) % int(steps[1]) == 0
        return lambda day: day.day in range(first, last + 1, int(steps[1]))
    assert words.startswith("on "), words
    assert words.endswith(" of the month") or not re.search(r"\d|the last", words), words
    parts = [_part(item) for item in _items(words.removeprefix("on ").replace(" of the month", ""))]
    return lambda day: any(has(day) for has in parts)


def _ordinal(words: str) -> int:
    number = int(words[:-2])
    ending = "th" if 10 <= number <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    assert words == f"{number}{ending}"
    return number


def _part(words: str) -> Day:
    words = words.removeprefix("the ")
    if words == "last day":
        return lambda day: day.day == monthrange(day.year, day.month)[1]
    if words == "last weekday (Monday to Friday)":
        return lambda day: (
            day.weekday() < 5
            and all(
                later.month != day.month or later.weekday() > 4
                for later in (day + timedelta(days=n) for n in range(1, 4))
            )
        )
    which, _, weekday = words.partition(" ")
    if weekday in _WEEKDAYS:
        number = _WEEKDAYS.index(weekday)
        if which == "last":
            return lambda day: day.weekday() == number and (day + timedelta(days=7)).month != day.month
        return lambda day: day.weekday() == number and (day.day + 6) // 7 == _ordinal(which)
    if words[0].isdigit():
        first, _, last = words.partition(" to ")
        days = range(_ordinal(first), _ordinal(last or first) + 1)
        return lambda day: day.day in days
    weekdays = _numbers(words, _WEEKDAYS, 0, is_ring=True)
    return lambda day: day.weekday() in weekdays
