"""The loop inside an asyncio app: coroutine functions run on the app's own event loop, plain ones in threads."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import Any

from est_alan_scheduler import loop, scheduler
from est_alan_scheduler.execution import Call, Outcome, is_coroutine_function, loop_runner, within, work_and_tell
from est_alan_scheduler.pool import DEFAULT_LIMIT
from est_alan_scheduler.run import current
from est_alan_scheduler.task_registry import TaskRegistry


async def run_scheduler(interval: float = 1.0, registry: TaskRegistry | None = None) -> None:
    """Tick `registry`, by default the global one, at least every `interval` seconds, until it is cancelled.

    Coroutine functions run as tasks of this event loop; plain functions in threads, or in the registry's executor if it
    has one; `max_running` of them at a time, by default 32 or what the executor takes. Cancelling it cancels the
    coroutines and waits for the plain functions, which cannot be cancelled; cancelling it again gives those up.

    With a backend, the event loop does not wait for the store: threads look for what is due and for news, claim what is
    to start, renew the lease and write outcomes, and find out when the store is out of reach. It does wait where code
    on it asks the store itself, by `register`, `update` or `history`, or subscribes to outcomes, which are stored
    before they are told, and at the end. Nor is it cancelled before the store has answered.

    Raises `ValueError` unless `interval` is finite and greater than 0, and `registry` is something that ticks.
    """
    ticked = scheduler.registry if registry is None else registry
    loop.check(interval, ticked)
    event_loop = asyncio.get_running_loop()
    runner = _EventLoopRunner(ticked)
    wake = asyncio.Event()
    asker = ThreadPoolExecutor(1, "est-alan-scheduler store")  # not the app's, which may be busy; it starts when needed

    def rouse() -> None:  # from any thread
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            event_loop.call_soon_threadsafe(wake.set)

    token = loop_runner.set(runner)
    loop.ask(ticked, "add_waker", rouse)
    try:
        while True:
            wake.clear()
            pause = await _tick(ticked, interval, asker)
            await (_rest(wake, pause) if pause > 0 else asyncio.sleep(0))
    finally:
        loop_runner.reset(token)
        try:
            runner.cancel()
            await _ends(ticked, wake)
        finally:
            loop.ask(ticked, "remove_waker", rouse)
            loop.ask(ticked, "shutdown", 0, [loop.ask(ticked, "starter")])
            runner.close()
            asker.shutdown(wait=False)


async def _tick(registry: TaskRegistry, interval: float, asker: ThreadPoolExecutor) -> float:
    """Tick once, a thread asking the store if there is one; return the seconds to wait before the next time."""
    raised = KeyboardInterrupt, SystemExit
    half = loop.ask(registry, "half_tick")
    if half is None:
        return loop.tick(registry, interval, raised)
    job = asyncio.get_running_loop().run_in_executor(asker, half.ask)
    try:
        await _done(job)
    except asyncio.CancelledError:
        loop.tick(registry, interval, call=partial(_end, half.give_back, job))
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


class _EventLoopRunner:
    """A runner (see `execution`) on an event loop. It is used in that loop's thread only, and needs no lock."""

    limit = DEFAULT_LIMIT

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry
        self._event_loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._is_cancelled = False
        # As `asyncio.to_thread` has it, but with as many threads as there may be runs: none of them has to queue.
        self._threads: ThreadPoolExecutor | None = None
        self._number = 0
        self._coroutines: set[asyncio.Task[None]] = set()  # the event loop itself holds its tasks by weak references

    def is_for(self, registry: object) -> bool:
        return registry is self._registry and get_ident() == self._thread

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        if is_coroutine_function(call.func):
            call.loop = self._event_loop
            outcomes: list[Outcome] = []
            task = self._event_loop.create_task(self._await(call, outcomes))
            self._coroutines.add(task)
            task.add_done_callback(partial(self._end, done, outcomes))
        else:  # what comes of it is recorded by the thread, whatever the loop is doing
            number = self._registry.max_running or self.limit
            if self._threads is None or self._number != number:
                self.close()  # what was submitted still runs
                self._number = number
                self._threads = ThreadPoolExecutor(number, "est-alan-scheduler")
            self._threads.submit(copy_context().run, work_and_tell, call, done)

    def cancel(self) -> None:
        """Cancel the coroutines."""
        self._is_cancelled = True
        for task in list(self._coroutines):
            task.cancel()

    def close(self) -> None:
        """Let the threads end."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    async def _await(self, call: Call, outcomes: list[Outcome]) -> None:
        """Call a coroutine function in this event loop, and note what comes of it."""
        current.set(call.run)  # in the context of this task alone
        call.began_at = time.monotonic()
        result: Any = None
        raised: BaseException | None = None
        try:
            coroutine = call.func(*call.args, **call.kwargs)
            result = await (coroutine if call.timeout is None else within(coroutine, call.timeout, call.began_at))
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            raised = error
        except BaseException as error:
            raised = error
            raise
        finally:  # the end, not when the event loop comes to record it
            outcomes.append(Outcome(result, raised, seconds=time.monotonic() - call.began_at))

    def _end(self, done: Callable[[Outcome], None], outcomes: list[Outcome], task: "asyncio.Task[None]") -> None:
        """Record what came of a coroutine: here, because one that is cancelled before its first step never begins."""
        self._coroutines.discard(task)
        if not task.cancelled():
            task.exception()  # recorded, and raised through the loop: asked for, so that asyncio does not complain
        # Decided here, a step later: at the end of an event loop all tasks are cancelled, in no particular order.
        is_interrupted = not outcomes or (self._is_cancelled and isinstance(outcomes[0].error, asyncio.CancelledError))
        done(Outcome(error=RuntimeError("interrupted by shutdown")) if is_interrupted else outcomes[0])
