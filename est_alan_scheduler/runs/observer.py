"""An observer of runs: with a backend, the claims and outcomes of a registry go through it."""

import threading
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.task import Task


class ClaimedRun(NamedTuple):
    """A run that may start: what its claim was decided on, and is recorded with."""

    epoch: int
    attempt: int
    due: datetime | None
    """In UTC; None for a run that nothing was due for. The slot of a retry is that of its first attempt."""


class DeadRunRecorder(Protocol):
    """The recorder of a registry's runs, as far as the registry's side of a backend needs it: for dead runs."""

    lock: threading.Lock
    """The registry's lock. A forked child gets another one."""

    def record_dead_run(self, run: Run, line: dict[str, Any]) -> None:
        """Count a run of a dead instance, which was reaped from here; the caller holds the lock."""

    def publish_dead_run(self, run: Run) -> None:
        """Tell the subscribers about a dead run, and about its retry."""

    def mark_dead(self, run: Run, line: dict[str, Any] | None, is_success: bool) -> None:
        """Note that another instance had reaped `run` before its outcome came; the caller holds the lock."""


class RunObserver(Protocol):
    """What is asked about a run that is to start, and told of one that started or ended.

    The caller holds the registry's lock, but for `release` and `tell`.
    """

    def start(self, task: Task) -> ClaimedRun | None:
        """Return the run of `task` that starts now, None if it is not claimed; `began` has to follow."""

    def began(self, run: Run) -> None:
        """Note that the fields of a task say that its run has begun."""

    def start_undone(self, run: Run) -> None:
        """Note that a run which began has not taken place."""

    def ended(self, run: Run, clock: datetime, result: str | None, text: str | None) -> None:
        """Note an outcome that stands in the fields of a task."""

    def release(self, ids: Collection[str]) -> None:
        """Give back claims of runs that have not started."""

    def publish(self, publish: Callable[[], None]) -> None:
        """Call `publish`, which is about an outcome, when that outcome is where others see it."""
