"""The runs of tasks within a time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.web.page.timeline import past
from est_alan_scheduler.web.page.timeline.lanes import chosen
from est_alan_scheduler.web.page.timeline.past import failures_of, runs_of
from tests import jobs
from tests.backends.stores import Clock

NOON = datetime(2026, 3, 2, 12)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def put(registry: TaskRegistry, task_id: str, func: Any = jobs.process_id, **fields: Any) -> Task:
    return registry.register(Task(id=task_id, func=func, **fields))


def test_the_runs_of_a_time_come_in_order(registry: TaskRegistry, noon: Any) -> None:
    task = put(registry, "a", every={"minutes": 10})
    put(registry, "b", every={"minutes": 10})
    for _ in range(6):
        registry.tick()
        noon.tick(600)
    runs = runs_of(registry, [task], NOON + 10 * MINUTE, NOON + 30 * MINUTE)
    starts = [NOON + 10 * MINUTE, NOON + 20 * MINUTE]
    assert {key: [(run.start, run.status) for run in value] for key, value in runs.items()} == {
        "a": [(at, "success") for at in starts]
    }


def test_the_runs_of_a_busy_registry_are_read_task_by_task(
    registry: TaskRegistry, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "_MOST_READ", 10)
    monkeypatch.setattr(past, "MOST_OF_TASK", 3)
    calm = put(registry, "calm", every={"hours": 1})
    busy = put(registry, "busy", every={"seconds": 1})
    for _ in range(20):
        registry.tick()
        noon.tick(1)
    runs = runs_of(registry, [calm, busy], NOON, NOON + HOUR)
    assert {key: [run.start.second for run in value] for key, value in runs.items()} == {
        "calm": [0],
        "busy": [17, 18, 19],
    }


def test_a_run_in_flight_has_no_end(registry: TaskRegistry) -> None:
    seen = []

    def look_at_itself() -> None:
        seen.extend(runs_of(registry, [task], NOON - HOUR, NOON + HOUR)["a"])

    task = put(registry, "a", func=registry.expose(look_at_itself, "tests.look"), run_at=NOON)
    registry.tick()
    assert [(run.start, run.end, run.status) for run in seen] == [(NOON, None, "running")]


def test_only_failures_within_the_time_are_found(registry: TaskRegistry, noon: Any) -> None:
    put(registry, "broken", func=jobs.boom, every={"minutes": 10})
    put(registry, "fine", every={"minutes": 10})
    for _ in range(4):
        registry.tick()
        noon.tick(600)
    found = failures_of(registry, list(registry), NOON + 10 * MINUTE, NOON + 30 * MINUTE)
    assert sorted(run.start for run in found) == [NOON + 10 * MINUTE, NOON + 20 * MINUTE]
    assert {(run.task_id, run.status, run.error) for run in found} == {("broken", "failed", "ValueError: boom")}


def test_failures_in_memory_are_searched_in_a_bounded_number(monkeypatch: pytest.MonkeyPatch, noon: Any) -> None:
    registry = TaskRegistry()
    for task_id in ("a", "b"):
        put(registry, task_id, func=jobs.boom, every={"seconds": 1})
    for _ in range(5):
        registry.tick()
        noon.tick(1)
    monkeypatch.setattr(past, "_MOST_SEARCHED", 7)
    found = failures_of(registry, list(registry), NOON, NOON + HOUR)
    assert [run.task_id for run in found] == ["a"] * 5 + ["b"] * 2


def test_an_observer_sees_runs_and_trouble(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    registry = join()
    registry.register(Task(id="fine", func=jobs.process_id, every={"hours": 3}))
    registry.register(Task(id="broken", func=jobs.boom, every={"hours": 3}))
    registry.tick()
    registry.shutdown()  # what has ended is written
    clock.advance(600)
    observer = join(observe=True)
    observer.refresh()
    now = to_utc(observer._now())
    found = chosen(observer, now - HOUR, now + HOUR)
    assert [task.id for task in found.tasks] == ["broken", "fine"]
    assert [(one.task.id, one.kind, one.error) for one in found.troubles] == [("broken", "failed", "ValueError: boom")]
    runs = runs_of(observer, found.tasks, now - HOUR, now + HOUR)
    assert {key: [run.status for run in value] for key, value in runs.items()} == {
        "broken": ["failed"],
        "fine": ["success"],
    }
    assert runs_of(observer, found.tasks, now - HOUR, now - HOUR / 2) == {"broken": [], "fine": []}
