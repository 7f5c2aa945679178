"""The event loop as a runner: it awaits coroutines itself, and makes other calls in threads."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import Any

from est_alan_scheduler._support.functions import is_coroutine_function
from est_alan_scheduler._support.interpreter import is_ending, run_hooks_before_executors
from est_alan_scheduler._support.signals import follows_interruption
from est_alan_scheduler.executors.call import DEFAULT_LIMIT, Call, InterpreterEndsError, Outcome
from est_alan_scheduler.executors.current_run import current
from est_alan_scheduler.executors.invocation import await_within, has_run
from est_alan_scheduler.executors.worker import make_call_and_report

run_hooks_before_executors()


class EventLoopRunner:
    """A `Runner` on an event loop. Only the thread of that loop uses it, so it needs no lock."""

    limit = DEFAULT_LIMIT

    def __init__(self, registry: object, max_running: Callable[[], int | None]) -> None:
        self._registry = registry
        self._max_running = max_running
        self._event_loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._is_cancelled = False
        self.interruption: BaseException | None = None  # what a signal handler raised in a call
        # Unlike the pool of `asyncio.to_thread`, it has a thread for each run that may be in flight: none has to queue.
        self._threads: ThreadPoolExecutor | None = None
        self._thread_count = 0
        self._coroutines: set[asyncio.Task[None]] = set()  # the event loop itself holds its tasks by weak references

    def serves(self, registry: object) -> bool:
        """Return whether it makes the calls of `registry` when this thread ticks."""
        return registry is self._registry and get_ident() == self._thread

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Make `call` elsewhere, and pass its outcome to `done` once, from any thread."""
        if is_coroutine_function(call.func):
            call.loop = self._event_loop
            outcomes: list[Outcome] = []
            task = self._event_loop.create_task(self._await(call, outcomes))
            self._coroutines.add(task)
            task.add_done_callback(partial(self._end, done, outcomes))
        else:  # the thread records the outcome itself, because the loop may be busy
            count = self._max_running() or self.limit
            if self._threads is None or self._thread_count != count:
                self.close()  # submitted calls are still made
                self._thread_count = count
                self._threads = ThreadPoolExecutor(count, "est-alan-scheduler")
            try:
                self._threads.submit(copy_context().run, make_call_and_report, call, done)
            except RuntimeError as error:
                if is_ending():
                    raise InterpreterEndsError from error
                raise

    def cancel(self) -> None:
        """Cancel the coroutines."""
        self._is_cancelled = True
        for task in list(self._coroutines):
            task.cancel()

    def close(self) -> None:
        """Let the threads end when they have made their calls."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    async def _await(self, call: Call, outcomes: list[Outcome]) -> None:
        """Call a coroutine function in this event loop, and note its outcome."""
        current.set(call.run)  # in the context of this task alone
        call.began_at = time.monotonic()
        result: Any = None
        raised: BaseException | None = None
        try:
            coroutine = call.func(*call.args, **call.kwargs)
            if call.timeout is not None:
                coroutine = await_within(coroutine, call.timeout, call.began_at)
            result = has_run(await coroutine)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            raised = error
            if follows_interruption(error):
                self._interrupt(error)
        except BaseException as error:
            raised = error
            raise
        finally:  # the duration ends here, not when the event loop finds time to record it
            outcomes.append(Outcome(result, raised, seconds=time.monotonic() - call.began_at))

    def _end(self, done: Callable[[Outcome], None], outcomes: list[Outcome], task: "asyncio.Task[None]") -> None:
        """Pass on the outcome of a coroutine, also of one that was cancelled before its first step."""
        self._coroutines.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn: it is recorded and raised through the loop
        # Only now is `_is_cancelled` certain: the end of an event loop cancels all tasks in no particular order.
        is_interrupted = not outcomes or (self._is_cancelled and isinstance(outcomes[0].error, asyncio.CancelledError))
        try:
            done(Outcome(error=RuntimeError("interrupted by shutdown")) if is_interrupted else outcomes[0])
        except Exception as error:
            if not follows_interruption(error):
                raise
            self._interrupt(error)

    def _interrupt(self, error: BaseException) -> None:
        """Let the loop of the registry end: asyncio passes on only `SystemExit` and Ctrl+C by itself."""
        self.interruption = self.interruption or error
