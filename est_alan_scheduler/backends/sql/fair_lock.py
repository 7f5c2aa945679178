"""Who may write a file: within a process one after the other, in the order in which they asked."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock whose waiters come first in, first out, so that none starves. `_lock` guards the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self._queue: deque[threading.Lock] = deque()  # one a waiter, released when it is its turn

    @contextmanager
    def take(self, seconds: float) -> Iterator[None]:
        """Wait for a turn and have it; TimeoutError if it has not come after so many seconds."""
        if not self._come(seconds):
            raise TimeoutError(f"no turn came within {seconds:g} s")
        try:
            yield
        finally:
            self._pass_on()

    def _come(self, seconds: float) -> bool:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        has_come = False
        try:
            has_come = turn.acquire(timeout=seconds)
        finally:
            if not has_come and self._give_up(turn):  # also a Ctrl+C
                self._pass_on()
        return has_come

    def _give_up(self, turn: threading.Lock) -> bool:
        """Leave the queue; return whether the turn has come in this very moment."""
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
                return False
        return True

    def _pass_on(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._is_taken = False


_turns: dict[str, Turns] = {}


def turns_at(path: str) -> Turns:
    """Return the turns of all in this process who write that file."""
    return _turns.get(path) or _turns.setdefault(path, Turns())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_turns.clear)  # the threads that had them are gone
