"""The loop inside an asyncio app: coroutine functions run on the event loop of the app, plain ones in threads."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from est_alan_scheduler._support.interpreter import is_ending
from est_alan_scheduler.control.loop_side import LONGEST_WAIT, LoopSide
from est_alan_scheduler.executors.capacity import loop_runner
from est_alan_scheduler.executors.event_loop import EventLoopRunner
from est_alan_scheduler.loops.ticking import loop_side, tick_once, warn_if_empty
from est_alan_scheduler.task_registry import TaskRegistry


async def run(registry: TaskRegistry, interval: float, is_given: bool = True) -> None:
    """Do what `run_scheduler` says. `is_given`: the program has named the registry."""
    if not is_given:
        warn_if_empty(registry)
    event_loop = asyncio.get_running_loop()
    runner = EventLoopRunner(registry, lambda: registry.max_running)
    side, wake = loop_side(registry), asyncio.Event()
    planner = ThreadPoolExecutor(1, "est-alan-scheduler store")  # not the app's, which may be busy

    def wake_loop() -> None:  # from any thread
        with contextlib.suppress(RuntimeError):  # the event loop is closed: no thread waits
            event_loop.call_soon_threadsafe(wake.set)

    token = loop_runner.set(runner)
    side.begin_loop(wake_loop)
    try:
        while runner.interruption is None:
            wake.clear()
            pause = await _tick(registry, side, interval, planner)
            side.note_pause(wake_loop, pause)
            await (_rest(wake, pause) if pause > 0 else asyncio.sleep(0))
    finally:
        loop_runner.reset(token)
        try:
            runner.cancel()
            await _ends(side, wake)
        finally:
            side.remove_waker(wake_loop)
            side.shutdown(0, [side.context()])
            runner.close()
            planner.shutdown(wait=False)
        if runner.interruption is not None:
            raise runner.interruption


async def _tick(registry: TaskRegistry, side: LoopSide, interval: float, planner: ThreadPoolExecutor) -> float:
    """Tick once; with a backend, a thread makes the plan. Return the seconds to wait before the next tick."""
    raised = KeyboardInterrupt, SystemExit
    is_plain = getattr(registry.tick, "__func__", None) is TaskRegistry.tick
    tick = side.new_tick() if is_plain else None
    if tick is None:
        return tick_once(registry, interval, raised)
    try:
        plan = asyncio.get_running_loop().run_in_executor(planner, tick.plan)
    except RuntimeError:
        if not is_ending():
            raise
        return tick_once(registry, interval, raised)  # the main thread has ended: no other thread takes it any more
    try:
        await _done(plan)
    except asyncio.CancelledError:
        tick_once(registry, interval, call=partial(_end, tick.cancel, plan))
        raise
    return tick_once(registry, interval, raised, partial(_end, tick.start, plan))


def _end(end: Callable[[], None], plan: "asyncio.Future[None]") -> None:
    """Start or cancel what was planned."""
    try:
        end()
    finally:
        plan.result()  # raises the error of the plan


async def _done(plan: "asyncio.Future[None]") -> None:
    """Wait until a plan is made, also when this is cancelled."""
    try:
        await asyncio.wait([plan])
    finally:
        while not plan.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([plan])


async def _ends(side: LoopSide, wake: asyncio.Event) -> None:
    """Wait until the runs that this thread has started have ended."""
    while True:
        wake.clear()
        runs, deadline = side.pending([side.context()])
        if not runs:
            return
        await _rest(wake, LONGEST_WAIT if deadline is None else min(deadline, LONGEST_WAIT))


async def _rest(wake: asyncio.Event, seconds: float | None) -> None:
    """Wait for `wake`, at most so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
