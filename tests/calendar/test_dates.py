"""The dates of `on`, against an oracle that looks at each date by itself."""

from calendar import isleap, monthrange
from datetime import date, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.dates import read_dates
from tests.calendar.dates_oracle import Words, fits, rules, text_of

DAY = timedelta(days=1)


def listed(text: str, start: date, number: int = 5) -> list[str]:
    return [f"{day:%a} {day.isoformat()}" for day in islice(read_dates(text).from_on(start), number)]


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("mon-fri", "Mon 2026-11-30, Tue 2026-12-01, Wed 2026-12-02, Thu 2026-12-03, Fri 2026-12-04"),
        ("sat,sun", "Sun 2026-11-29, Sat 2026-12-05, Sun 2026-12-06, Sat 2026-12-12, Sun 2026-12-13"),
        ("fri-mon", "Sun 2026-11-29, Mon 2026-11-30, Fri 2026-12-04, Sat 2026-12-05, Sun 2026-12-06"),
        ("1,15", "Tue 2026-12-01, Tue 2026-12-15, Fri 2027-01-01, Fri 2027-01-15, Mon 2027-02-01"),
        ("last", "Mon 2026-11-30, Thu 2026-12-31, Sun 2027-01-31, Sun 2027-02-28, Wed 2027-03-31"),
        ("-2", "Sun 2026-11-29, Wed 2026-12-30, Sat 2027-01-30, Sat 2027-02-27, Tue 2027-03-30"),
        ("31", "Thu 2026-12-31, Sun 2027-01-31, Wed 2027-03-31, Mon 2027-05-31, Sat 2027-07-31"),
        ("1st mon", "Mon 2026-12-07, Mon 2027-01-04, Mon 2027-02-01, Mon 2027-03-01, Mon 2027-04-05"),
        ("last fri", "Fri 2026-12-25, Fri 2027-01-29, Fri 2027-02-26, Fri 2027-03-26, Fri 2027-04-30"),
        ("2nd-last fri", "Fri 2026-12-18, Fri 2027-01-22, Fri 2027-02-19, Fri 2027-03-19, Fri 2027-04-23"),
        ("2nd tue,4th tue", "Tue 2026-12-08, Tue 2026-12-22, Tue 2027-01-12, Tue 2027-01-26, Tue 2027-02-09"),
        ("2nd,4th tue", "Tue 2026-12-08, Tue 2026-12-22, Tue 2027-01-12, Tue 2027-01-26, Tue 2027-02-09"),
        ("5th mon", "Mon 2026-11-30, Mon 2027-03-29, Mon 2027-05-31, Mon 2027-08-30, Mon 2027-11-29"),
        ("1st mon,wed", "Wed 2026-12-02, Mon 2026-12-07, Mon 2027-01-04, Wed 2027-01-06, Mon 2027-02-01"),
        ("1st mon-fri", "Tue 2026-12-01, Fri 2027-01-01, Mon 2027-02-01, Mon 2027-03-01, Thu 2027-04-01"),
        ("last weekday", "Mon 2026-11-30, Thu 2026-12-31, Fri 2027-01-29, Fri 2027-02-26, Wed 2027-03-31"),
        ("wed 2-8", "Wed 2026-12-02, Wed 2027-01-06, Wed 2027-02-03, Wed 2027-03-03, Wed 2027-04-07"),
        ("fri 13", "Fri 2027-08-13, Fri 2028-10-13, Fri 2029-04-13, Fri 2029-07-13, Fri 2030-09-13"),
        ("1 jan,jul", "Fri 2027-01-01, Thu 2027-07-01, Sat 2028-01-01, Sat 2028-07-01, Mon 2029-01-01"),
        ("1 jan,25 dec", "Fri 2026-12-25, Fri 2027-01-01, Sat 2027-12-25, Sat 2028-01-01, Mon 2028-12-25"),
        ("last fri mar,jun", "Fri 2027-03-26, Fri 2027-06-25, Fri 2028-03-31, Fri 2028-06-30, Fri 2029-03-30"),
        ("mon-fri jan-mar", "Fri 2027-01-01, Mon 2027-01-04, Tue 2027-01-05, Wed 2027-01-06, Thu 2027-01-07"),
        ("29 feb", "Tue 2028-02-29, Sun 2032-02-29, Fri 2036-02-29, Wed 2040-02-29, Mon 2044-02-29"),
        ("5th mon feb", "Mon 2044-02-29, Mon 2072-02-29, Mon 2112-02-29, Mon 2140-02-29, Mon 2168-02-29"),
        ("28-3 nov-feb", "Sun 2026-11-29, Mon 2026-11-30, Tue 2026-12-01, Wed 2026-12-02, Thu 2026-12-03"),
        ("-2-last", "Sun 2026-11-29, Mon 2026-11-30, Wed 2026-12-30, Thu 2026-12-31, Sat 2027-01-30"),
        ("30-last", "Mon 2026-11-30, Wed 2026-12-30, Thu 2026-12-31, Sat 2027-01-30, Sun 2027-01-31"),
        ("aug", "Sun 2027-08-01, Mon 2027-08-02, Tue 2027-08-03, Wed 2027-08-04, Thu 2027-08-05"),
    ],
)
def test_a_text_names_dates(text: str, dates: str) -> None:
    assert listed(text, date(2026, 11, 29)) == dates.split(", ")


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("MON-FRI", "mon-fri"),
        ("Mondays, Tues", "mon,tue"),
        ("  monday - thurs  ", "mon-thu"),
        ("weekdays", "mon-fri"),
        ("weekends", "sat-sun"),
        ("first monday january", "1st mon jan"),
        ("Last Friday Sept", "last fri sep"),
        ("-1", "last"),
        ("01 , 15", "1,15"),
    ],
)
def test_names_have_three_letters_or_more_in_any_case(text: str, other: str) -> None:
    assert read_dates(text).rules == read_dates(other).rules


@given(words=rules(), start=st.dates(date(1600, 1, 1), date(2500, 1, 1)))
def test_the_dates_are_those_that_fit_and_no_others(words: Words, start: date) -> None:
    ever = (date(2000, 1, 1) + number * DAY for number in range(28 * 366))
    if not any(fits(words, day) for day in ever):
        with pytest.raises(ValueError, match="no such date in any year"):
            read_dates(text_of(words))
        return
    dates = read_dates(text_of(words))
    span = [start + number * DAY for number in range(400)]
    fitting = [day for day in span if fits(words, day)]
    assert [day for day in span if day in dates] == fitting
    assert list(islice(dates.from_on(start), len(fitting))) == fitting
    assert list(islice(dates.down_from(span[-1]), len(fitting))) == fitting[::-1]
    distances = [(later - earlier).days for earlier, later in pairwise(fitting)]
    assert min(distances, default=dates.least_distance()) >= dates.least_distance()


@pytest.mark.parametrize("text", ["mon-fri", "wed 2-8", "last fri", "1,15", "1 jan,dec", "-2", "28-3"])
def test_the_least_distance_is_that_of_two_dates(text: str) -> None:
    days = [date(2000, 1, 1) + number * DAY for number in range(28 * 366)]
    dates = read_dates(text)
    nearest = min(later - earlier for earlier, later in pairwise([day for day in days if day in dates]))
    assert dates.least_distance() * DAY == nearest


def test_dates_end_with_the_calendar() -> None:
    assert list(read_dates("mon").from_on(date(9999, 12, 27))) == [date(9999, 12, 27)]
    assert list(read_dates("29 feb").from_on(date(9997, 1, 1))) == []
    assert list(read_dates("1").down_from(date(1, 2, 27))) == [date(1, 2, 1), date(1, 1, 1)]


def test_every_month_of_four_hundred_years_is_counted_right() -> None:
    last, fifth = read_dates("last"), read_dates("5th fri")
    for year in range(1900, 2300):
        for month in range(1, 13):
            length = monthrange(year, month)[1]
            assert date(year, month, length) in last
            friday = [day for day in range(29, length + 1) if date(year, month, day).weekday() == 4]
            assert [day for day in range(1, length + 1) if date(year, month, day) in fifth] == friday


@pytest.mark.parametrize("text", ["31 feb", "30 feb", "31 apr,jun", "wed 30 feb", "-31 sep", "20--20"])
def test_dates_that_never_come_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="there is no such date in any year"):
        read_dates(text)


def test_equal_texts_are_read_once() -> None:
    assert read_dates("1st mon jun") is read_dates("1st mon jun")


def test_a_rare_date_is_found_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def ask(year: int) -> bool:
        asked.append(year)
        return isleap(year)

    monkeypatch.setattr("est_alan_scheduler.calendar.dates.is_leap", ask)
    assert next(read_dates("mon 29 feb").from_on(date(2072, 3, 1))) == date(2112, 2, 29)
    assert asked == list(range(2073, 2113))
