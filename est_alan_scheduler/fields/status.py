"""The states of a task."""

from enum import StrEnum


class TaskStatus(StrEnum):
    """The state of a task: `PENDING` before its first run, then `RUNNING`, then `SUCCESS` or `FAILED`."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
