"""A wakeup of the one thread that waits for it."""

import threading
from contextlib import suppress


class Wakeup:
    """Wakes the waiting thread, or ends its next wait at once; several calls before a wait count as one.

    It is a bare lock that `call` releases and `wait` acquires, each in a single call of C code. `threading.Event.set`
    is Python code, and a Ctrl+C in the middle of it can leave its lock held for ever. Before Python 3.13, a wait for a
    `queue.SimpleQueue` that begins after its timeout never ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def call(self) -> None:
        """Wake the thread, from any thread or from a signal handler."""
        with suppress(RuntimeError):  # an earlier call is still pending
            self._lock.release()

    def wait(self, timeout: float) -> bool:
        """Wait for a call, up to `timeout` seconds; return whether there was one since the last wait."""
        return self._lock.acquire(timeout=max(0.0, timeout))
