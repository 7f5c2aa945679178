"""An in-process task scheduler, right across every clock change."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from est_alan_scheduler._support.errors import (
    InvalidTypeError,
    InvalidValueError,
    MissingExtraError,
    SchedulerError,
    WrongStateError,
)
from est_alan_scheduler.events.event import EVENTS, Event, EventName
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
    from est_alan_scheduler.backends import Backend, BackendUnavailableError, MemoryBackend, open_backend
    from est_alan_scheduler.cluster.lease import Instance
    from est_alan_scheduler.scheduler import SchedulerThread, registry, run_scheduler, start_scheduler

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022  # in the order of `sorted`
    "Backend",
    "BackendUnavailableError",
    "CurrentRun",
    "EVENTS",
    "Event",
    "EventName",
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
    "WrongStateError",
    "current_run",
    "describe",
    "next_run",
    "open_backend",
    "registry",
    "run_scheduler",
    "simulate",
    "start_scheduler",
]

# Looked up each time, and not imported before: `python -m est_alan_scheduler.scheduler` must not find that module
# imported already, a registry that was replaced there is replaced here, and a program without a backend imports none.
_ELSEWHERE = {
    "Backend": "backends",
    "BackendUnavailableError": "backends",
    "Instance": "cluster.lease",
    "MemoryBackend": "backends",
    "SchedulerThread": "scheduler",
    "open_backend": "backends",
    "registry": "scheduler",
    "run_scheduler": "scheduler",
    "start_scheduler": "scheduler",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        return getattr(import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
