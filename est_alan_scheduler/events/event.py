"""Events: one small object for each thing that happens to a task or a run."""

from datetime import datetime
from typing import Any, NamedTuple

EVENTS = (
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
)
"""The names of all events. Each attempt that fails publishes `failed`, and then `retrying` if another one follows."""


class Event(NamedTuple):
    """One thing that happened. Fields that do not apply are None; moments have the form that the task records."""

    name: str
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
    result: Any = None
    error: BaseException | None = None
    error_message: str | None = None
    """The error as text, `"ValueError: boom"`."""
    retry_at: datetime | None = None
    """The moment of the retry. None if there is none, or if `run_now` was called during the run and replaces it."""
