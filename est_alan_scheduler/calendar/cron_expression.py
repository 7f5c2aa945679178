"""Cron expressions: read into sets of values, or refused with the reason and with what to write instead.

What follows from the sets, the slots, is the work of cronsim, the extra `cron`.
"""

from __future__ import annotations

import copy
from datetime import datetime
from functools import lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from est_alan_scheduler._support.errors import InvalidValueError, MissingExtraError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.cron_dialects import advise
from est_alan_scheduler.calendar.cron_field import FIELDS

if TYPE_CHECKING:
    from cronsim import CronSim

_ANY = datetime(2000, 1, 1)
_SAMPLE = 100  # slots that the shortest gap is taken from

# Allowed in a crontab instead of fields (crontab(5)); `@reboot` has no moment.
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Values(NamedTuple):
    """The values of a field."""

    text: str
    """As cronsim reads it: in capital letters, and a range of one value without its step."""
    numbers: tuple[int, ...]
    """In order, and without duplicates; Sunday is 0."""
    special: tuple[str, ...]
    """`L`, `LW`, `5L`, `1#2`."""
    is_full: bool
    """Whether these are all values."""


class CronExpression(NamedTuple):
    """An expression that was read."""

    seconds: Values
    minutes: Values
    hours: Values
    days: Values
    months: Values
    weekdays: Values
    is_day_both: bool
    """Whether a day has to fit both the day of the month and that of the week, or one of the two is enough.

    Both, if one of the two fields begins with a star, as in Debian's cron.
    """
    walk: CronSim
    """The slots; to be copied, not to be used up."""


def parse(expression: str) -> CronExpression:
    """Return an expression as it was read.

    Raises `ValueError` that names the wrong field and the allowed values, or what to write instead; `ImportError` that
    names the missing package.
    """
    try:
        import cronsim  # noqa: F401  # so that the error comes from here, whatever was read before
    except ModuleNotFoundError as error:
        raise MissingExtraError('cron needs cronsim: pip install "est-alan-scheduler[cron]"') from error
    return _parse(expression)


@lru_cache(maxsize=1024)
def _parse(expression: str) -> CronExpression:
    try:
        return _read(expression)
    except ValueError as error:
        problem = str(error)
    raise InvalidValueError(_with_advice(expression, problem))


def _read(expression: str) -> CronExpression:
    """Return an expression as it was read. Raises `ValueError` that names what is wrong."""
    from cronsim import CronSim, CronSimError

    fields = _NICKNAMES.get(expression.strip().lower(), expression).split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        nicknames = f", nor one of {', '.join(_NICKNAMES)}" if expression.startswith("@") else ""
        raise InvalidValueError(
            f"cron {short_repr(expression)} is not five fields (minute hour day-of-month month day-of-week), six with "
            f"the seconds first{nicknames}, but {len(fields)}"
        )
    values = []
    for position, text in enumerate(fields):
        found = _values(position, text.upper())
        if found is None:
            field = FIELDS[position]
            raise InvalidValueError(
                f"cron {short_repr(expression)} has the {field.name} {short_repr(text)}; allowed: {field.allowed}"
            )
        values.append(found)
    try:
        walk = CronSim(" ".join(found.text for found in values), _ANY)
        next(copy.copy(walk))
    except (CronSimError, StopIteration):
        raise InvalidValueError(_never_comes(expression, fields)) from None
    seconds, minutes, hours, days, months, weekdays = values
    is_day_both = days.text.startswith("*") or weekdays.text.startswith("*")
    return CronExpression(seconds, minutes, hours, days, months, weekdays, is_day_both, walk)


@lru_cache(maxsize=1024)  # most fields are those of many expressions
def _values(position: int, text: str) -> Values | None:
    """Return the values of the field at a position; None if it cannot be read."""
    field = FIELDS[position]
    numbers: set[int] = set()
    special: set[str] = set()
    terms = []
    for term in text.split(","):
        values = field.values(term)
        if values is None:
            name = field.special_term(term)
            if name is None:
                return None
            special.add(name)
        else:
            numbers.update(number if number < field.low + field.size else field.low for number in values)
            if len(values) == 1 and "-" in term:
                term = str(values[0])
        terms.append(term)
    return Values(",".join(terms), tuple(sorted(numbers)), tuple(sorted(special)), len(numbers) == field.size)


def _never_comes(expression: str, fields: list[str]) -> str:
    days, month, weekdays = fields[3:]
    last = " ".join([*fields[fields[0] == "0" : 3], "L", month, weekdays])
    instead = f"for the last day of the month, write cron={last!r}; " if weekdays == "*" else ""
    return (
        f"cron {short_repr(expression)} names days that never come: day-of-month {days}, month {month}, day-of-week "
        f"{weekdays}; {instead}for a task that only run_now starts, write manual=True"
    )


def _with_advice(expression: str, problem: str) -> str:
    """Return the reason why an expression is refused, with what to write instead if it is known."""
    advice = advise(expression)
    if advice is None:
        return problem
    reason = f"cron {short_repr(expression)} {advice.reason}"
    if advice.cron is not None:
        try:
            _read(advice.cron)
        except ValueError as error:
            return f"{reason}; besides, {error}"
    return f"{reason}: write {advice.code}" if advice.options else reason


def shortest_gap(expression: str) -> float:
    """Return the shortest time between slots in seconds, taken from a sample of them."""
    slots = islice(copy.copy(parse(expression).walk), _SAMPLE)
    return min(((later - earlier).total_seconds() for earlier, later in pairwise(slots)), default=float("inf"))
