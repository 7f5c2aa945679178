"""The right to start runs: claimed in batches, and given back where it is not used."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from est_alan_scheduler.agenda import Agenda, Entry
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.rows import Assignment, Claim
from est_alan_scheduler.dependencies import first_consumed
from est_alan_scheduler.lease import Lease
from est_alan_scheduler.outcomes import LARGEST_BATCH, Outcomes
from est_alan_scheduler.recorded_state import claim_of, instant, stored
from est_alan_scheduler.run import Run
from est_alan_scheduler.shared_tasks import SharedTasks
from est_alan_scheduler.task import Task
from est_alan_scheduler.timing import coming_attempt, first_run

if TYPE_CHECKING:
    from est_alan_scheduler.run_book import RunBook

_SHORT = 0.1  # seconds that a batch of inline runs may take, for the next one to be larger
_STARTED = ("status", "first_run_at", "last_run_at", "retry_at", "attempt")


class Claims:
    """The claims of one instance: by compare-and-set on the version of the row that was decided on.

    The registry's lock guards what it notes in the tasks. Whatever asks the backend may raise
    `BackendUnavailableError`.
    """

    def __init__(self, backend: Backend, lease: Lease, tasks: SharedTasks, outcomes: Outcomes) -> None:
        self._backend = backend
        self._lease = lease
        self._tasks = tasks
        self._outcomes = outcomes
        self._size = 1
        self._unsure: tuple[str, list[Claim]] | None = None  # asked for, and the answer was lost

    def size(self, is_inline: bool) -> int:
        """Return how many runs to claim at a time.

        Inline, as many as have been short enough for others not to wait for them: at first one.
        """
        return self._size if is_inline else LARGEST_BATCH

    def learn(self, seconds: float) -> None:
        """Note how long a full batch of inline runs has taken."""
        is_short = seconds < min(_SHORT, self._lease.seconds / 30)
        self._size = min(self._size * 4, LARGEST_BATCH) if is_short else max(1, self._size // 4)

    def claim(self, batch: list[Entry], now: datetime, book: "RunBook", agenda: Agenda) -> None:
        """Claim what was found ready at this very `now`."""
        if self._lease.is_due():
            self._lease.renew()
        claims, tasks, started = [], self._tasks, instant(now)
        with book.lock:
            for entry in batch:
                task, row = entry.task, tasks.rows.get(entry.task.id)
                if entry.ready_at is not now or task.id in tasks.mine:
                    continue
                if row is None:  # it cannot be shared
                    agenda.hold(entry)
                    continue
                lacks_input = first_consumed(task, agenda.store) is not None
                attempt, slot = coming_attempt(task, now, entry.slot, lacks_input)
                claims.append(claim_of(task, row.version, slot, attempt, started, first_run(task, now)))
        if claims:
            self._ask(uuid4().hex, claims, book)

    def resolve(self, book: "RunBook") -> None:
        """Find out what became of claims whose answer was lost: the store knows the token."""
        if self._unsure is not None:
            self._ask(*self._unsure, book)

    def _ask(self, token: str, claims: list[Claim], book: "RunBook") -> None:
        tasks, since = self._tasks, self._lease.since
        self._unsure = token, claims
        won = self._backend.claim(self._lease.owner, token, claims)
        self._unsure = None
        if not won:
            self._lease.deadline = 0.0  # it may be gone; if not, renewing it does no harm
        with book.lock:
            for claim in claims:
                epoch, row = won.get(claim.id), tasks.rows.get(claim.id)
                if epoch is None or row is None:
                    tasks.stale.add(claim.id)
                    continue
                tasks.held[claim.id] = epoch, since
                tasks.mine[claim.id] = row.epoch = epoch
                row.version = claim.seen_version + 1  # each change of a row is one version

    def may_start(self, task_id: str, book: "RunBook") -> bool:
        """Tell whether a run is claimed, under a lease that lasts; one whose lease has expired is not started."""
        held = self._tasks.held.get(task_id)
        if held is None:
            return False
        if self._lease.is_alive() and held[1] == self._lease.since:
            return True
        with book.lock:
            if self._tasks.held.pop(task_id, None) is not None:
                self._outcomes.add_unstarted(task_id, held[0], is_expired=True)
        return False

    def release(self, ids: Collection[str], book: "RunBook") -> None:
        """Give back what will not be started: the tasks stand as they did before."""
        tasks, wanted = self._tasks, []
        with book.lock:
            for task_id in ids:
                epoch, row = tasks.mine.get(task_id), tasks.rows.get(task_id)
                tasks.held.pop(task_id, None)
                if epoch is None:
                    continue
                if row is not None:
                    before = {name: row.fields[name] for name in _STARTED}
                    wanted.append(Assignment(task_id, row.version, stored(before)))
                self._outcomes.add_unstarted(task_id, epoch, is_expired=False)
        if wanted:
            self._backend.assign(wanted)  # the runs end late by that, and change nothing

    def clear_after_fork(self, lease: Lease) -> None:
        """In a child process: they are those of the parent."""
        self._lease = lease
        self._unsure = None

    # Runs; the caller holds the lock.

    def start(self, task: Task) -> int | None:
        """Return the epoch of the run of `task` that starts now, None if it is not claimed."""
        held = self._tasks.held.pop(task.id, None)
        return None if held is None else held[0]

    def began(self, run: Run) -> None:
        """Note that the fields of a task say that its run has begun, as the store does."""
        row, fields = self._tasks.rows.get(run.task.id), run.task.__dict__
        if row is not None:
            fields["run_requested"], row.requested = row.requested, None
            row.fields.update({name: fields[name] for name in (*_STARTED, "run_requested")})

    def taken_back(self, run: Run) -> None:
        """Note that a run which began has not taken place."""
        row = self._tasks.rows.get(run.task.id)
        if row is not None:
            row.fields.update(run.before_fields())
