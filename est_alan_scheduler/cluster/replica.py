"""The replica: a registry's copy of the backend's rows, kept in its `Task`s."""

import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import listed
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.clock import to_instant
from est_alan_scheduler.backends.rows import Definition, Seen, Snapshot, State, is_storable
from est_alan_scheduler.cluster.codecs import states
from est_alan_scheduler.cluster.codecs.definitions import (
    TaskDefinition,
    build,
    decode,
    problem_text,
    values_to_become,
)
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.states import fields_of, is_blank, moment, state_problem
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.task_records import KnownRow, TaskRecords
from est_alan_scheduler.cluster.task_states import TaskStates
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import own
from est_alan_scheduler.planning.registration_order import RegistrationOrder
from est_alan_scheduler.schedules.state import arm, tried
from est_alan_scheduler.task import Task, TaskStatus


@dataclass(eq=False)
class Replica:
    """The rows of a backend, taken over into the tasks of a registry.

    The lock of `records`, the registry's, guards it. `sync_lock`, which is taken before that one, lets one thread at a
    time read, join, remove, or push edits, so that no older answer undoes a newer one. A pause, a request to run, a
    claim and an outcome do without `sync_lock`: the version in the row tells which is newer. The backend is never asked
    under the registry's lock. A method that asks it may raise `BackendUnavailableError`.
    """

    _backend: Backend
    _lease: Lease
    _records: TaskRecords
    _agenda: Agenda
    _names: FunctionNames
    is_observer: bool = False
    """The registry starts nothing: no lease, heartbeat or claims."""
    _names_seen: int = 0  # of the names of functions: how many
    _revision: int = 0
    _born: int | None = None
    _unlogged: list[str] = field(default_factory=list)  # tasks whose functions are unknown here
    _replaced: list[Any] = field(default_factory=list)  # dropped without the lock: a `__del__` is user code
    is_paused: bool = False
    """No instance starts anything: as the store said last."""
    has_left_backend: bool = False
    """The registry has another session by now."""
    met: dict[str, TaskDefinition] = field(default_factory=dict)
    """The stored definitions of tasks of the registry that are not shared yet."""
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What code registered last of tasks that are shared again: the store has lost them, or another one has them."""

    def __post_init__(self) -> None:
        self.sync_lock = threading.RLock()
        self.order = RegistrationOrder(self._agenda)
        self._states = TaskStates(self._lease, self._records, self._agenda, self._replaced)

    def now(self) -> datetime:
        """Return the store's time as naive local time."""
        return moment(self._backend.now())

    def tried(self, task_id: str) -> int | None:
        """Return the slot of the last run of a task that has ended, as a store keeps it; None if there is none."""
        task = dict.get(self._agenda.store, task_id)
        slot = None if task is None else tried(task)
        return None if slot is None else to_instant(slot)

    def abandon(self) -> None:
        """Take the tasks of other instances out of the registry. Later answers of the backend change nothing."""
        with self._records.lock:
            self.has_left_backend = True
            for task_id in self._records.adopted_ids():
                self._drop(task_id)
        self._replaced.clear()

    def remove(self, ids: Collection[str], seen: Mapping[str, Seen] | None = None) -> dict[str, Task] | None:
        """Take tasks, unresolved or not, out of the store and the registry; the caller holds `sync_lock`.

        Return those that were in the registry. One that is not shared is left there: the caller takes it out. None, and
        none is removed, if the store does not have any more what was `seen` of a single task.
        """
        store, removed = self._agenda.store, dict[str, Task]()
        if self._backend.remove(ids, seen) if seen else self._backend.remove(ids):
            return None
        with self._records.lock, self._agenda:
            for task_id in ids:
                if (task := dict.get(store, task_id)) is not None:
                    removed[task_id] = task
                # Its row is forgotten last: a task without one counts as new, and would be shared again.
                self._drop_removed(task_id)
                self._records.clear_problem(task_id)
        return removed

    def pause_all(self, paused: bool) -> bool:
        """Let no instance start anything, or let all start again; return whether that is a change."""
        with self.sync_lock:  # or an older answer could come after this one
            is_change = self._backend.pause_all(paused)
            with self._records.lock:
                self._note_paused(paused)
        return is_change

    def _note_paused(self, paused: bool) -> None:
        if self.is_paused is not paused:
            self.is_paused = paused
            self._agenda.changes += 1  # a tick in progress has to decide again

    def refresh(self, ids: Iterable[str] = (), due: Iterable[str] = ()) -> None:
        """Read what has changed, and the states of the tasks of these ids; those of `due` tasks only if newer.

        What is raised on the way loses nothing: the revision and the rest are noted last, and read again until then.
        """
        records, wanted, known = self._records, set[str](), dict[str, int]()
        with self.sync_lock:
            try:
                if len(self._names.kept) != self._names_seen:  # with an unknown function, an extra may have come
                    wanted.update(records.unresolved)
                    due = {*due, *self._find_functions()}
                records.take_stale(wanted)
                wanted.update(ids)
                wanted -= {key for key in wanted if not is_storable(key)}  # an edited field may hold any text
                known.update({key: row.version for key in due if key not in wanted and (row := records.row(key))})
                snapshot, is_emptied = self._fetch(wanted, known)
                with records.lock, self._agenda:
                    if self.has_left_backend:
                        return
                    if is_emptied:
                        self._forget_all()
                    else:
                        found = {key: found for key in wanted if (found := records.unresolved.get(key)) is not None}
                        snapshot = snapshot._replace(definitions={**found, **snapshot.definitions})
                    self._take(snapshot, wanted)
                    self._revision, self._born = snapshot.revision, snapshot.born
            except BaseException:
                records.mark_stale((*wanted, *known))
                raise
        self._replaced.clear()

    def _find_functions(self) -> list[str]:
        """Let tasks whose functions are known here by now call these; return their ids."""
        kept, found = self._names.kept, list[str]()
        with self._records.lock, self._agenda as agenda:
            agenda.work_in(now := self.now())  # its index has to be complete
            while self._names_seen < len(kept):
                name = kept[self._names_seen]
                for task in agenda.stand_ins.of(name):
                    # Without a note: nothing has changed for the others.
                    task.__dict__["func"] = self._names.find(name)
                    agenda.reread(task, now)
                    found.append(task.id)
                self._names_seen += 1  # not before: after a Ctrl+C the rest is found
        return found

    def log_problems(self) -> None:
        """Log which tasks cannot be known here, and those that do not run here, which an observer does not tell."""
        for task_id, problem in self._records.take_unlogged():
            log(logging.WARNING, f"Task {task_id!r} of the store does not run here: {problem}.")
        if not self._unlogged:
            return
        with self._records.lock:
            ids, self._unlogged = dict.fromkeys(self._unlogged), []
            tasks = (dict.get(self._agenda.store, task_id) for task_id in ids)
            unknown = [task.id for task in tasks if task is not None and is_unknown(task.func)]
        if unknown and not self.is_observer:
            text = "Tasks of the store run on other instances only, as their functions are unknown here"
            log(logging.INFO, f"{text}: {listed(unknown)}.")

    def read_news(self, task_id: str) -> Definition | None:
        """Return the definition of a task if it has changed since the last refresh; the caller holds `sync_lock`."""
        return self._backend.fetch([task_id], self._revision).definitions.get(task_id)

    def refresh_all(self) -> None:
        """Read the definitions of all tasks, not only those that have changed."""
        self._revision = 0
        self.refresh()

    def _fetch(self, wanted: set[str], known: dict[str, int]) -> tuple[Snapshot, bool]:
        """Return a snapshot, of all tasks if the store has lost what it held, and whether it has."""
        snapshot = self._backend.fetch(wanted, self._revision, known)
        if self._born is None or (snapshot.born == self._born and snapshot.revision >= self._revision):
            return snapshot, False
        if self.is_paused and not self.is_observer:
            self._backend.pause_all(True)
        return self._backend.fetch(None, 0), True

    def _take(self, snapshot: Snapshot, wanted: set[str]) -> None:
        now, records = self.now(), self._records
        self._note_paused(snapshot.paused)
        for task_id, definition in snapshot.definitions.items():
            if definition is None:
                self._drop_removed(task_id)
                records.clear_problem(task_id)
            elif task_id not in snapshot.unreadable:
                self._take_row(task_id, definition, snapshot.states.get(task_id), now)
        if snapshot.revision != self._revision:  # a row that was mended by hand tells nothing of it
            records.mark_stale(records.unreadable)
        for task_id, reason in snapshot.unreadable.items():
            self._set_aside(task_id, f"its row cannot be read: {reason}", snapshot.definitions.get(task_id), True)
        if snapshot.is_complete:
            self._drop_others(snapshot)
        for task_id in wanted - snapshot.states.keys():
            if records.row(task_id) is not None and task_id in self._agenda.store:
                self._lose(task_id)
        for state in snapshot.states.values():
            self.take_state(state, now)

    def _drop_others(self, snapshot: Snapshot) -> None:
        """Take the tasks out that a complete snapshot leaves out: they were removed, and their tombstones dropped."""
        records, found = self._records, snapshot.definitions.keys() | snapshot.unreadable.keys()
        for task_id in [task_id for task_id in (*records.known_ids(), *self.met) if task_id not in found]:
            self._drop_removed(task_id)
        for task_id in [task_id for task_id in records.problems if task_id not in found]:
            if task_id not in self._agenda.store:  # or it is one of this registry that cannot be shared
                records.clear_problem(task_id)

    def _take_row(self, task_id: str, definition: Definition, state: State | None, now: datetime) -> None:
        """Take over what a task is, or set it aside."""
        try:
            self._take_definition(task_id, definition, state, now)
        except Exception as error:  # a check of a field may raise anything for nonsense; a missing extra: ImportError
            self._set_aside(task_id, problem_text(error), definition)
        else:
            self._records.clear_problem(task_id)

    def _set_aside(
        self, task_id: str, problem: str, definition: Definition | None, is_unreadable: bool = False
    ) -> None:
        """Take a task that makes no sense here out of the registry, and note why; no other is hindered."""
        records = self._records
        row, task = records.row(task_id), dict.get(self._agenda.store, task_id)
        if definition is None:
            definition = records.unresolved.get(task_id)
        if definition is None and row is not None:
            definition = Definition(task_id, row.definition.text(), row.hash)
        records.set_problem(task_id, problem, definition, is_unreadable)
        if task is not None and row is not None:
            self._replaced.append(task)
            dict.__delitem__(self._agenda.store, task_id)
            self._agenda.drop(task_id)
        records.forget(task_id)

    def take_joined(
        self, task: Task, row: KnownRow, state: State | None, is_new: bool, managed: Task | None = None
    ) -> None:
        """Take over the state of a task from the answer to its definition; None if its row cannot be read.

        `is_new` tells whether the store had no such task before. The task gets the definition of `managed`, if that is
        in force. The caller holds the lock.
        """
        records = self._records
        own(task, self._agenda.reference)
        problem = "its row cannot be read" if state is None else state_problem(state, task)
        if state is None or problem is not None:
            records.forget(task.id)
            if records.problems.get(task.id) is None:
                records.set_problem(task.id, problem or "", None, True)
            return
        former = records.row(task.id)
        for found in (self.met, self.registered):
            found.pop(task.id, None)
        if managed is not None:
            self._define(task, managed)
        records.clear_problem(task.id)
        records.set_row(task.id, row, is_adopted=False)
        self.order.put(task.id)
        arm(task, None if row.definition.armed is None else moment(row.definition.armed))
        # A pause that the constructor does not say is one of another instance.
        is_unused = is_blank(state._replace(paused=False) if task.paused else state)
        if is_unused and (is_new or state.is_first):
            row.version, row.fields = state.version, fields_of(state, task)
            row.initial = states.read(task.__dict__, states.FIELDS)
            records.mark_edited([task.id])
        else:
            self._states.write(task, row, state)
            self._states.keep_claim(task, row, former, state)

    def _take_definition(self, task_id: str, definition: Definition, state: State | None, now: datetime) -> None:
        """Take over what a task is; ValueError if it cannot be built here."""
        store, row = self._agenda.store, self._records.row(task_id)
        news = decode(definition.json)
        self.order.note(task_id, news.place)
        task = dict.get(store, task_id) if row is not None else None
        if row is not None and task is not None and row.hash == definition.hash and row.definition.zone == news.zone:
            row.definition = news
            return
        built = build(task_id, news, self._names, self.is_observer)
        if state is None or (task is None and task_id in store):
            if task_id in self._records.problems:  # it was registered although its row could not be read
                self._records.mark_edited([task_id])
            self.met[task_id] = news
            return  # it is being registered
        # The hash comes last: until then, all of this is done again.
        if row is None or task is None:
            task, row = built, row or KnownRow(news, "")
            self._records.set_row(task_id, row, is_adopted=True)
            dict.__setitem__(store, task_id, task)
            self._agenda.add(task, now)
            self.order.put(task_id)
        else:
            self._define(task, built)
            task.__dict__["timezone"] = built.timezone  # equal to a `ForeignZone` of that name, and something else
        if news.armed is not None:
            arm(task, moment(news.armed))
        if is_unknown(task.func):
            self._unlogged.append(task_id)
        row.definition, row.hash = news, definition.hash
        self._records.changes.note(task_id)

    def let_join(self, task_id: str) -> None:
        """Let a task of the registry join the row of its id, which is known, as one that is registered does."""
        if (row := self._records.row(task_id)) is not None:
            self.met[task_id] = row.definition
        self._records.forget(task_id)

    def _define(self, task: Task, built: Task) -> None:
        """Give a task the definition of another one."""
        changes = {**values_to_become(task, built), "func": built.func}
        self._replaced.append(task._store(changes))
        # It says no less than one that is built: defaults of the registry may be filled in.
        task.__pydantic_fields_set__.difference_update(changes.keys() - built.model_fields_set)

    def take_state(self, state: State, now: datetime | None = None) -> None:
        """Take over the state of a task, if that is newer, or set the task aside; the caller holds the lock."""
        try:
            self._states.take(state, self.now() if now is None else now)
        except Exception as error:  # of values that fit their columns, and make no sense together
            self._set_aside(state.id, f"its row cannot be read: {problem_text(error)}", None, True)

    def _drop_removed(self, task_id: str) -> None:
        """Take a task that was removed out of the registry, if its row is known."""
        self.met.pop(task_id, None)
        self.order.forget(task_id)
        self._drop(task_id)

    def _drop(self, task_id: str) -> None:
        """Take a task whose row is known out of the registry."""
        self.registered.pop(task_id, None)
        task = dict.get(self._agenda.store, task_id)
        if task is not None and self._records.row(task_id) is not None:
            self._replaced.append(task)
            dict.__delitem__(self._agenda.store, task_id)
            self._agenda.drop(task_id)
        self._records.forget(task_id)

    def _forget_all(self) -> None:
        """Mark the tasks to be written again: the store is empty."""
        records = self._records
        for task_id in records.elsewhere:  # its run ends late, and the task would stay RUNNING
            task = dict.get(self._agenda.store, task_id)
            if task is not None:
                task.__dict__.update(
                    status=TaskStatus.FAILED, error_message="its run was interrupted: the store was emptied"
                )
                self._agenda.reread(task, self.now())
        for task_id in list(records.unresolved):
            records.clear_problem(task_id)
        for task_id in records.known_ids():
            self._lose(task_id)

    def _lose(self, task_id: str) -> None:
        """Mark a task to be written again, which the store has lost; an observer forgets one of other instances."""
        if self.is_observer and self._records.is_adopted(task_id):
            self._drop_removed(task_id)
            return
        if (row := self._records.row(task_id)) is not None:
            self.registered[task_id] = row.definition.registered
        self._records.forget(task_id)
        self._records.mark_edited([task_id])

    def undo_claim(self, task_id: str, epoch: int, version: int) -> None:
        """Note that a claim is undone in the store, which made this version of the row; the caller holds the lock."""
        task, row = dict.get(self._agenda.store, task_id), self._records.row(task_id)
        with self._agenda as agenda:
            if row is not None and task is not None:
                row.version = version
                if row.request:
                    row.fields.update(row.request)
                    states.write(task, row.request)
                row.request = None
            self._records.end(task_id, epoch)
            entry = agenda.entries.get(task_id)
            if row is not None and task is not None and entry is not None and entry.ready_at is None:
                agenda.reread(task, self.now())  # its tick has put it off, and it may have been resumed since

    def clear_after_fork(self) -> None:
        """Start over in a child process, without the parent's threads."""
        self.sync_lock = threading.RLock()
