"""Cron expressions as text: parsed, and refused with the reason. By way of cronsim, the extra `cron`."""

from __future__ import annotations

import copy
from contextlib import suppress
from datetime import datetime
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from est_alan_scheduler._support.text import short_repr

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

# The fields as cronsim calls them, in the order of six.
_ALLOWED = {
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L (the last day), LW (the last weekday)",
    "month": "1-12, JAN-DEC",
    "day-of-week": "0-7 (0 and 7 are Sunday), SUN-SAT, `5L` (the last Friday), `1#2` (the second Monday)",
}


def parse(expression: str) -> CronSim:
    """Return an expression as parsed by cronsim.

    Raises `ValueError` that names the wrong field and the allowed values; `ImportError` that names the missing package.
    """
    try:
        from cronsim import CronSim, CronSimError
    except ModuleNotFoundError as error:
        raise ImportError('cron needs cronsim: pip install "est-alan-scheduler[cron]"') from error
    text = _NICKNAMES.get(expression.strip().lower(), expression)
    try:
        parsed = CronSim(text, _ANY)
        next(copy.copy(parsed))
    except StopIteration:
        raise ValueError(_never_comes(expression, text.split())) from None
    except (CronSimError, ValueError, TypeError, AssertionError) as error:  # the last three: it fails on odd fields
        raise ValueError(_what_is_wrong(expression, text.split(), str(error))) from None
    return parsed


def _what_is_wrong(expression: str, fields: list[str], error: str) -> str:
    if len(fields) not in (5, 6):
        nicknames = f", nor one of {', '.join(_NICKNAMES)}" if expression.startswith("@") else ""
        return (
            f"cron {short_repr(expression)} is not five fields (minute hour day-of-month month day-of-week), six with "
            f"the seconds first{nicknames}, but {len(fields)}"
        )
    bad = error.removeprefix("Bad ")
    if bad not in _ALLOWED:
        return f"cron {short_repr(expression)} cannot be read{f': {error}' if error else ''}"
    position = list(_ALLOWED).index(bad) - len(_ALLOWED)
    if bad == "day-of-month" and fields[-2:] != ["*", "*"]:
        with suppress(ValueError):  # else the day is right for other months
            parse(" ".join([*fields[:-2], "*", "*"]))
            return _never_comes(expression, fields)
    return (
        f"cron {short_repr(expression)} has the {bad} {short_repr(fields[position])}; allowed: {_ALLOWED[bad]}, "
        "`*`, ranges `a-b`, steps `/n`, and lists of these with commas"
    )


def _never_comes(expression: str, fields: list[str]) -> str:
    days, month, weekdays = fields[-3:]
    return (
        f"cron {short_repr(expression)} names days that never come: "
        f"day-of-month {days}, month {month}, day-of-week {weekdays}"
    )


def shortest_gap(expression: str) -> float:
    """Return the shortest time between slots in seconds, taken from a sample of them."""
    slots = islice(parse(expression), _SAMPLE)
    return min(((later - earlier).total_seconds() for earlier, later in pairwise(slots)), default=float("inf"))
