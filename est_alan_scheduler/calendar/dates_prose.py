"""The dates of `on` in words, in those of cron expressions: "on the last Friday of the month"."""

import re
from collections.abc import Callable, Iterable
from itertools import groupby

from est_alan_scheduler.calendar.cron_field import MONTH
from est_alan_scheduler.calendar.cron_prose import joined, ordinal
from est_alan_scheduler.calendar.dates import WEEKDAYS, Dates, Rule, Span


def dates_in_words(dates: Dates) -> str:
    """Return when the dates come: "on Monday to Friday in January to March"."""
    same = groupby(dates.rules, key=lambda rule: rule._replace(nths=()))  # `2nd tue,4th tue`
    return joined(_rule(rule._replace(nths=tuple(n for one in rules for n in one.nths))) for rule, rules in same)


def _rule(rule: Rule) -> str:
    months = joined(_spans(rule.months, _month)) if rule.months else ""
    if rule.nths:
        return f"on the {_counted(rule)} of {months or 'the month'}"
    weekdays = joined(_spans(rule.weekdays, _weekday)) if rule.weekdays else ""
    if rule.days:
        days = [re.sub(r" to (?=\S*last)", " to the ", name) for name in _spans(rule.days, _day)]
        both = f", but only on {weekdays}" if weekdays else ""
        return f"on the {joined(days)} of {months or 'the month'}{both}"
    if weekdays:
        return f"on {weekdays} in {months}" if months else f"on {weekdays}"
    return f"every day in {months}"


def _counted(rule: Rule) -> str:
    """Return what the n-th counts: of a range one of its days, also if it has only two, but of a list each."""
    nths = joined(map(_nth, rule.nths))
    if all(start == end for start, end in rule.weekdays):
        return f"{nths} {joined(_weekday(start) for start, _ in rule.weekdays)}"
    days = [
        _weekday(start) if start == end else f"day from {_weekday(start)} to {_weekday(end)}"
        for start, end in rule.weekdays
    ]
    return joined(f"{'the ' * (position > 0)}{nths} {day}" for position, day in enumerate(days))


def _spans(spans: Iterable[Span], word: Callable[[int], str]) -> list[str]:
    """Return spans in words: one that has two values as these."""
    words = list[str]()
    for start, end in spans:
        names = [word(start)] if start == end else [word(start), word(end)]
        words += names if end - start in (0, 1) else [" to ".join(names)]
    return words


def _weekday(number: int) -> str:
    return WEEKDAYS[number].title()


def _month(number: int) -> str:
    return MONTH.names[number - 1].title()


def _day(number: int) -> str:
    return ordinal(number) if number > 0 else f"{_nth(number)} day"


def _nth(number: int) -> str:
    return ordinal(number) if number > 0 else "last" if number == -1 else f"{ordinal(-number)}-last"
