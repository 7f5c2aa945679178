"""Window around a schedule: `start_at`, `end_at`, `exclude`, `jitter`, `misfire_grace`, and in another time zone.

All is computed in true UTC, in which the zone's rules are exact. Answers are in the UTC of the machine's clock.
"""

from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from datetime import time as time_of_day
from hashlib import blake2b

from typing_extensions import override

from est_alan_scheduler.calendar.zones import LOCAL, Zone, to_clock
from est_alan_scheduler.schedules.coverage import first_uncovered, next_slot, settled, skipped
from est_alan_scheduler.schedules.schedule import AT_ONCE, Around, Kind, Misfire, in_utc, just_before, moment_in
from est_alan_scheduler.schedules.state import Span, armed
from est_alan_scheduler.task import Task

_DAY = timedelta(days=1)


class Window(Around):
    """A kind of schedule with the limits, the jitter, the grace and the zone of a task."""

    __slots__ = ("_end", "_exclude", "_fixed_grid", "_id", "_jitter", "_start", "grace")

    def __init__(self, task: Task, kind: Kind, zone: Zone) -> None:
        self.kind = kind
        self.step = kind.step
        self.zone = zone
        self.grace = None if task.misfire_grace is None else timedelta(seconds=task.misfire_grace)
        self._id = task.id
        self._start = None if task.start_at is None else moment_in(task.start_at, zone)
        self._end = None if task.end_at is None else moment_in(task.end_at, zone)
        self._exclude = frozenset(task.exclude) if kind.is_recurring else frozenset()
        self._jitter = task.jitter or 0.0
        self.is_fixed = kind.step is None or self._start is not None
        self._fixed_grid = kind if kind.step is None or self._start is None else kind.grid(self._start, zone)
        # With `start_at`, an interval has slots from the beginning, too: a new task has none to make up for.
        has_begun = kind.step is not None and self.is_fixed
        self.waits_for_slot = kind.waits_for_slot or has_begun or not task.run_immediately
        self.is_recurring = kind.is_recurring
        shortest = kind.step or kind.shortest
        self.shortest = shortest - timedelta(seconds=self._jitter) if self._jitter else shortest
        self.gap = max(0.0, kind.gap - self._jitter)

    @override
    def instant(self, moment: datetime) -> datetime:
        """Return the true instant of a recorded moment."""
        return in_utc(moment) if self.zone is LOCAL else self.zone.instant(moment)

    @override
    def to_clock(self, instant: datetime, now: datetime) -> datetime:
        return instant if self.zone is LOCAL else to_clock(instant, now, self.instant(now))

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        here, grid, slot, _ = self._uncovered(task, now)
        if slot is None or slot is AT_ONCE:
            return slot
        moment = self._moment(grid, slot)
        return moment if self.zone is LOCAL else to_clock(moment, now, here)

    @override
    def misfire(self, task: Task, now: datetime) -> Misfire | None:
        here, grid, slot, spans = self._uncovered(task, now)
        if self.grace is None or slot is None or slot is AT_ONCE or self._moment(grid, slot) > here:
            return None
        latest = self._last_before(grid, here)
        if latest is not None and latest > slot and self._moment(grid, latest) > here:
            latest = self._last_before(grid, just_before(latest))  # the slot before it is due: no jitter reaches so far
        for begin, end in reversed(spans):
            if latest is not None and begin <= latest <= end:
                latest = self._last_before(grid, just_before(begin))
        if latest is None or latest < slot:
            latest = slot
        late = here - self._moment(grid, latest)
        return Misfire(self.zone.show(latest), late) if late > self.grace else None

    @override
    def next_run(self, task: Task, after: datetime) -> datetime | None:
        here = self.instant(after)
        grid = self._grid(task, here)
        begin = None  # where the grid begins, if that is the first run
        if self.step is not None and self._start is None:
            begin = self._begin(task, here)
            is_first = self.waits_for_slot and task.first_run_at is None and task.last_run_at is None
            here = max(here, begin if is_first else just_before(begin))
        if self._jitter:  # a slot in the past may be due in the future
            slot = self._last_before(grid, here)
            if slot is not None and (begin is None or slot > begin) and self._moment(grid, slot) > here:
                return self.zone.show(self._moment(grid, slot))
        return self._shown(grid, self._first_from(grid, grid.after(here)))

    @override
    def following(self, task: Task, run_at: datetime) -> datetime | None:
        here = self.instant(run_at)
        grid = self._grid(task, here)
        return self._shown(
            grid, next_slot(self, task, here) if self.is_fixed else self._first_from(grid, grid.after(here))
        )

    def _shown(self, grid: Kind, slot: datetime | None) -> datetime | None:
        """Return when a slot is due, as the task would record it."""
        return None if slot is None else self.zone.show(self._moment(grid, slot))

    def _grid(self, task: Task, here: datetime) -> Kind:
        """Return the slots."""
        return self._fixed_grid if self.is_fixed else self.kind.grid(self._begin(task, here), self.zone)

    def _begin(self, task: Task, here: datetime) -> datetime:
        """Return the true instant of the first run, of what it waits for if there has been none, else `here`."""
        recorded = task.first_run_at or task.last_run_at or (armed(task) if self.waits_for_slot else None)
        return here if recorded is None else self.zone.instant(recorded)

    @override
    def after(self, moment: datetime) -> datetime | None:
        return self._first_from(self._fixed_grid, self._fixed_grid.after(moment))

    @override
    def latest(self, moment: datetime) -> datetime | None:
        return self._last_before(self._fixed_grid, moment)

    @override
    def number(self, after: datetime, until: datetime) -> int | None:
        if self._exclude:
            return None
        after = after if self._start is None else max(after, just_before(self._start))
        until = until if self._end is None else min(until, self._end)
        return self._fixed_grid.number(after, until) if after < until else 0

    @override
    def grid_of(self, task: Task, here: datetime) -> "Window":
        if self.is_fixed:
            return self
        window = copy(self)
        window._fixed_grid = self._grid(task, here)
        return window

    @override
    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:
        grid = self._fixed_grid
        slot = self._first_from(grid, grid.uncovered(last, here))
        if not (self._jitter and self.kind.passes_with_date):
            return slot
        # Jitter may have moved a slot of the day before into today.
        before = self._last_before(grid, here if slot is None or slot > here else just_before(slot))
        if before is None or (last is not None and before <= last):
            return slot
        is_today = self.zone.from_utc(self._moment(grid, before)).date() >= self.zone.from_utc(here).date()
        return before if is_today else slot

    @override
    def may_have_let_pass(self, last: datetime, now: datetime) -> bool:
        return self.kind.may_have_let_pass(last, now)

    @override
    def first_due(self, task: Task, now: datetime) -> tuple[datetime, datetime | None]:
        here, _, slot, _ = self._uncovered(task, now)
        return here, slot

    # What is due.

    def _uncovered(self, task: Task, now: datetime) -> tuple[datetime, Kind, datetime | None, list[Span]]:
        """Return the true instant of `now`, the slots, and the earliest of them that has not been run or skipped.

        With them come the spans beyond it whose slots have been started.
        """
        here = self.instant(now)
        if not self.is_fixed:
            grid, slot = self._uncovered_on_grid(task, here)
            return here, grid, slot, []
        base, spans = settled(self, task, here)
        if task.misfired_at is not None and (misfired := skipped(self, task, here)) is not None:
            base = misfired if base is None else max(base, misfired)
        if base is None and self.waits_for_slot:
            # Its slots begin when it was registered. A cron slot at that very moment has passed; the grid of `start_at`
            # may begin at it.
            begin = armed(task)
            base = here if begin is None else self.instant(begin)
            base = base if self.step is None else just_before(base)
        return here, self._fixed_grid, first_uncovered(self, base, here, spans), spans

    def _uncovered_on_grid(self, task: Task, here: datetime) -> tuple[Kind, datetime | None]:
        """Return the grid that begins with the first run, and its earliest slot that has not been run or skipped."""
        last = None if task.last_run_at is None else self.zone.instant(task.last_run_at)
        if last is None and self.waits_for_slot:
            return self._uncovered_before_first_run(task, here)
        if last is None or self.kind.is_clock_set_back(last, here):  # it begins, or begins anew
            first = self._first_chance(here)
            return self.kind.grid(here if first is None or first is AT_ONCE else first, self.zone), first
        if task.misfired_at is not None:
            misfired = self.zone.instant(task.misfired_at)
            # A misfire too far ahead is of a time before the clock went back.
            if not self.kind.is_clock_set_back(misfired, here):
                last = max(last, misfired)
        grid = self._grid(task, here)
        return grid, self._first_from(grid, grid.uncovered(last, here))

    def _uncovered_before_first_run(self, task: Task, here: datetime) -> tuple[Kind, datetime | None]:
        """Return the grid that begins with the registration, and its first slot after that which was not skipped."""
        registered = armed(task)
        begin = base = here if registered is None else self.zone.instant(registered)
        if task.misfired_at is not None and not self.kind.is_clock_set_back(
            misfired := self.zone.instant(task.misfired_at), here
        ):
            base = max(begin, misfired)
        grid = self.kind.grid(begin, self.zone)
        return grid, self._first_from(grid, grid.after(base))

    def _first_chance(self, here: datetime) -> datetime | None:
        """Return the first moment from `here` on within the limits: the grid begins with it."""
        moment = here if self._start is None else max(here, self._start)
        while self._is_date_excluded(moment):
            end = self._end_of_date(moment)
            if end is None:
                return None
            moment = end
        if self._end is not None and moment > self._end:
            return None
        return AT_ONCE if moment == here else moment

    def _first_from(self, grid: Kind, slot: datetime | None) -> datetime | None:
        """Return `slot` or the first one after it that is within the limits."""
        if slot is not None and self._start is not None and slot < self._start:
            slot = grid.after(just_before(self._start))
        while slot is not None and (self._end is None or self._moment(grid, slot) <= self._end):
            if not self._is_excluded(grid, slot):
                return slot
            end = self._end_of_date(slot) if self._is_date_excluded(slot) else None
            slot = grid.after(slot if end is None else max(slot, just_before(end)))
        return None

    def _last_before(self, grid: Kind, moment: datetime) -> datetime | None:
        """Return the last slot at or before a moment, within the limits."""
        slot = grid.latest(moment if self._end is None else min(moment, self._end))
        while slot is not None and (self._start is None or slot >= self._start):
            if self._is_excluded(grid, slot):
                begin = self._begin_of_date(slot) if self._is_date_excluded(slot) else slot
                # At the end of a gap, the date may begin with a slot of the date before.
                slot = grid.latest(begin if begin < slot else just_before(slot))
            elif self._end is not None and self._moment(grid, slot) > self._end:
                slot = grid.latest(just_before(slot))
            else:
                return slot
        return None

    def _is_excluded(self, grid: Kind, slot: datetime) -> bool:
        return bool(self._exclude) and self._exclude.issuperset(grid.dates(slot))

    def _is_date_excluded(self, moment: datetime) -> bool:
        return bool(self._exclude) and self.zone.from_utc(moment).date() in self._exclude

    def _end_of_date(self, moment: datetime) -> datetime | None:
        """Return an instant up to which the local date stays that of `moment`; None at the end of the calendar."""
        return min((edge for edge in self._edges(moment) if edge > moment), default=None)

    def _begin_of_date(self, moment: datetime) -> datetime:
        """Return an instant since which the local date has been that of `moment`."""
        return max((edge for edge in self._edges(moment) if edge <= moment), default=moment)

    def _edges(self, moment: datetime) -> list[datetime]:
        """Return the instants next to `moment` at which the local date changes: midnight, which may come twice.

        With them comes a change of the clock, which may lead from one date to another.
        """
        edges, day = list[datetime](), self.zone.from_utc(moment).date()
        with suppress(OverflowError, ValueError):  # the ends of the calendar
            for wall in (datetime.combine(day, time_of_day()), datetime.combine(day, time_of_day()) + _DAY):
                edges += (
                    self.zone.first_instant(wall) or self.zone.to_utc(wall),
                    self.zone.to_utc(wall.replace(fold=1)),
                )
            change = self.zone.change(moment - _DAY, moment + _DAY)
            edges += () if change is None else (change,)
        return edges

    def _moment(self, grid: Kind, slot: datetime) -> datetime:
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
