"""State of a schedule: kept beside a task as long as it is registered."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.schedules.schedule import Schedule


class ScheduleState:
    """The state of a task's schedule beyond its fields. The entry of a task in a registry derives from it."""

    __slots__ = ("armed", "schedule", "tried", "worked_out")

    def __init__(self) -> None:
        self.schedule: Schedule | None = None  # by the schedule options, until one of them is assigned
        self.armed: datetime | None = None  # since when slots count, if the task has never run
        self.tried: datetime | None = None  # the slot of the last run, in UTC: that of a retry, too
        self.worked_out: Any = None  # the slot worked out last, and the values that it depends on

    def forget_schedule(self, is_new: bool) -> None:
        """Note that an option of the schedule was assigned; with `is_new`, its slots count from now on."""
        self.schedule = None
        if is_new:
            self.armed = None

    def changed(self) -> None:
        """Note that a field of the task was assigned."""


def arm(task: Task, moment: datetime | None) -> None:
    """Note that the slots of `task`, if it has never run and does not run at once, begin after a moment."""
    if task._entry is not None:
        task._entry.armed = moment


def armed(task: Task) -> datetime | None:
    """Return since when the slots of `task` count; None if it is not registered."""
    return None if task._entry is None else task._entry.armed


def keep_tried(task: Task, slot: datetime | None) -> None:
    """Note the slot of the last run of `task`, in UTC."""
    if task._entry is not None:
        task._entry.tried = slot


def tried(task: Task) -> datetime | None:
    """Return the slot of the last run of `task`, in UTC; None if it is not known."""
    return None if task._entry is None else task._entry.tried
