"""The standing of a task: the one word that the page shows for its status."""

from datetime import datetime, timedelta
from typing import Literal, get_args

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import due_retry, is_due, planned_moment
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.task import Task, TaskStatus

Standing = Literal["failed", "late", "retrying", "running", "paused", "pending", "success"]
"""One word, those first that somebody should look at."""
STANDINGS: tuple[Standing, ...] = get_args(Standing)

PATIENCE = timedelta(seconds=10)
"""A tick may take so long, and the news of a run on another instance."""


def standing(task: Task, now: datetime, is_paused_all: bool = False) -> str:
    """Return how a task stands at `now`, naive local time: one of `STANDINGS`.

    The first that is true: running; paused, alone or with all others; late, due for more than ten seconds; retrying,
    failed with a retry to come; else its status.
    """
    if task.status is TaskStatus.RUNNING:
        return "running"
    if is_paused_all or task.paused:
        return "paused"
    if _is_late(task, now):
        return "late"
    if task.status is TaskStatus.FAILED and due_retry(task) is not None:
        return "retrying"
    return task.status.value


def _is_late(task: Task, now: datetime) -> bool:
    """Return whether a task has been due for long. A slot that misfired is skipped, and one at once has no moment."""
    due = planned_moment(task, now)
    if due is None or due is AT_ONCE or to_utc(now) - due <= PATIENCE:
        return False
    return is_due(task, now)
