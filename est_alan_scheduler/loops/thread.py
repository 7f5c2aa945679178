"""The loop in a daemon thread, or in the calling one: tick, wait until there may be something to do, tick again."""

import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import NoReturn

from est_alan_scheduler._support.interpreter import has_ended, has_other_threads, is_ending, monotonic
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.fields.checks import in_seconds
from est_alan_scheduler.loops.ticking import loop_side, tick_once, warn_if_empty
from est_alan_scheduler.runs.run import ThreadContext
from est_alan_scheduler.task_registry import TaskRegistry

_LAST_CALLS = 1.0  # seconds, for which Python waits for the last calls of executors when the main thread has ended


class SchedulerThread(threading.Thread):
    """A daemon thread that ticks a registry until `stop`. Usable in `with`.

    Between ticks it waits for a wakeup: `stop`, a new registration and the end of a call in an executor wake it at
    once. No error of a tick ends it; the end of the program does. It holds no lock of its own.
    """

    def __init__(self, registry: TaskRegistry, interval: float) -> None:
        super().__init__(name="est-alan-scheduler", daemon=True)
        self._registry = registry
        self._side = loop_side(registry)
        self._interval = interval
        self._wake = Wakeup()
        self._stopping = False
        self._context: ThreadContext | None = None  # of this thread, from its start on

    def run(self) -> None:
        """Tick and wait, in turn."""
        side = self._side
        has_rested = False
        self._context = side.context()
        side.begin_loop(self._wake.call)
        try:
            while not self._stopping and not has_ended():
                if is_ending() and not has_rested and not has_other_threads():
                    has_rested = True
                    self._wake.wait(_LAST_CALLS)
                    continue
                self._wake.wait(0)
                pause = tick_once(self._registry, self._interval)
                if not self._stopping:
                    side.note_pause(self._wake.call, pause)
                    self._wake.wait(pause)
        finally:
            side.remove_waker(self._wake.call)

    def stop(self, timeout: float | timedelta | None = None) -> bool:
        """Stop after the tick in progress, and wait for the runs it has started; return whether the thread has ended.

        It waits up to `timeout` (seconds), None for as long as it takes. Runs that go on even then are recorded as
        FAILED, "interrupted by shutdown". A task that calls it in this very thread cannot wait for itself: it gets
        False, and the thread ends after it.
        """
        seconds: float | None = in_seconds(timeout)
        self._stopping = True
        self._wake.call()
        if threading.current_thread() is self:
            return False
        began = monotonic()
        if self.is_alive():
            self.join(seconds)
        rest = None if seconds is None else max(0.0, seconds - (monotonic() - began))
        self._side.shutdown(rest, [] if self._context is None else [self._context])
        return not self.is_alive()

    def __enter__(self) -> "SchedulerThread":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def run_blocking(registry: TaskRegistry, interval: float, is_given: bool = True) -> NoReturn:
    """Tick and wait, in turn, until Ctrl+C or SystemExit, which are raised.

    Calls that still go on in an executor then are recorded as FAILED, "interrupted by shutdown".
    `is_given`: the program has named the registry.
    """
    if not is_given:
        warn_if_empty(registry)
    side, wake = loop_side(registry), Wakeup()
    side.begin_loop(wake.call)
    try:
        while True:
            wake.wait(0)
            pause = tick_once(registry, interval, raised=(KeyboardInterrupt, SystemExit))
            side.note_pause(wake.call, pause)
            if side.waits_for_calls():
                wake.wait(pause)
            else:
                time.sleep(pause)  # a program's tests patch it to end this loop
    finally:
        side.remove_waker(wake.call)
        side.shutdown(0, [side.context()])
