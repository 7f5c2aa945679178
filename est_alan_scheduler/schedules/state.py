"""State of a schedule: kept beside a task as long as it is registered."""

from copy import copy
from datetime import datetime
from typing import Any

from est_alan_scheduler.task import Task

Span = tuple[datetime, datetime]
"""A time whose slots have all been started: its first slot, and its last run. In UTC."""


class Coverage:
    """The spans that are known of the runs of a task, if its slots are fixed."""

    __slots__ = ("base", "is_plain", "last", "others", "since")

    def __init__(
        self, since: datetime, last: datetime, others: tuple[Span, ...], base: datetime | None, is_ahead: bool
    ) -> None:
        self.since = since  # the first slot of the latest span
        self.last = last  # the last run, which ends that span, as the task has recorded it
        self.others = others  # in order
        self.base = base  # once the clock has gone back behind the last run: to where; up to there, all is settled
        self.is_plain = base is None and not is_ahead  # `is_ahead`: a span ends after the last run

    def spans(self, last: datetime) -> list[Span]:
        """Return all spans in order; `last` is the last run in UTC."""
        return sorted([*self.others, (self.since, last)])


class ScheduleState:
    """The state of a task's schedule beyond its fields. The entry of a task in a registry derives from it."""

    __slots__ = ("armed", "coverage", "schedule", "tried", "void", "worked_out")

    def __init__(self) -> None:
        self.schedule: Any = None  # by the schedule options, until one of them is assigned
        self.armed: datetime | None = None  # since when slots count, if the task has never run
        self.tried: datetime | None = None  # the slot of the last run, in UTC: that of a retry, too
        self.coverage: Coverage | None = None  # of a schedule with fixed slots, from its first run on
        self.void: datetime | None = None  # the slot that was skipped, if the clock has gone back behind it since
        self.worked_out: Any = None  # the slot worked out last, and the values that it depends on

    def forget_schedule(self, is_new: bool) -> None:
        """Note that an option of the schedule was assigned; with `is_new`, its slots count from now on."""
        self.schedule = self.worked_out = None
        if is_new:
            self.armed = self.coverage = None

    def forget_runs(self) -> None:
        """Note that the last run of the task was set by hand."""
        self.coverage = None

    def note_misfire(self) -> None:
        """Note that slots of the task were skipped: the next run does not follow the last one without a gap."""
        self.void = None
        if self.coverage is not None:
            self.coverage.is_plain = False

    def changed(self) -> None:
        """Note that a field of the task was assigned."""

    def read_clock(self) -> datetime | None:
        """Return the time by the clock of the registry that has the task; None if none has it."""
        return None


def arm(task: Task, moment: datetime | None) -> None:
    """Note that the slots of `task`, if it has never run and does not run at once, begin after a moment."""
    if task._entry is not None:
        task._entry.armed = moment


def armed(task: Task) -> datetime | None:
    """Return since when the slots of `task` count; None if it is not registered."""
    return None if task._entry is None else task._entry.armed


def share_state(task: Task, other: Task) -> None:
    """Let the schedule of `task` stand as that of `other` does. Neither changes what the other knows."""
    if task._entry is not None and other._entry is not None:
        task._entry.armed, task._entry.void = other._entry.armed, other._entry.void
        coverage = other._entry.coverage
        task._entry.coverage = None if coverage is None else copy(coverage)


def keep_tried(task: Task, slot: datetime | None) -> None:
    """Note the slot of the last run of `task`, in UTC."""
    if task._entry is not None:
        task._entry.tried = slot


def tried(task: Task) -> datetime | None:
    """Return the slot of the last run of `task`, in UTC; None if it is not known."""
    return None if task._entry is None else task._entry.tried
