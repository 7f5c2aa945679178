"""One run of a task, and what its function may know of it."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from est_alan_scheduler.schedules import AT_ONCE
from est_alan_scheduler.task import Task
from est_alan_scheduler.timing import record, show, slot_of_retry

if TYPE_CHECKING:
    from est_alan_scheduler.agenda import Entry
    from est_alan_scheduler.execution import Call
    from est_alan_scheduler.statistics import Tally
    from est_alan_scheduler.under_way import Turn


Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[str]]
"""What a run is to call: `func`, `args` and `kwargs` of its task, and the ids whose results go with them."""


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


class Run:
    """One run, from its start until its call has ended. The registry's lock guards the fields that change."""

    __slots__ = (
        "__weakref__",
        "attempt",
        "before",
        "began",
        "call",
        "due",
        "duration",
        "entry",
        "epoch",
        "is_call",
        "is_lost",
        "is_over",
        "is_retried",
        "late",
        "line",
        "now",
        "retry_at",
        "slot",
        "started_at",
        "starter",
        "tally",
        "task",
        "timeout",
        "work",
    )

    def __init__(
        self,
        task: Task,
        now: datetime,
        due: datetime | None,
        entry: "Entry | None",
        starter: "Turn",
        is_call: bool,
        attempt: int,
    ) -> None:
        self.task = task
        self.now = now  # when it started, in local time
        self.due = due  # in UTC; None for a run that nothing was due for
        self.attempt = attempt
        self.slot = due if due is None or attempt == 1 else slot_of_retry(task, due)
        self.entry = entry
        self.starter = starter  # the turn of the thread that started it
        self.is_call = is_call  # handed over, rather than made in that thread
        fields = task.__dict__
        self.before = _before(fields)
        self.began = time.monotonic()
        self.late: float | None = None  # seconds after it was due; None if nothing was
        # What came of it, once that is recorded.
        self.duration: float | None = 0.0  # None if that is not known
        self.retry_at: datetime | None = None
        self.is_retried = False  # the retry has begun
        self.is_lost = False  # with a backend: others had recorded it as failed before
        self.tally: Tally | None = None  # that of its task, where it is counted
        self.started_at = (
            now if fields["timezone"] is None else record(fields["timezone"], now)
        )  # as its task records it
        self.timeout: float | None = fields["timeout"]
        self.work = _work(fields)  # taken in one step; None once the call is made
        self.is_over = False  # the outcome is recorded, though the call may still go on
        self.epoch: int | None = None  # with a backend: what it was claimed as
        self.call: Call | None = None  # what was handed to an executor, until it has ended
        self.line: dict[str, Any] | None = None  # of the history, once it is there

    def before_fields(self) -> dict[str, Any]:
        """Return the fields that its start has changed, as they were before."""
        return dict(zip(_CHANGED, self.before, strict=True))

    @property
    def zone(self) -> str | None:
        """The zone that its moments are recorded in: that of its task when it started."""
        zone = self.started_at.tzinfo
        return zone.key if isinstance(zone, ZoneInfo) else None

    def public(self) -> CurrentRun:
        """Return what `func` may know of it."""
        return CurrentRun(self.task.id, self.shown_slot(), self.attempt, self.epoch)

    def shown_slot(self) -> datetime:
        """Return what it was due for, as its task records moments; its start if nothing was."""
        is_known = self.slot is not None and self.slot != AT_ONCE
        return show(self.zone, self.slot, self.now) if is_known else self.started_at  # type: ignore[arg-type]  # known


_work: Callable[[dict[str, Any]], Any] = itemgetter("func", "args", "kwargs", "depends_on")
_CHANGED = ("status", "first_run_at", "last_run_at", "retry_at", "attempt", "run_requested")
_before = itemgetter(*_CHANGED)

current: ContextVar[Run | CurrentRun | None] = ContextVar("est_alan_scheduler.current_run", default=None)
"""Set around each call: inline to the run itself, which is cheaper, elsewhere to what was sent along."""


def current_run() -> CurrentRun | None:
    """Return the run that this code is part of; None outside of a run.

    It works in threads, coroutines and worker processes alike.
    """
    run = current.get()
    return run.public() if isinstance(run, Run) else run
