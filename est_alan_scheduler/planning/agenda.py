"""Agenda of the tasks that may be due: an index over the store, never a second truth."""

import weakref
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from heapq import heappush
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.fields.unknown_function import UnknownFunction, is_unknown
from est_alan_scheduler.planning.clock_guard import ClockGuard
from est_alan_scheduler.planning.entry import Entry, Holder, own
from est_alan_scheduler.planning.indexes.dependents import Dependents
from est_alan_scheduler.planning.indexes.due_heap import DueHeap
from est_alan_scheduler.planning.indexes.stand_ins import StandIns
from est_alan_scheduler.planning.indexes.unscheduled import Unscheduled
from est_alan_scheduler.planning.task_dict import TaskDict
from est_alan_scheduler.schedules.coverage import note_clock, note_foreign_run, note_history, note_past, note_run
from est_alan_scheduler.schedules.due import due_moment, due_retry, keep_schedule
from est_alan_scheduler.schedules.schedule import AT_ONCE, Schedule, in_utc
from est_alan_scheduler.task import Task, TaskStatus

_RUNNING = TaskStatus.RUNNING  # looking up a member costs more than comparing it


class Agenda:
    """A heap keyed by due moment, lazily repaired; stand-ins, whose functions are unknown here, have one of their own.

    A key is a lower bound of the moment at which the task may become due: the caller that takes an entry checks the
    task itself, and files the entry again if it came too early. An entry that waits for a dependency is in `waiting`
    until the dependency succeeds. Changes of tasks and of the store are only noted (`note_…`: a deque, lock-free);
    `work_in` brings the index up to date. The registry's lock guards everything but the notes; the caller holds it.
    """

    def __init__(self) -> None:
        self.reference: weakref.ref[Holder] = weakref.ref(self)  # entries of this agenda have it
        self.store = TaskDict({}, self)
        self.read_clock: Callable[[], datetime] | None = None  # of the registry
        self.notes: deque[Task | tuple[str, bool] | None] = deque()
        self.clock_guard = ClockGuard()
        self.unscheduled = Unscheduled()
        self.changes = 0  # so far: a decision that a tick made at another count has to be made again
        self.starts = 0  # so far
        # With a cluster session: the tasks of fixed slots behind whose last runs the clock has gone back.
        self.set_back: set[str] = set()
        self.edit_log: deque[Task | tuple[str, bool] | None] | None = None  # a copy of the notes, for a cluster session
        # Freed by the caller after it has released the lock: `__del__` of a task's argument is user code.
        self._dropped: list[Task] = []
        self._order = 0
        self._clear()

    def _clear(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.batches: list[list[Entry]] = []  # the ready entries of each tick in progress
        self.held: dict[Entry, None] = {}  # due, but refused by a registry that asks for more
        self.waiting: dict[str, dict[Entry, None]] = {}  # by the id waited for
        self.dependents = Dependents(self.store)
        self.wanted_fresh, self.done_candidates = self.dependents.fresh, self.dependents.done_candidates
        self.heap = DueHeap()
        self.stand_ins = StandIns()
        self._unknown = self.stand_ins.names

    def __enter__(self) -> "Agenda":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.note_all()  # a Ctrl+C in the middle of a change: half of it may be missing

    # Notes: from any thread, with or without the lock.

    def note_task(self, task: Task) -> None:
        """Note that a field of `task` was assigned."""
        try:
            if self.notes[-1] is task:  # noted, not yet worked in: that will find the newest values
                return
        except IndexError:
            pass
        self.notes.append(task)

    def note_key(self, key: str, moved: bool) -> None:
        """Note that a key of the store was edited."""
        self.notes.append((key, moved))

    def note_all(self) -> None:
        """Note that the whole index has to be made anew."""
        self.notes.append(None)

    # The rest: under the lock.

    def work_in(self, now: datetime) -> None:
        """Bring the index up to date with all notes."""
        while self.notes:
            note = self.notes.popleft()
            self.changes += 1
            if self.edit_log is not None:
                self.edit_log.append(note)
            if note is None:
                self._rebuild(now)
            elif isinstance(note, Task):
                entry = self.entries.get(note.id)
                if entry is not None and entry.task is note:
                    self.dependents.note_candidate(note)
                    self._read(entry, note, now)
            else:
                self._follow_store(*note, now)

    def note_time(self, now: datetime) -> datetime:
        """Note the time, and return it in UTC; if the clock went back too far, file everything anew."""
        utc = to_utc(now)
        if self.clock_guard.is_passed(now, utc):
            self.changes += 1
            self.clock_guard = ClockGuard()
            for entry in self.entries.values():
                if entry.armed is not None and to_utc(entry.armed) > utc:
                    entry.armed = now  # otherwise its slots would wait for the old time
            self._rebuild(now)
        self.clock_guard.note_time(now, utc)
        return utc

    def add(self, task: Task, now: datetime) -> None:
        """Take in a task that has just been put at the end of the store."""
        entry = self.entries[task.id] = own(task, self.reference)
        if not entry.order and task.__dict__["history"]:  # it is new here
            schedule = keep_schedule(task)
            if schedule is not None and schedule.is_fixed:
                note_history(schedule, task)
        self._order += 1
        entry.order = self._order
        self.dependents.note_candidate(task)
        self._read(entry, task, now)

    def drop(self, task_id: str) -> None:
        """Take out the entry of an id, if there is one."""
        entry = self.entries.pop(task_id, None)
        if entry is None:
            return
        self.changes += 1  # others that a tick found ready may depend on it
        self._dropped.append(entry.task)
        self.unscheduled.logged.pop(task_id, None)
        self.dependents.forget(task_id)
        self.take_off(entry)
        self._unfile(entry)
        if self._unknown:
            self.stand_ins.note(entry, None)
        entry.drop()

    def take_dropped(self) -> list[Task]:
        """Return the dropped tasks, for the caller to free after it has released the lock."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def reread(self, task: Task, now: datetime) -> None:
        """Read all fields of a task that were written without a note."""
        entry = self.entries.get(task.id)
        if entry is not None and entry.task is task:
            self.changes += 1
            schedule = keep_schedule(task)
            if schedule is not None and schedule.is_fixed:
                note_foreign_run(schedule, task)
            self._read(entry, task, now)

    def sort(self, key: Callable[[Task], Any]) -> None:
        """Bring the tasks into another order of registration."""
        self.store.sort(key)
        for order, task_id in enumerate(self.store):
            if task_id in self.entries:
                self.entries[task_id].order = order
        self._order = len(self.store)
        self.heap.sort()
        self.stand_ins.heap.sort()

    def note_run(self, entry: Entry, now: datetime, due: datetime | None, recorded: datetime) -> bool:
        """Write the start of a run at `now` into its task, which has it as `recorded`; its slot was due at `due`.

        Return whether other slots may coalesce into it.
        """
        task, schedule = entry.task, entry.schedule or keep_schedule(entry.task)
        if schedule is not None and schedule.is_fixed:
            late = None if due is None or due is AT_ONCE else in_utc(now) - due
            if not note_run(schedule, task, now, late, recorded):
                return False
            self.clock_guard.note_fixed(task, schedule, now)
        return True

    def note_past(self, task_id: str, moments: Collection[datetime], now: datetime) -> None:
        """Note, after the clock has gone back, the slots and the starts of runs of a task by any instance, in UTC."""
        entry = self.entries.get(task_id)
        schedule = None if entry is None else keep_schedule(entry.task)
        if entry is not None and schedule is not None and schedule.is_fixed:
            self.changes += 1
            note_past(schedule, entry.task, moments)
            self._read(entry, entry.task, now)

    def note_misfire(self, entry: Entry, now: datetime) -> None:
        """Note that slots of a task were skipped."""
        schedule = keep_schedule(entry.task)
        if schedule is not None and schedule.is_fixed:
            entry.note_misfire()
            self.clock_guard.note_fixed(entry.task, schedule, now)

    def hold_due(self, moment: datetime, limit: int | None) -> list[Task]:
        """Return at most `limit` tasks that may be due at the UTC `moment`; the next tick checks them in any case."""
        entries = self.take_held()
        entries += self.heap.take(moment, None if limit is None else max(0, limit - len(entries)))
        for entry in entries:
            if entry.ready_at is None:
                self.held[entry] = None
        return [entry.task for entry in entries]

    def take_held(self) -> list[Entry]:
        """Take the entries that are due at any time: held ones, and ready ones that another tick has not started."""
        taken = self._left_over() if self.batches else []
        if self.held:
            taken += [entry for entry in self.held if not entry.is_dropped]
            self.held.clear()
        return taken

    def next_moment(self) -> datetime | None:
        """Return a lower bound, in UTC, of when the next task may be due; None if none is planned."""
        if self.batches and self._left_over():
            return AT_ONCE
        return self.heap.first()

    def file(self, entry: Entry, now: datetime, due: datetime | None = None) -> None:
        """File an entry under `due`, or else under the due moment of its task as seen at `now`."""
        task = entry.task
        if task.__dict__["status"] is _RUNNING:
            return  # a running task is filed when it ends or is assigned to
        if due is None and (due := due_moment(task, now)) is None:
            return
        if entry.due is not None:
            if entry.due <= due:
                return  # a lower bound, too: it is filed again when that has come
            self._unfile(entry)
        entry.due = due
        if entry.is_simple and due is not AT_ONCE:  # as long as the last run lies ahead, or there is none
            entry.sure_slot = due
        heap = self.stand_ins.heap if self._unknown and entry in self._unknown else self.heap
        found = heap.filed.setdefault(due, entry)  # in line: each run gets here
        if found is entry:
            heappush(heap.moments, due)
        elif isinstance(found, Entry):
            heap.filed[due] = {found: None, entry: None}
        else:
            found[entry] = None

    def file_anew(self, entry: Entry, now: datetime) -> None:
        """File an entry that was ready or waiting."""
        self.take_off(entry)
        self.file(entry, now)

    def start(self, entry: Entry) -> None:
        """Take an entry off the agenda because its task starts."""
        self.take_off(entry)
        self.starts += 1
        entry.started = self.starts

    def close(self, batch: list[Entry], now: datetime) -> None:
        """End the tick that found `batch` ready at this very `now`: file the entries that it did not start."""
        self.batches = [other for other in self.batches if other is not batch]
        for entry in batch:
            if entry.ready_at is now:
                self.changes += 1  # an outer tick may have found it ready as well, and have left it to this one
                self.file_anew(entry, now)

    def hold(self, entry: Entry) -> None:
        """Keep an entry that a tick has taken for the next tick, whenever that is."""
        self.take_off(entry)
        self.held[entry] = None

    def wait(self, entry: Entry, dependency: str, now: datetime) -> None:
        """Keep an entry that a tick has taken until `dependency` succeeds, or a retry is due."""
        self.take_off(entry)
        entry.waits_for = dependency
        self.waiting.setdefault(dependency, {})[entry] = None
        retry = due_retry(entry.task)
        if retry is not None and retry > in_utc(now):
            self.file(entry, now, retry)

    def file_dependents(self, dependency: str, now: datetime) -> None:
        """File the entries that wait for a dependency: it has succeeded."""
        for entry in self.waiting.pop(dependency, {}):
            entry.waits_for = None
            self.file(entry, now)

    def take_off(self, entry: Entry) -> None:
        """Note that an entry is neither ready, held nor waiting any more, and that its task may have changed."""
        entry.ready_at = entry.sure_slot = None
        if self.held:
            self.held.pop(entry, None)
        if entry.waits_for is not None:
            others = self.waiting[entry.waits_for]
            del others[entry]
            if not others:
                del self.waiting[entry.waits_for]
            entry.waits_for = None

    def _unfile(self, entry: Entry) -> None:
        due, entry.due = entry.due, None
        if due is not None:
            heap = self.stand_ins.heap if self._unknown and entry in self._unknown else self.heap
            heap.unfile(entry, due)

    def _read_function(self, entry: Entry, func: object) -> None:
        """Note whether the function of a task is unknown here: the entry belongs into the one or the other heap."""
        name = func.name if is_unknown(func) else None
        if name != self._unknown.get(entry):
            self._unfile(entry)
        self.stand_ins.note(entry, name)

    def _left_over(self) -> list[Entry]:
        """Return the entries that ticks in progress have found ready, but not started yet."""
        return list(dict.fromkeys(entry for batch in self.batches for entry in batch if entry.ready_at is not None))

    def _read(self, entry: Entry, task: Task, now: datetime) -> None:
        """Read all fields of a task: its schedule or its dependencies may have changed."""
        fields = task.__dict__
        if entry.armed is None:
            entry.armed = now
        schedule = keep_schedule(task)
        if schedule is None or self.unscheduled.logged:
            self.unscheduled.note(task.id)
        is_steady = False
        if schedule is not None:
            if schedule.is_fixed:
                self._read_fixed(entry, task, schedule, now)
            else:
                self.clock_guard.note_task(task, schedule)
            is_steady = schedule.is_steady
        if fields["depends_on"] or "after" in fields or task.id in self.dependents.inputs:
            self.dependents.read(task)
        if self._unknown or type(fields["func"]) is UnknownFunction:
            self._read_function(entry, fields["func"])
        # With a backend, fields are written without a note, or before it.
        entry.is_simple = self.edit_log is None and is_steady and not fields["depends_on"]
        self.file_anew(entry, now)
        if self.waiting and fields["last_success_at"] is not None:
            self.file_dependents(task.id, now)

    def _read_fixed(self, entry: Entry, task: Task, schedule: Schedule, now: datetime) -> None:
        """Note for a task with fixed slots where the clock is, and how far it may go back."""
        fields, guard = task.__dict__, self.clock_guard
        guard.note_zone(schedule)
        if fields["last_run_at"] is None and fields["misfired_at"] is None and entry.armed is now:
            if schedule.waits_for_slot:
                guard.note_new(in_utc(now))
            return
        if note_clock(schedule, task, now) and self.edit_log is not None:
            self.set_back.add(task.id)
        guard.note_fixed(task, schedule, now)

    def _follow_store(self, key: str, moved: bool, now: datetime) -> None:
        task, entry = self.store.get(key), self.entries.get(key)
        order = None if moved or entry is None else entry.order
        if entry is not None and order is not None and entry.task is task:
            return
        self.drop(key)
        if task is not None:
            self.add(task, now)
            if order is not None:
                self.entries[key].order = order

    def _rebuild(self, now: datetime) -> None:
        # Rebuild all: a Ctrl+C may have left the parts inconsistent.
        old = list(self.entries.values())
        self._dropped += [entry.task for entry in old]
        self._clear()
        self.clock_guard.forget_tasks()
        for entry in old:
            entry.clear_place()
            if self.store.get(entry.task.id) is not entry.task:
                entry.drop()
        for task in list(self.store.values()):
            own(task, self.reference).clear_place()
            self.add(task, now)
