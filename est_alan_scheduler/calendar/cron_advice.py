"""Advice for an expression that cron refuses: what is the matter, and what to write instead, field by field."""

from __future__ import annotations

import re
from typing import NamedTuple

from est_alan_scheduler.calendar.cron_field import DAY, FIELDS, HOUR, MINUTE, WEEKDAY, Field

_OPEN = re.compile(
    r"[HR](?:\((?P<low>[0-9]{1,2})-(?P<high>[0-9]{1,2})\))?(?:/(?P<step>[0-9]{1,2}))?"
    r"|(?P<first>[0-9]{0,2})~(?P<last>[0-9]{0,2})"
)
"""Values that others draw by themselves: Jenkins' `H`, `H(0-29)` and `H/15`, croniter's `R`, OpenBSD's `0~29`."""

_RANGE = re.compile(r"(?P<start>[^-/]+)-(?P<end>[^-/]+)(?:/(?P<step>[1-9][0-9]{0,2}))?")


class Advice(NamedTuple):
    """What to write instead of an expression."""

    reason: str
    """What is the matter with it: a predicate."""
    options: dict[str, object]
    """The fields of a task that say the same; empty if no fields do."""

    @property
    def cron(self) -> str | None:
        """The expression to write, if it is one."""
        cron = self.options.get("cron")
        return cron if isinstance(cron, str) else None

    @property
    def code(self) -> str:
        """The options as they are written in a program."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


def mend(fields: list[str], reasons: list[str], options: dict[str, object]) -> Advice | None:
    """Return advice to write five or six fields, each of them mended; None if nothing is known to be the matter."""
    fields, drawn, jitter = _without_open_values(fields)
    reasons = [*reasons, *drawn]
    for index, field in enumerate(FIELDS[-len(fields) :]):
        text, flaw = fields[index], ""
        terms = text.split(",")
        for position, term in enumerate(terms):
            mended = None if field.values(term.upper()) else _mended(field, term)
            if mended is not None:
                terms[position], flaw = mended
        if flaw:
            fields[index] = ",".join(terms)
            reasons.append(f"has the {field.name} {text!r}, {flaw}")
    if not reasons:
        return None
    if len(fields) == 6 and fields[0].strip("0") == "":
        del fields[0]
    delays = {"jitter": jitter} if jitter else {}
    return Advice(" and ".join(reasons), {"cron": " ".join(fields), **delays, **options})


def _without_open_values(fields: list[str]) -> tuple[list[str], list[str], int]:
    """Return the fields without values that are left open, what those were, and the jitter in seconds that does it."""
    fields, opened, spreads = list(fields), [], dict[Field, int]()
    for index, field in enumerate(FIELDS[-len(fields) :]):
        match = _OPEN.fullmatch(fields[index])
        if match is not None:
            opened.append(f"the {field.name} {fields[index]!r}")
            fields[index], spreads[field] = _least(field, match)
    # A delay by hours would go past the next slot, unless there is one minute an hour.
    hours = spreads.get(HOUR, 0) if fields[-5:][0].isdigit() else 0
    reasons = [f"leaves open {' and '.join(opened)}, which jitter does here"] if opened else []
    return fields, reasons, spreads.get(MINUTE, 0) * 60 + hours * 3600


def _least(field: Field, match: re.Match[str]) -> tuple[str, int]:
    """Return the lowest value of an open one, or a range with its step, and how much the value may exceed it."""
    least = min(field.high, 28) if field is DAY else field.low + field.size - 1
    low = int(match["low"] or match["first"] or field.low)
    high = int(match["high"] or match["last"] or least)
    step = int(match["step"] or 0)
    values = range(low, high + 1, step or field.size)
    if not values or not step:
        return str(low), max(high - low, 0)
    text = f"*/{step}" if (low, high) == (field.low, field.low + field.size - 1) else f"{low}-{high}/{step}"
    return text, min(step, field.size - values[-1] + values[0], high - low + 1) - 1


def _mended(field: Field, term: str) -> tuple[str, str] | None:
    """Return a term that cron understands and what is the matter with the one that it does not; None if unknown."""
    capitals = term.upper()
    if capitals == "?":
        return "*", "which is * here"
    if field is WEEKDAY and capitals == "L":
        return "6", "which is Saturday, the last day of a week that begins on Sunday"
    if field is WEEKDAY and re.fullmatch("[A-Z]{3}L", capitals):
        return f"{field.number(capitals[:3])}L", "in which L needs a number"
    words = re.findall("[A-Z]{4,}", capitals)
    if words and all(any(name.startswith(word) for name in field.names) for word in words):
        return re.sub("([A-Za-z]{3})[A-Za-z]+", r"\1", term), "a name of more than three letters"
    if field is DAY and re.fullmatch("LW?/.*", capitals):
        return capitals.partition("/")[0], "of which there are no steps"
    match = _RANGE.fullmatch(term)
    return None if match is None else _unwrapped(field, match)


def _unwrapped(field: Field, match: re.Match[str]) -> tuple[str, str] | None:
    """Return a range that goes past the end of a field, such as 22-6, in two parts."""
    start, end = match["start"], match["end"]
    first, last = field.number(start.upper()), field.number(end.upper())
    if first is None or last is None or first <= last:
        return None
    flaw = "a range that goes past the end"
    if match["step"]:
        values = range(first, last + field.size + 1, int(match["step"]))
        return ",".join(str((value - field.low) % field.size + field.low) for value in values), flaw
    highest, lowest = str(field.low + field.size - 1), str(field.low)
    if not start.isdigit():
        highest, lowest = (
            name[:3].lower() if start.islower() else name[:3] for name in (field.names[-1], field.names[0])
        )
    parts = [start if start == highest else f"{start}-{highest}", end if end == lowest else f"{lowest}-{end}"]
    return ",".join(parts if first <= field.low + field.size - 1 else parts[1:]), flaw
