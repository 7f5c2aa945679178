"""Schedules and their slots. Moments are naive UTC; no clock is read.

A `Kind` is the meaning of one schedule option of a task; `kinds` has them all. A `Window` adds limits, jitter or
another zone.
"""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from typing_extensions import override

from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone
from est_alan_scheduler.schedules.coverage import first_uncovered, minus, next_slot, settled
from est_alan_scheduler.task import Task

AT_ONCE = datetime.min
"""The due moment of a slot that has come whatever the clock says."""

_TICK = timedelta(microseconds=1)
"""The least time between two moments."""


class Misfire(NamedTuple):
    """The latest of the slots that are too late to be run."""

    slot: datetime
    """As the task would record it."""
    late: timedelta


class Schedule:
    """When a task is due, given its earlier runs. `now` and recorded moments are local time, as the task has them."""

    __slots__ = ()

    zone: Zone
    """The zone of its wall times and dates."""
    step: timedelta | None = None
    """The time between slots, for a grid that begins with the first run; None for slots that are fixed."""
    is_fixed: bool = True
    """Whether the slots are fixed moments, whatever has been run of them."""
    is_recurring: bool = True
    """Whether there are slots on several dates, so that some of the dates can be excluded."""
    waits_for_slot: bool = False
    """Whether a task that has never run waits for the first slot after its registration."""
    shortest: timedelta = timedelta(seconds=1)
    """A time that two slots are never nearer than."""
    gap: float = 0.0
    """Seconds: of slots that are not fixed, no others coalesce into a run that is less late."""
    is_steady: ClassVar[bool] = False
    """Whether a due moment changes only with a run, an assignment or a retry; a slot of `at` passes with its day."""
    passes_with_date: ClassVar[bool] = False
    """Whether a slot no longer counts when its date is over."""

    @property
    def kind(self) -> "Kind":
        """The meaning of the schedule option alone."""
        raise NotImplementedError

    def due(self, task: Task, now: datetime) -> datetime | None:
        """Return the earliest slot that no run of `task` covers, as seen at `now`; None if none will come."""
        raise NotImplementedError

    def instant(self, moment: datetime) -> datetime:
        """Return the instant of a recorded moment."""
        raise NotImplementedError

    def to_clock(self, instant: datetime, now: datetime) -> datetime:  # noqa: ARG002  # only within a `Window`
        """Return an instant, seen at `now`, in the UTC of the machine's clock."""
        return instant

    def misfire(self, task: Task, now: datetime) -> Misfire | None:  # noqa: ARG002  # only within a `Window`
        """Return the misfire if even the latest slot that no run of `task` covers is later than its grace at `now`."""
        return None

    def next_run(self, task: Task, after: datetime) -> datetime | None:
        """Return the first moment after `after` at which a slot is due, as the task would record it."""
        raise NotImplementedError

    def following(self, task: Task, run_at: datetime) -> datetime | None:
        """Return when the task is due after a run at `run_at`, as it would record it."""
        raise NotImplementedError

    # Fixed slots; in UTC.

    def first_due(self, task: Task, now: datetime) -> tuple[datetime, datetime | None]:
        """Return the instant of `now`, and the first slot that no run of `task` covers."""
        raise NotImplementedError

    def after(self, moment: datetime) -> datetime | None:
        """Return the first slot after a moment; None if there is none."""
        raise NotImplementedError

    def latest(self, moment: datetime) -> datetime | None:
        """Return the last slot at or before a moment; None if there is none."""
        raise NotImplementedError

    def number(self, after: datetime, until: datetime) -> int | None:  # noqa: ARG002  # some kinds know it
        """Return the number of slots after a moment, up to another one; None if they have to be counted one by one."""
        return None

    def grid_of(self, task: Task, here: datetime) -> "Schedule":  # noqa: ARG002  # some kinds have one for each task
        """Return the slots of a task that has run."""
        return self

    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:  # noqa: ARG002  # some kinds need it
        """Return the first slot after the last run that still counts at `here`; None if there is none."""
        return None if last is None else self.after(last)

    def may_have_let_pass(self, last: datetime, now: datetime) -> bool:  # noqa: ARG002  # some kinds need it
        """Return whether several slots may lie between two recorded moments, and only the latest one still counts."""
        return False


class Around(Schedule):
    """A schedule around another one: what a kind has as constants, it has by that one."""

    __slots__ = ("gap", "is_fixed", "is_recurring", "kind", "shortest", "step", "waits_for_slot", "zone")

    kind: "Kind"


class Kind(Schedule):
    """The meaning of a schedule option: its slots, whatever has been run of them."""

    __slots__ = ()

    zone: Zone = LOCAL
    has_slots: ClassVar[bool] = True
    """Whether there are moments of its own at which a task is due; without any, limits of them mean nothing."""
    meaningless: ClassVar[tuple[str, ...]] = ()
    """The fields of a task that limit what this option does not have."""

    @classmethod
    def of(cls, value: Any, zone: Zone) -> "Kind":
        """Return the schedule of a value of the option in a zone."""
        raise NotImplementedError

    def only_on(self, dates: str) -> "Kind":
        """Return the schedule without the slots on other dates than these, as `on` names them."""
        raise NotImplementedError

    @classmethod
    def describe(cls, value: Any, zone: str) -> str:
        """Return a value of the option in words; `zone` is added to a wall time."""
        raise NotImplementedError

    @classmethod
    def is_local(cls, value: Any) -> bool:  # noqa: ARG003  # some kinds need it
        """Return whether a value of the option means other instants in another zone."""
        return True

    @property
    @override
    def kind(self) -> "Kind":
        return self

    def dates(self, slot: datetime) -> list[date]:
        """Return the local dates of the wall times that are asked for and come at a slot: mostly one."""
        return [self.zone.from_utc(slot).date()]

    def is_clock_set_back(self, last: datetime, here: datetime) -> bool:
        """Return whether the last run lies so far ahead that the grid begins anew: the clock went back."""
        return self.step is not None and last - here > self.step

    def grid(self, begin: datetime, zone: Zone) -> "Kind":
        """Return the slots in a zone of a kind with a `step`; `begin` is one of them."""
        raise NotImplementedError

    @override
    def instant(self, moment: datetime) -> datetime:
        return to_utc(moment)

    @override
    def due(self, task: Task, now: datetime) -> datetime | None:
        return self.first_due(task, now)[1]

    @override
    def first_due(self, task: Task, now: datetime) -> tuple[datetime, datetime | None]:
        here = in_utc(now)
        base, spans = settled(self, task, here)
        return here, first_uncovered(self, base, here, spans)

    @override
    def next_run(self, task: Task, after: datetime) -> datetime | None:
        slot = self.after(to_utc(after))
        return None if slot is None else from_utc(slot)

    @override
    def following(self, task: Task, run_at: datetime) -> datetime | None:
        slot = next_slot(self, task, to_utc(run_at))
        return None if slot is None else from_utc(slot)


class NoSlots(Kind):
    """A kind without slots: other tasks or requests let a task run."""

    __slots__ = ()

    has_slots = False
    is_fixed = False
    is_recurring = False
    meaningless: ClassVar[tuple[str, ...]] = ("timezone", "start_at", "end_at", "exclude", "jitter", "misfire_grace")

    @classmethod
    @override
    def is_local(cls, value: Any) -> bool:
        return False

    @override
    def next_run(self, task: Task, after: datetime) -> datetime | None:
        return None

    @override
    def following(self, task: Task, run_at: datetime) -> datetime | None:
        return None

    @override
    def after(self, moment: datetime) -> datetime | None:
        return None

    @override
    def latest(self, moment: datetime) -> datetime | None:
        return None

    @override
    def number(self, after: datetime, until: datetime) -> int:
        return 0


def moment_in(moment: datetime, zone: Zone) -> datetime:
    """Return the instant of a moment that was set: wall time in `zone` if naive, at the end of a gap if within one."""
    if moment.tzinfo is not None:
        return zone.instant(moment)
    return zone.to_utc(moment) if moment.fold else zone.first_instant(moment) or zone.to_utc(moment)


def just_before(moment: datetime) -> datetime:
    """Return the last moment before another one; the first of the calendar has none before it."""
    return minus(moment, _TICK)


_converted = (AT_ONCE, AT_ONCE)


def in_utc(moment: datetime) -> datetime:
    """Return what `to_utc` does, without delay for the object of the last call: each task of a tick needs its `now`."""
    global _converted
    converted = _converted
    if converted[0] is not moment:
        converted = _converted = moment, to_utc(moment)
    return converted[1]
