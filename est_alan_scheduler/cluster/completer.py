"""What came of runs, on its way to the store."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.rows import DeadRunOutcome, RunOutcome
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.state_codec import instant, past_of, stored_consumed
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.task import TaskStatus

if TYPE_CHECKING:
    from est_alan_scheduler.runs.recorder import RunRecorder

LARGEST_BATCH = 1_000
_LARGEST_WRITE = 16_000_000  # characters of results; stores have limits to what they take at once
_RECORDED = ("status", "result", "error_message", "last_success_at", "retry_at", "consumed")
_SUCCESS = TaskStatus.SUCCESS  # looking up a member costs more than comparing it
_recorded = itemgetter(*_RECORDED)
_ALL = 2**31 - 1  # runs: more than any history keeps
_GIVEN_BACK = "not started: "


class RunCompleter:
    """A queue that is written together, in order; in an outage it waits.

    The registry's lock guards it; `_writing` lets one thread at a time write.
    """

    def __init__(
        self, backend: Backend, lease: Lease, replica: Replica, recorder: "RunRecorder", flush_soon: Callable[[], None]
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._replica = replica
        self._recorder = recorder
        self._flush_soon = flush_soon
        self._writing = threading.Lock()
        self._queue: deque[tuple[RunOutcome, Run | None]] = deque()
        self._asked: set[tuple[str, int]] = set()  # perhaps written: by a call that was not answered

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, run: Run, clock: datetime, result: str | None, text: str | None, is_registered: bool) -> None:
        """Take in the outcome that stands in the fields of a task; the caller holds the lock."""
        task, row = run.task, self._replica.rows.get(run.task.id)
        fields = task.__dict__
        if row is not None and is_registered:
            row.fields.update(zip(_RECORDED, _recorded(fields), strict=True))
        elif self._replica.mine.get(task.id) == run.epoch:
            del self._replica.mine[task.id]  # a task that was registered in its place has to be read
        at, status, error, retry_at = instant(clock), fields["status"], fields["error_message"], fields["retry_at"]
        success = at if status is _SUCCESS else None
        retry = None if retry_at is None else instant(retry_at)
        limit, consumed = fields["history_limit"], stored_consumed(fields["consumed"])
        epoch, attempt = run.epoch or 0, run.attempt
        # By place: by name it takes three times as long, for each run.
        outcome = RunOutcome(task.id, epoch, at, status, result, text, error, success, retry, attempt, limit, consumed)
        self._append(outcome, run)

    def add_unstarted(self, task_id: str, epoch: int) -> None:
        """Take in that a run was claimed and not started; the caller holds the lock."""
        error = f"{_GIVEN_BACK}owner {self._lease.owner} gave its claim back"
        outcome = RunOutcome(task_id, epoch, self._backend.now(), TaskStatus.FAILED, error=error, history_limit=epoch)
        self._append(outcome, None)  # with that limit older runs stay: only one that took place drops them

    def flush(self) -> None:
        """Write what is there."""
        if not self._queue:
            return
        notices = []
        with self._writing:
            while self._queue:
                batch = self._batch()
                try:
                    recorded = self._backend.finish(self._lease.owner, [outcome for outcome, _ in batch])
                    lost = self._lost([(it, run) for it, run in batch if run and _key(it) not in recorded])
                except BaseException:
                    self._asked.update(_key(outcome) for outcome, _ in batch)
                    raise
                self._asked.clear()
                with self._recorder.lock:
                    for outcome, run in batch:
                        self._queue.popleft()
                        key = _key(outcome)
                        if run is not None and key in lost:
                            self._recorder.mark_dead(run, lost[key], outcome.status is _SUCCESS)
                        if self._settle(outcome, is_late=key not in recorded):
                            notices.append(
                                f"Run {outcome.epoch} of task {outcome.id!r} ended late ({outcome.status.value}): it "
                                "had lost its task before, and changes nothing."
                            )
        for notice in notices:
            log(logging.WARNING, notice)

    def clear_after_fork(self, lease: Lease) -> None:
        """In a child process: they are for the parent to write."""
        self._lease = lease
        self._writing = threading.Lock()
        self._queue.clear()
        self._asked.clear()

    def _batch(self) -> list[tuple[RunOutcome, Run | None]]:
        batch: list[tuple[RunOutcome, Run | None]] = []
        size = 0
        for pair in list(islice(self._queue, LARGEST_BATCH)):  # in one step: others add to it
            size += len(pair[0].result or "")
            if batch and size > _LARGEST_WRITE:
                break
            batch.append(pair)
        return batch

    def _lost(self, late: list[tuple[RunOutcome, Run]]) -> dict[tuple[str, int], dict[str, Any] | None]:
        """Return, of outcomes that came late, those of runs that others had recorded as failed, the lease expired.

        With each, the line of the history; None if later runs have taken its place. What is late for another reason, a
        task that was removed, stands as it ended; so does what was written before by a call that was not answered.
        """
        lost: dict[tuple[str, int], dict[str, Any] | None] = {}
        for outcome, run in late:
            key, dead_run = _key(outcome), DeadRunOutcome(outcome.id, outcome.epoch, self._lease.owner)
            claimed = instant(run.started_at) - round(self._lease.seconds * 1_000_000)  # at the earliest
            rows = {row.epoch: row for row in self._backend.history(outcome.id, since=claimed, limit=_ALL)}
            row = rows.get(outcome.epoch)
            if row is not None and row.error == dead_run.error:
                lost[key] = past_of(row, run.task)
            elif row is None and max(rows, default=0) > outcome.epoch and key not in self._asked:
                lost[key] = None  # only runs that have ended are dropped
        return lost

    def _append(self, outcome: RunOutcome, run: Run | None) -> None:
        self._queue.append((outcome, run))
        self._flush_soon()

    def _settle(self, outcome: RunOutcome, is_late: bool) -> bool:
        """Note that an outcome is written; return whether the log has to be told that it is late."""
        replica, is_unstarted = self._replica, (outcome.error or "").startswith(_GIVEN_BACK)
        row = replica.rows.get(outcome.id)
        is_mine = replica.mine.get(outcome.id) == outcome.epoch
        if is_mine:
            del replica.mine[outcome.id]
        if row is not None and is_mine and row.epoch == outcome.epoch and not is_late and not is_unstarted:
            row.version += 1  # each change of a row is one version
            return False  # the task says so already
        if is_mine or not is_unstarted:  # what was given back is known
            replica.stale.add(outcome.id)
        return is_late and not is_unstarted


def _key(outcome: RunOutcome) -> tuple[str, int]:
    return outcome.id, outcome.epoch
