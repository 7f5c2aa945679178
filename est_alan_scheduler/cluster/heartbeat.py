"""The heartbeat: a thread that renews the lease and does what cannot wait for a tick."""

import threading
import weakref
from collections.abc import Callable

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.wakeup import Wakeup

GATHER = 0.04  # seconds for which outcomes are gathered, to be written together


class Heartbeat:
    """A daemon thread that renews the lease, writes outcomes and takes over what others have lost.

    It is a thread of its own because a task that runs inline blocks the tick. It holds the object whose methods it
    calls by a weak reference, and ends with it. `_lock` guards which thread it is. `_due` is replaced in single
    assignments, after what it is about was queued: whoever overwrites it is about to write that.
    """

    def __init__(self, beat: Callable[[], None], seconds_to_heartbeat: Callable[[], float]) -> None:
        """Take two methods of one object: what to do, and how long until there is something to do."""
        self._heartbeat = weakref.WeakMethod(beat)
        self._seconds_to_heartbeat = weakref.WeakMethod(seconds_to_heartbeat)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._wake = Wakeup()
        self._due: float | None = None  # by the monotonic clock: when outcomes are to be written

    def start(self) -> None:
        """Let it beat, if it does not."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="est-alan-scheduler-lease", daemon=True
                )
                self._thread.start()

    def stop(self, timeout: float) -> None:
        """End it, and wait for that up to `timeout` seconds."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
            self._wake.call()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def flush_soon(self, seconds: float = GATHER) -> None:
        """Have outcomes written in so many seconds, or when that was asked for before; 0: now."""
        if self._due is None or seconds == 0:
            self._due = monotonic() + seconds
            self._wake.call()

    def _run(self, stop: threading.Event) -> None:
        while True:
            seconds_to_heartbeat = self._seconds_to_heartbeat()
            if seconds_to_heartbeat is None or stop.is_set():
                return
            due, pause = self._due, seconds_to_heartbeat()
            del seconds_to_heartbeat  # so that its object can go while this waits
            if due is not None:
                pause = min(pause, due - monotonic())
            if pause > 0 and self._wake.wait(pause):
                continue
            beat = self._heartbeat()
            if beat is None or stop.is_set():
                return
            self._due = None
            beat()
            del beat
