"""Run of a task, and the context of a thread that starts runs."""

import time
from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.executors.call import Call, Work
from est_alan_scheduler.executors.current_run import CurrentRun
from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.runs.counters import RunCounters
from est_alan_scheduler.schedules.due import record, show, slot_of_retry
from est_alan_scheduler.schedules.schedule import AT_ONCE, Schedule, in_utc
from est_alan_scheduler.task import Task, TaskStatus


class ThreadContext:
    """The work of a thread: the entry that its tick starts, the state that was decided on, the runs it is in."""

    __slots__ = ("began", "changes", "entry", "is_closed", "now", "runs", "starts")

    def __init__(self) -> None:
        self.entry: Entry | None = None
        self.now = datetime.min  # the moment of the decision
        self.began = 0.0  # the same by the monotonic clock
        self.changes = 0
        self.starts = 0
        self.runs: list[Run] = []  # nested, if a task ticks or executes another one
        self.is_closed = False  # the loop was shut down, but a call kept the thread from ending


class Run:
    """One run, from its start until its call has ended. The registry's lock guards the fields that change."""

    # Here, what few runs change: each attribute that the constructor sets costs every run.
    first_task: Task | None = None
    """The task that it started for, if another one has taken its place since."""
    is_first = False
    """No run of the task has begun before."""
    is_replaced = False
    """It has failed, and another run has replaced the retry before that was published."""
    is_plain = True
    """Nothing follows its outcome but the event of a success."""
    failures: int | None = None
    """Those in a row, once it is recorded: with this one, or, if it succeeded, before it; None for none."""
    follows: datetime | None = None
    """The start of the run before, or the registration, if slots since may coalesce into this one."""
    gave_up: Event | None = None
    """That of the failed run before, if this one replaces the retry that waited."""

    def __init__(
        self,
        task: Task,
        now: datetime,
        began: float,
        due: datetime | None,
        attempt: int,
        epoch: int | None,
        entry: Entry | None,
        context: ThreadContext,
        is_call: bool,
    ) -> None:
        """Take the decision to start, with its moment by both clocks, `now` and `began`."""
        self.task = task
        self.now = now  # when it started, in local time
        self.due = due  # in UTC; None for a run that nothing was due for
        self.attempt = attempt
        self.entry = entry
        self.context = context  # that of the thread that started it
        self.is_call = is_call  # submitted to a runner, rather than made in that thread
        fields = task.__dict__
        self.status_before: TaskStatus = fields["status"]
        self.fields_before = _read_started(task) if is_call else None  # the start of a call may be undone
        self.began = time.monotonic()
        self.is_retried = False  # it has failed, and the retry has begun
        self.is_dead = False  # with a backend: others had recorded it as a dead run before its outcome came
        self.counters: RunCounters | None = None  # those of its task, once it is counted
        self.zone: str | None = fields["timezone"]  # that its moments are recorded in
        self.started_at = now if self.zone is None else record(self.zone, now)  # as its task records it
        # `slot`: in UTC, that of the first attempt; its start if nothing was due. `late`: seconds after it was due.
        self.late: float | None
        if due is None or due is AT_ONCE:
            self.slot, self.late = to_utc(self.started_at), None
        else:
            self.slot = due if attempt == 1 else slot_of_retry(task, due)
            self.late = (in_utc(now) - due).total_seconds() + self.began - began
        self.timeout: float | None = fields["timeout"]
        self.work: Any = _read_work(fields)  # taken in one step; None once the call is made
        if "after" in fields or "run_arguments" in fields:
            self.work = _rare_work(task, self.work, attempt)
        self.has_begun = False  # the fields of its task say so
        self.is_over = False  # the outcome is recorded, though the call may still go on
        self.epoch = epoch  # with a backend: what it was claimed as
        self.call: Call | None = None  # what was submitted to a runner, until it has ended
        self.record: Any = None  # of its end, while that is being written
        self.line: dict[str, Any] | None = None  # of the history, once it is there

    def move_to(self, task: Task, entry: Entry) -> None:
        """Be a run of the task that has taken the place of its own."""
        self.first_task = self.first_task or self.task
        self.task, self.entry = task, entry

    def began_for(self, task: Task) -> bool:
        """Return whether it started for this very task."""
        return task is (self.first_task or self.task)

    def since_registration(self, schedule: Schedule) -> datetime | None:
        """Return when its task was registered, if slots since may coalesce into its first run."""
        armed = None if self.entry is None else self.entry.armed
        is_late = self.late is None or self.late >= schedule.shortest.total_seconds()
        may_be = armed is not None and (is_late or schedule.may_have_let_pass(armed, self.now))
        return armed if may_be else None

    def delay(self) -> None:
        """Let its time count from now on: subscribers to its start have held it up."""
        began = time.monotonic()
        if self.late is not None:
            self.late += began - self.began
        self.began = began

    def before_fields(self) -> dict[str, Any]:
        """Return the fields that the start of a call has changed, as they were before."""
        return dict(zip(_STARTED, self.fields_before or (), strict=True))

    def public(self) -> CurrentRun:
        """Return as much of it as `func` may know."""
        return CurrentRun(self.task.id, self.shown_slot(), self.attempt, self.epoch)

    def shown_slot(self) -> datetime:
        """Return its slot, as its task records moments; its start if nothing was due."""
        is_known = self.due is not None and self.due is not AT_ONCE
        return show(self.zone, self.slot, self.now) if is_known else self.started_at


_read_work: Callable[[dict[str, Any]], Any] = itemgetter("func", "args", "kwargs", "depends_on")


def _rare_work(task: Task, work: Work, attempt: int) -> Work:
    """Return the work of a task that takes results of tasks in `after`, or has got arguments for one run."""
    func, args, kwargs, _ = work
    given = task.run_arguments
    if given is not None and (attempt > 1 or task.run_requested is not None):
        args, kwargs = tuple(given["args"]), given["kwargs"]
    return func, args, kwargs, inputs(task)


_ALWAYS_STARTED = ("status", "first_run_at", "last_run_at", "retry_at", "attempt", "run_requested", "runs")
_STARTED = (*_ALWAYS_STARTED, "run_arguments")
_read_always_started = itemgetter(*_ALWAYS_STARTED)


def _read_started(task: Task) -> tuple[Any, ...]:
    return (*_read_always_started(task.__dict__), task.run_arguments)
