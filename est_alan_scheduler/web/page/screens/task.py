"""The page of one task."""

from pydantic import Field
from starlette.responses import Response

from est_alan_scheduler.task import TaskStatus
from est_alan_scheduler.web.api.endpoint import Input
from est_alan_scheduler.web.api.tasks import task_of
from est_alan_scheduler.web.page.view import PageCall


class TaskQuery(Input):
    """Which task, and which page of its runs."""

    id: str = Field(min_length=1)
    outcome: TaskStatus | None = None
    cursor: str | None = None


def page(call: PageCall) -> Response:
    """Answer the page of one task."""
    call.registry.refresh(call.query.id)
    return call.view.html("task.html", task=task_of(call.site, call.registry[call.query.id]))
