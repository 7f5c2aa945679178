"""Cron expressions read and refused, against brute force and against cronsim."""

import re
from copy import copy
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

import pytest

pytest.importorskip("cronsim")

from cronsim import CronSim

from est_alan_scheduler import Task, next_run
from est_alan_scheduler.calendar.cron_expression import parse
from tests.calendar.cron_brute import Brute, some_expression
from tests.messages import missing

NINE_HOURS = timedelta(hours=9)


def test_next_run_agrees_with_brute_force(is_full: bool) -> None:
    random = Random(16)
    never = 0
    for _ in range(3_000 if is_full else 400):
        expression = some_expression(random)
        start = datetime(2023, 1, 1) + timedelta(seconds=random.randrange(10**8), microseconds=random.choice([0, 1]))
        expected = list(islice(Brute(expression).slots(start), 3))
        if not expected:
            never += 1
            with pytest.raises(ValueError, match="never come"):
                parse(expression)
            continue
        task = Task(cron=expression, timezone="Asia/Tokyo", func=print)
        found, moment = [], start.replace(tzinfo=UTC) - NINE_HOURS
        for _ in expected:
            following = next_run(task, moment)
            assert following is not None, expression
            moment = following
            found.append(moment.astimezone(UTC).replace(tzinfo=None) + NINE_HOURS)
        assert found == expected, expression
    assert never > 0


def test_values_are_those_that_cronsim_works_with() -> None:
    random = Random(17)
    for _ in range(2_000):
        expression = some_expression(random)
        try:
            read = parse(expression)
        except ValueError:
            continue
        walk = read.walk
        assert [set(values.numbers) for values in read[:3]] == [walk.seconds, walk.minutes, walk.hours]
        assert set(read.months.numbers) == walk.months
        assert set(read.days.numbers) == {day for day in walk.days if day > 0}
        assert set(read.weekdays.numbers) == {day % 7 for day in walk.weekdays if isinstance(day, int)}
        assert len(read.days.special) == sum(day < 0 for day in walk.days)
        assert len(read.weekdays.special) == len(
            {(day[0] % 7, day[1]) for day in walk.weekdays if isinstance(day, tuple)}
        )
        assert read.is_day_both == walk.day_and


@pytest.mark.parametrize(
    "fields",
    [
        *(
            "10-10/5 * * * *",
            "* 5-5/3 * * *",
            "0 0 9-9/2 * *",
            "0 0 * 3-mar/2 *",
            "0 0 * * fri-5/2",
            "7-7/30 * * * * *",
        ),
        *("0 0 1,10-10/5,20-25/5 * *",),
    ],
)
def test_a_range_of_one_value_ends_there_whatever_its_step(fields: str) -> None:
    found, expected = parse(fields).walk, list(islice(Brute(fields).slots(datetime(2000, 1, 1)), 40))
    assert list(islice(CronSim(" ".join(found.parts), datetime(2000, 1, 1)), 40)) == expected


@pytest.mark.parametrize(
    "minutes", ["L", "L/2", "*/0", "*-5", "1-", "1-2-3", "1/2/3", "1,,", "+5", "٣", "²", "1_0", "60"]
)
def test_a_minute_without_a_meaning_is_refused(minutes: str) -> None:
    with pytest.raises(ValueError, match=f"has the minute {re.escape(repr(minutes))}"):
        parse(f"{minutes} * * * *")


@pytest.mark.parametrize("field", [2, 3, 4])
@pytest.mark.parametrize("text", ["L/2", "LW/3", "L-3", "15W", "5L/2", "1#0", "1#6", "8L", "1-5L", "L#1", "foo", "32"])
def test_a_day_or_month_without_a_meaning_is_refused(text: str, field: int) -> None:
    fields = ["0", "0", "*", "*", "*"]
    fields[field] = text
    with pytest.raises(
        ValueError, match=f"has the {['day-of-month', 'month', 'day-of-week'][field - 2]} '{re.escape(text)}'"
    ):
        parse(" ".join(fields))


def test_both_days_have_to_fit_only_if_one_of_the_fields_begins_with_a_star() -> None:
    both = {
        text
        for text in ("13 * 5", "*/2 * 5", "13 * */5", "* * 5", "*,13 * 5", "13,* * 5", "1-31 * 5")
        if parse(f"0 0 {text}").is_day_both
    }
    assert both == {"*/2 * 5", "13 * */5", "* * 5", "*,13 * 5"}


def test_a_day_that_one_of_two_fields_never_has_is_no_reason_to_refuse() -> None:
    assert next(copy(parse("0 0 31 2 mon").walk)).month == 2


@pytest.mark.parametrize(
    ("expression", "instead"),
    [("0 0 31 2 *", "0 0 L 2 *"), ("0 0 31 4,jun *", "0 0 L 4,jun *"), ("30 0 0 30-31 FEB *", "30 0 0 L FEB *")],
)
def test_a_date_that_never_comes_is_refused_with_what_may_have_been_meant(expression: str, instead: str) -> None:
    with pytest.raises(ValueError, match="never come") as caught:
        parse(expression)
    assert missing(caught.value, f"write cron={instead!r}", "run_now", "write manual=True") == []
    parse(instead)
    with pytest.raises(ValueError, match="never come") as caught:
        parse("0 0 */31 * mon#5")
    assert "cron='0 0 L" not in str(caught.value)


def test_a_task_for_run_now_alone_is_written_as_the_refusal_says() -> None:
    task = Task(manual=True, func=print)
    assert next_run(task, datetime(2026, 1, 1)) is None
