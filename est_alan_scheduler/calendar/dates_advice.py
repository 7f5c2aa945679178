"""Advice for a text that names no dates: what is the matter, and what to write instead."""

import re
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import pairwise

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.cron_field import MONTH, whole_number
from est_alan_scheduler.calendar.dates import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    WEEKDAYS,
    Item,
    SeveralFormsError,
    number_of,
    read_dates,
    read_nth,
    split,
)

_FORMS = "weekdays 'mon-fri', days of the month '1,15' or 'last', the n-th weekday '1st mon', months '1 jan,jul'"
_EVERY_DAY = ("daily", "everyday", "every day", "all", "any", "*", "always", "each day")
_SIGNS = {"and": ",", "or": ",", "&": ",", "+": ",", ";": ",", "to": "-", "through": "-", "thru": "-", "until": "-"}
_FILLERS = ("every", "each", "on", "the", "of", "in", "a", "at", "day", "days", "month", "months")
_MAX_LENGTH = 200


def reason(text: str, problem: ValueError) -> str:
    """Return the reason why a text is refused, with what to write instead if it is known."""
    what = f"on {short_repr(text)} names no dates"
    bare = " ".join(text.lower().split())
    if bare in _EVERY_DAY:
        return f"{what}: at alone is daily, leave on out"
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", bare):
        return f"{what}: for a single date, write run_at={f'{bare}T09:00'!r} instead of at and on"
    if len(bare.split()) == 5 and re.search(r"[*/?#]", bare):
        return f"{what}: a cron expression goes into cron"
    if len(bare) > _MAX_LENGTH:
        return f"{what}: {problem}"
    with suppress(ValueError):
        both = _in_two_ways(split(text))
        if both:
            return f"{what}: {both}"
    for mended in _mended(bare):
        with suppress(ValueError):
            read_dates(mended)
            if isinstance(problem, SeveralFormsError):
                return f"{what}: {problem}; if {mended!r} is meant, write that, else register a task for each"
            return f"{what}: {problem}; write {mended!r}"
    if re.search("write|such date|at most", str(problem)):
        return f"{what}: {problem}"
    return f"{what}: {problem}{_near_miss(bare)}; write {_FORMS}"


def _in_two_ways(items: list[Item]) -> str:
    """Return what to write for `1 mon`: days of the month come after the weekdays, and before them they look like n."""
    for before, item in pairwise(items):
        is_order_wrong = (before.part, item.part) == (DAY_OF_MONTH, DAY_OF_WEEK) and not item.is_added
        number = whole_number(before.text)
        if is_order_wrong and number is not None and number <= 5:
            counted = f"{number}{_ending(number)} {item.text}"
            return (
                f"write {counted!r} for the {_ending_of(counted)} of the month, "
                f"'{item.text} {before.text}' for one that is the {number}{_ending(number)} day of it"
            )
    return ""


def _ending(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number, "th")


def _ending_of(counted: str) -> str:
    nth, name = counted.split()
    position = number_of(name.upper().partition("-")[0], WEEKDAYS)
    return f"{nth} {name if position is None or '-' in name else WEEKDAYS[position].title()}"


def _mended(text: str) -> Iterator[str]:
    """Yield texts that may be meant: other signs, without the words around, in order, a comma between equal parts."""
    plain = re.sub(r"\b(?:work|working |business )days?\b", "weekdays", re.sub(r"\.\.+|\u2013", "-", text))
    plain = re.sub(r"([,&+;])", r" \1 ", plain)
    words = [_SIGNS.get(word, word) for word in plain.split() if word not in _FILLERS]
    plain = re.sub(r"[,\s]*,[,\s]*", ",", " ".join(words)).strip(",").replace(" - ", "-")
    # `1st jan`, `fri the 13th`: numbers with an ending, but no weekday that they count.
    bare = re.sub(r"\b([0-9]{1,2})(?:st|nd|rd|th)\b(?!.*\b(?:mon|tue|wed|thu|fri|sat|sun))", r"\1", plain)
    for found in (plain, bare):
        if found != text:
            yield found
        with suppress(ValueError):
            items = split(found)
            yield " ".join(
                ",".join(item.text for item in items if item.part == part)
                for part in sorted({item.part for item in items})
            )


def _near_miss(text: str) -> str:
    """Return a name that the first unknown word of a text may stand for."""
    names = [name.lower() for name in (*WEEKDAYS, *MONTH.names)]
    for word in re.findall(r"[^\W\d_]+", text):
        if word in ("last", "st", "nd", "rd", "th") or read_nth(word.upper()) is not None:
            continue
        if any(number_of(word.upper(), known) is not None for known in (WEEKDAYS, MONTH.names)):
            continue
        near = [name[:3] for name in names if name.startswith(word)] or get_close_matches(word, names, n=1)
        return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
    return ""
