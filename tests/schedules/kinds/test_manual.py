"""`manual`: a task that runs by request alone."""

from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import PlannedRun, Retry, Task, describe, next_run, simulate
from tests.frozen import SECOND, START, Frozen, boom, run_times, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

YEAR = timedelta(days=365)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def manual(registry: Frozen, **fields: Any) -> Task:
    given: dict[str, Any] = {"id": "a", "manual": True, "func": work} | fields
    return registry.register(Task(**given))


def test_a_manual_task_runs_by_request_alone(registry: Frozen) -> None:
    task = manual(registry)
    registry.tick()
    registry.tick_at(START + YEAR)
    assert (task.history, registry.idle_seconds(), registry._should_run(task, registry.now)) == ([], None, False)
    for _ in range(2):
        registry.run_now("a")
        assert registry.idle_seconds() == 0
        registry.tick()
        registry.tick()
    assert (len(task.history), task.result, registry.idle_seconds()) == (2, "done", None)


def test_its_failed_run_is_retried(registry: Frozen) -> None:
    task = manual(registry, func=boom, retry=Retry(max_retries=1, delay=10, jitter=0))
    registry.run_now("a")
    registry.tick()
    assert registry.why_not("a") == "retries (attempt 2 of 2) in 10 s at 2026-06-01 12:00:10, after ValueError: boom"
    assert list(registry.upcoming()) == [PlannedRun(START + 10 * SECOND, "a")]
    for second in (9, 10, 99):
        registry.tick_at(START + second * SECOND)
    assert run_times(task) == ["12:00:00", "12:00:10"]


def test_it_is_shown_in_words(registry: Frozen) -> None:
    task = manual(registry)
    assert describe(task) == "by run_now only"
    assert registry.why_not("a") == "never due by itself: it runs by run_now('a') only"
    assert (list(registry.upcoming()), list(simulate(registry, START, START + YEAR))) == ([], [])
    assert next_run(task, START) is None


def test_a_task_can_become_manual_and_be_scheduled_again(registry: Frozen) -> None:
    task = manual(registry, manual=False, at="12:00")
    registry.tick()
    registry.update("a", manual=True, at=None)
    registry.tick_at(START + YEAR)
    assert run_times(task) == ["12:00:00"]
    registry.update("a", manual=False, every={"seconds": 1})
    registry.tick()
    assert len(task.history) == 2


def test_it_is_one_of_exactly_one_option(registry: Frozen) -> None:
    with pytest.raises(ValueError, match="run_at / cron / after / manual, got every and manual"):
        manual(registry, every={"seconds": 1})
    with pytest.raises(ValueError, match="got none of them"):
        manual(registry, manual=False)


def test_limits_of_slots_are_refused(registry: Frozen) -> None:
    with pytest.raises(ValueError, match="task 'a' runs by run_now only and has no times of its own: timezone would"):
        manual(registry, timezone="Asia/Seoul")
