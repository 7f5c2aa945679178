"""A schedule in words."""

from datetime import datetime

from est_alan_scheduler.calendar.cron_expression import explain
from est_alan_scheduler.schedules.due import read_schedule
from est_alan_scheduler.task import Task

_MAX_DATES = 5
_MAX_PLAIN = 1e15  # numbers from here on are shown with an exponent


def describe(task: Task) -> str:
    """Return when `task` runs, in words: "every 5 minutes", "at 14:30 Asia/Seoul"; "never" without a schedule."""
    if read_schedule(task) is None:
        return "never"
    zone = "" if task.timezone is None else f" {task.timezone}"
    if task.every is not None:
        parts = [f"every {_interval(task.every)}"]
    elif task.at is not None:
        parts = [f"at {task.at}{zone}"]
    elif task.cron is not None:
        words = explain(task.cron)
        parts = [f"{words[:1].lower()}{words[1:]}{zone}"]
    else:
        parts = [f"once at {_moment(task.run_at, zone)}"]
    if task.start_at is not None:
        parts.append(f"from {_moment(task.start_at, zone)}")
    if task.end_at is not None:
        parts.append(f"until {_moment(task.end_at, zone)}")
    if task.exclude:
        dates = ", ".join(map(str, task.exclude[:_MAX_DATES]))
        more = len(task.exclude) - _MAX_DATES
        parts.append(f"except on {dates}" + (f" and {more} more" if more > 0 else ""))
    if task.jitter is not None:
        parts.append(f"up to {_number(task.jitter)} s later")
    return ", ".join(parts)


def _moment(moment: datetime | None, zone: str) -> str:
    return f"{moment}{zone}" if moment is not None and moment.tzinfo is None else str(moment)


def _interval(every: dict[str, int] | dict[str, float]) -> str:
    amounts = [(unit, amount) for unit, amount in every.items() if amount]
    if len(amounts) == 1 and amounts[0][1] == 1:
        return amounts[0][0][:-1]
    return " ".join(f"{_number(amount)} {unit[:-1] if amount == 1 else unit}" for unit, amount in amounts)


def _number(amount: float) -> str:
    return f"{amount:.15g}" if abs(amount) < _MAX_PLAIN else str(amount)
