"""The models of answers: what the API says of tasks and runs."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task import TaskStatus


def with_offset(moment: datetime) -> str:
    """Return a moment as RFC 3339 has it, with its offset; a naive one is local time."""
    return (moment if moment.tzinfo is not None else to_utc(moment).astimezone()).isoformat()


Moment = Annotated[
    datetime,
    PlainSerializer(with_offset, str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, in JSON as RFC 3339 has it, with its offset from UTC."""


class InstanceModel(BaseModel):
    """An instance on the backend whose lease is alive."""

    owner: str
    since: Moment
    lease_until: Moment


class RunModel(BaseModel):
    """A run of a task, one attempt each."""

    task_id: str
    run_at: Moment
    finished_at: Moment | None = Field(description="None while it goes on.")
    status: TaskStatus
    result: str | None = Field(description="The `repr` of the result, shortened; null if values are hidden.")
    error: str | None
    attempt: int
    duration: float | None = Field(description="Seconds from its start to its end; null while it goes on.")
    epoch: int | None = Field(None, description="With a backend: the number of the run among those of its task.")
    slot: Moment | None = Field(None, description="With a backend: the scheduled moment; null for a requested run.")
    owner: str | None = Field(None, description="With a backend: the instance that ran it.")
    late: bool | None = Field(
        None, description="With a backend: whether its outcome came after the run had been given up."
    )


class RunPage(BaseModel):
    """Runs, the newest first."""

    items: list[RunModel]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null if this is the last one.")


class PlannedRunModel(BaseModel):
    """A run to come."""

    task_id: str
    at: Moment


class SimulationModel(BaseModel):
    """What would run, as if each run succeeded at once."""

    items: list[PlannedRunModel]
    until: Moment = Field(description="The plan is whole up to here.")
    is_truncated: bool = Field(
        description="There may be more runs before the end that was asked for: it was too many, or took too long."
    )


class PauseModel(BaseModel):
    """Whether the pause of all tasks is in force."""

    paused: bool


class HealthModel(BaseModel):
    """Whether the scheduler works."""

    status: Literal["ok", "failing"]
    loop: bool | None = Field(description="Whether a loop ticks; null if this process has none, and is not meant to.")
    store: bool | None = Field(description="Whether the store answers; null without a backend.")
