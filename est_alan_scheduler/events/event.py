"""An event: one small object for each thing that happens."""

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
"""`failed` comes with each attempt that fails, and `retrying` right after it if there will be another one."""


class Event(NamedTuple):
    """Something that happened. What does not apply is None; moments are as the task records them."""

    name: str
    """One of EVENTS."""
    task_id: str | None
    """None for `pause_all` and `resume_all`."""
    slot: datetime | None = None
    """What the run was due for, as in `current_run()`; of `misfired`, the slot that is skipped."""
    attempt: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    """Seconds from the start of the call to its end, by a clock that nobody sets; None if that was lost elsewhere."""
    result: Any = None
    error: BaseException | None = None
    error_message: str | None = None
    """The same in words, `"ValueError: boom"`."""
    retry_at: datetime | None = None
    """When it is tried again; None if it is not, or if `run_now` was called meanwhile: that run comes instead."""
