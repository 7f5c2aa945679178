"""Why a task is not running now, in one sentence."""

from collections.abc import Mapping
from datetime import datetime

from est_alan_scheduler.dependencies import find_circle
from est_alan_scheduler.local_time import from_utc, to_utc
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.timing import due_moment, read_schedule


def explain(task: Task, store: Mapping[str, Task], now: datetime) -> str:
    """Return why `task` is not running at `now`, or that it is."""
    if task.status is TaskStatus.RUNNING:
        return f"running since {task.last_run_at}" if task.last_run_at else "marked as running, though it never ran"
    if read_schedule(task) is None:
        return "never due: exactly one of every / at / run_at must be set, " + describe_options(task)
    due = due_moment(task, now)
    if due is None:
        return (
            f"ran once at {task.last_run_at}, never again"
            if task.run_at
            else "never due: its next slot is beyond the calendar"
        )
    seconds = (due - to_utc(now)).total_seconds()
    reasons = [f"due in {_format(seconds)} at {from_utc(due)}"] if seconds > 0 else []
    reasons += _unmet(task, store)
    return ", and ".join(reasons) or "due now, it runs with the next tick"


def describe_options(task: Task) -> str:
    """Return which schedule options of `task` stand."""
    options = [name for name in ("every", "at", "run_at") if getattr(task, name) is not None]
    return "got " + (" and ".join(options) or "none of them")


def _unmet(task: Task, store: Mapping[str, Task]) -> list[str]:
    reasons = []
    circle = find_circle(task, store)
    if circle and not all(store[task_id].last_success_at for task_id in circle):
        reasons.append(f"waits for itself: {' -> '.join(circle)}")
    for task_id in task.depends_on:
        dependency = store.get(task_id)
        if dependency is None:
            reasons.append(f"waits for {task_id!r}, which is not registered")
        elif dependency.last_success_at is None:
            reasons.append(f"waits for {task_id!r}, which has not succeeded")
    return reasons


def _format(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.3g} s"
