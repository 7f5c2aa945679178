"""A registry's side of a backend: what a tick does there, the beat of its lease, and what it tells."""

import atexit
import logging
import weakref
from collections import deque
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import DeadRunOutcome, RunRow, is_storable
from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.cluster.claims import Claims
from est_alan_scheduler.cluster.completer import RunCompleter
from est_alan_scheduler.cluster.edits import Edits
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.cluster.heartbeat import Heartbeat
from est_alan_scheduler.cluster.lease import Lease, Outage
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.state_codec import instant, moment, past_of
from est_alan_scheduler.planning.agenda import Agenda, Entry
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import due_moment, next_retry
from est_alan_scheduler.schedules.schedule import in_utc
from est_alan_scheduler.task import Task, TaskStatus

if TYPE_CHECKING:
    from est_alan_scheduler.runs.recorder import RunRecorder

_LOST = 1_000  # runs to take over at a time
_LAST_CALL = 5.0  # seconds for a thread to end


class Instance(NamedTuple):
    """A process, or one registry in it, that ticks the tasks of a backend."""

    owner: str
    """Host, process id, and a random part."""
    since: datetime
    """Since when it has been alive without a break, in naive local time."""
    lease_until: datetime
    """When it counts as dead unless it renews its lease before."""


class ClusterSession:
    """All that a registry does with a backend: the tasks, the claims, the outcomes and the lease, put together.

    What a tick and the beat call notes an outage, and raises nothing; all else may raise `BackendUnavailableError`.
    The backend is never asked under the registry's lock.
    """

    def __init__(
        self,
        backend: Backend,
        lease: float,
        recorder: "RunRecorder",
        agenda: Agenda,
        names: FunctionNames,
        wake: Callable[[], None],
    ) -> None:
        self.backend = backend
        self.is_ours = False  # the backend was opened for this, and is closed with it
        self.outage = Outage()
        self.lease = Lease(backend, lease)
        self.replica = Replica(backend, self.lease, recorder, agenda, names)
        self.edits = Edits(backend, recorder, agenda, names, self.replica)
        self._recorder = recorder
        self._agenda = agenda
        self._wake = wake
        self._heartbeat = Heartbeat(self.heartbeat, self.seconds_to_heartbeat)
        self._reap_at = monotonic() + lease / 3
        self._completer = RunCompleter(
            backend, self.lease, self.replica, recorder, lambda: self._heartbeat.flush_soon()
        )
        self._claims = Claims(backend, self.lease, self.replica, self._completer)
        self.began = self._claims.began
        self.start_undone = self._claims.start_undone
        self.start = self._claims.start
        # The registry's lock guards what is to be pending: now, and when a tick has read how the tasks stand.
        self._pending_events: deque[Callable[[], None]] = deque()
        self._dead_run_events: list[Callable[[], None]] = []
        _sessions.add(self)

    # A tick.

    def prepare(self, available: int | None, is_paused: bool) -> bool:
        """Bring store and tasks to the same state, as far as a tick has to know; return False if it is out of reach."""
        if self.outage.seconds_left():
            return False
        replica = self.replica
        try:
            if self.lease.is_due():
                self.lease.renew()
            self._heartbeat.start()  # after that, so that the two do not both renew at first
            self._completer.flush()
            self._claims.resolve(self._recorder)
            self._claims.write_released(self._recorder)
            self.edits.push()
            with self._recorder.lock, self._agenda as agenda:
                now = replica.now()
                agenda.work_in(now)
                utc = agenda.see(now)
                found = [] if is_paused or available == 0 else agenda.set_aside(utc, available)
                due = {task.id for task in found if task.id not in replica.held}
                due.update(*(task.depends_on for task in found if task.depends_on))
                ids = {*agenda.waiting, *replica.elsewhere}
                taken = len(self._dead_run_events)
            replica.refresh(ids, due)
            self._queue_dead_run_events(taken)
        except BackendUnavailableError as error:
            self._note_outage(error)
            return False
        replica.log_unresolved()
        self._note_answer()
        return True

    def claimed(self, ready: list[Entry], now: datetime, is_inline: bool) -> Generator[Entry, None, None]:
        """Claim what a tick has decided on at `now`, batch by batch, and yield each claimed entry, to be started."""
        left = deque(ready)
        try:
            while left and not self.replica.is_paused:
                batch = [left.popleft() for _ in range(min(self._claims.size(is_inline), len(left)))]
                won = self._claim(batch, now, is_inline)
                began, released = monotonic(), []
                for entry in won:
                    if entry.task.id in self.replica.held:
                        yield entry
                    else:
                        released.append(entry)
                if released:  # by the heartbeat, because the runs before took so long: perhaps they are still free
                    left.extendleft(reversed(released))
                elif is_inline and won:
                    self._claims.learn(len(won), monotonic() - began)
        except BackendUnavailableError as error:
            self._note_outage(error)

    def _claim(self, batch: list[Entry], now: datetime, is_inline: bool) -> list[Entry]:
        """Claim a batch and return the entries that were won."""
        if is_inline and len(batch) > 1:
            self._claims.hold([entry.task.id for entry in batch])
        self._claims.claim(batch, now, self._recorder, self._agenda)
        if self._claims.seconds_to_hold() is not None:
            self._heartbeat.flush_soon()  # not earlier, or the outcomes that it gathers would be written in two parts
        return [entry for entry in batch if entry.task.id in self.replica.held]

    def close(self, claimed: Generator[Entry, None, None], ready: list[Entry], is_inline: bool) -> None:
        """End a tick: give back what it has claimed and not started, and write the outcomes of what ran in it."""
        claimed.close()
        self.release([entry.task.id for entry in ready if entry.task.id in self.replica.held])
        if not is_inline:
            return
        self._claims.hold(())
        try:
            self._completer.flush()
        except BackendUnavailableError as error:
            self._note_outage(error)

    def release_unstarted(self, ready: list[Entry]) -> None:
        """End a tick whose thread must not wait for the store: the beat gives back what it has not started."""
        ids = [entry.task.id for entry in ready if entry.task.id in self.replica.held]
        if ids:
            self._claims.release(ids, self._recorder)
            self._heartbeat.flush_soon()

    def obtain(self, task: Task) -> bool:
        """Tell whether a run of `task` may start now, having claimed it if no tick has."""
        if task.id in self.replica.held:
            if self._claims.may_start(task.id):
                return True
            self._claims.release([task.id], self._recorder)  # its lease may have expired, and somebody else have it
            return False
        if not self.prepare(0, is_paused=True) or task.id in self.replica.mine or task.id not in self.replica.rows:
            return False
        try:
            self.replica.refresh([task.id])
            entry = Entry(task, self._agenda.reference)
            entry.ready_at = now = self.replica.now()
            due = due_moment(task, now)
            entry.slot = due if due is not None and due <= in_utc(now) else None
            self._claims.claim([entry], now, self._recorder, self._agenda)
        except BackendUnavailableError as error:
            self._note_outage(error)
        return task.id in self.replica.held

    def release(self, ids: Collection[str]) -> None:
        """Give back claims of runs that have not started, and what was released; in an outage, when that is over."""
        self._claims.release(ids, self._recorder)
        if self.outage.seconds_left():
            return
        try:
            self._claims.write_released(self._recorder)
        except BackendUnavailableError as error:
            self._note_outage(error)

    def ended(self, run: Run, clock: datetime, result: str | None, text: str | None) -> None:
        """Note an outcome that stands in the fields of a task, to be written; the caller holds the registry's lock."""
        is_registered = dict.get(self._agenda.store, run.task.id) is run.task
        self._completer.add(run, clock, result, text, is_registered)

    def publish(self, publish: Callable[[], None]) -> None:
        """Call `publish`, which is about an outcome, when that is in the store: now, unless the store is out of reach.

        Then a tick that finds it back calls it, or `leave` at the end. Raises what `publish` does.
        """
        with self._recorder.lock:
            self._pending_events.append(publish)
        if not self.outage.seconds_left():
            self.publish_stored()

    def publish_stored(self) -> None:
        """Write the outcomes that are there, and tell of them, in order."""
        if not self._pending_events:
            return
        with self._recorder.lock:  # what comes later may be about outcomes that this does not write
            pending, self._pending_events = self._pending_events, deque()
        try:
            self._completer.flush()
            while pending:
                pending.popleft()()
        except BackendUnavailableError as error:
            self._note_outage(error)
        finally:
            with self._recorder.lock:
                self._pending_events.extendleft(reversed(pending))

    def _queue_dead_run_events(self, number: int) -> None:
        """Have the first of what was taken over pending of."""
        if number:
            with self._recorder.lock:
                self._pending_events.extend(self._dead_run_events[:number])
                del self._dead_run_events[:number]

    # The lease.

    def seconds_to_heartbeat(self) -> float:
        """Return how long until `beat` has something to do, outcomes apart."""
        due = min(self.lease.deadline - self.lease.seconds * 2 / 3, self._reap_at) - monotonic()
        hold = self._claims.seconds_to_hold()
        return max(self.outage.seconds_left(), due if hold is None else min(due, hold), 0.01)

    def heartbeat(self) -> None:
        """Write outcomes, give back what a slow tick holds, renew the lease if it is time, take over what is lost."""
        if self.outage.seconds_left():
            return
        try:
            if self.lease.is_due():
                self.lease.renew()
            self._claims.release_slow(self._recorder)
            self._claims.write_released(self._recorder)
            self._completer.flush()
            if monotonic() >= self._reap_at:  # not with each renewal: those of a busy tick would leave none for here
                self._reap_at = monotonic() + self.lease.seconds / 3
                self.reap()
        except BackendUnavailableError as error:
            self._note_outage(error)
        except Exception as error:  # of a backend; the lease has to go on
            self.outage.begin()
            log(logging.ERROR, "The lease of this instance could not be renewed; it is tried again.", error)
        else:
            self._note_answer()

    def reap(self) -> None:
        """Record runs as FAILED whose owners have stopped renewing, if the store was healthy for a whole lease."""
        healthy_since = self.outage.healthy_since
        if healthy_since is None or monotonic() - healthy_since < self.lease.seconds:
            return
        replica = self.replica
        lost = [run for run in self.backend.find_dead_runs(_LOST + len(replica.unresolved)) if not self._is_ours(run)]
        # Whether one is tried again is up to what its task is now: a tick may be too busy to have read that. Who has
        # the turn may be busy, too, and the lease has to be renewed meanwhile.
        if not lost or not replica.sync_lock.acquire(timeout=self.lease.seconds / 10):
            return
        try:
            replica.refresh({run.task_id for run in lost})
        finally:
            replica.sync_lock.release()
        lost = [run for run in lost if run.task_id not in replica.unresolved]  # that is up to who knows it
        if not lost or replica.is_left:
            return
        with self._recorder.lock:
            dead_runs = [self._judge(run) for run in lost]
        reaped = self.backend.reap(dead_runs)
        with self._recorder.lock:
            replica.stale.update(task_id for task_id, _ in reaped)
            for row, dead_run in zip(lost, dead_runs, strict=True):
                if dead_run[:2] in reaped:
                    self._record_dead_run(row, dead_run)
        if reaped:
            self._wake()

    def _record_dead_run(self, row: RunRow, dead_run: DeadRunOutcome) -> None:
        """Count a run that was recorded as lost, and have the next tick tell of it; the caller holds the lock."""
        task_id, retry_at = row.task_id, dead_run.retry_at
        task, known = dict.get(self._agenda.store, task_id), self.replica.rows.get(task_id)
        if task is None or known is None or known.epoch != row.epoch:
            # It was removed meanwhile, and perhaps registered anew.
            task, retry_at = Task(id=task_id, func=_gone), None
        started, slot = from_instant(row.started), None if row.slot is None else from_instant(row.slot)
        turn = self._recorder.in_flight.thread.context
        run = Run(task, from_utc(started), slot, None, turn, is_call=False, attempt=row.attempt)
        run.duration = None
        run.retry_at = None if retry_at is None else moment(retry_at, task)
        ended = row._replace(finished=self.backend.now(), status=TaskStatus.FAILED, error=dead_run.error)
        self._recorder.record_dead_run(run, past_of(ended, task))
        self._dead_run_events.append(partial(self._recorder.publish_dead_run, run))

    def _is_ours(self, run: RunRow) -> bool:
        """Tell whether a run goes on here, though the store says that nobody has renewed: its clock was set ahead."""
        return run.owner == self.lease.owner and self.replica.mine.get(run.task_id) == run.epoch

    def _judge(self, run: RunRow) -> DeadRunOutcome:
        dead_run = DeadRunOutcome(run.task_id, run.epoch, run.owner, attempt=run.attempt)
        task = dict.get(self._agenda.store, run.task_id)
        if task is None:
            return dead_run
        slot = None if run.slot is None else from_instant(run.slot)
        retry_at = next_retry(task, run.attempt, slot, None, self.replica.now(), task.timezone)
        return dead_run._replace(retry_at=None if retry_at is None else instant(retry_at))

    def _note_outage(self, error: BackendUnavailableError) -> None:
        """Leave the store alone for a while; tell the log once."""
        if self.outage.begin():
            log(logging.ERROR, f"The store is out of reach, and nothing starts until it is back: {error}")

    def _note_answer(self) -> None:
        if self.outage.end():
            log(logging.WARNING, "The store is back.")
            self._wake()

    def push(self) -> None:
        """Write what was edited, before `leave`. Raises nothing."""
        try:
            self.edits.push()
        except Exception as error:  # an outage, or of a value that was assigned
            log(logging.ERROR, "What was edited could not be written to the store.", error)

    def leave(self) -> None:
        """Write what is left, and give the lease back; the next tick takes another one. Raises nothing."""
        self._heartbeat.stop(_LAST_CALL)
        try:
            self._claims.resolve(self._recorder)
            self._claims.release(list(self.replica.held), self._recorder)
            self._claims.write_released(self._recorder)
            self._completer.flush()
            if self.lease.since is not None:
                self.lease.release()
        except BackendUnavailableError as error:
            left = f" with {len(self._completer)} outcomes to be written" if self._completer else ""
            log(logging.ERROR, f"The store is out of reach at the end{left}: {error}")
        except Exception as error:  # of a backend
            log(logging.ERROR, "What is left could not be written to the store.", error)
        if self.is_ours:
            with suppress(BackendUnavailableError):
                self.backend.close()
        self._queue_dead_run_events(len(self._dead_run_events))
        while self._pending_events:
            self._pending_events.popleft()()

    def start_over_after_fork(self) -> None:
        """In a child process: the lease, the claims and the outcomes are those of the parent."""
        self.outage, self.lease = Outage(), Lease(self.backend, self.lease.seconds)
        self._heartbeat = Heartbeat(self.heartbeat, self.seconds_to_heartbeat)
        self._completer.clear_after_fork(self.lease)
        self._pending_events.clear()
        self._dead_run_events.clear()
        self._claims.clear_after_fork(self.lease)
        self.replica.clear_after_fork(self.lease)

    # What is asked of it.

    def instances(self) -> list[Instance]:
        """Return the instances that are alive, the oldest first."""
        return [Instance(row.owner, moment(row.since), moment(row.lease_until)) for row in self.backend.instances()]

    def history(
        self, task_id: str | None, status: TaskStatus | None, since: datetime | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return runs as dicts, the latest `limit` of them, oldest first."""
        if task_id is not None and not is_storable(task_id):
            return []
        start = None if since is None else to_instant(to_utc(since))
        runs = self.backend.history(task_id, status, start, limit)
        return [
            {"task_id": run.task_id}
            | past_of(run, self._agenda.store.get(run.task_id))
            | {
                "epoch": run.epoch,
                "slot": None if run.slot is None else moment(run.slot, self._agenda.store.get(run.task_id)),
                "owner": run.owner,
                "late": run.late,
            }
            for run in runs
        ]


def _gone() -> None:
    """Stand for the function of a task that is not there any more."""


_sessions: "weakref.WeakSet[ClusterSession]" = weakref.WeakSet()


def _leave_all() -> None:
    for session in list(_sessions):
        with suppress(Exception):
            session.leave()


atexit.register(_leave_all)
