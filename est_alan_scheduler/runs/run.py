"""One run of a task, and what its function may know of it."""

import time
from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from est_alan_scheduler.executors.call import Call
from est_alan_scheduler.executors.current_run import CurrentRun
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.runs.counters import RunCounters
from est_alan_scheduler.schedules.due import record, show, slot_of_retry
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.task import Task


class ThreadContext:
    """What a thread is doing: whose context it is in its tick, what that tick has decided on, the runs it is in."""

    __slots__ = ("began", "changes", "entry", "is_closed", "now", "runs", "starts")

    def __init__(self) -> None:
        self.entry: Entry | None = None
        self.now = datetime.min
        self.began = 0.0  # when `now` was, by the monotonic clock
        self.changes = 0
        self.starts = 0
        self.runs: list[Run] = []  # nested, if a task ticks or executes another one
        self.is_closed = False  # the loop was shut down, but a call kept the thread from ending


class Run:
    """One run, from its start until its call has ended. The registry's lock guards the fields that change."""

    __slots__ = (
        "__weakref__",
        "attempt",
        "before",
        "began",
        "call",
        "context",
        "counters",
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
        "task",
        "timeout",
        "work",
    )

    def __init__(
        self,
        task: Task,
        now: datetime,
        due: datetime | None,
        entry: Entry | None,
        context: ThreadContext,
        is_call: bool,
        attempt: int,
    ) -> None:
        self.task = task
        self.now = now  # when it started, in local time
        self.due = due  # in UTC; None for a run that nothing was due for
        self.attempt = attempt
        self.slot = due if due is None or attempt == 1 else slot_of_retry(task, due)
        self.entry = entry
        self.context = context  # the turn of the thread that started it
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
        self.counters: RunCounters | None = None  # that of its task, where it is counted
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
