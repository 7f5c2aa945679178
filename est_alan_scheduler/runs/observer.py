"""The observer of runs: with a backend, the claims and outcomes of a registry go through it."""

import threading
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from est_alan_scheduler.runs.outbox import Outbox
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

    def claimed_run(self, task: Task) -> ClaimedRun | None:
        """Return the run of `task` that starts now, None if it is not claimed; `run_began` has to follow."""

    def run_began(self, run: Run) -> None:
        """Note that a run has begun; the fields of its task are written."""

    def start_undone(self, run: Run) -> None:
        """Note that a run which began has not taken place."""

    def run_ended(self, run: Run, clock: datetime, result: str | None, text: str | None) -> None:
        """Note the outcome of a run, from the fields of its task, to be stored."""

    def release(self, ids: Collection[str]) -> None:
        """Release claims of runs that have not started."""

    def publish_stored(self) -> None:
        """Store the outcomes that wait in the outbox, and have them published; in an outage, when that is over."""


class DeadRunRecorder(Protocol):
    """The recorder of a registry's runs, as far as the registry's side of a backend needs it: for dead runs."""

    lock: threading.Lock
    """The registry's lock. A forked child gets another one."""
    outbox: Outbox
    session: RunObserver | None

    def record_dead_run(self, run: Run, line: dict[str, Any], retry_at: datetime | None) -> None:
        """Record a run that ended with another instance, and have it published; the caller holds the lock."""

    def mark_dead(self, run: Run, line: dict[str, Any] | None, is_success: bool) -> None:
        """Note that another instance had reaped `run` before its outcome came; the caller holds the lock."""
