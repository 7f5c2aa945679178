"""The page of all tasks."""

from starlette.responses import Response

from est_alan_scheduler.web.api.tasks import TaskQuery, tasks_page
from est_alan_scheduler.web.page.view import PageCall


class PageQuery(TaskQuery):
    """Which tasks, and which page of them."""


def page(call: PageCall) -> Response:
    """Answer the page of all tasks."""
    return call.view.html("tasks.html", found=tasks_page(call.site, call.query), query=call.query)
