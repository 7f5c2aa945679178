"""A fair lock for each file: the writers of a process go in the order in which they asked."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """A lock whose waiters come first in, first out, so that none starves. `_lock` guards the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[threading.Lock] = []  # the first has the fair lock; the others wait for their own

    @contextmanager
    def hold(self, seconds: float) -> Iterator[None]:
        """Hold the lock; TimeoutError if it is not free within so many seconds."""
        place = threading.Lock()  # locked until it is the first in the queue
        try:
            with self._lock:
                if self._queue:
                    place.acquire()
                self._queue.append(place)
            if not place.acquire(timeout=seconds):
                raise TimeoutError(f"the lock was not free within {seconds:g} s")
            yield
        finally:  # also after a Ctrl+C in any of these lines
            with self._lock:
                is_first = self._queue[:1] == [place]
                self._queue = [other for other in self._queue if other is not place]
                if is_first and self._queue:
                    self._queue[0].release()


_fair_locks: dict[str, FairLock] = {}


def fair_lock(path: str) -> FairLock:
    """Return the lock that all writers of that file in this process share."""
    return _fair_locks.get(path) or _fair_locks.setdefault(path, FairLock())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_fair_locks.clear)  # the threads that held them do not exist in the child
