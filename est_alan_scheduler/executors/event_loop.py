"""The event loop as an executor: coroutines as its tasks, plain functions in threads."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import Any

from est_alan_scheduler._support.functions import is_coroutine_function
from est_alan_scheduler.executors.call import Call, Outcome, within
from est_alan_scheduler.executors.current_run import current
from est_alan_scheduler.executors.pool import DEFAULT_LIMIT
from est_alan_scheduler.executors.worker import work_and_tell


class EventLoopRunner:
    """A runner (see `execution`) on an event loop. It is used in that loop's thread only, and needs no lock."""

    limit = DEFAULT_LIMIT

    def __init__(self, registry: object, max_running: Callable[[], int | None]) -> None:
        self._registry = registry
        self._max_running = max_running
        self._event_loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._is_cancelled = False
        # As `asyncio.to_thread` has it, but with as many threads as there may be runs: none of them has to queue.
        self._threads: ThreadPoolExecutor | None = None
        self._number = 0
        self._coroutines: set[asyncio.Task[None]] = set()  # the event loop itself holds its tasks by weak references

    def is_for(self, registry: object) -> bool:
        """Tell whether it makes the calls when this thread ticks `registry`."""
        return registry is self._registry and get_ident() == self._thread

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Have `call` made, and `done` called once with the outcome, from any thread."""
        if is_coroutine_function(call.func):
            call.loop = self._event_loop
            outcomes: list[Outcome] = []
            task = self._event_loop.create_task(self._await(call, outcomes))
            self._coroutines.add(task)
            task.add_done_callback(partial(self._end, done, outcomes))
        else:  # what comes of it is recorded by the thread, whatever the loop is doing
            number = self._max_running() or self.limit
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
