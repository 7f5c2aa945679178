"""The replica: a registry's copy of the backend's rows, kept in its `Task`s."""

import logging
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import Definition, Snapshot, State, is_storable
from est_alan_scheduler.calendar.local_time import from_utc
from est_alan_scheduler.cluster.definition_codec import DEFINING, build, decode
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.state_codec import FIELDS, MANAGED, fields_of, is_blank
from est_alan_scheduler.cluster.task_records import ClaimState, KnownRow, TaskRecord, TaskRecords, is_same
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import own
from est_alan_scheduler.schedules.state import arm, keep_tried, tried
from est_alan_scheduler.task import Task, TaskStatus

_RUNNING = TaskStatus.RUNNING
_HELD = ClaimState.HELD


class Replica:
    """The rows of a backend, taken over into the tasks of a registry.

    The lock of `records`, the registry's, guards it. `sync_lock`, which is taken before that one, lets one thread at a
    time read, join, remove, or push edits, so that no older answer undoes a newer one. A pause, a request to run, a
    claim and an outcome do without `sync_lock`: the version in the row tells which is newer. The backend is never asked
    under the registry's lock. A method that asks it may raise `BackendUnavailableError`.
    """

    def __init__(
        self, backend: Backend, lease: Lease, records: TaskRecords, agenda: Agenda, names: FunctionNames
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._records = records
        self._agenda = agenda
        self._names = names
        self._names_seen = 0
        self.sync_lock = threading.RLock()
        self._revision = 0
        self._born: int | None = None
        self.is_paused = False
        """No instance starts anything: as the store said last."""
        self.is_left = False
        """The registry has another session by now."""

    def now(self) -> datetime:
        """Return the store's time as naive local time."""
        return from_utc(from_instant(self._backend.now()))

    def tried(self, task_id: str) -> int | None:
        """Return the slot of the last run of a task that has ended, as a store keeps it; None if there is none."""
        task = dict.get(self._agenda.store, task_id)
        slot = None if task is None else tried(task)
        return None if slot is None else to_instant(slot)

    def abandon(self) -> None:
        """Take the tasks of other instances out of the registry. Later answers of the backend change nothing."""
        replaced: list[Any] = []
        with self._records.lock:
            self.is_left = True
            for task_id in self._records.adopted_ids():
                self._drop(task_id, replaced)

    def remove(self, task_id: str) -> None:
        """Take a task, unresolved or not, out of the store; the caller holds `sync_lock`.

        The caller takes it out of the registry as well.
        """
        if is_storable(task_id):
            self._backend.remove([task_id])
        with self._records.lock:
            self._records.forget(task_id)
            self._records.clear_problem(task_id)

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
            self._agenda.changes += 1  # a tick under way has to decide again

    # Reading.

    def refresh(self, ids: Iterable[str] = (), due: Iterable[str] = ()) -> None:
        """Read what has changed, and the states of the tasks of these ids; those of `due` tasks only if newer."""
        records = self._records
        with self.sync_lock:
            is_named_anew = self._names.count != self._names_seen  # an unresolved task may find its function
            self._names_seen = self._names.count
            unresolved = records.unresolved() if is_named_anew else {}
            wanted = {*ids, *records.take_stale(), *unresolved}
            wanted = set(filter(is_storable, wanted))  # a field that was edited by hand may hold any text
            known = {key: row.version for key in due if key not in wanted and (row := records.row(key))}
            try:
                snapshot, is_emptied = self._fetch(wanted, known)
            except BaseException:
                records.mark_stale(wanted)
                raise
            replaced: list[Any] = []
            with records.lock:
                if self.is_left:
                    return
                if is_emptied:
                    self._forget_all()
                else:
                    found = {key: record.definition for key, record in unresolved.items() if record.definition}
                    snapshot = snapshot._replace(definitions={**found, **snapshot.definitions})
                self._take(snapshot, wanted, replaced)

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

    def log_unresolved(self) -> None:
        """Log, once each, the tasks that do not run here."""
        for task_id, problem in self._records.take_unlogged():
            log(logging.WARNING, f"Task {task_id!r} of the store does not run here: {problem}.")

    def _take(self, snapshot: Snapshot, wanted: set[str], replaced: list[Any]) -> None:
        now, records = self.now(), self._records
        self._revision, self._born = snapshot.revision, snapshot.born
        self._note_paused(snapshot.paused)
        for task_id, definition in snapshot.definitions.items():
            if definition is None:
                self._drop(task_id, replaced)
                records.clear_problem(task_id)
                continue
            try:
                self._take_definition(task_id, definition, snapshot.states.get(task_id), now, replaced)
            except ValueError as error:
                self._drop(task_id, replaced)
                records.set_problem(task_id, str(error), definition)
            else:
                records.clear_problem(task_id)
        for task_id, reason in snapshot.unreadable.items():
            records.set_problem(task_id, f"its row cannot be read: {reason}", None)
            self._drop(task_id, replaced)
        for task_id in wanted - snapshot.states.keys():
            if records.row(task_id) is not None and task_id in self._agenda.store:  # the store has lost it
                records.forget(task_id)
                records.mark_edited([task_id])
        for state in snapshot.states.values():
            self.take_state(state, now, replaced)

    def take_joined(self, task: Task, row: KnownRow, state: State | None, is_new: bool) -> None:
        """Take over how a task stands by the answer to its definition; None if its row cannot be read.

        `is_new` tells whether the store had no such task before. The caller holds the lock.
        """
        records = self._records
        own(task, self._agenda.reference)
        if state is None:
            records.forget(task.id)
            if records.problem(task.id) is None:
                records.set_problem(task.id, "its row cannot be read", None)
            return
        former = records.row(task.id)
        records.clear_problem(task.id)
        records.set_row(task.id, row, is_adopted=False)
        arm(task, None if row.definition.armed is None else from_utc(from_instant(row.definition.armed)))
        # A pause that the constructor does not say is one of another instance.
        is_unused = is_blank(state._replace(paused=False) if task.paused else state)
        if is_unused and (is_new or state.version == 1):
            row.version, row.fields = state.version, fields_of(state, task)
            row.initial = {name: task.__dict__[name] for name in FIELDS}
            records.mark_edited([task.id])
        else:
            self._write(task, row, state)
            self._keep_claim(task, row, former, state)

    def _keep_claim(self, task: Task, row: KnownRow, former: KnownRow | None, state: State) -> None:
        """Let an adopted task whose run was claimed here, and that is registered now, stand as before that claim.

        That run does not start: the tick has found another `Task` ready. The store gets back what stands here.
        """
        if self._runs_here(state) and former is not None and former.knows_before_claim():
            before = former.before_claim()
            task.__dict__.update(before)
            row.fields.update(before)
            row.requested = former.requested
            keep_tried(task, tried(self._agenda.store.get(task.id, task)))
            self._records.set_running_elsewhere(task.id, False)

    def _take_definition(
        self, task_id: str, definition: Definition, state: State | None, now: datetime, replaced: list[Any]
    ) -> None:
        """Take over what a task is; ValueError if it cannot be built here."""
        store, row = self._agenda.store, self._records.row(task_id)
        news = decode(definition.json)
        task = dict.get(store, task_id) if row is not None else None
        if row is not None and task is not None and row.hash == definition.hash:
            row.definition = news
            return
        built = build(task_id, news, self._names)
        if state is None or (task is None and task_id in store):
            return  # it is being registered
        if row is None:
            row = KnownRow(news, definition.hash)
            self._records.set_row(task_id, row, is_adopted=False)
        if task is None:
            task = built
            dict.__setitem__(store, task_id, task)
            self._records.set_row(task_id, row, is_adopted=True)
            self._agenda.add(task, now)
        else:
            changes = {name: getattr(built, name) for name in DEFINING if getattr(built, name) != getattr(task, name)}
            replaced.append(task._store(changes))
        row.note_definition(news, definition.hash)
        if news.armed is not None:
            arm(task, from_utc(from_instant(news.armed)))

    def take_state(self, state: State, now: datetime | None = None, replaced: list[Any] | None = None) -> None:
        """Take over how a task stands, if that is newer; the caller holds the lock.

        `replaced` gets the objects that are no longer needed, for the caller to drop them without the lock.
        """
        records = self._records
        task, record = dict.get(self._agenda.store, state.id), records.get(state.id)
        row = None if record is None else record.row
        if task is None or record is None or row is None or state.version <= row.version:
            return
        if self._runs_here(state):  # what stands here is newer, but for what others have asked
            row.version = state.version
            self._take_management(task, record, row, fields_of(state, task))
            return
        if record.run is not None:  # others have taken the task away: it is read when that run is over
            records.release(state.id)
            records.mark_stale([state.id])
            if state.version > row.lost_version:
                row.lost_version = state.version
                self._take_management(task, record, row, fields_of(state, task))
            return
        old = self._write(task, row, state)
        if replaced is not None:
            replaced.append(old)
        self._agenda.reread(task, self.now() if now is None else now)

    def _runs_here(self, state: State) -> bool:
        """Tell whether a run is claimed here, perhaps by a claim whose answer is still to come."""
        if state.status is not _RUNNING or state.owner != self._lease.owner:
            return False
        return not self._records.is_claimed(state.id) or self._records.is_claimed(state.id, state.epoch)

    def _take_management(self, task: Task, record: TaskRecord, row: KnownRow, news: dict[str, Any]) -> None:
        """Take over what may be asked of a task whose run is claimed here."""
        fields = task.__dict__
        if not row.fields:  # the task is new, and its id had another one before, which runs
            fields.update({name: news[name] for name in MANAGED})
            return
        if is_same(fields["paused"], row.fields["paused"]):  # or it was assigned here
            fields["paused"] = news["paused"]
        row.fields["paused"] = news["paused"]
        if record.state is _HELD or record.run is None:
            row.requested = news["run_requested"]
            self._agenda.changes += 1  # it may not start any more
        else:
            if is_same(fields["run_requested"], row.fields["run_requested"]):
                fields["run_requested"] = news["run_requested"]
            row.fields["run_requested"] = news["run_requested"]
            if fields["status"] is not _RUNNING:  # its run has ended, and the outcome is not written yet
                self._agenda.reread(task, self.now())

    def _write(self, task: Task, row: KnownRow, state: State) -> list[Any]:
        """Write a state into the fields of a task, but for edits not pushed yet; return what it replaced."""
        fields, news = task.__dict__, fields_of(state, task)
        old, message = [fields["result"], fields["error"]], fields["error_message"]
        keep_tried(task, None if state.slot is None else from_instant(state.slot))
        for name, value in news.items():
            if not row.fields or is_same(fields[name], (row.initial or row.fields)[name]):
                fields[name] = value
        if fields["error_message"] != message:
            fields["error"] = None
        row.note_read(state, news)
        self._records.set_running_elsewhere(task.id, state.status is _RUNNING)
        return old

    def _drop(self, task_id: str, replaced: list[Any]) -> None:
        """Take a task whose row is known out of the registry."""
        task = dict.get(self._agenda.store, task_id)
        if task is not None and self._records.row(task_id) is not None:
            replaced.append(task)
            dict.__delitem__(self._agenda.store, task_id)
            self._agenda.drop(task_id)
        self._records.forget(task_id)

    def _forget_all(self) -> None:
        """Have all tasks put back into a store that has lost what it held."""
        records = self._records
        for task_id in records.running_elsewhere():  # its run ends late, and RUNNING would stand for ever
            task = dict.get(self._agenda.store, task_id)
            if task is not None:
                task.__dict__.update(status=TaskStatus.FAILED, error_message="its run was lost: the store was emptied")
                self._agenda.reread(task, self.now())
        for task_id in records.unresolved():
            records.clear_problem(task_id)
        for task_id in records.known_ids():
            records.forget(task_id)
            records.mark_edited([task_id])

    def undo_claim(self, task_id: str, epoch: int, version: int) -> None:
        """Note that a claim is undone in the store, which made this version of the row; the caller holds the lock."""
        task, row = dict.get(self._agenda.store, task_id), self._records.row(task_id)
        if row is not None and task is not None:
            row.version = version
            if row.requested:
                row.fields["run_requested"] = task.__dict__["run_requested"] = row.requested
            row.requested = None
        self._records.end(task_id, epoch)
        entry = self._agenda.entries.get(task_id)
        if row is not None and task is not None and entry is not None and entry.ready_at is None:
            self._agenda.reread(task, self.now())  # its tick has put it off, and it may have been resumed since

    def clear_after_fork(self) -> None:
        """Start over in a child process, without the parent's threads."""
        self.sync_lock = threading.RLock()
