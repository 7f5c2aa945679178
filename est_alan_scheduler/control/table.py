"""Tables of the tasks of a registry, for a terminal or a notebook."""

from collections import Counter
from collections.abc import Iterable

from est_alan_scheduler._support.tables import html_table, plain, text_table
from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.planning.dependencies import first_stale, first_unmet
from est_alan_scheduler.schedules.summary import moment_text, next_run_text, schedule_text
from est_alan_scheduler.task import Task, TaskStatus

_HEADER = ("id", "schedule", "next run", "last run", "status")
_WIDEST = (40, 50, 30, 25, 7)  # columns of a terminal
_LONGEST_ID = 100  # characters
_MOST_ROWS = 100  # in a notebook


def table(parts: Parts) -> str:
    """Do what `TaskRegistry.table` says."""
    return text_table(_HEADER, _rows(parts, list(parts.agenda.store.values())), _WIDEST)


def html(parts: Parts, kind: str) -> str:
    """Return the first tasks of a registry of a kind as a table in HTML."""
    tasks = list(parts.agenda.store.values())
    more = f", the first {_MOST_ROWS} of them:" if len(tasks) > _MOST_ROWS else ""
    return html_table(_HEADER, _rows(parts, tasks[:_MOST_ROWS]), _counts(parts, kind) + more)


def summary(parts: Parts, kind: str) -> str:
    """Return a registry of a kind in one line: its tasks, counted by status."""
    return f"<{_counts(parts, kind)}>"


def _counts(parts: Parts, kind: str) -> str:
    tasks = list(parts.agenda.store.values())
    found = Counter(task.status for task in tasks)
    counts = [f"{found[status]} {status}" for status in TaskStatus if found[status]]
    paused = sum(task.paused for task in tasks)
    if paused:
        counts.append(f"{paused} paused")
    if parts.is_paused:
        counts.append("all paused")
    number = f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}"
    return f"{kind}: {number}" + (f" ({', '.join(counts)})" if counts else "")


def _rows(parts: Parts, tasks: Iterable[Task]) -> list[tuple[str, ...]]:
    now = parts.hooks._now()
    return [
        (
            plain(task.id, _LONGEST_ID),
            schedule_text(task),
            "paused" if parts.is_paused else _next_run(parts, task, next_run_text(task, now)),
            moment_text(task.last_run_at),
            str(task.status),
        )
        for task in tasks
    ]


def _next_run(parts: Parts, task: Task, text: str) -> str:
    """Return when a task runs next: if it is due, whether it waits for a dependency."""
    if text != "now" or not task.depends_on or task.run_requested == "force":
        return text
    store = parts.agenda.store
    awaited = first_unmet(task, store) or first_stale(task, store, parts.hooks._now())
    return text if awaited is None else f"waits for {plain(awaited, _LONGEST_ID)}"
