"""The counts of a task: its runs, and its failures in a row; on one registry, and across instances."""

from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry
from tests import jobs
from tests.backends.stores import Clock as StoreClock
from tests.cluster.helpers import MINUTE, Join, adder, claim_and_die, outlive_lease, reap
from tests.frozen import SECOND, START, Frozen

RETRY = Retry(max_retries=1, delay=5, jitter=0)


class Told:
    """A function that fails or succeeds as it is told."""

    def __init__(self, *outcomes: bool) -> None:
        self.left = list(outcomes)

    def __call__(self) -> None:
        if not self.left.pop(0):
            raise ValueError("boom")


def counts(task: Task) -> tuple[int, int]:
    return task.runs, task.consecutive_failures


def register(registry: TaskRegistry, *outcomes: bool, **fields: object) -> Task:
    return registry.register(Task.model_validate({"id": "a", "every": MINUTE, "func": Told(*outcomes), **fields}))


class TestCounts:
    def test_each_run_counts_and_each_failure_until_a_success(self) -> None:
        registry = Frozen()
        task = register(registry, False, False, True, False)
        found = [counts(task)]
        for minute in range(4):
            registry.tick_at(START + 60 * minute * SECOND)
            found.append(counts(task))
        assert found == [(0, 0), (1, 1), (2, 2), (3, 0), (4, 1)]

    def test_a_retry_belongs_to_its_run_and_its_failure_counts(self) -> None:
        registry = Frozen()
        task = register(registry, False, False, False, True, retry=RETRY)
        found = []
        for seconds in (0, 5, 60, 65):
            registry.tick_at(START + seconds * SECOND)
            found.append(counts(task))
        assert found == [(1, 1), (1, 2), (2, 3), (2, 0)]

    def test_a_requested_run_counts(self) -> None:
        registry = Frozen()
        task = register(registry, True, True)
        registry.tick()
        registry.run_now("a")
        registry.tick()
        assert counts(task) == (2, 0)

    def test_the_state_during_a_run_counts_that_run(self) -> None:
        registry, seen = Frozen(), list[tuple[int, int]]()
        task = registry.register(Task(id="a", every=MINUTE, func=lambda: seen.append(counts(task))))
        registry.tick()
        assert seen == [(1, 0)]

    def test_both_may_be_assigned(self) -> None:
        registry = Frozen()
        task = register(registry, False, False)
        registry.tick()
        task.runs, task.consecutive_failures = 7, 0
        registry.tick_at(START + 60 * SECOND)
        assert counts(task) == (8, 1)

    @pytest.mark.parametrize("field", ["runs", "consecutive_failures"])
    @pytest.mark.parametrize("value", [-1, True, 1.0, "1", 2**53])
    def test_a_count_is_a_whole_number(self, field: str, value: object) -> None:
        with pytest.raises(ValueError, match=field):
            Task.model_validate({"every": MINUTE, "func": jobs.add, field: value})

    def test_a_task_that_never_failed_keeps_no_count_of_failures(self) -> None:
        registry = Frozen()
        task = register(registry, False, True)
        assert not {"consecutive_failures", "run_arguments"} & task.__dict__.keys()
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert counts(task) == (2, 0)
        assert "consecutive_failures" not in task.__dict__

    def test_they_survive_json_and_copies(self) -> None:
        task = Task(every=MINUTE, func=jobs.add, runs=3, consecutive_failures=2, run_arguments={"args": [1]})
        again = Task.model_validate_json(task.model_dump_json())
        for one in (task, again, task.model_copy()):
            assert (*counts(one), one.run_arguments) == (3, 2, {"args": [1], "kwargs": {}})


class TestRunArguments:
    @pytest.mark.parametrize("value", [{}, {"x": 1}, [], {"args": 1}, {"kwargs": {1: 2}}])
    def test_they_are_the_arguments_of_a_call(self, value: object) -> None:
        with pytest.raises(ValueError, match="args"):
            Task.model_validate({"every": MINUTE, "func": jobs.add, "run_arguments": value})

    def test_they_last_for_the_attempts_of_the_requested_run(self) -> None:
        registry, seen = Frozen(), list[Any]()

        def look(_: int = 0) -> None:
            seen.append((task.attempt, task.run_arguments))
            raise ValueError

        task = registry.register(Task(id="a", every=MINUTE, func=look, retry=RETRY))
        given = {"args": [1], "kwargs": {}}
        registry.run_now("a", args=[1])
        for seconds in (0, 5, 60):
            registry.tick_at(START + seconds * SECOND)
        assert seen == [(1, given), (2, given), (1, None)]
        assert "run_arguments" not in task.__dict__


class TestAcrossInstances:
    def test_all_instances_and_later_ones_know_the_counts(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        for each in (first, second):
            each.expose(jobs.boom)
        task = first.register(adder(func=jobs.boom, args=(), retry=RETRY))
        for seconds in (0, 5, 55):
            clock.advance(seconds)
            second.tick()
        first.tick()
        third = join()
        third.expose(jobs.boom)
        third.tick()
        assert [counts(each.store["a"]) for each in (second, third)] == [(2, 3), (2, 3)]
        assert counts(task) == (2, 3)
        first.update("a", func=_work)
        clock.advance(60)
        first.tick()
        third.expose(_work)
        third.tick()
        assert [counts(each.store["a"]) for each in (first, third)] == [(3, 0), (3, 0)]

    def test_a_dead_run_is_a_failure_of_a_run_that_counts(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        claim_and_die(first, first.register(adder(consecutive_failures=4)))
        outlive_lease(second, clock)
        reap(second)
        second.tick()
        assert counts(second.store["a"]) == (2, 0)  # the next one has succeeded
        failed = [run["status"] for run in second.history("a")]
        assert failed == ["failed", "success"]

    def test_a_dead_run_adds_to_the_failures_in_the_store(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        claim_and_die(first, first.register(adder(every={"hours": 1}, consecutive_failures=4)))
        second.tick()
        outlive_lease(second, clock)
        reap(second)
        second.tick()
        assert counts(second.store["a"]) == (1, 5)

    def test_a_claim_that_is_released_does_not_count(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        task = first.register(adder())
        session = first._session
        assert session is not None
        assert session.ensure_claimed(task)
        session.release(["a"])
        second.tick()
        assert counts(second.store["a"]) == (1, 0)

    def test_assigned_counts_and_arguments_reach_the_others(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        task = first.register(adder(every={"hours": 1}))
        first.tick()
        task.runs, task.consecutive_failures, task.run_arguments = 7, 3, {"args": ((1, 2),)}
        first.tick()
        second.tick()
        there = second.store["a"]
        assert (*counts(there), there.run_arguments) == (7, 3, {"args": [[1, 2]], "kwargs": {}})
        task.run_arguments = None
        first.tick()
        second.tick()
        assert second.store["a"].run_arguments is None
        seen = second.backend.fetch(["a"], 0).states["a"].version  # type: ignore[union-attr]
        clock.advance(1)
        first.tick()
        assert second.backend.fetch(["a"], 0).states["a"].version == seen  # type: ignore[union-attr]


def _work() -> None:
    pass
