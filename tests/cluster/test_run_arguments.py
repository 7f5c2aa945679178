"""Arguments for one run with a backend: whichever instance makes it."""

from typing import Any

import pytest

from est_alan_scheduler import Retry, TaskRegistry, TaskStatus
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Join, adder, runs


def results(registry: TaskRegistry) -> list[tuple[Any, Any]]:
    return [(run["attempt"], run["result"] or run["error"]) for run in registry.history("a")]


def test_another_instance_runs_with_them_once(join: Join) -> None:
    first, second = join(), join()
    second.expose(jobs.add)
    first.register(adder(manual=True, every=None))
    first.run_now("a", args=(30, 4))
    for _ in range(2):
        second.tick()
    first.run_now("a", kwargs={"y": 5}, args=[1])
    second.tick()
    first.run_now("a")
    second.tick()
    assert results(second) == [(1, "34"), (1, "6"), (1, "3")]


def test_any_instance_gives_what_a_manual_task_lacks(join: Join) -> None:
    first, second = join(), join()
    second.expose(jobs.add)
    first.register(adder(manual=True, every=None, args=()))
    second.tick()
    with pytest.raises(ValueError, match="lacks the argument"):
        second.run_now("a")
    second.run_now("a", args=(3, 4))
    first.tick()
    assert results(second) == [(1, "7")]


def test_a_later_instance_retries_with_them(join: Join, clock: Clock) -> None:
    first, second = join(), join()
    second.expose(jobs.add)
    first.register(adder(manual=True, every=None, retry=Retry(max_retries=1, delay=5, jitter=0)))
    first.run_now("a", args=("x", 4))
    second.tick()
    second.shutdown()
    clock.advance(5)
    third = join()
    third.expose(jobs.add)
    third.tick()
    error = 'TypeError: can only concatenate str (not "int") to str'
    assert results(third) == [(1, error), (2, error)]
    first.run_now("a")
    third.tick()
    assert results(third)[2:] == [(1, "3")]


def test_the_next_slot_has_the_arguments_of_the_task(join: Join, clock: Clock) -> None:
    first, second = join(), join()
    second.expose(jobs.add)
    first.register(adder())
    first.tick()
    first.run_now("a", args=(30, 4))
    second.tick()
    clock.advance(60)
    first.tick()
    assert results(second) == [(1, "3"), (1, "34"), (1, "3")]


def test_the_latest_request_of_any_instance_counts(join: Join) -> None:
    first, second = join(), join()
    second.expose(jobs.add)
    first.register(adder(manual=True, every=None))
    first.run_now("a", args=(30, 4), force=True)
    second.run_now("a", args=(50, 6))
    first.tick()
    assert results(first) == [(1, "56")]


def test_a_request_that_is_taken_back_leaves_no_arguments_to_a_retry_that_waits(join: Join, clock: Clock) -> None:
    first, second = join(), join()
    second.expose(jobs.take_result)
    first.register(adder(func=jobs.boom, retry=Retry(max_retries=1, delay=5, jitter=0), args=()))
    first.tick()
    first.update("a", func=jobs.take_result)
    second.tick()
    second.run_now("a", args=[9])
    second["a"].run_requested = None
    second.tick()
    clock.advance(5)
    first.tick()
    assert (first["a"].run_arguments, first["a"].attempt, first["a"].status) == (None, 2, TaskStatus.SUCCESS)
    second.tick()
    assert second["a"].run_arguments is None


def test_values_that_json_cannot_hold_are_refused(join: Join) -> None:
    registry = join()
    task = registry.register(adder(manual=True, every=None))
    with pytest.raises(ValueError, match="JSON cannot hold") as caught:
        registry.run_now("a", args=(1, {2}))
    assert str(caught.value).startswith("args[1] of task 'a' is {2}, which JSON cannot hold")
    registry.tick()
    assert (task.run_requested, runs(registry, "a")) == (None, 0)
