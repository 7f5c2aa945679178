"""A fair lock for each file: the writers of a process go in the order in which they asked."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """A lock whose waiters come first in, first out, so that none starves. `_lock` guards the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_held = False
        self._waiters: deque[threading.Lock] = deque()  # each released when the fair lock passes to its waiter

    @contextmanager
    def hold(self, seconds: float) -> Iterator[None]:
        """Hold the lock; TimeoutError if it is not free within so many seconds."""
        if not self._acquire(seconds):
            raise TimeoutError(f"the lock was not free within {seconds:g} s")
        try:
            yield
        finally:
            self._release()

    def _acquire(self, seconds: float) -> bool:
        with self._lock:
            if not self._is_held:
                self._is_held = True
                return True
            waiter = threading.Lock()
            waiter.acquire()
            self._waiters.append(waiter)
        is_acquired = False
        try:
            is_acquired = waiter.acquire(timeout=seconds)
        finally:
            if not is_acquired and not self._withdraw(waiter):  # also after a Ctrl+C
                self._release()
        return is_acquired

    def _withdraw(self, waiter: threading.Lock) -> bool:
        """Remove a waiter from the queue; False if the lock has just passed to it."""
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                return True
        return False

    def _release(self) -> None:
        with self._lock:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._is_held = False


_fair_locks: dict[str, FairLock] = {}


def fair_lock(path: str) -> FairLock:
    """Return the lock that all writers of that file in this process share."""
    return _fair_locks.get(path) or _fair_locks.setdefault(path, FairLock())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_fair_locks.clear)  # the threads that held them do not exist in the child
