"""The tasks of a store, as a registry has them: what they are and how they stand."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.checks import check_ids
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import Definition, Snapshot, State, is_storable
from est_alan_scheduler.calendar.local_time import from_utc
from est_alan_scheduler.cluster.definition_codec import DEFINING, Described, build, check_zone, describe, parse
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.state_codec import CLAIMED, FIELDS, MANAGED, fields_of, is_blank, past_of
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.observer import ClaimedRun
from est_alan_scheduler.schedules.state import arm, keep_tried, tried
from est_alan_scheduler.task import Task, TaskStatus

if TYPE_CHECKING:
    from est_alan_scheduler.runs.recorder import RunRecorder

_RUNNING = TaskStatus.RUNNING


class Row:
    """What is known of a task's row: as it was last read or written here."""

    __slots__ = ("described", "epoch", "fields", "hash", "heard", "requested", "said", "version")

    def __init__(self, described: Described, checksum: str) -> None:
        self.described = described
        self.hash = checksum
        self.version = 0
        self.heard = 0  # the version of what was last asked of a task that was taken away from its run here
        self.epoch = 0
        self.fields: dict[str, Any] = {}
        self.said: dict[str, Any] | None = None  # of a new task: how it stands, unless somebody else writes that first
        self.requested: str | None = None  # asked for since a run was claimed that has not started yet

    def knows_before_claim(self) -> bool:
        """Tell whether, of a run that is claimed and has not started, it is known how the task stood before that."""
        return self.fields.get("status", _RUNNING) is not _RUNNING


class Held(NamedTuple):
    """A run that is claimed and has not started."""

    run: ClaimedRun
    since: int | None
    """Since when the lease had lasted that it was claimed under; None: it must not start any more."""


class Replica:
    """What stands in the store, kept in the `Task`s of a registry.

    The registry's lock guards all of it. `turn`, which comes before that lock, lets one thread at a time read, share,
    remove or push what was edited, so that nothing is undone by what was read before. A pause or a request to run needs
    no turn, nor do claims and outcomes: the version in the row tells what is newer. The backend is never asked under
    the registry's lock. Whatever asks it may raise `BackendUnavailableError`.
    """

    def __init__(
        self, backend: Backend, lease: Lease, recorder: "RunRecorder", agenda: Agenda, names: FunctionNames
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._recorder = recorder
        self._agenda = agenda
        self._names = names
        self._names_seen = 0
        self.sync_lock = threading.RLock()
        self._revision = 0
        self._born: int | None = None
        self.rows: dict[str, Row] = {}
        self.unresolved: dict[str, tuple[str, Definition | None]] = {}
        """Tasks of the store that cannot be known here: why, and what is stored."""
        self.held: dict[str, Held] = {}
        """Runs that are claimed and not started."""
        self.released: dict[str, int] = {}
        """Runs that are claimed, will not be started, and are still to be given back: the epoch."""
        self.mine: dict[str, int] = {}
        """Runs that are claimed, and whose outcome is not written: the epoch."""
        self.elsewhere: set[str] = set()
        """RUNNING, and not here."""
        self.stale: set[str] = set()
        """To be looked at."""
        self.dirty: dict[str, None] = {}
        """Edited here, perhaps: what is different from the store has to get there."""
        self.is_paused = False
        """Nothing starts, here or elsewhere: as the store said last."""
        self.is_left = False
        """The tasks live elsewhere by now."""
        self._logged: dict[str, str] = {}  # what the log knows of the unresolved
        self._adopted: set[str] = set()  # of the store, not registered here

    def now(self) -> datetime:
        """Return the store's time as naive local time."""
        return from_utc(from_instant(self._backend.now()))

    def is_adopted(self, task_id: str) -> bool:
        """Tell whether a task is there because others have registered it."""
        return task_id in self._adopted

    def tried(self, task_id: str) -> int | None:
        """Return the slot of the last run of a task that has ended, as a store keeps it; None if there is none."""
        task = dict.get(self._agenda.store, task_id)
        slot = None if task is None else tried(task)
        return None if slot is None else to_instant(slot)

    def look_anew(self) -> None:
        """Read what all tasks are with the next look, not just what has changed."""
        self._revision, self.is_left = 0, False

    def abandon(self) -> None:
        """Take out of the registry what came from the store; what is read from now on is not taken in."""
        with self._recorder.lock:
            self.is_left = True
            garbage: list[Any] = []
            for task_id in list(self._adopted):
                self._drop(task_id, garbage)

    def join(
        self,
        tasks: Iterable[Task],
        refuse: Callable[[Task, bool], None] = lambda _, __: None,
        put_in: Callable[[Task], None] = lambda _: None,
    ) -> None:
        """Share tasks: write what they are if that is new, and take over how they stand.

        `refuse` raises ValueError for one that the registry, as it is then, does not take, knowing whether others have
        registered it; `put_in` puts each into the registry. ValueError also if one of them cannot be shared. Nothing is
        written then. One whose row makes no sense is put in and is unresolved: removing it clears the row.
        """
        tasks = list(tasks)
        described = {task.id: describe(task, self._names, None) for task in tasks}
        check_ids([Definition(task_id, "", "") for task_id in described])
        with self.sync_lock:
            self.refresh(described)
            with self._recorder.lock:
                for task in tasks:
                    refuse(task, task.id in self._adopted)
            self._join(tasks, described, put_in)

    def _join(self, tasks: list[Task], described: dict[str, Described], put_in: Callable[[Task], None]) -> None:
        now = self._backend.now()
        definitions = []
        rows = {}
        unknown = set()
        for task in tasks:
            own, known = described[task.id], self._described(task.id)
            if known is None:
                unknown.add(task.id)
            armed = now
            if known is not None:
                if own.zone is not None and known.zone is not None:
                    check_zone(task.id, known)
                    own = own._replace(zone=known.zone)
                if known.has_schedule_of(own) and known.armed is not None:
                    armed = known.armed
            own = own._replace(armed=armed)
            rows[task.id] = Row(own, own.hash())
            definitions.append(Definition(task.id, own.text(), own.hash(), task.paused))
        states = self._backend.define(definitions) if definitions else {}
        limits = {task.id: task.history_limit for task in tasks if task.id in states and states[task.id].epoch}
        runs = self._backend.past(limits)
        past = {task.id: [past_of(run, task) for run in runs[task.id]] for task in tasks if task.id in runs}
        with self._recorder.lock:
            for task in tasks:
                self._agenda.own(task)
                if task.id not in states:
                    self.unresolved.setdefault(task.id, ("its row cannot be read", None))
                    self._adopted.discard(task.id)
                    put_in(task)
                    continue
                self.unresolved.pop(task.id, None)
                arm(task, from_utc(from_instant(rows[task.id].described.armed or now)))
                if task.id in past:
                    task.__dict__["history"] = past[task.id]
                row, state = rows[task.id], states[task.id]
                # A pause that this task does not say is that of somebody else.
                is_unused = is_blank(state._replace(paused=False) if task.paused else state)
                if is_unused and (state.version == 1 or task.id in unknown):  # or was removed, and is new again
                    row.version, row.fields = state.version, fields_of(state, task)
                    row.said = {name: task.__dict__[name] for name in FIELDS}
                    self.dirty[task.id] = None
                else:
                    self._write(task, row, state)
                    self._keep_claim(task, row, state)
                self.rows[task.id] = row
                self._adopted.discard(task.id)
                put_in(task)

    def _keep_claim(self, task: Task, row: Row, state: State) -> None:
        """Let a task whose run was claimed here while others had registered it stand as before that claim.

        When it is given back, the store is to stand so, too. What was found ready is not this `task`.
        """
        known = self.rows.get(task.id)
        if self._runs_here(state) and known is not None and known.knows_before_claim():
            before = {name: known.fields[name] for name in (*CLAIMED, "run_requested")}
            task.__dict__.update(before)
            row.fields.update(before)
            row.requested = known.requested
            keep_tried(task, tried(self._agenda.store.get(task.id, task)))
            self.elsewhere.discard(task.id)

    def _described(self, task_id: str) -> Described | None:
        row = self.rows.get(task_id)
        if row is not None:
            return row.described
        _, definition = self.unresolved.get(task_id, ("", None))
        with suppress(ValueError):
            return None if definition is None else parse(definition.json)
        return None

    def remove(self, task_id: str) -> None:
        """Take a task out of the store, also one that is unresolved; it is for who has the `turn`.

        The caller takes it out of the registry as well.
        """
        if is_storable(task_id):
            self._backend.remove([task_id])
        with self._recorder.lock:
            self.forget(task_id)
            self.unresolved.pop(task_id, None)

    def pause_all(self, paused: bool) -> bool:
        """Let nothing start any more, here or elsewhere, or let it start again; return whether that is a change."""
        with self.sync_lock:  # or an older answer could come after this one
            is_change = self._backend.pause_all(paused)
            with self._recorder.lock:
                self._note_paused(paused)
        return is_change

    def _note_paused(self, paused: bool) -> None:
        if self.is_paused is not paused:
            self.is_paused = paused
            self._agenda.changes += 1  # a tick under way has to look again

    # Reading.

    def refresh(self, ids: Iterable[str] = (), due: Iterable[str] = ()) -> None:
        """Read what has changed, and how the tasks of these ids stand; of those that are `due`, if that is news."""
        with self.sync_lock:
            retried = self._names.count != self._names_seen
            self._names_seen = self._names.count
            asked = (*ids, *self.stale, *(self.unresolved if retried else ()))
            wanted = set(filter(is_storable, asked))  # what was put into a field by hand may be no id of any store
            self.stale -= wanted
            known = {key: row.version for key in due if key not in wanted and (row := self.rows.get(key))}
            try:
                snapshot = self._backend.fetch(wanted, self._revision, known)
                is_emptied = self._born is not None and (
                    snapshot.born != self._born or snapshot.revision < self._revision
                )
                if is_emptied:
                    if self.is_paused:
                        self._backend.pause_all(True)
                    snapshot = self._backend.fetch(None, 0)
            except BaseException:
                self.stale |= wanted
                raise
            garbage: list[Any] = []
            with self._recorder.lock:
                if self.is_left:
                    return
                if is_emptied:
                    self._forget_all()
                again = {key: kept[1] for key, kept in self.unresolved.items() if kept[1]} if retried else {}
                self._take(snapshot, wanted, again, garbage)

    def log_unresolved(self) -> None:
        """Tell the log, once each, of tasks that do not run here."""
        if self.unresolved.keys() == self._logged.keys():
            return
        with self._recorder.lock:
            news = [(key, kept[0]) for key, kept in self.unresolved.items() if self._logged.get(key) != kept[0]]
            self._logged = {key: kept[0] for key, kept in self.unresolved.items()}
        for task_id, reason in news:
            log(logging.WARNING, f"Task {task_id!r} of the store does not run here: {reason}.")

    def _take(
        self,
        snapshot: Snapshot,
        wanted: set[str],
        again: Mapping[str, Definition | None],
        garbage: list[Any],
    ) -> None:
        now = self.now()
        self._revision, self._born = snapshot.revision, snapshot.born
        self._note_paused(snapshot.paused)
        for task_id, definition in {**again, **snapshot.definitions}.items():
            reason = self._take_news(task_id, definition, snapshot.states.get(task_id), now, garbage)
            if reason is not None:
                self.unresolved[task_id] = reason, definition
            elif definition is not None:
                self.unresolved.pop(task_id, None)
        for task_id, reason in snapshot.unreadable.items():
            self.unresolved[task_id] = f"its row cannot be read: {reason}", None
            self._drop(task_id, garbage)
        for task_id in [task_id for task_id in wanted if task_id in self.rows and task_id in self._agenda.store]:
            if task_id not in snapshot.states:  # the store has lost it
                self.forget(task_id)
                self.dirty[task_id] = None
        for state in snapshot.states.values():
            self.take_state(state, now, garbage)

    def _take_news(
        self, task_id: str, definition: Definition | None, state: State | None, now: datetime, garbage: list[Any]
    ) -> str | None:
        """Take in what a task is now; return why that cannot be done here, if so."""
        store, row = self._agenda.store, self.rows.get(task_id)
        if definition is None:
            self._drop(task_id, garbage)
            self.unresolved.pop(task_id, None)
            return None
        try:
            described = parse(definition.json)
            task = dict.get(store, task_id) if row is not None else None
            if row is not None and task is not None and row.hash == definition.hash:
                row.described = described
                return None
            built = build(task_id, described, self._names)
        except ValueError as error:
            self._drop(task_id, garbage)
            return str(error)
        if state is None or (task is None and task_id in store):
            return None  # it is being registered
        if row is None:
            row = self.rows[task_id] = Row(described, definition.hash)
        if task is None:
            task = built
            dict.__setitem__(store, task_id, task)
            self._adopted.add(task_id)
            self._agenda.add(task, now)
        else:
            news = {name: getattr(built, name) for name in DEFINING if getattr(built, name) != getattr(task, name)}
            garbage.append(task._store(news))
        row.described, row.hash = described, definition.hash
        if described.armed is not None:
            arm(task, from_utc(from_instant(described.armed)))
        return None

    def take_state(self, state: State, now: datetime | None = None, garbage: list[Any] | None = None) -> None:
        """Take over how a task stands, if that is news; the caller holds the lock."""
        task, row = dict.get(self._agenda.store, state.id), self.rows.get(state.id)
        if task is None or row is None or state.version <= row.version:
            return
        if self._runs_here(state):  # what stands here is newer, but for what others may ask
            row.version = state.version
            self._take_management(task, row, fields_of(state, task))
            return
        if state.id in self.mine:
            self.release(state.id)  # somebody has taken it away
            self.stale.add(state.id)  # to be read when that run is over
            if state.version > row.heard:
                row.heard = state.version
                self._take_management(task, row, fields_of(state, task))
            return
        old = self._write(task, row, state)
        if garbage is not None:
            garbage.append(old)
        self._agenda.reread(task, self.now() if now is None else now)

    def _runs_here(self, state: State) -> bool:
        """Tell whether a run is claimed here, perhaps by a claim whose answer is still to come."""
        is_running = state.status is _RUNNING and state.owner == self._lease.owner
        return is_running and self.mine.get(state.id, state.epoch) == state.epoch

    def _take_management(self, task: Task, row: Row, news: dict[str, Any]) -> None:
        """Take over what may be asked of a task whose run is claimed here."""
        fields = task.__dict__
        if not row.fields:  # it is new, and what runs is the one that had its id before
            fields.update({name: news[name] for name in MANAGED})
            return
        if is_same(fields["paused"], row.fields["paused"]):  # or it was assigned here
            fields["paused"] = news["paused"]
        row.fields["paused"] = news["paused"]
        if task.id in self.held or task.id not in self.mine:
            row.requested = news["run_requested"]
            self._agenda.changes += 1  # it may not start any more
        else:
            if is_same(fields["run_requested"], row.fields["run_requested"]):
                fields["run_requested"] = news["run_requested"]
            row.fields["run_requested"] = news["run_requested"]
            if fields["status"] is not _RUNNING:  # its run has ended, and the outcome is still to be written
                self._agenda.reread(task, self.now())

    def _write(self, task: Task, row: Row, state: State) -> list[Any]:
        """Write how a task stands into its fields, but for what was assigned here and is still to be shared."""
        fields, news = task.__dict__, fields_of(state, task)
        old, message = [fields["result"], fields["error"]], fields["error_message"]
        keep_tried(task, None if state.slot is None else from_instant(state.slot))
        for name, value in news.items():
            if not row.fields or is_same(fields[name], (row.said or row.fields)[name]):
                fields[name] = value
        if fields["error_message"] != message:
            fields["error"] = None
        row.version, row.epoch, row.fields, row.said = state.version, state.epoch, news, None
        if state.status is _RUNNING:
            self.elsewhere.add(task.id)
        else:
            self.elsewhere.discard(task.id)
        return old

    def _drop(self, task_id: str, garbage: list[Any]) -> None:
        """Take a task out of the registry, if it came into the store by way of the backend."""
        task = dict.get(self._agenda.store, task_id)
        if task is not None and task_id in self.rows:
            garbage.append(task)
            dict.__delitem__(self._agenda.store, task_id)
            self._agenda.drop(task_id)
        self.forget(task_id)

    def forget(self, task_id: str) -> None:
        """Know nothing of a task any more; the caller holds the lock."""
        self.rows.pop(task_id, None)
        self.release(task_id)
        self._adopted.discard(task_id)
        self.elsewhere.discard(task_id)

    def _forget_all(self) -> None:
        """Have all tasks put back into a store that has lost what it held."""
        for task_id in self.elsewhere:  # whoever runs it ends late, and RUNNING would stand for ever
            task = dict.get(self._agenda.store, task_id)
            if task is not None:
                task.__dict__.update(status=TaskStatus.FAILED, error_message="its run was lost: the store was emptied")
                self._agenda.reread(task, self.now())
        self.unresolved.clear()
        for task_id in list(self.rows):
            self.forget(task_id)
            self.dirty[task_id] = None

    def release(self, task_id: str) -> None:
        """Let a run that is claimed not start any more; the caller holds the lock."""
        held = self.held.pop(task_id, None)
        if held is not None:
            self.released[task_id] = held.run.epoch

    def given_back(self, task_id: str, version: int) -> None:
        """Note that a claim is undone in the store, which made this version of the row; the caller holds the lock."""
        del self.mine[task_id]
        task, row = dict.get(self._agenda.store, task_id), self.rows.get(task_id)
        if row is None or task is None:
            return
        row.version = version
        if row.requested:
            row.fields["run_requested"] = task.__dict__["run_requested"] = row.requested
        row.requested = None
        entry = self._agenda.entries.get(task_id)
        if entry is not None and entry.ready_at is None:  # its tick has put it off, and it may have been resumed since
            self._agenda.reread(task, self.now())

    def clear_after_fork(self, lease: Lease) -> None:
        """In a child process: what the parent has claimed runs elsewhere."""
        self._lease = lease
        self.sync_lock = threading.RLock()
        self.stale.update(self.held, self.mine, self.elsewhere)
        for task_id in self.stale:
            row = self.rows.get(task_id)
            if row is not None:
                row.version, row.fields = 0, {}
        self.held.clear()
        self.released.clear()
        self.mine.clear()


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values of a field are the same to a store."""
    return one is other or ((type(one) is type(other) or isinstance(one, datetime)) and bool(one == other))
