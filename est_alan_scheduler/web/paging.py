"""Paging of tasks by a key: in the order of their ids, which stays while tasks come and go."""

import weakref
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from itertools import islice
from operator import attrgetter

from est_alan_scheduler.control.reports import selection
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry

_STEP = 2_000
"""Tasks that are looked at in the order of ids before it is decided how to go on."""

LOOKUP_COST = 3
"""The cost of a lookup by id, relative to a step through the store in its own order, in which they lie in memory."""

_sorted_ids: "weakref.WeakKeyDictionary[TaskRegistry, tuple[list[str], list[str]]]" = weakref.WeakKeyDictionary()
"""The ids of a registry in its own order, and sorted."""


def cursor_of(key: str) -> str:
    """Return the cursor of a key: opaque to the caller."""
    return urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """Return the key of a cursor; `ValueError` if it is none."""
    try:
        key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("utf-8", "surrogatepass")
    except ValueError:
        key = ""
    if not key or cursor_of(key) != cursor:
        raise ValueError("it is no cursor of this list: take next_cursor from the page before, or leave it out")
    return key


def page(
    registry: TaskRegistry,
    limit: int,
    after: str | None = None,
    tag: str | None = None,
    status: str | None = None,
    text: str | None = None,
) -> tuple[list[Task], bool]:
    """Return the first `limit` tasks behind an id, of those that `select` finds, and whether there are more.

    Without a filter, or with one that most tasks pass, only about the tasks of one page are read.
    """
    ids = sorted_ids(registry)
    start = 0 if after is None else bisect_right(ids, after)
    is_chosen = selection(tag, status, text)
    if is_chosen is None:
        found = list(islice(_tasks(registry, islice(ids, start, None)), limit + 1))
    else:
        found = _chosen(registry, ids, start, limit + 1, is_chosen)
    return found[:limit], len(found) > limit


def _chosen(
    registry: TaskRegistry, ids: list[str], start: int, number: int, is_chosen: Callable[[Task], bool]
) -> list[Task]:
    """Return the first tasks that pass a filter. If few pass, it scans the whole store instead of going by id."""
    found: list[Task] = []
    at = start
    while True:
        step = ids[at : at + _STEP]
        found += islice(filter(is_chosen, _tasks(registry, step)), number - len(found))
        at += len(step)
        if len(found) == number or at >= len(ids):
            return found
        expected = (at - start) / max(len(found), 1) * (number - len(found))  # looks to come, by those so far
        if expected * LOOKUP_COST > len(ids):
            break
    last = ids[at - 1]
    rest = (task for task in filter(is_chosen, registry) if task.id > last)
    return found + nsmallest(number - len(found), rest, key=attrgetter("id"))


def _tasks(registry: TaskRegistry, ids: Iterable[str]) -> Iterator[Task]:
    """Yield the tasks of ids, without those that have gone meanwhile."""
    store = registry.store
    return (task for task in map(store.get, ids) if task is not None)


def sorted_ids(registry: TaskRegistry) -> list[str]:
    """Return the ids of all tasks, sorted: anew if any has come or gone."""
    ids = list(registry.store)
    seen = _sorted_ids.get(registry)
    if seen is None or seen[0] != ids:  # the same ids are the same objects: that is a fast comparison
        seen = _sorted_ids[registry] = ids, sorted(ids)
    return seen[1]
