"""The next run of a task, as the pages show it."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.planning.dependencies import first_stale, first_unmet
from est_alan_scheduler.schedules.due import is_due, planned_moment, show
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.schedules.upcoming import first_run_from
from est_alan_scheduler.task import Task, TaskStatus


class NextRun(NamedTuple):
    """When a task runs next."""

    at: datetime | None
    """A slot, perhaps one that is overdue; None if `word` says it, or if there is none."""
    word: str
    """`now`, `after this run`, `waits for` or nothing."""
    awaited: str = ""
    """The id of the task that it waits for."""
    since: datetime | None = None
    """The slot that has come, if `word` says why it does not run; None for a request."""


NO_RUN = NextRun(None, "")


def next_run_of(task: Task, now: datetime, store: Mapping[str, Task]) -> NextRun:
    """Return when a task runs next: for one that is due, since when, or what it waits for."""
    moment = planned_moment(task, now)
    if moment is None:
        return NO_RUN
    if moment > to_utc(now):
        return NextRun(show(task.timezone, moment, now), "")
    if not is_due(task, now):  # it has misfired
        return NextRun(first_run_from(task, now), "")
    since = None if moment is AT_ONCE else show(task.timezone, moment, now)
    if task.status is TaskStatus.RUNNING:
        return NextRun(None, "after this run", since=since)
    if task.depends_on and task.run_requested != "force":
        awaited = first_unmet(task, store) or first_stale(task, store, now)
        if awaited is not None:
            return NextRun(None, "waits for", awaited, since)
    return NextRun(since, "" if since else "now")
