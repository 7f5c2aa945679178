"""The loop: tick, wait until there may be something to do, tick again. In a daemon thread, or in the calling one."""

import logging
import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from est_alan_scheduler._support.interpreter import is_ending, monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.task_registry import TaskRegistry

_LONGEST_PAUSE = 86_400.0  # seconds; the waits of the standard library overflow at some 290 years


class SchedulerThread(threading.Thread):
    """A daemon thread that ticks a registry until `stop`; usable in `with`.

    Between ticks it waits for a wakeup, so that `stop`, a new registration and the end of a call in an executor wake it
    at once. Nothing that a tick raises ends it; the end of the main thread does. It holds no lock of its own.
    """

    def __init__(self, registry: TaskRegistry, interval: float) -> None:
        super().__init__(name="est-alan-scheduler", daemon=True)
        self._registry = registry
        self._interval = interval
        self._wake = Wakeup()
        self._stopping = False
        self._starter: object = None

    def run(self) -> None:
        """Tick and wait, in turn."""
        self._starter = ask(self._registry, "starter")
        ask(self._registry, "add_waker", self._wake.call)
        try:
            while not self._stopping and not is_ending():
                self._wake.wait(0)
                pause = tick(self._registry, self._interval)
                if not self._stopping:
                    self._wake.wait(pause)
        finally:
            ask(self._registry, "remove_waker", self._wake.call)

    def stop(self, timeout: float | None = None) -> bool:
        """Let the tick under way finish, end, and wait for the runs that were started; return whether the thread ended.

        It waits up to `timeout` seconds, None for as long as it takes. Runs that go on even then are recorded
        as FAILED, "interrupted by shutdown". A task that calls it in this very thread cannot wait for itself: it gets
        False, and the thread ends after it.
        """
        self._stopping = True
        self._wake.call()
        if threading.current_thread() is self:
            return False
        began = monotonic()
        if self.is_alive():
            self.join(timeout)
        rest = None if timeout is None else max(0.0, timeout - (monotonic() - began))
        ask(self._registry, "shutdown", rest, [self._starter])
        return not self.is_alive()

    def __enter__(self) -> "SchedulerThread":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def run_here(registry: TaskRegistry, interval: float) -> None:
    """Tick and wait, in turn, until Ctrl+C or SystemExit, which are raised.

    What goes on in an executor then is recorded as FAILED, "interrupted by shutdown".
    """
    wake = Wakeup()
    ask(registry, "add_waker", wake.call)
    try:
        while True:
            wake.wait(0)
            pause = tick(registry, interval, raised=(KeyboardInterrupt, SystemExit))
            if isinstance(registry, TaskRegistry) and registry.executor is not None:
                wake.wait(pause)
            else:
                time.sleep(pause)
    finally:
        ask(registry, "remove_waker", wake.call)
        ask(registry, "shutdown", 0, [ask(registry, "starter")])


def check(interval: float, registry: TaskRegistry) -> None:
    """Raise `ValueError` unless a loop can go with these."""
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0 < interval < math.inf:
        raise ValueError(f"interval must be a finite number of seconds greater than 0, got {interval!r}")
    if not callable(getattr(registry, "tick", None)):
        raise ValueError(f"registry must be a TaskRegistry, got {short_repr(registry)}")


def tick(
    registry: TaskRegistry,
    interval: float,
    raised: tuple[type[BaseException], ...] = (),
    call: Callable[[], None] | None = None,
) -> float:
    """Tick once, by `call` if it is given; return the seconds to wait before the next time.

    Errors that are not `raised` are logged.
    """
    interval = min(interval, _LONGEST_PAUSE)
    try:
        (registry.tick if call is None else call)()
        idle = ask(registry, "idle_seconds")
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


def ask(registry: TaskRegistry, method: str, *arguments: object) -> Any:
    """Call a method that a stand-in for a registry, which only has to `tick`, may lack."""
    return getattr(registry, method, lambda *_: None)(*arguments)
