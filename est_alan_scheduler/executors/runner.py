"""Runners: they make calls without holding up the tick."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from est_alan_scheduler.executors.call import Call, Outcome

DEFAULT_LIMIT = 32
"""How many calls a runner takes at a time if its number of workers is not known."""


class Runner(Protocol):
    """A pool or an event loop that makes calls."""

    limit: int
    """How many calls it takes at a time."""

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Make `call` elsewhere, and pass its outcome to `done` once, from any thread."""


class LoopRunner(Runner, Protocol):
    """A runner that belongs to an event loop."""

    def serves(self, registry: object) -> bool:
        """Return whether it makes the calls of `registry` when this thread ticks."""


loop_runner: ContextVar[LoopRunner | None] = ContextVar("est_alan_scheduler.loop_runner", default=None)
"""The runner of the asyncio task that `run_scheduler` runs in, and of the tasks that it starts."""
