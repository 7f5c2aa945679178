"""What pages read from the store. They wait for it a moment only: a store may hang for minutes."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry

T = TypeVar("T")

_REFRESH_SECONDS = 1.0
"""How long a page waits for what has changed; what is in memory is shown without it."""
_READ_SECONDS = 10.0
"""How long a page waits for anything else, once the store has told what has changed: that may be many runs."""


class Reads:
    """The reads of a site. Each has a daemon thread of its own, which goes on when nobody waits for it any more."""

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry
        self._turn = threading.Lock()
        self._late: Future[None] | None = None

    @property
    def hangs(self) -> bool:
        """Whether a refresh goes on for which a page has waited in vain."""
        late = self._late
        return late is not None and not late.done()

    def refresh(self, *tasks: str | Task) -> None:
        """Do what `TaskRegistry.refresh` says, one call at a time.

        Raises `BackendUnavailableError`, also if there is no answer in time: at once while a former call hangs.
        """
        if self._registry.backend is None:
            return
        if self.hangs or not self._turn.acquire(timeout=_REFRESH_SECONDS):
            raise _silence()
        call = _begin(partial(self._registry.refresh, *tasks), self._turn.release)
        try:
            _await(call, _REFRESH_SECONDS)
        except BackendUnavailableError:
            self._late = call
            raise

    def read(self, function: Callable[[], T]) -> T:
        """Return what a function reads; raise what it raises, and `BackendUnavailableError` if it takes too long."""
        if self._registry.backend is None:
            return function()
        return _await(_begin(function, int), _READ_SECONDS)


def _begin(function: Callable[[], T], at_end: Callable[[], object]) -> "Future[T]":
    """Call a function in a thread, and then another one."""
    outcome, context = Future[T](), copy_context()

    def work() -> None:
        try:
            outcome.set_result(context.run(function))
        except BaseException as error:  # it is for the page
            outcome.set_exception(error)
        finally:
            at_end()

    try:
        threading.Thread(target=work, name="est-alan-scheduler read", daemon=True).start()
    except RuntimeError:  # the machine gives no more
        at_end()
        raise _silence() from None
    return outcome


def _await(outcome: "Future[T]", seconds: float) -> T:
    try:
        return outcome.result(seconds)
    except TimeoutError:
        if outcome.done():  # it is what the call has raised, or has come at the last moment
            return outcome.result()
        raise _silence() from None


def _silence() -> BackendUnavailableError:
    return BackendUnavailableError("the store does not answer")
