"""An in-process task scheduler, right across every clock change."""

from typing import TYPE_CHECKING, Any

from est_alan_scheduler.events.event import Event
from est_alan_scheduler.executors.current_run import CurrentRun, current_run
from est_alan_scheduler.fields.retry import Retry
from est_alan_scheduler.loops.simulation import simulate
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.runs.counters import Lateness, Statistics
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.schedules.due import next_run
from est_alan_scheduler.schedules.upcoming import PlannedRun
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

if TYPE_CHECKING:
    from est_alan_scheduler.scheduler import SchedulerThread, registry, run_scheduler, running, start_scheduler

__all__ = [
    "CurrentRun",
    "Event",
    "Lateness",
    "PlannedRun",
    "Retry",
    "SchedulerThread",
    "Statistics",
    "Task",
    "TaskRegistry",
    "TaskStatus",
    "UnknownTaskError",
    "current_run",
    "describe",
    "next_run",
    "registry",
    "run_scheduler",
    "running",
    "simulate",
    "start_scheduler",
]


def __getattr__(name: str) -> Any:
    # Looked up each time: `python -m est_alan_scheduler.scheduler` must not find that module imported already, and a
    # registry that was replaced there is replaced here.
    if name in {"SchedulerThread", "registry", "run_scheduler", "running", "start_scheduler"}:
        from est_alan_scheduler import scheduler

        return getattr(scheduler, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
