"""A faithful in-process task scheduler."""

from typing import TYPE_CHECKING, Any

from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

if TYPE_CHECKING:
    from est_alan_scheduler.scheduler import SchedulerThread, registry, start_scheduler

__all__ = ["SchedulerThread", "Task", "TaskRegistry", "TaskStatus", "registry", "start_scheduler"]


def __getattr__(name: str) -> Any:
    # Looked up each time: `python -m est_alan_scheduler.scheduler` must not find that module imported already, and a
    # registry that was replaced there is replaced here.
    if name in {"SchedulerThread", "registry", "start_scheduler"}:
        from est_alan_scheduler import scheduler

        return getattr(scheduler, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
