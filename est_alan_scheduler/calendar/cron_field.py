"""The fields of a cron expression: their names, their ranges, and the values that the terms between commas have."""

from __future__ import annotations

import re
from typing import NamedTuple

_MAX_DIGITS = 9  # of a number, so that no text makes reading slow


class Field(NamedTuple):
    """A field. All text is in capital letters."""

    name: str
    low: int
    high: int
    size: int
    """The number of different values."""
    names: tuple[str, ...] = ()
    """The names of the values, from `low` on; expressions have the first three letters."""
    special: str = "(?!)"
    """A pattern of the terms that are not numbers: a `day` that may be empty, and what follows it."""
    hint: str = ""
    """The terms besides the numbers, for an error."""

    @property
    def allowed(self) -> str:
        """The terms that the field can have, for an error."""
        return f"{self.low}-{self.high}{self.hint}, `*`, ranges `a-b`, steps `/n`, and lists of these with commas"

    def number(self, text: str) -> int | None:
        """Return the value that a number or a name stands for; None if it is neither."""
        for number, name in enumerate(self.names, self.low):
            if text == name[:3]:
                return number
        value = whole_number(text)
        return value if value is not None and self.low <= value <= self.high else None

    def values(self, term: str) -> range | None:
        """Return the values of a term that is `*`, a value or a range, with a step or without; None for any other."""
        span, slash, steps = term.partition("/")
        start, dash, end = span.partition("-")
        step = whole_number(steps) if slash else 1
        # A single value with a step goes on to the end of the field; a range ends where it says.
        first = self.low if span == "*" else self.number(start)
        last = self.number(end) if dash else self.high if slash or span == "*" else first
        if not step or first is None or last is None or last < first:
            return None
        return range(first, last + 1, step)

    def special_term(self, term: str) -> str | None:
        """Return a term that is not a number, with Sunday as 0: `L`, `LW`, `5L`, `1#2`; None for any other."""
        match = re.fullmatch(self.special, term)
        if match is None:
            return None
        number = self.number(match["day"])
        return term if number is None else f"{number % self.size}{term[len(match['day']) :]}"

    def reads(self, text: str) -> bool:
        """Return whether all terms of a text can be read."""
        return all(self.values(term) or self.special_term(term) for term in text.split(","))


def whole_number(text: str) -> int | None:
    """Return a whole number; None if the text is anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


_MONTHS = (
    *("JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE"),
    *("JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER"),
)
_WEEKDAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")

SECOND = Field("second", 0, 59, 60)
MINUTE = Field("minute", 0, 59, 60)
HOUR = Field("hour", 0, 23, 24)
DAY = Field("day-of-month", 1, 31, 31, special="(?P<day>)LW?", hint=", L (the last day), LW (the last weekday)")
MONTH = Field("month", 1, 12, 12, _MONTHS, hint=", JAN-DEC")
WEEKDAY = Field(
    "day-of-week",
    *(0, 7, 7),
    _WEEKDAYS,
    special=f"(?P<day>[0-7]|{'|'.join(name[:3] for name in _WEEKDAYS)})(#[1-5]|(?<=[0-7])L)",
    hint=" (0 and 7 are Sunday), SUN-SAT, `5L` (the last Friday), `1#2` (the second Monday)",
)
FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
"""In their order; the seconds may be left out."""
