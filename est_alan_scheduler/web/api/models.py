"""The models of answers: what the API says of tasks and runs."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.cluster.codecs.definitions import DEFINING
from est_alan_scheduler.task import Task, TaskStatus

DEFINITION = tuple(name for name in Task.model_fields if name in DEFINING)
"""The fields that define a task, in the order of `Task`."""

VALUES = ("args", "kwargs")
"""Those that a site may hide."""

_MINUTE = timedelta(minutes=1)


def with_offset(moment: datetime) -> str:
    """Return a moment as RFC 3339 has it, with its offset; a naive one is local time."""
    wall, offset = moment.replace(tzinfo=None, fold=0), moment.utcoffset()
    if offset is None:
        utc = to_utc(moment)
        wall = from_utc(utc)
        offset = wall - utc
    if offset % _MINUTE:  # before standard time, which RFC 3339 has no offsets for
        wall, offset = wall - offset, timedelta(0)
    return wall.replace(tzinfo=timezone(offset), fold=0).isoformat()


def _encodable(value: Any) -> Any:
    """Return a value with halves of surrogate pairs in its texts escaped, which UTF-8 cannot encode."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(one) for name, one in value.items()}
    return [_encodable(one) for one in value] if isinstance(value, list) else value


Moment = Annotated[
    datetime,
    PlainSerializer(with_offset, str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, in JSON as RFC 3339 has it, with its offset from UTC."""

Text = Annotated[str, BeforeValidator(_encodable)]
"""A text that any program may have written."""

Json = Annotated[Any, BeforeValidator(_encodable)]
"""What JSON can hold, with such texts."""


class AsInTask:
    """Mark of a field that takes any value here, and has the JSON schema of the field of `Task`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        field = Task.model_fields[self._name]
        whole: Any = Annotated[field.annotation, *field.metadata]
        return handler(_within(TypeAdapter(whole).core_schema))


def _within(schema: CoreSchema) -> CoreSchema:
    """Return a schema around another one: pydantic reads the marks of what lies within alone."""
    return core_schema.no_info_after_validator_function(lambda value: value, schema)


def _shown_fields() -> Iterator[tuple[str, Any]]:
    for name in DEFINITION:
        shown: Any = Annotated[Any, AsInTask(name)]
        yield name, (shown | None if name in VALUES else shown, ...)


_Shown = create_model("TaskDefinition", **dict(_shown_fields()))


class _AsShown:
    """Mark of a dict that has the fields which define a task."""

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(_within(_Shown.__pydantic_core_schema__))


Definition = Annotated[dict[str, Any], _AsShown()]
"""The fields that define a task, as JSON has them."""


class TaskSummary(BaseModel):
    """A task as lists show it: of bounded size, whatever its arguments and results are."""

    id: Text
    name: Text = Field(description="What people call it; by default the name of its function.")
    description: Text | None
    tags: list[Text]
    status: TaskStatus
    schedule: Text = Field(description="Its schedule in words.")
    paused: bool
    next_run: Moment | None = Field(description="When it is due next; null if it never is, or is paused.")
    last_run_at: Moment | None
    last_success_at: Moment | None
    first_run_at: Moment | None
    runs: int
    consecutive_failures: int
    error_message: Text | None = Field(description="The error of the last run; null after a success.")
    timezone: Text = Field(description="Its own time zone, or that of the server.")
    runs_here: bool = Field(description="Whether its function is known here; otherwise other instances run it.")
    version: str = Field(description="Of its definition and pause: the ETag, for `If-Match`.")


class TaskPage(BaseModel):
    """A page of tasks."""

    items: list[TaskSummary]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null if this is the last one.")


class TaskModel(TaskSummary):
    """A task with its definition and its state."""

    definition: Annotated[Definition, BeforeValidator(_encodable)]
    result: Json = Field(description="What its function last returned, as JSON, or else as a short text.")
    attempt: int
    retry_at: Moment | None
    run_requested: str | None
    misfires: int
    misfired_at: Moment | None
    values_hidden: bool = Field(description="Whether arguments and results are null because this site hides them.")


Mark = Literal["moved", "merged", "repeated"]


class SlotModel(BaseModel):
    """A moment at which a task is to run."""

    at: Moment
    mark: Mark | None = Field(
        description=(
            "What a change of the clock does: it comes at the end of the time that is skipped on that date, or another "
            "one that is skipped comes together with it, or its time comes twice and counts once."
        )
    )


class PlanModel(BaseModel):
    """A schedule and what comes of it."""

    schedule: Text = Field(description="In words.")
    timezone: Text
    slots: list[SlotModel] = Field(description="The next ones, whether the task is paused or not.")


class FieldChange(BaseModel):
    """A field with two values."""

    field: str
    old: Json = None
    new: Json = None


class PreviewModel(BaseModel):
    """What a definition means, and what it would change."""

    plan: PlanModel
    before: PlanModel | None = Field(description="The plan of the task as it is; null for a new one.")
    changes: list[FieldChange] = Field(description="Of the task as it is; none for a new one.")
    version: str | None = Field(description="Of the task as it is, for `If-Match`; null for a new one.")
    not_registered: list[Text] = Field(description="The ids that it would wait for and that no task has.")
    values_hidden: bool = Field(description="Whether arguments are null because this site hides them.")


class Why(BaseModel):
    """Why a task does not run now."""

    id: Text
    why: Text = Field(description="The reason, in one sentence.")
    next_run: Moment | None


class InstanceModel(BaseModel):
    """An instance on the backend whose lease is alive."""

    owner: str
    since: Moment
    lease_until: Moment


class RunModel(BaseModel):
    """A run of a task, one attempt each."""

    task_id: Text
    run_at: Moment
    finished_at: Moment | None = Field(description="Null while it goes on.")
    status: TaskStatus
    result: Text | None = Field(description="The `repr` of the result, shortened; null if values are hidden.")
    error: Text | None
    attempt: int
    duration: float | None = Field(description="Seconds from its start to its end; null while it goes on.")
    epoch: int = Field(description="The number of the run among those of its task.")
    slot: Moment | None = Field(None, description="With a backend: the scheduled moment; null for a requested run.")
    owner: Text | None = Field(None, description="With a backend: the instance that ran it.")
    late: bool | None = Field(
        None, description="With a backend: whether its outcome came after the run had been given up."
    )


class RunPage(BaseModel):
    """Runs, the newest first."""

    items: list[RunModel]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null if this is the last one.")


class PlannedRunModel(BaseModel):
    """A run to come."""

    task_id: Text
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
