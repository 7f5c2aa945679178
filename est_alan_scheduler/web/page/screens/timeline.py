"""The page of the timeline: the runs that have been and those that come, of all tasks on one axis."""

from typing import Literal

from starlette.responses import Response

from est_alan_scheduler.web.api.endpoint import Input
from est_alan_scheduler.web.page.view import PageCall


class TimelineQuery(Input):
    """Which time."""

    span: Literal["hour", "day", "week"] = "hour"


def page(call: PageCall) -> Response:
    """Answer the timeline."""
    return call.view.html("timeline.html", span=call.query.span)
