"""Missed slots: how many of them coalesce into one run."""

from datetime import datetime, timedelta

from est_alan_scheduler.schedules.coverage import minus, skipped
from est_alan_scheduler.schedules.due import keep_schedule
from est_alan_scheduler.task import Task

_TICK = timedelta(microseconds=1)
MOST_COUNTED = 1_000
"""Slots that are counted one by one. Each takes some ten microseconds, and a clock may jump ahead by a year."""


def coalesced_since_registration(task: Task, since: datetime, now: datetime) -> int:
    """Return how many slots coalesce into the first run of `task`, at `now`; it was registered at `since`.

    It may have begun already. Not for an interval that begins with its first run.
    """
    schedule = keep_schedule(task)
    if schedule is not None and schedule.step is not None and schedule.is_fixed:
        since = minus(since, _TICK)  # a slot at the registration counts
    unstarted = task.model_copy(update={"first_run_at": since, "last_run_at": since})  # where its grid begins
    return coalesced(unstarted, since, now)


def coalesced(task: Task, last: datetime, now: datetime) -> int:
    """Return how many slots coalesce into a run of `task` at `now`, beside its own; `last` is the run before.

    Slots that misfired are not among them. From `MOST_COUNTED` on it may be more: intervals, and cron expressions that
    fit in each hour, are worked out; other slots are counted up to there.
    """
    schedule = keep_schedule(task)
    if schedule is None or not schedule.kind.has_slots:
        return 0
    here, base = schedule.instant(now), schedule.instant(last)
    if task.misfired_at is not None and (misfired := skipped(schedule, task, here)) is not None:
        base = max(base, misfired)
    if base >= here:
        return 0  # the clock went back
    grid = schedule.grid_of(task, here)
    number = grid.number(base, here)
    if number is None:
        number, slot = 0, grid.after(base)
        while slot is not None and slot <= here and number <= MOST_COUNTED:
            number, slot = number + 1, grid.after(slot)
    return max(number - 1, 0)
