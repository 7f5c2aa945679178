"""Cron expressions as text: what they are made of, and what is wrong with them. By way of cronsim, the extra `cron`."""

from __future__ import annotations

import copy
from datetime import datetime
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from est_alan_scheduler.portable import short_repr

if TYPE_CHECKING:
    from cronsim import CronSim

_ANY = datetime(2000, 1, 1)
_SAMPLE = 100  # slots that are looked at for the shortest gap

# What a crontab takes instead of fields (crontab(5)); `@reboot` has no moment.
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def parse(expression: str) -> CronSim:
    """Return what cronsim makes of an expression.

    Raises `ValueError` that says what is wrong with which field; `ImportError` that says what to install.
    """
    try:
        from cronsim import CronSim, CronSimError
    except ModuleNotFoundError as error:
        raise ImportError('cron needs cronsim: pip install "est-alan-scheduler[cron]"') from error
    fields = _NICKNAMES.get(expression.strip().lower(), expression)
    try:
        parsed = CronSim(fields, _ANY)
        next(copy.copy(parsed))
    except CronSimError as error:
        nicknames = f", nor one of {', '.join(_NICKNAMES)}" if expression.startswith("@") else ""
        raise ValueError(
            f"cron {short_repr(expression)} is not five fields (minute hour day-of-month month day-of-week), six with "
            f"the seconds first{nicknames}: {error}"
        ) from None
    except StopIteration:
        raise ValueError(f"cron {short_repr(expression)} names days that never come") from None
    return parsed


def explain(expression: str) -> str:
    """Return an expression in words, as cronsim puts it."""
    return parse(expression).explain()


def shortest_gap(expression: str) -> float:
    """Return the shortest time between slots in seconds, as far as a sample of them tells."""
    slots = islice(parse(expression), _SAMPLE)
    return min(((later - earlier).total_seconds() for earlier, later in pairwise(slots)), default=float("inf"))
