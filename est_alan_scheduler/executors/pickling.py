"""The pickling of calls and outcomes for other processes.

The library pickles them itself: an object that the executor fails to pickle or to load breaks a pool of processes, and
never returns from a cluster.
"""

import contextlib
import pickle
from collections.abc import Callable
from typing import Any

from est_alan_scheduler._support.text import RemoteError, class_name, error_text, short_repr
from est_alan_scheduler._support.tracebacks import format_traceback
from est_alan_scheduler.executors.call import Call, Outcome


def pack_call(call: Call, dumps: Callable[[Any], bytes]) -> bytes:
    """Pickle a call by `dumps`. A `PicklingError` names the part that cannot be pickled, and the reason."""
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


def unpack_outcome(packed: bytes) -> Outcome:
    """Load a pickled outcome. If it cannot be loaded, that failure is the outcome."""
    try:
        outcome: Outcome = pickle.loads(packed)  # noqa: S301  # pickled by our own worker
    except Exception as error:
        return pickling_failure(error, "the result cannot be loaded from the worker process")
    return outcome


def pickling_failure(error: Exception, problem: str) -> Outcome:
    """Return the outcome of a call that could not be sent, or whose result could not be sent."""
    return Outcome(error=pickle.PicklingError(f"{problem}: {error_text(error)}"), trace=format_traceback(error))


def portable_error(error: BaseException) -> BaseException:
    """Return `error` if it survives pickling, else a `RemoteError` with its text and its classes."""
    with contextlib.suppress(Exception):  # its class may do anything wrong
        loaded = pickle.loads(pickle.dumps(error))  # noqa: S301  # dumped right here
        if type(loaded) is type(error) and error_text(loaded) == error_text(error):
            return error
    remote = RemoteError(error_text(error))
    # A spawned worker knows the main program by another name.
    remote.classes = tuple(class_name(cls).replace("__mp_main__:", "__main__:") for cls in type(error).__mro__)
    return remote
