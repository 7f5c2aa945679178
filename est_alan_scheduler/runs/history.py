"""The history of a registry: the runs of all its tasks, as one list."""

from collections.abc import Collection
from datetime import datetime
from operator import itemgetter
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task import TaskStatus

Past = tuple[str, list[dict[str, Any]]]
"""An id, and the `history` of its task."""


def latest_runs(
    pasts: Collection[Past], status: TaskStatus | None, since: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """Return the latest runs of all tasks, at most `limit`, oldest first: dicts as in `Task.history`, with `task_id`.

    `status`: only with this outcome; `since`: started then or later, in naive local time, or aware.
    """
    start = None if since is None else to_utc(since)
    chosen = []
    for task_id, history in pasts:
        for run in history:
            at = to_utc(run["run_at"])
            if (status is None or run["status"] == status) and (start is None or at >= start):
                chosen.append((at, {"task_id": task_id, **run}))
    chosen.sort(key=itemgetter(0))
    return [run for _, run in chosen[-limit:]] if limit else []
