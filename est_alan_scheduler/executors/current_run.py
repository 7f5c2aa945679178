"""The current run: what a function may know of the run that it is part of."""

from contextvars import ContextVar
from datetime import datetime
from typing import NamedTuple, Protocol


class CurrentRun(NamedTuple):
    """What `func` may know of its own run."""

    task_id: str
    slot: datetime
    """The moment at which the run was due, as the task records moments: the earliest, if it makes up for several; of a
    retry, that of the first attempt."""
    attempt: int
    """1 for the first try, 2 for the first retry."""
    epoch: int | None = None
    """With a backend: the number of the run among all of its task, which grows. It fences what the run does elsewhere:
    what comes with a smaller number than was seen already is of a run that has lost its lease."""


class Running(Protocol):
    """A run, as far as `current_run` needs to know one."""

    def public(self) -> CurrentRun:
        """Return what its function may know of it."""


current: ContextVar[Running | CurrentRun | None] = ContextVar("est_alan_scheduler.current_run", default=None)
"""Set around each call: inline to the run itself, which is cheaper, elsewhere to what was sent along."""


def current_run() -> CurrentRun | None:
    """Return the run that this code is part of; None outside of a run.

    It works in threads, coroutines and worker processes alike.
    """
    run = current.get()
    return run if run is None or isinstance(run, CurrentRun) else run.public()
