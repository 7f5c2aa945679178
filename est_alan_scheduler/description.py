"""A schedule in words."""

from est_alan_scheduler.cron_expression import explain
from est_alan_scheduler.task import Task
from est_alan_scheduler.timing import read_schedule


def describe(task: Task) -> str:
    """Return when `task` runs, in words: "every 5 minutes", "at 14:30 Asia/Seoul"; "never" without a schedule."""
    if read_schedule(task) is None:
        return "never"
    if task.every is not None:
        when = f"every {_interval(task.every)}"
    elif task.at is not None:
        when = f"at {task.at}"
    elif task.cron is not None:
        words = explain(task.cron)
        when = words[:1].lower() + words[1:]
    else:
        when = f"once at {task.run_at}"
    parts = [when if task.timezone is None or task.every is not None else f"{when} {task.timezone}"]
    if task.start_at is not None:
        parts.append(f"from {task.start_at}")
    if task.end_at is not None:
        parts.append(f"until {task.end_at}")
    if task.exclude:
        parts.append(f"except on {', '.join(map(str, task.exclude))}")
    if task.jitter is not None:
        parts.append(f"up to {task.jitter:g} s later")
    return ", ".join(parts)


def _interval(every: dict[str, int] | dict[str, float]) -> str:
    parts = [unit[:-1] if amount == 1 else f"{amount:g} {unit}" for unit, amount in every.items() if amount]
    if len(parts) > 1:
        parts = [f"{amount:g} {unit[:-1] if amount == 1 else unit}" for unit, amount in every.items() if amount]
    return " ".join(parts)
