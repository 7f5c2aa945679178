"""The global registry, and the functions that start a loop for it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NoReturn, overload

from est_alan_scheduler.loops.thread import SchedulerThread, run_blocking
from est_alan_scheduler.loops.ticking import check
from est_alan_scheduler.task_registry import TaskRegistry

if TYPE_CHECKING:
    from est_alan_scheduler.loops.running import Running

__all__ = ["SchedulerThread", "registry", "run_scheduler", "running", "start_scheduler"]

registry = TaskRegistry()
"""The registry that `start_scheduler` ticks unless it is given another one."""


@overload
def start_scheduler(
    interval: float | timedelta, blocking: Literal[True], registry: TaskRegistry | None = None
) -> NoReturn: ...


@overload
def start_scheduler(
    interval: float | timedelta = 1.0, *, blocking: Literal[True], registry: TaskRegistry | None = None
) -> NoReturn: ...


@overload
def start_scheduler(
    interval: float | timedelta = 1.0, blocking: bool = False, registry: TaskRegistry | None = None
) -> SchedulerThread: ...


def start_scheduler(
    interval: float | timedelta = 1.0, blocking: bool = False, registry: TaskRegistry | None = None
) -> SchedulerThread:
    """Tick `registry`, by default the global one of this module, at least every `interval`: seconds, or a `timedelta`.

    The loop waits no longer than until the next due moment. `blocking=False` runs it in a daemon thread, and returns
    that thread; `blocking=True` runs it here and never returns: Ctrl+C is raised, and what a signal handler raises. The
    log tells if a blocking loop of the global registry has no tasks, and if another loop ticks the registry already.
    Raises `ValueError` unless `interval` is finite and greater than 0, and `registry` has a `tick`.
    """
    ticked = globals()["registry"] if registry is None else registry
    seconds = check(interval, ticked)
    if blocking:
        run_blocking(ticked, seconds, registry is not None)
    thread = SchedulerThread(ticked, seconds)
    thread.start()
    return thread


async def run_scheduler(interval: float | timedelta = 1.0, registry: TaskRegistry | None = None) -> None:
    """Tick `registry`, by default the global one, at least every `interval`, until it is cancelled.

    Coroutine functions run as tasks of this event loop; plain functions run in threads, or in the executor of the
    registry if it has one. At most `max_running` of them run at a time, by default 32 or the limit of the executor.
    A cancellation of this coroutine cancels the coroutines and waits for the plain functions, which cannot be
    cancelled. A second cancellation stops waiting.

    With a backend, the event loop does not wait for the store: other threads read news and due tasks, claim runs, renew
    the lease, write outcomes, and notice an outage. The event loop does wait at the end, where code on it asks the
    store itself (`register`, `update`, `history`), and for subscribers of outcomes, because an outcome is stored before
    it is published. A cancellation waits for the answer of the store as well.

    Raises `ValueError` unless `interval` is finite and greater than 0, and `registry` has a `tick`.
    """
    from est_alan_scheduler.loops.asyncio import run  # late: a program without an event loop needs no asyncio

    ticked = globals()["registry"] if registry is None else registry
    await run(ticked, check(interval, ticked), registry is not None)


def running(registry: TaskRegistry | None = None, interval: float | timedelta = 1.0) -> "Running":
    """Return a block that runs the scheduler in the background of an event loop.

    `async with running(registry):` runs it during the block. `FastAPI(lifespan=running(registry))` runs it as long as
    the app, and so does `Starlette(lifespan=running(registry))`.

    It ticks `registry`, by default the global one, as `run_scheduler` does. The end of the block, also by an error or a
    cancellation, cancels coroutines of tasks and waits for plain functions; a cancellation meanwhile stops this wait.
    If the scheduler ends before that by an error, which only a signal handler can raise, the block is cancelled, and
    its end raises the error.

    With a backend, these methods of a registry ask the store, and an event loop would wait for it: `register`, `task`,
    `update`, `remove`, `prune`, `clear`, `pause`, `resume`, `run_now`, `pause_all`, `resume_all`, `configure`,
    `history`, `instances`, `wait`, `tick`, `shutdown`. A coroutine calls them in a thread:
    `await asyncio.to_thread(registry.history)`. Without a backend only `wait`, `tick` and `shutdown` may take long.

    Raises `ValueError` unless `interval` is finite and greater than 0, and `registry` has a `tick`. The block raises
    `RuntimeError` if one of the same registry is open in the same event loop.
    """
    from est_alan_scheduler.loops.running import Running  # late: a program without an event loop needs no asyncio

    ticked = globals()["registry"] if registry is None else registry
    return Running(ticked, check(interval, ticked), registry is not None)


if __name__ == "__main__":
    from est_alan_scheduler.demo import main

    main(registry)
