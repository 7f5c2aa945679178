"""The worker's side of a call: what is done in another thread or process, and how it comes back."""

import contextlib
import os
import pickle
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from typing import Any

from est_alan_scheduler._support.text import RemoteError, class_name, error_text, short_repr
from est_alan_scheduler.executors.call import PROCESS, Call, Outcome, call_here
from est_alan_scheduler.executors.current_run import current


class RemoteTraceback(Exception):  # noqa: N818  # not an error: what comes with one
    """The traceback of an error in another process, as the cause of that error: so it gets into the log."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


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
        if call.process == (PROCESS, os.getpid()):
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
    call.is_reported = True
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
