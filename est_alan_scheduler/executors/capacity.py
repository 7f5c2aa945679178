"""The capacity of a registry: the runner that makes its calls, and how many it makes at a time."""

import logging
from collections.abc import Sized
from contextvars import ContextVar
from typing import TYPE_CHECKING

from est_alan_scheduler._support.interpreter import has_other_threads
from est_alan_scheduler._support.log import log
from est_alan_scheduler.executors.call import DEFAULT_LIMIT, Runner

if TYPE_CHECKING:
    from est_alan_scheduler.executors.event_loop import EventLoopRunner
    from est_alan_scheduler.executors.pool import ExecutorSource, Pool

loop_runner: "ContextVar[EventLoopRunner | None]" = ContextVar("est_alan_scheduler.loop_runner", default=None)
"""The runner of the asyncio task that `run_scheduler` runs in, and of the tasks that it starts."""


class Capacity:
    """The choice of a runner, and the number of further calls that it can take.

    In the event loop in which `run_scheduler` ticks `registry`, that loop makes the calls; elsewhere the pool does.
    Without a pool, the ticking thread makes each call itself. `calls` are the calls in flight.

    The registry's lock guards the executor, the pool and `max_running`. They are read without it, so the start of a run
    checks its runner once more under the lock.
    """

    def __init__(self, registry: object, calls: Sized) -> None:
        self._registry = registry
        self._calls = calls
        self.executor: ExecutorSource | None = None
        self.pool: Pool | None = None
        self.max_running: int | None = None
        self.has_ended = False
        """Whether the main thread has ended, and Python's executors take no more calls."""

    def replace(self, executor: "ExecutorSource | None", pool: "Pool | None", max_running: int | None) -> "Pool | None":
        """Set a new configuration under the lock, and return the former pool if it is no longer used."""
        former, self.pool = self.pool, pool
        self.executor, self.max_running, self.has_ended = executor, max_running, False
        return None if former is pool else former

    def end(self) -> None:
        """Make no more calls, because the main thread has ended; say so if the program goes on without it."""
        if not self.has_ended:
            self.has_ended = True
            if has_other_threads():
                log(
                    logging.ERROR,
                    "The main thread has ended, and Python's executors take no more calls: no task of this registry "
                    "runs any more, though the program goes on. Keep the main thread alive, or use no executor.",
                )

    def runner(self) -> Runner | None:
        """Return the runner for a tick in this thread; None if the thread makes the calls itself."""
        runner = loop_runner.get()
        return self.pool if runner is None or not runner.serves(self._registry) else runner

    def available(self, runner: Runner | None) -> int | None:
        """Return how many more calls may start; None for any number, one by one in this thread."""
        return None if runner is None else max(0, self.limit(runner.limit) - len(self._calls))

    def limit(self, of_runner: int = DEFAULT_LIMIT) -> int:
        """Return how many calls may be in flight, with a runner that takes `of_runner` at a time."""
        limit = of_runner if self.pool is None else self.pool.limit
        return 0 if self.has_ended else self.max_running or limit
