"""`at` with several times and `on`: what runs when, alone and across instances."""

import copy
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Task, TaskRegistry, simulate
from est_alan_scheduler.backends.clock import to_instant
from est_alan_scheduler.calendar.local_time import to_utc
from tests import jobs
from tests.backends.stores import Clock
from tests.frozen import Frozen, work
from tests.messages import missing, only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

MONDAY = datetime(2026, 6, 1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def task_with(**fields: Any) -> Task:
    return Task(**{"id": "a", "func": work, **fields})


def runs_of(task: Task) -> list[str]:
    return [f"{run['run_at']:%a %d %H:%M}" for run in task.history]


def tick_hourly(registry: Frozen, start: datetime, end: datetime) -> None:
    while start < end:
        registry.tick_at(start)
        start += HOUR


class TestRuns:
    def test_a_task_runs_on_the_dates_that_it_names_alone(self, registry: Frozen) -> None:
        task = registry.register(task_with(at="09:00", on="mon-fri"))
        tick_hourly(registry, MONDAY + 4 * DAY, MONDAY + 9 * DAY)
        assert runs_of(task) == ["Fri 05 09:00", "Mon 08 09:00", "Tue 09 09:00"]

    def test_each_of_several_times_is_a_slot(self, registry: Frozen) -> None:
        task = registry.register(task_with(at=["17:00", "09:00"], on="tue"))
        tick_hourly(registry, MONDAY, MONDAY + 10 * DAY)
        assert runs_of(task) == ["Tue 02 09:00", "Tue 02 17:00", "Tue 09 09:00", "Tue 09 17:00"]

    def test_slots_to_the_second(self, registry: Frozen) -> None:
        task = registry.register(task_with(at="09:00:30"))
        registry.tick_at(MONDAY + 9 * HOUR + timedelta(seconds=29))
        assert task.history == []
        registry.tick_at(MONDAY + 9 * HOUR + timedelta(seconds=30))
        assert runs_of(task) == ["Mon 01 09:00"]

    def test_slots_of_today_that_have_passed_are_one_run(self, registry: Frozen) -> None:
        task = registry.register(task_with(at=["08:00", "09:00", "15:00"]))
        registry.tick_at(MONDAY + 12 * HOUR)
        registry.tick_at(MONDAY + 13 * HOUR)
        registry.tick_at(MONDAY + 15 * HOUR)
        assert runs_of(task) == ["Mon 01 12:00", "Mon 01 15:00"]

    def test_a_slot_of_an_earlier_date_does_not_count(self, registry: Frozen) -> None:
        task = registry.register(task_with(at="09:00", on="mon"))
        registry.tick_at(MONDAY + DAY)
        assert (task.history, registry.why_not("a")) == ([], "due in 550800 s at 2026-06-08 09:00:00")
        registry.tick_at(MONDAY + 7 * DAY + 23 * HOUR)
        assert runs_of(task) == ["Mon 08 23:00"]

    def test_the_dates_left_out_have_no_slots(self, registry: Frozen) -> None:
        task = registry.register(task_with(at=["09:00", "10:00"], on="mon,wed", exclude=["2026-06-03"]))
        tick_hourly(registry, MONDAY, MONDAY + 8 * DAY)
        assert runs_of(task) == ["Mon 01 09:00", "Mon 01 10:00", "Mon 08 09:00", "Mon 08 10:00"]

    def test_the_start_the_end_and_the_grace_hold(self, registry: Frozen) -> None:
        fields = {"start_at": MONDAY + DAY, "end_at": MONDAY + 15 * DAY, "misfire_grace": 60}
        task = registry.register(task_with(at="09:00", on="mon", **fields))
        registry.tick_at(MONDAY + 7 * DAY + 10 * HOUR)
        assert (task.misfires, task.misfired_at) == (1, MONDAY + 7 * DAY + 9 * HOUR)
        tick_hourly(registry, MONDAY + 8 * DAY, MONDAY + 40 * DAY)
        assert runs_of(task) == ["Mon 15 09:00"]

    def test_an_assignment_of_dates_takes_effect_in_the_next_tick(self, registry: Frozen) -> None:
        task = registry.register(task_with(at="09:00", on="tue"))
        registry.tick_at(MONDAY + 10 * HOUR)
        task.on = "mon"
        registry.tick()
        assert runs_of(task) == ["Mon 01 10:00"]
        registry.update("a", at=["11:00", "12:00"], on=None)
        tick_hourly(registry, MONDAY + 11 * HOUR, MONDAY + 36 * HOUR)
        assert runs_of(task)[1:] == ["Mon 01 11:00", "Mon 01 12:00", "Tue 02 11:00"]

    def test_a_jittered_slot_comes_before_the_next_one(self, registry: Frozen) -> None:
        registry.register(task_with(at=["09:00", "09:10", "23:55"], on="mon,tue", jitter=599))
        runs = [run.at for run in simulate(registry, MONDAY, MONDAY + 9 * DAY + 10 * MINUTE)]
        slots = [MONDAY + days * DAY + minutes * MINUTE for days in (0, 1, 7, 8) for minutes in (540, 550, 1435)]
        assert [timedelta(0) <= run - slot < 10 * MINUTE for run, slot in zip(runs, slots, strict=True)] == [True] * 12

    @pytest.mark.parametrize("zone", [None, "Asia/Seoul"])
    def test_a_slot_that_jitter_moves_past_midnight_runs(self, registry: Frozen, zone: str | None) -> None:
        registry.now = MONDAY
        task = registry.register(task_with(at="23:55", jitter=599, timezone=zone))
        planned = [run.at for run in registry.upcoming(until=MONDAY + 10 * DAY)]
        assert len({moment.date() for moment in planned}) < len(planned)  # one at least comes after midnight
        while registry.now < MONDAY + 10 * DAY:
            registry.tick()
            registry.now += timedelta(seconds=registry.idle_seconds() or 0)
        assert [run["run_at"] for run in task.history] == planned

    def test_a_rare_date_is_planned(self, registry: Frozen) -> None:
        registry.now = MONDAY
        registry.register(task_with(at="09:00", on="5th mon feb"))
        assert [run.at.date().isoformat() for run in registry.upcoming(limit=3)] == [
            "2044-02-29",
            "2072-02-29",
            "2112-02-29",
        ]


class TestKept:
    def test_the_times_are_kept_in_order_and_once(self) -> None:
        assert task_with(at="09:00").at == "09:00"
        assert task_with(at=["17:00", "09:00:00", "09:00", "09:00:01"]).at == ("09:00:00", "09:00:01", "17:00")
        assert task_with(at=("09:00",)).at == ("09:00",)
        assert task_with(at="09:00", on="Mon-Fri").on == "Mon-Fri"

    def test_they_survive_json_copies_and_pickles(self) -> None:
        task = task_with(at=["17:00", "09:00"], on="mon-fri")
        assert '"at":["09:00","17:00"]' in task.model_dump_json()
        for other in (
            Task.model_validate_json(task.model_dump_json()),
            Task.model_validate(task.model_dump()),
            copy.deepcopy(task),
            task.model_copy(),
            pickle.loads(pickle.dumps(task)),
        ):
            assert (other.at, other.on) == (("09:00", "17:00"), "mon-fri")

    @pytest.mark.parametrize(
        ("fields", "parts"),
        [
            ({"every": {"hours": 1}}, ["on='mon' names the dates of at, which is not set", "at='09:00'", "on=None"]),
            ({}, ["on='mon' names the dates of at, which is not set"]),
        ],
    )
    def test_dates_without_a_time_are_refused(self, fields: dict[str, Any], parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            task_with(on="mon", **fields)
        assert missing(only_error(caught), *parts) == []

    def test_a_change_that_leaves_dates_without_a_time_changes_nothing(self, registry: Frozen) -> None:
        task = registry.register(task_with(at="09:00", on="mon"))
        with pytest.raises(ValueError, match="on='mon' names the dates of at, which is not set"):
            registry.update("a", at=None, every={"hours": 1})
        with pytest.raises(ValueError, match="on='mon' names the dates of at, which is not set"):
            task.at = None
        assert (task.at, task.every, task.on) == ("09:00", None, "mon")
        registry.update("a", at=None, on=None, every={"hours": 1})
        assert (task.at, task.every, task.on) == (None, {"hours": 1}, None)

    def test_jitter_is_less_than_the_time_between_dates(self) -> None:
        assert task_with(at="09:00", on="mon", jitter=3 * 86_400).jitter == 3 * 86_400
        with pytest.raises(ValueError, match="jitter must be less than the 75600 s between slots, got 259200"):
            task_with(at="09:00", on="mon,tue", jitter=3 * 86_400)


def test_instances_share_times_and_dates(
    join: Callable[..., TaskRegistry], clock: Clock, set_zone: Callable[[str], None]
) -> None:
    set_zone("UTC")
    fields: dict[str, Any] = {"at": ["09:00", "17:00"], "on": "last fri", "timezone": "Asia/Seoul"}
    first = join()
    task = first.register(Task(id="a", func=jobs.add, args=(1, 2), **fields))
    second = join()
    second.expose(jobs.add)
    second.tick()
    other = second.store["a"]
    assert (other.at, other.on) == (task.at, task.on) == (("09:00", "17:00"), "last fri")
    for hour in range(40):
        clock.now = to_instant(to_utc(datetime(2026, 11, 26, 12))) + hour * 3600 * 1_000_000
        second.tick()
    assert [run["slot"].isoformat() for run in second.history("a")] == [
        "2026-11-27T09:00:00+09:00",
        "2026-11-27T17:00:00+09:00",
    ]
    assert second.register(Task(id="a", func=jobs.add, args=(1, 2), **fields)) is not None
    first.update("a", on="mon-fri", at="10:00")
    second.tick()
    assert (second.store["a"].at, second.store["a"].on) == ("10:00", "mon-fri")
