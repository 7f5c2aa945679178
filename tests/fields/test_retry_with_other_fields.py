"""Retries beside the other fields of a task, changes of the clock, and pools."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus
from est_alan_scheduler.schedules.due import due_retry
from tests import jobs
from tests.fields.helpers import attempts, failing_task
from tests.frozen import START, Frozen, work
from tests.ways import wait_until

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class TestRetryWithOtherFields:
    def test_a_late_retry_is_not_a_misfire(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, at="12:00", misfire_grace=5))
        registry.tick()
        registry.tick_at(START + HOUR)
        assert ([run["attempt"] for run in task.history], task.misfires) == ([1, 2], 0)

    def test_a_slot_that_misfires_does_not_replace_the_retry(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, every={"hours": 1}, misfire_grace=5))
        registry.tick()
        registry.tick_at(START + HOUR + 6 * SECOND)
        assert ([run["attempt"] for run in task.history], task.misfires) == ([1, 2], 1)

    def test_a_retry_is_due_though_a_slot_has_misfired(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, every={"hours": 1}, misfire_grace=5))
        registry.tick()
        late = START + HOUR + 6 * SECOND
        assert [registry._should_run(task, moment) for moment in (START, START + SECOND, late)] == [False, True, True]

    def test_a_jittered_task_is_retried_after_its_delay(self, registry: Frozen) -> None:
        task = failing_task(1, at="13:00", jitter=600)
        moments = attempts(registry, task, START + 3 * HOUR)
        assert [attempt for _, attempt in moments] == [1, 2]
        assert task.history[1]["run_at"] == task.history[0]["finished_at"] + SECOND

    def test_a_later_run_at_replaces_the_retry(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        task.run_at = START + SECOND / 2
        registry.tick_at(START + SECOND)
        assert (task.attempt, len(task.history)) == (1, 2)

    def test_a_task_without_a_schedule_is_not_retried(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        task.run_at = None
        registry.tick_at(START + HOUR)
        assert len(task.history) == 1

    @pytest.mark.parametrize("field", ["retry", "retry_at"])
    def test_assigning_none_cancels_a_waiting_retry(self, registry: Frozen, field: str) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        setattr(task, field, None)
        registry.tick_at(START + HOUR)
        assert (len(task.history), registry.idle_seconds()) == (1, None)

    @pytest.mark.parametrize("max_retries", [0, 1])
    def test_a_lowered_max_retries_cancels_a_waiting_retry(self, registry: Frozen, max_retries: int) -> None:
        task = registry.register(failing_task(every={"hours": 1}))
        for second in (0, 1):
            registry.tick_at(START + second * SECOND)
        registry.update("a", retry=max_retries)
        assert due_retry(task) is None
        for second in (3, 7, 3600):
            registry.tick_at(START + second * SECOND)
        assert [run["attempt"] for run in task.history] == [1, 2, 1]

    def test_assigning_retry_at_moves_the_retry(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, run_at=START))
        registry.tick()
        task.retry_at = START + HOUR
        registry.tick_at(START + HOUR - SECOND)
        assert len(task.history) == 1
        registry.tick_at(START + HOUR)
        assert task.attempt == 2

    def test_execute_is_attempt_1_unless_the_retry_is_due(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        registry._execute(task)
        assert (task.attempt, task.retry_at) == (1, START + SECOND)
        registry.now = START + SECOND
        registry._execute(task)
        assert (task.attempt, task.retry_at) == (2, START + 3 * SECOND)

    def test_a_retry_waits_for_its_due_moment_after_the_clock_goes_back(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, run_at=START))
        registry.tick()
        registry.tick_at(START - HOUR)
        assert (len(task.history), registry.idle_seconds()) == (1, 3601)
        registry.tick_at(START + SECOND)
        assert (task.attempt, task.status) == (2, TaskStatus.SUCCESS)

    def test_a_retry_runs_once_after_the_clock_jumps_ahead(self, registry: Frozen) -> None:
        task = registry.register(failing_task(2, run_at=START))
        registry.tick()
        registry.tick_at(START + 30 * DAY)
        assert (task.attempt, task.retry_at) == (2, START + 30 * DAY + 2 * SECOND)

    def test_a_waiting_retry_holds_no_worker(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            task = registry.register(failing_task(1, run_at=datetime.now(), retry=Retry(delay=3600, max_delay=3600)))
            registry.tick()
            wait_until(lambda: bool(task.history))
            other = registry.register(Task(run_at=datetime.now(), func=work))
            registry.tick()
            wait_until(lambda: bool(other.history))
            assert (len(task.history), registry.pending()) == (1, ([], None))
            task.retry_at = datetime.now()
            registry.tick()
            wait_until(lambda: len(task.history) == 2)
        assert (task.status, task.attempt) == (TaskStatus.SUCCESS, 2)

    def test_a_run_interrupted_by_shutdown_is_retried(self, tmp_path: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            task = registry.register(
                Task(run_at=datetime.now(), func=jobs.hold, args=(str(tmp_path),), retry=Retry(delay=0))
            )
            registry.tick()
            assert registry.shutdown(0) is False
            assert (task.error_message, task.attempt) == ("RuntimeError: interrupted by shutdown", 1)
            registry.tick()
            assert len(task.history) == 1  # the old call still goes on
            jobs.release_unstarted(str(tmp_path))
            wait_until(lambda: registry.idle_seconds() == 0)
            registry.tick()
            wait_until(lambda: len(task.history) == 2)
        assert (task.status, task.attempt) == (TaskStatus.SUCCESS, 2)
