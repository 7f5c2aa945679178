"""Cron expressions in words: from their values, so that expressions with the same values read the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product

from est_alan_scheduler.calendar.cron_expression import CronExpression, Values
from est_alan_scheduler.calendar.cron_field import MONTH, WEEKDAY

_HOUR, _DAY = 3600, 86_400
_FEW_TIMES, _MANY_TIMES = 4, 12  # to list in any case, and where no rule sums them up
_FEW_DAYS = 5
_MAX_SPANS = 3  # of a day
_LAST_DAYS = {"L": "the last day", "LW": "the last weekday (Monday to Friday)"}
_WEEKS = {tuple(range(1, 8)): 1, tuple(range(8, 15)): 2, tuple(range(15, 22)): 3, tuple(range(22, 29)): 4}


def in_words(expression: CronExpression) -> str:
    """Return when an expression has its slots: "at 09:00 on Monday to Friday"."""
    time, needs_days = _time(expression)
    months = "" if expression.months.is_full else joined(_in_runs(expression.months.numbers, _month))
    days = _days(expression, months)
    if not days:
        days = f"every day{months and f' in {months}'}" if needs_days else months and f"in {months}"
    return f"{time} {days}".rstrip()


def nth_weekday(expression: CronExpression) -> str | None:
    """Return what may be meant by dates or weekdays that cover a week: `1#1` for `1-7 * 1`; None for any other."""
    seconds, minutes, hours, days, months, weekdays, is_day_both, _ = expression
    week = _WEEKS.get(days.numbers)
    if is_day_both or week is None or weekdays.is_full or weekdays.special or days.special:
        return None
    counted = ",".join(f"{number}#{week}" for number in weekdays.numbers)
    time = [values.text for values in (seconds, minutes, hours)]
    return " ".join([*time[time[0] == "0" :], "*", months.text, counted])


# The time of day


def _time(expression: CronExpression) -> tuple[str, bool]:
    """Return the times of a day in words, and whether they are incomplete without days."""
    times = _times(expression)
    if 0 < len(times) <= _FEW_TIMES:
        return f"at {joined(map(_clock, times))}", True
    spans = _spans(expression)
    step = spans[0].step if spans else 0
    is_whole_day = len(spans) == 1 and len(spans[0]) * step == _DAY
    if is_whole_day and step < _HOUR and spans[0][0] == 0:
        return f"every {_duration(step)}", False
    if spans and not (is_whole_day and step in (60, _HOUR)):
        parts = (f"from {_clock(span[0])} to {_clock(span[-1])}" for span in spans)
        return f"every {_duration(step)} {joined(parts)}", True
    if times:
        return f"at {joined(map(_clock, times))}", True
    return _by_fields(expression), not expression.hours.is_full


def _times(expression: CronExpression) -> list[int]:
    """Return the seconds of a day at which there are slots; none if they are too many to be listed."""
    hours, minutes, seconds = (values.numbers for values in (expression.hours, expression.minutes, expression.seconds))
    if len(hours) * len(minutes) * len(seconds) > _MANY_TIMES:
        return []
    return [hour * _HOUR + minute * 60 + second for hour, minute, second in product(hours, minutes, seconds)]


def _spans(expression: CronExpression) -> list[range]:
    """Return the seconds of a day as few ranges with the same step; none if that is not possible."""
    hours = expression.hours.numbers
    whole = _as_range(hours)
    for parts in ([whole], _runs(hours)):
        spans = [_within(_within(part, expression.minutes.numbers), expression.seconds.numbers) for part in parts]
        found = [span for span in spans if span is not None and len(span) > 2]
        if len(found) == len(spans) and 0 < len(spans) <= _MAX_SPANS:
            return found
    return []


def _within(outer: range | None, values: Sequence[int]) -> range | None:
    """Return the minutes of hours, or the seconds of minutes, as a range; None if the distances vary."""
    inner = _as_range(values)
    if outer is None or inner is None:
        return None
    if len(inner) == 1:
        return range(outer[0] * 60 + inner[0], outer[-1] * 60 + inner[0] + 1, outer.step * 60)
    goes_on = outer.step == 1 and inner.step * len(inner) == 60
    if len(outer) == 1 or goes_on:
        return range(outer[0] * 60 + inner[0], outer[-1] * 60 + inner[-1] + 1, inner.step)
    return None


def _by_fields(expression: CronExpression) -> str:
    parts = [
        _field("second", expression.seconds) if expression.seconds.numbers != (0,) else "",
        _field("minute", expression.minutes),
        "" if expression.minutes.is_full and expression.hours.is_full else _field("hour", expression.hours),
    ]
    words = " of ".join(filter(None, parts))
    return words if words.startswith("every") else f"at {words}"


def _field(unit: str, values: Values) -> str:
    if values.is_full:
        return f"every {unit}"
    numbers = values.numbers
    steps = _as_range(numbers)
    if steps is not None and steps.step > 1 and len(steps) > _FEW_TIMES:
        return f"every {steps.step} {unit}s from {unit} {steps[0]} to {unit} {steps[-1]}"
    return f"{unit}{'s' if len(numbers) > 1 else ''} {joined(_in_runs(numbers, str))}"


def _clock(second: int) -> str:
    words = f"{second // _HOUR:02}:{second // 60 % 60:02}"
    return words if second % 60 == 0 else f"{words}:{second % 60:02}"


def _duration(step: int) -> str:
    size, unit = next(
        (size, unit) for size, unit in ((_HOUR, "hour"), (60, "minute"), (1, "second")) if step % size == 0
    )
    return unit if step == size else f"{step // size} {unit}s"


# The days


def _days(expression: CronExpression, months: str) -> str:
    """Return the days in words, with their months if these are restricted; nothing for every day."""
    dates, weekdays = _dates(expression.days), _weekdays(expression.weekdays)
    if dates and weekdays:
        either = ", but only" if expression.is_day_both else " or"
        return f"{dates} of the month{either} {weekdays}{months and f', in {months}'}"
    if not expression.is_day_both:
        return ""  # one of the two is enough, and one of them is every day
    if dates:
        return f"{dates} of {months or 'the month'}"
    return f"{weekdays} in {months}" if weekdays and months else weekdays


def _dates(days: Values) -> str:
    if days.is_full:
        return ""
    steps = _as_range(days.numbers)
    if steps is not None and steps.step > 1 and len(steps) > _FEW_DAYS and not days.special:
        return f"every {steps.step} days from the {ordinal(steps[0])} to the {ordinal(steps[-1])}"
    first, *others = _in_runs(days.numbers, ordinal) or [""]
    names = [f"the {first}", *others] if first else []
    return f"on {joined([*names, *map(_LAST_DAYS.__getitem__, days.special)])}"


def _weekdays(weekdays: Values) -> str:
    if weekdays.is_full:
        return ""
    numbers = sorted(number or 7 for number in weekdays.numbers)  # from Monday on
    runs = _runs(numbers)
    if len(runs) > 1 and (runs[0][0], runs[-1][-1]) == (1, 7) and len(runs[0]) + len(runs[-1]) > 2:
        numbers = numbers[len(runs[0]) :] + [number + 7 for number in runs[0]]  # Saturday to Monday
    names = _in_runs(numbers, _weekday)
    for term in sorted(weekdays.special, key=lambda term: ((int(term[0]) - 1) % 7, term)):
        which = "last" if term.endswith("L") else ordinal(int(term[-1]))
        names.append(f"the {which} {_weekday(int(term[0]))} of the month")
    return f"on {joined(names)}"


# Lists of values


def _as_range(numbers: Sequence[int]) -> range | None:
    """Return numbers in order as a range; None if they do not have the same distances."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    steps = range(numbers[0], numbers[-1] + 1, step) if numbers else range(0)
    return steps if numbers and tuple(steps) == tuple(numbers) else None


def _runs(numbers: Sequence[int]) -> list[range]:
    """Return numbers in order as ranges without holes."""
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number + 1 for number in numbers if number + 1 not in numbers]
    return list(map(range, starts, ends))


def _in_runs(numbers: Sequence[int], word: Callable[[int], str]) -> list[str]:
    return [words for run in _runs(numbers) for words in _run(list(map(word, run)))]


def _run(words: list[str]) -> list[str]:
    """Return successive values in words: from three on, only the first and the last."""
    return words if len(words) < 3 else [f"{words[0]} to {words[-1]}"]


def joined(words: Iterable[str]) -> str:
    """Return words as a list: "a, b and c"."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _month(number: int) -> str:
    return MONTH.names[number - 1].title()


def _weekday(number: int) -> str:
    return WEEKDAY.names[number % 7].title()


def ordinal(number: int) -> str:
    """Return the number of a day: "3rd"."""
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
