"""The slots of a task within a time: single ones, or the times in which many lie."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import freezegun
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import next_run, show
from est_alan_scheduler.web.api.models import SlotModel
from est_alan_scheduler.web.page.timeline.plan import Plan, plan_of, plan_of_moments
from est_alan_scheduler.web.slots import marked_slots
from tests import jobs

NOON = datetime(2026, 3, 2, 12)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def noon(set_zone: Callable[[str], None]) -> Any:
    set_zone("UTC")
    with freezegun.freeze_time(NOON) as clock:
        yield clock


def registered(**fields: Any) -> tuple[TaskRegistry, Task]:
    registry = TaskRegistry()
    return registry, registry.register(Task(id="a", func=jobs.process_id, **fields))


def planned(begin: datetime, end: datetime, most: int = 20, **fields: Any) -> Plan:
    return plan_of(*registered(**fields), begin, end, most)


def moments(plan: Plan) -> list[datetime]:
    return [to_utc(slot.at) for slot in plan.slots]


def test_few_slots_stay_single() -> None:
    plan = planned(NOON, NOON + HOUR, every={"minutes": 20})
    assert moments(plan) == [NOON + minutes * HOUR / 60 for minutes in (0, 20, 40, 60)]
    assert (plan.spans, plan.number) == ((), 4)


def test_slots_before_the_begin_are_left_out() -> None:
    assert moments(planned(NOON + HOUR, NOON + 2 * HOUR, every={"minutes": 30})) == [
        NOON + HOUR,
        NOON + 1.5 * HOUR,
        NOON + 2 * HOUR,
    ]


def test_no_slot_has_come_before_now() -> None:
    assert moments(planned(NOON - DAY, NOON, every={"minutes": 30})) == [NOON]
    assert planned(NOON - DAY, NOON - HOUR, every={"minutes": 30}) == Plan()


def test_a_slot_that_a_clock_change_moves_is_marked() -> None:
    begin = datetime(2026, 3, 8, 0)
    plan = planned(begin, begin + DAY, at="02:30", timezone="America/New_York")
    assert [slot.mark for slot in plan.slots] == ["moved"]


def test_many_slots_become_one_time_with_their_number() -> None:
    plan = planned(NOON, NOON + 7 * DAY, every={"seconds": 1})
    assert plan == Plan((), [(NOON, NOON + 7 * DAY)], number=7 * 86_400 + 1)


def test_many_slots_far_ahead_take_no_longer() -> None:
    begin = datetime(2400, 1, 1)
    plan = planned(begin, begin + DAY, every={"seconds": 1})
    assert plan == Plan((), [(begin, begin + DAY)], number=86_401)


def test_times_without_slots_stay_empty() -> None:
    plan = planned(NOON, NOON + 2 * DAY, most=48, cron="* 9-16 * * *")
    day = NOON.replace(hour=0)
    assert plan.spans == [
        (NOON + HOUR / 60, day + 17 * HOUR),
        (day + 33 * HOUR, day + 41 * HOUR),
        (day + 57 * HOUR, day + 60 * HOUR),
    ]
    assert plan.number is None


def test_a_limit_of_runs_ends_the_plan() -> None:
    plan = planned(NOON, NOON + HOUR, every={"minutes": 1}, max_runs=30)
    assert plan.number == 30
    assert plan.spans[-1][1] <= NOON + HOUR / 2 + HOUR / 20


def test_a_paused_task_and_a_paused_registry_have_no_slots() -> None:
    assert planned(NOON, NOON + HOUR, every={"minutes": 20}, paused=True).number == 0
    registry, task = registered(every={"minutes": 20})
    registry.pause_all()
    assert plan_of(registry, task, NOON, NOON + HOUR, 20) == Plan()


@pytest.mark.parametrize(
    "fields",
    [
        {"every": {"seconds": 7}},
        {"every": {"seconds": 7}, "start_at": NOON + HOUR},
        {"every": {"seconds": 7}, "end_at": NOON + HOUR},
        {"every": {"seconds": 11}, "exclude": ["2026-03-03"]},
        {"cron": "*/3 * * * *"},
        {"cron": "*/30 * * * * 2-3"},
        {"cron": "*/5 8-18 * * 1-5", "timezone": "Australia/Lord_Howe"},
        {"every": {"minutes": 1}, "jitter": 20},
        {"every": {"seconds": 13}, "max_runs": 4_000},
    ],
)
@pytest.mark.parametrize("has_run", [False, True])
def test_the_times_have_all_slots_and_no_time_is_without_one(fields: dict[str, Any], has_run: bool) -> None:
    registry, task = registered(**fields)
    if has_run:
        registry.tick()
    begin, end = NOON, NOON + DAY
    slots = [to_utc(run.at) for run in takewhile(lambda run: to_utc(run.at) <= end, registry.upcoming(until=end))]
    plan = plan_of(registry, task, begin, end, 20)
    assert plan.number in (None, len(slots))
    assert 0 < len(plan.spans) <= 20
    assert all(any(first <= at <= last for first, last in plan.spans) for at in slots)
    assert all(any(first <= at <= last for at in slots) for first, last in plan.spans)


def test_moments_of_a_simulation_are_a_plan_as_well() -> None:
    _, task = registered(every={"minutes": 1})
    few = [NOON + n * HOUR for n in range(3)]
    assert moments(plan_of_moments(task, few, NOON, NOON + DAY, 20)) == few
    many = [NOON + n * HOUR / 60 for n in range(120)]
    plan = plan_of_moments(task, many, NOON, NOON + 20 * HOUR, 20)
    assert plan == Plan((), [(NOON, NOON + 2 * HOUR)], number=120)


def test_a_run_that_waits_for_others_is_no_slot_that_the_clock_has_moved() -> None:
    registry, _ = registered(manual=True)
    task = registry.register(Task(id="b", func=jobs.process_id, at="09:00", depends_on=["a"]))
    plan = plan_of_moments(task, [datetime(2026, 3, 3, 9, 7, tzinfo=UTC)], NOON, NOON + DAY, 20)
    assert [slot.mark for slot in plan.slots] == [None]


CHANGES = {
    ("Europe/Berlin", "spring"): datetime(2027, 3, 28, 1),
    ("Europe/Berlin", "autumn"): datetime(2027, 10, 31, 1),
    ("Australia/Lord_Howe", "spring"): datetime(2027, 10, 2, 15, 30),
    ("Australia/Lord_Howe", "autumn"): datetime(2027, 4, 3, 15),
}
"""Changes of the clock, in UTC: by an hour, and by half an hour."""


@pytest.mark.parametrize(("zone", "season"), CHANGES)
class TestMonthsAhead:
    """A clock change in a year."""

    def test_a_daily_task_has_single_slots_and_its_mark(self, zone: str, season: str) -> None:
        change = CHANGES[zone, season]
        at, mark, place = {
            ("Europe/Berlin", "spring"): ("02:15", "moved", change),
            ("Europe/Berlin", "autumn"): ("02:15", "repeated", change - 0.75 * HOUR),
            ("Australia/Lord_Howe", "spring"): ("02:15", "moved", change),
            ("Australia/Lord_Howe", "autumn"): ("01:45", "repeated", change - 0.25 * HOUR),
        }[zone, season]
        for fields in ({"at": at}, {"cron": f"{at[3:]} {at[:2]} * * *"}):
            plan = planned(change - 3.5 * DAY, change + 7 * DAY, 48, timezone=zone, **fields)
            assert [(slot.mark, to_utc(slot.at)) for slot in plan.slots if slot.mark] == [(mark, place)]
            assert plan.slots == slots_of(change - 3.5 * DAY, change + 7 * DAY, timezone=zone, **fields)
            assert (plan.spans, plan.number) == ((), len(plan.slots))

    @pytest.mark.parametrize(
        "fields", [{"every": {"hours": 1}}, {"cron": "0 * * * *"}, {"cron": "0 * * * *", "jitter": 60}], ids=str
    )
    def test_an_hourly_task_is_a_band_with_its_number(self, zone: str, season: str, fields: dict[str, Any]) -> None:
        change = CHANGES[zone, season]
        begin, end = change - 3.2 * DAY, change + 7 * DAY
        plan = planned(begin, end, 48, timezone=zone, **fields)
        assert (plan.slots, plan.marks) == ((), ())
        assert plan.number == (245 if "every" in fields else len(slots_of(begin, end, timezone=zone, **fields)))

    @pytest.mark.parametrize(
        "fields",
        [
            {"at": ["01:30", "01:45", "02:00", "02:15", "02:30", "03:00"]},
            {"at": [f"{hour:02}:{minute}" for hour in range(24) for minute in (15, 45)]},
            {"cron": "15 0-23 * * *"},
            {"cron": "0-59 1,2,3 * * *"},
            {"cron": "0-59 0-59 0-23 * * *"},
            {"cron": "*/5 * * * *"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("length", [1.5 * HOUR, 36 * HOUR, 252 * HOUR])
    def test_a_slot_that_the_change_touches_has_its_mark_in_a_band_too(
        self, zone: str, season: str, fields: dict[str, Any], length: timedelta
    ) -> None:
        change = CHANGES[zone, season]
        begin, end = change - length / 3, change + length * 2 / 3
        plan = planned(begin, end, 48, timezone=zone, **fields)
        near = slots_of(max(change - HOUR, begin), min(change + HOUR, end), timezone=zone, **fields)
        touched = [(to_utc(slot.at), slot.mark) for slot in near if slot.mark]
        marks = [(to_utc(slot.at), slot.mark) for slot in [*plan.slots, *plan.marks] if slot.mark]
        assert len(marks) <= 48
        assert set(marks) <= set(touched)
        assert all(
            any(abs(at - other) <= length / 48 and mark == kind for other, kind in marks) for at, mark in touched
        )

    def test_a_limit_of_runs_that_is_reached_before_leaves_none(self, zone: str, season: str) -> None:
        change = CHANGES[zone, season]
        for fields in ({"at": "12:00"}, {"every": {"hours": 1}}, {"cron": "15 0-23 * * *"}):
            assert planned(change - DAY, change + 7 * DAY, 48, timezone=zone, max_runs=20, **fields).number == 0

    def test_a_simulation_has_the_marks_too(self, zone: str, season: str) -> None:
        change = CHANGES[zone, season]
        _, task = registered(cron="15,45 0-23 * * *", timezone=zone)
        slots = slots_of(change - DAY, change + 7 * DAY, timezone=zone, cron=task.cron)
        plan = plan_of_moments(task, [slot.at for slot in slots], change - DAY, change + 7 * DAY, 48)
        (first, *_) = [slot for slot in slots if slot.mark]
        assert [(slot.at, slot.mark) for slot in plan.marks] == [(first.at, first.mark)]


def slots_of(begin: datetime, end: datetime, **fields: Any) -> list[SlotModel]:
    """Return all slots of a time, one after the other."""
    _, task = registered(**fields)
    at, found = show(task.timezone, begin - timedelta(microseconds=1), NOON), []
    while (following := next_run(task, at)) is not None and to_utc(following) <= end:
        at = following
        found.append(at)
    return marked_slots(task, found, NOON)


def test_slots_that_have_to_be_counted_one_by_one_are_counted_up_to_some_hundreds() -> None:
    begin, cron = NOON + 100 * DAY, "0-59/2 0-23 * * *"
    for number, told in ((600, 600), (601, None)):
        assert planned(begin, begin + (number - 1) * HOUR / 30, 48, cron=cron).number == told
