"""The loop inside an asyncio app: coroutine functions run on the app's own event loop, plain ones in threads."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from est_alan_scheduler.executors.event_loop import EventLoopRunner
from est_alan_scheduler.executors.runner import loop_runner
from est_alan_scheduler.loops import thread as loop
from est_alan_scheduler.task_registry import TaskRegistry


async def run(registry: TaskRegistry, interval: float) -> None:
    """Do what `run_scheduler` says."""
    event_loop = asyncio.get_running_loop()
    runner = EventLoopRunner(registry, lambda: registry.max_running)
    wake = asyncio.Event()
    asker = ThreadPoolExecutor(1, "est-alan-scheduler store")  # not the app's, which may be busy; it starts when needed

    def rouse() -> None:  # from any thread
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            event_loop.call_soon_threadsafe(wake.set)

    token = loop_runner.set(runner)
    loop.ask(registry, "add_waker", rouse)
    try:
        while True:
            wake.clear()
            pause = await _tick(registry, interval, asker)
            await (_rest(wake, pause) if pause > 0 else asyncio.sleep(0))
    finally:
        loop_runner.reset(token)
        try:
            runner.cancel()
            await _ends(registry, wake)
        finally:
            loop.ask(registry, "remove_waker", rouse)
            loop.ask(registry, "shutdown", 0, [loop.ask(registry, "starter")])
            runner.close()
            asker.shutdown(wait=False)


async def _tick(registry: TaskRegistry, interval: float, asker: ThreadPoolExecutor) -> float:
    """Tick once, a thread asking the store if there is one; return the seconds to wait before the next time."""
    raised = KeyboardInterrupt, SystemExit
    half = loop.ask(registry, "split_tick")
    if half is None:
        return loop.tick(registry, interval, raised)
    job = asyncio.get_running_loop().run_in_executor(asker, half.plan)
    try:
        await _done(job)
    except asyncio.CancelledError:
        loop.tick(registry, interval, call=partial(_end, half.cancel, job))
        raise
    return loop.tick(registry, interval, raised, partial(_end, half.start, job))


def _end(second_half: Callable[[], None], job: "asyncio.Future[None]") -> None:
    try:
        second_half()
    finally:
        job.result()  # raises what the first half has met


async def _done(job: "asyncio.Future[None]") -> None:
    """Wait for what a thread does, and do not go on before, also when this is cancelled."""
    try:
        await asyncio.wait([job])
    finally:
        while not job.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([job])


async def _ends(registry: TaskRegistry, wake: asyncio.Event) -> None:
    """Wait until the runs that this thread has started have ended."""
    while isinstance(registry, TaskRegistry):
        wake.clear()
        runs, deadline = registry.pending([registry.starter()])
        if not runs:
            return
        await _rest(wake, deadline)


async def _rest(wake: asyncio.Event, seconds: float | None) -> None:
    """Wait for `wake`, at most so many seconds."""
    timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, wake.set)
    try:
        await wake.wait()
    finally:
        if timer is not None:
            timer.cancel()
