"""The global registry, and the loop that ticks it: in a daemon thread, or in this one."""

import logging
import math
import threading
import time
from types import TracebackType
from typing import Any

from est_alan_scheduler.log import log
from est_alan_scheduler.task_registry import TaskRegistry

registry = TaskRegistry()
"""The registry that `start_scheduler` ticks unless it is given another one."""

_LONGEST_PAUSE = 86_400.0  # seconds; the waits of the standard library overflow at some 290 years


class SchedulerThread(threading.Thread):
    """A daemon thread that ticks a registry until `stop`; usable in `with`.

    Between ticks it waits on an event, so that `stop` and a new registration wake it at once. Nothing that a tick
    raises ends it. It holds no lock of its own.
    """

    def __init__(self, registry: TaskRegistry, interval: float) -> None:
        super().__init__(name="est-alan-scheduler", daemon=True)
        self._registry = registry
        self._interval = interval
        self._wake = threading.Event()
        self._stopping = False

    def run(self) -> None:
        """Tick and wait, in turn."""
        _ask(self._registry, "add_waker", self._wake.set)
        try:
            while not self._stopping:
                self._wake.clear()
                pause = _tick(self._registry, self._interval)
                if not self._stopping:
                    self._wake.wait(pause)
        finally:
            _ask(self._registry, "remove_waker", self._wake.set)

    def stop(self, timeout: float | None = None) -> bool:
        """Let the tick under way finish, then end; return whether that has happened within `timeout` seconds.

        A task that calls it in this very thread cannot wait for itself: it gets False, and the thread ends after it.
        """
        self._stopping = True
        if not self.is_alive():
            return True
        self._wake.set()
        if threading.current_thread() is not self:
            self.join(timeout)
        return not self.is_alive()

    def __enter__(self) -> "SchedulerThread":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start_scheduler(
    interval: float = 1.0, blocking: bool = False, registry: TaskRegistry | None = None
) -> SchedulerThread:
    """Tick `registry`, by default the global one of this module, at least every `interval` seconds.

    The loop waits no longer than until the next due moment. `blocking=False` returns the daemon thread that it runs in;
    `blocking=True` runs it here and never returns: Ctrl+C is raised.
    Raises `ValueError` unless `interval` is finite and greater than 0, and `registry` is something that ticks.
    """
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0 < interval < math.inf:
        raise ValueError(f"interval must be a finite number of seconds greater than 0, got {interval!r}")
    ticked = globals()["registry"] if registry is None else registry
    if not callable(getattr(ticked, "tick", None)):
        raise ValueError(f"registry must be a TaskRegistry, got {ticked!r}")
    if not blocking:
        thread = SchedulerThread(ticked, interval)
        thread.start()
        return thread
    while True:
        time.sleep(_tick(ticked, interval, raised=(KeyboardInterrupt, SystemExit)))


def _tick(registry: TaskRegistry, interval: float, raised: tuple[type[BaseException], ...] = ()) -> float:
    """Tick once; return the seconds to wait before the next time. Errors that are not `raised` are logged."""
    interval = min(interval, _LONGEST_PAUSE)
    try:
        registry.tick()
        idle = _ask(registry, "idle_seconds")
    except raised:
        raise
    except Exception as error:
        log(logging.ERROR, "A tick failed; the scheduler goes on.", error)
        return interval
    except BaseException as error:  # of a task; the tick has recorded it, and the rest is due now
        log(logging.ERROR, "A task was interrupted; the scheduler goes on.", error)
        return 0.0
    is_sooner = isinstance(idle, int | float) and idle < interval
    return max(0.0, idle) if is_sooner else interval


def _ask(registry: TaskRegistry, method: str, *arguments: object) -> Any:
    """Call a method that a stand-in for a registry, which only has to `tick`, may lack."""
    return getattr(registry, method, lambda *_: None)(*arguments)


if __name__ == "__main__":
    from est_alan_scheduler.demo import main

    main()
