"""The worker's side of a call: it is made in another thread or process, and its outcome goes back."""

import pickle
import time
from collections.abc import Callable
from threading import get_ident
from typing import Any

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler._support.tracebacks import format_traceback
from est_alan_scheduler.executors.call import Call, Outcome
from est_alan_scheduler.executors.current_run import current
from est_alan_scheduler.executors.invocation import invoke
from est_alan_scheduler.executors.pickling import pickling_failure, portable_error


def make_call(call: Call) -> Outcome:
    """Make a call, in a thread of this process or in another process."""
    call.began_at, call.thread = time.monotonic(), get_ident()
    if call.is_cancelled:
        return Outcome(error=RuntimeError("the call was cancelled before it began"))
    if call.start_mark is not None:
        call.start_mark.write(call.began_at)
    token = current.set(call.run)
    try:
        outcome = Outcome(invoke(call.func, call.args, call.kwargs, call.timeout))
    except BaseException as error:
        if call.is_in_its_own_process():
            outcome = Outcome(error=error)
        else:
            outcome = Outcome(error=portable_error(error), trace=format_traceback(error))
    finally:
        current.reset(token)
        if call.start_mark is not None:
            call.start_mark.write_end(time.monotonic())
    return outcome._replace(seconds=time.monotonic() - call.began_at, began_at=call.began_at)


def make_call_and_report(call: Call, done: Callable[[Outcome], None]) -> None:
    """Make a call, and report its outcome in this thread: a future may call back in the thread of `submit`."""
    outcome = make_call(call)
    call.is_reported = True
    done(outcome)


def make_packed_call(packed: bytes, dumps: Callable[[Any], bytes]) -> bytes:
    """Load a pickled call, make it in this process, and pickle its outcome by `dumps`."""
    try:
        call = pickle.loads(packed)  # noqa: S301  # pickled by the parent process
    except Exception as error:
        return pickle.dumps(pickling_failure(error, "func or its arguments cannot be loaded in the worker process"))
    outcome = make_call(call)
    try:
        return dumps(outcome)
    except Exception as error:
        failure = pickling_failure(error, f"the result {short_repr(outcome.result)} cannot be pickled")
        return pickle.dumps(failure._replace(seconds=outcome.seconds, began_at=outcome.began_at))
