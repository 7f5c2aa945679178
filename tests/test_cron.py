"""Cron expressions, against cronsim itself and against the rules for clock changes."""

import sys
from datetime import date, datetime, timedelta, timezone
from itertools import islice, takewhile
from random import Random
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

pytest.importorskip("cronsim")

from cronsim import CronSim

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.cron import Cron
from est_alan_scheduler.cron_expression import parse
from est_alan_scheduler.zone import LOCAL, named
from tests import oracle
from tests.test_zone import ZONES

BERLIN = named("Europe/Berlin")
UTC = timezone.utc


def slots(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the slots after an instant, up to another one."""
    found, cron = [], Cron(expression, named(zone))
    moment = cron.after(start)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = cron.after(moment)
    return found


def peer(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return what cronsim has to say of the same."""
    found = []
    for moment in CronSim(expression, start.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))):
        instant = moment.astimezone(UTC).replace(tzinfo=None)
        if instant > end:
            break
        found.append(instant)
    return found


def elapsed(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the instants whose wall time matches, by trying every half minute."""
    tz = ZoneInfo(zone)
    walls = takewhile(lambda wall: wall < end + timedelta(days=2), CronSim(expression, start - timedelta(days=2)))
    matching = set(walls)
    found, instant = [], start.replace(second=0) + oracle.HALF_MINUTE
    while instant <= end:
        if oracle.wall(tz, instant) in matching:
            found.append(instant)
        instant += oracle.HALF_MINUTE
    return found


def some_expression(random: Random) -> str:
    """Return a valid expression."""

    def field(low: int, high: int, *others: str) -> str:
        first, second = sorted(random.choices(range(low, high + 1), k=2))
        step = random.randint(1, max(2, high // 3))
        return random.choice(
            [
                "*",
                "*",
                f"*/{step}",
                str(first),
                f"{first},{second}",
                f"{first}-{second}",
                f"{first}-{second}/{step}",
                *others,
            ]
        )

    while True:
        days = field(1, 31, "L", "LW")
        weekdays = field(0, 7, "mon-fri", "sat,sun", "fri#2", "5L")
        expression = f"{field(0, 59)} {field(0, 23)} {days} {field(1, 12, 'jan', 'mar-oct')} {weekdays}"
        try:
            parse(expression)
        except ValueError:
            continue
        return expression


def is_fixed(expression: str) -> bool:
    return not any(field.startswith("*") for field in expression.split()[:2])


def test_it_is_what_cronsim_says_where_the_clock_is_never_changed() -> None:
    random = Random(1)
    for _ in range(5_000):
        expression = some_expression(random)
        start = datetime(2026, 1, 1) + timedelta(minutes=random.randrange(500_000))
        cron = Cron(expression, named("Asia/Tokyo"))
        moment: datetime | None = start - timedelta(hours=9)
        for expected in islice(CronSim(expression, start), 3):
            assert moment is not None
            moment = cron.after(moment)
            assert moment == expected - timedelta(hours=9), expression
            assert cron.latest(moment) == moment, expression


def test_wildcards_follow_elapsed_time_through_each_change() -> None:
    random = Random(2)
    for zone in ZONES:
        changes = oracle.transitions(ZoneInfo(zone))
        for change in random.sample(changes, min(6, len(changes))):
            start, end = change - timedelta(hours=5), change + timedelta(hours=5)
            for _ in range(4):
                expression = some_expression(random)
                if not is_fixed(expression):
                    found = slots(expression, zone, start, end)
                    assert found == elapsed(expression, zone, start, end), (expression, zone, change)
                    assert [Cron(expression, named(zone)).latest(slot) for slot in found] == found


def test_wildcards_are_what_cronsim_says_through_changes_by_an_hour() -> None:
    random = Random(4)
    for zone in ("Europe/Berlin", "America/New_York"):  # elsewhere it may go back in time, and never arrive
        for change in random.sample(oracle.transitions(ZoneInfo(zone)), 20):
            start, end = change - timedelta(hours=5), change + timedelta(hours=5)
            expression = some_expression(random)
            if not is_fixed(expression):
                assert slots(expression, zone, start, end) == peer(expression, zone, start, end), expression


def test_fixed_hours_come_once_on_each_date_through_each_change_as_at_does() -> None:
    random = Random(3)
    for zone in ZONES:
        changes = oracle.transitions(ZoneInfo(zone))
        for change in random.sample(changes, min(4, len(changes))):
            cases = list(oracle.cases(ZoneInfo(zone), change))
            for at, instant in random.sample(cases, 20):
                cron = Cron(f"{at:%M} {at:%H} * * *", named(zone))
                assert cron.after(instant - timedelta(microseconds=1)) == instant
                assert cron.latest(instant) == instant
                following = cron.after(instant)
                assert following is not None
                assert following - instant > timedelta(hours=12)


@pytest.mark.parametrize(
    ("expression", "spring", "autumn"),
    [
        # Berlin: 02:00 -> 03:00 on 29 March 2026, 03:00 -> 02:00 on 25 October 2026. Hours in UTC, from 00:00 to 04:00.
        ("30 2 * * *", ["01:00"], ["00:30"]),
        ("0,30 2 * * *", ["01:00"], ["00:00", "00:30"]),
        ("0 30 2 * * *", ["01:00"], ["00:30"]),
        ("30 3 * * *", ["01:30"], ["02:30"]),
        ("*/30 2 * * *", [], ["00:00", "00:30", "01:00", "01:30"]),
        ("30 * * * *", ["00:30", "01:30", "02:30", "03:30"], ["00:30", "01:30", "02:30", "03:30"]),
        ("0 */2 * * *", ["02:00", "04:00"], ["00:00", "01:00", "03:00"]),
        ("0 */30 2-3 * * *", ["01:00", "01:30"], ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30"]),
    ],
)
def test_the_table_of_rules(expression: str, spring: list[str], autumn: list[str]) -> None:
    for day, expected in ((datetime(2026, 3, 29), spring), (datetime(2026, 10, 25), autumn)):
        start = day - timedelta(microseconds=1)
        found = slots(expression, "Europe/Berlin", start, day + timedelta(hours=4))
        assert [f"{slot:%H:%M}" for slot in found] == expected


def test_the_latest_slot_is_found_within_a_repeated_hour() -> None:
    cron = Cron("0-59 2 * * *", BERLIN)
    # At 02:10 for the second time, 02:59 has come already.
    assert cron.latest(datetime(2026, 10, 25, 1, 10)) == datetime(2026, 10, 25, 0, 59)


def test_the_zone_of_this_machine_is_the_default(set_zone: object) -> None:
    set_zone("Europe/Berlin")  # type: ignore[operator]  # a function
    start = datetime(2026, 3, 28, 12)
    for expression in ("30 2 * * *", "*/30 1-3 * * *"):
        ours, berlin = Cron(expression, LOCAL), Cron(expression, BERLIN)
        moment: datetime | None = start
        for _ in range(6):
            assert moment is not None
            assert ours.after(moment) == berlin.after(moment)
            moment = ours.after(moment)


@pytest.mark.parametrize(
    ("nickname", "fields"),
    [("@daily", "0 0 * * *"), ("@HOURLY", "0 * * * *"), ("@weekly", "0 0 * * 0"), ("@yearly", "0 0 1 1 *")],
)
def test_nicknames_stand_for_fields(nickname: str, fields: str) -> None:
    assert parse(nickname).parts == parse(fields).parts


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("60 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 * 13 *", "Bad month"),
        ("0 0 * * mon#6", "Bad day-of-week"),
        ("* * *", "Wrong number of fields"),
        ("61 * * * * *", "Bad second"),
    ],
)
def test_a_bad_expression_is_refused_and_the_field_is_named(value: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(cron=value, func=print)
    assert caught.value.errors()[0]["msg"] == (
        f"Value error, cron {value!r} is not five fields (minute hour day-of-month month day-of-week), six with the "
        f"seconds first: {reason}"
    )


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(ValidationError, match="cron must be a text such as") as caught:
        Task(cron=5, func=print)  # type: ignore[arg-type]  # on purpose
    assert caught.value.errors()[0]["loc"] == ("cron",)
    with pytest.raises(ValidationError, match="nor one of @yearly, @annually, @monthly"):
        Task(cron="@reboot", func=print)


def test_without_cronsim_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(ImportError) as caught:
        Task(cron="* * * * *", func=print)
    assert str(caught.value) == 'cron needs cronsim: pip install "est-alan-scheduler[cron]"'


def test_a_cron_task_goes_to_json_and_back() -> None:
    task = Task(id="a", cron="*/5 * * * *", timezone="Asia/Seoul", func=print, exclude=(date(2026, 12, 25),), jitter=3)
    assert Task.model_validate_json(task.model_dump_json()) == task


def test_it_is_one_of_the_options_of_which_there_has_to_be_exactly_one() -> None:
    with pytest.raises(ValueError, match="exactly one") as caught:
        TaskRegistry().register(Task(id="a", cron="* * * * *", at="07:00", func=print))
    expected = "Task must specify exactly one of every / at / run_at / cron, got at and cron (task 'a')."
    assert str(caught.value) == expected
