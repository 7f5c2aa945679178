"""Readiness: which of the tasks that are due a tick starts, within the capacity that is free."""

from collections.abc import Callable, Collection
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from est_alan_scheduler.events.event import Event
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.dependencies import first_stale, first_unmet, missing_text
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.why_not import label, misfire_text
from est_alan_scheduler.schedules.due import due_moment, misfire
from est_alan_scheduler.task import Task, TaskStatus

_RUNNING = TaskStatus.RUNNING  # looking up a member costs more than comparing it

_order = attrgetter("order")

Condition = Callable[[Task, datetime], bool]
"""Whether something is true of a task at a moment."""


class Notice(NamedTuple):
    """A finding of a tick under the lock: it is logged, and perhaps published, once the lock is released."""

    text: str
    event: Event | None = None


class Decision(NamedTuple):
    """The decision of a tick, and the state that it was made on."""

    ready: list[Entry]
    notices: list[Notice]
    now: datetime
    began: float
    """The time of the decision, by the monotonic clock."""
    changes: int
    starts: int


class Readiness:
    """Takes the tasks that may be due off the agenda, and puts back those that may not start yet.

    `calls` has the ids of the tasks whose calls go on. `may_go_ahead` tells whether the dependencies of a task that is
    due, or the request for its run, let it start. Guarded by the registry's lock, which the caller holds.
    """

    def __init__(
        self,
        agenda: Agenda,
        calls: Collection[str],
        count_misfire: Callable[[Entry], None],
        may_go_ahead: Condition,
    ) -> None:
        self._agenda = agenda
        self._calls = calls
        self._count_misfire = count_misfire
        self._may_go_ahead = may_go_ahead
        self._unscheduled = agenda.unscheduled.news  # each tick asks
        self._warned: set[str] = set()  # missing dependencies that are in the log

    def forget(self, task_id: str) -> None:
        """Note that a task of that id is registered: should it be missing again, that is logged again."""
        self._warned.discard(task_id)

    def take(
        self, now: datetime, available: int | None, stricter: Condition | None, notices: list[Notice]
    ) -> list[Entry]:
        """Return the entries to start at `now`, in registration order, and add to `notices`.

        `available` is the number of runs that may start, None for any number. `stricter` is the time condition of a
        registry that asks for more than schedule and dependencies do, else None.
        """
        agenda, calls = self._agenda, self._calls
        ready: list[Entry] = []
        utc = agenda.note_time(now)
        if self._unscheduled:
            notices += map(Notice, agenda.unscheduled.texts(agenda.store))
        if available == 0:
            return ready
        taken = agenda.take_held()
        if available is None:
            taken += agenda.heap.take(utc, None)
            taken.sort(key=_order)
        while True:
            for entry in taken:
                slot = entry.sure_slot
                if slot is not None and stricter is None and not (calls and entry.task.id in calls):
                    entry.slot = slot
                elif not self._is_ready(entry, now, utc, stricter, notices):
                    continue
                if available is not None and len(ready) >= available:
                    agenda.hold(entry)
                else:
                    entry.ready_at = now
                    ready.append(entry)
            if available is None or len(ready) >= available:
                break
            taken = agenda.heap.take(utc, available - len(ready))
            if not taken:
                break
        if ready:
            if available is not None:
                ready.sort(key=_order)
            agenda.batches.append(ready)
        return ready

    def _is_ready(
        self, entry: Entry, now: datetime, utc: datetime, stricter: Condition | None, notices: list[Notice]
    ) -> bool:
        """Return whether the task of a taken entry is due and may go ahead; put the entry elsewhere if not."""
        agenda, calls, task = self._agenda, self._calls, entry.task
        fields = task.__dict__
        if fields["status"] is _RUNNING or (calls and task.id in calls):
            agenda.take_off(entry)
            return False
        slot = due_moment(task, now)
        is_due = slot is not None and slot <= utc
        if is_due and fields["misfire_grace"] is not None and self._skip_misfire(entry, now, notices):
            slot = due_moment(task, now)  # a retry may be due all the same
            is_due = slot is not None and slot <= utc
        if not (is_due if stricter is None else stricter(task, now)):
            # A due moment is a lower bound; only a subclass can refuse a task that is due.
            if is_due:
                agenda.hold(entry)
            else:
                agenda.file_anew(entry, now)
            return False
        if (stricter is not None or fields["depends_on"] or "after" in fields) and not self._may_go_ahead(task, now):
            self._put_off(entry, now, notices)
            return False
        entry.slot = slot
        return True

    def _skip_misfire(self, entry: Entry, now: datetime, notices: list[Notice]) -> bool:
        """Record the misfire of a task, if its slots come too late to be run; return whether they do."""
        task, fields = entry.task, entry.task.__dict__
        # A task that waits for a dependency has not misfired: the moment is not known yet.
        missed = misfire(task, now) if self._may_go_ahead(task, now) else None
        if missed is None:
            return False
        fields["misfired_at"] = missed.slot
        fields["misfires"] += 1
        self._agenda.note_misfire(entry, now)
        if self._agenda.edit_log is not None:
            self._agenda.edit_log.append(task)
        self._count_misfire(entry)
        notices.append(Notice(misfire_text(task, missed), Event("misfired", task.id, missed.slot)))
        return True

    def _put_off(self, entry: Entry, now: datetime, notices: list[Notice]) -> None:
        """Let the entry of a task that is due wait for the dependency that keeps it from starting."""
        agenda = self._agenda
        dependency = first_unmet(entry.task, agenda.store) or first_stale(entry.task, agenda.store, now)
        if dependency is None:
            agenda.hold(entry)
            return
        agenda.wait(entry, dependency, now)
        if dependency not in agenda.store and dependency not in self._warned:
            self._warned.add(dependency)
            missing, waiting = missing_text(entry.task, dependency, agenda.store), label(entry.task)
            text = f"Task {dependency!r} {missing}, but others depend on it and wait, {waiting} among them."
            notices.append(Notice(text))
