"""Window around a schedule: `start_at`, `end_at`, `exclude`, `jitter`, `misfire_grace`, and in another time zone.

All is computed in true UTC, in which the zone's rules are exact. Answers are in the UTC of the machine's clock.
"""

from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from hashlib import blake2b

from typing_extensions import override

from est_alan_scheduler.calendar.zones import LOCAL, Zone, from_clock, to_clock
from est_alan_scheduler.schedules.schedule import AT_ONCE, TICK, Grid, Kind, Misfire, Schedule, in_utc, moment_in
from est_alan_scheduler.schedules.state import armed
from est_alan_scheduler.task import Task

_DAY = timedelta(days=1)


class Window(Schedule):
    """A kind of schedule with the limits, the jitter, the grace and the zone of a task."""

    __slots__ = (
        "_end",
        "_exclude",
        "_id",
        "_is_anchored",
        "_is_bounded",
        "_jitter",
        "_kind",
        "_origin",
        "_start",
        "grace",
        "step",
        "zone",
    )

    def __init__(self, task: Task, kind: Kind, zone: Zone) -> None:
        self._kind = kind
        self.step = kind.step
        self.zone = zone
        self.grace = None if task.misfire_grace is None else timedelta(seconds=task.misfire_grace)
        self._id = task.id
        self._start = None if task.start_at is None else moment_in(task.start_at, zone)
        self._end = None if task.end_at is None else moment_in(task.end_at, zone)
        self._exclude = frozenset(task.exclude) if kind.is_recurring else frozenset()
        self._jitter = task.jitter or 0.0
        self._origin: tuple[datetime, datetime] = (
            AT_ONCE,
            AT_ONCE,
        )  # of the first run: as recorded, and in UTC
        self._is_bounded = self._start is not None or self._end is not None or bool(self._exclude)
        # With `start_at`, an interval has slots from the beginning, too: a new task has none to make up for.
        self._is_anchored = kind.waits_for_slot or (kind.step is not None and self._start is not None)

    @property
    @override
    def kind(self) -> Kind:
        return self._kind

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        here = self._here(now)
        grid = self._grid(task, now, here)
        slot = self._uncovered(task, grid, now, here)
        if slot is None or slot is AT_ONCE:
            return slot
        moment = self._moment(grid, slot)
        return moment if self.zone is LOCAL else to_clock(moment, now, here)

    @override
    def misfire(self, task: Task, now: datetime) -> Misfire | None:
        here = self._here(now)
        grid = self._grid(task, now, here)
        slot = self._uncovered(task, grid, now, here)
        if self.grace is None or slot is None or slot is AT_ONCE or self._moment(grid, slot) > here:
            return None
        latest = self._last_before(grid, here)
        if latest is not None and latest > slot and self._moment(grid, latest) > here:
            latest = self._last_before(grid, latest - TICK)  # the slot before it is due: no jitter reaches so far
        if latest is None or latest < slot:
            latest = slot
        late = here - self._moment(grid, latest)
        return Misfire(self.zone.show(latest), late) if late > self.grace else None

    @override
    def next_run(self, task: Task, after: datetime) -> datetime | None:
        here = self._here(after)
        grid = self._grid(task, after, here)
        begin = None  # where the grid begins, if that is the first run
        if self.step is not None and self._start is None:
            begin = self._begin(task, after, here)
            here = max(here, begin - TICK)
        if self._jitter:  # a slot in the past may be due in the future
            slot = self._last_before(grid, here)
            if slot is not None and (begin is None or slot > begin) and self._moment(grid, slot) > here:
                return self.zone.show(self._moment(grid, slot))
        return self._shown_after(grid, here)

    @override
    def following(self, task: Task, run_at: datetime) -> datetime | None:
        here = self._here(run_at)
        return self._shown_after(self._grid(task, run_at, here), here)

    def _shown_after(self, grid: Grid, here: datetime) -> datetime | None:
        """Return when the first slot after an instant is due, as the task would record it."""
        slot = grid.after(here)
        if self._is_bounded:
            slot = self._first_from(grid, slot)
        return None if slot is None else self.zone.show(self._moment(grid, slot) if self._jitter else slot)

    def _here(self, now: datetime) -> datetime:
        """Return the true instant of `now`."""
        return in_utc(now) if self.zone is LOCAL else self.zone.instant(now)

    def _recorded(self, moment: datetime, now: datetime, here: datetime) -> datetime:
        """Return the true instant of a moment that the task has recorded."""
        if self.zone is LOCAL or moment.tzinfo is not None:
            return self.zone.instant(moment)
        return from_clock(moment, now, here)

    def _grid(self, task: Task, now: datetime, here: datetime) -> Grid:
        """Return the slots."""
        kind = self._kind
        return kind.grid(here if kind.step is None else self._start or self._begin(task, now, here), self.zone)

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

    def _uncovered(self, task: Task, grid: Grid, now: datetime, here: datetime) -> datetime | None:
        """Return the earliest slot that has not been run or skipped."""
        kind = self._kind
        last = None if task.last_run_at is None else self._recorded(task.last_run_at, now, here)
        begins = kind.step is not None and not self._is_anchored if last is None else kind.is_astray(last, here)
        if begins:  # or begins anew
            return self._first_chance(here)
        if task.misfired_at is not None:
            misfired = self._recorded(task.misfired_at, now, here)
            # A misfire too far ahead is of a time before the clock went back.
            if not kind.is_astray(misfired, here):
                last = misfired if last is None else max(last, misfired)
        if last is None and self._is_anchored:
            last = self._anchor(task, here)
        return self._first_from(grid, grid.uncovered(last, here))

    def _anchor(self, task: Task, here: datetime) -> datetime:
        """Return the moment after which the slots of a task that has never run begin: when it was registered."""
        begin = armed(task)
        anchor = here if begin is None else self._here(begin)
        # A cron slot at that very moment has passed; the grid of `start_at` may begin at it.
        return anchor if self.step is None else anchor - TICK

    def _first_chance(self, here: datetime) -> datetime | None:
        """Return the first moment from `here` on within the limits: the grid begins with it."""
        moment = here if self._start is None else max(here, self._start)
        while self._exclude and (day := self.zone.from_utc(moment).date()) in self._exclude:
            moment = self._midnight(day + _DAY)
        if self._end is not None and moment > self._end:
            return None
        return AT_ONCE if moment == here else moment

    def _first_from(self, grid: Grid, slot: datetime | None) -> datetime | None:
        """Return `slot` or the first one after it that is within the limits."""
        if slot is not None and self._start is not None and slot < self._start:
            slot = grid.after(self._start - TICK)
        while slot is not None and (self._end is None or self._moment(grid, slot) <= self._end):
            if not self._exclude:
                return slot
            day = grid.local_date(slot)
            if day not in self._exclude:
                return slot
            slot = grid.after(max(slot, self._midnight(day + _DAY) - TICK))
        return None

    def _last_before(self, grid: Grid, moment: datetime) -> datetime | None:
        """Return the last slot at or before a moment, within the limits."""
        slot = grid.latest(moment if self._end is None else min(moment, self._end))
        while slot is not None and (self._start is None or slot >= self._start):
            day = grid.local_date(slot)
            if day in self._exclude:
                slot = grid.latest(min(slot, self._midnight(day)) - TICK)
            elif self._end is not None and self._moment(grid, slot) > self._end:
                slot = grid.latest(slot - TICK)
            else:
                return slot
        return None

    def _midnight(self, day: date) -> datetime:
        wall = datetime.combine(day, time_of_day())
        return self.zone.first_instant(wall) or self.zone.to_utc(wall)

    def _moment(self, grid: Grid, slot: datetime) -> datetime:
        """Return the due moment of a slot: later by its jitter, the same in every process, but before the next slot."""
        if not self._jitter:
            return slot
        spread = timedelta(seconds=self._jitter)
        following = grid.after(slot)
        if following is not None and following - slot < spread:  # where the clock is changed
            spread = following - slot
        digest = blake2b(f"{self._id} {slot.isoformat()}".encode(errors="surrogatepass"), digest_size=7).digest()
        try:
            return slot + int.from_bytes(digest, "big") / 256**7 * spread
        except OverflowError:  # the end of the calendar
            return slot
