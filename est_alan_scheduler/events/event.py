"""Events: one small object for each thing that happens to a task or a run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from est_alan_scheduler.fields.checks import check_error
from est_alan_scheduler.fields.declaration import Checked
from est_alan_scheduler.fields.serialization import ErrorText, JsonOrRepr

EventName = Literal[
    "registered",
    "updated",
    "removed",
    "paused",
    "resumed",
    "started",
    "succeeded",
    "failed",
    "retrying",
    "misfired",
    "gave_up",
    "recovered",
    "skipped",
]
"""The name of an event.

Each attempt that fails publishes `failed`, and then `retrying` if another one follows, else `gave_up`. Another run that
replaces a retry which waits publishes `gave_up` for the run before, and then `started`. A success after failures
publishes `succeeded`, and then `recovered`. The start of a run into which several slots coalesce publishes
`started`, and then `skipped`.
"""

EVENTS: tuple[EventName, ...] = get_args(EventName)
"""The names of all events."""


# Not frozen: that takes twice the time, and each outcome makes one. Without slots: pydantic 2.0 would overwrite them.
@dataclass(unsafe_hash=True)
class Event:
    """One thing that happened. Fields that do not apply are None; moments have the form that the task records.

    All subscribers get the same object, so none of them changes it.
    """

    name: EventName
    """One of EVENTS."""
    task_id: str | None
    """None for `pause_all` and `resume_all`."""
    slot: datetime | None = None
    """The slot of the run, as in `current_run()`; of `misfired`, the slot that is skipped."""
    attempt: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    """Seconds from the start of the call to its end, by the monotonic clock; None if the worker reported none."""
    result: Annotated[Any, JsonOrRepr] = None
    error: Annotated[BaseException | None, Checked(check_error, json=str | None), ErrorText] = None
    error_message: str | None = None
    """The error as text, `"ValueError: boom"`."""
    retry_at: datetime | None = None
    """The moment of the retry. None if there is none, or if `run_now` was called during the run and replaces it."""
    consecutive_failures: int | None = None
    """Of an outcome: the failures in a row, each attempt counted. Of a failure, with this one; of a success, before."""
    skipped: int | None = None
    """Of `skipped`: the number of slots that coalesced into the run, its own not counted."""
