"""Capacity: the runner of a registry, and how many calls it takes at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from est_alan_scheduler.executors.call import Call, Outcome
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.executors.pool import Pool
from est_alan_scheduler.executors.runner import loop_runner


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


def test_at_the_end_of_the_program_the_capacity_is_0_whatever_max_running_allows(pool: Pool) -> None:
    capacity = Capacity(object(), {})
    capacity.replace(None, pool, 2)
    pool.limit = 0
    assert (capacity.available(pool), capacity.limit()) == (0, 0)


def test_an_event_loop_makes_only_the_calls_of_its_own_registry(pool: Pool) -> None:
    registry = object()
    ours, other = Capacity(registry, {}), Capacity(object(), {})
    loop = Loop(registry)
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
