"""The observer of runs: with a backend, the claims and outcomes of a registry go through it."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, Protocol

from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.task import Task


class ClaimedRun(NamedTuple):
    """A run that may start: what its claim was decided on, and is recorded with."""

    epoch: int
    attempt: int
    due: datetime | None
    """In UTC; None for a run that nothing was due for. The slot of a retry is that of its first attempt."""


class RunObserver(Protocol):
    """Takes part in each run that a backend knows of.

    The caller holds the registry's lock, except for `release` and `publish_stored`.
    """

    def start(self, task: Task) -> ClaimedRun | None:
        """Return the run of `task` that starts now, None if it is not claimed; `run_began` has to follow."""

    def run_began(self, run: Run) -> None:
        """Note that a run has begun, as the fields of its task say."""

    def start_undone(self, run: Run) -> None:
        """Note that a run which began has not taken place."""

    def run_ended(self, run: Run, clock: datetime, result: str | None, text: str | None) -> None:
        """Note the outcome of a run, which stands in the fields of its task, to be stored."""

    def release(self, ids: Collection[str]) -> None:
        """Release claims of runs that have not started."""

    def publish_stored(self) -> None:
        """Store the outcomes that wait in the outbox, and have them published; in an outage, when that is over."""
