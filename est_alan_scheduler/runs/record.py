"""The record of a run: what came of it, worked out before the registry's lock is taken."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.signals import is_interruption
from est_alan_scheduler._support.text import error_text, short_repr
from est_alan_scheduler.fields.serialization import round_trip
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import next_retry
from est_alan_scheduler.schedules.due import record as as_recorded
from est_alan_scheduler.task import TaskStatus

# Looking up a member of an enum takes longer than comparing it.
_SUCCESS, _FAILED = TaskStatus.SUCCESS, TaskStatus.FAILED
_SUCCESS_TEXT, _FAILED_TEXT = _SUCCESS.value, _FAILED.value


class Record(NamedTuple):
    """The outcome of a run, as its task, a backend and the subscribers get it."""

    status: TaskStatus
    result: Any
    stored_result: str | None
    """The result as JSON, if a backend is to have it."""
    error: BaseException | None
    retry_at: datetime | None
    clock: datetime
    """When it ended, in local time."""
    duration: float | None
    """In seconds; None if that is not known."""
    late: float | None
    """How many seconds after its due moment it started; None without one."""
    line: dict[str, Any]
    """Of the history."""


# Made for each run, and that is how it takes a third of the time.
_record: Callable[[tuple[Any, ...]], Record] = partial(tuple.__new__, Record)


def build_record(run: Run, result: Any, error: BaseException | None, clock: datetime, ended: float) -> Record:
    """Return what came of `run`, which ended at `clock`: at `ended`, by the monotonic clock.

    User code is called: the `repr` of the result, and the classes in `retry.on`.
    """
    stored = retry_at = text = message = None
    if error is None:
        if run.epoch is not None:
            result, stored = round_trip(result)  # what a dependent elsewhere would see
        status, word, text = _SUCCESS, _SUCCESS_TEXT, short_repr(result)
    else:
        status, word, message = _FAILED, _FAILED_TEXT, error_text(error)
        retry_at = _next_retry(run, error, clock)
    began, late, call = run.began, run.late, run.call
    duration = ended - began
    if call is not None:
        if call.began_at is not None:
            duration = ended - call.began_at
            if late is not None:
                late += call.began_at - began
        if call.seconds is not None:
            duration = call.seconds
    line = {
        "run_at": run.started_at,
        "finished_at": clock if run.zone is None else as_recorded(run.zone, clock),
        "status": word,
        "result": text,
        "error": message,
        "attempt": run.attempt,
    }
    return _record((status, result, stored, error, retry_at, clock, duration, late, line))


def dead_run_record(line: dict[str, Any], retry_at: datetime | None) -> Record:
    """Return the record of a run that ended with its instance; `line` is that of the history."""
    error = RuntimeError(line["error"])
    return Record(_FAILED, None, None, error, retry_at, line["finished_at"], None, None, line)


def _next_retry(run: Run, error: BaseException, clock: datetime) -> datetime | None:
    try:
        return next_retry(run.task, run.attempt, run.slot, error, clock, run.zone)
    except Exception as failure:  # of a class in `retry.on`: the outcome has to be recorded all the same
        if is_interruption(failure):
            raise
        log(logging.ERROR, f"Whether to retry task {run.task.id!r} could not be decided; it is not retried.", failure)
        return None
