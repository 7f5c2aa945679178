"""The dates of `on` in words."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.dates import Dates, read_dates
from est_alan_scheduler.calendar.dates_prose import dates_in_words

NTHS = ("1st", "last", "2nd-last", "1st,3rd")
WEEKDAYS = ("mon", "mon-tue", "mon-wed", "tue", "sat-sun", "sun-mon", "fri")
DAYS = ("1", "2", "1-2", "1-3", "last", "-2", "-2-last", "2-last", "28-3", "31-1")
MONTHS = ("", "jan", "feb", "jan-feb", "jan-mar", "dec-jan")
_MONTHS = [(month, length) for month in range(1, 13) for length in ((28, 29) if month == 2 else (30, 31))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mon-fri", "on Monday to Friday"),
        ("sat-sun", "on Saturday and Sunday"),
        ("sat,sun", "on Saturday and Sunday"),
        ("1st sat,sun", "on the 1st Saturday and Sunday of the month"),
        ("1st sat-sun", "on the 1st day from Saturday to Sunday of the month"),
        ("3rd fri-sat mar", "on the 3rd day from Friday to Saturday of March"),
        ("2nd,4th mon-tue", "on the 2nd and 4th day from Monday to Tuesday of the month"),
        ("last mon-fri", "on the last day from Monday to Friday of the month"),
        ("last weekdays", "on the last day from Monday to Friday of the month"),
        ("1st mon-wed,fri", "on the 1st day from Monday to Wednesday and the 1st Friday of the month"),
        (
            "1st,2nd fri,sat-sun,mon",
            "on the 1st and 2nd Friday, the 1st and 2nd day from Saturday to Sunday and the 1st and 2nd Monday of the"
            " month",
        ),
        ("2nd tue,4th tue", "on the 2nd and 4th Tuesday of the month"),
        ("wed 2-8", "on the 2nd to 8th of the month, but only on Wednesday"),
        ("-2,25-last feb", "on the 2nd-last day and 25th to the last day of February"),
        ("1 jan,25 dec", "on the 1st of January and on the 25th of December"),
        ("aug", "every day in August"),
    ],
)
def test_dates_have_words(text: str, words: str) -> None:
    assert dates_in_words(read_dates(text)) == words


def meaning(dates: Dates) -> list[tuple[int, ...]]:
    """Return the days in each kind of month that there is."""
    return [
        tuple(
            sorted({day for rule in dates.rules if rule.has_month(month) for day in rule.dates(length, first_weekday)})
        )
        for month, length in _MONTHS
        for first_weekday in range(7)
    ]


def check_that_words_tell_apart(texts: Iterable[str]) -> None:
    known = dict[str, Dates]()
    for text in texts:
        with suppress(ValueError):  # there is no such date, or the parts of the rules differ
            dates = read_dates(text)
            other = known.setdefault(dates_in_words(dates), dates)
            assert dates.rules == other.rules or meaning(dates) == meaning(other), text


def test_rules_with_other_dates_have_other_words() -> None:
    weekdays = [*WEEKDAYS, *map(",".join, permutations(WEEKDAYS, 2))]
    days = [*DAYS, *map(",".join, permutations(DAYS, 2))]
    check_that_words_tell_apart(map(" ".join, product(("", *NTHS), weekdays, MONTHS)))
    check_that_words_tell_apart(map(" ".join, product(("", "mon", "mon,tue", "mon-tue"), days, MONTHS)))


@st.composite
def several_rules(draw: st.DrawFn) -> str:
    parts = draw(st.sampled_from([(NTHS, WEEKDAYS), (NTHS, WEEKDAYS, MONTHS), (WEEKDAYS, DAYS), (DAYS, MONTHS)]))
    words = st.tuples(*map(st.sampled_from, parts)).map(" ".join)
    return ",".join(draw(st.lists(words, min_size=1, max_size=3)))


@given(texts=st.lists(several_rules(), min_size=2, max_size=40))
def test_several_rules_with_other_dates_have_other_words(texts: list[str]) -> None:
    check_that_words_tell_apart(texts)
