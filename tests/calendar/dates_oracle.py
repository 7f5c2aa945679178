"""An oracle of the dates of `on`: words that are drawn, their text, and whether a date fits them."""

from calendar import monthrange
from datetime import date
from typing import Any, NamedTuple

from hypothesis import strategies as st

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ENDINGS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}
_NTHS = (*range(1, 6), *range(-5, 0))

Span = tuple[int, int]


class Words(NamedTuple):
    """One rule."""

    nths: list[int]
    weekdays: list[Span]
    days: list[Span]
    months: list[Span]


def _spans(numbers: Any) -> Any:
    return st.lists(st.one_of(numbers.map(lambda n: (n, n)), st.tuples(numbers, numbers)), min_size=1, max_size=3)


def rules() -> Any:
    """Return a strategy for words."""
    weekdays, months = _spans(st.integers(0, 6)), _spans(st.integers(0, 11)) | st.just([])
    days = _spans(st.integers(1, 31) | st.integers(-31, -1))
    nths = st.lists(st.sampled_from(_NTHS), min_size=1, max_size=2)
    return st.one_of(
        st.builds(Words, nths, weekdays, st.just([]), months),
        st.builds(Words, st.just([]), weekdays | st.just([]), days, months),
        st.builds(Words, st.just([]), weekdays, st.just([]), months),
    )


def text_of(words: Words) -> str:
    """Return the words as they are written."""
    nths = ",".join(
        "last" if n == -1 else f"{abs(n)}{_ENDINGS.get(abs(n), 'th')}{'-last' * (n < 0)}" for n in words.nths
    )
    weekdays = ",".join(_span(span, DAYS.__getitem__) for span in words.weekdays)
    days = ",".join(_span(span, str) for span in words.days)
    months = ",".join(_span(span, MONTHS.__getitem__) for span in words.months)
    return " ".join(filter(None, (nths, weekdays, days, months)))


def _nth(number: int) -> str:
    return "last" if number == -1 else f"{abs(number)}{_ENDINGS.get(abs(number), 'th')}{'-last' * (number < 0)}"


def _span(span: Span, word: Any) -> str:
    return word(span[0]) if span[0] == span[1] else f"{word(span[0])}-{word(span[1])}"


def fits(words: Words, day: date) -> bool:
    """Return whether a date fits."""
    length = monthrange(day.year, day.month)[1]
    if words.months and not any(_within(span, day.month - 1) for span in words.months):
        return False
    if words.days and not any(_is_day(span, day.day, length) for span in words.days):
        return False
    if not words.weekdays:
        return True
    return any(_within(span, day.weekday()) and _counts(words.nths, span, day, length) for span in words.weekdays)


def _within(span: Span, number: int) -> bool:
    start, end = span
    return start <= number <= end if start <= end else number >= start or number <= end


def _is_day(span: Span, day: int, length: int) -> bool:
    start, end = span
    is_from = day >= start if start > 0 else day - length - 1 >= start
    is_to = day <= end if end > 0 else day - length - 1 <= end
    wraps = start > end if start * end > 0 else start < 0
    return is_from or is_to if wraps else is_from and is_to


def _counts(nths: list[int], span: Span, day: date, length: int) -> bool:
    if not nths:
        return True
    before = sum(_within(span, day.replace(day=other).weekday()) for other in range(1, day.day + 1))
    after = sum(_within(span, day.replace(day=other).weekday()) for other in range(day.day, length + 1))
    return before in nths or -after in nths
