"""Advice for a text that names no dates: what is the matter, and what to write instead."""

import re
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from itertools import groupby

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.cron_field import MONTH
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
from est_alan_scheduler.calendar.dates_prose import dates_in_words

_FORMS = "weekdays 'mon-fri', days of the month '1,15' or 'last', the n-th weekday '1st mon', months '1 jan,jul'"
_EVERY_DAY = ("daily", "everyday", "every day", "all", "any", "*", "always", "each day")
_SIGNS = {"and": ",", "or": ",", "&": ",", "+": ",", ";": ",", "to": "-", "through": "-", "thru": "-", "until": "-"}
_FILLERS = ("every", "each", "on", "the", "of", "in", "a", "at", "day", "days", "month", "months")
_MAX_LENGTH = 200
_FROM_END = r"\b(second|third|fourth|fifth|[1-9][0-9]?(?=st|nd|rd|th))(?:st|nd|rd|th)?[ -]+(?:to[ -]+(?:the )?)?last\b"
_BEFORE_WEEKDAY = r".*\b(?:mon(?!th)|tue|wed|thu|fri|sat|sun|week)"
_COUNTED = (  # what counts days, and what to write for it
    (f"{_FROM_END}(?={_BEFORE_WEEKDAY})", "{0}{1}-last"),
    (f"{_FROM_END}(?!{_BEFORE_WEEKDAY})", "-{0}"),
    (r"\blast ([1-9][0-9]?) days\b", "-{0}-last"),
    (r"\bfirst ([1-9][0-9]?) days\b", "1-{0}"),
)


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
    readings = _readings(bare, text)
    if len(readings) > 1:
        return f"{what}: write {', '.join(map(_explained, readings))}"
    if readings:
        return f"{what}: {problem}; write {readings[0]!r}"
    for mended in _mended(bare):
        with suppress(ValueError):
            read_dates(mended)
            if isinstance(problem, SeveralFormsError):
                return f"{what}: {problem}; if {mended!r} is meant, write that, else register a task for each"
            return f"{what}: {problem}; write {mended!r}"
    if re.search("write|such date|at most", str(problem)):
        return f"{what}: {problem}"
    return f"{what}: {problem}{_near_miss(bare)}; write {_FORMS}"


def _readings(bare: str, text: str) -> list[str]:
    """Return the texts that may be meant by one that counts days or weekdays, in words or out of order."""
    backwards = _backwards(bare)
    others = [next(filter(_is_read, _mended(bare)), None)] if backwards else _counted(text)
    return list(dict.fromkeys(found for found in (backwards, *others) if found is not None and _is_read(found)))


def _explained(text: str) -> str:
    return f"{text!r} for {dates_in_words(read_dates(text)).removeprefix('on ')}"


def _is_read(text: str) -> bool:
    with suppress(ValueError):
        return bool(read_dates(text))
    return False


def _backwards(text: str) -> str | None:
    """Return what a text says that counts days in words, most often from the end: `2nd to last fri`, `last 3 days`."""
    plain = text.replace("penultimate", "second last")
    for pattern, form in _COUNTED:
        said = re.sub(pattern, partial(_filled, form), plain)
        found = next(filter(_is_read, (said, *_mended(said))), None) if said != plain else None
        if found is not None:
            return found
    return None


def _filled(form: str, match: re.Match[str]) -> str:
    number = read_nth(match[1].upper()) or int(match[1])
    return form.format(number, _ending(number)) if number > 1 else match[0]


def _counted(text: str) -> list[str]:
    """Return what `1 mon` may mean: days of the month come after the weekdays, and before them they look like n."""
    runs = list[list[Item]]()
    with suppress(ValueError):
        for item in split(text):
            if runs and item.is_added and item.part == runs[-1][0].part:
                runs[-1].append(item)
            else:
                runs.append([item])
    by_nth, by_day, place = "", "", 0
    while place < len(runs):
        run, after = runs[place], runs[place + 1] if place + 1 < len(runs) else []
        sign, words = "," if run[0].is_added else " ", ",".join(item.text for item in run)
        is_swapped = run[0].part == DAY_OF_MONTH and bool(after) and after[0].part == DAY_OF_WEEK
        if is_swapped and not after[0].is_added and all(re.fullmatch("-?[0-9]+", item.text) for item in run):
            weekdays = ",".join(item.text for item in after)
            by_nth += f"{sign}{','.join(_nth(item.value[0]) for item in run)} {weekdays}"
            by_day += f"{sign}{weekdays} {words}"
            place += 2
        else:
            by_nth, by_day, place = f"{by_nth}{sign}{words}", f"{by_day}{sign}{words}", place + 1
    return [] if by_nth == by_day else [by_nth.strip(), by_day.strip()]


def _nth(number: int) -> str:
    return "last" if number == -1 else f"{abs(number)}{_ending(abs(number))}{'-last' * (number < 0)}"


def _ending(number: int) -> str:
    return "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _mended(text: str) -> Iterator[str]:
    """Yield texts that may be meant: other signs, without the words around, in order, a comma between equal parts."""
    plain = re.sub(r"\b(?:work|working |business )days?\b", "weekdays", re.sub(r"\.\.+|\u2013", "-", text))
    plain = re.sub(r"([,&+;])", r" \1 ", plain)
    words = [_SIGNS.get(word, word) for word in plain.split() if word not in _FILLERS]
    plain = re.sub(r"[,\s]*,[,\s]*", ",", " ".join(words)).strip(",").replace(" - ", "-")
    # `1st jan`, `fri the 13th`: numbers with an ending, but no weekday that they count.
    bare = re.sub(rf"\b([0-9]{{1,2}})(?:st|nd|rd|th)\b(?!{_BEFORE_WEEKDAY})", r"\1", plain)
    for found in (plain, bare):
        if found != text:
            yield found
        with suppress(ValueError):
            yield from _in_order(split(found))


def _in_order(items: list[Item]) -> Iterator[str]:
    """Yield the words with the parts of each rule in their order, and then all as one rule."""
    rules = list[list[Item]]()
    for item in items:
        if rules and not (item.is_added and item.part != rules[-1][-1].part):
            rules[-1].append(item)
        else:
            rules.append([item])
    parts = [[part for part, _ in groupby(rule, key=lambda item: item.part)] for rule in rules]
    if all(len(some) == len(set(some)) for some in parts):
        yield ",".join(map(_sorted, rules))
        if len(rules) > 1:
            yield _sorted(items)


def _sorted(items: list[Item]) -> str:
    return " ".join(
        ",".join(item.text for item in items if item.part == part) for part in sorted({item.part for item in items})
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
