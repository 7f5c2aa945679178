"""The time in which a task ran, but of which its runs are not known: it keeps `history_limit` of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.timeline.past import PastRun, last_before

_SECOND = timedelta(seconds=1)


class Gap(NamedTuple):
    """A time whose runs are not known, in naive UTC."""

    since: datetime
    until: datetime
    is_kept: bool
    """Whether there are runs, too many to be read."""


def gap_of(registry: TaskRegistry, task: Task, known: Sequence[PastRun], begin: datetime, end: datetime) -> Gap | None:
    """Return the part of a time of which the runs of a task are not known; None if there is none.

    `known` are its runs up to `end`, oldest first: those before `begin` tell that nothing is missing.
    """
    if task.first_run_at is None or task.last_run_at is None:
        return None
    since = max(begin, to_utc(task.first_run_at))
    until = known[0].start if known else min(end, to_utc(task.last_run_at))
    if until - since < _SECOND:
        return None
    last = last_before(registry, task, until)
    if last is not None and last < since:
        return None
    return Gap(since, until, last is not None)
