"""All that the checker is given, in plain words."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.chaos.journal import Record
from tests.chaos.workload import Job


class Run(NamedTuple):
    """A run as the history of the store has it. Instants are microseconds since 1970."""

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
    """How a task stands at the end."""

    task: str
    epoch: int
    status: str
    result: str | None
    error: str | None
    paused: bool = False
    word: str = ""
    """The argument that an update has given it."""


class Facts(NamedTuple):
    """Two accounts, which know nothing of each other, and what they are measured by."""

    jobs: Sequence[Job]
    records: Sequence[Record]
    """Of the journal, by time."""
    runs: Sequence[Run]
    states: Sequence[State]
    lease: float
    interval: float
    offset: float
    """Seconds of the store's clock at 0 of the journal's."""
    until: float
    """When the workers were told to stop."""
    log: str = ""
    """What the workers have logged."""
    all_paused: bool = False
    """At the end."""
