"""A call that another thread makes meanwhile."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_T = TypeVar("_T")
_GLANCE = 0.5  # seconds between two looks at whether the thread is there


class Errand(Generic[_T]):
    """A call in a daemon thread of its own, and what came of it, for one who fetches it once.

    The thread is not joined: before Python 3.13 a Ctrl+C in the middle of that has it count as ended (bpo-45274).
    """

    def __init__(self, call: Callable[[], _T]) -> None:
        """Begin it; RuntimeError if no thread can be had, as at the end of the interpreter."""
        self._call = call
        self._answer: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()
        self._is_fetched = False
        self._thread = threading.Thread(target=self._run, name="est-alan-scheduler-errand", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Wait for it, up to `timeout` seconds; what it has come to is dropped."""
        if self._thread.is_alive() and not self._is_fetched:
            try:
                self._answer.get(timeout=timeout)
            except Empty:
                return

    def result(self) -> _T | None:
        """Wait as long as the call takes, and return or raise what it did; None in a forked child."""
        while True:
            is_alive = self._thread.is_alive()
            try:
                outcome, error = self._answer.get(timeout=_GLANCE if is_alive else 0)
            except Empty:
                if is_alive:
                    continue
                return None
            self._is_fetched = True
            if error is not None:
                raise error
            return outcome

    def _run(self) -> None:
        try:
            self._answer.put((self._call(), None))
        except BaseException as error:
            self._answer.put((None, error))
