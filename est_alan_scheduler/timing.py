"""What a schedule means for a task: earlier runs in, next due moment out.

A schedule yields slots. A slot is due when it has come and no run has started at or after it. Everything here is a
pure function of its arguments and of the zone rules; no clock is read. `now` is naive local time; due moments are naive
UTC, so that they can be compared and subtracted.
"""

from datetime import datetime, timedelta

from est_alan_scheduler.cron import cron
from est_alan_scheduler.limits import Limited, Misfire
from est_alan_scheduler.local_time import from_utc, to_utc
from est_alan_scheduler.schedules import Daily, Every, Once, Schedule, daily, every, in_utc
from est_alan_scheduler.task import Task
from est_alan_scheduler.zone import LOCAL, from_clock, named

_TICK = timedelta(microseconds=1)

_keep_schedule = Task.__dict__["_schedule"].__set__  # an assignment would pass through the validation of fields
_keep_armed = Task.__dict__["_armed"].__set__


def options_of(task: Task) -> list[str]:
    """Return the names of the schedule options that stand: it should be one."""
    fields = task.__dict__
    return [name for name in ("every", "at", "run_at", "cron") if fields[name] is not None]


def read_schedule(task: Task) -> Schedule | None:
    """Return what the schedule options of `task` mean; None unless exactly one stands."""
    fields = task.__dict__
    if len(options_of(task)) != 1:
        return None
    zone = LOCAL if fields["timezone"] is None else named(fields["timezone"])
    kind: Every | Daily | Once | Schedule
    if task.every is not None:
        kind = every(tuple(task.every.items()))
    elif task.at is not None:
        kind = daily(task.at, zone)
    elif task.cron is not None:
        kind = cron(task.cron, zone)
    else:
        kind = Once(task.run_at, zone)  # type: ignore[arg-type]  # it is the one that is left
    if zone is LOCAL and task.cron is None and not any(fields[name] for name in _LIMITS):
        return kind
    return Limited(task, kind, zone)


def keep_schedule(task: Task) -> Schedule | None:
    """Return what `read_schedule` does, and keep it with `task` until one of its options is assigned."""
    schedule: Schedule | None = task._schedule
    if schedule is None:
        schedule = read_schedule(task)
        _keep_schedule(task, schedule)
    return schedule


def arm(task: Task, now: datetime) -> None:
    """Note that the slots of `task`, if it has never run and does not run at once, begin after `now`."""
    _keep_armed(task, now)


def due_moment(task: Task, now: datetime) -> datetime | None:
    """Return the naive UTC moment of the earliest slot that no run of `task` covers; None if none will come.

    A moment in the past means that the task is due, unless it misfired. The answer is a lower bound as long as the
    clock goes forward.
    """
    schedule = task._schedule or keep_schedule(task)
    return None if schedule is None else schedule.due(task, now)


def is_due(task: Task, now: datetime) -> bool:
    """Tell whether a slot of `task` has come that no run has covered, and not too late."""
    moment = due_moment(task, now)
    return moment is not None and moment <= in_utc(now) and (not task.misfire_grace or misfire(task, now) is None)


def misfire(task: Task, now: datetime) -> Misfire | None:
    """Return the misfire if even the latest slot that no run covers is later than `misfire_grace` allows.

    Closed form: it takes no longer for a million missed slots than for one.
    """
    schedule = keep_schedule(task)
    return schedule.misfire(task, now) if isinstance(schedule, Limited) else None


def first_run(task: Task, now: datetime) -> datetime:
    """Return what `first_run_at` becomes when a run of `task` starts at `now`."""
    last_run_at, first_run_at = task.last_run_at, task.first_run_at
    if last_run_at is not None and (last_run_at.tzinfo is not None or last_run_at > now or last_run_at.fold):
        schedule = keep_schedule(task)
        kind = schedule.kind if isinstance(schedule, Limited) else schedule
        if isinstance(kind, Every) and kind.is_astray(last_run_at, now):
            return now
    return first_run_at or last_run_at or now


def record(task: Task, now: datetime) -> datetime:
    """Return `now` as `task` records it: in its zone if it has one."""
    if task.timezone is None:
        return now
    zone = named(task.timezone)
    return zone.show(zone.instant(now))


def show(task: Task, moment: datetime, now: datetime) -> datetime:
    """Return a due moment, seen at `now`, as `task` records moments: naive local time, or in its zone."""
    if task.timezone is None:
        return from_utc(moment)
    zone = named(task.timezone)
    return zone.show(from_clock(from_utc(moment), now, zone.instant(now)))


def next_run(task: Task, after: datetime) -> datetime | None:
    """Return the first moment strictly after `after` at which a slot of `task` is due; None if none will be.

    `after` is naive local time, or aware; the answer is aware if the task has a `timezone`. It is about slots alone,
    not about what has been run of them. An `every` task that has never run is taken to run at `after`.
    """
    schedule = task._schedule or keep_schedule(task)
    if isinstance(schedule, Limited):
        return schedule.next_run(task, after)
    moment = to_utc(after)
    if isinstance(schedule, Every):
        recorded = task.first_run_at or task.last_run_at
        origin = moment if recorded is None else to_utc(recorded)
        moment = max(moment, origin - _TICK)  # no slots before it
        schedule = schedule.grid(origin, LOCAL)
    slot = None if schedule is None else schedule.after(moment)
    return None if slot is None else from_utc(slot)


def following(task: Task, run_at: datetime) -> datetime | None:
    """Return when `task` is due after a run at `run_at`; None if it will not be."""
    schedule = keep_schedule(task)
    return schedule.following(task, run_at) if isinstance(schedule, Limited) else next_run(task, run_at)


_LIMITS = ("start_at", "end_at", "misfire_grace", "jitter", "exclude")
