"""Defaults of a registry with a backend: they are part of the definition."""

from typing import Any

from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Join, adder, runs

DEFAULTS: dict[str, Any] = {"timeout": 5, "timezone": "Asia/Seoul", "run_immediately": False}


def test_a_restart_with_equal_defaults_registers_the_same_task(join: Join, clock: Clock) -> None:
    for seconds, count in ((0, 0), (1_000, 0), (2_600, 1)):  # one interval after it was registered first
        clock.advance(seconds)
        registry = join(defaults=DEFAULTS)
        task = registry.register(adder(every={"hours": 1}))
        registry.tick()
        assert (task.timezone, runs(registry, "a")) == ("Asia/Seoul", count)
        registry.shutdown()


def test_another_instance_has_the_task_as_it_was_filled(join: Join) -> None:
    first, second = join(defaults={"timeout": 5}), join(defaults={"timeout": 6})
    second.expose(jobs.add)
    first.register(adder())
    second.tick()
    assert second.store["a"].timeout == 5


def test_another_instance_may_give_the_task_a_schedule_without_times(join: Join) -> None:
    defaults: dict[str, Any] = {"timezone": "Asia/Seoul", "misfire_grace": 60}
    first, second = join(defaults=defaults), join(defaults=defaults)
    second.expose(jobs.add)
    task = first.register(adder(every={"hours": 1}))
    second.tick()
    second.update("a", every=None, manual=True)
    first.tick()
    assert (task.manual, task.timezone, task.misfire_grace) == (True, None, None)
    first.update("a", manual=False, at="07:00")
    second.tick()
    assert (second["a"].at, second["a"].timezone, second["a"].misfire_grace) == ("07:00", "Asia/Seoul", 60)
