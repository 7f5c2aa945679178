"""A fair lock for each file: the writers of a process go in the order in which they asked."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident


class FairLock:
    """A lock whose waiters come first in, first out, so that none starves. `_lock` guards the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By thread, in order. The first has the fair lock; each of the others waits for its own.
        self._queue: dict[int, threading.Lock] = {}

    @contextmanager
    def hold(self, seconds: float) -> Iterator[None]:
        """Hold the lock; TimeoutError if it is not free within so many seconds.

        A Ctrl+C can cut off even the end of it. Whoever catches one calls `leave`.
        """
        thread, place = get_ident(), threading.Lock()
        self.leave()
        try:
            with self._lock:
                if self._queue:
                    place.acquire()
                self._queue[thread] = place
            if not place.acquire(timeout=seconds):
                raise TimeoutError(f"the lock was not free within {seconds:g} s")
            yield
        finally:
            if self._queue.get(thread) is place:  # or this comes later than `leave`
                self._leave(thread)

    def leave(self) -> None:
        """Leave the queue, if this thread is still in it."""
        self._leave(get_ident())

    def _leave(self, thread: int) -> None:
        """Take a thread out, and let the first go on: also if an earlier attempt got only half as far."""
        with self._lock:
            self._queue.pop(thread, None)
            first = next(iter(self._queue.values()), None)
            if first is not None and first.locked():
                first.release()


_fair_locks: dict[str, FairLock] = {}


def fair_lock(path: str) -> FairLock:
    """Return the lock that all writers of that file in this process share."""
    return _fair_locks.get(path) or _fair_locks.setdefault(path, FairLock())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_fair_locks.clear)  # the threads that held them do not exist in the child
