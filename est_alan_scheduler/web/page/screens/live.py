"""The stream of what changes, for pages that are open."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from est_alan_scheduler.web.api.events import MEDIA_TYPE, EventStream
from est_alan_scheduler.web.feed import Message
from est_alan_scheduler.web.page.view import PageCall

__all__ = ["MEDIA_TYPE", "MergedStream", "live", "merged"]

_MOST_NAMED = 200
"""Tasks in one message."""


def live(call: PageCall) -> "MergedStream":
    """Return the stream of what changes from now on, or since the last message that the page has got."""
    return MergedStream(call.site.feed, call.last_event_id)


class MergedStream(EventStream):
    """A stream with few messages: a page is fetched anew for a hundred changes as for one."""

    pause = 0.35

    @override
    def text_of(self, messages: Sequence[tuple[str, Message]]) -> str:
        return super().text_of([(messages[-1][0], merged([message for _, message in messages]))])


def merged(messages: Iterable[Message]) -> Message:
    """Return one message for several: the ids of the tasks that changed, None for any, and the latest pause of all."""
    ids: set[str] | None = set()
    pause: dict[str, Any] = {}
    for kind, data in messages:
        if kind == "reset":
            return Message(kind, {})
        named = _ids(data)
        ids = None if ids is None or named is None else ids | named
        if "task_id" not in data and kind in ("paused", "resumed"):
            pause = {"paused": kind == "paused"}
        elif "paused" in data:
            pause = {"paused": data["paused"]}
    return Message("changed", {"task_ids": None if ids is None or len(ids) > _MOST_NAMED else sorted(ids), **pause})


def _ids(data: Mapping[str, Any]) -> set[str] | None:
    if "task_id" in data:
        return {data["task_id"]}
    ids = data.get("task_ids", ())
    return None if ids is None else set(ids)
