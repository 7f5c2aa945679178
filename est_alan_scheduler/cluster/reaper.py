"""The reaper: it finds runs whose instance has died, and records them as failed. It drops old tombstones, too."""

from dataclasses import dataclass

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.clock import from_instant
from est_alan_scheduler.backends.rows import Assignment, DeadRunOutcome, RunRow
from est_alan_scheduler.cluster.codecs.states import instant, moment, past_of, stored_consumed
from est_alan_scheduler.cluster.lease import Lease, Outage
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.task_records import TaskRecords
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.observer import DeadRunRecorder
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.schedules.due import next_retry
from est_alan_scheduler.task import MOST_FAILURES, Task, TaskStatus

_PAUSE = 1.0  # seconds between two batches of tombstones, so that others can use the store


@dataclass(eq=False)
class Reaper:
    """Reaps dead runs and drops tombstones on behalf of one instance, three times a lease.

    The next tick publishes them. The registry's lock guards what is recorded; the backend is never asked under it.
    `reap` may raise `BackendUnavailableError`.
    """

    _backend: Backend
    _lease: Lease
    _outage: Outage
    _records: TaskRecords
    _replica: Replica
    _agenda: Agenda
    _recorder: DeadRunRecorder
    batch: int = 1_000
    """How many runs to reap at a time."""
    drop_batch: int = 500
    """How many tombstones to drop at a time: nothing else is written meanwhile."""

    def __post_init__(self) -> None:
        self.due_at = self.drop_due_at = monotonic() + self._lease.seconds / 3
        """When to reap again, and when to drop tombstones, by the monotonic clock."""

    def reap_if_due(self) -> bool:
        """Reap if it is time; return whether there were any dead runs."""
        if monotonic() < self.due_at:  # not at each renewal: a busy tick renews, and the heartbeat would never reap
            return False
        self.due_at = monotonic() + self._lease.seconds / 3
        return self.reap()

    def drop_if_due(self) -> None:
        """Drop a batch of tombstones if it is time. If there were any, the next batch is due soon."""
        if monotonic() < self.drop_due_at:
            return
        self.drop_due_at = monotonic() + self._lease.seconds / 3
        if self._backend.drop_tombstones(self.drop_batch):
            self.drop_due_at = min(self.drop_due_at, monotonic() + _PAUSE)

    def reap(self) -> bool:
        """Record dead runs as FAILED, if the store was healthy for a whole lease; return whether there were any."""
        healthy_since = self._outage.healthy_since
        if healthy_since is None or monotonic() - healthy_since < self._lease.seconds:
            return False
        rows = self._find()
        if not rows or self._replica.has_left_backend:
            return False
        records = self._records
        self._note_consumed(rows)
        with records.lock:
            dead_runs = [self._outcome_of(row) for row in rows]
        reaped = self._backend.reap(dead_runs)
        with records.lock:
            records.mark_stale(task_id for task_id, _ in reaped)
            for row, dead_run in zip(rows, dead_runs, strict=True):
                if dead_run[:2] in reaped:
                    self._record(row, dead_run)
        return bool(reaped)

    def _find(self) -> list[RunRow]:
        """Return dead runs of tasks that are known here, which are up to date then."""
        owner, is_claimed = self._lease.owner, self._records.is_claimed
        rows = self._backend.find_dead_runs(self.batch + len(self._records.unresolved))
        # A run of this instance goes on, although the store counts it as dead, if the store's clock was set ahead.
        rows = [row for row in rows if row.owner != owner or not is_claimed(row.task_id, row.epoch)]
        # Whether a run is retried depends on what its task is now: a tick may have been too busy to read that. A thread
        # that holds `sync_lock` may be busy, too, and the lease has to be renewed meanwhile.
        sync_lock = self._replica.sync_lock
        if not rows or not sync_lock.acquire(timeout=self._lease.seconds / 10):
            return []
        try:
            tasks = [dict.get(self._agenda.store, row.task_id) for row in rows]
            followed = [task_id for task in tasks if task is not None for task_id in task.after or ()]
            self._replica.refresh({*(row.task_id for row in rows), *followed})
        finally:
            sync_lock.release()
        # An unresolved task is left to an instance that knows it.
        return [row for row in rows if self._records.problems.get(row.task_id) is None]

    def _note_consumed(self, rows: list[RunRow]) -> None:
        """Let dead runs of tasks with `after` have used the successes before their start.

        Only their instances knew which. Written before the outcome: no instance starts the tasks for them again.
        """
        records = self._records
        with records.lock:
            assignments = [found for row in rows if (found := self._consumption(row)) is not None]
        if assignments:
            written = self._backend.assign(assignments)
            records.mark_stale(written)

    def _consumption(self, run: RunRow) -> Assignment | None:
        """Return what a dead run has used, if its task has `after`; the caller holds the lock."""
        store, row = self._agenda.store, self._records.row(run.task_id)
        task = dict.get(store, run.task_id)
        if task is None or row is None or task.after is None or row.epoch != run.epoch:
            return None
        consumed = dict(task.consumed or {})
        for task_id in task.after:
            dependency = dict.get(store, task_id)
            success = None if dependency is None else dependency.last_success_at
            if success is not None and instant(success) <= run.started:
                consumed[task_id] = success
        return Assignment(task.id, row.version, {"consumed": stored_consumed(consumed)})

    def _outcome_of(self, row: RunRow) -> DeadRunOutcome:
        """Return the outcome of a dead run, its retry included; the caller holds the lock."""
        dead_run = DeadRunOutcome(row.task_id, row.epoch, row.owner, attempt=row.attempt)
        task = dict.get(self._agenda.store, row.task_id)
        if task is None:
            return dead_run
        slot = None if row.slot is None else from_instant(row.slot)
        retry_at = next_retry(task, row.attempt, slot, None, self._replica.now(), task.timezone)
        failures = min(task.consecutive_failures + 1, MOST_FAILURES)
        return dead_run._replace(
            retry_at=None if retry_at is None else instant(retry_at), consecutive_failures=failures
        )

    def _record(self, row: RunRow, dead_run: DeadRunOutcome) -> None:
        """Record a run that was reaped, for the next tick to publish; the caller holds the lock."""
        task_id, retry_at = row.task_id, dead_run.retry_at
        task, known = dict.get(self._agenda.store, task_id), self._records.row(task_id)
        if task is None or known is None or known.epoch != row.epoch:
            # The task was removed meanwhile, and perhaps registered anew.
            task, retry_at = Task(id=task_id, func=lambda: None), None
        slot = None if row.slot is None else from_instant(row.slot)
        run = Run(task, moment(row.started), 0.0, slot, row.attempt, row.epoch, None, ThreadContext(), is_call=False)
        ended = row._replace(finished=self._backend.now(), status=TaskStatus.FAILED, error=dead_run.error)
        run.failures = dead_run.consecutive_failures
        self._recorder.record_dead_run(run, past_of(ended, task), None if retry_at is None else moment(retry_at, task))
