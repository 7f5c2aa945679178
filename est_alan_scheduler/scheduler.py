"""The global registry, and the functions that start a loop for it."""

from est_alan_scheduler.loops.thread import SchedulerThread, run_blocking
from est_alan_scheduler.loops.ticking import check
from est_alan_scheduler.task_registry import TaskRegistry

__all__ = ["SchedulerThread", "registry", "run_scheduler", "start_scheduler"]

registry = TaskRegistry()
"""The registry that `start_scheduler` ticks unless it is given another one."""


def start_scheduler(
    interval: float = 1.0, blocking: bool = False, registry: TaskRegistry | None = None
) -> SchedulerThread:
    """Tick `registry`, by default the global one of this module, at least every `interval` seconds.

    The loop waits no longer than until the next due moment. `blocking=False` returns the daemon thread that it runs in;
    `blocking=True` runs it here and never returns: Ctrl+C is raised.
    Raises `ValueError` unless `interval` is finite and greater than 0, and `registry` is something that ticks.
    """
    ticked = globals()["registry"] if registry is None else registry
    check(interval, ticked)
    if blocking:
        run_blocking(ticked, interval)
    thread = SchedulerThread(ticked, interval)
    thread.start()
    return thread


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
    from est_alan_scheduler.loops.asyncio import run  # here: who has no event loop imports none

    ticked = globals()["registry"] if registry is None else registry
    check(interval, ticked)
    await run(ticked, interval)


if __name__ == "__main__":
    from est_alan_scheduler.demo import main

    main(registry)
