"""Expressions of other schedulers: refused with what to write here, which is accepted and means the same."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

pytest.importorskip("cronsim")

from est_alan_scheduler import Task
from est_alan_scheduler.calendar.cron_dialects import advise
from est_alan_scheduler.calendar.cron_expression import parse
from tests.calendar.cron_brute import MONTHS, WEEKDAYS, Brute, matches, some_dates
from tests.calendar.real_expressions import DESCRIBED, NAMED, REPLACED
from tests.messages import missing, only_error

NOW = datetime(2026, 6, 1, 12)


class Frozen(datetime):
    @classmethod
    def now(cls, tz: object = None) -> "Frozen":
        return cls(2026, 6, 1, 12)


def refusal(expression: str) -> str:
    with pytest.raises(ValueError, match=r"^cron ") as caught:
        parse(expression)
    return str(caught.value)


def replacement(expression: str) -> dict[str, Any]:
    """Return the fields that a refusal says to write, which make a task."""
    code = refusal(expression).rpartition(": write ")[2]
    fields: dict[str, Any] = eval(f"dict({code})", {"datetime": Frozen})
    Task(**fields, func=print)
    return fields


@pytest.mark.parametrize("expression", REPLACED)
def test_an_expression_of_another_dialect_that_people_use_is_refused_with_what_to_write(expression: str) -> None:
    assert replacement(expression) == REPLACED[expression]


@pytest.mark.parametrize("expression", NAMED)
def test_any_other_expression_that_people_use_is_refused_with_the_reason(expression: str) -> None:
    assert missing(refusal(expression), f"cron {expression!r}", NAMED[expression]) == []


def test_each_expression_that_people_use_is_a_case() -> None:
    assert len(DESCRIBED | REPLACED | NAMED) == len(DESCRIBED) + len(REPLACED) + len(NAMED) == 386


@pytest.mark.parametrize(
    ("expression", "fields", "what"),
    [
        # AWS
        (
            "cron(15 10 ? * 6L 2026-2027)",
            {"cron": "15 10 * * 5L", "start_at": "2026-01-01", "end_at": "2027-12-31T23:59:59"},
            "AWS",
        ),
        (
            "0 10 * * MON 2026",
            {"cron": "0 10 * * MON", "start_at": "2026-01-01", "end_at": "2026-12-31T23:59:59"},
            "AWS",
        ),
        ("0 10 ? * 7-2 *", {"cron": "0 10 * * 6,0-1"}, "1 for Sunday"),
        ("rate(5 minutes)", {"every": {"minutes": 5}}, "interval"),
        ("rate(1 hour)", {"every": {"hours": 1}}, "interval"),
        ("at(2026-11-20T13:00:00)", {"run_at": "2026-11-20T13:00:00"}, "moment"),
        # Quartz, Spring
        ("0 0 12 ? * 6L", {"cron": "0 12 * * 5L"}, "Quartz"),
        (
            "0 0 12 ? * 6#3 2026",
            {"cron": "0 12 * * 5#3", "start_at": "2026-01-01", "end_at": "2026-12-31T23:59:59"},
            "Quartz",
        ),
        ("0 0 12 ? * 2/3", {"cron": "0 12 * * 1-6/3"}, "1 for Sunday"),
        ("0 0 12 ? * MON/2", {"cron": "0 12 * * MON-6/2"}, "Quartz"),
        ("0 0 12 ? * L", {"cron": "0 12 * * 6"}, "Saturday"),
        ("0 0 12 ? * 0-5", {"cron": "0 12 * * 0-5"}, "Quartz"),
        ("30 1/1 0/1 1/1 * ?", {"cron": "30 1/1 * * * *"}, "Quartz"),
        ("0 0 12 * * MON-FRI *", {"cron": "0 12 * * MON-FRI"}, "year"),
        ("0 10 * * ?", {"cron": "0 10 * * *"}, "'?', which is * here"),
        ("0 0 * * FRIL", {"cron": "0 0 * * 5L"}, "L needs a number"),
        ("0 0 * * Monday,thurs", {"cron": "0 0 * * Mon,thu"}, "three letters"),
        ("0 0 1 JANUARY-JUNE *", {"cron": "0 0 1 JAN-JUN *"}, "three letters"),
        ("0 0 L/2 * *", {"cron": "0 0 L * *"}, "no steps"),
        # Go, crontab
        ("@every 1h30m", {"every": {"hours": 1, "minutes": 30}}, "interval"),
        ("@every 1.5h", {"every": {"hours": 1.5}}, "interval"),
        ("@EVERY 90s", {"every": {"seconds": 90}}, "interval"),
        ("@every 1h1h2d", {"every": {"hours": 2, "days": 2}}, "interval"),
        ("every 5 minutes", {"every": {"minutes": 5}}, "interval"),
        ("@reboot", {"run_at": NOW}, "once"),
        (" @once", {"run_at": NOW}, "once"),
        ("TZ=Asia/Seoul 0 9 * * *", {"cron": "0 9 * * *", "timezone": "Asia/Seoul"}, "time zone"),
        ('CRON_TZ="Asia/Seoul"\n0 22-6 * * *', {"cron": "0 22-23,0-6 * * *", "timezone": "Asia/Seoul"}, "'22-6'"),
        ("CRON_TZ=UTC @daily", {"cron": "@daily", "timezone": "UTC"}, "time zone"),
        ("CRON_TZ=UTC @every 5m", {"every": {"minutes": 5}, "timezone": "UTC"}, "interval"),
        # ranges past the end
        ("0 0 * * fri-sun", {"cron": "0 0 * * fri-sat,sun"}, "past the end"),
        ("0 0 * * FRI-MON", {"cron": "0 0 * * FRI-SAT,SUN-MON"}, "past the end"),
        ("0 0 * * sat-sun,wed", {"cron": "0 0 * * sat,sun,wed"}, "past the end"),
        ("0 0 * * 5-0", {"cron": "0 0 * * 5-6,0"}, "past the end"),
        ("0 0 * * 7-2", {"cron": "0 0 * * 0-2"}, "past the end"),
        ("0 0 25-5 nov-feb *", {"cron": "0 0 25-31,1-5 nov-dec,jan-feb *"}, "the month 'nov-feb'"),
        ("45-15/10 * * * *", {"cron": "45,55,5,15 * * * *"}, "past the end"),
        ("0 0 1 nov-mar/2 *", {"cron": "0 0 1 11,1,3 *"}, "past the end"),
        ("0 0 25-5/5 * *", {"cron": "0 0 25,30,4 * *"}, "past the end"),
        ("23-0 * * * * *", {"cron": "23-59,0 * * * * *"}, "past the end"),
        # values left open: Jenkins, OpenBSD
        ("H/15 * * * *", {"cron": "*/15 * * * *", "jitter": 840}, "jitter"),
        ("H(0-29)/10 * * * *", {"cron": "0-29/10 * * * *", "jitter": 540}, "jitter"),
        ("H(10-20) * * * *", {"cron": "10 * * * *", "jitter": 600}, "jitter"),
        ("15 H(3-5) * * *", {"cron": "15 3 * * *", "jitter": 7200}, "jitter"),
        ("H H(8-15)/2 * * 1-5", {"cron": "0 8-15/2 * * 1-5", "jitter": 7140}, "the hour 'H(8-15)/2'"),
        ("H H * * H", {"cron": "0 0 * * 0", "jitter": 86340}, "jitter"),
        ("H/20 H * * *", {"cron": "*/20 0 * * *", "jitter": 1140}, "jitter"),
        ("H H/5 * * *", {"cron": "0 */5 * * *", "jitter": 4 * 3600 - 60}, "jitter"),
        ("H(3-3) 5 H * *", {"cron": "3 5 1 * *"}, "jitter"),
        ("0~30 ~ * * *", {"cron": "0 0 * * *", "jitter": 84600}, "jitter"),
        # a crontab: a command behind the fields, perhaps with a user before it
        ("0 5 * * * root backup --all", {"cron": "0 5 * * *"}, "command"),
        ("*/5 9-17 * * mon-fri /usr/bin/backup", {"cron": "*/5 9-17 * * mon-fri"}, "command"),
        ("0 0 L * * cd /srv && ./backup", {"cron": "0 0 L * *"}, "command"),
        # systemd
        ("*-*-* 02:00", {"at": "02:00"}, "systemd"),
        ("OnCalendar=*-*-* 2:5:00", {"at": "02:05"}, "systemd"),
        ("02:30 Asia/Seoul", {"at": "02:30", "timezone": "Asia/Seoul"}, "systemd"),
        ("*-*-* 02:00:30", {"cron": "30 0 2 * * *"}, "systemd"),
        ("Mon..Fri 10:00", {"cron": "0 10 * * mon-fri"}, "systemd"),
        ("Saturday,Sunday *-*-* 08..18:00/30", {"cron": "0/30 8-18 * * sat,sun"}, "systemd"),
        ("*:0/15", {"cron": "0/15 * * * *"}, "systemd"),
        ("Mon *-*-8..14 12:00", {"cron": "0 12 * * mon#2"}, "systemd"),
        ("*-*~01 03:00", {"cron": "0 3 L * *"}, "systemd"),
        ("*-01,07-01", {"cron": "0 0 1 1,7 *"}, "systemd"),
        ("2026-11-20 03:00", {"run_at": "2026-11-20T03:00:00"}, "systemd"),
        (
            "2026-*-01 03:00",
            {"cron": "0 3 1 * *", "start_at": "2026-01-01", "end_at": "2026-12-31T23:59:59"},
            "systemd",
        ),
        ("weekly", {"cron": "0 0 * * mon"}, "systemd"),
        ("quarterly", {"cron": "0 0 1 1,4,7,10 *"}, "systemd"),
    ],
)
def test_an_expression_of_another_dialect_is_refused_with_what_to_write(
    expression: str, fields: dict[str, Any], what: str
) -> None:
    assert replacement(expression) == fields
    assert missing(refusal(expression), f"cron {expression!r}", what) == []


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("0 0 12 15W * ?", ["Quartz", "the day-of-month '15W'", "LW (the last weekday)"]),
        ("0 0 31 4 ?", ["'?'", "never come", "cron='0 0 L 4 *'"]),
        ("0 10 * * ? 2026/2", ["AWS", "years, 2026/2", "start_at", "end_at"]),
        ("Mon *-*-1..9 12:00", ["systemd", "both a date and a weekday"]),
        ("H(70-80) * * * *", ["'H(70-80)'", "the minute '70'", "0-59"]),
        ("TZ=UTC 0 99 * * *", ["time zone", "the hour '99'"]),
        ("0 22-6/0 * * *", ["the hour '22-6/0'; allowed: 0-23"]),
        ("@every 5 fortnights", ["not five fields"]),
        ("@every 0s", ["not five fields"]),
        (f"@every {'9' * 20}h", ["not five fields"]),
        ("0 0 12 * * ? 2027-2026", ["Quartz", "years, 2027-2026"]),
        ("at(noon)", ["not five fields"]),
        ("2026-13-45 03:00", ["systemd", "45"]),
        ("*-*~03 03:00", ["systemd", "the last day"]),
        ("*-02~05..02", ["systemd", "the last day"]),
    ],
)
def test_what_cannot_be_replaced_is_refused_with_the_reasons(expression: str, parts: list[str]) -> None:
    message = refusal(expression)
    assert missing(message, f"cron {expression!r}", *parts) == []


@pytest.mark.pydantic
def test_the_advice_reaches_the_user() -> None:
    with pytest.raises(ValidationError, match="Quartz") as caught:
        Task(cron="0 0 0 1 * ?", func=print)
    assert only_error(caught).endswith("write cron='0 0 1 * *'")


def test_expressions_of_quartz_keep_their_meaning(is_full: bool) -> None:
    random = Random(18)
    for _ in range(1_000 if is_full else 300):
        days, weekdays = random.choice(
            [(term(random, 1, 31, []), "?"), ("?", term(random, 1, 7, WEEKDAYS)), ("?", special_weekday(random))]
        )
        months = random.choice(["*", term(random, 1, 12, MONTHS)])
        hours = random.choice(["*", term(random, 0, 23, [])])
        is_aws = random.random() < 0.5
        expression = f"5 {hours} {days} {months} {weekdays} *" if is_aws else f"0 5 {hours} {days} {months} {weekdays}"
        message = refusal(expression)
        if "never come" in message:
            continue
        (brute,) = (Brute(fields["cron"]) for fields in [replacement(expression)])
        assert brute.times == [hour * 3600 + 300 for hour in range(24) if has(hours, hour, 0, 23, [])], expression
        for day in some_dates(random, 50):
            fits = (
                has(months, day.month, 1, 12, MONTHS)
                and (days == "?" or has(days, day.day, 1, 31, []))
                and (weekdays == "?" or is_weekday(weekdays, day))
            )
            assert brute.has(day) == fits, (expression, day)


def term(random: Random, low: int, high: int, names: list[str]) -> str:
    """Return a term of Quartz, where ranges may go past the end."""
    first, last = random.choices(range(low, high + 1), k=2)
    start, end = (
        (names[value - low].upper() if names and random.random() < 0.5 else str(value)) for value in (first, last)
    )
    step = random.randint(1, high)
    return random.choice([start, f"{start},{end}", f"{start}-{end}", f"{start}/{step}", f"*/{step}"])


def special_weekday(random: Random) -> str:
    return random.choice(
        [
            f"{random.randint(1, 7)}L",
            f"{random.randint(1, 7)}#{random.randint(1, 4)}",
            f"{random.choice(WEEKDAYS).upper()}L",
        ]
    )


def has(text: str, value: int, low: int, high: int, names: list[str]) -> bool:
    """Return whether a field of Quartz has a value."""
    for number, name in enumerate(names, low):
        text = text.replace(name.upper(), str(number))
    for part in text.split(","):
        ends = re.fullmatch(r"(\d+)-(\d+)", part)
        if part == "*" or (ends is None and matches(part, value, low, high)):
            return True
        if ends is not None:
            first, last = int(ends[1]), int(ends[2])
            if (first <= value <= last) if first <= last else (value >= first or value <= last):
                return True
    return False


def is_weekday(text: str, day: date) -> bool:
    number = day.isoweekday() % 7 + 1
    special = re.fullmatch(r"(\w+?)(L|#\d)", text)
    if special is None:
        return has(text, number, 1, 7, WEEKDAYS)
    asked = special[1] if special[1].isdigit() else str(WEEKDAYS.index(special[1].title()) + 1)
    if special[2] == "L":
        return str(number) == asked and (day + timedelta(days=7)).month != day.month
    return str(number) == asked and (day.day + 6) // 7 == int(special[2][1])


def test_values_that_jenkins_leaves_open_lie_between_a_slot_and_its_jitter(is_full: bool) -> None:
    random = Random(19)
    for _ in range(500 if is_full else 150):
        fields = [open_field(random, 59), open_field(random, 23), "*", "*", "*"]
        expression = " ".join(fields)
        if "H" in expression:
            written = replacement(expression)  # and the task has accepted the jitter
            assert written.get("jitter", 0) < 86_400


def open_field(random: Random, high: int) -> str:
    first, last = sorted(random.choices(range(high + 1), k=2))
    return random.choice(
        [
            "H",
            f"H({first}-{last})",
            f"H/{random.randint(1, high)}",
            f"H({first}-{last})/{random.randint(1, 20)}",
            "*/7",
            "5",
        ]
    )


@pytest.mark.parametrize(
    "expression",
    [
        "1" * 150 + "h",
        "@every " + "1h" * 90 + "!",
        "a" * 200,
        "*-" * 99,
        "1 " * 99,
        "," * 199,
        "H" * 199,
        "2026-" * 39,
        "1:" * 99,
        "TZ=" * 66,
        "1.1" * 66,
        "a.," * 66,
        "*-*-* " * 33,
        "x" * 100_000,
        "cron(" * 40,
    ],
)
def test_advice_on_any_text_takes_no_time(expression: str) -> None:
    begin = time.process_time()
    advise(expression)
    assert time.process_time() - begin < 1


def check_never_fails(make: Callable[[Random], str]) -> None:
    random = Random(20)
    for _ in range(20_000):
        with suppress(ValueError):
            parse(make(random))


def test_any_text_is_read_or_refused() -> None:
    letters = "0123456789 */-,#LWH?@:.~()monfrijandecT=AQ"
    check_never_fails(lambda random: "".join(random.choices(letters, k=random.randrange(25))))
    check_never_fails(
        lambda random: " ".join(
            "".join(random.choices(letters.replace(" ", ""), k=random.choice([1, 1, 2, 3, 4])))
            for _ in range(random.choice([1, 2, 5, 5, 6, 7]))
        )
    )
