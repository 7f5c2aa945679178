"""Who may write a file: within a process one after the other, in the order in which they asked."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """A lock whose waiters come first in, first out, so that none starves. `_lock` guards the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self._queue: deque[threading.Lock] = deque()  # one a waiter, released when it is its turn

    @contextmanager
    def take(self, seconds: float) -> Iterator[None]:
        """Wait for a turn and have it; TimeoutError if it has not come after so many seconds."""
        if not self._acquire(seconds):
            raise TimeoutError(f"no turn came within {seconds:g} s")
        try:
            yield
        finally:
            self._release()

    def _acquire(self, seconds: float) -> bool:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        is_acquired = False
        try:
            is_acquired = turn.acquire(timeout=seconds)
        finally:
            if not is_acquired and self._leave_queue(turn):  # also a Ctrl+C
                self._release()
        return is_acquired

    def _leave_queue(self, turn: threading.Lock) -> bool:
        """Leave the queue; return whether the turn has come in this very moment."""
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
                return False
        return True

    def _release(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._is_taken = False


_fair_locks: dict[str, FairLock] = {}


def fair_lock(path: str) -> FairLock:
    """Return the turns of all in this process who write that file."""
    return _fair_locks.get(path) or _fair_locks.setdefault(path, FairLock())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_fair_locks.clear)  # the threads that had them are gone
