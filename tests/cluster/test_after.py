"""`after` with a backend: the successes of any instance count, and each is used once."""

from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Join, adder, claim_and_die, outlive_lease, reap, runs

HOUR = 3_600
HOURLY = {"hours": 1}


def follower(**fields: Any) -> Task:
    given: dict[str, Any] = {"id": "b", "after": ["a"], "func": jobs.take_result} | fields
    return Task(**given)


def settle(*registries: TaskRegistry) -> None:
    for _ in range(3):
        for registry in registries:
            registry.tick()


@pytest.fixture
def two(join: Join) -> tuple[TaskRegistry, TaskRegistry]:
    """Return an instance that runs "a", and one that runs "b" after it."""
    first, second = join(), join()
    first.expose(jobs.take_result)
    second.expose(jobs.add)
    first.register(adder(every=HOURLY))
    second.register(follower())
    return first, second


def test_a_success_of_another_instance_lets_it_run_once(two: tuple[TaskRegistry, TaskRegistry], clock: Clock) -> None:
    first, second = two
    second.tick()
    assert second.store["b"].history == []
    for hour in range(3):
        settle(*two)
        assert [runs(first, task_id) for task_id in "ab"] == [hour + 1] * 2
        clock.advance(HOUR)
    assert second.store["b"].result == [3]


def test_several_instances_run_it_once_a_success(join: Join, clock: Clock) -> None:
    instances = [join() for _ in range(3)]
    for registry in instances:
        registry.register(adder(every=HOURLY))
        registry.register(follower())
    for hour in range(4):
        settle(*instances)
        assert [runs(instances[0], task_id) for task_id in "ab"] == [hour + 1] * 2
        clock.advance(HOUR)


def test_a_restart_uses_no_success_again(join: Join, clock: Clock) -> None:
    for hour in range(3):
        registry = join()
        registry.register(adder(every=HOURLY))
        registry.register(follower())
        settle(registry)
        assert [runs(registry, task_id) for task_id in "ab"] == [hour + 1] * 2
        assert registry.why_not("b") == "waits for a new success of 'a'"
        registry.shutdown()
        clock.advance(HOUR)


@pytest.mark.parametrize(("run_immediately", "count"), [(True, 1), (False, 0)])
def test_a_success_from_before_its_registration_counts_unless_it_waits(
    join: Join, clock: Clock, run_immediately: bool, count: int
) -> None:
    first = join()
    first.register(adder(every=HOURLY))
    first.tick()
    clock.advance(60)
    for _ in range(2):  # also after a restart
        second = join()
        second.expose(jobs.add)
        second.register(follower(run_immediately=run_immediately))
        settle(second)
        assert runs(second, "b") == count
        second.shutdown()
        clock.advance(60)
    clock.advance(HOUR)
    third = join()
    third.expose(jobs.add)
    third.register(follower(run_immediately=run_immediately))
    settle(first, third)
    assert runs(third, "b") == count + 1


def reaped_follower(join: Join, clock: Clock, **fields: Any) -> TaskRegistry:
    """Return the instance that has reaped the run of a follower on another one."""
    first, second = join(), join()
    for registry in (first, second):
        registry.register(adder(every={"days": 1}))
        registry.register(follower(**fields))
    first.tick()
    claim_and_die(first, first.store["b"])
    second.tick()
    outlive_lease(second, clock)
    reap(second)
    settle(second)
    return second


def test_a_dead_run_has_used_the_success(join: Join, clock: Clock) -> None:
    second = reaped_follower(join, clock)
    assert [run["status"] for run in second.history("b")] == ["failed"]
    assert second.why_not("b") == "waits for a new success of 'a'"
    clock.advance(24 * HOUR)
    settle(second)
    assert [run["status"] for run in second.history("b")] == ["failed", "success"]


def test_a_dead_run_is_retried_without_a_new_success(join: Join, clock: Clock) -> None:
    second = reaped_follower(join, clock, retry=Retry(max_retries=1, delay=5, jitter=0))
    assert runs(second, "b") == 1
    clock.advance(5)
    settle(second)
    assert [(run["status"], run["attempt"]) for run in second.history("b")] == [("failed", 1), ("success", 2)]


def test_a_released_claim_has_used_nothing(join: Join) -> None:
    first, second = join(), join()
    for registry in (first, second):
        registry.register(adder(every=HOURLY))
        registry.register(follower())
    first.tick()
    session = first._session
    assert session is not None
    assert session.ensure_claimed(first.store["b"])
    session.release(["b"])
    settle(second)
    assert (runs(second, "b"), second.store["b"].status) == (2, "success")


def test_an_update_reaches_the_other_instances(two: tuple[TaskRegistry, TaskRegistry], clock: Clock) -> None:
    first, second = two
    settle(*two)
    first.update("b", after=None, every={"minutes": 1}, args=(1,))
    clock.advance(60)
    settle(*two)
    assert (second.store["b"].after, runs(second, "b")) == (None, 2)
    first.update("b", after=["a"], every=None)
    clock.advance(60)
    settle(*two)
    assert (second.store["b"].after, runs(second, "b")) == (["a"], 2)
    clock.advance(HOUR)
    settle(*two)
    assert runs(second, "b") == 3


def test_manual_tasks_and_first_runs_that_wait_are_the_same_everywhere(join: Join, clock: Clock) -> None:
    first, second = join(), join()
    second.expose(jobs.add)
    first.register(adder("m", manual=True, every=None))
    first.register(adder("w", every=HOURLY, run_immediately=False))
    settle(first, second)
    assert second.history() == []
    first.run_now("m")
    settle(second)
    assert [run["task_id"] for run in second.history()] == ["m"]
    clock.advance(HOUR - 1)
    again = join()
    again.register(adder("w", every=HOURLY, run_immediately=False))
    settle(again)
    assert runs(again, "w") == 0
    clock.advance(1)
    settle(again)
    assert runs(again, "w") == 1


def test_an_id_that_no_store_can_hold_is_refused(join: Join) -> None:
    with pytest.raises(ValueError, match="after of task 'b' has"):
        join().register(follower(after=["x\0"]))
