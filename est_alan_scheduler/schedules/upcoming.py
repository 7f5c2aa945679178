"""Runs to come, as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heapreplace
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import (
    due_retry,
    due_slot,
    following,
    is_due,
    keep_schedule,
    next_run,
    planned_moment,
    record,
    show,
)
from est_alan_scheduler.schedules.state import ScheduleState
from est_alan_scheduler.task import Task


@dataclass(frozen=True, slots=True, order=True)
class PlannedRun:
    """A run to come. It unpacks: `at, task_id = run`."""

    at: datetime
    """When, as the task records moments: naive local time, or aware if it has a `timezone`."""
    task_id: str

    def __iter__(self) -> Iterator[Any]:
        return iter((self.at, self.task_id))


def upcoming(tasks: dict[int, Task], bounds: list[tuple[datetime, int]], now: datetime) -> Iterator[PlannedRun]:
    """Return the runs from `now` on, in order.

    `bounds` has a lower bound of the due moment in UTC for each of the numbered tasks; it is used up. The moment of a
    task is not worked out before its bound is the earliest: for most of a hundred thousand tasks, never.
    """
    heapify(bounds)  # of bare values: items that hold tasks would each be one more object for the garbage collector
    planned: dict[int, PlannedRun] = {}  # by number, for those whose moment in the heap is exact
    left: dict[int, int] = {}  # the runs to come, of tasks with a limit
    while bounds:
        number = bounds[0][1]
        task = tasks[number]
        run = planned.pop(number, None)
        if run is None:
            at = first_run_from(task, now)
            if task.max_runs is not None:
                left[number] = task.max_runs - task.runs + _is_retry_first(task, now)
            schedule = keep_schedule(task)
            has_begun = task.first_run_at is not None or task.last_run_at is not None
            if at is not None and schedule is not None and schedule.step is not None and not has_begun:
                tasks[number] = task = task.model_copy(update={"first_run_at": at})  # where its grid will begin
                task._entry = ScheduleState()  # or its schedule would be read anew for each run
        else:
            yield run
            at = None if task.paused else following(task, run.at)  # then its run was requested
            if number in left:
                left[number] -= 1
                at = at if left[number] > 0 else None
        if at is None:
            heappop(bounds)
        else:
            planned[number] = PlannedRun(at, task.id)
            heapreplace(bounds, (to_utc(at), number))


def _is_retry_first(task: Task, now: datetime) -> bool:
    """Return whether a retry comes before all runs of `task`."""
    retry = due_retry(task)
    if retry is None or task.run_requested is not None:
        return False
    slot = due_slot(task, now)
    return slot is None or retry < slot


def first_run_from(task: Task, now: datetime) -> datetime | None:
    """Return when `task` will run first, from `now` on; None if it will not."""
    moment = planned_moment(task, now)
    if moment is None:
        return None
    if moment > to_utc(now):
        return show(task.timezone, moment, now)
    if is_due(task, now):
        return record(task.timezone, now)
    slot, retry = next_run(task, now), due_retry(task)  # what was due has misfired
    if retry is None or (slot is not None and to_utc(slot) <= retry):
        return slot
    return show(task.timezone, retry, now)
