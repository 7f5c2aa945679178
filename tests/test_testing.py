"""Help for tests of an application: `play`."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Retry, Task, TaskRegistry, simulate
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.testing import PlayedRun, play
from tests import jobs
from tests.frozen import boom, work
from tests.messages import missing

START = "2026-03-02 12:00:00"
HOUR = timedelta(hours=1)
HOURLY = {"hours": 1}


@pytest.fixture
def registry() -> TaskRegistry:
    return TaskRegistry()


@pytest.mark.zone
def test_it_runs_each_task_at_its_due_moments_and_returns_the_runs(registry: TaskRegistry) -> None:
    registry.register(Task(id="half", every={"minutes": 30}, func=work))
    registry.register(Task(id="daily", at="13:10", func=boom))
    registry.register(Task(id="once", run_at=datetime(2026, 3, 2, 12, 0, 5), func=work))
    with freeze_time(START) as clock:
        runs = play(registry, clock, datetime(2026, 3, 2, 13, 30))
        assert datetime.now() == datetime(2026, 3, 2, 13, 30)
    assert runs == [
        (datetime(2026, 3, 2, 12, 0), "half", "success"),
        (datetime(2026, 3, 2, 12, 0, 5), "once", "success"),
        (datetime(2026, 3, 2, 12, 30), "half", "success"),
        (datetime(2026, 3, 2, 13, 0), "half", "success"),
        (datetime(2026, 3, 2, 13, 10), "daily", "failed"),
        (datetime(2026, 3, 2, 13, 30), "half", "success"),
    ]


def test_a_year_of_a_plan_takes_moments(registry: TaskRegistry) -> None:
    registry.register(Task(id="daily", at="02:30", timezone="Europe/Berlin", func=work))
    registry.register(Task(id="hourly", every={"hours": 1}, func=work))
    with freeze_time("2026-01-01") as clock:
        runs = play(registry, clock, timedelta(days=365))
    counts = Counter(run.task_id for run in runs)
    assert counts["daily"] == 365 + (runs[0].task_id == "daily")
    assert abs(counts["hourly"] - (365 * 24 + 1)) <= 1  # on a machine whose zone changes its clocks


@pytest.mark.parametrize("until", [datetime(2026, 3, 2, 14), datetime(2026, 3, 2, 14, tzinfo=UTC), timedelta(hours=2)])
def test_until_is_naive_aware_or_from_now_on(registry: TaskRegistry, until: datetime | timedelta) -> None:
    registry.register(Task(id="a", every=HOURLY, func=work))
    with freeze_time(START) as clock:
        assert [run.at.hour for run in play(registry, clock, until)] == [12, 13, 14]


@pytest.mark.parametrize("offset", [0, 9, -5])
def test_the_offset_of_the_frozen_clock_does_not_matter(registry: TaskRegistry, offset: int) -> None:
    registry.register(Task(id="a", every=HOURLY, func=work))
    with freeze_time(START, tz_offset=offset) as clock:
        began = datetime.now()
        runs = play(registry, clock, timedelta(hours=2))
        assert [run.at - began for run in runs] == [0 * HOUR, HOUR, 2 * HOUR]


def test_a_clock_that_ticks_by_itself_is_played(registry: TaskRegistry) -> None:
    registry.register(Task(id="a", every=HOURLY, func=work))
    with freeze_time(START, auto_tick_seconds=1) as clock:
        runs = play(registry, clock, timedelta(hours=3, minutes=1))
    assert [run.at.hour for run in runs] == [12, 13, 14, 15]
    other = TaskRegistry()
    other.register(Task(id="a", every=HOURLY, func=work))
    with freeze_time(START, tick=True) as clock:
        assert [run.at.hour for run in play(other, clock, timedelta(hours=3, minutes=1))] == [12, 13, 14, 15]


def test_a_function_that_moves_the_clock_takes_that_long(registry: TaskRegistry) -> None:
    with freeze_time(START) as clock:
        slow = registry.register(Task(id="slow", every=HOURLY, func=lambda: clock.tick(timedelta(minutes=90))))
        runs = play(registry, clock, timedelta(hours=4))
    assert [f"{run.at:%H:%M}" for run in runs] == ["12:00", "13:30", "15:00"]
    assert slow.history[0]["finished_at"] - slow.history[0]["run_at"] == timedelta(minutes=90)


def test_tasks_that_tasks_add_are_played(registry: TaskRegistry) -> None:
    def add() -> None:
        registry.register(Task(id="later", run_at=datetime.now() + timedelta(minutes=5), func=work))
        registry.remove("first")

    registry.register(Task(id="first", every=HOURLY, func=add))
    with freeze_time(START) as clock:
        runs = play(registry, clock, HOUR)
    assert [(f"{run.at:%H:%M}", run.task_id) for run in runs] == [("12:00", "first"), ("12:05", "later")]


def test_dependencies_and_retries_are_played(registry: TaskRegistry) -> None:
    attempts: list[int] = []

    def fail_once() -> int:
        attempts.append(len(attempts))
        return 1 // len(attempts[1:])

    registry.register(Task(id="load", every={"days": 1}, func=work, depends_on=["extract"]))
    registry.register(Task(id="extract", every={"days": 1}, func=fail_once, retry=Retry(delay=60, jitter=0)))
    with freeze_time(START) as clock:
        runs = play(registry, clock, HOUR)
    assert [(f"{run.at:%H:%M}", run.task_id, run.status.value) for run in runs] == [
        ("12:00", "extract", "failed"),
        ("12:01", "extract", "success"),
        ("12:01", "load", "success"),
    ]


def test_runs_in_an_executor_end_before_the_clock_moves() -> None:
    with ThreadPoolExecutor(2) as executor, freeze_time(START) as clock:
        registry = TaskRegistry(executor=executor, max_running=1)
        for name in "ab":
            registry.register(Task(id=name, every=HOURLY, func=jobs.add, args=(1, 2)))
        runs = play(registry, clock, HOUR)
        registry.shutdown()
    assert [(run.at.hour, run.task_id) for run in runs] == [(12, "a"), (12, "b"), (13, "a"), (13, "b")]


@pytest.mark.parametrize("behaviour", ["run_now", "register"])
def test_a_task_that_is_due_again_at_once_is_an_error_that_names_it(registry: TaskRegistry, behaviour: str) -> None:
    def again() -> None:
        if behaviour == "run_now":
            registry.run_now("greedy")
        else:
            registry.remove("greedy")
            registry.register(Task(id="greedy", every=HOURLY, func=again))

    registry.register(Task(id="greedy", every=HOURLY, func=again))
    with freeze_time(START) as clock, pytest.raises(RuntimeError) as caught:
        play(registry, clock, HOUR)
    assert missing(caught.value, "2026-03-02 12:00:00", "'greedy' ran again and again") == []
    assert registry.on("failed", print) is not None


def test_a_chain_of_dependencies_longer_than_the_limit_is_played(registry: TaskRegistry) -> None:
    for number in range(1_200):
        depends_on = [str(number - 1)] if number else []
        registry.register(Task(id=str(number), run_at=datetime(2026, 3, 2, 12), func=work, depends_on=depends_on))
    with freeze_time(START) as clock:
        assert len(play(registry, clock, timedelta(0))) == 1_200


def test_nothing_is_played_while_all_is_paused(registry: TaskRegistry) -> None:
    registry.register(Task(every=HOURLY, func=work))
    registry.pause_all()
    with freeze_time(START) as clock:
        assert play(registry, clock, HOUR) == []
        assert datetime.now() == datetime(2026, 3, 2, 13)


@pytest.mark.parametrize(
    ("zone", "start", "first"),
    [
        ("Europe/Berlin", datetime(2026, 10, 24), datetime(2026, 10, 25, 2, 30)),
        ("Europe/Berlin", datetime(2026, 3, 28), datetime(2026, 3, 29, 3, 0)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4), datetime(2026, 4, 5, 1, 45)),
    ],
)
def test_each_day_has_its_run_where_the_clocks_of_this_machine_change(
    registry: TaskRegistry, set_zone: Callable[[str], None], zone: str, start: datetime, first: datetime
) -> None:
    set_zone(zone)
    at = "01:45" if zone == "Australia/Lord_Howe" else "02:30"
    registry.register(Task(id="daily", at=at, func=work, start_at=start + timedelta(hours=12)))
    quarters = registry.register(Task(id="quarters", every={"minutes": 15}, func=work))
    with freeze_time(start) as clock:
        runs = play(registry, clock, timedelta(days=3))
    daily = [run.at for run in runs if run.task_id == "daily"]
    assert (daily[0], len(daily)) == (first, 3 if daily[-1].date() == start.date() + timedelta(days=3) else 2)
    assert all(one.at <= other.at for one, other in pairwise(runs))
    assert quarters.status == "success"


@pytest.mark.zone
def test_what_is_played_is_what_simulate_foretells() -> None:
    def plan() -> TaskRegistry:
        registry = TaskRegistry()
        registry.register(Task(id="a", at="02:30", timezone="America/New_York", func=work))
        registry.register(Task(id="b", every={"hours": 5}, func=work, depends_on=["a"]))
        registry.register(Task(id="c", every={"hours": 7}, func=work, exclude=(date(2026, 3, 8),)))
        return registry

    with freeze_time("2026-03-06 12:00") as clock:
        start = datetime.now()
        foretold = list(simulate(plan(), start, start + timedelta(days=4)))
        played = play(plan(), clock, timedelta(days=4))
    assert [(run.task_id, run.at) for run in played] == [(run.task_id, run.at) for run in foretold]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"until": 5}, ["until", "datetime", "timedelta", "got 5"]),
        ({"until": datetime(2026, 3, 2, 11)}, ["until", "past", "2026-03-02 11:00:00"]),
        ({"frozen_time": 5}, ["frozen_time", "freeze_time", "got 5"]),
        ({"registry": 5}, ["registry", "TaskRegistry", "got 5"]),
        ({"registry": TaskRegistry(backend=MemoryBackend())}, ["backend", "clock"]),
    ],
    ids=["until", "past", "frozen_time", "registry", "backend"],
)
def test_bad_arguments_are_refused(registry: TaskRegistry, arguments: dict[str, Any], parts: list[str]) -> None:
    with freeze_time(START) as clock, pytest.raises((TypeError, ValueError)) as caught:
        play(**{"registry": registry, "frozen_time": clock, "until": HOUR, **arguments})
    assert missing(caught.value, *parts) == []


def test_a_clock_that_the_registry_does_not_read_is_an_error(registry: TaskRegistry) -> None:
    class Deaf:
        def move_to(self, moment: datetime, /) -> None:
            pass

    registry.register(Task(every=HOURLY, func=work))
    with freeze_time(START), pytest.raises(RuntimeError, match="does not read the clock"):
        play(registry, Deaf(), HOUR)


def test_a_clock_that_goes_on_by_itself_is_an_error(registry: TaskRegistry) -> None:
    class Deaf:
        def move_to(self, moment: datetime, /) -> None:
            pass

    task = registry.register(Task(every=HOURLY, func=work))
    with pytest.raises(RuntimeError, match="does not read the clock"):
        play(registry, Deaf(), HOUR)
    assert len(task.history) == 1


@pytest.mark.parametrize("until", [HOUR, datetime(2026, 3, 2, 13)])
def test_time_that_is_not_frozen_any_more_is_an_error(registry: TaskRegistry, until: datetime | timedelta) -> None:
    task = registry.register(Task(every=HOURLY, func=work))
    with freeze_time(START) as clock:
        pass
    with pytest.raises(RuntimeError, match=r"time is not frozen: it is .*; call play\(\) within the `with freeze_time"):
        play(registry, clock, until)
    assert task.history == []


def test_a_clock_of_another_freeze_is_an_error(registry: TaskRegistry) -> None:
    registry.register(Task(every=HOURLY, func=work))
    with freeze_time(START) as clock:
        pass
    with freeze_time(START), pytest.raises(RuntimeError, match="is it that of another freeze_time"):
        play(registry, clock, HOUR)


def test_a_played_run_is_a_tuple_with_names() -> None:
    run = PlayedRun(datetime(2026, 1, 1), "a", Task(func=work).status)
    assert (run.task_id, run[2]) == ("a", "pending")
