"""What a backend takes and gives: plain rows.

Every instant is an `int`: microseconds since 1970 in UTC. Results and definitions are JSON text, which a backend keeps
and does not interpret.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, NamedTuple

from est_alan_scheduler._support.log import log
from est_alan_scheduler.task import TaskStatus


class Definition(NamedTuple):
    """What a task is, as its application described it."""

    id: str
    json: str
    """A JSON object."""
    hash: str
    """Of what `json` says: equal for equal definitions."""
    paused: bool = False
    """How it stands if it is new. A store does not tell it: it is in the State."""


class State(NamedTuple):
    """How a task stands."""

    id: str
    version: int
    """Grows with every change of the row: what a decision was made on."""
    epoch: int
    """Runs claimed so far: the number of the current or last run, and the token that fences it."""
    status: TaskStatus
    first_run_at: int | None
    last_run_at: int | None
    last_success_at: int | None
    retry_at: int | None
    attempt: int
    result: str | None
    """JSON; None before the first success."""
    error_message: str | None
    misfires: int
    misfired_at: int | None
    paused: bool
    run_requested: int
    """0: no run was asked for. What other numbers mean is up to the caller. A claim sets it to 0."""
    owner: str | None
    """Who runs it; None if nobody does."""
    consumed: str | None = None
    """A JSON object: the successes of dependencies that its runs have made use of."""
    slot: int | None = None
    """What its last run was due for, as the claim said: a retry is for the same, whoever starts it."""


class Assignment(NamedTuple):
    """Fields of a task's state that were assigned by hand, to be written if the row still has that version."""

    id: str
    seen_version: int
    fields: Mapping[str, Any]
    """By the names in `ASSIGNABLE`. A `status` takes the task away from whoever runs it: that run ends late."""


class Change(NamedTuple):
    """A change of what a task is; None leaves a column alone."""

    id: str
    definition: Definition | None = None
    seen_hash: str | None = None
    """Only if the definition still has this hash; None: whatever it is."""
    paused: bool | None = None
    run_requested: int | None = None


class Claim(NamedTuple):
    """The wish to start one run, decided on a row of that version."""

    id: str
    seen_version: int
    slot: int | None
    attempt: int
    started: int
    first_run_at: int | None
    last_run_at: int | None
    retry_at: int | None = None


class RunOutcome(NamedTuple):
    """How a run ended."""

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
    """How many runs of this task the store keeps; the latest stays in any case, it tells a repeated finish."""
    consumed: str | None = None
    """JSON, for the state row; None leaves that alone."""

    @property
    def prune_to(self) -> int:
        """The latest epoch whose run is dropped, unless it still goes on."""
        return max(self.epoch - max(self.history_limit, 1), 0)


class DeadRun(NamedTuple):
    """What becomes of a run that `lost` returned."""

    id: str
    epoch: int
    owner: str
    retry_at: int | None = None
    attempt: int = 0

    @property
    def error(self) -> str:
        """What the run is recorded to have failed with."""
        return f"lease expired: owner {self.owner} stopped renewing"


class RunRow(NamedTuple):
    """One run, as history keeps it."""

    task_id: str
    epoch: int
    slot: int | None
    attempt: int
    owner: str
    started: int
    finished: int | None
    """None while it runs."""
    status: TaskStatus
    result: str | None
    error: str | None
    late: bool
    """It had lost its task when it ended: the lease had expired, or the task had been removed or assigned a status. If
    it was recorded as FAILED for that, it stays so: others have acted on it."""


class InstanceRow(NamedTuple):
    """A process that renews its lease."""

    owner: str
    since: int
    """Since when its lease has never expired."""
    lease_until: int


class Renewal(NamedTuple):
    """The answer to a renewal."""

    now: int
    lease_until: int
    since: int
    """When this unbroken row of renewals began. If it is not what the last answer said, the lease had expired between
    the two: what was claimed before may have been reaped, and must not be started any more."""


class Snapshot(NamedTuple):
    """What a look at the store shows."""

    now: int
    """By the store's clock."""
    revision: int
    definitions: dict[str, Definition | None]
    """What changed since the revision that was seen; None: removed."""
    states: dict[str, State]
    """Of the ids asked for and of those in `definitions`, as far as they are there."""
    unreadable: dict[str, str]
    """Rows that make no sense, by id: what is wrong with them."""
    paused: bool = False
    """All is paused: no claim is won."""
    born: int = 0
    """When the store began, by its clock: if that is another moment than it was, it has lost what it held."""


ASSIGNABLE = frozenset(
    (
        "status",
        "first_run_at",
        "last_run_at",
        "last_success_at",
        "retry_at",
        "attempt",
        "result",
        "error_message",
        "misfires",
        "misfired_at",
        "consumed",
        "run_requested",
        "slot",
    )
)
"""The fields of `State` that may be assigned by hand."""


def to_definition(task_id: str, text: Any, checksum: Any) -> Definition:
    """Return a stored definition; ValueError if it is not a JSON object."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the definition is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"the definition must be a JSON object, it is {type(value).__name__}")
    return Definition(task_id, text, checksum)


def to_state(values: Sequence[Any]) -> State:
    """Return a stored state, its columns in the order of `State`; ValueError if one of them makes no sense."""
    columns = list(values)
    if not _WHOLE.issuperset(map(type, _integers(columns))):
        name, value = next(
            (name, value)
            for name, value in zip(_INTEGERS, _integers(columns), strict=True)
            if type(value) not in _WHOLE
        )
        raise ValueError(f"{name} must be an integer, it is {value!r}")
    columns[_STATUS] = TaskStatus(columns[_STATUS])
    columns[_PAUSED] = bool(columns[_PAUSED])
    state = State._make(columns)
    if state.result is not None and state.result != "null":
        try:
            json.loads(state.result)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"the result is no JSON: {error}") from None
    if state.consumed is not None:
        _check_consumed(state.consumed)
    return state


def to_states(rows: Iterable[Sequence[Any]]) -> dict[str, State]:
    """Return stored states by id, without those that make no sense."""
    states = {}
    for row in rows:
        with suppress(ValueError):
            state = to_state(row)
            states[state.id] = state
    return states


def _check_consumed(text: Any) -> None:
    try:
        moments = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"consumed is no JSON: {error}") from None
    if not isinstance(moments, dict) or not all(type(moment) is int for moment in moments.values()):
        raise ValueError(f"consumed must be a JSON object of integers, it is {text}")


def to_runs(rows: Iterable[Sequence[Any]]) -> list[RunRow]:
    """Return stored runs, their columns in the order of `RunRow`; what makes no sense is logged and left out."""
    runs = []
    for row in rows:
        run = RunRow._make(row)
        try:
            runs.append(run._replace(status=TaskStatus(run.status), late=bool(run.late)))
        except ValueError as error:
            leave_out(run.task_id, run.epoch, error)
    return runs


def newest(runs: Iterable[RunRow], limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
    """Return the finished runs by task, as many as each may have; they come by epoch."""
    found: dict[str, list[RunRow]] = {}
    for run in runs:
        if run.finished is not None and limits[run.task_id] > 0:
            found.setdefault(run.task_id, []).append(run)
    return {task_id: of_task[-limits[task_id] :] for task_id, of_task in found.items()}


def leave_out(task_id: str, epoch: int, error: ValueError) -> None:
    """Log that a stored run makes no sense."""
    log(logging.WARNING, f"the stored run {epoch} of task {task_id!r} is unreadable: {error}")


def is_storable(text: str) -> bool:
    """Tell whether all stores can hold a text as it is."""
    return storable(text) == text


def storable(text: str | None) -> str | None:
    """Return a text without what a store cannot hold: NUL, and halves of surrogate pairs."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


_INTEGERS = (
    "version",
    "epoch",
    "first_run_at",
    "last_run_at",
    "last_success_at",
    "retry_at",
    "attempt",
    "misfires",
    "misfired_at",
    "run_requested",
    "slot",
)
_WHOLE = frozenset((int, type(None)))
_STATUS, _PAUSED = State._fields.index("status"), State._fields.index("paused")
_integers = itemgetter(*(State._fields.index(name) for name in _INTEGERS))
