"""Guard against a clock that goes back: up to which point the agenda still holds."""

from datetime import date, datetime, timedelta

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.schedules.coverage import TOLERANCE, guarded_until, minus
from est_alan_scheduler.schedules.schedule import AT_ONCE, Schedule
from est_alan_scheduler.task import Task


class ClockGuard:
    """The limit up to which the keys of an agenda stay lower bounds when the clock goes back.

    They do as long as the local date does not go back (the `at` slots of that day count again), as long as no last run
    lies more than its interval ahead (`every` begins its grid anew), and as long as no slot comes again that no run has
    started. So small steps cost nothing.
    """

    def __init__(self) -> None:
        self._day = 0  # the latest local date seen, as an ordinal
        self._zones: set[Zone] = set()  # of tasks, other than the local one
        self._latest = AT_ONCE  # the latest moment seen, in UTC: no run of the registry started after it
        self._latest_now = AT_ONCE  # the same in local time
        self._shortest: timedelta | None = None  # the shortest interval
        self._ahead = AT_ONCE  # before it, something else than before may be due

    def is_passed(self, now: datetime, utc: datetime) -> bool:
        """Return whether the clock, at local `now` or `utc`, went back too far."""
        if now.toordinal() < self._day or utc < self._ahead:
            return True
        if utc >= self._latest:
            return False
        is_beyond_a_step = self._shortest is not None and utc < minus(self._latest, self._shortest)
        return is_beyond_a_step or any(_day(zone, now) < _day(zone, self._latest_now) for zone in self._zones)

    def note_time(self, now: datetime, utc: datetime) -> None:
        """Note the time."""
        if utc > self._latest:
            self._latest, self._latest_now = utc, now
        day = now.toordinal()
        if day > self._day:
            self._day = day

    def forget_tasks(self) -> None:
        """Forget the tasks, but not the time."""
        self._shortest, self._ahead = None, AT_ONCE
        self._zones.clear()

    def note_zone(self, schedule: Schedule) -> None:
        """Note the zone of a task, in which dates count."""
        if schedule.zone is not LOCAL:
            self._zones.add(schedule.zone)

    def note_task(self, task: Task, schedule: Schedule) -> None:
        """Note the zone of a task whose grid begins with its first run, and its last run: the grid may begin anew."""
        self.note_zone(schedule)
        step = schedule.step
        if step is None:
            return
        if self._shortest is None or step < self._shortest:
            self._shortest = step
        for last in (task.last_run_at, task.misfired_at):
            if last is not None:
                self._ahead = max(self._ahead, minus(to_utc(last), step))

    def note_new(self, utc: datetime) -> None:
        """Note that the fixed slots of a task count from a moment on."""
        self._ahead = max(self._ahead, minus(utc, TOLERANCE))

    def note_fixed(self, task: Task, schedule: Schedule, now: datetime) -> None:
        """Note what has been run and skipped of a task whose slots are fixed."""
        limit = guarded_until(schedule, task)
        if limit is not None:
            self._ahead = max(self._ahead, schedule.to_clock(limit, now))


def _day(zone: Zone, now: datetime) -> date:
    return zone.from_utc(zone.instant(now)).date()
