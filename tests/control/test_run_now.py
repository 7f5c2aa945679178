"""Requested runs: `run_now`, with `force` and without."""

from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task
from tests.frozen import SECOND, START, Frozen, boom, run_times, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class TestRunNow:
    def test_run_now_runs_once_in_the_next_tick(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", at="23:00", func=work))
        registry.tick()
        assert registry.run_now("a") is task
        assert (registry.idle_seconds(), registry.why_not("a")) == (0, "due now, it runs with the next tick")
        registry.tick()
        registry.tick()
        assert (run_times(task), registry.idle_seconds(), task.attempt) == (["12:00:00"], 11 * 3600, 1)

    def test_run_now_does_not_cover_a_later_run_at(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", run_at=START + HOUR, func=work))
        registry.run_now("a")
        registry.tick()
        registry.tick_at(START + HOUR)
        registry.tick_at(START + 2 * HOUR)
        assert run_times(task) == ["12:00:00", "13:00:00"]

    def test_run_now_does_not_move_the_grid_of_every(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"minutes": 1}, func=work))
        registry.tick()
        registry.now += 20 * SECOND
        registry.run_now("a")
        for seconds in (20, 59, 60, 119, 120):
            registry.tick_at(START + seconds * SECOND)
        assert run_times(task) == ["12:00:00", "12:00:20", "12:01:00", "12:02:00"]

    @pytest.mark.parametrize("force", ["yes", 1, None])
    def test_force_must_be_a_bool(self, registry: Frozen, force: Any) -> None:
        task = registry.register(Task(id="a", at="23:00", func=work))
        with pytest.raises(TypeError) as caught:
            registry.run_now("a", force=force)
        message = f"force must be True or False, got {force!r}: write args=[{force!r}] for an argument of the function"
        assert (str(caught.value), task.run_requested) == (message, None)

    def test_run_now_waits_for_dependencies_unless_forced(self, registry: Frozen) -> None:
        registry.register(Task(id="source", at="23:00", func=work))
        task = registry.register(Task(id="a", at="23:00", func=work, depends_on=["source"]))
        registry.run_now("a")
        registry.tick()
        assert (task.history, registry.why_not("a")) == ([], "waits for 'source', which has not succeeded")
        registry.run_now("a", force=True)
        assert registry.why_not("a") == "due now, it runs with the next tick"
        registry.tick()
        registry.run_now("a")
        registry.run_now("source")
        registry.tick()
        registry.tick()
        assert len(task.history) == 2

    def test_a_plain_request_does_not_weaken_a_forced_one(self, registry: Frozen) -> None:
        registry.register(Task(id="a", at="23:00", func=work, depends_on=["b"]))
        registry.run_now("a", force=True)
        assert registry.run_now("a").run_requested == "force"

    def test_run_now_during_a_run_starts_after_it(self, registry: Frozen) -> None:
        def request() -> None:
            registry.run_now("a")
            registry.tick()

        task = registry.register(Task(id="a", at="12:00", func=request))
        registry.tick()
        assert (len(task.history), task.run_requested) == (1, "ready")
        task.func = work
        registry.tick()
        assert (len(task.history), task.run_requested, registry.idle_seconds()) == (2, None, DAY.total_seconds())

    def test_run_now_runs_a_paused_task_which_stays_paused(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"minutes": 1}, func=work))
        registry.pause("a")
        registry.run_now("a")
        registry.tick()
        registry.tick_at(START + HOUR)
        assert (run_times(task), task.paused) == (["12:00:00"], True)

    def test_run_now_replaces_a_waiting_retry(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1)))
        registry.tick()
        task.func = work
        registry.run_now("a")
        registry.tick()
        registry.tick_at(START + HOUR)
        assert [run["attempt"] for run in task.history] == [1, 1]

    def test_run_now_runs_a_task_without_a_schedule(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", at="23:00", func=work))
        task.at = None
        registry.run_now("a")
        registry.tick()
        assert len(task.history) == 1

    def test_run_now_runs_a_task_whose_slot_misfires(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", at="11:00", func=work, misfire_grace=60))
        registry.run_now("a")
        registry.tick()
        assert (len(task.history), task.misfires) == (1, 1)
