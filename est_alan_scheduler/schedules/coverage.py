"""Coverage: the slots that runs have started. It is needed once the clock has gone back.

As long as the clock goes forward, a run covers every slot up to its start, and `last_run_at` tells all. Once the clock
has gone back behind the last run, the slots ahead are of two sorts. One that a run has started does not
start again. One that no run has started runs as time reaches it, although a later run had made up for it: the clock may
have stood a year ahead. What lies before the moment to which the clock went back is settled.

A run starts the first slot that no run covers, and the latest one. Slots in between are coalesced, and not started.
For a registered task, the spans of time in which no slot was left out are kept (`_MOST` of them); before, and of other
instances, its history tells of single runs. Runs that neither tells of are unknown: after a restart those that the
history has dropped, and with several instances those of others that were not seen here and are dropped.
"""

from bisect import insort
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from est_alan_scheduler.schedules.state import Coverage, Span, tried
from est_alan_scheduler.task import Task

_MOST = 64  # spans, beside the latest one

TOLERANCE = timedelta(seconds=1)
"""A step of the clock back that a new task and a skipped slot do not notice."""


class FixedSlots(Protocol):
    """A schedule whose slots are fixed moments, whatever has been run of them. Instants are naive UTC."""

    shortest: timedelta
    waits_for_slot: bool
    is_recurring: bool

    def instant(self, moment: datetime) -> datetime:
        """Return the instant of a recorded moment."""

    def after(self, moment: datetime) -> datetime | None:
        """Return the first slot after an instant."""

    def latest(self, moment: datetime) -> datetime | None:
        """Return the last slot at or before an instant."""

    def uncovered(self, last: datetime | None, here: datetime) -> datetime | None:
        """Return the first slot after an instant that still counts at `here`."""

    def may_have_let_pass(self, last: datetime, now: datetime) -> bool:
        """Return whether several slots may lie between two recorded moments, and only the latest one still counts."""

    def first_due(self, task: Task, now: datetime) -> tuple[datetime, datetime | None]:
        """Return the instant of `now`, and the first slot that no run of `task` covers."""


def settled(schedule: FixedSlots, task: Task, here: datetime) -> tuple[datetime | None, list[Span]]:
    """Return the instant up to which all slots of `task` are settled, and the spans beyond it that are started.

    For a schedule with fixed slots. None: the task has never run.
    """
    recorded = task.__dict__["last_run_at"]
    if recorded is None:
        return None, []
    last, entry = schedule.instant(recorded), task._entry
    coverage: Coverage | None = None if entry is None else entry.coverage
    if last <= here and (coverage is None or coverage.is_plain):
        return last, []
    if coverage is None or coverage.last != recorded:
        return (last, []) if last <= here else (here, _known_spans(schedule, task, here))
    base = min(last if coverage.base is None else coverage.base, here)
    return base, [span for span in coverage.spans(last) if span[1] > base]


def first_uncovered(schedule: FixedSlots, base: datetime | None, here: datetime, spans: list[Span]) -> datetime | None:
    """Return the first slot that is neither settled nor started, as `settled` has it; None if there is none."""
    slot = schedule.uncovered(base, here)
    return _beyond(schedule, slot, spans) if spans else slot


def next_slot(schedule: FixedSlots, task: Task, moment: datetime) -> datetime | None:
    """Return the first slot after a moment that no run has started as far as it is known to the registry."""
    coverage = _valid(task)
    if coverage is None or coverage.is_plain:
        return schedule.after(moment)
    return _unstarted_after(schedule, moment, coverage.spans(schedule.instant(coverage.last)))


def skipped(schedule: FixedSlots, task: Task, here: datetime) -> datetime | None:
    """Return the latest slot of `task` that was skipped, unless the clock has gone back behind it."""
    recorded, entry = task.misfired_at, task._entry
    if recorded is None or (entry is not None and entry.void == recorded):
        return None
    misfired = schedule.instant(recorded)
    return misfired if misfired - here <= TOLERANCE else None


def note_run(schedule: FixedSlots, task: Task, now: datetime, late: timedelta | None, recorded: datetime) -> bool:
    """Note that a run of `task`, which is registered, begins at `now`, and make `recorded` its `last_run_at`.

    Return whether a new span may begin. `late` is the time since the due moment of its slot, if it has one.
    """
    coverage, fields = task._entry.coverage, task.__dict__
    is_plain = coverage is not None and coverage.is_plain and coverage.last == fields["last_run_at"]
    is_prompt = late is not None and late < schedule.shortest
    if is_plain and is_prompt and not schedule.may_have_let_pass(coverage.last, recorded):
        coverage.last = fields["last_run_at"] = recorded  # the common case: one slot, right after the one before
        return False
    here, slot = schedule.first_due(task, now)
    _extend(schedule, task, _valid(task), here, slot, recorded)
    fields["last_run_at"] = recorded
    return True


def note_foreign_run(schedule: FixedSlots, task: Task) -> None:
    """Note that another instance has begun a run, if `last_run_at` of `task` is a new one."""
    coverage, recorded = task._entry.coverage, task.last_run_at
    if coverage is None or coverage.last == recorded:
        return
    if recorded is None:
        task._entry.coverage = None
        return
    here, last = schedule.instant(recorded), schedule.instant(coverage.last)
    base = min(last if coverage.base is None else coverage.base, here)
    spans = [span for span in coverage.spans(last) if span[1] > base]
    _extend(schedule, task, coverage, here, first_uncovered(schedule, base, here, spans), recorded)


def note_clock(schedule: FixedSlots, task: Task, now: datetime) -> bool:
    """Note if the clock has gone back behind the last run of `task`, or behind a slot that was skipped.

    Return whether it newly has gone back behind the last run.
    """
    recorded, here = task.last_run_at, schedule.instant(now)
    if task.misfired_at is not None and skipped(schedule, task, here) is None:
        task._entry.void = task.misfired_at
    if recorded is None:
        return False
    last, coverage = schedule.instant(recorded), _valid(task)
    if last <= here or (coverage is not None and coverage.base is not None and coverage.base <= here):
        return False
    spans = [] if coverage is None else coverage.spans(last)
    _keep(schedule, task, recorded, here, [*spans, *_known_spans(schedule, task, here)])
    return True


def note_history(schedule: FixedSlots, task: Task) -> None:
    """Note the runs after the last one that the history of a new task tells of: the clock had gone back."""
    recorded = task.last_run_at
    if recorded is None or task._entry.coverage is not None:
        return
    with suppress(TypeError, KeyError):  # the zone of the task may have been assigned since some of them
        if all(run["run_at"] <= recorded for run in task.history):
            return
    last = schedule.instant(recorded)
    if spans := _known_spans(schedule, task, last):
        task._entry.coverage = Coverage(_span_of(schedule, last)[0], recorded, tuple(spans), None, is_ahead=True)


def note_past(schedule: FixedSlots, task: Task, moments: Collection[datetime]) -> None:
    """Note, after the clock has gone back, the slots and the starts of runs of `task` by any instance."""
    coverage = _valid(task)
    if coverage is not None and coverage.base is not None:
        known = coverage.spans(schedule.instant(coverage.last))
        found = [_span_of(schedule, moment) for moment in moments]
        _keep(schedule, task, coverage.last, coverage.base, known + found)


def guarded_until(schedule: FixedSlots, task: Task) -> datetime | None:
    """Return the instant behind which the clock cannot go back without a change of what is due; None: any other."""
    coverage, entry = _valid(task), task._entry
    moments = list[datetime]()
    if coverage is not None:
        moments.append(minus(coverage.since, schedule.shortest) if coverage.base is None else coverage.base)
    elif task.last_run_at is not None:
        moments.append(minus(schedule.instant(task.last_run_at), schedule.shortest))
    elif schedule.waits_for_slot and entry.armed is not None:
        moments.append(minus(schedule.instant(entry.armed), TOLERANCE))
    if task.misfired_at is not None and entry.void != task.misfired_at:
        moments.append(minus(schedule.instant(task.misfired_at), TOLERANCE))
    return max(moments, default=None)


def _valid(task: Task) -> Coverage | None:
    """Return what is kept about the runs of a registered task, unless its last run was set by hand."""
    coverage: Coverage | None = None if task._entry is None else task._entry.coverage
    return coverage if coverage is None or coverage.last == task.last_run_at else None


def _extend(
    schedule: FixedSlots,
    task: Task,
    coverage: Coverage | None,
    here: datetime,
    slot: datetime | None,
    recorded: datetime,
) -> None:
    """Note a run at `here`, after those of `coverage`, for the first uncovered `slot`, if that has come."""
    others = [] if coverage is None else list(coverage.others)
    is_due = slot is not None and slot <= here
    since = first = slot if slot is not None and is_due else schedule.latest(here) or here
    unstarted = _unstarted_after(schedule, first, others) if is_due else None
    if unstarted is not None and unstarted <= here:
        since = schedule.latest(here) or here
    if coverage is not None:
        insort(others, (coverage.since, schedule.instant(coverage.last)))
    if since > first:
        insort(others, (first, first))
    before = [span for span in others if span[1] < since]
    if before and not _is_slot_between(schedule, before[-1][1], since):
        since = before[-1][0]
    others = [span for span in others if not since <= span[0] <= span[1] <= here]
    task._entry.coverage = Coverage(
        since, recorded, tuple(others[-_MOST:]), None, any(span[1] > here for span in others)
    )


def _keep(schedule: FixedSlots, task: Task, recorded: datetime, base: datetime, spans: list[Span]) -> None:
    """Keep that the clock went back to `base`, behind the last run, and the spans beyond it."""
    last, merged = schedule.instant(recorded), list[Span]()
    for begin, end in sorted(spans):
        if merged and not _is_slot_between(schedule, merged[-1][1], begin):
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    since = next((begin for begin, end in merged if begin <= last <= end), last)
    others = [span for span in merged if span != (since, last)]
    task._entry.coverage = Coverage(since, recorded, tuple(others[-_MOST:]), base, is_ahead=True)


def _known_spans(schedule: FixedSlots, task: Task, after: datetime) -> list[Span]:
    """Return the spans of the runs after an instant that the history of `task` and its last run tell of."""
    runs = [task.last_run_at, *(run.get("run_at") for run in task.history)]
    moments = {schedule.instant(run) for run in runs if isinstance(run, datetime)}
    spans = sorted(_span_of(schedule, moment) for moment in moments if moment > after)
    known = tried(task)
    if known is not None and not schedule.is_recurring:  # the moment was assigned after its run
        spans = [span for span in spans if span[0] <= known]
    return spans


def _span_of(schedule: FixedSlots, run: datetime) -> Span:
    return schedule.latest(run) or run, run


def _is_slot_between(schedule: FixedSlots, end: datetime, begin: datetime) -> bool:
    """Return whether a slot lies between the end of a span and the begin of another one."""
    slot = schedule.after(end)
    return slot is not None and slot < begin


def _unstarted_after(schedule: FixedSlots, moment: datetime, spans: list[Span]) -> datetime | None:
    """Return the first slot after a moment that is in none of the spans."""
    return _beyond(schedule, schedule.after(moment), [span for span in spans if span[1] > moment])


def _beyond(schedule: FixedSlots, slot: datetime | None, spans: list[Span]) -> datetime | None:
    """Return `slot` or the first one after it that is in none of the spans, which are in order."""
    for begin, end in spans:
        if slot is None or slot < begin:
            break
        if slot <= end:
            slot = schedule.after(end)
    return slot


def minus(moment: datetime, time: timedelta) -> datetime:
    """Return the moment a time before another one, or the begin of the calendar."""
    try:
        return moment - time
    except OverflowError:
        return datetime.min
