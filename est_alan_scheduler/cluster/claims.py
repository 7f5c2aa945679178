"""Claims: the right to start runs, claimed in batches, and released where it is not used."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.clock import to_instant
from est_alan_scheduler.backends.rows import ALL_RUNS, Assignment, Claim
from est_alan_scheduler.cluster.codecs.states import instant, stored
from est_alan_scheduler.cluster.completer import LARGEST_BATCH, RunCompleter
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.task_records import ClaimState, KnownRow, TaskRecords
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.dependencies import first_consumed
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.runs.observer import ClaimedRun
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import coming_attempt, due_moment, first_run, runs_with, slot_of_retry
from est_alan_scheduler.schedules.schedule import in_utc
from est_alan_scheduler.task import Task, TaskStatus

_SHORT = 0.1  # seconds that a batch of inline runs may take, for the next one to be larger
_INSTANT = 1e-6  # seconds; a shorter time has not been measured
_TRIES = 5  # to undo a claim while other instances manage the task
_LONGEST = 1.0  # seconds after which the rest of a batch is released, for other instances to run
_NO_SLOT = datetime.min + timedelta(days=1)  # a due moment up to here is no slot: the run is due at once

# A claim that is requested, its row, and when its run is due, in UTC.
_ClaimRequest = tuple[Claim, KnownRow, datetime | None]


@dataclass(eq=False)
class Claims:
    """The claims of one instance: by compare-and-set on the version of the row that was decided on.

    The registry's lock guards the records of tasks. A method that asks the backend may raise `BackendUnavailableError`.
    """

    _backend: Backend
    _lease: Lease
    _records: TaskRecords
    _replica: Replica
    _completer: RunCompleter
    inline_batch: int = 1
    """How many runs an inline tick claims at a time: as many as take `_SHORT` seconds, so that none waits long."""
    _batch: Collection[str] = ()  # that an inline tick works through
    _hold_until: float = 0.0  # by the monotonic clock
    # Claims that were refused when the whole batch was refused. If the same versions are refused again, the lease may
    # be lost: a lost race would have changed the versions.
    _refused: set[tuple[str, int]] = field(default_factory=set)
    _unanswered: dict[str, list[_ClaimRequest]] = field(default_factory=dict)  # by the token of each batch

    def size(self, is_inline: bool) -> int:
        """Return how many runs to claim at a time."""
        return self.inline_batch if is_inline else LARGEST_BATCH

    def adapt_batch(self, runs: int, seconds: float) -> None:
        """Note how long an inline tick took for so many runs. The claim does not count: it is not shorter for fewer."""
        fitting = runs * min(_SHORT, self._lease.seconds / 30) / max(seconds, _INSTANT)
        self.inline_batch = max(1, min(int(fitting), max(self.inline_batch, runs * 4), LARGEST_BATCH))

    def claim(self, batch: list[Entry], now: datetime, agenda: Agenda) -> None:
        """Claim the entries of a batch that were found ready at this very `now`."""
        requests, records, started = list[_ClaimRequest](), self._records, instant(now)
        with records.lock, agenda:
            for entry in batch:
                task, record = entry.task, records.get(entry.task.id)
                if entry.ready_at is not now or (record is not None and record.run is not None):
                    continue
                if record is None or record.row is None:  # the task cannot be shared
                    agenda.hold(entry)
                    continue
                attempt, due = 1, entry.slot
                if task.retry_at is not None:
                    lacks_input = first_consumed(task, agenda.store) is not None
                    attempt, due = coming_attempt(task, now, due, lacks_input)
                slot = due if due is None or attempt == 1 else slot_of_retry(task, due)
                at = started if slot is None or slot <= _NO_SLOT else to_instant(slot)
                first_run_at = instant(first_run(task, now))
                runs = runs_with(task, attempt)
                claim = Claim(task.id, record.row.version, at, attempt, started, first_run_at, started, None, runs)
                requests.append((claim, record.row, due))
        if not requests:
            return
        if self._lease.is_due() or (self._refused and any(claim[:2] in self._refused for claim, _, _ in requests)):
            self._lease.renew()
        self._send_claims(uuid4().hex, requests)

    def claim_by_hand(self, task: Task, agenda: Agenda) -> None:
        """Claim a run of `task` that no tick has found ready: for its due slot, if there is one."""
        self._replica.refresh([task.id])
        entry = Entry(task, agenda.reference)
        entry.ready_at = now = self._replica.now()
        due = due_moment(task, now)
        entry.slot = due if due is not None and due <= in_utc(now) else None
        self.claim([entry], now, agenda)

    def resolve(self) -> None:
        """Ask again for the claims whose answer was lost, and release those won: the store knows the token."""
        for token, requests in list(self._unanswered.items()):
            won = self._note_answer(token, requests)
            # Each is decided on anew: by the store it started then, and by now it may not be due any more.
            self.release([claim.id for claim, _, _ in requests])
            self._end_lost({claim.id: claim.started for claim, _, _ in requests if claim.id not in won})
            self._unanswered.pop(token, None)  # not before: a Ctrl+C on the way must not lose it

    def _end_lost(self, starts: dict[str, int]) -> None:
        """Let runs end that were claimed at these moments, by task, and whose tasks have been removed since."""
        if not starts:
            return
        runs = self._backend.history(status=TaskStatus.RUNNING, since=min(starts.values()), limit=ALL_RUNS)
        with self._records.lock:
            for run in runs:
                is_mine = run.owner == self._lease.owner and starts.get(run.task_id) == run.started
                if is_mine and not self._records.is_claimed(run.task_id, run.epoch):
                    self._completer.add_unstarted(run.task_id, run.epoch)

    def _send_claims(self, token: str, requests: list[_ClaimRequest]) -> None:
        try:
            won = self._note_answer(token, requests)
        except BaseException:  # also a Ctrl+C before all of the answer is noted
            self._unanswered[token] = requests
            raise
        self._refused = set() if won else {claim[:2] for claim, _, _ in requests}

    def _note_answer(self, token: str, requests: list[_ClaimRequest]) -> dict[str, int]:
        """Ask for a batch of claims, note those won, and return their epochs."""
        records, lease_since = self._records, self._lease.since
        won = self._backend.claim(self._lease.owner, token, [claim for claim, _, _ in requests])
        with records.lock:
            for claim, row, due in requests:
                epoch = won.get(claim.id)
                if epoch is None:
                    records.mark_stale((claim.id,))
                else:
                    run = ClaimedRun(epoch, claim.attempt, due)
                    records.hold(claim.id, row, claim.seen_version, run, lease_since)
        return won

    def may_start(self, task_id: str) -> bool:
        """Return whether a run is held, under a lease that lasts."""
        record = self._records.get(task_id)
        is_held = record is not None and record.state is ClaimState.HELD and record.lease_since == self._lease.since
        return is_held and self._lease.is_alive()

    def hold(self, ids: Collection[str]) -> None:
        """Note the tasks that an inline tick is about to claim and to work through; none when it is done."""
        self._hold_until = monotonic() + min(_LONGEST, self._lease.seconds / 3)
        self._batch = ids

    def seconds_to_hold(self) -> float | None:
        """Return how long the rest of an inline tick's batch may be held; None if there is no rest."""
        is_held = self._records.is_held
        return self._hold_until - monotonic() if any(is_held(task_id) for task_id in self._batch) else None

    def release_slow(self) -> None:
        """Release what an inline tick has held for too long. Another thread calls it: that of the tick is busy."""
        seconds = self.seconds_to_hold()
        if seconds is not None and seconds <= 0:
            self.inline_batch = 1
            self.release(self._batch)

    def release(self, ids: Collection[str]) -> None:
        """Let runs that are held not start any more; `write_released` undoes their claims."""
        with self._records.lock:
            for task_id in ids:
                self._records.release(task_id)

    def write_released(self) -> None:
        """Undo released claims in the store: the tasks stand as before, and any instance may claim them."""
        records = self._records
        with records.lock:
            released = records.take_released()
        if not released:
            return
        try:
            versions = self._restore_rows(released)
            with records.lock:
                for task_id, epoch in list(released.items()):
                    if task_id in versions and records.is_claimed(task_id, epoch):
                        self._replica.undo_claim(task_id, epoch, versions[task_id])
                    self._completer.add_unstarted(task_id, epoch)  # after that: so it ends late, and changes nothing
                    del released[task_id]
        except BaseException:  # also a Ctrl+C: what is left is written again
            with records.lock:
                records.keep_released(released)
            raise

    def _restore_rows(self, released: dict[str, int]) -> dict[str, int]:
        """Write what the claims have overwritten; return the new versions of the tasks for which that was done."""
        versions = dict[str, int]()
        for _ in range(_TRIES):
            with self._records.lock:
                undone = [self._undo_of(task_id, released[task_id]) for task_id in released.keys() - versions.keys()]
            wanted = [undo for undo in undone if undo is not None]
            versions |= self._backend.assign(wanted) if wanted else {}
            left = [one.id for one in wanted if one.id not in versions]
            if not left:
                break
            self._replica.refresh(left)  # another instance may have paused one meanwhile
        return versions

    def _undo_of(self, task_id: str, epoch: int) -> Assignment | None:
        """Return the fields before a claim; None if they are not known, or the task has been taken away since."""
        row = self._records.row(task_id)
        if row is None or not row.knows_before_claim() or row.newest_foreign_version > row.version:
            return None
        if not self._records.is_claimed(task_id, epoch):
            return None
        fields = row.before_claim()
        fields.update(row.request or {})  # it may have come since
        return Assignment(task_id, row.version, stored(fields) | {"slot": self._replica.tried(task_id)})

    def clear_after_fork(self) -> None:
        """Start over in a child process: the unanswered claims are the parent's."""
        self._refused.clear()
        for requests in self._unanswered.values():
            for claim, row, _ in requests:
                row.note_unknown()
                self._records.mark_stale((claim.id,))
        self._unanswered.clear()

    # Runs; the caller holds the lock.

    def claimed_run(self, task: Task) -> ClaimedRun | None:
        """Return the run of `task` that starts now, None if it is not claimed; `run_began` has to follow."""
        record = self._records.get(task.id)
        return record.run if record is not None and record.state is ClaimState.HELD else None

    def run_began(self, run: Run) -> None:
        """Note that the fields of a task say that its run has begun."""
        self._records.note_start(run.task)

    def start_undone(self, run: Run) -> None:
        """Note that a run which began has not taken place."""
        if run.epoch is not None:
            claimed = ClaimedRun(run.epoch, run.attempt, run.due)
            self._records.undo_start(run.task.id, claimed, run.before_fields())
