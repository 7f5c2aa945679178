"""A call of a function, the runner that makes it elsewhere, and the outcome that comes back."""

import os
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import uuid4

from est_alan_scheduler._support.tracebacks import RemoteTraceback
from est_alan_scheduler.executors.current_run import CurrentRun, Running

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from est_alan_scheduler.executors.start_mark import StartMark

DEFAULT_LIMIT = 32
"""How many calls a runner takes at a time if its number of workers is not known."""

_TIME_TO_ARRIVE = 10.0  # seconds, for the outcome of a call that has ended in another process

Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[str]]
"""`func`, `args` and `kwargs` of a task, and the ids of the tasks whose results are passed as well."""

# Together with the pid it names this process: a forked child inherits it, and another machine may have the same pid.
_PROCESS = uuid4().hex
_numbers = count()


class Outcome(NamedTuple):
    """The outcome of a call."""

    result: Any = None
    error: BaseException | None = None
    trace: str = ""
    """The traceback as text, if `error` comes from another process: pickling drops the traceback itself."""
    seconds: float | None = None
    """How long the call took; None if it was not made."""
    began_at: float | None = None
    """When it began, by `time.monotonic` of the machine that made it."""

    def error_with_traceback(self) -> BaseException | None:
        """Return the error, with its traceback from another process as its cause."""
        if self.error is not None and self.trace:
            self.error.__cause__ = RemoteTraceback(self.trace)
        return self.error


class Call:
    """A function with its arguments, and everything that a worker has to know beside them."""

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run: Running | CurrentRun,
        timeout: float | None,
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.run = run
        self.timeout = timeout
        self.start_mark: StartMark | None = None  # for a process on this machine
        self.began_at: float | None = None  # by `time.monotonic`, once known
        self.seconds: float | None = None  # its duration, once it has ended
        self.shares_clock = True  # made on this machine, with the same `time.monotonic`
        self.thread: int | None = None  # the thread of this process that makes it
        self.loop: asyncio.AbstractEventLoop | None = None  # the event loop that awaits it, if it is a coroutine
        self.is_cancelled = False  # it must not begin: its run is recorded already
        self.is_reported = False  # the outcome has been passed on
        self.future: Future[Any] | None = None  # of the executor
        self._process = _PROCESS, os.getpid()
        self._number = next(_numbers)  # no two calls are equal, even to an executor that caches results

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the future, and of the run all that its function may not know: they belong to this process."""
        run = self.run if isinstance(self.run, CurrentRun) else self.run.public()
        return self.__dict__ | {"future": None, "run": run}

    def cancel(self) -> None:
        """Prevent the call from beginning, if it has not begun."""
        self.is_cancelled = True
        if self.future is not None:
            self.future.cancel()

    def deadline(self, timeout: float) -> float:
        """Return the latest moment for its outcome, by `time.monotonic`; while no start of it is known, from now on.

        After its end, the outcome still has a while to arrive: the worker may send much, and this process may have been
        stopped. But the worker may also have died, or never get to send.
        """
        began, ended = self.began_at, None
        if self.start_mark is not None:
            began, ended = self.start_mark.read()
            if began is not None:
                self.began_at = began
        if ended is not None:
            return ended + max(timeout, _TIME_TO_ARRIVE)
        return (time.monotonic() if began is None else began) + timeout

    def is_in_its_own_process(self) -> bool:
        """Return whether it is made in the process that it comes from."""
        return self._process == (_PROCESS, os.getpid())


class InterpreterEndsError(RuntimeError):
    """The executors of Python take no more calls, because the main thread has ended while another one ticks."""


class Runner(Protocol):
    """A pool or an event loop: it makes calls without holding up the tick."""

    limit: int
    """How many calls it takes at a time."""

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Make `call` elsewhere, and pass its outcome to `done` once, from any thread."""
