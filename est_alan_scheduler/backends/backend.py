"""The contract of a backend: compare-and-set on rows, and no knowledge of schedules."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence

from est_alan_scheduler._support.errors import SchedulerError
from est_alan_scheduler.backends.clock import StoreClock
from est_alan_scheduler.backends.rows import (
    Assignment,
    Change,
    Claim,
    DeadRunOutcome,
    Definition,
    InstanceRow,
    Renewal,
    RunKey,
    RunOutcome,
    RunRow,
    Seen,
    Snapshot,
    State,
    is_storable,
)
from est_alan_scheduler.task import TaskStatus

DEFAULT_NAME = "est_alan_scheduler"
"""The prefix of the names of all tables and keys."""


class BackendUnavailableError(SchedulerError, ConnectionError):
    """The store could not be reached, or did not answer in time. The operation may or may not have been done.

    Every operation may be repeated with the same arguments; the next call connects anew.
    """


class ValueRefusedError(BackendUnavailableError, ValueError):
    """The store refuses a value of the operation for what it is: its encoding, its size, a row that does not fit.

    The same operation on other rows, or with other values, may succeed. Of the rows of this one, none or some are
    written. A caller that cannot write anything else treats it as an outage, like the errors of the base class.
    """


class Backend(ABC):
    """A store of the state of tasks beyond a process. All methods may be called from any thread.

    An operation takes any number of ids, and makes a handful of round trips for them. Each row is compared and written
    for itself, and never by half. An operation raises `BackendUnavailableError` if the store cannot be reached or
    accepts nothing for now, and `ValueRefusedError` if it refuses a value.

    A row's `version` begins at 1 and grows by exactly one with each claim, finish, reap, assignment, change, removal
    and new definition of the row, and with nothing else: an instance that knows the version before its write knows the
    version after it. A late outcome, a lost race and a repeated operation change no version.

    The row of a removed task stays as a tombstone that keeps version and epoch. Once it is dropped, the versions and
    epochs of all new rows begin above its version: what was decided, claimed or run before never meets a new row.
    `clock` replaces the store's clock, for tests: it returns microseconds since 1970.
    """

    hint = "check that the store can be reached"
    """What to do if it is unavailable at opening."""

    may_upgrade = True
    """Whether opening brings a store of a former schema up to date; it is refused otherwise."""

    def __init__(self, url: str, clock: Callable[[], int] | None = None) -> None:
        self.url = url  # without a password: it is part of messages
        self.clock = StoreClock(clock)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def now(self) -> int:
        """Return the time by the store's clock, as an offset to the local monotonic clock: no round trip."""
        return self.clock.now()

    def can_hold(self, text: str) -> bool:
        """Return whether the store can hold a text as it is, as the id of a task."""
        return is_storable(text)

    @abstractmethod
    def open(self) -> None:
        """Create what is missing, in any number of processes at once.

        RuntimeError if a later version of this package has written the store, or a former one unless `may_upgrade`, or
        if the store may lose its content.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections; a later call makes new ones."""

    @abstractmethod
    def fetch(self, ids: Collection[str] | None, seen: int, known: Mapping[str, int] | None = None) -> Snapshot:
        """Return the store's time, its revision, the changes since the revision `seen`, and the states of tasks.

        One round trip. `None` means all tasks. The first call passes 0, each later one the revision of the last
        snapshot. Tasks that are `known` to have a version are part of the snapshot too, unless they still have that
        version or are missing. An unreadable row is reported as such, and hinders no other. An emptied store begins
        anew.

        The first snapshot is complete, and reads no tombstone. So is one since a revision below that of a tombstone
        that was dropped: its removal could not be told otherwise.
        """

    @abstractmethod
    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        """Write definitions whose hash is new, leave equal ones alone, and return the states of all.

        A definition that is written gets a new version, and the store a new revision, in the same transaction. A
        removed task comes back with its epoch, and with nothing else of its past. Such a task, and a new one, is
        paused if its definition says so. One that differs from the definition in the store, which has another hash than
        was seen, is not written, and left out of the answer. So is an unreadable row: `fetch` reports the reason.
        """

    @abstractmethod
    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        """Change tasks, and return the states of those that were changed.

        Missing tasks, and those whose hash or pause differs from the one seen, are left out. Versions and the store's
        revision grow in the same transaction. Runs neither prevent a change nor are disturbed by it. An unreadable row
        is left out of the answer, as by `define`.
        """

    @abstractmethod
    def remove(self, ids: Collection[str], seen: Mapping[str, Seen] | None = None) -> set[str]:
        """Remove tasks and their finished runs. A tombstone keeps the epoch, so that a run in flight ends late.

        A task with another hash or pause than was `seen` of it stays; return the ids of those. One that is missing, or
        was removed before, is not among them.

        Unreadable rows are removed too; an id that is no text is given as in `Snapshot.unreadable`. What the store
        cannot hold is not there.
        """

    @abstractmethod
    def drop_tombstones(self, limit: int = 1_000) -> int:
        """Drop tombstones that nothing can need any more, and return how many, at most `limit`.

        These are the tombstones of tasks without a run in flight, when all leases of the time of the removal have
        expired. A tombstone whose numbers are out of range stays.
        """

    @abstractmethod
    def pause_all(self, paused: bool) -> bool:
        """Refuse all claims from now on, or accept them again; return whether that is a change.

        Runs in flight go on and end as usual. The store's revision grows in the same transaction, the version of no
        task does. A claim that succeeds at the same time counts as earlier.
        """

    @abstractmethod
    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        """Write fields into rows that still have the version seen, and return the new versions of those, by id.

        An assignment that is repeated after a lost answer looks like a lost race: fetch the row, and compare.
        """

    @abstractmethod
    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        """Start runs of tasks that still have the version seen, and return the epochs of those started, by id.

        A claim fails without a live lease, while all is paused, if the task is RUNNING, or if it is missing. A `token`
        belongs to one batch of claims: the same batch and token again give the same answer, for all runs that are
        still in flight.
        """

    @abstractmethod
    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        """Record the ends of runs, and return those (id, epoch) that still had their tasks.

        The others are late: their run rows say so, and nothing else changes. Runs beyond each outcome's
        `history_limit` are deleted. A repetition gives the same answer.
        """

    @abstractmethod
    def renew(self, owner: str, lease: float) -> Renewal:
        """Extend the lease of an owner to so many seconds from now, also if it had none or it has expired.

        The caller must not overestimate it: count from before the call, by the monotonic clock.
        """

    @abstractmethod
    def instances(self) -> list[InstanceRow]:
        """Return all instances with a live lease, the oldest first."""

    @abstractmethod
    def leave(self, owner: str) -> None:
        """End a lease. The owner's unfinished runs can be reaped from then on."""

    @abstractmethod
    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        """Return runs without an outcome whose owner has no live lease, by id and epoch."""

    @abstractmethod
    def reap(self, outcomes: Sequence[DeadRunOutcome]) -> set[tuple[str, int]]:
        """Record dead runs as FAILED, each with its `retry_at`, and return those (id, epoch) that were recorded.

        The caller of `find_dead_runs` decides about a retry, and `reap` writes it in the same transaction: a crash
        cannot separate the two. That transaction compares the lease again: an owner that has renewed keeps its run.
        """

    @abstractmethod
    def history(
        self,
        task_id: str | None = None,
        status: TaskStatus | None = None,
        since: int | None = None,
        limit: int = 100,
        before: RunKey | None = None,
    ) -> list[RunRow]:
        """Return the latest runs in the order of their keys, the oldest of them first.

        `since`: started at that instant or later; `before`: with a lesser key, whether or not that run is still there.
        """

    @abstractmethod
    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        """Return the newest finished runs of each of these tasks, at most so many, the oldest of them first.

        Tasks without any are left out.
        """
