"""The input of the checker, as plain rows."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.chaos.journal import Record
from tests.chaos.workload import Job


class Run(NamedTuple):
    """A run in the history of the store. Instants are microseconds since 1970."""

    task: str
    epoch: int
    slot: int | None
    attempt: int
    owner: str
    started: int
    finished: int | None
    status: str
    result: str | None
    error: str | None
    late: bool


class State(NamedTuple):
    """The state of a task at the end."""

    task: str
    epoch: int
    status: str
    result: str | None
    error: str | None
    paused: bool = False
    word: str = ""
    """The argument that an update has given to the task."""


class Facts(NamedTuple):
    """Two independent accounts, and the parameters of the run."""

    jobs: Sequence[Job]
    records: Sequence[Record]
    """The records of the journal, by time."""
    runs: Sequence[Run]
    states: Sequence[State]
    lease: float
    interval: float
    offset: float
    """The time by the store's clock, in seconds, when the journal's clock is at 0."""
    until: float
    """The moment at which the workers were stopped."""
    log: str = ""
    """The log of the workers."""
    all_paused: bool = False
    """Whether all was paused at the end."""
