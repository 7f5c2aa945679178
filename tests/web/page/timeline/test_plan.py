"""The slots of a task within a time: single ones, or the times in which many lie."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import freezegun
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.web.page.timeline.plan import Plan, plan_of, plan_of_moments
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
