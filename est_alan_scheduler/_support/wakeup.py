"""A call to one thread that waits: there is something to do."""

import threading
from contextlib import suppress


class Wakeup:
    """Wakes the one thread that waits, or spares it its next wait; several calls before that count as one.

    It is a bare lock, held until somebody calls: releasing it, and waiting for it, are single calls of C code. A Ctrl+C
    in the middle of `threading.Event.set`, which is Python code, can leave it locked for ever; and a wait for a
    `queue.SimpleQueue` that is past its timeout when it starts never ends before Python 3.13.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def call(self) -> None:
        """Wake it; from any thread, and from a signal handler."""
        with suppress(RuntimeError):  # it was called before, and nobody has looked yet
            self._lock.release()

    def wait(self, timeout: float) -> bool:
        """Wait for a call, up to `timeout` seconds; return whether there was one since the last wait."""
        return self._lock.acquire(timeout=max(0.0, timeout))
