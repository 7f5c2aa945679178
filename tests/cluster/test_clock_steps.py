"""The clock of a store goes back: no instance starts a slot that any other has started."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends.clock import to_instant
from est_alan_scheduler.calendar.local_time import to_utc
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Join

DAY = datetime(2026, 6, 1)
GRID: dict[str, Any] = {"every": {"minutes": 30}, "start_at": DAY.replace(tzinfo=UTC)}
CRON: dict[str, Any] = {"cron": "*/30 * * * *", "timezone": "UTC"}
AT: dict[str, Any] = {"at": "12:30", "timezone": "UTC"}


def go_to(clock: Clock, time: str, day: datetime = DAY) -> None:
    clock.now = to_instant(datetime.fromisoformat(f"{day:%Y-%m-%d} {time}"))


def task_of(**fields: Any) -> Task:
    if "cron" in fields:
        pytest.importorskip("cronsim")
    return Task(**{"id": "a", "func": jobs.add, "args": (1, 2), **fields})


def slots(registry: TaskRegistry) -> list[str]:
    return [f"{to_utc(run['slot']):%H:%M}" for run in registry.history("a")]


@pytest.mark.parametrize("fields", [GRID, CRON], ids=["every", "cron"])
def test_no_slot_of_another_instance_starts_again(join: Join, clock: Clock, fields: dict[str, Any]) -> None:
    go_to(clock, "11:50")
    first, second = join(), join()
    for registry in (first, second):
        registry.register(task_of(**fields))
    for registry, time in ((first, "12:00"), (second, "12:30"), (second, "13:00"), (first, "13:30")):
        go_to(clock, time)
        registry.tick()
    go_to(clock, "11:45")
    second.tick()
    late = join()
    late.register(task_of(**fields))
    for time in ("12:00", "12:30", "13:00", "13:30", "14:00"):
        go_to(clock, time)
        for registry in (first, second, late):
            registry.tick()
    assert slots(first) == ["12:00", "12:30", "13:00", "13:30", "14:00"]


@pytest.mark.parametrize("fields", [GRID, CRON], ids=["every", "cron"])
def test_slots_that_no_instance_has_started_run(join: Join, clock: Clock, fields: dict[str, Any]) -> None:
    go_to(clock, "11:50")
    first, second = join(), join()
    for registry in (first, second):
        registry.register(task_of(**fields))
    for time in ("12:00", "12:30", "13:00"):
        go_to(clock, time)
        second.tick()
    go_to(clock, "10:45")
    found = []
    for number, time in enumerate(("10:45", "11:00", "11:30", "12:00", "12:30", "13:00", "13:30")):
        go_to(clock, time)
        for registry in (first, second)[:: 1 if number % 2 else -1]:
            registry.tick()
        found.append(len(first.history("a")))
    assert found == [3, 4, 5, 5, 5, 5, 6]


@pytest.mark.parametrize("fields", [GRID, CRON, AT], ids=["every", "cron", "at"])
def test_a_clock_that_stood_a_year_ahead_costs_no_silence(join: Join, clock: Clock, fields: dict[str, Any]) -> None:
    go_to(clock, "12:00")
    registry = join()
    registry.register(task_of(**fields))
    go_to(clock, "13:10", DAY + timedelta(days=365))
    registry.tick()
    registry.shutdown()
    go_to(clock, "12:10", DAY + timedelta(days=1))
    other = join()
    other.register(task_of(**fields))
    other.tick()
    go_to(clock, "12:30", DAY + timedelta(days=1))
    other.tick()
    assert to_utc(other.store["a"].last_run_at or DAY) == DAY + timedelta(days=1, hours=12, minutes=30)
