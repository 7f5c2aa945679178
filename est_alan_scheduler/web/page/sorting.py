"""Orders of tasks, by name, next run, last run, failures or id, and paging in them by keys."""

import json
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Literal, NamedTuple

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import planned_moment
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.paging import LOOKUP_COST, cursor_of, key_of, sorted_ids

Sort = Literal["name", "-name", "next", "-next", "last", "-last", "failures", "-failures", "id", "-id"]
"""By name, next run, start of the last run, failures in a row, id; with a hyphen in descending order."""

Key = str | float | None
"""What a task is sorted by. Tasks with None come last in either direction."""

_FEW = 1_000
"""The order of up to so many tasks is made for each request."""
SHARE = 20
"""The order of more tasks is kept for so many times as long as it took to make."""
_STEP = 2_000
"""So many tasks are looked at in the order before it is decided whether to scan them all."""
_EPOCH = datetime(2000, 1, 1)


class _Order(NamedTuple):
    """All tasks of a registry in ascending order: by their keys, equal ones by their ids."""

    keys: list[str] | list[float]
    ids: list[str]
    """In the order of `keys`, which has as many."""
    others: list[str]
    """The ids of tasks without a key."""
    until: float
    """Up to when it is used, by the monotonic clock."""


class Orders:
    """The orders of the tasks of one registry.

    `_lock` guards those that are kept: who waits for it gets the order that another request makes.
    """

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._kept: dict[str, _Order] = {}

    def page(
        self, sort: Sort, limit: int, cursor: str | None, is_chosen: Callable[[Task], bool] | None = None
    ) -> tuple[list[Task], str | None]:
        """Return the first `limit` tasks behind a cursor, of those that are chosen, and the cursor of the next page.

        Raises `ValueError` for a cursor that no page of such an order has given.
        """
        name, is_descending = sort.removeprefix("-"), sort.startswith("-")
        key_of_task = _KEYS[name]
        after = None if cursor is None else _place_of(cursor, name)
        now = self._registry._now()
        ids = _ids(self._order(name, now), is_descending, after)
        if is_chosen is None:
            found = list(islice(_tasks(self._registry.store, ids), limit + 1))
        else:
            found = _chosen(self._registry, ids, limit + 1, is_chosen)
        if len(found) <= limit:
            return found, None
        last = found[limit - 1]
        return found[:limit], cursor_of(json.dumps([name, key_of_task(last, now), last.id]))

    def _order(self, name: str, now: datetime) -> _Order:
        if name == "id":
            ids = sorted_ids(self._registry)
            return _Order(ids, ids, [], 0.0)
        with self._lock:
            began = monotonic()
            kept = self._kept.get(name)
            if kept is not None and kept.until > began:
                return kept
            order = _make(self._registry, _KEYS[name], now)
            if len(order.ids) + len(order.others) > _FEW:
                end = monotonic()
                self._kept[name] = order._replace(until=end + (end - began) * SHARE)
            return order


def _make(registry: TaskRegistry, key_of_task: Callable[[Task, datetime], Key], now: datetime) -> _Order:
    pairs, others = [], []
    for task in registry:  # in its own order, in which they lie in memory
        key = key_of_task(task, now)
        if key is None:
            others.append(task.id)
        else:
            pairs.append((key, task.__dict__["id"]))
    pairs.sort(key=itemgetter(1))  # twice by one value: that is a fast comparison
    pairs.sort(key=itemgetter(0))
    others.sort()
    return _Order([key for key, _ in pairs], [task_id for _, task_id in pairs], others, 0.0)  # type: ignore[arg-type]


def _chosen(registry: TaskRegistry, ids: Iterator[str], number: int, is_chosen: Callable[[Task], bool]) -> list[Task]:
    """Return the first tasks that pass a filter. If few seem to pass, it scans the whole registry in its own order."""
    store = registry.store
    step = list(islice(ids, _STEP))
    found = list(islice(filter(is_chosen, _tasks(store, step)), number))
    if len(found) == number or len(step) < _STEP:
        return found
    if _STEP / max(len(found), 1) * (number - len(found)) * LOOKUP_COST > len(store):
        passing = {task.__dict__["id"] for task in filter(is_chosen, registry)}
        rest = _tasks(store, filter(passing.__contains__, ids))
    else:
        rest = filter(is_chosen, _tasks(store, ids))
    return found + list(islice(rest, number - len(found)))


def _tasks(store: Mapping[str, Task], ids: Iterable[str]) -> Iterator[Task]:
    """Yield the tasks of ids, without those that have gone meanwhile."""
    return (task for task in map(store.get, ids) if task is not None)


def _ids(order: _Order, is_descending: bool, after: tuple[Key, str] | None) -> Iterator[str]:
    """Yield the ids behind a place."""
    number = len(order.ids)
    if after is None:
        start, others = 0, iter(order.others)
    elif after[0] is None:
        return islice(order.others, bisect_right(order.others, after[1]), None)
    else:
        start, others = _behind(order, after[0], after[1], is_descending), iter(order.others)
    places = range(number - 1 - start, -1, -1) if is_descending else range(start, number)
    return chain(map(order.ids.__getitem__, places), others)


def _behind(order: _Order, key: str | float, task_id: str, is_descending: bool) -> int:
    """Return the number of the places up to a key and an id."""
    low, high = bisect_left(order.keys, key), bisect_right(order.keys, key)
    if is_descending:
        return len(order.ids) - bisect_left(order.ids, task_id, low, high)
    return bisect_right(order.ids, task_id, low, high)


def _place_of(cursor: str, name: str) -> tuple[Key, str]:
    """Return the key and the id of the last task of a page."""
    wanted = str if name in ("name", "id") else float
    try:
        sort, key, task_id = json.loads(key_of(cursor))
        key = float(key) if type(key) is int else key
        if sort == name and type(task_id) is str and (type(key) is wanted or (key is None and wanted is float)):
            return key, task_id
    except (ValueError, TypeError, RecursionError):
        pass
    raise ValueError("it is no cursor of this order: go to its first page")


def _name(task: Task, _now: datetime) -> str:
    return task.name.casefold()


def _id(task: Task, _now: datetime) -> str:
    return task.id


def _next(task: Task, now: datetime) -> float | None:
    moment = planned_moment(task, now)
    return None if moment is None else (moment - _EPOCH).total_seconds()


def _last(task: Task, _now: datetime) -> float | None:
    moment = task.__dict__["last_run_at"]
    return None if moment is None else (to_utc(moment) - _EPOCH).total_seconds()


def _failures(task: Task, _now: datetime) -> float:
    return float(task.__dict__.get("consecutive_failures", 0))  # a rare field


_KEYS: Mapping[str, Callable[[Task, datetime], Key]] = {
    "name": _name,
    "next": _next,
    "last": _last,
    "failures": _failures,
    "id": _id,
}
