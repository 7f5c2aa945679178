"""The stream that tells open pages that something has changed."""

from collections.abc import Sequence

from typing_extensions import override

from est_alan_scheduler.web.api.events import MEDIA_TYPE, EventStream
from est_alan_scheduler.web.feed import Message
from est_alan_scheduler.web.page.view import PageCall

__all__ = ["MEDIA_TYPE", "MergedStream", "live"]


def live(call: PageCall) -> "MergedStream":
    """Return the stream of what changes from now on, or since the last message that the page has got."""
    return MergedStream(call.site.feed, call.last_event_id)


class MergedStream(EventStream):
    """A stream with few messages, which tell no more: a page is fetched anew for a hundred changes as for one."""

    pause = 0.35

    @override
    def text_of(self, messages: Sequence[tuple[str, Message]]) -> str:
        last, _ = messages[-1]
        return super().text_of([(last, Message("changed", {}))])
