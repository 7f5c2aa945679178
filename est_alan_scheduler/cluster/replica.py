"""The replica: a registry's copy of the backend's rows, kept in its `Task`s."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import Definition, Snapshot, State, is_storable
from est_alan_scheduler.cluster.codecs import states
from est_alan_scheduler.cluster.codecs.definitions import DEFINING, TaskDefinition, build, decode, problem_text
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.states import fields_of, is_blank, moment, state_problem
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.task_records import ClaimState, KnownRow, TaskRecord, TaskRecords, is_same
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import own
from est_alan_scheduler.planning.registration_order import RegistrationOrder
from est_alan_scheduler.schedules.state import arm, keep_tried, tried
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
    _names_seen: int = 0
    _revision: int = 0
    _born: int | None = None
    _replaced: list[Any] = field(default_factory=list)  # dropped without the lock: a `__del__` is user code
    is_paused: bool = False
    """No instance starts anything: as the store said last."""
    has_left_backend: bool = False
    """The registry has another session by now."""
    met: dict[str, TaskDefinition] = field(default_factory=dict)
    """The stored definitions of tasks of the registry that are not shared yet."""

    def __post_init__(self) -> None:
        self.sync_lock = threading.RLock()
        self.order = RegistrationOrder(self._agenda)

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
        self._replaced = []

    def remove(self, ids: Collection[str]) -> dict[str, Task]:
        """Take tasks, unresolved or not, out of the store and the registry; the caller holds `sync_lock`.

        Return those that were in the registry. One that is not shared is left there: the caller takes it out.
        """
        store, removed = self._agenda.store, dict[str, Task]()
        self._backend.remove(ids)
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
            names = self._names.count
            try:
                records.take_stale(wanted)
                wanted.update(ids)
                if names != self._names_seen:  # an unresolved task may find its function
                    wanted.update(records.unresolved)
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
                    self._revision, self._born, self._names_seen = snapshot.revision, snapshot.born, names
            except BaseException:
                records.mark_stale((*wanted, *known))
                raise
        self._replaced = []

    def refresh_all(self) -> None:
        """Read the definitions of all tasks, not only those that have changed."""
        self._revision = 0
        self.refresh()

    def _fetch(self, wanted: set[str], known: dict[str, int]) -> tuple[Snapshot, bool]:
        """Return a snapshot, of all tasks if the store has lost what it held, and whether it has."""
        snapshot = self._backend.fetch(wanted, self._revision, known)
        if self._born is None or (snapshot.born == self._born and snapshot.revision >= self._revision):
            return snapshot, False
        if self.is_paused:
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
            if records.row(task_id) is not None and task_id in self._agenda.store:  # the store has lost it
                records.forget(task_id)
                records.mark_edited([task_id])
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

    def take_joined(self, task: Task, row: KnownRow, state: State | None, is_new: bool) -> None:
        """Take over the state of a task from the answer to its definition; None if its row cannot be read.

        `is_new` tells whether the store had no such task before. The caller holds the lock.
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
        self.met.pop(task.id, None)
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
            self._write(task, row, state)
            self._keep_claim(task, row, former, state)

    def _keep_claim(self, task: Task, row: KnownRow, former: KnownRow | None, state: State) -> None:
        """Let an adopted task whose run was claimed here, and that is registered now, stand as before that claim.

        That run does not start: the tick has found another `Task` ready. The store gets back the state kept here.
        """
        if self._runs_here(state) and former is not None and former.knows_before_claim():
            before = former.before_claim()
            states.write(task, before)
            row.fields.update(before)
            row.request = former.request
            keep_tried(task, tried(self._agenda.store.get(task.id, task)))
            self._records.set_running_elsewhere(task.id, False)

    def _take_definition(self, task_id: str, definition: Definition, state: State | None, now: datetime) -> None:
        """Take over what a task is; ValueError if it cannot be built here."""
        store, row = self._agenda.store, self._records.row(task_id)
        news = decode(definition.json)
        self.order.note(task_id, news.place)
        task = dict.get(store, task_id) if row is not None else None
        if row is not None and task is not None and row.hash == definition.hash:
            row.definition = news
            return
        built = build(task_id, news, self._names)
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
            changes = {name: getattr(built, name) for name in DEFINING if getattr(built, name) != getattr(task, name)}
            self._replaced.append(task._store(changes))
            # It says no less than one that is built: defaults of the registry may be filled in.
            task.__pydantic_fields_set__.difference_update(changes.keys() - built.model_fields_set)
        if news.armed is not None:
            arm(task, moment(news.armed))
        row.definition, row.hash = news, definition.hash
        self._records.changes.note(task_id)

    def take_state(self, state: State, now: datetime | None = None) -> None:
        """Take over the state of a task, if that is newer, or set the task aside; the caller holds the lock."""
        try:
            self._take_state(state, now)
        except Exception as error:  # of values that fit their columns, and make no sense together
            self._set_aside(state.id, f"its row cannot be read: {problem_text(error)}", None, True)

    def _take_state(self, state: State, now: datetime | None) -> None:
        records = self._records
        task, record = dict.get(self._agenda.store, state.id), records.get(state.id)
        row = None if record is None else record.row
        if task is None or record is None or row is None or state.version <= row.version:
            return
        if self._runs_here(state):  # the local state is newer, except for requests of others
            row.version = state.version
            self._take_management(task, record, row, fields_of(state, task))
            return
        if record.run is not None:  # others have taken the task away: it is read when that run is over
            records.release(state.id)
            records.mark_stale([state.id])
            if state.version > row.newest_foreign_version:
                row.newest_foreign_version = state.version
                self._take_management(task, record, row, fields_of(state, task))
            return
        self._write(task, row, state)
        self._agenda.reread(task, self.now() if now is None else now)

    def _runs_here(self, state: State) -> bool:
        """Return whether a run is claimed here, perhaps by a claim whose answer is still to come."""
        if state.status is not TaskStatus.RUNNING or state.owner != self._lease.owner:
            return False
        return not self._records.is_claimed(state.id) or self._records.is_claimed(state.id, state.epoch)

    def _take_management(self, task: Task, record: TaskRecord, row: KnownRow, news: dict[str, Any]) -> None:
        """Take over what may be asked of a task whose run is claimed here."""
        self._records.changes.note(task.id)
        fields = task.__dict__
        if not row.fields:  # the task is new, and its id had another one before, which runs
            states.write(task, {name: news[name] for name in states.MANAGED})
            return
        if is_same(fields["paused"], row.fields["paused"]):  # or it was assigned here
            fields["paused"] = news["paused"]
        row.fields["paused"] = news["paused"]
        if record.state is ClaimState.HELD or record.run is None:
            is_requested = news["run_requested"] is not None
            row.request = {name: news[name] for name in states.REQUEST} if is_requested else None
            self._agenda.changes += 1  # it may not start any more
        else:
            own = states.read(fields, states.REQUEST)
            states.write(task, {name: news[name] for name in states.REQUEST if is_same(own[name], row.fields[name])})
            row.fields.update({name: news[name] for name in states.REQUEST})
            if fields["status"] is not TaskStatus.RUNNING:  # its run has ended, and the outcome is not written yet
                self._agenda.reread(task, self.now())

    def _write(self, task: Task, row: KnownRow, state: State) -> None:
        """Write a state into the fields of a task, but for edits not pushed yet."""
        fields, news, message = task.__dict__, fields_of(state, task), task.__dict__["error_message"]
        own = states.read(fields, states.FIELDS)
        self._replaced.extend((fields["result"], fields["error"]))
        keep_tried(task, None if state.slot is None else from_instant(state.slot))
        former = row.initial or row.fields
        changes = {name: value for name, value in news.items() if not former or is_same(own[name], former[name])}
        row.fields = {}  # until all is written: after a Ctrl+C in between, no half of it counts as an edit
        states.write(task, changes)
        if fields["error_message"] != message:
            fields["error"] = None
        row.epoch, row.fields, row.initial = state.epoch, news, None
        row.version = state.version  # last: until then, the state is taken again
        self._records.set_running_elsewhere(task.id, state.status is TaskStatus.RUNNING)

    def _drop_removed(self, task_id: str) -> None:
        """Take a task that was removed out of the registry, if its row is known."""
        self.met.pop(task_id, None)
        self.order.forget(task_id)
        self._drop(task_id)

    def _drop(self, task_id: str) -> None:
        """Take a task whose row is known out of the registry."""
        task = dict.get(self._agenda.store, task_id)
        if task is not None and self._records.row(task_id) is not None:
            self._replaced.append(task)
            dict.__delitem__(self._agenda.store, task_id)
            self._agenda.drop(task_id)
        self._records.forget(task_id)

    def _forget_all(self) -> None:
        """Mark all tasks to be written again: the store is empty."""
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
            records.forget(task_id)
            records.mark_edited([task_id])

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
