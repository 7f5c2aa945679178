"""How far the clock may go back before the agenda has to be made anew."""

from datetime import datetime, timedelta

from est_alan_scheduler.timing import AT_ONCE


class Horizon:
    """The limit up to which the keys of an agenda stay lower bounds when the clock goes back.

    They do while the local date does not go back (the `at` slots of that day were passed over), and while no last run
    comes to lie more than its interval ahead (`every` starts its grid anew). So small steps cost nothing.
    """

    def __init__(self) -> None:
        self._day = 0  # the latest local date seen, as an ordinal
        self._latest = AT_ONCE  # the latest moment seen, in UTC: no run of the registry started after it
        self._shortest: timedelta | None = None  # the shortest interval
        self._ahead = AT_ONCE  # before it, some last run that was set by hand lies more than its interval ahead
        self._limit = AT_ONCE  # before it, any last run may

    def is_passed(self, now: datetime, utc: datetime) -> bool:
        """Tell whether the clock, at local `now` or `utc`, went back too far."""
        return utc < self._limit or now.toordinal() < self._day

    def see(self, now: datetime, utc: datetime) -> None:
        """Take notice of the clock."""
        if utc > self._latest:
            self._latest = utc
            self._set_limit()
        self._day = max(self._day, now.toordinal())

    def forget_tasks(self) -> None:
        """Keep what was seen of the clock, and nothing of the tasks."""
        self._shortest, self._ahead = None, AT_ONCE
        self._set_limit()

    def learn(self, step: timedelta, last_run: datetime | None) -> None:
        """Take notice of an interval, and of the UTC moment of a last run."""
        if self._shortest is None or step < self._shortest:
            self._shortest = step
            self._set_limit()
        if last_run is not None:
            ahead = _minus(last_run, step)
            if ahead > self._ahead:
                self._ahead = ahead
                self._set_limit()

    def _set_limit(self) -> None:
        ours = AT_ONCE if self._shortest is None else _minus(self._latest, self._shortest)
        self._limit = max(ours, self._ahead)


def _minus(moment: datetime, step: timedelta) -> datetime:
    try:
        return moment - step
    except OverflowError:  # before the year 1
        return AT_ONCE
