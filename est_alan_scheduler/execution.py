"""How a function is called: here, or elsewhere with all that it needs sent along and its outcome sent back."""

import asyncio
import contextlib
import inspect
import os
import pickle
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from threading import get_ident
from types import CoroutineType
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from est_alan_scheduler.portable import RemoteError, class_name, error_text, short_repr
from est_alan_scheduler.run import CurrentRun, Run, current

_PROCESS = uuid4().hex  # with the pid, for a forked child has inherited it, and another machine may have the same pid
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


class RemoteTraceback(Exception):  # noqa: N818  # not an error: what comes with one
    """The traceback of an error in another process, as the cause of that error: so it gets into the log."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class Call:
    """A function with its arguments, and with what has to be known where it is called."""

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], run: Run) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.run: Run | CurrentRun = run
        self.timeout = run.timeout
        self.process = _PROCESS, os.getpid()
        self.number = next(_numbers)  # no two calls are alike, not even to an executor that remembers what it computed
        self.mark: str | None = None  # a file in which a process on this machine notes when the call begins
        self.began_at: float | None = None  # by `time.monotonic`, once known
        self.seconds: float | None = None  # that it took, once it has ended
        self.is_near = True  # made on this machine, with the same `time.monotonic`
        self.thread: int | None = None  # that it runs in, in this process
        self.loop: asyncio.AbstractEventLoop | None = None  # that it runs on, if it is a coroutine
        self.is_void = False  # its run is recorded already: it must not begin
        self.is_told = False  # who waits for the outcome has been told of it
        self.future: Future[Any] | None = None  # of the executor that it was handed to

    def __getstate__(self) -> dict[str, Any]:
        """Send along what the function may know of its run, not the run."""
        run = self.run
        return self.__dict__ | {"run": run.public() if isinstance(run, Run) else run, "future": None}

    def give_up(self) -> None:
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


def is_coroutine_function(func: Callable[..., Any]) -> bool:
    """Tell whether calling `func` makes a coroutine and does no work yet."""
    if inspect.iscoroutinefunction(func):
        return True
    # An object; of a class, it would be what its instances do when they are called.
    return not isinstance(func, type) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004  # not whether it is callable


def work(call: Call) -> Outcome:
    """Make a call, in a thread of this process or in another process."""
    call.began_at, call.thread = time.monotonic(), get_ident()
    if call.is_void:
        return Outcome(error=RuntimeError("the call was given up before it began"))
    if call.mark is not None:
        with contextlib.suppress(OSError), open(call.mark, "x") as mark:  # then the timeout counts from later on
            mark.write(repr(call.began_at))
    token = current.set(call.run)
    try:
        outcome = Outcome(call_here(call.func, call.args, call.kwargs, call.timeout))
    except BaseException as error:
        if call.process == (_PROCESS, os.getpid()):
            outcome = Outcome(error=error)
        else:
            outcome = Outcome(error=_portable(error), trace="".join(traceback.format_exception(error)))
    finally:
        current.reset(token)
        if call.mark is not None:  # the parent does so as well, but may have ended meanwhile
            remove(call.mark)
    return outcome._replace(seconds=time.monotonic() - call.began_at, began_at=call.began_at)


def work_and_tell(call: Call, done: Callable[[Outcome], None]) -> None:
    """Make a call, and tell `done` of its outcome in this thread: what a future calls may run in that of `submit`."""
    outcome = work(call)
    call.is_told = True
    done(outcome)


def remove(mark: str) -> None:
    """Remove the file in which a call has noted its beginning."""
    with contextlib.suppress(OSError):
        Path(mark).unlink(missing_ok=True)


def pack(call: Call, dumps: Callable[[Any], bytes]) -> bytes:
    """Pickle a call by way of `dumps`; `PicklingError` that says which part of it cannot be, and why."""
    try:
        return dumps(call)
    except Exception as error:
        for name in ("func", "args", "kwargs"):
            part = getattr(call, name)
            try:
                dumps(part)
            except Exception as reason:
                text = f"{name} {short_repr(part)} cannot be pickled for another process: {error_text(reason)}"
                raise pickle.PicklingError(text) from reason
        raise pickle.PicklingError(f"the call cannot be pickled for another process: {error_text(error)}") from error


def work_packed(packed: bytes, dumps: Callable[[Any], bytes]) -> bytes:
    """Make a pickled call in this process, and pickle its outcome by way of `dumps`.

    Both by hand, because an object that fails to be pickled or loaded by the executor itself breaks a pool of
    processes, and never comes back from a cluster.
    """
    try:
        call = pickle.loads(packed)  # noqa: S301  # made by `pack` in the parent process
    except Exception as error:
        return pickle.dumps(_described(error, "func or its arguments cannot be loaded in the worker process"))
    outcome = work(call)
    try:
        return dumps(outcome)
    except Exception as error:
        failure = _described(error, f"the result {short_repr(outcome.result)} cannot be pickled")
        return pickle.dumps(failure._replace(seconds=outcome.seconds, began_at=outcome.began_at))


def unpack(packed: bytes) -> Outcome:
    """Load a pickled outcome; where that fails, that is the outcome."""
    try:
        outcome: Outcome = pickle.loads(packed)  # noqa: S301  # made by `work_packed` in our own worker
    except Exception as error:
        return _described(error, "the result cannot be loaded from the worker process")
    return outcome


def explained(outcome: Outcome) -> BaseException | None:
    """Return the error of an outcome, with the traceback from another process as its cause."""
    if outcome.error is not None and outcome.trace:
        outcome.error.__cause__ = RemoteTraceback(outcome.trace)
    return outcome.error


def _described(error: Exception, what: str) -> Outcome:
    trace = "".join(traceback.format_exception(error))
    return Outcome(error=pickle.PicklingError(f"{what}: {error_text(error)}"), trace=trace)


def _portable(error: BaseException) -> BaseException:
    with contextlib.suppress(Exception):  # whatever its class does wrong
        loaded = pickle.loads(pickle.dumps(error))  # noqa: S301  # dumped right here
        if type(loaded) is type(error) and error_text(loaded) == error_text(error):
            return error
    remote = RemoteError(error_text(error))
    # A spawned worker has the main program under another name.
    remote.classes = tuple(class_name(cls).replace("__mp_main__:", "__main__:") for cls in type(error).__mro__)
    return remote
