"""The current run, as the function that it calls may know it."""

from contextvars import ContextVar
from datetime import datetime
from typing import NamedTuple, Protocol


class CurrentRun(NamedTuple):
    """The facts of a run that are open to its function."""

    task_id: str
    slot: datetime
    """The moment at which the run was due, in the form in which the task records moments. For a run that makes up for
    several slots it is the earliest of them; for a retry, the slot of the first attempt."""
    attempt: int
    """1 for the first try, 2 for the first retry."""
    epoch: int | None = None
    """With a backend: the number of the run among all runs of its task, which grows. It fences the side effects of the
    run: a smaller number than the largest one seen so far comes from a run that has lost its lease."""


class Running(Protocol):
    """A run, in the form in which `current_run` reads it."""

    def public(self) -> CurrentRun:
        """Return the facts that are open to its function."""


current: ContextVar[Running | CurrentRun | None] = ContextVar("est_alan_scheduler.current_run", default=None)
"""The run of the present call. Inline, it is the run itself, which is cheaper; elsewhere, the facts that came along."""


def current_run() -> CurrentRun | None:
    """Return the run that this code is part of; None outside of a run.

    It works in threads, coroutines and worker processes alike.
    """
    run = current.get()
    return run if run is None or isinstance(run, CurrentRun) else run.public()
