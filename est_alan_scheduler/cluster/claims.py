"""The right to start runs: claimed in batches, and given back where it is not used."""

from collections import deque
from collections.abc import Collection
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.rows import Assignment, Claim
from est_alan_scheduler.cluster.completer import LARGEST_BATCH, RunCompleter
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.replica import Held, Replica, Row
from est_alan_scheduler.cluster.state_codec import CLAIMED, claim_of, instant, stored
from est_alan_scheduler.planning.agenda import Agenda, Entry
from est_alan_scheduler.planning.dependencies import first_consumed
from est_alan_scheduler.runs.observer import ClaimedRun
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import coming_attempt, first_run, slot_of_retry
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.runs.recorder import RunRecorder

_SHORT = 0.1  # seconds that a batch of inline runs may take, for the next one to be larger
_INSTANT = 1e-6  # seconds; what takes less has not been measured
_TRIES = 5  # to give back what others manage at the same moment
_LONGEST = 1.0  # seconds after which what is left of one is given back, for others to run

_BEGUN = (*CLAIMED, "run_requested")
_begun = itemgetter(*_BEGUN)


class _Wish(NamedTuple):
    claim: Claim
    row: Row
    """That it was decided on."""
    due: datetime | None
    """When that run is due, in UTC."""


def _decision(wish: _Wish) -> tuple[str, int]:
    return wish.claim.id, wish.claim.seen_version


class Claims:
    """The claims of one instance: by compare-and-set on the version of the row that was decided on.

    The registry's lock guards what it notes in the tasks. Whatever asks the backend may raise
    `BackendUnavailableError`.
    """

    def __init__(self, backend: Backend, lease: Lease, replica: Replica, completer: RunCompleter) -> None:
        self._backend = backend
        self._lease = lease
        self._replica = replica
        self._completer = completer
        self._size = 1
        self._batch: Collection[str] = ()  # that an inline tick is at
        self._hold_until = 0.0  # by the monotonic clock
        # What was not won when nothing was. Lost races show in the versions; if these stand, the lease may be gone.
        self._refused: set[tuple[str, int]] = set()
        self._unsure: deque[tuple[str, list[_Wish]]] = deque()  # asked for, and the answer was lost

    def size(self, is_inline: bool) -> int:
        """Return how many runs to claim at a time.

        Inline, as many as have been short enough for others not to wait for them: at first one.
        """
        return self._size if is_inline else LARGEST_BATCH

    def learn(self, runs: int, seconds: float) -> None:
        """Note how long so many inline runs have taken, the claim of them apart: it gets no shorter with fewer."""
        fitting = runs * min(_SHORT, self._lease.seconds / 30) / max(seconds, _INSTANT)
        self._size = max(1, min(int(fitting), max(self._size, runs * 4), LARGEST_BATCH))

    def hold(self, ids: Collection[str]) -> None:
        """Note that an inline tick is about to claim these, and to work through them; none when it is done."""
        self._hold_until = monotonic() + min(_LONGEST, self._lease.seconds / 3)
        self._batch = ids

    def seconds_to_hold(self) -> float | None:
        """Return how long what an inline tick holds may be held; None if it holds nothing."""
        held = self._replica.held
        return self._hold_until - monotonic() if any(task_id in held for task_id in self._batch) else None

    def release_slow(self, recorder: "RunRecorder") -> None:
        """Let go of what an inline tick, which turned slow, has held for too long. From another thread: it is busy."""
        seconds = self.seconds_to_hold()
        if seconds is not None and seconds <= 0:
            self._size = 1
            self.release(self._batch, recorder)

    def claim(self, batch: list[Entry], now: datetime, recorder: "RunRecorder", agenda: Agenda) -> None:
        """Claim what was found ready at this very `now`."""
        wishes, replica, started = [], self._replica, instant(now)
        with recorder.lock:
            for entry in batch:
                task, row = entry.task, replica.rows.get(entry.task.id)
                if entry.ready_at is not now or task.id in replica.mine:
                    continue
                if row is None:  # it cannot be shared
                    agenda.hold(entry)
                    continue
                attempt, due = 1, entry.slot
                if task.retry_at is not None:
                    lacks_input = first_consumed(task, agenda.store) is not None
                    attempt, due = coming_attempt(task, now, due, lacks_input)
                slot = due if due is None or attempt == 1 else slot_of_retry(task, due)
                claim = claim_of(task, row.version, slot, attempt, started, first_run(task, now))
                wishes.append(_Wish(claim, row, due))
        if not wishes:
            return
        if self._lease.is_due() or (self._refused and not self._refused.isdisjoint(map(_decision, wishes))):
            self._lease.renew()
        self._ask(uuid4().hex, wishes, recorder)

    def resolve(self, recorder: "RunRecorder") -> None:
        """Find out what became of claims whose answer was lost: the store knows the token."""
        while self._unsure:
            token, wishes = self._unsure.popleft()
            self._ask(token, wishes, recorder)
            # To be decided on anew: by the store it started then, and by now it may not be due any more.
            self.release([wish.claim.id for wish in wishes], recorder)

    def _ask(self, token: str, wishes: list[_Wish], recorder: "RunRecorder") -> None:
        replica, since = self._replica, self._lease.since
        try:
            won = self._backend.claim(self._lease.owner, token, [wish.claim for wish in wishes])
        except BaseException:
            self._unsure.append((token, wishes))
            raise
        self._refused = set() if won else set(map(_decision, wishes))
        with recorder.lock:
            for claim, row, due in wishes:
                epoch = won.get(claim.id)
                if epoch is None:
                    replica.stale.add(claim.id)
                    continue
                replica.mine[claim.id] = epoch
                if replica.rows.get(claim.id) is row and row.epoch < epoch:
                    replica.held[claim.id] = Held(ClaimedRun(epoch, claim.attempt, due), since)
                    row.epoch = epoch
                    row.version = max(row.version, claim.seen_version + 1)  # each change of a row is one version
                else:
                    replica.released[claim.id] = epoch  # the task was removed, or registered anew, meanwhile

    def may_start(self, task_id: str) -> bool:
        """Tell whether a run is claimed, under a lease that lasts."""
        held = self._replica.held.get(task_id)
        return held is not None and self._lease.is_alive() and held.since == self._lease.since

    # What is not started.

    def release(self, ids: Collection[str], recorder: "RunRecorder") -> None:
        """Let go of what is claimed and not started: from now on it does not start, and `write_released` has it."""
        with recorder.lock:
            for task_id in ids:
                self._replica.release(task_id)

    def write_released(self, recorder: "RunRecorder") -> None:
        """Write what was released: the tasks stand as they did before, and may be claimed by anybody."""
        replica = self._replica
        if not replica.released:
            return
        with recorder.lock:
            released, replica.released = replica.released, {}
        try:
            versions = self._assign_back(released, recorder)
        except BaseException:
            with recorder.lock:
                replica.released.update(released)
            raise
        with recorder.lock:
            for task_id, epoch in released.items():
                if task_id in versions and replica.mine.get(task_id) == epoch:
                    replica.given_back(task_id, versions[task_id])
                self._completer.add_unstarted(task_id, epoch)  # after that, so that it ends late and changes nothing

    def _assign_back(self, released: dict[str, int], recorder: "RunRecorder") -> dict[str, int]:
        """Undo in the store what claims have written; return the versions of the tasks for which that was done."""
        replica, versions = self._replica, dict[str, int]()
        for _ in range(_TRIES):
            with recorder.lock:
                rows = [(task_id, replica.rows.get(task_id)) for task_id in released.keys() - versions.keys()]
                wanted = [
                    Assignment(task_id, row.version, self._before(task_id, row))
                    for task_id, row in rows
                    if row is not None
                    and row.knows_before_claim()
                    and replica.mine.get(task_id) == released[task_id]
                    and row.heard <= row.version  # or somebody has taken it away
                ]
            versions |= self._backend.assign(wanted) if wanted else {}
            left = [one.id for one in wanted if one.id not in versions]
            if not left:
                break
            replica.refresh(left)  # somebody may have paused one meanwhile
        return versions

    def _before(self, task_id: str, row: Row) -> dict[str, Any]:
        """Return what a claim has overwritten, as it was, but for a run that was asked for since."""
        fields = {name: row.fields[name] for name in CLAIMED}
        fields["run_requested"] = row.requested or row.fields["run_requested"]
        return stored(fields) | {"slot": self._replica.tried(task_id)}

    def clear_after_fork(self, lease: Lease) -> None:
        """In a child process: they are those of the parent."""
        self._lease = lease
        self._refused.clear()
        for _, wishes in self._unsure:
            for claim, row, _ in wishes:
                row.version, row.fields = 0, {}
                self._replica.stale.add(claim.id)
        self._unsure.clear()

    # Runs; the caller holds the lock.

    def start(self, task: Task) -> ClaimedRun | None:
        """Return the run of `task` that starts now, None if it is not claimed; `began` has to follow."""
        held = self._replica.held.get(task.id)
        return None if held is None else held.run

    def began(self, run: Run) -> None:
        """Note that the fields of a task say that its run has begun, as the store does."""
        row, fields = self._replica.rows.get(run.task.id), run.task.__dict__
        if row is not None:
            fields["run_requested"], row.requested = row.requested, None
            row.fields.update(zip(_BEGUN, _begun(fields), strict=True))
        self._replica.held.pop(run.task.id, None)  # not before: a start that is cut off is given back

    def start_undone(self, run: Run) -> None:
        """Note that a run which began has not taken place."""
        replica, task_id = self._replica, run.task.id
        row = replica.rows.get(task_id)
        if row is not None:
            row.fields.update(run.before_fields())
        if run.epoch is not None:
            replica.held[task_id] = Held(ClaimedRun(run.epoch, run.attempt, run.due), None)
