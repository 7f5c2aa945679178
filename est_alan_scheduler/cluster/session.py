"""A cluster session: one registry among many on one backend, what its ticks and its heartbeat do there."""

import atexit
import logging
import weakref
from collections import deque
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from datetime import datetime
from typing import Any

from est_alan_scheduler._support.errors import InvalidValueError, WrongStateError
from est_alan_scheduler._support.interpreter import monotonic, note_end
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import LARGEST, RunKey
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.cluster.changes.edits import Edits
from est_alan_scheduler.cluster.claims import Claims
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.states import moment, past_of, run_dict
from est_alan_scheduler.cluster.completer import RunCompleter
from est_alan_scheduler.cluster.lease import Heartbeat, Instance, Lease, Outage
from est_alan_scheduler.cluster.reaper import Reaper
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.task_records import ClaimState, TaskRecords
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.indexes.stand_ins import refuse_unknown_function
from est_alan_scheduler.planning.lookout import MOST_OF_TICK, due_ids, next_due_ids, stand_in_ids
from est_alan_scheduler.runs.observer import DeadRunRecorder
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.task import Task, TaskStatus

OBSERVES = (
    "this registry is an observer, which starts nothing: call refresh() to read what other instances have done,"
    " or configure(observe=False) to tick"
)
"""The message for what an observer does not do."""

_STOP_SECONDS = 5.0  # seconds for a thread to end


class ClusterSession:
    """A registry's side of a backend: its replica, claims, outcomes and lease, put together.

    A method that a tick or the heartbeat calls notes an outage, and raises nothing. The others may raise
    `BackendUnavailableError`. The backend is never asked under the registry's lock.
    """

    def __init__(
        self,
        backend: Backend,
        lease: float,
        recorder: DeadRunRecorder,
        agenda: Agenda,
        names: FunctionNames,
        wake: Callable[[], None],
        is_observer: bool = False,
    ) -> None:
        self.backend = backend
        self.is_ours = False  # the backend was opened for this session, and is closed with it
        self.outage = Outage("nothing is read" if is_observer else "nothing starts")
        self.lease = Lease(backend, lease)
        self.records = TaskRecords(recorder.lock)
        self.replica = Replica(backend, self.lease, self.records, agenda, names, is_observer)
        self.edits = Edits(backend, self.records, self.replica, agenda, names)
        self.registrations = self.edits.registrations
        self._recorder = recorder
        self._agenda = agenda
        self._wake = wake
        self._heartbeat = Heartbeat(self.heartbeat, self.seconds_to_heartbeat)
        self.completer = RunCompleter(backend, self.lease, self.records, recorder, lambda: self._heartbeat.flush_soon())
        self.claims = Claims(backend, self.lease, self.records, self.replica, self.completer)
        self.run_began = self.claims.run_began
        self.start_undone = self.claims.start_undone
        self.claimed_run = self.claims.claimed_run
        self.reaper = Reaper(backend, self.lease, self.outage, self.records, self.replica, agenda, recorder)
        _sessions.add(self)

    def prepare(self, available: int | None, is_paused: bool) -> bool:
        """Bring store and tasks to the same state, as far as a tick needs it; return False if that fails.

        Raises `WrongStateError` for an observer.
        """
        if self.replica.is_observer:
            raise WrongStateError(OBSERVES)
        if self.outage.seconds_left():
            return False
        replica, outbox = self.replica, self._recorder.outbox
        try:
            self._renew_if_due()
            self._heartbeat.start()  # after the renewal, or both threads would renew at first
            self.completer.flush()
            self.claims.resolve()
            self.claims.write_released()
            self.edits.push()
            with self.records.lock, self._agenda as agenda:
                now = replica.now()
                agenda.work_in(now)
                utc = agenda.note_time(now)
                found = [] if is_paused or available == 0 else agenda.hold_due(utc, available)
                due = {task.id for task in found if not self.records.is_held(task.id)}
                due.update(*map(inputs, found))
                due |= set() if is_paused else stand_in_ids(agenda, utc, MOST_OF_TICK)
                ids = {*agenda.waiting, *self.records.elsewhere}
                dead_runs = outbox.count_dead_runs()
            self._read(ids, due)
            outbox.queue_dead_runs(dead_runs)
        except BackendUnavailableError as error:
            self.outage.note(error)
            return False
        self.replica.log_problems()
        if self.outage.end():
            self._wake()
        self.registrations.warn_of_others()
        return True

    def refresh(self, ids: Collection[str]) -> None:
        """Do what `TaskRegistry.refresh` says: as `prepare` does, but without lease, outcomes and claims."""
        self.outage.check()
        agenda, records = self._agenda, self.records
        try:
            self.edits.push()
            with records.lock, agenda:
                now = self.replica.now()
                agenda.work_in(now)
                utc = agenda.note_time(now)
                due = next_due_ids(agenda, now, utc) if self.replica.is_observer else due_ids(agenda, utc)
                due = {task_id for task_id in due | records.elsewhere if not records.is_held(task_id)}
                dropped = agenda.take_dropped()
            del dropped
            self._read(ids, due)
        except BackendUnavailableError as error:
            self.outage.note(error, is_of_tick=self.replica.is_observer)
            raise
        self.replica.log_problems()
        if self.replica.is_observer:  # else a tick or the heartbeat does: a read does not show that a write succeeds
            self.outage.end()

    def _read(self, ids: Collection[str], due: Collection[str]) -> None:
        """Read what has changed, the states of these tasks, and what follows from that."""
        self.replica.refresh(ids, due)
        if self.replica.order.is_outdated:
            with self.records.lock:
                self.replica.order.restore()
        if self._agenda.set_back:
            self._recall_runs()

    def _recall_runs(self) -> None:
        """Read which runs of any instance the store has, of tasks behind whose last run the clock has gone back."""
        agenda, store = self._agenda, self._agenda.store
        with self.records.lock:
            ids, agenda.set_back = agenda.set_back, set()
            limits = {task_id: dict.__getitem__(store, task_id).history_limit for task_id in ids if task_id in store}
        try:
            past = self.backend.past(limits)
        except BaseException:
            agenda.set_back |= ids
            raise
        with self.records.lock, agenda:
            for task_id, runs in past.items():
                moments = {
                    from_instant(moment) for run in runs for moment in (run.slot, run.started) if moment is not None
                }
                agenda.note_past(task_id, moments, self.replica.now())

    def claim_in_batches(self, ready: list[Entry], now: datetime, is_inline: bool) -> Generator[Entry, None, None]:
        """Claim what a tick has decided on at `now`, batch by batch, and yield each claimed entry, to be started."""
        left = deque(ready)
        try:
            while left and not self.replica.is_paused:
                batch = [left.popleft() for _ in range(min(self.claims.size(is_inline), len(left)))]
                if is_inline and len(batch) > 1:
                    self.claims.hold([entry.task.id for entry in batch])
                self.claims.claim(batch, now, self._agenda)
                if self.claims.seconds_to_hold() is not None:
                    self._heartbeat.flush_soon()  # not earlier: outcomes that it gathers would be written in two parts
                won = [entry for entry in batch if self.records.is_held(entry.task.id)]
                began, released = monotonic(), []
                for entry in won:
                    if self.records.is_held(entry.task.id):
                        yield entry
                    else:
                        released.append(entry)
                if released:  # by the heartbeat, for the runs before took too long: claim them again
                    left.extendleft(reversed(released))
                elif is_inline and won:
                    self.claims.adapt_batch(len(won), monotonic() - began)
        except BackendUnavailableError as error:
            self.outage.note(error)

    def close(self, claimed: Generator[Entry, None, None], ready: list[Entry], is_inline: bool) -> None:
        """End a tick: release the claims that it did not start, and write the outcomes of the runs that it made."""
        claimed.close()
        self.release([entry.task.id for entry in ready if self.records.is_held(entry.task.id)])
        if is_inline:
            self.claims.hold(())
            self.ask(self.completer.flush)

    def release_unstarted(self, ready: list[Entry]) -> None:
        """End a tick whose thread must not wait for the store: the heartbeat releases claims that did not start."""
        ids = [entry.task.id for entry in ready if self.records.is_held(entry.task.id)]
        if ids:
            self.claims.release(ids)
            self._heartbeat.flush_soon()

    def ensure_claimed(self, task: Task) -> bool:
        """Return whether a run of `task` may start now, having claimed it if no tick has."""
        if self.claims.may_start(task.id):
            return True
        refuse_unknown_function(task)
        if self.records.is_held(task.id):
            self.claims.release([task.id])  # its lease may have expired, and another instance have reaped it
            return False
        if not self.prepare(0, is_paused=True) or self.records.is_claimed(task.id) or self.records.row(task.id) is None:
            return False
        self.ask(lambda: self.claims.claim_by_hand(task, self._agenda))
        return self.records.is_held(task.id)

    def release(self, ids: Collection[str]) -> None:
        """Release claims of runs that have not started, and undo all released ones; in an outage, when that is over."""
        self.claims.release(ids)
        self.ask(self.claims.write_released)

    def run_ended(self, run: Run, clock: datetime, result: str | None, text: str | None) -> None:
        """Queue the outcome that stands in the fields of a task, to be written; the caller holds the lock."""
        is_registered = dict.get(self._agenda.store, run.task.id) is run.task
        self.completer.add(run, clock, result, text, is_registered)

    def publish_stored(self) -> None:
        """Store the outcomes that wait in the outbox, and publish them; in an outage, a later tick or `leave` does."""
        self._recorder.outbox.flush(lambda: self.ask(self.completer.flush))

    def ask(self, question: Callable[[], None]) -> bool:
        """Ask the store; return False if it is out of reach."""
        if self.outage.seconds_left():
            return False
        try:
            question()
        except BackendUnavailableError as error:
            self.outage.note(error)
            return False
        return True

    def _renew_if_due(self) -> None:
        if self.lease.is_due() or self.outage.is_on():  # only a write shows that the store is back
            self.lease.renew()

    def seconds_to_heartbeat(self) -> float:
        """Return how long until `heartbeat` has something to do, outcomes apart."""
        renewal_at, reaper = self.lease.deadline - self.lease.seconds * 2 / 3, self.reaper
        due = min(renewal_at, reaper.due_at, reaper.drop_due_at) - monotonic()
        hold = self.claims.seconds_to_hold()
        return max(self.outage.seconds_left(), due if hold is None else min(due, hold), 0.01)

    def heartbeat(self) -> None:
        """Renew the lease if it is due, release the claims of a slow tick, write outcomes, reap dead runs, clean up."""
        if self.outage.seconds_left():
            return
        try:
            self._renew_if_due()
            self.claims.release_slow()
            self.claims.write_released()
            self.completer.flush()
            has_reaped = self.reaper.reap_if_due()
            self.reaper.drop_if_due()
        except BackendUnavailableError as error:
            self.outage.note(error, is_of_tick=False)
        except Exception as error:  # of a backend; the heartbeat has to go on
            self.outage.begin()
            log(logging.ERROR, "The lease of this instance could not be renewed; it is tried again.", error)
        else:
            if (not self.outage.is_of_tick and self.outage.end()) or has_reaped:
                self._wake()

    def push(self) -> None:
        """Write edits, before `leave`. Raises nothing."""
        try:
            self.edits.push()
        except Exception as error:  # an outage, or of a value that was assigned
            log(logging.ERROR, "What was edited could not be written to the store.", error)

    def leave(self) -> None:
        """Write what is queued, and end the lease; the next tick takes another one. Raises nothing."""
        self._heartbeat.stop(_STOP_SECONDS)
        try:
            self.claims.resolve()
            self.claims.release(self.records.ids(ClaimState.HELD))
            self.claims.write_released()
            self.completer.flush()
            if self.lease.since is not None:
                self.lease.release()
        except BackendUnavailableError as error:
            left = f" with {len(self.completer)} outcomes to be written" if self.completer else ""
            log(logging.ERROR, f"The store is out of reach at the end{left}: {error}")
        except Exception as error:  # of a backend
            log(logging.ERROR, "What is left could not be written to the store.", error)
        if self.is_ours:
            with suppress(BackendUnavailableError):
                self.backend.close()
        if self._recorder.session is self:  # else what waits is for another session to store
            self._recorder.outbox.publish_all()

    def retire(self, successor: "ClusterSession | None") -> None:
        """Leave the backend for good, and with it the tasks of other instances; the `successor` brings its own."""
        self.replica.abandon()
        self.leave()
        if successor is not None:
            with suppress(BackendUnavailableError):  # then its first tick does so
                successor.replica.refresh_all()

    def start_over_after_fork(self) -> None:
        """Start over in a child process: the lease, the claims and the outcomes are the parent's."""
        self.outage.start_over()
        self.lease.start_over()
        self._heartbeat = Heartbeat(self.heartbeat, self.seconds_to_heartbeat)
        self.completer.clear_after_fork()
        self.claims.clear_after_fork()
        self.replica.clear_after_fork()
        self.records.clear_after_fork(self._recorder.lock)

    def instances(self) -> list[Instance]:
        """Return the instances that are alive, the oldest first."""
        return [Instance(row.owner, moment(row.since), moment(row.lease_until)) for row in self.backend.instances()]

    def history(
        self,
        task_id: str | None,
        status: TaskStatus | None,
        since: datetime | None,
        limit: int,
        before: tuple[datetime, str, int] | None,
    ) -> list[dict[str, Any]]:
        """Return runs as dicts, the latest `limit` of them, oldest first; `before` has its start in UTC."""
        if status is TaskStatus.PENDING or (task_id is not None and not self.backend.can_hold(task_id)):
            return []
        key = None if before is None else RunKey(to_instant(before[0]), *before[1:])
        if key is not None and not (self.backend.can_hold(key.task_id) and 0 <= key.epoch <= LARGEST):
            raise InvalidValueError(
                f"before must be a run that history() has returned, got run {key.epoch} of {short_repr(key.task_id)}"
            )
        start = None if since is None else to_instant(to_utc(since))
        runs = self.backend.history(task_id, status, start, limit, key)
        return [run_dict(run, self._agenda.store.get(run.task_id)) for run in runs]

    def past(self, ids: Collection[str], limit: int) -> dict[str, list[dict[str, Any]]]:
        """Return the latest finished runs of each of these tasks, at most `limit`, as in `Task.history`."""
        self.outage.check()
        found = self.backend.past(dict.fromkeys(filter(self.backend.can_hold, ids), limit))
        return {key: [past_of(run, self._agenda.store.get(key)) for run in runs] for key, runs in found.items()}


_sessions: "weakref.WeakSet[ClusterSession]" = weakref.WeakSet()


def _leave_all() -> None:
    for session in list(_sessions):
        with suppress(Exception):
            session.leave()


atexit.register(_leave_all)
atexit.register(note_end)  # runs before that one: else a loop would take a new lease
