"""Who makes the calls of a registry, and how many at a time."""

from collections.abc import Sized

from est_alan_scheduler.executors.call import Runner, loop_runner
from est_alan_scheduler.executors.pool import DEFAULT_LIMIT, ExecutorSource, Pool


class Capacity:
    """In the event loop that `run_scheduler` ticks `registry` in, that loop; elsewhere the pool; without one, nobody.

    Then the ticking thread makes each call itself. `calls` are those under way. The registry's lock guards what
    `replace` replaces: it is read without, and whoever starts a run looks at it once more under the lock.
    """

    def __init__(self, registry: object, calls: Sized) -> None:
        self._registry = registry
        self._calls = calls
        self.executor: ExecutorSource | None = None
        self.pool: Pool | None = None
        self.max_running: int | None = None

    def replace(self, executor: ExecutorSource | None, pool: Pool | None, max_running: int | None) -> Pool | None:
        """Let others make the calls, and return the former pool if it goes; the caller holds the lock."""
        former, self.pool = self.pool, pool
        self.executor, self.max_running = executor, max_running
        return None if former is pool else former

    def runner(self) -> Runner | None:
        """Return who makes the calls of a tick in this thread; None for the thread itself."""
        runner = loop_runner.get()
        return self.pool if runner is None or not runner.is_for(self._registry) else runner

    def available(self, runner: Runner | None) -> int | None:
        """Return how many more runs may be under way; None for any number, one by one in this thread."""
        return None if runner is None else max(0, self.limit(runner.limit) - len(self._calls))

    def limit(self, of_runner: int = DEFAULT_LIMIT) -> int:
        """Return how many runs may be under way at a time, if that many are what the runner takes."""
        limit = of_runner if self.pool is None else self.pool.limit
        return self.max_running or limit if limit else 0  # no call can be made any more: the program ends
