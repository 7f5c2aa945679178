"""An endpoint of the API: what it takes, what it answers, and the function that answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.site import Site


class Input(BaseModel):
    """The base of queries and bodies: an unknown name is an error, not a silence."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(Input):
    """The query of an endpoint that takes none."""


@dataclass(frozen=True)
class Call:
    """One request, checked and parsed."""

    site: Site
    path: Mapping[str, str]
    """The values of the placeholders of the path."""
    query: Any
    """An instance of the endpoint's `query`."""
    body: Any
    """An instance of the endpoint's `body`; None if it takes none."""
    if_match: str | None = None
    """The version that the caller has seen, from `If-Match`; `*` for any."""

    @property
    def registry(self) -> TaskRegistry:
        """The registry of the site."""
        return self.site.registry


@dataclass(frozen=True)
class Answer:
    """What a handler returns that says more than a value."""

    value: Any
    status: int | None = None
    """None: that of the endpoint."""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Any]
"""It runs in a worker thread, so it may ask the store. It returns a value of the type `answer`, or an `Answer`."""


@dataclass(frozen=True)
class Endpoint:
    """One row of the table of endpoints."""

    method: str
    path: str
    """Below `/api`, with placeholders: `/tasks/{id}`. One takes any text, percent-encoded slashes included."""
    handle: Handler
    summary: str
    """One sentence, for the OpenAPI document."""
    answer: Any
    """The type of the value in the answer, None for an empty one."""
    role: Role | None = Role.READ
    """Who may call it; None: everyone."""
    query: type[Input] = NoQuery
    body: type[BaseModel] | None = None
    status: int = 200
    problems: tuple[int, ...] = ()
    """The statuses of problems that this endpoint has, beside those that all have."""
