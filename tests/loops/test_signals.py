"""Loops that a signal handler ends, and functions that only fail."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import EventName, Task, TaskRegistry, TaskStatus, run_scheduler, start_scheduler
from tests.executors.helpers import HOUR, run_program
from tests.loops.helpers import until
from tests.ways import without_seconds

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


class Stop(Exception):  # noqa: N818  # not only an error
    pass


def stop(signum: int, frame: Any) -> None:
    raise Stop


@pytest.fixture(params=[stop, lambda *_: sys.exit(0)], ids=["an exception", "SystemExit"])
def _handler(request: pytest.FixtureRequest) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, request.param)
    yield
    signal.signal(signal.SIGUSR1, before)


def press(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.001)


async def press_in_a_coroutine() -> None:
    press()


async def press_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(press_in_a_coroutine())


async def press_and_await() -> None:
    threading.Timer(0.02, press).start()  # not a callback of the event loop: asyncio only logs what one raises
    await asyncio.sleep(60)


def tick(registry: TaskRegistry) -> None:
    registry.tick()


def block(registry: TaskRegistry) -> None:
    start_scheduler(blocking=True, registry=registry)


def await_it(registry: TaskRegistry) -> None:
    asyncio.run(run_scheduler(registry=registry))


class Pressing:
    def __repr__(self) -> str:
        press()
        return "pressed"


@pytest.mark.usefixtures("_handler")
class TestInterruption:
    @pytest.mark.parametrize("timeout", [None, 60, 0.000_1])
    @pytest.mark.parametrize("loop", [tick, block])
    @pytest.mark.parametrize("func", [press, press_in_a_coroutine, press_and_await])
    def test_it_is_recorded_for_its_run_and_raised(self, loop: Any, func: Any, timeout: float | None) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(every=HOUR, func=func, timeout=None if func is press_and_await else timeout))
        after = registry.register(Task(every=HOUR, func=int))
        with pytest.raises((Stop, SystemExit)) as caught:
            loop(registry)
        assert (task.status, task.error, after.status) == (TaskStatus.FAILED, caught.value, TaskStatus.PENDING)
        registry.tick()
        assert after.status is TaskStatus.SUCCESS

    @pytest.mark.parametrize("loop", [tick, block, await_it])
    def test_in_a_group_of_coroutines_it_is_raised(self, loop: Any) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(every=HOUR, func=press_in_a_group))
        with pytest.raises((Stop, SystemExit, ExceptionGroup)) as caught:
            loop(registry)
        assert (task.status, task.error) == (TaskStatus.FAILED, caught.value)

    @pytest.mark.parametrize("timeout", [None, 60])
    def test_in_a_coroutine_that_blocks_it_ends_run_scheduler(self, timeout: float | None) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(every=HOUR, func=press_in_a_coroutine, timeout=timeout))
        with pytest.raises((Stop, SystemExit)) as caught:
            await_it(registry)
        assert (task.status, task.error) == (TaskStatus.FAILED, caught.value)

    def test_in_a_coroutine_that_is_cancelled_it_is_raised(self) -> None:
        async def press_at_the_end() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                press()

        async def main() -> None:
            job = asyncio.create_task(run_scheduler(registry=registry))
            await until(lambda: task.status is TaskStatus.RUNNING)
            await asyncio.sleep(0.01)
            job.cancel()
            await job

        registry = TaskRegistry()
        task = registry.register(Task(every=HOUR, func=press_at_the_end))
        with pytest.raises((Stop, SystemExit)) as caught:
            asyncio.run(main())
        assert (task.status, task.error) == (TaskStatus.FAILED, caught.value)

    @pytest.mark.parametrize("event", ["started", "succeeded"])
    @pytest.mark.parametrize("loop", [tick, block])
    def test_in_a_callback_it_is_raised_after_the_other_callbacks(self, loop: Any, event: EventName) -> None:
        registry, called = TaskRegistry(), list[object]()
        registry.on(event, press)
        registry.on(event, called.append)
        registry.register(Task(every=HOUR, func=int))
        with pytest.raises((Stop, SystemExit)):
            loop(registry)
        assert len(called) == 1

    @pytest.mark.parametrize("loop", [tick, block, await_it])
    def test_in_the_log_it_is_raised(self, loop: Any) -> None:
        class Logging(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                press()

        async def fail() -> None:
            raise ValueError

        logger, handler = logging.getLogger("est_alan_scheduler"), Logging()
        logger.addHandler(handler)
        try:
            registry = TaskRegistry()
            registry.register(Task(every=HOUR, func=fail))
            with pytest.raises((Stop, SystemExit)):
                loop(registry)
        finally:
            logger.removeHandler(handler)

    @pytest.mark.parametrize("loop", [tick, block, await_it])
    def test_in_the_repr_of_a_result_it_is_raised(self, loop: Any) -> None:
        async def make() -> Pressing:
            return Pressing()

        registry = TaskRegistry()
        task = registry.register(Task(every=HOUR, func=make if loop is await_it else Pressing))
        with pytest.raises((Stop, SystemExit)):
            loop(registry)
        assert (task.status, isinstance(task.error, Stop | SystemExit)) == (TaskStatus.FAILED, True)

    @pytest.mark.parametrize("loop", [tick, block])
    def test_an_error_of_a_callback_does_not_replace_it(self, loop: Any) -> None:
        registry = TaskRegistry()
        registry.on("failed", lambda _: 1 / 0)
        registry.register(Task(every=HOUR, func=press))
        with pytest.raises((Stop, SystemExit)):
            loop(registry)

    def test_in_the_factory_of_an_executor_it_is_raised_and_the_next_tick_asks_again(self) -> None:
        calls = []

        def make() -> ThreadPoolExecutor:
            calls.append(1)
            if len(calls) == 1:
                press()
            return ThreadPoolExecutor(1)

        registry = TaskRegistry(executor=make)
        task = registry.register(Task(every=HOUR, func=int))
        with pytest.raises((Stop, SystemExit)):
            registry.tick()
        registry.tick()
        assert registry.shutdown()
        assert (task.status, len(calls)) == (TaskStatus.SUCCESS, 2)

    def test_in_the_submission_of_a_call_it_is_recorded_and_raised(self) -> None:
        class Pressed:
            def __reduce__(self) -> Any:
                press()
                return int, ()

        from tests.executors.helpers import spawn

        with spawn() as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=id, args=(Pressed(),)))
            with pytest.raises((Exception, SystemExit)):
                registry.tick()
        assert task.status is TaskStatus.FAILED


@pytest.mark.parametrize("loop", ["blocking", "asyncio"])
@pytest.mark.parametrize("error", ["SystemExit(3)", "ValueError()"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_the_function_itself_raises_ends_no_loop(loop: str, error: str, kind: str, tmp_path: Path) -> None:
    script = f"""
        import asyncio, signal, sys
        from est_alan_scheduler import Task, TaskRegistry, run_scheduler, start_scheduler

        def stop(*_):
            raise {error}

        {kind} fail():
            stop()

        async def report():
            print("the loop goes on", flush=True)
            signal.raise_signal(signal.SIGTERM)

        signal.signal(signal.SIGTERM, stop)
        registry = TaskRegistry()
        task = registry.register(Task(every={{"hours": 1}}, func=fail))
        registry.on("failed", lambda event: registry.register(Task(id="report", every={{"hours": 1}}, func=report)))
        try:
            if {loop!r} == "blocking":
                start_scheduler(blocking=True, registry=registry)
            else:
                asyncio.run(run_scheduler(registry=registry))
        finally:
            print(task.error_message, task.status.value, registry.store["report"].status.value)
    """
    code, out, _ = run_program(script, tmp_path)
    text = "SystemExit: 3" if "Exit" in error else "ValueError"
    assert (code, out) == (3 if "Exit" in error else 1, f"the loop goes on\n{text} failed failed\n")


@pytest.mark.parametrize("wait", ["time.sleep(60)", "threading.Event().wait(60)", "while True: pass"])
@pytest.mark.parametrize("loop", ["start_scheduler(blocking=True)", "asyncio.run(run_scheduler())"])
def test_the_usual_handler_of_sigterm_ends_a_program(loop: str, wait: str, tmp_path: Path) -> None:
    script = f"""
        import asyncio, os, signal, sys, threading, time
        from est_alan_scheduler import registry, run_scheduler, start_scheduler

        @registry.task(every={{"hours": 1}})
        async def work():
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGTERM)).start()
            {wait}

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        {loop}
    """
    code, out, err = run_program(script, tmp_path)
    assert (code, out) == (0, "")
    assert without_seconds(err.splitlines()) == ["Task 'work' failed after N s: SystemExit: 0"]
