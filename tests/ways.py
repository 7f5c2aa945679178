"""Ways to run tasks, for tests that need the same outcome in each of them."""

import asyncio
import gc
import logging
import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry, run_scheduler, start_scheduler

PATIENCE = 60.0  # seconds: only a failing test waits that long


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up_at, "the condition never became true"
        time.sleep(0.002)


def is_interrupted(call: Callable[[], object], moment: int) -> bool:
    """Raise Ctrl+C in a call at its opcode number `moment`; return whether the call got so far."""
    left = moment

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        return trace

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()  # callbacks of a garbage collection do not belong to the call, and must not raise
    sys._getframe().f_trace_opcodes = True  # Python 3.12 needs it on this frame
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return False


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines of this library: a cluster logs as well."""
    return [record.getMessage() for record in caplog.records if record.name == "est_alan_scheduler"]


def without_seconds(lines: list[str]) -> list[str]:
    """Return log lines with each duration replaced by `N s`."""
    return [re.sub(r"\b[0-9]+\.[0-9]{3} s", "N s", line) for line in lines]


class Way:
    """An executor and its loop."""

    def __init__(self, make: Callable[[], Executor] | None = None, is_concurrent: bool = True) -> None:
        self._make = make
        self._executor: Executor | None = None
        self.is_concurrent = is_concurrent

    def registry(self, **options: Any) -> TaskRegistry:
        if self._make is not None and self._executor is None:
            self._executor = self._make()
        return TaskRegistry(executor=self._executor, **options)

    @contextmanager
    def running(self, registry: TaskRegistry, stop_timeout: float | None = None) -> Iterator[None]:
        # The long interval shows that no run waits for it.
        thread = start_scheduler(interval=600, registry=registry)
        try:
            yield
        finally:
            assert thread.stop(stop_timeout) or not self.is_concurrent

    def end(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()


class AsyncioWay(Way):
    """`run_scheduler` in an event loop of another thread, so that the test need not be a coroutine."""

    @contextmanager
    def running(self, registry: TaskRegistry, stop_timeout: float | None = None) -> Iterator[None]:
        with ThreadPoolExecutor(1) as helper:
            loop = asyncio.new_event_loop()
            job = loop.create_task(run_scheduler(interval=600, registry=registry))
            done = helper.submit(self._run, loop, job)
            try:
                yield
            finally:
                loop.call_soon_threadsafe(job.cancel)
                if stop_timeout is not None:
                    time.sleep(stop_timeout)
                    loop.call_soon_threadsafe(job.cancel)
                done.result()

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop, job: "asyncio.Task[None]") -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(asyncio.wait({job}))
        finally:
            loop.close()


class DaskWay(Way):
    """A Dask cluster on this machine, with workers in separate processes."""

    def __init__(self) -> None:
        distributed = pytest.importorskip("distributed")
        self._cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
        )
        self._client = distributed.Client(self._cluster)
        super().__init__(self._client.get_executor)

    def end(self) -> None:
        super().end()
        self._client.close()
        self._cluster.close()


def _processes(method: str) -> Callable[[], Executor]:
    return lambda: ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))


WAYS: dict[str, Callable[[], Way]] = {
    "inline": lambda: Way(is_concurrent=False),
    "threads": lambda: Way(lambda: ThreadPoolExecutor(2)),
    "spawned processes": lambda: Way(_processes("spawn")),
    "forked processes": lambda: Way(_processes("fork")),
    "asyncio": AsyncioWay,
    "dask": DaskWay,
}
