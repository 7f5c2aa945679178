"""The threads in which a site answers: few, and its own, so a store that hangs stops neither probes nor the program."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.problems import Problem

T = TypeVar("T")

_MOST_WAITING = 200
"""Requests that wait for a thread."""
_REFRESH_SECONDS = 1.0
"""How long a page waits for what has changed; what is in memory is shown without it."""
_READ_SECONDS = 10.0
"""How long a page waits for anything else, once the store has told what has changed: that may be many runs."""


class Threads:
    """A bounded number of daemon threads, one a request.

    AnyIO's belong to the whole program, and a request that it gives up frees its place while the thread still hangs.
    """

    def __init__(self, number: int, queue_seconds: float = 5.0, seconds: float = 30.0) -> None:
        self._free = number
        self._waiting: deque[_Signal] = deque()
        self._lock = threading.Lock()
        self._queue_seconds = queue_seconds
        self._seconds = seconds

    async def run(self, function: Callable[..., T], *arguments: Any, may_change: bool = False) -> T:
        """Return what a function returns in a thread; raise what it raises.

        Raises a problem if no thread is free in time, or if the function takes too long: it goes on then. `may_change`:
        the problem says that what was asked for may have been done.
        """
        await self._take()
        outcome, end = Future[T](), _Signal()
        work = partial(self._work, partial(copy_context().run, function, *arguments), outcome, end)
        try:
            threading.Thread(target=work, name="est-alan-scheduler request", daemon=True).start()
        except RuntimeError:  # the machine gives no more
            self._release()
            raise _busy() from None
        if not await end.comes_within(self._seconds):
            doubt = "; a change that was asked for may have been made" if may_change else ""
            raise Problem(503, f"no answer within {self._seconds:g} seconds{doubt}", headers={"Retry-After": "5"})
        return outcome.result()

    def _work(self, call: Callable[[], T], outcome: "Future[T]", end: "_Signal") -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # it is for the request
            outcome.set_exception(error)
        finally:
            self._release()
            end.send()

    async def _take(self) -> None:
        """Take the place of a thread; those who wait get one in their order."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._waiting) >= _MOST_WAITING:
                raise _busy()
            turn = _Signal()
            self._waiting.append(turn)
        is_mine = False
        try:
            is_mine = await turn.comes_within(self._queue_seconds)
        finally:
            if not is_mine:
                self._leave(turn)
        if not is_mine:
            raise _busy()

    def _leave(self, turn: "_Signal") -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        self._release()  # it has got the place at the last moment

    def _release(self) -> None:
        with self._lock:
            while self._waiting:
                if self._waiting.popleft().send():
                    return
            self._free += 1


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
        if self.hangs:
            raise _silence()
        return _await(_begin(function, int), _READ_SECONDS)


class _Signal:
    """A signal from a thread to a coroutine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def send(self) -> bool:
        """Set it; return False if its event loop has ended."""
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            return False
        return True

    async def comes_within(self, seconds: float) -> bool:
        """Wait for it, and return whether it has come in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


def _busy() -> Problem:
    return Problem(503, "too many requests wait already: the store may not answer", headers={"Retry-After": "5"})


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
