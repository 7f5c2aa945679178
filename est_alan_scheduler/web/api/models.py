"""The models of answers: what the API says of tasks and runs."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, PlainSerializer

from est_alan_scheduler.calendar.local_time import to_utc


def _with_offset(moment: datetime) -> str:
    """Return a moment as RFC 3339 has it, with its offset; a naive one is local time."""
    return (moment if moment.tzinfo is not None else to_utc(moment).astimezone()).isoformat()


Moment = Annotated[datetime, PlainSerializer(_with_offset, str, when_used="json")]
"""A moment, in JSON as RFC 3339 has it, with its offset from UTC."""


class InstanceModel(BaseModel):
    """An instance on the backend whose lease is alive."""

    owner: str
    since: Moment
    lease_until: Moment
