"""The page of all tasks."""

import weakref
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any

from pydantic import BeforeValidator
from starlette.responses import Response

from est_alan_scheduler.control.reports import selection
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.endpoint import Input, Limit
from est_alan_scheduler.web.api.problems import refused, text_without_values
from est_alan_scheduler.web.page.census import Census, Counts
from est_alan_scheduler.web.page.excerpts import line
from est_alan_scheduler.web.page.screens.rows import Rows
from est_alan_scheduler.web.page.sorting import Orders, Sort
from est_alan_scheduler.web.page.standing import STANDINGS, Standing, standing
from est_alan_scheduler.web.page.view import PageCall, View
from est_alan_scheduler.web.site import Site

_MANY = 10_000  # tasks, which take long to sort
_MOST_UNRESOLVED = 20
_LONGEST_TAG = 40

_empty_as_none = BeforeValidator(lambda value: value or None)  # a form sends its empty fields, too


class PageQuery(Input):
    """The query of the tasks: filters, order and page."""

    q: Annotated[str | None, _empty_as_none] = None
    status: Annotated[Standing | None, _empty_as_none] = None
    tag: Annotated[str | None, _empty_as_none] = None
    sort: Annotated[Sort | None, _empty_as_none] = None
    cursor: Annotated[str | None, _empty_as_none] = None
    limit: Limit = 50


class _Listing:
    """The census, the orders and the rows of one site, kept from request to request."""

    def __init__(self, registry: TaskRegistry) -> None:
        self.counts = Counts(registry)
        self.orders = Orders(registry)
        self.rows = Rows()


_listings: "weakref.WeakKeyDictionary[Site, _Listing]" = weakref.WeakKeyDictionary()


def page(call: PageCall) -> Response:
    """Answer the page of all tasks. In an outage of the store, it shows what was read last."""
    site, registry, query, view = call.site, call.registry, call.query, call.view
    listing = _listings.get(site) or _listings.setdefault(site, _Listing(registry))
    is_store_there = call.refresh()
    census = listing.counts.census()
    sort: Sort = query.sort or ("name" if census.total <= _MANY else "id")
    try:
        found, cursor = listing.orders.page(sort, query.limit, query.cursor, _filter(registry, query, census))
    except ValueError as error:
        raise refused([("cursor", str(error))]) from None
    if is_store_there and registry.backend is not None and found:  # one may have been run by hand elsewhere
        is_store_there = call.refresh(*found)
        found = [task for one in found if (task := registry.get(one.id)) is not None]
    return view.html(
        "tasks.html",
        query=query,
        sort=sort,
        census=census,
        standings=STANDINGS,
        rows=listing.rows.html(found, view, is_store_there),
        next_page=None if cursor is None else view.link(cursor=cursor, sort=sort),
        is_filtered=bool(query.q or query.status or query.tag),
        tags=_tags(query.tag, census),
        unresolved=_unresolved(view),
        head=_head(view, sort),
    )


def _filter(registry: TaskRegistry, query: PageQuery, census: Census) -> Callable[[Task], bool] | None:
    """Return what tells whether a task is one that the query asks for; None if all are."""
    passes = selection(query.tag, None, query.q)
    wanted = query.status
    if wanted is None:
        return passes
    members, now, is_paused = census.members[wanted], registry._now(), registry.is_paused
    return lambda task: (
        task.__dict__["id"] in members and (passes is None or passes(task)) and standing(task, now, is_paused) == wanted
    )


def _tags(chosen: str | None, census: Census) -> list[tuple[str, str, bool]]:
    """Return the tags to choose from: each in full, as it is shown, and whether it is the chosen one."""
    tags = census.tags if chosen is None or chosen in census.tags else [chosen, *census.tags]
    return [(tag, line(tag, _LONGEST_TAG), tag == chosen) for tag in tags]


def _head(view: View, sort: str) -> dict[str, dict[str, Any]]:
    """Return for each column by which tasks are sorted what its header says: the link that sorts, and how it is."""
    head = {}
    for name, first in (("name", "name"), ("id", "id"), ("next", "next"), ("last", "-last"), ("failures", "-failures")):
        other = name if first.startswith("-") else f"-{name}"
        direction = {name: "ascending", f"-{name}": "descending"}.get(sort)
        head[name] = {"link": view.link(sort=other if sort == first else first, cursor=None), "direction": direction}
    return head


def _unresolved(view: View) -> tuple[int, list[tuple[str, str]]]:
    """Return how many tasks of the store cannot be shown here, and the reasons of some of them."""
    found = view.site.registry.unresolved()
    reasons = [
        (line(task_id, 100), line(text_without_values(reason) if view.site.hide_values else reason, 300))
        for task_id, reason in islice(found.items(), _MOST_UNRESOLVED)
    ]
    return len(found), reasons
