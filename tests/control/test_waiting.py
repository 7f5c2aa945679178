"""The wait for a run of a task to end, in every way in which a registry runs it."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import (
    Retry,
    SchedulerError,
    Task,
    TaskRegistry,
    TaskStatus,
    UnknownTaskError,
    WaitTimeoutError,
    WrongStateError,
    run_scheduler,
    running,
    start_scheduler,
)
from est_alan_scheduler._support.wakeup import Wakeup
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, adder, at, end_pause
from tests.frozen import START, Frozen, boom, work

LONG = 30.0  # seconds until a test that hangs fails
HOUR = timedelta(hours=1)


def hourly(task_id: str = "a", **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": {"hours": 1}, "func": work, **fields})


@pytest.fixture
def memory() -> Frozen:
    return Frozen()


class Waiters:
    """Threads that wait, and that are known to do so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looked = self._looked = threading.Semaphore(0)

        class NotedWakeup(Wakeup):
            has_looked = False

            def wait(self, timeout: float) -> bool:
                if timeout > 0 and not self.has_looked:  # it has looked at the task, and finds nothing to return
                    self.has_looked = True
                    looked.release()
                return super().wait(timeout)

        monkeypatch.setattr("est_alan_scheduler.control.waiting.Wakeup", NotedWakeup)
        self._pool = ThreadPoolExecutor(8)

    def wait(self, registry: TaskRegistry, task_id: str = "a") -> "Future[Task]":
        """Let a thread wait; return when it does."""
        future = self._pool.submit(registry.wait, task_id, LONG)
        assert self._looked.acquire(timeout=LONG)
        return future

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiters]:
    waiters = Waiters(monkeypatch)
    yield waiters
    waiters.close()


def looked_again(future: "Future[Task]") -> bool:
    """Return whether a wait has ended within the time in which it looks again."""
    threading.Event().wait(0.05)
    return future.done()


async def wait_in_thread(registry: TaskRegistry) -> object:
    """Wait in another thread, at most 0 seconds; return what comes of it."""
    return (await asyncio.gather(asyncio.to_thread(registry.wait, "a", 0), return_exceptions=True))[0]


class Gate:
    """A function that waits until it may go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.go_on.wait(LONG)
        return "through"


@contextmanager
def in_a_pool(**fields: Any) -> Iterator[tuple[TaskRegistry, Task, Gate]]:
    """Give a registry with an executor, a task of it that runs there, and the gate that holds the run."""
    gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        registry = TaskRegistry(executor=pool)
        task = registry.register(hourly(func=gate, **fields))
        registry.tick()
        gate.begun.wait(LONG)
        yield registry, task, gate


class TestTicked:
    def test_the_next_run_is_waited_for(self, memory: Frozen, waiters: Waiters) -> None:
        task = memory.register(hourly())
        memory.tick()
        future = waiters.wait(memory)
        memory.tick()
        assert not future.done()
        memory.tick_at(START + HOUR)
        assert future.result(LONG) is task
        assert len(task.history) == 2

    def test_the_run_in_flight_is_waited_for(self, waiters: Waiters) -> None:
        gate, registry = Gate(), TaskRegistry()
        task = registry.register(hourly(func=gate))
        ticking = threading.Thread(target=registry.tick)
        ticking.start()
        gate.begun.wait(LONG)
        future = waiters.wait(registry)
        assert not future.done()
        gate.go_on.set()
        assert (future.result(LONG), task.result) == (task, "through")
        ticking.join()

    def test_a_requested_run_counts_in_its_thread_even_if_it_has_ended(self, memory: Frozen) -> None:
        task = memory.register(hourly(start_at=START + HOUR))
        memory.run_now("a")
        memory.tick()
        assert memory.wait("a", 0) is task
        with pytest.raises(TimeoutError):
            memory.wait("a", 0)

    def test_a_requested_run_counts_once_in_the_threads_in_which_a_coroutine_waits(self, memory: Frozen) -> None:
        async def main() -> list[object]:
            for registry in (memory, other):
                registry.run_now("a")
                registry.tick()
            return [await wait_in_thread(registry) for registry in (memory, other, memory)]

        other = Frozen()
        tasks = [registry.register(hourly(start_at=START + HOUR)) for registry in (memory, other)]
        first, second, third = asyncio.run(main())
        assert ([first, second], type(third)) == (tasks, WaitTimeoutError)

    def test_a_requested_run_does_not_count_in_another_coroutine(self, memory: Frozen) -> None:
        async def request() -> None:
            memory.run_now("a")
            memory.tick()

        async def main() -> object:
            await asyncio.create_task(request())  # in a context of its own
            return await wait_in_thread(memory)

        memory.register(hourly(start_at=START + HOUR))
        assert type(asyncio.run(main())) is WaitTimeoutError

    def test_the_latest_requests_are_remembered_and_their_registry_is_freed(
        self, memory: Frozen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("est_alan_scheduler.control.waiting._MOST_REQUESTS", 2)
        for task_id in "abc":
            memory.register(hourly(task_id, start_at=START + HOUR, remove_when_done=task_id == "c"))
            memory.run_now(task_id)
        memory.tick()
        with pytest.raises(WaitTimeoutError):
            memory.wait("a", 0)
        assert memory.wait("b", 0).runs == 1
        freed = [weakref.ref(thing) for thing in (memory._parts, memory["c"], memory._waits)]
        assert len(memory._waits._marks) == 1
        memory.__dict__.clear()
        gc.collect()
        assert [reference() for reference in freed] == [None] * 3

    def test_a_pause_makes_no_request_of_a_wait(self, memory: Frozen) -> None:
        memory.register(hourly())
        memory.pause("a")
        memory.resume("a")
        memory.tick()
        with pytest.raises(TimeoutError):
            memory.wait("a", 0)

    def test_a_request_during_a_run_waits_for_the_run_after_it(self) -> None:
        with in_a_pool() as (registry, task, gate):
            registry.run_now("a")
            with pytest.raises(TimeoutError):
                registry.wait("a", 0.03)
            gate.go_on.set()
            while task.status is TaskStatus.RUNNING:
                gate.begun.wait(0.001)
            with pytest.raises(TimeoutError):
                registry.wait("a", 0.03)
            registry.tick()
            assert registry.wait("a", LONG) is task
            assert len(task.history) == 2

    def test_a_request_during_a_run_is_not_met_by_the_end_of_that_run(self) -> None:
        with in_a_pool() as (registry, task, gate):
            registry.run_now("a")

            def go_on() -> None:
                while not registry._parts.in_flight.ends:
                    gate.begun.wait(0.001)
                threading.Event().wait(0.03)
                gate.go_on.set()
                while not task.history:
                    gate.begun.wait(0.001)
                threading.Event().wait(0.03)
                registry.tick()

            helper = threading.Thread(target=go_on)
            helper.start()
            assert registry.wait("a", LONG) is task
            assert len(task.history) == 2
            helper.join()

    def test_a_run_that_failed_has_ended_though_a_retry_follows(self, memory: Frozen, waiters: Waiters) -> None:
        memory.register(hourly(func=boom, retry=Retry(max_retries=3)))
        future = waiters.wait(memory)
        memory.tick()
        task = future.result(LONG)
        assert (task.status, task.retry_at is not None, len(task.history)) == (TaskStatus.FAILED, True, 1)

    def test_a_run_beyond_its_timeout_has_ended(self, waiters: Waiters) -> None:
        with in_a_pool(timeout=0.05) as (registry, _, gate):
            future = waiters.wait(registry)
            while not future.done():
                registry.tick()
                gate.go_on.wait(0.005)
            assert (future.result().error_message or "").startswith("TimeoutError")
            gate.go_on.set()

    def test_without_a_run_to_come_a_task_that_has_run_is_returned_at_once(self, memory: Frozen) -> None:
        task = memory.register(Task(id="a", run_at=START, func=work))
        with pytest.raises(TimeoutError):
            memory.wait("a", 0)
        memory.tick()
        assert memory.wait("a") is task

    @pytest.mark.parametrize("fields", [{"every": {"hours": 1}}])
    def test_a_task_that_may_be_resumed_or_requested_is_waited_for(
        self, memory: Frozen, fields: dict[str, Any]
    ) -> None:
        memory.register(Task(id="a", func=work, **fields))
        memory.run_now("a")
        memory.tick()
        memory.wait("a", 0)
        memory.pause("a")
        with pytest.raises(TimeoutError):
            memory.wait("a", 0.01)

    def test_the_error_after_the_timeout_says_why_it_does_not_run(self, memory: Frozen) -> None:
        task = memory.register(hourly())
        memory.pause(task)
        with pytest.raises(TimeoutError) as caught:
            memory.wait(task, timedelta(milliseconds=10))
        assert str(caught.value) == "no run of task 'a' has ended in 0.01 s: paused: resume('a') lets it run"
        assert isinstance(caught.value, SchedulerError)
        assert memory._parts.in_flight.ends == []

    @pytest.mark.parametrize("timeout", [-1, True, "5", float("nan"), timedelta(seconds=-1)])
    def test_an_invalid_timeout_is_refused(self, memory: Frozen, timeout: Any) -> None:
        memory.register(hourly())
        with pytest.raises(ValueError, match="timeout must be a number of seconds of at least 0"):
            memory.wait("a", timeout)

    def test_an_unknown_task_is_an_error_at_once(self, memory: Frozen) -> None:
        with pytest.raises(UnknownTaskError):
            memory.wait("a")

    def test_a_task_that_is_removed_before_its_run_is_an_error(self, memory: Frozen, waiters: Waiters) -> None:
        memory.register(hourly(start_at=START + HOUR))
        future = waiters.wait(memory)
        memory.remove("a")
        with pytest.raises(UnknownTaskError):
            future.result(LONG)

    def test_the_run_in_flight_of_a_removed_task_is_waited_for(self, waiters: Waiters) -> None:
        gate, registry = Gate(), TaskRegistry()
        task = registry.register(hourly(func=gate))
        ticking = threading.Thread(target=registry.tick)
        ticking.start()
        gate.begun.wait(LONG)
        future = waiters.wait(registry)
        registry.remove("a")
        gate.go_on.set()
        assert future.result(LONG) is task
        ticking.join()

    def test_a_task_that_leaves_after_its_run_is_returned(self, memory: Frozen, waiters: Waiters) -> None:
        task = memory.register(Task(id="a", run_at=START, func=work, remove_when_done=True))
        future = waiters.wait(memory)
        with memory._lock:  # the thread that waits cannot look before the task has left
            held = threading.Thread(target=memory.tick)
            held.start()
        held.join()
        assert (future.result(LONG) is task, task.result, len(memory)) == (True, "done", 0)

    def test_a_requested_task_that_has_left_after_its_run_is_returned(self, memory: Frozen) -> None:
        task = memory.register(Task(id="a", run_at=START, func=work, remove_when_done=True))
        memory.run_now("a")
        memory.tick()
        assert (memory.wait("a", 0) is task, len(memory)) == (True, 0)
        with pytest.raises(UnknownTaskError):
            memory.wait("a", 0)

    def test_a_replaced_task_is_returned_as_it_is_then(self, memory: Frozen, waiters: Waiters) -> None:
        memory.register(hourly(start_at=START + HOUR))
        future = waiters.wait(memory)
        new = memory.register(hourly(), replace=True)
        memory.tick()
        assert future.result(LONG) is new

    def test_many_threads_wait_for_the_same_run(self, memory: Frozen, waiters: Waiters) -> None:
        task = memory.register(hourly())
        futures = [waiters.wait(memory) for _ in range(4)]
        memory.tick()
        assert [future.result(LONG) for future in futures] == [task] * 4

    def test_a_wait_that_nothing_can_end_is_told_once(
        self, memory: Frozen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("est_alan_scheduler.control.waiting._LONGEST", 0.02)
        memory.register(hourly())
        for _ in range(2):
            with pytest.raises(TimeoutError):
                memory.wait("a", 0.03)
        assert [record.message for record in caplog.records] == [
            "wait('a'): no loop ticks this registry. Unless another thread calls tick(), the run never comes:"
            " start_scheduler(registry=…) runs a loop."
        ]


class TestLoops:
    def test_a_scheduler_thread_runs_the_task(self, caplog: pytest.LogCaptureFixture) -> None:
        registry = TaskRegistry()
        registry.register(hourly(start_at="2999-01-01"))
        with start_scheduler(registry=registry):
            for _ in range(20):
                registry.run_now("a")
                assert registry.wait("a", LONG).result == "done"
        assert len(registry["a"].history) == 20
        assert caplog.records == []

    def test_an_executor_makes_the_call(self) -> None:
        registry = TaskRegistry(executor=lambda: ThreadPoolExecutor(2))
        registry.register(hourly(start_at="2999-01-01"))
        with start_scheduler(registry=registry):
            for _ in range(20):
                registry.run_now("a")
                assert registry.wait("a", LONG).result == "done"
        registry.shutdown()

    def test_a_task_in_an_executor_may_wait_for_another_one(self) -> None:
        registry = TaskRegistry(executor=lambda: ThreadPoolExecutor(2))

        def ask() -> Any:
            registry.run_now("b")
            return registry.wait("b", LONG).result

        registry.register(hourly(func=ask, start_at="2999-01-01"))
        registry.register(hourly("b", start_at="2999-01-01"))
        with start_scheduler(registry=registry):
            registry.run_now("a")
            assert registry.wait("a", LONG).result == "done"
        registry.shutdown()

    def test_a_coroutine_waits_in_another_thread(self) -> None:
        registry = TaskRegistry()

        async def slow() -> str:
            await asyncio.sleep(0.01)
            return "slept"

        async def main() -> tuple[Any, str]:
            loop = asyncio.create_task(run_scheduler(registry=registry))
            task = await asyncio.to_thread(lambda: registry.wait(registry.run_now("a"), LONG))
            try:
                registry.wait("a", LONG)
            except RuntimeError as error:
                refused = str(error)
            loop.cancel()
            await asyncio.wait([loop])
            return task.result, refused

        registry.register(hourly(func=slow, start_at="2999-01-01"))
        result, refused = asyncio.run(main())
        assert result == "slept"
        assert refused == (
            "wait('a') would hold up the thread that ticks the registry: call it in another thread"
            " (in a coroutine, await asyncio.to_thread(registry.wait, 'a'))"
        )

    def test_a_coroutine_is_refused_before_the_first_tick_of_its_event_loop(self) -> None:
        async def main() -> None:
            async with running(registry):
                registry.wait("a", 0)

        registry = TaskRegistry()
        registry.register(hourly())
        with pytest.raises(WrongStateError, match=r"await asyncio\.to_thread\(registry\.wait, 'a'\)"):
            asyncio.run(main())
        assert registry._parts.loop_threads == {}


class TestRefusals:
    OWN = "WrongStateError: wait('a') in a run of this very task would wait for itself"
    TICKING = "WrongStateError: wait('{}') would hold up the thread that ticks the registry"

    def test_an_inline_run_waits_neither_for_itself_nor_for_another_task(self, memory: Frozen) -> None:
        task = memory.register(hourly(func=lambda: memory.wait("a")))
        other = memory.register(hourly("b", func=lambda: memory.wait("a")))
        memory.tick()
        assert task.error_message == self.OWN
        assert (other.error_message or "").startswith(self.TICKING.format("a"))

    def test_a_run_in_an_executor_does_not_wait_for_itself(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            task = registry.register(hourly(func=lambda: registry.wait("a")))
            registry.tick()
            registry.shutdown()
            assert task.error_message == self.OWN

    def test_a_callback_in_the_thread_that_ticks_does_not_wait(self, memory: Frozen) -> None:
        errors: list[str] = []

        def callback(_event: object) -> None:
            try:
                memory.wait("a")
            except RuntimeError as error:
                errors.append(str(error))

        memory.register(hourly())
        memory.on("succeeded", callback)
        memory.tick()
        assert len(errors) == 1

    def test_a_thread_may_wait_when_its_tick_and_its_loop_have_ended(self, memory: Frozen) -> None:
        memory.register(hourly())
        memory.tick()
        with start_scheduler(registry=memory):
            pass
        assert memory._parts.loop_threads == {}
        with pytest.raises(TimeoutError):
            memory.wait("a", 0)


class TestWithBackend:
    def test_a_run_of_another_instance_is_waited_for(
        self, join: Callable[..., TaskRegistry], clock: Clock, waiters: Waiters
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        second.expose(jobs.add)
        first.tick()
        future = waiters.wait(first)
        clock.advance(60)
        second.tick()
        assert (future.result(LONG) is first["a"], len(first.history("a"))) == (True, 2)

    def test_the_run_in_flight_of_another_instance_is_waited_for(
        self, join: Callable[..., TaskRegistry], clock: Clock, waiters: Waiters
    ) -> None:
        first, second, gate = join(), join(), Gate()
        for registry in (first, second):
            registry.expose(gate, "gate")
        first.register(adder(func=gate, args=()))
        ticking = threading.Thread(target=second.tick)
        ticking.start()
        gate.begun.wait(LONG)
        future = waiters.wait(first)
        assert not future.done()
        gate.go_on.set()
        ticking.join()
        assert future.result(LONG).result == "through"

    def test_a_requested_run_that_another_instance_has_made_counts(
        self, join: Callable[..., TaskRegistry], clock: Clock
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        second.expose(jobs.add)
        first.tick()
        clock.advance(1)
        first.run_now("a")
        second.tick()
        assert first.wait("a", LONG).history == first["a"].history
        assert len(second.history("a")) == 2
        with pytest.raises(TimeoutError):
            first.wait("a", 0)

    def test_a_start_that_is_assigned_is_no_run(
        self, join: Callable[..., TaskRegistry], clock: Clock, waiters: Waiters
    ) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        future = waiters.wait(registry)
        task.last_run_at = at(clock) + timedelta(seconds=30)
        registry.tick()
        assert not looked_again(future)
        registry.remove("a")
        with pytest.raises(UnknownTaskError):
            future.result(LONG)

    def test_a_run_here_is_waited_for(self, join: Callable[..., TaskRegistry], clock: Clock, waiters: Waiters) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        future = waiters.wait(registry)
        clock.advance(60)
        registry.tick()
        assert (future.result(LONG) is task, len(task.history)) == (True, 2)

    def test_a_released_claim_is_no_run(
        self, join: Callable[..., TaskRegistry], clock: Clock, waiters: Waiters
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        second.expose(jobs.add)
        second.tick()
        clock.advance(60)
        future = waiters.wait(first)
        session = second._session
        assert session is not None
        assert session.ensure_claimed(second["a"])
        first.tick()
        assert first["a"].status is TaskStatus.RUNNING
        session.release(["a"])
        first._waits._read("a")
        assert not looked_again(future)
        second.tick()
        assert future.result(LONG).status is TaskStatus.SUCCESS
        assert [run["status"] for run in first.history("a")] == ["success", "failed", "success"]

    def test_a_wait_outlasts_an_outage(self, clock: Clock, waiters: Waiters) -> None:
        flaky = Flaky(clock)
        registry = TaskRegistry(backend=flaky, lease=600)
        registry.register(adder())
        registry.tick()
        flaky.fails_before.add("fetch")
        future = waiters.wait(registry)
        clock.advance(60)
        registry.tick()
        assert not future.done()
        flaky.fails_before.clear()
        end_pause(registry)
        registry.tick()
        assert len(future.result(LONG).history) == 2
        registry.shutdown(0)


class TestWithoutSlots:
    def test_a_manual_task_is_waited_for_until_it_is_requested(self, memory: Frozen, waiters: Waiters) -> None:
        task = memory.register(Task(id="a", manual=True, func=work))
        memory.run_now("a")
        memory.tick()
        memory.wait("a", 0)
        future = waiters.wait(memory)
        memory.tick()
        assert not looked_again(future)
        memory.run_now("a")
        memory.tick()
        assert (future.result(LONG) is task, len(task.history)) == (True, 2)

    def test_a_task_after_others_is_waited_for_until_they_succeed_anew(self, memory: Frozen, waiters: Waiters) -> None:
        first = memory.register(hourly("first"))
        task = memory.register(Task(id="a", after=[first], func=work))
        memory.tick()
        memory.tick()
        future = waiters.wait(memory)
        memory.tick()
        assert not looked_again(future)
        memory.tick_at(START + HOUR)
        memory.tick()
        assert (future.result(LONG) is task, len(task.history)) == (True, 2)
