"""A call that another thread makes meanwhile."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Errand(Generic[_T]):
    """A call in a daemon thread of its own, and what came of it."""

    def __init__(self, call: Callable[[], _T]) -> None:
        """Begin it; RuntimeError if no thread can be had, as at the end of the interpreter."""
        self._call = call
        self._outcome: _T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="est-alan-scheduler-errand", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Wait for it, up to `timeout` seconds."""
        self._thread.join(timeout)

    def result(self) -> _T | None:
        """Wait as long as the call takes, and return or raise what it did; None in a forked child, which has none."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:
            self._error = error
