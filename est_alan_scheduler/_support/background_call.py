"""A call that another thread makes meanwhile."""

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from est_alan_scheduler._support.wakeup import Wakeup

_T = TypeVar("_T")
_GLANCE = 0.5  # seconds: on Windows, Ctrl+C does not end a wait


class BackgroundCall(Generic[_T]):
    """A call in a daemon thread of its own, and what came of it.

    The thread is neither joined nor asked whether it is alive: before Python 3.13 a Ctrl+C in the middle of that has it
    count as ended (bpo-45274).
    """

    def __init__(self, call: Callable[[], _T]) -> None:
        """Begin it; RuntimeError if no thread can be had, as at the end of the interpreter."""
        self._call = call
        self._process = os.getpid()
        self._answer: tuple[_T | None, BaseException | None] | None = None
        self._is_over = Wakeup()
        threading.Thread(target=self._run, name="est-alan-scheduler-background_call", daemon=True).start()

    def wait(self, timeout: float) -> None:
        """Wait for it, up to `timeout` seconds."""
        if self._is_awaited():
            self._is_over.wait(timeout)

    def result(self) -> _T | None:
        """Wait as long as the call takes, and return or raise what it did; None in a forked child."""
        while self._is_awaited():
            self._is_over.wait(_GLANCE)
        outcome, error = self._answer or (None, None)
        if error is not None:
            raise error
        return outcome

    def _is_awaited(self) -> bool:
        return self._answer is None and os.getpid() == self._process  # a forked child does not have the thread

    def _run(self) -> None:
        try:
            self._answer = (self._call(), None)
        except BaseException as error:
            self._answer = (None, error)
        self._is_over.call()
