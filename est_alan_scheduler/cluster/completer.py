"""The run completer: outcomes of runs, on their way to the store."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend, ValueRefusedError
from est_alan_scheduler.backends.refusals import write_apart
from est_alan_scheduler.backends.rows import ALL_RUNS, DeadRunOutcome, RunOutcome, escaped
from est_alan_scheduler.cluster.codecs.states import instant, past_of, reader, stored_consumed
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.task_records import TaskRecords
from est_alan_scheduler.runs.observer import DeadRunRecorder
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.task import TaskStatus

LARGEST_BATCH = 1_000
_LARGEST_WRITE = 16_000_000  # characters of results; stores limit how much one write may hold
_read_recorded = reader(
    "status", "result", "error_message", "last_success_at", "retry_at", "consumed", "consecutive_failures"
)


def unstarted_error(owner: str) -> str:
    """Return the error of a run that was claimed by an instance and not started."""
    return f"not started: owner {owner} released its claim"


_Queued = tuple[RunOutcome, Run | None]  # None: the run has not started


@dataclass(eq=False)
class RunCompleter:
    """A queue of outcomes, written together and in order. It waits while the store is out of reach.

    The registry's lock guards it; `_writing` lets one thread at a time write.
    """

    _backend: Backend
    _lease: Lease
    _records: TaskRecords
    _recorder: DeadRunRecorder
    _flush_soon: Callable[[], None]
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _queue: deque[_Queued] = field(default_factory=deque)
    _unanswered: set[tuple[str, int]] = field(default_factory=set)  # perhaps written: by a call whose answer was lost

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, run: Run, clock: datetime, result: str | None, text: str | None, is_registered: bool) -> None:
        """Queue the outcome in the fields of a task; the caller holds the lock."""
        task, row = run.task, self._records.row(run.task.id)
        fields = task.__dict__
        if self._records.is_held(task.id):
            self._records.note_start(task)  # a Ctrl+C has cut off the start of the run
        if row is not None and is_registered:
            row.fields.update(_read_recorded(fields))
        elif run.epoch is not None:
            self._records.end(task.id, run.epoch)  # a task that was registered in its place has to be read
        at, status, error, retry_at = instant(clock), fields["status"], fields["error_message"], fields["retry_at"]
        success = at if status is TaskStatus.SUCCESS else None
        retry = None if retry_at is None else instant(retry_at)
        limit, consumed = fields["history_limit"], stored_consumed(fields["consumed"])
        counts = limit, consumed, fields.get("consecutive_failures", 0)
        # Arguments by position: by name, each run takes three times as long here.
        outcome = RunOutcome(
            task.id, run.epoch or 0, at, status, result, text, error, success, retry, run.attempt, *counts
        )
        run.is_over = True  # together with the next call: no signal handler runs in between
        self._queue.append((outcome, run))
        self._flush_soon()

    def add_unstarted(self, task_id: str, epoch: int) -> None:
        """Queue the end of a run that was claimed and not started; the caller holds the lock."""
        error = unstarted_error(self._lease.owner)
        row, failed = self._records.row(task_id), TaskStatus.FAILED
        failures = 0 if row is None else row.fields.get("consecutive_failures", 0)  # this is none of them
        outcome = RunOutcome(task_id, epoch, self._backend.now(), failed, error=error, history_limit=epoch)
        outcome = outcome._replace(consecutive_failures=failures)
        self._queue.append((outcome, None))  # with that limit, older runs stay: only a run that took place drops them
        self._flush_soon()

    def flush(self) -> None:
        """Write the outcomes that are queued."""
        if not self._queue:
            return
        late: list[RunOutcome] = []
        with self._writing:
            while self._queue:
                late += self._write(self.next_batch())
        for outcome in late:
            log(
                logging.WARNING,
                f"Run {outcome.epoch} of task {outcome.id!r} ended late ({outcome.status.value}): it had lost its task "
                "before, and changes nothing.",
            )

    def _write(self, batch: list[_Queued]) -> list[RunOutcome]:
        """Write a batch, and return the outcomes of it that came late, but for runs that did not start."""
        try:
            recorded, plainer = self._finish([outcome for outcome, _ in batch])
            dead = self._recorded_as_dead([(it, run) for it, run in batch if run and it[:2] not in recorded])
            late = self._settle(batch, recorded, plainer, dead)
        except BaseException:  # also a Ctrl+C before all is settled: the rest is written again, which changes nothing
            self._unanswered.update(outcome[:2] for outcome, _ in batch)
            raise
        self._unanswered.clear()
        return late

    def _settle(
        self,
        batch: list[_Queued],
        recorded: Collection[tuple[str, int]],
        plainer: Collection[tuple[str, int]],
        dead: dict[tuple[str, int], dict[str, Any] | None],
    ) -> list[RunOutcome]:
        """Take a batch that is written off the queue, each outcome when all is noted that follows from it."""
        late, records = [], self._records
        with records.lock:
            for outcome, run in batch:
                key, row = outcome[:2], records.row(outcome.id)
                if run is not None and key in dead:
                    self._recorder.mark_dead(run, dead[key], outcome.status is TaskStatus.SUCCESS)
                was_claimed = records.end(*key)
                is_late = run is not None and key not in recorded
                if is_late:
                    late.append(outcome)
                is_known = was_claimed and row is not None and row.epoch == outcome.epoch
                if row is not None and run is not None and is_known and not is_late and key not in plainer:
                    row.version += 1  # each change of a row is one version, and the fields of the task say this one
                elif was_claimed or run is not None:  # a claim that was undone is known
                    records.mark_stale((outcome.id,))
                self._queue.popleft()
        return late

    def _finish(self, outcomes: list[RunOutcome]) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
        """Write outcomes; return those that still had their tasks, and those that the store has refused as they are.

        These are recorded in plainer words if that is possible. If not, nothing more can be done for them.
        """
        backend, owner = self._backend, self._lease.owner
        refused, given_up = set[tuple[str, int]](), set[tuple[str, int]]()

        def note(outcome: RunOutcome, error: ValueRefusedError, is_written: bool) -> None:
            refused.add(outcome[:2])
            if not is_written:
                given_up.add(outcome[:2])
            level, remedy = (logging.WARNING, "its escaped text") if is_written else (logging.ERROR, "nothing")
            name = f"run {outcome.epoch} of task {outcome.id!r} ({outcome.status.value})"
            log(level, f"The store refuses the outcome of {name}, and {remedy} is recorded of it: {error}")

        recorded = write_apart(backend, lambda part: backend.finish(owner, part), outcomes, _plainer, note)
        return recorded | given_up, refused

    def clear_after_fork(self) -> None:
        """Start over in a child process: the outcomes are for the parent to write."""
        self._writing = threading.Lock()
        self._queue.clear()
        self._unanswered.clear()

    def next_batch(self) -> list[_Queued]:
        """Return the outcomes that are written next, together."""
        batch, size = list[_Queued](), 0
        for pair in list(islice(self._queue, LARGEST_BATCH)):  # in one step: other threads add to it
            size += len(pair[0].result or "")
            if batch and size > _LARGEST_WRITE:
                break
            batch.append(pair)
        return batch

    def _recorded_as_dead(self, late: list[tuple[RunOutcome, Run]]) -> dict[tuple[str, int], dict[str, Any] | None]:
        """Return the late outcomes whose runs another instance has recorded as failed, because the lease expired.

        With each comes the line of the history, None if later runs have taken its place. An outcome that is late
        because its task was removed is not among them, nor is one that a call without an answer has written before.
        """
        dead: dict[tuple[str, int], dict[str, Any] | None] = {}
        for outcome, run in late:
            key, dead_run = outcome[:2], DeadRunOutcome(outcome.id, outcome.epoch, self._lease.owner)
            claimed = instant(run.started_at) - round(self._lease.seconds * 1_000_000)  # at the earliest
            rows = {row.epoch: row for row in self._backend.history(outcome.id, since=claimed, limit=ALL_RUNS)}
            row, known = rows.get(outcome.epoch), self._records.row(outcome.id)
            newest = max(rows, default=0)
            if outcome.history_limit == 0 and known is not None:
                newest = max(newest, known.epoch)  # of later runs, none is kept either
            if row is not None and row.error == dead_run.error:
                dead[key] = past_of(row, run.task)
            elif row is None and newest > outcome.epoch and key not in self._unanswered:
                dead[key] = None  # only runs that have ended are dropped
        return dead


def _plainer(outcome: RunOutcome) -> list[RunOutcome]:
    """Return an outcome in texts that every encoding has, with the bounded `repr` of its result, and as a bare failure.

    The last one says less than the truth, but its task runs again.
    """
    shown, error = (text and escaped(text) for text in (outcome.result_text, outcome.error))
    plain = outcome._replace(result_text=shown, error=error)
    lost = f"the store refuses the outcome ({outcome.status.value})"
    failure = RunOutcome(*outcome[:3], TaskStatus.FAILED, error=lost, history_limit=outcome.history_limit)
    failure = failure._replace(consecutive_failures=max(outcome.consecutive_failures, 1))
    return [plain, plain._replace(result=json.dumps(shown)), failure]
