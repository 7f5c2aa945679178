"""Capacity: the runner of a registry, and how many calls it takes at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from est_alan_scheduler.executors import capacity as capacity_module
from est_alan_scheduler.executors.call import Call, Outcome
from est_alan_scheduler.executors.capacity import Capacity, loop_runner
from est_alan_scheduler.executors.pool import Pool


class Loop:
    """A runner that belongs to the event loop of one registry."""

    limit = 5

    def __init__(self, registry: object) -> None:
        self.registry = registry

    def serves(self, registry: object) -> bool:
        return registry is self.registry

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        raise AssertionError("no call is started in these tests")


@pytest.fixture
def pool() -> Iterator[Pool]:
    with ThreadPoolExecutor(3) as executor:
        yield Pool(executor)


def test_without_a_pool_the_thread_itself_makes_any_number_of_calls() -> None:
    capacity = Capacity(object(), {})
    assert (capacity.runner(), capacity.available(capacity.runner())) == (None, None)


def test_a_pool_makes_as_many_calls_as_it_has_workers_or_as_max_running_allows(pool: Pool) -> None:
    calls: dict[str, Any] = {}
    capacity = Capacity(object(), calls)
    capacity.replace(None, pool, None)
    assert (capacity.runner(), capacity.available(pool), capacity.limit()) == (pool, 3, 3)
    capacity.replace(None, pool, 2)
    calls.update(dict.fromkeys("a"))
    assert (capacity.available(pool), capacity.limit()) == (1, 2)
    calls.update(dict.fromkeys("abcdefghi"))
    assert capacity.available(pool) == 0


def test_an_event_loop_makes_only_the_calls_of_its_own_registry(pool: Pool) -> None:
    registry = object()
    ours, other = Capacity(registry, {}), Capacity(object(), {})
    loop: Any = Loop(registry)
    token = loop_runner.set(loop)
    try:
        assert (ours.runner(), ours.available(loop), other.runner()) == (loop, 5, None)
        ours.replace(None, pool, None)
        assert (ours.runner(), ours.available(loop)) == (loop, 3)
    finally:
        loop_runner.reset(token)


def test_replace_returns_the_former_pool_if_another_takes_its_place(pool: Pool) -> None:
    capacity = Capacity(object(), {})
    assert [capacity.replace(None, one, None) for one in (pool, pool, None)] == [None, None, pool]


def test_after_the_end_of_the_main_thread_no_call_is_possible_until_the_executor_is_replaced(pool: Pool) -> None:
    capacity = Capacity(object(), {})
    capacity.replace(None, pool, 7)
    capacity.end()
    capacity.end()
    assert (capacity.available(pool), capacity.limit(), capacity.has_ended) == (0, 0, True)
    capacity.replace(None, pool, 7)
    assert (capacity.available(pool), capacity.has_ended) == (7, False)


def test_the_end_of_the_main_thread_is_logged_once_and_only_if_the_program_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for goes_on, number in ((False, 0), (True, 1)):
        monkeypatch.setattr(capacity_module, "has_other_threads", lambda goes_on=goes_on: goes_on)
        capacity = Capacity(object(), {})
        capacity.end()
        capacity.end()
        assert len(caplog.records) == number
