"""The editor of a task: its form, and what saves it."""

from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from est_alan_scheduler.web.api.endpoint import Input
from est_alan_scheduler.web.api.tasks import task_of
from est_alan_scheduler.web.page.view import PageCall


class EditQuery(Input):
    """Which task."""

    id: str = Field(min_length=1)


class Save(Input):
    """Changes of a task, and the version of it that they were made on."""

    id: str = Field(min_length=1)
    version: str
    changes: dict[str, Any]


class Saved(BaseModel):
    """The version of the task that was saved."""

    version: str


def page(call: PageCall) -> Response:
    """Answer the editor of a task."""
    call.registry.refresh(call.query.id)
    return call.view.html("edit.html", task=task_of(call.site, call.registry[call.query.id]))
