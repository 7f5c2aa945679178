"""`max_runs`: a schedule that ends after a number of runs."""

from datetime import datetime

from typing_extensions import override

from est_alan_scheduler.schedules.schedule import Around, Misfire, Schedule
from est_alan_scheduler.task import Task


class Limited(Around):
    """A schedule with as many runs as `max_runs` says. Its slots stay what they are; after the last run none is due."""

    __slots__ = ("_most", "_whole")

    def __init__(self, whole: Schedule, most: int) -> None:
        self._whole, self._most = whole, most
        self.kind, self.zone, self.step = whole.kind, whole.zone, whole.step
        self.is_fixed, self.is_recurring, self.waits_for_slot = whole.is_fixed, whole.is_recurring, whole.waits_for_slot
        self.shortest, self.gap = whole.shortest, whole.gap

    def is_over(self, task: Task) -> bool:
        """Return whether there are no more runs to come."""
        return task.runs >= self._most

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        return None if self.is_over(task) else self._whole.due(task, now)

    @override
    def first_due(self, task: Task, now: datetime) -> tuple[datetime, datetime | None]:
        here, slot = self._whole.first_due(task, now)
        return here, None if self.is_over(task) else slot

    @override
    def misfire(self, task: Task, now: datetime) -> Misfire | None:
        return None if self.is_over(task) else self._whole.misfire(task, now)

    @override
    def next_run(self, task: Task, after: datetime) -> datetime | None:
        return None if self.is_over(task) else self._whole.next_run(task, after)

    @override
    def following(self, task: Task, run_at: datetime) -> datetime | None:
        return None if self.is_over(task) else self._whole.following(task, run_at)

    # The slots are those of the whole schedule.

    @override
    def instant(self, moment: datetime) -> datetime:
        return self._whole.instant(moment)

    @override
    def to_clock(self, instant: datetime, now: datetime) -> datetime:
        return self._whole.to_clock(instant, now)

    @override
    def after(self, moment: datetime) -> datetime | None:
        return self._whole.after(moment)

    @override
    def latest(self, moment: datetime) -> datetime | None:
        return self._whole.latest(moment)

    @override
    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:
        return self._whole.uncovered(last, here)

    @override
    def may_have_let_pass(self, last: datetime, now: datetime) -> bool:
        return self._whole.may_have_let_pass(last, now)

    @override
    def grid_of(self, task: Task, here: datetime) -> Schedule:
        return self._whole.grid_of(task, here)
