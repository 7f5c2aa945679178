"""What will run when: upcoming, simulate, describe."""

from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import PlannedRun, Task, TaskRegistry, TaskStatus, describe, simulate
from tests.test_task_registry import Frozen

NOON = datetime(2026, 6, 1, 12)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def task_with(**fields: Any) -> Task:
    return Task(func=list, **fields)


@pytest.fixture
def registry() -> Frozen:
    registry = Frozen()
    registry.now = NOON
    return registry


class TestUpcoming:
    def test_it_is_over_all_tasks_and_in_order(self, registry: Frozen) -> None:
        registry.register(task_with(id="every", every={"hours": 5}))
        registry.register(task_with(id="at", at="13:30"))
        registry.register(task_with(id="once", run_at=NOON + 3 * HOUR, timezone=None))
        registry.register(task_with(id="over", run_at=NOON - HOUR, last_run_at=NOON))
        assert list(registry.upcoming(limit=5)) == [
            PlannedRun(NOON, "every"),
            PlannedRun(NOON + HOUR + 30 * MINUTE, "at"),
            PlannedRun(NOON + 3 * HOUR, "once"),
            PlannedRun(NOON + 5 * HOUR, "every"),
            PlannedRun(NOON + 10 * HOUR, "every"),
        ]

    def test_it_ends_at_until_which_counts(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"hours": 1}))
        hours = [run.at.hour for run in registry.upcoming(until=NOON + 2 * HOUR)]
        assert hours == [12, 13, 14]

    def test_it_is_lazy_and_may_go_on_for_ever(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"seconds": 1}))
        last = list(islice(registry.upcoming(), 1000))[-1]
        assert last == PlannedRun(NOON + 999 * SECOND, "a")

    def test_what_is_overdue_comes_now_and_once(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"hours": 1}, last_run_at=NOON - 10 * HOUR - MINUTE))
        assert [run.at for run in registry.upcoming(limit=2)] == [NOON, NOON + 59 * MINUTE]

    def test_the_grid_of_a_task_that_has_never_run_begins_with_its_first_run(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"minutes": 7}, jitter=50))
        first, *others = [run.at - NOON for run in registry.upcoming(limit=20)]
        assert first == timedelta(0)
        slots = [7 * number * MINUTE for number in range(1, 20)]
        assert all(timedelta(0) <= moment - slot < 50 * SECOND for moment, slot in zip(others, slots, strict=True))

    def test_a_misfire_is_left_out(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", at="11:00", misfire_grace=60))
        assert [run.at for run in registry.upcoming(limit=1)] == [NOON + 23 * HOUR]

    def test_a_zoned_task_is_shown_in_its_zone(self) -> None:
        with freeze_time("2026-06-01 00:00:00"):
            registry = TaskRegistry()
            registry.register(task_with(id="a", at="14:30", timezone="Asia/Seoul"))
            assert list(registry.upcoming(limit=1)) == [
                PlannedRun(datetime(2026, 6, 1, 14, 30, tzinfo=ZoneInfo("Asia/Seoul")), "a")
            ]


class TestSimulate:
    def test_dependencies_count_and_nothing_is_executed_or_changed(self, registry: Frozen) -> None:
        task = Task(id="a", func=pytest.fail, every={"hours": 2}, depends_on=["b"], status=TaskStatus.RUNNING)
        registry.register(task)
        registry.register(Task(id="b", func=pytest.fail, run_at=NOON + HOUR))
        before = task.model_dump()
        assert list(simulate(registry, NOON, NOON + 4 * HOUR)) == [
            PlannedRun(NOON + HOUR, "b"),
            PlannedRun(NOON + HOUR, "a"),
            PlannedRun(NOON + 3 * HOUR, "a"),
        ]
        assert task.model_dump() == before

    def test_it_is_quiet_and_ends_with_the_plan(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        registry.register(task_with(id="a", run_at=NOON - HOUR, misfire_grace=60, depends_on=["missing"]))
        assert list(simulate(registry, NOON, NOON + DAY)) == []
        assert caplog.messages == []

    def test_a_daily_task_has_one_run_a_day_through_both_changes_of_the_clock(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", at="02:30", timezone="America/New_York"))
        runs = list(simulate(registry, datetime(2026, 1, 2), datetime(2026, 12, 30)))
        days = [run.at.date() for run in runs]
        assert days == [days[0] + number * DAY for number in range(len(days))]
        assert {run.at.hour * 60 + run.at.minute for run in runs[1:]} == {150, 180}  # 03:00 where there is no 02:30


options = st.one_of(
    st.fixed_dictionaries({"every": st.sampled_from([{"minutes": 7}, {"hours": 3}, {"seconds": 100}])}),
    st.fixed_dictionaries({"at": st.sampled_from(["12:05", "02:30", "23:45"])}),
    st.fixed_dictionaries({"run_at": st.sampled_from([NOON + 17 * MINUTE, NOON - DAY])}),
)
limits = st.fixed_dictionaries(
    {
        "jitter": st.sampled_from([None, 50]),
        "timezone": st.sampled_from([None, "Asia/Seoul", "America/New_York"]),
        "start_at": st.sampled_from([None, NOON + 30 * MINUTE, NOON - DAY]),
        "exclude": st.sampled_from([(), (date(2026, 6, 1),), (date(2026, 6, 2),)]),
        "misfire_grace": st.sampled_from([None, 3600]),
    }
)


@given(st.lists(st.tuples(options, limits), min_size=1, max_size=4))
def test_upcoming_is_what_a_run_of_the_registry_really_does(parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    with freeze_time(NOON) as frozen:
        registry = TaskRegistry()
        for number, (option, limit) in enumerate(parts):
            registry.register(task_with(id=str(number), history_limit=10_000, **option, **limit))
        end = NOON + 30 * HOUR
        planned = list(registry.upcoming(until=end))
        while True:
            registry.tick()
            idle = registry.idle_seconds()
            if idle is None or datetime.now() + timedelta(seconds=idle) > end:
                break
            frozen.tick(timedelta(seconds=idle))
        for task in registry:
            assert [run["run_at"] for run in task.history] == [run.at for run in planned if run.task_id == task.id]


class TestDescribe:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"every": {"minutes": 5}}, "every 5 minutes"),
            ({"every": {"hours": 1}}, "every hour"),
            ({"every": {"hours": 1, "seconds": 30}}, "every 1 hour 30 seconds"),
            ({"every": {"seconds": 1.5}, "jitter": 1}, "every 1.5 seconds, up to 1 s later"),
            ({"at": "14:30", "timezone": "Asia/Seoul"}, "at 14:30 Asia/Seoul"),
            ({"at": "14:30", "exclude": ["2026-12-25"]}, "at 14:30, except on 2026-12-25"),
            ({"run_at": NOON}, "once at 2026-06-01 12:00:00"),
            (
                {"every": {"days": 1}, "start_at": NOON, "end_at": NOON + DAY},
                "every day, from 2026-06-01 12:00:00, until 2026-06-02 12:00:00",
            ),
            ({}, "never"),
            ({"at": "14:30", "every": {"hours": 1}}, "never"),
        ],
    )
    def test_a_schedule_in_words(self, fields: dict[str, Any], words: str) -> None:
        assert describe(task_with(**fields)) == words

    def test_a_cron_expression_in_words(self) -> None:
        pytest.importorskip("cronsim")
        task = task_with(cron="*/15 9-17 * * mon-fri", timezone="Asia/Seoul")
        assert describe(task) == ("every 15th minute from 09:00 through 17:59 on Monday through Friday Asia/Seoul")
        assert describe(task_with(cron="@daily")) == "at 00:00 every day"
