"""What every backend does: compare and set, and nothing that knows what a schedule means."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends.clock import StoreClock
from est_alan_scheduler.backends.rows import (
    ASSIGNABLE,
    Assignment,
    Change,
    Claim,
    DeadRun,
    Definition,
    InstanceRow,
    Renewal,
    RunOutcome,
    RunRow,
    Snapshot,
    State,
    is_storable,
    storable,
)
from est_alan_scheduler.fields.checks import near_miss
from est_alan_scheduler.task import TaskStatus

SCHEMA = 2
"""The version of the tables and keys that this code writes."""

LONGEST_ID = 2_000
"""Bytes of the id of a task: an index of PostgreSQL holds no more than 2,704 of all that it is about."""

DEFAULT_NAME = "est_alan_scheduler"
"""What the names of all tables and keys begin with."""


class BackendUnavailableError(ConnectionError):
    """The store could not be reached, or did not answer in time. What was asked may or may not have been done.

    Every operation may simply be asked again, with the same arguments; the next call connects anew.
    """


class Backend(ABC):
    """Where the state of tasks lives beyond a process. All methods may be called from any thread.

    An operation takes any number of ids, and makes a handful of round trips for them. Each row is compared and written
    for itself, and nothing of it is half done. It raises `BackendUnavailableError` when the store cannot be reached.

    A row's `version` begins at 1 and grows by exactly one with each claim, finish, reap, assignment, change, removal
    and new definition of it, and with nothing else: who has made such a change to a version that is known knows the new
    one. What is late, lost a race, or is asked again changes no version.
    `clock` replaces the store's clock, for tests: it returns microseconds since 1970.
    """

    def __init__(self, url: str, clock: Callable[[], int] | None = None) -> None:
        self.url = url  # without a password: it is part of messages
        self.clock = StoreClock(clock)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def now(self) -> int:
        """Return the time by the store's clock, as an offset to the local monotonic clock: no round trip."""
        return self.clock.now()

    @abstractmethod
    def open(self) -> None:
        """Create what is missing, in any number of processes at once.

        RuntimeError if the store was written by a later version of this package, or cannot be trusted to keep it.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections; a later call makes new ones."""

    @abstractmethod
    def fetch(
        self, ids: Collection[str] | None, seen_revision: int, known: Mapping[str, int] | None = None
    ) -> Snapshot:
        """Return the store's time, its revision, what changed since another one, and the states of tasks.

        One round trip. `None` means all tasks. Start with revision 0, and pass the one of the last look from then on.
        Tasks that are `known` to have a version are shown as well, unless they still have it or are not there.
        A row that makes no sense is reported as such, and hinders no other. A store that was emptied begins anew.
        """

    @abstractmethod
    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        """Write definitions whose hash is new, leave equal ones alone, and return the state of all.

        What is written gets a new version, and the store a new revision, in the same transaction. A task that was
        removed comes back with its epoch, and without anything else of its past. That one, and a new one, is paused if
        its definition says so. A row that makes no sense is left out
        of the answer: a look tells what is wrong with it.
        """

    @abstractmethod
    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        """Change what tasks are, and return the states of those that were changed.

        Left out are tasks that are not there, and those whose hash is another than the one that was seen. Versions and
        the store's revision grow in the same transaction. Runs do not get in the way, nor are they disturbed. A row
        that makes no sense is left out of the answer, as by `define`.
        """

    @abstractmethod
    def remove(self, ids: Collection[str]) -> None:
        """Remove tasks and their finished runs; what stays is the epoch, so that a run in progress ends late."""

    @abstractmethod
    def pause_all(self, paused: bool) -> bool:
        """Let no claim be won any more, or be won again; return whether that is a change. Runs go on, and end as usual.

        The store's revision grows with it in the same transaction, the version of no task does. A claim that is won in
        this very moment was won before.
        """

    @abstractmethod
    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        """Write fields into rows that still have the version seen, and return the new versions of those, by id.

        An assignment that is asked for again after a lost answer looks like a lost race: look, and compare.
        """

    @abstractmethod
    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        """Start runs of tasks that still have the version seen, and return the epochs of those won, by id.

        Nothing is won without a live lease, while all is paused, of a task that is RUNNING, or of one that is gone. A
        `token` belongs to one batch of claims: asked again with it, the answer is the same, as far as those runs still
        go on.
        """

    @abstractmethod
    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        """Record how runs ended, and return those (id, epoch) that still had their tasks.

        The others are late: their run rows say so, and nothing else changes. Older runs than each outcome's
        `history_limit` allows are dropped. Asked again, the answer is the same.
        """

    @abstractmethod
    def renew(self, owner: str, lease: float) -> Renewal:
        """Let the lease of an owner last for so many seconds from now, also when it had none or it has expired.

        To be sure not to overestimate it, count from before the call, by the monotonic clock.
        """

    @abstractmethod
    def instances(self) -> list[InstanceRow]:
        """Return all whose lease is alive, the oldest first."""

    @abstractmethod
    def leave(self, owner: str) -> None:
        """Give a lease back. Runs that the owner has not finished can be reaped from then on."""

    @abstractmethod
    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        """Return runs without an outcome whose owner has no live lease, by id and epoch."""

    @abstractmethod
    def reap(self, dead_runs: Sequence[DeadRun]) -> set[tuple[str, int]]:
        """Record lost runs as FAILED, `retry_at` with it, and return those (id, epoch) that were.

        In two steps, `lost` and `reap`, so that a retry is decided outside and yet written in the same transaction: no
        crash comes between. The lease is compared again in that transaction: who has renewed meanwhile keeps the run.
        """

    @abstractmethod
    def history(
        self, task_id: str | None = None, status: TaskStatus | None = None, since: int | None = None, limit: int = 100
    ) -> list[RunRow]:
        """Return the latest runs, the oldest of them first; `since`: started at that instant or later."""

    @abstractmethod
    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        """Return, of each of these tasks, its newest finished runs, at most so many, the oldest of them first.

        Tasks without any are left out.
        """


def check_name(name: str) -> str:
    """Return the prefix of tables and keys; ValueError if it does not fit into the names of all stores."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", name):
        raise ValueError(
            f"the name of a backend must be 1 to 40 of a-z, 0-9 and _, not beginning with a digit, got {name!r}"
        )
    return name


def check_ids(definitions: Sequence[Definition]) -> None:
    """Refuse ids that not every store can hold with ValueError."""
    for definition in definitions:
        if not is_storable(definition.id) or len(definition.id.encode()) > LONGEST_ID:
            raise ValueError(
                f"the task id {short_repr(definition.id)} cannot be stored: it has a NUL, half a surrogate pair, "
                f"or more than {LONGEST_ID} bytes in UTF-8"
            )


def check_fields(assignment: Assignment) -> None:
    """Refuse fields that are not assigned by hand with ValueError."""
    for name in assignment.fields:
        if name not in ASSIGNABLE:
            raise ValueError(
                f"{name!r} of task {assignment.id!r} cannot be assigned{near_miss(name, ASSIGNABLE)};"
                f" what can: {', '.join(sorted(ASSIGNABLE))}"
            )


def stored_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return assigned fields as they are stored."""
    values = dict(fields)
    if "status" in values:
        values["status"] = TaskStatus(values["status"]).value
    if "error_message" in values:
        values["error_message"] = storable(values["error_message"])
    return values


def renewed_since(before: InstanceRow | None, now: int) -> int:
    """Return since when a lease that is renewed now has never expired."""
    if before is None:
        return now
    return before.since if before.lease_until > now else max(now, before.since + 1)


def check_schema(found: int, url: str) -> None:
    """Refuse a store that another version has written, with other tables, with RuntimeError."""
    if found != SCHEMA:
        remedy = "upgrade it, or give" if found > SCHEMA else "earlier ones are not converted; give"
        raise RuntimeError(
            f"{url} has schema {found}, this version of est_alan_scheduler knows {SCHEMA}: {remedy} the backend another"
            " name"
        )
