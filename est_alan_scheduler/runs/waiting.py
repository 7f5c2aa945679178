"""Waiting for runs to end, and the end of waiting."""

import asyncio
import logging
import math
from collections.abc import Collection

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.run import Run, ThreadContext

_LONGEST_WAIT = 3600.0  # seconds; a longer one could overflow


def pending(recorder: RunRecorder, contexts: Collection[ThreadContext] | None) -> tuple[list[Run], float | None]:
    """Return the runs that go on, and the seconds until any run may take longer than its timeout; None if none may.

    With `contexts`, only those of the threads with these contexts. What has taken too long is recorded first.
    """
    recorder.expire()
    with recorder.lock:
        return recorder.in_flight.started_by(contexts), recorder.in_flight.seconds_to_deadline()


def end_runs(recorder: RunRecorder, timeout: float | None, contexts: Collection[ThreadContext] | None) -> bool:
    """Wait until the runs of `contexts`, or of all, have ended, at most `timeout` seconds; return whether they have.

    The others are recorded as FAILED, and their calls are cancelled where that is possible. Raises `RuntimeError` in
    the thread of an event loop whose coroutines it would wait for.
    """
    left = _await_ends(recorder, timeout, contexts)
    if left:
        ids = ", ".join(repr(run.task.id) for run in left)
        log(logging.WARNING, f"Interrupted by shutdown while they ran: {ids}")
    for run in left:
        recorder.fail(run, RuntimeError("interrupted by shutdown"), has_ended=False)
        call = run.call
        if call is not None:
            call.cancel()
    return not left


def _await_ends(recorder: RunRecorder, timeout: float | None, contexts: Collection[ThreadContext] | None) -> list[Run]:
    """Wait for runs to end; return those that have not in time, their threads closed for new ones."""
    in_flight, end = recorder.in_flight, Wakeup()
    end_by = math.inf if timeout is None else monotonic() + timeout
    with recorder.lock:
        in_flight.ends.append(end)
    try:
        while True:
            end.wait(0)
            runs, deadline = pending(recorder, contexts)
            _refuse_to_block_an_event_loop(runs, timeout)
            pause = end_by - monotonic()
            if not runs or pause <= 0:
                break
            end.wait(min(pause, _LONGEST_WAIT if deadline is None else deadline))
    finally:
        with recorder.lock:
            in_flight.ends.remove(end)
    with recorder.lock:
        left = in_flight.started_by(contexts)
        in_flight.abandon(left)
    return left


def _refuse_to_block_an_event_loop(runs: list[Run], timeout: float | None) -> None:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if timeout != 0 and any(run.call is not None and run.call.loop is running for run in runs):
        raise RuntimeError(
            "shutdown() would wait for coroutines in the thread of their own event loop: cancel run_scheduler() instead"
        )
