"""Cron expressions in words: what is said must be true, by a reader of the words and by brute force."""

from datetime import date
from random import Random

import pytest

pytest.importorskip("cronsim")

from est_alan_scheduler import Task, describe
from est_alan_scheduler.calendar.cron_expression import parse
from est_alan_scheduler.calendar.cron_prose import in_words
from tests.calendar.cron_brute import Brute, some_dates, some_expression
from tests.calendar.cron_reader import read
from tests.calendar.real_expressions import DESCRIBED


def untruth(expression: str, words: str, dates: list[date]) -> str | None:
    """Return what the words get wrong of an expression; None if they are true."""
    meaning, brute = read(words), Brute(expression)
    if meaning.times != set(brute.times):
        return f"{expression!r}: {words!r} has other times of the day"
    wrong = [day for day in dates if meaning.has(day) != brute.has(day)]
    return f"{expression!r}: {words!r} is wrong on {wrong[0]}" if wrong else None


def test_words_are_true_of_random_expressions(is_full: bool) -> None:
    random = Random(15)
    some = 0
    for _ in range(6_000 if is_full else 1_000):
        expression = some_expression(random)
        try:
            words = in_words(parse(expression))
        except ValueError:
            continue  # its days never come, as another test holds
        some += 1
        assert untruth(expression, words, some_dates(random, 60)) is None
    assert some > 900


@pytest.mark.parametrize("expression", DESCRIBED)
def test_words_are_true_of_expressions_that_people_use(expression: str) -> None:
    words = describe(Task(cron=expression, func=print))
    assert words == DESCRIBED[expression]
    assert untruth(expression, words, some_dates(Random(1), 300)) is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 21 * *", "at 00:00 on the 21st of the month"),
        ("0 0 11,12,13,22,23,31 * *", "at 00:00 on the 11th to 13th, 22nd, 23rd and 31st of the month"),
        ("*/100 * * * *", "at minute 0 of every hour"),
        ("*/7 * * * *", "every 7 minutes from minute 0 to minute 56 of every hour"),
        ("*/13 * * * *", "every 13 minutes from minute 0 to minute 52 of every hour"),
        ("*/16 * * * *", "at minutes 0, 16, 32 and 48 of every hour"),
        ("0 0 */7 * *", "at 00:00 on the 1st, 8th, 15th, 22nd and 29th of the month"),
        ("0 0 */6 * *", "at 00:00 every 6 days from the 1st to the 31st of the month"),
        ("5-8 4 * * *", "at 04:05, 04:06, 04:07 and 04:08 every day"),
        ("5-9 4 * * *", "every minute from 04:05 to 04:09 every day"),
        ("0 1,2,4,7,8 * * *", "at 01:00, 02:00, 04:00, 07:00 and 08:00 every day"),
        ("0-2 4,9 * * *", "every minute from 04:00 to 04:02 and from 09:00 to 09:02 every day"),
        ("*/30 4,5,9 * * *", "at 04:00, 04:30, 05:00, 05:30, 09:00 and 09:30 every day"),
        (
            "0-3 0,2,5 * * *",
            "every minute from 00:00 to 00:03, from 02:00 to 02:03 and from 05:00 to 05:03 every day",
        ),
        (
            "0-2 0,2,5,9 * * *",
            "at 00:00, 00:01, 00:02, 02:00, 02:01, 02:02, 05:00, 05:01, 05:02, 09:00, 09:01 and 09:02 every day",
        ),
        ("0-3 0,2,5,9 * * *", "at minutes 0 to 3 of hours 0, 2, 5 and 9 every day"),
        ("0 0 1,2 3,4 *", "at 00:00 on the 1st and 2nd of March and April"),
        ("14 14-23/24 * * *", "at 14:14 every day"),
        ("2 */30 * * *", "at 00:02 every day"),
        ("2 */30 * * * *", "every 30 minutes from 00:00:02 to 23:30:02 every day"),
        ("10-10/5 * * * *", "at minute 10 of every hour"),
        ("0 0 13 * FRI", "at 00:00 on the 13th of the month or on Friday"),
        ("0 0 13 2,4 FRI", "at 00:00 on the 13th of the month or on Friday, in February and April"),
        ("0 0 */10 * FRI", "at 00:00 on the 1st, 11th, 21st and 31st of the month, but only on Friday"),
        ("0 0 1-31 * FRI", "at 00:00 every day"),
        ("0 0 LW mar-may *", "at 00:00 on the last weekday (Monday to Friday) of March to May"),
        ("0 0 * feb 0,6,1", "at 00:00 on Saturday to Monday in February"),
        ("0 0 * * 0,1,4", "at 00:00 on Monday, Thursday and Sunday"),
        ("0 0 * feb 7L,1#2", "at 00:00 on the 2nd Monday of the month and the last Sunday of the month in February"),
        ("* 9-17 * jun *", "every minute from 09:00 to 17:59 every day in June"),
        ("*/5 * * jun *", "every 5 minutes in June"),
        ("5 * * * * *", "at second 5 of every minute"),
        ("*/20 5 * * * *", "at seconds 0, 20 and 40 of minute 5 of every hour"),
        ("1,2,9 1-3,9,14-20/3 * * *", "at minutes 1, 2 and 9 of hours 1 to 3, 9, 14, 17 and 20 every day"),
    ],
)
def test_words_of_rare_expressions(expression: str, words: str) -> None:
    assert in_words(parse(expression)) == words
    assert untruth(expression, words, some_dates(Random(2), 300)) is None


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("0 9 1-7 * 1", "0 9 * * 1#1"),
        ("30 0 9 8-14 * mon,FRI", "30 0 9 * * 1#2,5#2"),
        ("0 9 15,16,17-21 3 7", "0 9 * 3 0#3"),
        ("0 9 22-28 * 1", "0 9 * * 1#4"),
        ("0 9 22-28 * SUN-SAT", None),
        ("0 9 22-29 * 1", None),
        ("0 9 1-8 * 1", None),
        ("0 9 1-7,L * 1", None),
        ("0 9 1-7 * 1#1", None),
        ("0 9 1-7 * *", None),
    ],
)
def test_dates_of_a_week_or_a_weekday_come_with_the_expression_for_both(expression: str, instead: str | None) -> None:
    words = describe(Task(cron=expression, timezone="Asia/Seoul", func=print))
    hint = "" if instead is None else f" (for days that are both: cron={instead!r})"
    assert words == f"{in_words(parse(expression))} Asia/Seoul{hint}"
    if instead is not None:
        days, month, weekdays = expression.split()[-3:]
        for day in some_dates(Random(3), 300):
            are_both = all(Brute(f"0 0 {fields}").has(day) for fields in (f"{days} {month} *", f"* {month} {weekdays}"))
            assert Brute(instead).has(day) == are_both


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 9 * * 1", "at 09:00 on Tuesday"),
        ("0 9 * * 1", "at 09:01 on Monday"),
        ("0 9 13 * 5", "at 09:00 on the 13th of the month, but only on Friday"),
        ("0 9 13 2 5", "at 09:00 on the 13th of February or on Friday"),
        ("*/45 * * * *", "every 45 minutes from 00:00 to 23:15 every day"),
    ],
)
def test_the_reader_notices_untrue_words(expression: str, words: str) -> None:
    assert untruth(expression, words, some_dates(Random(4), 300)) is not None


@pytest.mark.parametrize(
    "words", ["at 9:00 every day", "every 7 minutes", "at 09:00 on the 21th of the month", "at 09:00 on 13"]
)
def test_the_reader_refuses_words_that_it_does_not_know(words: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        read(words)
