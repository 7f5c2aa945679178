"""Future runs and schedules in words: upcoming, simulate, describe."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import assume, given
from hypothesis import strategies as st

from est_alan_scheduler import PlannedRun, Task, TaskRegistry, TaskStatus, describe, simulate
from est_alan_scheduler.calendar.local_time import steady_offset
from est_alan_scheduler.schedules import upcoming as preview
from tests.frozen import Frozen
from tests.messages import missing

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

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
    def test_upcoming_lists_the_runs_of_all_tasks_in_order(self, registry: Frozen) -> None:
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

    def test_upcoming_includes_a_run_at_until_and_none_after_it(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"hours": 1}))
        hours = [run.at.hour for run in registry.upcoming(until=NOON + 2 * HOUR)]
        assert hours == [12, 13, 14]

    def test_upcoming_without_a_limit_is_a_lazy_endless_iterator(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"seconds": 1}))
        last = list(islice(registry.upcoming(), 1000))[-1]
        assert last == PlannedRun(NOON + 999 * SECOND, "a")

    def test_overdue_slots_are_listed_as_one_run_now(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"hours": 1}, last_run_at=NOON - 10 * HOUR - MINUTE))
        assert [run.at for run in registry.upcoming(limit=2)] == [NOON, NOON + 59 * MINUTE]

    def test_the_grid_of_a_new_task_begins_with_its_first_run(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"minutes": 7}, jitter=50))
        first, *others = [run.at - NOON for run in registry.upcoming(limit=20)]
        assert first == timedelta(0)
        slots = [7 * number * MINUTE for number in range(1, 20)]
        assert all(timedelta(0) <= moment - slot < 50 * SECOND for moment, slot in zip(others, slots, strict=True))

    def test_upcoming_omits_a_slot_that_misfires(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", at="11:00", misfire_grace=60))
        assert [run.at for run in registry.upcoming(limit=1)] == [NOON + 23 * HOUR]

    def test_a_paused_task_has_no_upcoming_runs_but_a_requested_one(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"hours": 1}))
        registry.pause("a")
        assert list(registry.upcoming(limit=3)) == []
        registry.run_now("a")
        assert list(registry.upcoming(limit=3)) == [PlannedRun(NOON, "a")]

    def test_upcoming_shows_a_run_in_the_zone_of_its_task(self) -> None:
        with freeze_time("2026-06-01 00:00:00"):
            registry = TaskRegistry()
            registry.register(task_with(id="a", at="14:30", timezone="Asia/Seoul"))
            assert list(registry.upcoming(limit=1)) == [
                PlannedRun(datetime(2026, 6, 1, 14, 30, tzinfo=ZoneInfo("Asia/Seoul")), "a")
            ]

    @pytest.mark.parametrize(
        ("fields", "error", "parts"),
        [
            ({"limit": -1}, ValueError, ["limit", "whole number", "at least 0", "got -1"]),
            ({"limit": True}, ValueError, ["limit", "whole number", "at least 0", "got True"]),
            ({"until": "2026"}, TypeError, ["until", "datetime", "None", "got '2026'"]),
        ],
    )
    def test_an_invalid_until_or_limit_is_refused(
        self, registry: Frozen, fields: dict[str, Any], error: type[Exception], parts: list[str]
    ) -> None:
        with pytest.raises(error) as caught:
            registry.upcoming(**fields)
        assert missing(caught.value, *parts) == []

    def test_upcoming_works_out_no_more_overdue_runs_than_are_read(
        self, registry: Frozen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(50):
            registry.register(task_with(id=str(number), every=HOUR))
        asked, first_run_from = [], preview.first_run_from

        def ask(task: Task, now: datetime) -> datetime | None:
            asked.append(task)
            return first_run_from(task, now)

        monkeypatch.setattr(preview, "first_run_from", ask)
        assert [run.task_id for run in registry.upcoming(limit=3)] == ["0", "1", "2"]
        assert len(asked) == 3


class TestSimulate:
    def test_a_simulation_begins_with_the_overdue_slot(self, registry: Frozen) -> None:
        pytest.importorskip("cronsim")
        registry.register(task_with(id="a", cron="0 * * * *"))
        registry.now = NOON + HOUR + MINUTE
        expected = [PlannedRun(NOON + HOUR + MINUTE, "a"), PlannedRun(NOON + 2 * HOUR, "a")]
        assert list(simulate(registry, registry.now, NOON + 2 * HOUR)) == expected
        assert list(registry.upcoming(until=NOON + 2 * HOUR)) == expected

    def test_a_run_in_flight_succeeds_at_the_start_of_the_simulation(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", run_at=NOON, status="running", last_run_at=NOON))
        registry.register(task_with(id="b", run_at=NOON, depends_on=["a"]))
        assert list(simulate(registry, NOON, NOON + HOUR)) == [PlannedRun(NOON, "b")]

    def test_simulate_agrees_with_upcoming_in_frozen_time_in_any_machine_zone(
        self, set_zone: Callable[[str], None]
    ) -> None:
        for machine in ("Asia/Seoul", "America/New_York"):
            set_zone(machine)
            with freeze_time("2026-06-01 12:00"):
                registry = TaskRegistry()
                registry.register(
                    task_with(
                        id="a", every={"hours": 5}, timezone="Europe/Berlin", last_run_at="2026-06-01T12:00+02:00"
                    )
                )
                planned = list(registry.upcoming(limit=4))
                assert list(simulate(registry, NOON, NOON + DAY))[:4] == planned

    def test_an_end_that_is_not_a_datetime_is_refused(self, registry: Frozen) -> None:
        with pytest.raises(TypeError, match="end must be a datetime or a timedelta, got None"):
            simulate(registry, NOON, None)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(TypeError, match="start must be a datetime, got "):
            simulate(registry, HOUR, NOON)  # type: ignore[arg-type]  # on purpose

    def test_an_end_before_the_start_is_refused(self, registry: Frozen) -> None:
        for end in (NOON - HOUR, -HOUR):
            with pytest.raises(ValueError, match="end must not lie before start, got ") as caught:
                simulate(registry, NOON, end)
            assert str(caught.value) == f"end must not lie before start, got {end} and {NOON}"

    def test_the_end_may_be_a_timedelta(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", every={"hours": 1}))
        runs = [PlannedRun(NOON + hours * HOUR, "a") for hours in range(3)]
        assert list(simulate(registry, NOON, 2 * HOUR)) == list(registry.upcoming(until=2 * HOUR)) == runs

    def test_a_simulation_obeys_dependencies_and_executes_and_changes_nothing(self, registry: Frozen) -> None:
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

    def test_a_simulation_logs_nothing_and_ends_when_no_run_is_left(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register(task_with(id="a", run_at=NOON - HOUR, misfire_grace=60, depends_on=["missing"]))
        assert list(simulate(registry, NOON, NOON + DAY)) == []
        assert caplog.messages == []

    def test_a_daily_task_has_one_run_a_day_through_both_clock_changes(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", at="02:30", timezone="America/New_York"))
        runs = list(simulate(registry, datetime(2026, 1, 2), datetime(2026, 12, 30)))
        days = [run.at.date() for run in runs]
        assert days == [days[0] + number * DAY for number in range(len(days))]
        assert {run.at.hour * 60 + run.at.minute for run in runs[1:]} == {150, 180}  # 03:00 where there is no 02:30


# Days on which the clock is changed in New York and on Lord Howe Island, and an ordinary day.
BEGINNINGS = [NOON, datetime(2026, 3, 7, 20), datetime(2026, 10, 31, 20), datetime(2026, 4, 4, 6)]
crons = ["*/20 1-3 * * *", "30 2 * * *", "0 */5 * * *"] if find_spec("cronsim") else []
options = st.one_of(
    st.fixed_dictionaries({"every": st.sampled_from([{"minutes": 7}, {"hours": 3}, {"seconds": 100}])}),
    st.fixed_dictionaries({"at": st.sampled_from(["12:05", "02:30", "23:45"])}),
    st.fixed_dictionaries(
        {"at": st.just(("02:30", "12:05:30", "23:59:30")), "on": st.sampled_from(["mon-fri", "1-5", "last fri"])}
    ),
    st.fixed_dictionaries({"run_at": st.sampled_from([17 * MINUTE, -DAY])}),
    *[st.fixed_dictionaries({"cron": st.just(cron)}) for cron in crons],
)
limits = st.fixed_dictionaries(
    {
        "jitter": st.sampled_from([None, 50]),
        "timezone": st.sampled_from([None, "Asia/Seoul", "America/New_York", "Australia/Lord_Howe"]),
        "start_at": st.sampled_from([None, 30 * MINUTE, -DAY]),
        "end_at": st.sampled_from([None, DAY]),
        "exclude": st.sampled_from([(), ("2026-06-01", "2026-03-08"), ("2026-06-02", "2026-11-01", "2026-04-05")]),
        "misfire_grace": st.sampled_from([None, 3600]),
    }
)


@given(st.sampled_from(BEGINNINGS), st.lists(st.tuples(options, limits), min_size=1, max_size=4))
def test_upcoming_and_simulate_predict_the_runs_of_the_registry(
    begin: datetime, parts: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    # A frozen clock knows no change of the machine's own zone.
    assume(all(steady_offset(begin + days * DAY) is not None for days in range(-1, 3)))
    with freeze_time(begin) as frozen:
        registry = TaskRegistry()
        for number, (option, limit) in enumerate(parts):
            fields = option | limit
            moments = {name: begin + value for name, value in fields.items() if isinstance(value, timedelta)}
            registry.register(task_with(id=str(number), history_limit=10_000, **(fields | moments)))
        end = begin + 30 * HOUR
        planned, simulated = list(registry.upcoming(until=end)), list(simulate(registry, datetime.now(), end))
        while True:
            registry.tick()
            idle = registry.idle_seconds()
            if idle is None or datetime.now() + timedelta(seconds=idle) > end:
                break
            frozen.tick(timedelta(seconds=idle))
        for task in registry:
            runs = [run["run_at"] for run in task.history]
            assert runs == [run.at for run in planned if run.task_id == task.id]
            assert runs == [run.at for run in simulated if run.task_id == task.id]


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
            ({"at": ["14:30", "09:00", "17:00:30"]}, "at 09:00, 14:30 and 17:00:30"),
            ({"at": "09:00", "on": "mon-fri", "timezone": "UTC"}, "at 09:00 UTC on Monday to Friday"),
            ({"at": "18:00", "on": "last fri"}, "at 18:00 on the last Friday of the month"),
            (
                {"at": "18:00", "on": "1,15", "exclude": ["2026-12-15"], "jitter": 5},
                "at 18:00 on the 1st and 15th of the month, except on 2026-12-15, up to 5 s later",
            ),
            ({"run_at": NOON}, "once at 2026-06-01 12:00:00"),
            (
                {"every": {"days": 1}, "start_at": NOON, "end_at": NOON + DAY},
                "every day, from 2026-06-01 12:00:00, until 2026-06-02 12:00:00",
            ),
            ({"every": {"seconds": 1234567}}, "every 14 days 6 hours 56 minutes 7 seconds"),
            ({"every": timedelta(hours=3, minutes=30)}, "every 3 hours 30 minutes"),
            ({"every": {"seconds": 12600}}, "every 3 hours 30 minutes"),
            ({"every": {"hours": 1, "minutes": -30}}, "every 30 minutes"),
            ({"every": {"minutes": 90}}, "every 1 hour 30 minutes"),
            ({"every": {"hours": 1.5}}, "every 1 hour 30 minutes"),
            ({"every": {"hours": 24}}, "every day"),
            ({"every": {"days": 7}}, "every week"),
            ({"every": {"weeks": 2}}, "every 2 weeks"),
            ({"every": {"weeks": 1, "days": 1}}, "every 8 days"),
            ({"every": {"milliseconds": 100}}, "every 100 milliseconds"),
            ({"every": {"milliseconds": 1001}}, "every 1.001 seconds"),
            ({"every": {"microseconds": 1500}}, "every 1.5 milliseconds"),
            ({"every": {"minutes": 1, "microseconds": 1}}, "every 1 minute 1 microsecond"),
            ({"every": timedelta.max}, "every 999999999 days 23 hours 59 minutes 59.999999 seconds"),
            ({"every": {"milliseconds": 1}}, "every millisecond"),
            (
                {"every": {"days": 1}, "start_at": NOON, "timezone": "Asia/Seoul"},
                "every day, from 2026-06-01 12:00:00 Asia/Seoul",
            ),
            (
                {"run_at": NOON.replace(tzinfo=UTC), "timezone": "Asia/Seoul"},
                "once at 2026-06-01 12:00:00+00:00",
            ),
            (
                {"at": "14:30", "exclude": [f"2026-12-{day}" for day in range(20, 28)]},
                "at 14:30, except on 2026-12-20, 2026-12-21, 2026-12-22, 2026-12-23, 2026-12-24 and 3 more",
            ),
            ({}, "never"),
            ({"at": "14:30", "every": {"hours": 1}}, "never"),
        ],
    )
    def test_describe_words_a_schedule(self, fields: dict[str, Any], words: str) -> None:
        assert describe(task_with(**fields)) == words

    def test_describe_words_a_cron_expression(self) -> None:
        pytest.importorskip("cronsim")
        task = task_with(cron="*/15 9-17 * * mon-fri", timezone="Asia/Seoul")
        assert describe(task) == "every 15 minutes from 09:00 to 17:45 on Monday to Friday Asia/Seoul"
        assert describe(task_with(cron="@daily")) == "at 00:00 every day"
