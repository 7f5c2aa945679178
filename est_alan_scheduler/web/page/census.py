"""The census: how many tasks have which standing, and the tags that there are. Many tasks are counted rarely."""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.task import TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.sorting import SHARE
from est_alan_scheduler.web.page.standing import PATIENCE, STANDINGS, standing

_FEW = 1_000
"""Up to so many tasks are counted for each request."""
_PERIOD = 1.0  # seconds: a census of more tasks holds at least that long
_MOST_TAGS = 200
_SUCCESS, _PENDING = TaskStatus.SUCCESS, TaskStatus.PENDING  # looking up a member costs more than comparing it


class Census(NamedTuple):
    """The numbers of one count."""

    total: int
    members: Mapping[str, frozenset[str]]
    """The ids of the tasks, by standing."""
    tags: list[str]
    """The tags that most tasks have, by their names."""

    def count(self, standing: str) -> int:
        """Return how many tasks have a standing."""
        return len(self.members[standing])


class Counts:
    """The latest census of one registry. `_lock` guards it: who waits for it gets the census of another request."""

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._census: Census | None = None
        self._until = 0.0
        self._was_paused = False  # whether all tasks were, when it was taken

    def census(self) -> Census:
        """Return a census: of few tasks as they stand now, of many as they stood a second or a few ago."""
        with self._lock:
            began, is_paused = monotonic(), self._registry.is_paused
            if self._census is None or began >= self._until or is_paused != self._was_paused:
                self._census, self._was_paused = _count(self._registry, is_paused), is_paused
                seconds = monotonic() - began
                is_kept = self._census.total > _FEW
                self._until = began + max(_PERIOD, seconds * SHARE) if is_kept else began
            return self._census


def _count(registry: TaskRegistry, is_paused: bool) -> Census:
    now = registry._now()
    try:
        since = to_utc(now) - PATIENCE
    except OverflowError:
        since = datetime.min
    members: dict[str, list[str]] = {one: [] for one in STANDINGS}
    note_success, note_pending = members["success"].append, members["pending"].append
    tags: Counter[str] = Counter()
    for task in registry:
        fields, entry = task.__dict__, task._entry
        status = fields["status"]
        # A task is filed under a lower bound of its due moment: before that it is not late.
        is_waiting = type(entry) is Entry and (due := entry.due) is not None and due > since and not fields["paused"]
        is_waiting = is_waiting and not is_paused
        if is_waiting and status is _SUCCESS:
            note_success(fields["id"])
        elif is_waiting and status is _PENDING:
            note_pending(fields["id"])
        else:
            members[standing(task, now, is_paused)].append(fields["id"])
        if "tags" in fields:
            tags.update(fields["tags"])
    common = sorted(tag for tag, _ in tags.most_common(_MOST_TAGS))
    return Census(len(registry), {one: frozenset(ids) for one, ids in members.items()}, common)
