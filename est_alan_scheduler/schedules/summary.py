"""Summary of a task, as `repr` and a notebook show it: what is not default of it, its schedule in words, its runs."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from est_alan_scheduler._support.signals import UNREADABLE, is_for_program
from est_alan_scheduler._support.tables import html_table, plain
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.schedules.upcoming import first_run_from
from est_alan_scheduler.task import Task, TaskStatus

NEVER = "-"
"""Stands for a moment that there is not."""
_LONGEST = 100  # characters of a value
_Value = TypeVar("_Value")


def schedule_text(task: Task) -> str:
    """Return the schedule in words, as one short line."""
    return _tried(lambda: describe(task))


def next_run_text(task: Task, now: datetime) -> str:
    """Return when a registered task is due next: a moment, "now", or "paused"."""
    return _tried(lambda: _next_run(task, now))


def moment_text(moment: datetime | None) -> str:
    """Return a moment to the second, with its offset from UTC if it has one."""
    return _tried(lambda: NEVER if moment is None else moment.isoformat(" ", "seconds"))


def summary(task: Task) -> str:
    """Return a task in one line: never an error, whatever its values are, and of bounded length."""
    facts = _facts(task)
    task_id, name = facts.pop("id", "?"), facts.pop("name", None)
    called = f" '{name}'" if name is not None else ""
    status, schedule = facts.pop("status", "?"), facts.pop("schedule", "?")
    rest = "".join(f", {label} {text}" for label, text in facts.items())
    return f"<{type(task).__name__} '{task_id}'{called}: {schedule}, {status}{rest}>"


def summary_html(task: Task) -> str:
    """Return a task as a small table in HTML."""
    return html_table((), _facts(task).items())


def _facts(task: Task) -> dict[str, str]:
    """Return what is to be told of a task, in order: nothing that is default."""
    fields = task.__dict__
    facts = {"id": _tried(lambda: task.id)}
    for name in ("name", "description"):
        if fields.get(name) is not None:
            facts[name] = _tried(partial(fields.__getitem__, name))
    if fields.get("tags"):
        facts["tags"] = _tried(lambda: ", ".join(fields["tags"]))
    facts |= {"schedule": schedule_text(task), "status": _tried(lambda: TaskStatus(fields["status"]).value)}
    entry = getattr(task, "_entry", None)
    now = None if entry is None else _read(entry.read_clock)
    if now is not None:
        facts["next run"] = next_run_text(task, now)
    elif fields.get("paused"):
        facts["next run"] = "paused"
    if fields.get("last_run_at") is not None:
        facts["last run"] = moment_text(fields["last_run_at"])
    if fields.get("error_message") is not None:
        facts["error"] = _tried(lambda: fields["error_message"])
    return {label: text for label, text in facts.items() if text != NEVER}


def _next_run(task: Task, now: datetime) -> str:
    if task.paused and task.run_requested is None:
        return "paused"
    moment = first_run_from(task, now)
    return "now" if moment is not None and to_utc(moment) <= to_utc(now) else moment_text(moment)


def _read(read: Callable[[], _Value]) -> _Value | None:
    """Return a value, None if it cannot be read: what shows a task is no place for errors."""
    try:
        return read()
    except UNREADABLE as error:
        if is_for_program(error):
            raise
        return None


def _tried(tell: Callable[[], str]) -> str:
    """Return a short text, "?" if it cannot be made."""
    text = _read(lambda: plain(tell(), _LONGEST))
    return "?" if text is None else text
