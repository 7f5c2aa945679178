"""The history of a registry: the runs of all its tasks, as one list."""

from collections.abc import Collection
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task import TaskStatus

Key = tuple[datetime, str, int]
"""The place of a run in the history: its start in UTC, the id of its task, its number."""


class Past(NamedTuple):
    """What a task has recorded."""

    task_id: str
    history: list[dict[str, Any]]
    last: int
    """The number of the newest run; each one before it has the number before."""


def latest_runs(
    pasts: Collection[Past], status: TaskStatus | None, since: datetime | None, limit: int, before: Key | None = None
) -> list[dict[str, Any]]:
    """Return the latest runs of all tasks, at most `limit`, oldest first: dicts as in `Task.history`, and two values.

    These are `task_id` and the number, `epoch`. `status`: only with this outcome; `since`: started then or later, in
    naive local time, or aware; `before`: only with a lesser key.
    """
    start = None if since is None else to_utc(since)
    chosen = []
    for task_id, history, last in pasts:
        for number, run in enumerate(history, last + 1 - len(history)):
            key = at, _, _ = to_utc(run["run_at"]), task_id, number
            is_wanted = (status is None or run["status"] == status) and (start is None or at >= start)
            if is_wanted and (before is None or key < before):
                chosen.append((key, {"task_id": task_id, **run, "epoch": number}))
    chosen.sort(key=itemgetter(0))
    return [run for _, run in chosen[-limit:]] if limit else []
