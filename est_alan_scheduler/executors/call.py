"""How a function is called: here, or elsewhere with all that it needs sent along and its outcome sent back."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from types import CoroutineType
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from est_alan_scheduler.executors.current_run import CurrentRun

PROCESS = uuid4().hex  # with the pid, for a forked child has inherited it, and another machine may have the same pid
_numbers = count()


class Outcome(NamedTuple):
    """What came of a call."""

    result: Any = None
    error: BaseException | None = None
    trace: str = ""
    """The traceback in words, if `error` comes from another process: exceptions do not take theirs along."""
    seconds: float | None = None
    """How long the call took; None if it was not made."""
    began_at: float | None = None
    """When it began, by `time.monotonic` of the machine that it was made on."""


class Call:
    """A function with its arguments, and with what has to be known where it is called."""

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run: CurrentRun,
        timeout: float | None,
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.run = run
        self.timeout = timeout
        self.process = PROCESS, os.getpid()
        self.number = next(_numbers)  # no two calls are alike, not even to an executor that remembers what it computed
        self.mark: str | None = None  # a file in which a process on this machine notes when the call begins
        self.began_at: float | None = None  # by `time.monotonic`, once known
        self.seconds: float | None = None  # that it took, once it has ended
        self.is_near = True  # made on this machine, with the same `time.monotonic`
        self.thread: int | None = None  # that it runs in, in this process
        self.loop: asyncio.AbstractEventLoop | None = None  # that it runs on, if it is a coroutine
        self.is_void = False  # its run is recorded already: it must not begin
        self.is_reported = False  # who waits for the outcome has been told of it
        self.future: Future[Any] | None = None  # of the executor that it was handed to

    def __getstate__(self) -> dict[str, Any]:
        """Leave the future here: it belongs to this process."""
        return self.__dict__ | {"future": None}

    def cancel(self) -> None:
        """Keep it from beginning, if it has not yet."""
        self.is_void = True
        if self.future is not None:
            self.future.cancel()

    def began(self) -> float | None:
        """Return when the call began, by `time.monotonic`; None if it has not, as far as is known."""
        if self.began_at is None and self.mark is not None:
            try:
                self.began_at = float(Path(self.mark).read_text())
            except (OSError, ValueError):  # not there, or half written
                return None
        return self.began_at


class Runner(Protocol):
    """Who makes calls without holding up the tick."""

    limit: int
    """How many calls it takes at a time."""

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Have `call` made, and `done` called once with the outcome, from any thread."""


class LoopRunner(Runner, Protocol):
    """A runner that belongs to an event loop."""

    def is_for(self, registry: object) -> bool:
        """Tell whether it makes the calls when this thread ticks `registry`."""


loop_runner: ContextVar[LoopRunner | None] = ContextVar("est_alan_scheduler.loop_runner", default=None)
"""Set in the task that `run_scheduler` runs in, and in what that starts."""


def call_here(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float | None) -> Any:
    """Call `func`, await the coroutine it may return, and return the result.

    Raises `TimeoutError` if that took longer than `timeout` seconds. A coroutine is cancelled then; a plain function
    cannot be, so the error comes when it returns.
    """
    began = time.monotonic()
    try:
        result = func(*args, **kwargs)
    except Exception as error:
        if timeout is not None and time.monotonic() - began > timeout:
            raise timeout_error(timeout) from error
        raise
    if isinstance(result, CoroutineType):
        return finish_coroutine(result, timeout, began)
    if timeout is not None and time.monotonic() - began > timeout:
        raise timeout_error(timeout)
    return result


def finish_coroutine(coroutine: Coroutine[Any, Any, Any], timeout: float | None = None, began: float = 0.0) -> Any:
    """Run `coroutine` to its end in an event loop of its own, as `within` does if there is a `timeout`."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine if timeout is None else within(coroutine, timeout, began))
    coroutine.close()
    raise RuntimeError(
        "func is a coroutine function, and tick() cannot await it inside a running event loop: "
        "let `await run_scheduler()` do the ticking there"
    )


async def within(coroutine: Coroutine[Any, Any, Any], timeout: float, began: float) -> Any:
    """Await `coroutine`; cancel it `timeout` seconds after it `began` (by `time.monotonic`), and raise `TimeoutError`.

    Also if it takes longer without being cancelled: because it blocks the loop, or ignores the cancellation.
    """
    # Not by a task of its own: what is neither an Exception nor a cancellation would come out of the event loop.
    task = asyncio.current_task()
    is_cancelled = False

    def cancel() -> None:
        nonlocal is_cancelled
        is_cancelled = True
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(max(0.0, began + timeout - time.monotonic()), cancel)
    try:
        result = await coroutine
    except asyncio.CancelledError:
        if is_cancelled:
            raise timeout_error(timeout) from None
        raise
    except Exception as error:
        if time.monotonic() - began > timeout:
            raise timeout_error(timeout) from error
        raise
    finally:
        timer.cancel()
    if time.monotonic() - began > timeout:
        raise timeout_error(timeout)
    return result


def timeout_error(timeout: float) -> TimeoutError:
    """Return the error of a run that takes longer than it may."""
    return TimeoutError(f"the run took longer than its timeout of {timeout:g} s")


Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[str]]
"""What a run is to call: `func`, `args` and `kwargs` of its task, and the ids whose results go with them."""
