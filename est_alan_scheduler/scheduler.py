"""The global registry, and what starts a loop that ticks it."""

from est_alan_scheduler import loop
from est_alan_scheduler.loop import SchedulerThread
from est_alan_scheduler.task_registry import TaskRegistry

__all__ = ["SchedulerThread", "registry", "start_scheduler"]

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
    loop.check(interval, ticked)
    if blocking:
        loop.run_here(ticked, interval)
    thread = SchedulerThread(ticked, interval)
    thread.start()
    return thread


if __name__ == "__main__":
    from est_alan_scheduler.demo import main

    main()
