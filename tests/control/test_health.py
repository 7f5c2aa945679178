"""The health of a registry: its loop, its store, and how long the question takes."""

import asyncio
import threading
import time
from typing import Any

import pytest

from est_alan_scheduler import Health, Task, TaskRegistry, running, start_scheduler
from est_alan_scheduler.backends import BackendUnavailableError, MemoryBackend
from tests.ways import wait_until


class Store(MemoryBackend):
    """A backend that can hang, or be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.go_on.set()
        self.is_out = False
        self.asked = 0

    def instances(self) -> Any:
        self.asked += 1
        self.go_on.wait(10)
        if self.is_out:
            raise BackendUnavailableError("it is out")
        return super().instances()


def test_a_registry_without_loop_and_backend_knows_of_neither() -> None:
    registry = TaskRegistry()
    registry.tick()
    assert registry.health() == Health(loop=None, store=None)
    assert registry.health().is_ok


def test_a_loop_ticks_from_its_begin_to_its_end() -> None:
    registry = TaskRegistry()
    thread = start_scheduler(0.01, registry=registry)
    wait_until(lambda: bool(registry._parts.next_ticks))
    assert registry.health() == Health(loop=True, store=None)
    thread.stop()
    assert registry.health() == Health(loop=False, store=None)
    assert not registry.health().is_ok


def test_a_loop_on_an_event_loop_ticks() -> None:
    registry = TaskRegistry()

    async def main() -> Health:
        async with running(registry, 0.01):
            await asyncio.sleep(0.02)
            return await asyncio.to_thread(registry.health)

    assert asyncio.run(main()).loop is True
    assert registry.health().loop is False


def test_a_loop_that_is_late_for_long_does_not_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("est_alan_scheduler.control.health._LAST_CHANCE", 0.02)
    registry = TaskRegistry()
    with start_scheduler(60, registry=registry):
        wait_until(lambda: max(registry._parts.next_ticks.values(), default=0) > time.monotonic() + 30)
        wake = next(iter(registry._parts.next_ticks))
        registry._parts.next_ticks[wake] = time.monotonic() - 9
        assert registry.health().loop is True
        registry._parts.next_ticks[wake] = time.monotonic() - 11
        assert registry.health().loop is False


def test_a_loop_that_waits_for_a_run_in_its_own_thread_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("est_alan_scheduler.control.health._LAST_CHANCE", 0.02)
    monkeypatch.setattr("est_alan_scheduler.control.health._PATIENCE", -100)
    registry, end = TaskRegistry(), threading.Event()
    task = registry.register(Task(every={"hours": 1}, func=end.wait, args=(10,)))
    with start_scheduler(60, registry=registry):
        wait_until(lambda: task.status == "running")
        assert registry.health().loop is True
        end.set()
        wait_until(lambda: task.status == "success")
        assert registry.health().loop is False


def test_a_loop_that_runs_one_task_after_the_other_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("est_alan_scheduler.control.health._PATIENCE", -100)
    registry, checks = TaskRegistry(), iter([False, False])

    def start_another(_check: object) -> bool:
        registry._parts.agenda.starts += 1
        return next(checks)

    monkeypatch.setattr("est_alan_scheduler.control.health.HealthCheck._is_any_loop_alive", start_another)
    with start_scheduler(60, registry=registry):
        wait_until(lambda: bool(registry._parts.next_ticks))
        assert registry.health().loop is True


def test_a_store_answers_or_does_not() -> None:
    store = Store()
    registry = TaskRegistry(backend=store)
    assert registry.health() == Health(loop=None, store=True)
    registry = TaskRegistry(backend=store)
    store.is_out = True
    assert registry.health() == Health(loop=None, store=False)


def test_a_store_that_hangs_is_asked_once_and_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("est_alan_scheduler.control.health._STORE_PATIENCE", 0.02)
    store = Store()
    registry = TaskRegistry(backend=store)
    store.go_on.clear()
    assert [registry.health().store for _ in range(3)] == [False, False, False]
    assert store.asked == 1
    store.go_on.set()
    wait_until(lambda: registry.health().store is True)
    assert store.asked == 1


def test_who_asks_later_does_not_wait_again_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("est_alan_scheduler.control.health._STORE_PATIENCE", 0.02)
    store = Store()
    registry = TaskRegistry(backend=store)
    store.go_on.clear()
    assert registry.health().store is False
    assert registry._health is not None
    probe, waits = registry._health._probe, list[float]()
    assert probe is not None
    monkeypatch.setattr(probe._end, "wait", waits.append)
    assert not registry.health().store
    assert waits == [0.0]
    store.go_on.set()


def test_an_answer_of_the_store_counts_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    registry = TaskRegistry(backend=store)
    assert registry.health().store is True
    assert registry.health().store is True
    assert store.asked == 1
    monkeypatch.setattr("est_alan_scheduler.control.health._FRESH", -1)
    assert registry.health().store is True
    assert store.asked == 2


def test_in_an_outage_the_store_is_not_asked() -> None:
    store = Store()
    registry = TaskRegistry(backend=store)
    session = registry._session
    assert session is not None
    session.outage.note(BackendUnavailableError("gone"))
    assert registry.health().store is False
    assert store.asked == 0
