"""An endpoint of the API: what it takes, what it answers, and the function that answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.site import Site


class Input(BaseModel):
    """The base of queries, and of bodies that are no definitions: it refuses unknown names."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(Input):
    """The query of an endpoint that takes none."""


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def _read_moment(value: object) -> object:
    """Return the moment of a text as RFC 3339 has it; those at the ends of the calendar exist in no other zone."""
    text = re.sub(r" (?=\d\d:\d\d$)", "+", str(value)).upper()  # a plus that was not escaped comes as a space
    if not isinstance(value, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("a date and a time with an offset are needed, as in 2026-01-31T09:00:00+09:00")
    moment = datetime.fromisoformat(text)
    return {_EARLIEST.year: _EARLIEST, _LATEST.year: _LATEST}.get(moment.year, moment)


GivenMoment = Annotated[datetime, BeforeValidator(_read_moment)]
"""A moment in a query or a body: RFC 3339, with its offset."""
Limit = Annotated[int, Field(ge=1, le=1_000)]
"""The most entries of an answer."""


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
    if_match: Sequence[str] | None = None
    """The versions of which the task has to have one, from `If-Match`; `*` for any."""
    last_event_id: str | None = None
    """The event that the caller has got last, from `Last-Event-ID`."""

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


Handler = Callable[[Any], Any]
"""It gets the `Call`, and runs in a worker thread, so it may ask the store.

It returns a value of the type `answer`, an `Answer`, or a response.
"""


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
    also: tuple[int, ...] = ()
    """Other statuses that come with a value of the type `answer`."""
    headers: tuple[str, ...] = ()
    """The headers of its answer that a caller may need: `ETag`, `Location`."""
    media_type: str = "application/json"
