"""Rows: the arguments and answers of a backend.

Every instant is an `int`: microseconds since 1970 in UTC. Results and definitions are JSON text, which a backend stores
and does not interpret.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from est_alan_scheduler.task import TaskStatus


class Definition(NamedTuple):
    """A task as its application described it."""

    id: str
    json: str
    """A JSON object."""
    hash: str
    """The hash of `json`: equal for equal definitions."""
    paused: bool = False
    """Whether the task begins paused if it is new. A store does not return it here: it is in the State."""
    seen_hash: str | None = None
    """`define` writes it only over a definition of this hash; empty: only if there is no task; None: in any case."""

    def yields_to(self, found: str) -> bool:
        """Return whether a definition of another hash stands in the store that was not seen; empty: none does."""
        return self.seen_hash is not None and found not in (self.seen_hash, self.hash)

    def is_news_to(self, found: str) -> bool:
        """Return whether it is to be written where a definition of that hash stands; empty: none does."""
        return found != self.hash and not self.yields_to(found)


class State(NamedTuple):
    """The state of a task. The defaults are those of a new task."""

    id: str
    version: int
    """Grows with every change of the row: a decision names the version that it was made on."""
    epoch: int
    """Runs claimed so far: the number of the current or last run, and its fencing token."""
    status: TaskStatus = TaskStatus.PENDING
    first_run_at: int | None = None
    last_run_at: int | None = None
    last_success_at: int | None = None
    retry_at: int | None = None
    attempt: int = 0
    result: str | None = None
    """JSON; None before the first success."""
    error_message: str | None = None
    misfires: int = 0
    misfired_at: int | None = None
    paused: bool = False
    run_requested: int = 0
    """0: no run was requested. The caller defines the meaning of other numbers. A claim sets it to 0."""
    owner: str | None = None
    """The instance that runs the task; None if no run is in flight."""
    consumed: str | None = None
    """A JSON object: the successes of dependencies that its runs have used."""
    slot: int | None = None
    """The slot of the last run, as in its claim: a retry is for the same slot, whichever instance starts it."""
    runs: int = 0
    """Runs begun so far, as the claims have it: without the retries, which belong to the runs that they repeat."""
    consecutive_failures: int = 0
    """Failures since the last success, as the outcomes have it."""
    run_arguments: str | None = None
    """A JSON object of `args` and `kwargs`: those of the run that was requested last. The claim of a retry leaves them
    alone, and so does that of a requested run; any other claim sets them to None."""

    @property
    def is_first(self) -> bool:
        """Whether nothing has written the row since it was made, claims of a run that goes on apart."""
        return self.version == self.epoch + 1


class Assignment(NamedTuple):
    """Fields of a task's state that were assigned by hand. They are written if the row still has the version seen."""

    id: str
    seen_version: int
    fields: Mapping[str, Any]
    """By the names in `ASSIGNABLE`. A `status` takes the task away from its owner: the run in flight ends late."""

    def to_columns(self) -> dict[str, Any]:
        """Return the fields as they are stored."""
        columns = dict(self.fields)
        if "status" in columns:
            columns["status"] = TaskStatus(columns["status"]).value
        if "error_message" in columns:
            columns["error_message"] = storable(columns["error_message"])
        return columns


class Seen(NamedTuple):
    """What was read of a task, for a write that is made only if that still holds."""

    hash: str
    """That of its definition."""
    paused: bool


class Change(NamedTuple):
    """A change of a task's definition, or of the columns that management writes. None leaves a column alone."""

    id: str
    definition: Definition | None = None
    seen_hash: str | None = None
    """The change is made only if the definition still has this hash; None: in any case."""
    seen_paused: bool | None = None
    """The change is made only if the task still is paused, or is not; None: in any case."""
    paused: bool | None = None
    run_requested: int | None = None
    run_arguments: str | None = None
    """JSON; the text `null` sets the column to None."""


class Claim(NamedTuple):
    """The request to start one run, decided on a row of that version."""

    id: str
    seen_version: int
    slot: int | None
    attempt: int
    started: int
    first_run_at: int | None
    last_run_at: int | None
    retry_at: int | None = None
    runs: int = 0


class RunOutcome(NamedTuple):
    """The end of a run."""

    id: str
    epoch: int
    finished: int
    status: TaskStatus
    result: str | None = None
    """JSON, for the state row; written after a success only."""
    result_text: str | None = None
    """For the run row: the result as history shows it."""
    error: str | None = None
    last_success_at: int | None = None
    """Written after a success only."""
    retry_at: int | None = None
    attempt: int = 0
    history_limit: int = 100
    """The number of runs of this task to keep. A run that ends late is kept at first: its row tells why."""
    consumed: str | None = None
    """JSON, for the state row; None leaves that alone."""
    consecutive_failures: int = 0

    @property
    def prune_to(self) -> int:
        """The latest epoch whose run row is deleted, unless that run is in flight, or it is this one and late."""
        return max(self.epoch - self.history_limit, 0)

    @property
    def leaves_no_run(self) -> bool:
        """Whether this run is not kept either: then the row of its task alone tells that it was recorded."""
        return self.prune_to == self.epoch > 0

    def is_told_by(self, status: str, error: str | None, retry_at: int | None, last_success_at: int | None) -> bool:
        """Return whether the row of its task, which nothing runs, has this epoch and these fields because of it."""
        told = self.status.value, storable(self.error), self.retry_at
        is_same_success = self.status is not TaskStatus.SUCCESS or last_success_at == self.last_success_at
        return told == (status, error, retry_at) and is_same_success

    def to_columns(self) -> tuple[Any, ...]:
        """Return the fields as they are stored, with `prune_to` in the place of `history_limit`."""
        texts = storable(self.result_text), storable(self.error)
        return (*self[:3], self.status.value, self.result, *texts, *self[7:10], self.prune_to, *self[11:])


class DeadRunOutcome(NamedTuple):
    """The outcome that `reap` records for a run that `find_dead_runs` returned: a failure, and maybe a retry."""

    id: str
    epoch: int
    owner: str
    retry_at: int | None = None
    attempt: int = 0
    consecutive_failures: int = 0

    @property
    def error(self) -> str:
        """The error message of the run."""
        return f"lease expired: owner {self.owner} stopped renewing"


class RunKey(NamedTuple):
    """The place of a run in the history. The order is that of the start, then of the bytes of the id in UTF-8."""

    started: int
    task_id: str
    epoch: int


class RunRow(NamedTuple):
    """One run in the history. The defaults are those of a run in flight."""

    task_id: str
    epoch: int
    slot: int | None
    attempt: int
    owner: str
    started: int
    finished: int | None = None
    status: TaskStatus = TaskStatus.RUNNING
    result: str | None = None
    error: str | None = None
    late: bool = False
    """The run no longer had its task when it ended: its lease had expired, or the task had been removed or assigned a
    status. A run that was recorded as FAILED for that stays so: others have acted on it."""

    @property
    def key(self) -> RunKey:
        """The place of the run in the history."""
        return RunKey(self.started, self.task_id, self.epoch)


class InstanceRow(NamedTuple):
    """An instance and its lease."""

    owner: str
    since: int
    """The first of the renewals between which the lease has never expired."""
    lease_until: int

    @classmethod
    def renewed(cls, owner: str, before: "InstanceRow | None", now: int, lease: float) -> "InstanceRow":
        """Return the row after a renewal for so many seconds; `before` is the row that the renewal replaces, if any."""
        since = now
        if before is not None:
            since = before.since if before.lease_until > now else max(now, before.since + 1)
        return cls(owner, since, now + round(lease * 1_000_000))


class Renewal(NamedTuple):
    """The answer to a renewal."""

    now: int
    lease_until: int
    since: int
    """The first of the unbroken renewals. If it differs from the last answer, the lease had expired between the two:
    runs claimed before may have been reaped, and must not be started any more."""


class Snapshot(NamedTuple):
    """The answer to a fetch."""

    now: int
    """The time by the store's clock."""
    revision: int
    definitions: dict[str, Definition | None]
    """The definitions that changed since the revision seen; None: the task was removed."""
    states: dict[str, State]
    """The states of the ids asked for and of those in `definitions`, unless the task is missing."""
    unreadable: dict[str, str]
    """The ids of unreadable rows, each with the reason. Bytes that are no text are surrogates there, as in PEP 383."""
    paused: bool = False
    """All tasks are paused: no claim succeeds."""
    born: int = 0
    """The time at which the store was created, by its clock. If it differs from before, the store has lost its rows."""
    is_complete: bool = False
    """The snapshot has the definitions of all tasks, or why they are unreadable: one that it leaves out was removed."""


ASSIGNABLE = frozenset(State._fields) - {"id", "version", "epoch", "paused", "owner"}
"""The fields of `State` that may be assigned by hand."""

LARGEST = 2**53 - 1
"""The largest version and epoch: every store counts up to it exactly, numbers of Lua included."""

HIGHEST = 2**52
"""The highest version and epoch of a tombstone that is dropped: new rows continue above it, and need room."""


ALL_RUNS = 2**31 - 1
"""The limit of a history that leaves no run out."""


def is_storable(text: str) -> bool:
    """Return whether every store can hold a text as it is."""
    return storable(text) == text


def storable(text: str | None) -> str | None:
    """Return a text with escapes for all that a store cannot hold: NUL, and halves of surrogate pairs."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


def escaped(text: str) -> str:
    """Return a text with escapes for all that is not ASCII, for a store whose encoding lacks it."""
    return text.encode("ascii", "backslashreplace").decode()
