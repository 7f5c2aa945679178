"""A schedule within limits: `start_at`, `end_at`, `exclude`, `jitter`, `misfire_grace`, and in another time zone.

Everything here is counted in true UTC, in which the zone's rules are exact. What goes out is shifted to the UTC that
the machine's clock is read in: the two differ only where a test has frozen the clock of a machine that is not in UTC.
"""

from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from hashlib import blake2b
from typing import NamedTuple

from est_alan_scheduler.cron import Cron
from est_alan_scheduler.local_time import to_utc
from est_alan_scheduler.schedules import AT_ONCE, Daily, Every, Once, Schedule, in_utc, moment_in
from est_alan_scheduler.task import Task
from est_alan_scheduler.zone import LOCAL, Zone

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_NONE = timedelta(0)

_keep_armed = Task.__dict__["_armed"].__set__  # an assignment would pass through the validation of fields


class Misfire(NamedTuple):
    """The latest of the slots that come too late to be run."""

    slot: datetime
    """As the task would record it."""
    late: timedelta


class Limited(Schedule):
    """Any schedule, and all that a task asks for beside it."""

    __slots__ = (
        "_end",
        "_exclude",
        "_id",
        "_is_anchored",
        "_is_bounded",
        "_jitter",
        "_origin",
        "_start",
        "grace",
        "kind",
        "zone",
    )

    def __init__(self, task: Task, kind: Schedule, zone: Zone) -> None:
        self.kind = kind
        self.zone = zone
        self.grace = None if task.misfire_grace is None else timedelta(seconds=task.misfire_grace)
        self._id = task.id
        self._start = None if task.start_at is None else moment_in(task.start_at, zone)
        self._end = None if task.end_at is None else moment_in(task.end_at, zone)
        self._exclude = frozenset(task.exclude) if not isinstance(kind, Once) else frozenset()
        self._jitter = task.jitter or 0.0
        self._origin: tuple[datetime, datetime] = AT_ONCE, AT_ONCE  # the first run as recorded, and its instant
        self._is_bounded = self._start is not None or self._end is not None or bool(self._exclude)
        # With slots of its own, a task that has never run waits for the next one: there is nothing to make up for.
        self._is_anchored = isinstance(kind, Cron) or (isinstance(kind, Every) and self._start is not None)

    def due(self, task: Task, now: datetime) -> datetime | None:  # noqa: D102  # as in Schedule
        here = self._here(now)
        slot = self._uncovered(task, now, here)
        return slot if slot is None or slot is AT_ONCE else self._moment(slot) + self._shift(now, here)

    def misfire(self, task: Task, now: datetime) -> Misfire | None:
        """Return the misfire if even the latest slot that no run of `task` covers is later than its grace at `now`."""
        here = self._here(now)
        slot = self._uncovered(task, now, here)
        if self.grace is None or slot is None or slot is AT_ONCE or self._moment(slot) > here:
            return None
        grid = self._grid(task, now, here)
        latest = self._last_before(grid, here)
        while latest is not None and latest > slot and self._moment(latest) > here:
            latest = self._last_before(grid, latest - _TICK)
        if latest is None or latest < slot:
            latest = slot
        late = here - self._moment(latest)
        return Misfire(self.zone.show(latest), late) if late > self.grace else None

    def next_run(self, task: Task, after: datetime) -> datetime | None:
        """Return the first moment after `after` at which a slot is due, as the task would record it."""
        if self._jitter and self._has_begun(task):  # a slot that has come may still be to be run
            here = self._here(after)
            slot = self._last_before(self._grid(task, after, here), here)
            if slot is not None and self._moment(slot) > here:
                return self.zone.show(self._moment(slot))
        return self.following(task, after)

    def following(self, task: Task, run_at: datetime) -> datetime | None:
        """Return when the task is due after a run at `run_at`, as it would record it."""
        here = self._here(run_at)
        grid = self._grid(task, run_at, here)
        slot = grid.after(here)
        if self._is_bounded:
            slot = self._first_from(grid, slot)
        return None if slot is None else self.zone.show(self._moment(slot) if self._jitter else slot)

    def _has_begun(self, task: Task) -> bool:
        """Tell whether it is known where the slots are."""
        has_run = task.first_run_at is not None or task.last_run_at is not None
        return has_run or self._start is not None or not isinstance(self.kind, Every)

    @property
    def _spread(self) -> timedelta:
        return timedelta(seconds=self._jitter)

    def _here(self, now: datetime) -> datetime:
        """Return the true instant of `now`."""
        return in_utc(now) if self.zone is LOCAL else self.zone.instant(now)

    def _shift(self, now: datetime, here: datetime) -> timedelta:
        """Return by how much the machine's UTC is ahead of true UTC."""
        return _NONE if self.zone is LOCAL else to_utc(now) - here

    def _recorded(self, moment: datetime, now: datetime, here: datetime) -> datetime:
        """Return the true instant of a moment that the task has recorded."""
        if self.zone is LOCAL or moment.tzinfo is not None:
            return self.zone.instant(moment)
        return to_utc(moment) - self._shift(now, here)

    def _grid(self, task: Task, now: datetime, here: datetime) -> Schedule:
        """Return where the slots are."""
        if not isinstance(self.kind, Every):
            return self.kind
        return self.kind.grid(self._start or self._begin(task, now, here), self.zone)

    def _begin(self, task: Task, now: datetime, here: datetime) -> datetime:
        """Return the true instant of the first run, of `here` if there has been none."""
        recorded = task.first_run_at or task.last_run_at
        if recorded is None:
            return here
        if recorded.tzinfo is None:
            return self._recorded(recorded, now, here)
        kept = self._origin
        if kept[0] is not recorded:
            kept = self._origin = recorded, self._recorded(recorded, now, here)
        return kept[1]

    def _uncovered(self, task: Task, now: datetime, here: datetime) -> datetime | None:
        """Return the earliest slot that has not been run or skipped."""
        kind, grid = self.kind, self._grid(task, now, here)
        done = [
            self._recorded(moment, now, here) for moment in (task.last_run_at, task.misfired_at) if moment is not None
        ]
        last = max(done, default=None)
        if isinstance(kind, Every):
            if task.last_run_at is None and not self._is_anchored:  # another schedule may have left a misfire
                return self._now_if_allowed(here)
            if last is not None and last - here > kind.step:
                return self._now_if_allowed(here)
        if last is None and self._is_anchored:
            last = self._anchor(task, here)
        if isinstance(kind, Daily):
            slot = kind.first(last, self.zone.from_utc(here).date())
        elif isinstance(kind, Once):
            slot = kind.slot if last is None or last < kind.slot else None
        else:
            slot = grid.after(last)  # type: ignore[arg-type]  # it is anchored, or has run
        return self._first_from(grid, slot)

    def _anchor(self, task: Task, here: datetime) -> datetime:
        """Return the moment at which this schedule was first looked at: its slots begin after it."""
        armed = task._armed
        if armed is None or armed[0] is not self:
            # A cron slot that is now has come; the grid that `start_at` begins may begin now.
            armed = self, here - _TICK if isinstance(self.kind, Every) else here
            _keep_armed(task, armed)
        return armed[1]  # type: ignore[no-any-return]

    def _now_if_allowed(self, here: datetime) -> datetime | None:
        """Return the first moment from `here` on that is within the limits: a grid begins there."""
        # Whatever the grid was: as time passes, the answer must never become an earlier one.
        moment = here if self._start is None else max(here, self._start)
        while (day := self.zone.from_utc(moment).date()) in self._exclude:
            moment = self._midnight(day + _DAY)
        if self._end is not None and moment > self._end:
            return None
        return AT_ONCE if moment == here else moment

    def _first_from(self, grid: Schedule, slot: datetime | None) -> datetime | None:
        """Return `slot` or the first one after it that is within the limits."""
        if slot is not None and self._start is not None and slot < self._start:
            slot = grid.after(self._start - _TICK)
        while slot is not None and (self._end is None or slot <= self._end):
            if not self._exclude:
                return slot
            day = grid.local_date(slot)
            if day not in self._exclude:
                return slot
            slot = grid.after(max(slot, self._midnight(day + _DAY) - _TICK))
        return None

    def _last_before(self, grid: Schedule, moment: datetime) -> datetime | None:
        """Return the last slot at or before a moment that is within the limits."""
        slot = grid.latest(moment if self._end is None else min(moment, self._end))
        while slot is not None and (self._start is None or slot >= self._start):
            day = grid.local_date(slot)
            if day not in self._exclude:
                return slot
            slot = grid.latest(min(slot, self._midnight(day)) - _TICK)
        return None

    def _midnight(self, day: date) -> datetime:
        wall = datetime.combine(day, time_of_day())
        return self.zone.first_instant(wall) or self.zone.to_utc(wall)

    def _moment(self, slot: datetime) -> datetime:
        """Return when a slot is due: later by its jitter, which is the same in every process."""
        if not self._jitter:
            return slot
        digest = blake2b(f"{self._id} {slot.isoformat()}".encode(), digest_size=7).digest()
        return slot + int.from_bytes(digest, "big") / 256**7 * self._spread
