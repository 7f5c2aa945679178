"""Cron expressions, against cronsim itself and against the rules for clock changes."""

import sys
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

pytest.importorskip("cronsim")

from cronsim import CronSim

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.calendar.cron_expression import parse
from est_alan_scheduler.calendar.zones import LOCAL, named
from est_alan_scheduler.schedules.kinds.cron import Cron
from tests import oracle
from tests.calendar.test_zones import ZONES
from tests.messages import missing, only_error
from tests.schedules.kinds import cron_oracle
from tests.schedules.kinds.cron_oracle import elapsed, is_fixed, slots, some_expression

BERLIN = named("Europe/Berlin")


def peer(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the slots that cronsim computes for the same arguments."""
    found = []
    for moment in CronSim(expression, start.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))):
        instant = moment.astimezone(UTC).replace(tzinfo=None)
        if instant > end:
            break
        found.append(instant)
    return found


def test_slots_equal_those_of_cronsim_in_a_zone_without_clock_changes(is_full: bool) -> None:
    random = Random(1)
    for _ in range(5_000 if is_full else 1_000):
        expression = some_expression(random)
        start = datetime(2026, 1, 1) + timedelta(minutes=random.randrange(500_000))
        cron = Cron(expression, named("Asia/Tokyo"))
        moment: datetime | None = start - timedelta(hours=9)
        for expected in islice(CronSim(expression, start), 3):
            assert moment is not None
            moment = cron.after(moment)
            assert moment == expected - timedelta(hours=9), expression
            assert cron.latest(moment) == moment, expression


def test_wildcards_follow_elapsed_time_through_each_clock_change(is_full: bool) -> None:
    random = Random(2)
    for zone in ZONES:
        changes = oracle.transitions(ZoneInfo(zone))
        for change in random.sample(changes, min(6 if is_full else 2, len(changes))):
            start, end = change - timedelta(hours=5), change + timedelta(hours=5)
            for _ in range(4):
                expression = some_expression(random)
                if not is_fixed(expression):
                    found = slots(expression, zone, start, end)
                    assert found == elapsed(expression, zone, start, end), (expression, zone, change)
                    assert [Cron(expression, named(zone)).latest(slot) for slot in found] == found


def test_wildcards_a_day_or_more_away_are_found_beyond_a_clock_change() -> None:
    random, distances = Random(7), []
    for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Nuuk"):
        for change in random.sample(oracle.transitions(ZoneInfo(zone)), 3):
            start = change - timedelta(hours=random.randrange(1, 48), minutes=random.randrange(60))
            end, weekday = start + timedelta(days=4), (change + timedelta(days=random.choice((1, 2)))).isoweekday() % 7
            expression = f"*/{random.choice((20, 30, 45))} {random.choice(('*', '*/6', '2', '1-3'))} * * {weekday}"
            cron, expected = Cron(expression, named(zone)), elapsed(expression, zone, start, end)
            assert (cron.after(start), cron.latest(end)) == (expected[0], expected[-1]), (expression, zone, start)
            distances += [expected[0] - start, end - expected[-1]]
    assert sum(distance > timedelta(days=1) for distance in distances) > 10


def test_wildcards_equal_those_of_cronsim_through_clock_changes_by_an_hour() -> None:
    random = Random(4)
    for zone in ("Europe/Berlin", "America/New_York"):  # in other zones cronsim may step back in time and never end
        for change in random.sample(oracle.transitions(ZoneInfo(zone)), 20):
            start, end = change - timedelta(hours=5), change + timedelta(hours=5)
            expression = some_expression(random)
            if not is_fixed(expression):
                assert slots(expression, zone, start, end) == peer(expression, zone, start, end), expression


def test_a_fixed_time_has_one_slot_a_date_through_each_clock_change_as_in_at(is_full: bool) -> None:
    random = Random(3)
    for zone in ZONES:
        changes = oracle.transitions(ZoneInfo(zone))
        for change in random.sample(changes, min(4 if is_full else 2, len(changes))):
            cases = list(oracle.cases(ZoneInfo(zone), change))
            for at, instant in random.sample(cases, 20):
                cron = Cron(f"{at:%M} {at:%H} * * *", named(zone))
                assert cron.after(instant - timedelta(microseconds=1)) == instant
                assert cron.latest(instant) == instant
                following = cron.after(instant)
                assert following is not None
                assert following - instant > timedelta(hours=12)


def test_random_expressions_obey_the_rules_around_each_clock_change(is_full: bool) -> None:
    random = Random(6)
    for zone in ZONES:
        changes = oracle.transitions(ZoneInfo(zone))
        for change in random.sample(changes, min(4 if is_full else 1, len(changes))):
            assert cron_oracle.check(cron_oracle.expressions(random, is_fixed), zone, change) is None


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
def test_the_documented_expressions_have_the_documented_slots_at_both_clock_changes(
    expression: str, spring: list[str], autumn: list[str]
) -> None:
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
def test_a_nickname_equals_its_five_fields(nickname: str, fields: str) -> None:
    assert parse(nickname)[:-1] == parse(fields)[:-1]


@pytest.mark.pydantic
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("60 * * * *", "has the minute '60'; allowed: 0-59"),
        ("61 * * * * *", "has the second '61'; allowed: 0-59"),
        ("* 24 * * *", "has the hour '24'; allowed: 0-23"),
        ("0 0 32 2 *", "has the day-of-month '32'; allowed: 1-31, L (the last day), LW (the last weekday)"),
        ("0 0 * 13 *", "has the month '13'; allowed: 1-12, JAN-DEC"),
        (
            "0 0 * * mon#6",
            "has the day-of-week 'mon#6'; allowed: 0-7 (0 and 7 are Sunday), SUN-SAT, `5L` (the last Friday), "
            "`1#2` (the second Monday)",
        ),
    ],
)
def test_the_error_names_the_bad_field_and_its_allowed_values(value: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(cron=value, func=print)
    assert missing(only_error(caught), f"cron {value!r}", reason, "ranges `a-b`", "steps `/n`", "lists") == []


@pytest.mark.pydantic
@pytest.mark.parametrize("value", ["0 0 30 2 *", "0 0 31 feb,apr *", "0 0 */31 * mon#5"])
def test_a_day_that_never_comes_is_refused(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(cron=value, func=print)
    days, month, weekdays = value.split()[2:]
    fields = f"day-of-month {days}, month {month}, day-of-week {weekdays}"
    assert missing(only_error(caught), f"cron {value!r}", "never", fields) == []


@pytest.mark.pydantic
def test_the_error_states_the_number_of_fields_found() -> None:
    with pytest.raises(ValidationError) as caught:
        Task(cron="* * *", func=print)
    names = "minute hour day-of-month month day-of-week"
    assert missing(only_error(caught), "cron '* * *'", "five fields", names, "six with the seconds first", "3") == []


@pytest.mark.pydantic
def test_a_number_with_too_many_digits_to_parse_is_refused() -> None:
    with pytest.raises(ValidationError, match="has the minute '9999"):
        Task(cron="9" * 5000 + " * * * *", func=print)


@pytest.mark.pydantic
def test_a_value_that_is_not_a_cron_expression_is_refused() -> None:
    with pytest.raises(ValidationError, match="cron must be a text such as") as caught:
        Task(cron=5, func=print)  # type: ignore[arg-type]  # on purpose
    assert caught.value.errors()[0]["loc"] == ("cron",)
    with pytest.raises(ValidationError, match="nor one of @yearly, @annually, @monthly"):
        Task(cron="@fortnightly", func=print)


@pytest.mark.pydantic
def test_without_cronsim_the_error_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(ImportError) as caught:
        Task(cron="* * * * *", func=print)
    assert str(caught.value) == 'cron needs cronsim: pip install "est-alan-scheduler[cron]"'


@pytest.mark.pydantic
def test_a_cron_task_survives_the_json_round_trip() -> None:
    task = Task(id="a", cron="*/5 * * * *", timezone="Asia/Seoul", func=print, exclude=(date(2026, 12, 25),), jitter=3)
    assert Task.model_validate_json(task.model_dump_json()) == task


@pytest.mark.pydantic
def test_cron_beside_another_schedule_option_is_refused() -> None:
    with pytest.raises(ValueError, match="exactly one") as caught:
        TaskRegistry().register(Task(id="a", cron="* * * * *", at="07:00", func=print))
    expected = (
        "Task must specify exactly one of every / at / run_at / cron / after / manual, got at and cron (task 'a')."
    )
    assert str(caught.value) == expected
