"""Due moments of a task: earlier runs in, the next due moment out.

A schedule yields slots. A slot is due when it has come and no run has started at or after it. Beside its slots, a retry
makes a task due, and so does a request. All functions are pure: they depend on their arguments and on the zone rules;
no clock is read. `now` is naive local time; due moments are naive UTC, so that they can be compared and subtracted.
"""

from datetime import MAXYEAR, datetime, timedelta

from est_alan_scheduler._support.errors import InvalidTypeError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.calendar.zones import from_clock, named
from est_alan_scheduler.schedules.kinds.table import read_schedule
from est_alan_scheduler.schedules.limited import Limited
from est_alan_scheduler.schedules.schedule import AT_ONCE, Misfire, Schedule, in_utc
from est_alan_scheduler.schedules.state import tried
from est_alan_scheduler.task import Task, TaskStatus


def keep_schedule(task: Task) -> Schedule | None:
    """Return the schedule of `task`; of a registered one, it is kept until one of its options is assigned."""
    entry = task._entry
    if entry is None:
        return read_schedule(task)
    schedule: Schedule | None = entry.schedule
    if schedule is None:
        mark = entry.worked_out = [None] * 4  # of no slot; an assignment takes it away
        schedule = entry.schedule = read_schedule(task)
        if entry.worked_out is not mark:
            # Another thread has assigned one meanwhile, before there was a schedule to forget; a tick may have filed
            # the task by the old one already.
            entry.forget_schedule(False)
            entry.changed()
    return schedule


def due_moment(task: Task, now: datetime) -> datetime | None:
    """Return the naive UTC moment at which `task` is due; None if it will not be.

    That is its earliest slot that no run covers, or an earlier moment of `due_beside`. A moment in the past means that
    the task is due, unless it misfired. The answer is a lower bound as long as the clock goes forward.
    """
    fields = task.__dict__
    if fields["retry_at"] is None and fields["run_requested"] is None and not fields["paused"]:
        entry = task._entry
        schedule = (entry and entry.schedule) or keep_schedule(task)
        return None if schedule is None else schedule.due(task, now)
    slot, beside = due_slot(task, now), due_beside(task)
    return beside if slot is None or (beside is not None and beside < slot) else slot


def planned_moment(task: Task, now: datetime) -> datetime | None:
    """Return `due_moment`, without slots that of a retry or a request alone: no plan knows when others succeed."""
    schedule = keep_schedule(task)
    return due_moment(task, now) if schedule is None or schedule.kind.has_slots else due_beside(task)


def due_slot(task: Task, now: datetime) -> datetime | None:
    """Return the naive UTC moment of the earliest slot that no run of `task` covers; None while it is paused."""
    schedule = keep_schedule(task)
    return None if schedule is None or task.paused else schedule.due(task, now)


def due_beside(task: Task) -> datetime | None:
    """Return the naive UTC moment at which `task` is due whatever its slots are; None if it is not.

    At once if a run was requested, else when a retry is due.
    """
    return AT_ONCE if task.run_requested is not None else due_retry(task)


def due_retry(task: Task) -> datetime | None:
    """Return the naive UTC moment at which a retry of `task` is due; None if there is none.

    `retry` may have been changed since the failure: its present value decides whether there is another attempt.
    """
    if task.retry_at is None or task.paused or not may_retry(task):
        return None
    return to_utc(task.retry_at)


def may_retry(task: Task) -> bool:
    """Return whether `task`, as it is now, allows another attempt after the last one."""
    return task.retry is not None and task.attempt <= task.retry.max_retries and keep_schedule(task) is not None


def is_done(task: Task, now: datetime) -> bool:
    """Return whether `task` will never run again, unless somebody asks for it or changes the task."""
    schedule = keep_schedule(task)
    if schedule is None or task.status is TaskStatus.RUNNING or task.run_requested is not None:
        return False
    if task.retry_at is not None and may_retry(task):  # perhaps while it is paused
        return False
    if isinstance(schedule, Limited) and schedule.is_over(task):
        return True
    return schedule.kind.has_slots and schedule.due(task, now) is None


def is_retry_due(task: Task, now: datetime) -> bool:
    """Return whether a retry of `task` may start at `now`; a requested run replaces the retry."""
    retry = due_retry(task)
    return retry is not None and retry <= in_utc(now) and task.run_requested is None


def is_due(task: Task, now: datetime) -> bool:
    """Return whether a slot of `task` that no run covers has come, and not too late; or a retry, or a request."""
    moment = due_moment(task, now)
    if moment is None or moment > in_utc(now):
        return False
    if not task.misfire_grace or misfire(task, now) is None:
        return True
    beside = due_beside(task)
    return beside is not None and beside <= in_utc(now)


def misfire(task: Task, now: datetime) -> Misfire | None:
    """Return the misfire if even the latest slot that no run covers is later than `misfire_grace` allows.

    Closed form: it takes no longer for a million missed slots than for one.
    """
    schedule = keep_schedule(task)
    return None if schedule is None or task.paused else schedule.misfire(task, now)


def coming_attempt(task: Task, now: datetime, due: datetime | None, lacks_input: bool) -> tuple[int, datetime | None]:
    """Return the attempt number of a run of `task` at `now`, and the moment for which it is due.

    A requested run replaces a retry that waits. So does a slot that has come, unless its run could not start: if `task`
    `lacks_input` that is fresh. `due` is the due moment, if any.
    """
    if not is_retry_due(task, now):
        return 1, due
    slot = due_slot(task, now)
    is_retry = slot is None or slot > in_utc(now) or lacks_input
    return (task.attempt + 1, due_retry(task)) if is_retry else (1, slot)


def slot_of_retry(task: Task, due: datetime) -> datetime:
    """Return the slot of a retry of `task` that is due: that of the first attempt if it is known, else `due`."""
    return tried(task) or due


def next_retry(
    task: Task, attempt: int, slot: datetime | None, error: BaseException | None, now: datetime, zone: str | None
) -> datetime | None:
    """Return when to try `task` again, as recorded in `zone`, after `attempt` at `slot` has failed at `now`.

    `error` is None if its outcome is unknown because its process died.
    """
    seconds = None if task.retry is None else task.retry.seconds_after(attempt, error, task.id, slot or AT_ONCE)
    if seconds is None:
        return None
    try:
        return show(zone, to_utc(now) + timedelta(seconds=seconds), now)
    except OverflowError:  # beyond the year 9999
        return None


def first_run(task: Task, now: datetime) -> datetime:
    """Return the value of `first_run_at` once a run of `task` starts at `now`."""
    fields = task.__dict__  # faster than attributes: each run needs it
    last_run_at: datetime | None = fields["last_run_at"]
    first_run_at: datetime | None = fields["first_run_at"]
    if last_run_at is not None and (last_run_at.tzinfo is not None or last_run_at > now or last_run_at.fold):
        schedule = keep_schedule(task)
        if (
            schedule is not None
            and not schedule.is_fixed
            and schedule.kind.is_clock_set_back(to_utc(last_run_at), to_utc(now))
        ):
            return now
    return first_run_at or last_run_at or now


def runs_with(task: Task, attempt: int) -> int:
    """Return the number of runs of `task` once its next run, with this attempt number, has begun."""
    runs: int = task.__dict__["runs"]
    return runs + 1 if attempt == 1 else runs


def record(timezone: str | None, now: datetime) -> datetime:
    """Return `now` as a task with this `timezone` records it: in that zone, or as it is."""
    if timezone is None:
        return now
    zone = named(timezone)
    return zone.show(zone.instant(now))


def show(timezone: str | None, moment: datetime, now: datetime) -> datetime:
    """Return a due moment, seen at `now`, as a task with this `timezone` records it: in that zone, or in local time."""
    if timezone is None:
        return from_utc(moment)
    zone = named(timezone)
    return zone.show(from_clock(from_utc(moment), now, zone.instant(now)))


def next_run(task: Task, after: datetime) -> datetime | None:
    """Return the first moment strictly after `after` at which a slot of `task` is due; None if none will be.

    `after` is naive local time, or aware; the answer is aware if the task has a `timezone`. Only slots
    count, whether they have been run or not. An `every` task that has never run is assumed to run at `after`.
    `TaskRegistry.next_run` counts earlier runs, retries and a pause in. Raises `TypeError` for anything else.
    """
    if not isinstance(task, Task):
        hint = f": ask the registry, registry.next_run({task!r})" if isinstance(task, str) else ""
        raise InvalidTypeError(f"next_run takes a Task, got {short_repr(task)}{hint}")
    if not isinstance(after, datetime):
        raise InvalidTypeError(f"after must be a datetime, got {short_repr(after)}")
    schedule = keep_schedule(task)
    return None if schedule is None else _if_later(schedule.next_run(task, after), after)


def following(task: Task, run_at: datetime) -> datetime | None:
    """Return when `task` is due after a run at `run_at`; None if it will not be."""
    schedule = keep_schedule(task)
    return None if schedule is None else _if_later(schedule.following(task, run_at), run_at)


def _if_later(moment: datetime | None, after: datetime) -> datetime | None:
    """Return a moment after another one; None if the end of the calendar in a zone has moved it back."""
    is_clipped = moment is not None and moment.year == MAXYEAR and to_utc(moment) <= to_utc(after)
    return None if is_clipped else moment
