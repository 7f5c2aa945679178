"""How far the clock may go back before the agenda has to be made anew."""

from datetime import date, datetime, timedelta

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.schedules.schedule import AT_ONCE, Schedule
from est_alan_scheduler.task import Task


class ClockGuard:
    """The limit up to which the keys of an agenda stay lower bounds when the clock goes back.

    They do while the local date does not go back (the `at` slots of that day were passed over), and while no last run
    comes to lie more than its interval ahead (`every` starts its grid anew). So small steps cost nothing.
    """

    def __init__(self) -> None:
        self._day = 0  # the latest local date seen, as an ordinal
        self._zones: set[Zone] = set()  # others that tasks are in
        self._latest = AT_ONCE  # the latest moment seen, in UTC: no run of the registry started after it
        self._latest_now = AT_ONCE  # the same in local time
        self._shortest: timedelta | None = None  # the shortest interval
        self._ahead = AT_ONCE  # before it, some last run that was set by hand lies more than its interval ahead

    def is_passed(self, now: datetime, utc: datetime) -> bool:
        """Tell whether the clock, at local `now` or `utc`, went back too far."""
        if now.toordinal() < self._day or utc < self._ahead:
            return True
        if utc >= self._latest:
            return False
        is_astray = self._shortest is not None and utc < _minus(self._latest, self._shortest)
        return is_astray or any(_day(zone, now) < _day(zone, self._latest_now) for zone in self._zones)

    def see(self, now: datetime, utc: datetime) -> None:
        """Take notice of the clock."""
        if utc > self._latest:
            self._latest, self._latest_now = utc, now
        day = now.toordinal()
        if day > self._day:
            self._day = day

    def forget_tasks(self) -> None:
        """Keep what was seen of the clock, and nothing of the tasks."""
        self._shortest, self._ahead = None, AT_ONCE
        self._zones.clear()

    def learn(self, task: Task, schedule: Schedule) -> None:
        """Take notice of a task: of the zone in which dates count, and of its last run if its grid may begin anew."""
        if schedule.zone is not LOCAL:
            self._zones.add(schedule.zone)
        step = schedule.kind.step
        if step is None:
            return
        if self._shortest is None or step < self._shortest:
            self._shortest = step
        for last in (task.last_run_at, task.misfired_at):
            if last is not None:
                self._ahead = max(self._ahead, _minus(to_utc(last), step))


def _day(zone: Zone, now: datetime) -> date:
    return zone.from_utc(zone.instant(now)).date()


def _minus(moment: datetime, step: timedelta) -> datetime:
    try:
        return moment - step
    except OverflowError:  # before the year 1
        return AT_ONCE
