"""An in-process task scheduler, right across every clock change."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from est_alan_scheduler._support.errors import (
        ConflictError,
        InvalidTypeError,
        InvalidValueError,
        MissingExtraError,
        SchedulerError,
        WaitTimeoutError,
        WrongStateError,
    )
    from est_alan_scheduler.backends import Backend, BackendUnavailableError, MemoryBackend, open_backend
    from est_alan_scheduler.cluster.change_log import Changes
    from est_alan_scheduler.cluster.lease import Instance
    from est_alan_scheduler.control.health import Health
    from est_alan_scheduler.events.event import EVENTS, Event, EventName
    from est_alan_scheduler.executors.current_run import CurrentRun, current_run
    from est_alan_scheduler.fields.retry import Retry
    from est_alan_scheduler.loops.simulation import simulate
    from est_alan_scheduler.planning.task_dict import UnknownTaskError
    from est_alan_scheduler.runs.statistics import Lateness, Statistics
    from est_alan_scheduler.scheduler import SchedulerThread, registry, run_scheduler, running, start_scheduler
    from est_alan_scheduler.schedules.describe import describe
    from est_alan_scheduler.schedules.due import next_run
    from est_alan_scheduler.schedules.upcoming import PlannedRun
    from est_alan_scheduler.task import Task, TaskStatus
    from est_alan_scheduler.task_registry import TaskRegistry

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022  # in the order of `sorted`
    "Backend",
    "BackendUnavailableError",
    "Changes",
    "ConflictError",
    "CurrentRun",
    "EVENTS",
    "Event",
    "EventName",
    "Health",
    "Instance",
    "InvalidTypeError",
    "InvalidValueError",
    "Lateness",
    "MemoryBackend",
    "MissingExtraError",
    "PlannedRun",
    "Retry",
    "SchedulerError",
    "SchedulerThread",
    "Statistics",
    "Task",
    "TaskRegistry",
    "TaskStatus",
    "UnknownTaskError",
    "WaitTimeoutError",
    "WrongStateError",
    "current_run",
    "describe",
    "next_run",
    "open_backend",
    "registry",
    "run_scheduler",
    "running",
    "simulate",
    "start_scheduler",
]

# Nothing is imported before it is asked for: a program pays for what it uses, the plugin of pytest for nothing, and
# `python -m est_alan_scheduler.scheduler` does not find that module imported already. Each name is looked up each time,
# so that a registry that was replaced in `scheduler` is replaced here.
_MODULES = {
    "_support.errors": (
        "ConflictError",
        "InvalidTypeError",
        "InvalidValueError",
        "MissingExtraError",
        "SchedulerError",
        "WaitTimeoutError",
        "WrongStateError",
    ),
    "backends": ("Backend", "BackendUnavailableError", "MemoryBackend", "open_backend"),
    "cluster.change_log": ("Changes",),
    "cluster.lease": ("Instance",),
    "control.health": ("Health",),
    "events.event": ("EVENTS", "Event", "EventName"),
    "executors.current_run": ("CurrentRun", "current_run"),
    "fields.retry": ("Retry",),
    "loops.simulation": ("simulate",),
    "planning.task_dict": ("UnknownTaskError",),
    "runs.statistics": ("Lateness", "Statistics"),
    "schedules.describe": ("describe",),
    "schedules.due": ("next_run",),
    "schedules.upcoming": ("PlannedRun",),
    "scheduler": ("SchedulerThread", "registry", "run_scheduler", "running", "start_scheduler"),
    "task": ("Task", "TaskStatus"),
    "task_registry": ("TaskRegistry",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names and those that each module has, without what this one imports for itself."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
