"""The time of which the runs of a task are not known."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.web.page.timeline import past
from est_alan_scheduler.web.page.timeline.kept import gap_of
from est_alan_scheduler.web.page.timeline.past import runs_of
from tests import jobs
from tests.backends.stores import Clock

NOON = datetime(2026, 3, 2, 12)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ran(registry: TaskRegistry, noon: Any) -> Callable[..., "Look"]:
    """Run a task each minute from noon on, so many times."""

    def start(times: int, **fields: Any) -> Look:
        task = registry.register(Task(id="a", func=jobs.process_id, every={"minutes": 1}, **fields))
        for _ in range(times):
            registry.tick()
            noon.tick(60)
        return Look(registry, task)

    return start


class Look:
    """A look at the runs of a task between two minutes after noon."""

    def __init__(self, registry: TaskRegistry, task: Task) -> None:
        self.registry, self.task = registry, task

    def __call__(self, begin: int, end: int) -> tuple[float, float, bool] | None:
        first, last = NOON + begin * MINUTE, NOON + end * MINUTE
        runs = runs_of(self.registry, [self.task], first - (last - first) / 4, last)["a"]
        found = gap_of(self.registry, self.task, runs, first, last)
        return None if found is None else ((found.since - NOON) / MINUTE, (found.until - NOON) / MINUTE, found.is_kept)


def test_runs_that_are_not_kept_leave_a_gap_from_the_first_run_on(ran: Callable[..., Look]) -> None:
    look = ran(20, history_limit=5)
    assert look(-30, 60) == (0, 15, False)
    assert look(10, 30) == (10, 15, False)
    assert look(5, 10) == (5, 10, False)


def test_where_the_runs_are_kept_there_is_none(ran: Callable[..., Look]) -> None:
    look = ran(20, history_limit=5)
    assert [look(-60, -30), look(16, 40), look(30, 40)] == [None] * 3


@pytest.mark.parametrize(("times", "gap"), [(5, None), (6, (0, 1, False))])
def test_as_many_runs_as_are_kept_leave_none(
    ran: Callable[..., Look], times: int, gap: tuple[float, float, bool] | None
) -> None:
    assert ran(times, history_limit=5)(-30, 60) == gap


def test_a_limit_that_was_raised_brings_no_run_back(ran: Callable[..., Look]) -> None:
    look = ran(20, history_limit=5)
    look.registry.update("a", history_limit=500)
    assert look(-30, 60) == (0, 15, False)


def test_a_time_without_a_run_between_two_that_are_kept_is_no_gap(ran: Callable[..., Look], noon: Any) -> None:
    look = ran(3)
    noon.tick(3600)
    look.registry.tick()
    assert look(30, 100) is None


def test_a_task_that_keeps_none_has_a_gap_up_to_its_last_run(ran: Callable[..., Look]) -> None:
    assert ran(20, history_limit=0)(-30, 60) == (0, 19, False)


def test_a_task_that_has_not_run_has_none(ran: Callable[..., Look]) -> None:
    assert ran(0, history_limit=0)(-30, 60) is None


def test_runs_that_are_too_many_to_be_read_leave_a_gap(
    ran: Callable[..., Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "_MOST_READ", 8)
    monkeypatch.setattr(past, "MOST_OF_TASK", 8)
    assert ran(20)(-30, 60) == (0, 12, True)


def test_an_observer_knows_since_when_runs_are_kept(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    registry = join()
    task = registry.register(Task(id="a", func=jobs.process_id, every={"minutes": 1}, history_limit=2))
    begin = to_utc(registry._now())
    for _ in range(5):
        registry.tick()
        clock.advance(60)
    registry.shutdown()
    observer = join(observe=True)
    observer.refresh()
    task, end = observer["a"], begin + 60 * MINUTE
    runs = runs_of(observer, [task], begin - 60 * MINUTE, end)["a"]
    gap = gap_of(observer, task, runs, begin - 30 * MINUTE, end)
    assert gap is not None
    assert [round((at - begin) / MINUTE) for at in gap[:2]] == [0, 3]
