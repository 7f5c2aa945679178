"""Schedules in words."""

from est_alan_scheduler._support.errors import InvalidTypeError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields.times import dates_of
from est_alan_scheduler.schedules.kinds.every import number_text
from est_alan_scheduler.schedules.kinds.once import moment_text
from est_alan_scheduler.schedules.kinds.table import KINDS, options_of
from est_alan_scheduler.task import Task

_MAX_DATES = 5


def describe(task: Task) -> str:
    """Return when `task` runs, in words: "every 5 minutes", "at 14:30 Asia/Seoul"; "never" without a schedule."""
    if not isinstance(task, Task):
        raise InvalidTypeError(f"describe takes a Task, got {short_repr(task)}")
    options = options_of(task)
    if len(options) != 1:
        return "never"
    zone = "" if task.timezone is None else f" {task.timezone}"
    parts = [KINDS[options[0]].describe(getattr(task, options[0]), zone)]
    if task.on is not None:
        from est_alan_scheduler.calendar.dates_prose import dates_in_words  # late: most programs name no dates

        parts[0] += f" {dates_in_words(dates_of(task.on))}"
    if task.start_at is not None:
        parts.append(f"from {moment_text(task.start_at, zone)}")
    if task.end_at is not None:
        parts.append(f"until {moment_text(task.end_at, zone)}")
    if task.exclude:
        dates = ", ".join(map(str, task.exclude[:_MAX_DATES]))
        more = len(task.exclude) - _MAX_DATES
        parts.append(f"except on {dates}" + (f" and {more} more" if more > 0 else ""))
    if task.jitter is not None:
        parts.append(f"up to {number_text(task.jitter)} s later")
    if task.max_runs is not None:
        parts.append("at most once" if task.max_runs == 1 else f"at most {task.max_runs} times")
    return ", ".join(parts)
