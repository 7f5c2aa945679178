"""Task: a function, its schedule, its dependencies and the outcome of its runs. It knows no registry and no clock."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from importlib import import_module
from math import inf, isfinite
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from uuid import uuid4

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    field_serializer,
)

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.functions import own_name
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields import accepted, checks, times
from est_alan_scheduler.fields.checks import moment_check, seconds_check
from est_alan_scheduler.fields.declaration import Checked, Converted, JsonType, Option, Scheduling, described, field
from est_alan_scheduler.fields.moments import in_zone, moment_for_json
from est_alan_scheduler.fields.rare import Rare, SparseModel
from est_alan_scheduler.fields.retry import Retry, check_retry
from est_alan_scheduler.fields.serialization import (
    ErrorText,
    JsonOrRepr,
    function_name,
    history_for_json,
    json_or_marked,
    marked_arguments,
)
from est_alan_scheduler.fields.status import TaskStatus as TaskStatus

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from est_alan_scheduler.fields.given import TaskFields

_LARGEST_COUNT = MOST_FAILURES = 2**31 - 1  # a column of every database holds it
_MOST_RUNS = 2**52  # every store counts on from there
RECORDED = frozenset(("first_run_at", "last_run_at", "last_success_at", "misfired_at", "retry_at"))
"""The fields that hold moments in the zone of the task."""


def _shown_by(name: str, task: "Task") -> object:
    # By name, when it is asked for: this module stands below the schedules and does not know what one means.
    return getattr(import_module("est_alan_scheduler.schedules.summary"), name)(task)


_Moment: TypeAlias = Converted[datetime | None, accepted.Moment]
_Seconds: TypeAlias = Converted[float | None, accepted.Seconds]


def _count(description: str, most: int = _LARGEST_COUNT) -> Any:
    return field(description, 0, strict=True, ge=0, le=most)


def _check_depends_on(value: object) -> list[str]:
    return checks.check_depends_on(_as_ids(value))


def _check_after(value: object) -> list[str] | None:
    return checks.check_after(_as_ids(value))


def _as_ids(value: object) -> object:
    """Return a list with the ids of the tasks in it; anything else as it is."""
    return [one.id if isinstance(one, Task) else one for one in value] if isinstance(value, list | tuple) else value


@described
class Task(SparseModel):
    """A function with exactly one of `every`, `at`, `run_at` and `cron`, and the outcome of its runs.

    Every field but `id` may be assigned at any time, from any thread: the value is validated like at construction, and
    the next tick obeys it. Editing a list or dict in place is not an assignment: assign a new one.
    `model_dump_json()` works for every task. `model_validate_json()` imports the function that `func` names: trust
    a task's JSON as you trust code. JSON has no tuples: inside `args`, `kwargs` and `result` they come back as lists.
    Raises `pydantic.ValidationError`, a `ValueError`, which names the field, the value and the allowed values; an
    assignment that contradicts the other fields raises `ValueError`.
    """

    # The registry's entry of the task, None while it is not registered. A slot, because private attributes would cost
    # every task a dict; declared as if it were one, because a type checker knows those.
    __slots__ = ("_entry",)
    if TYPE_CHECKING:
        _entry: Any = PrivateAttr()

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        json_schema_extra={"description": "A function, its schedule, and the outcome of its runs."},
    )

    if TYPE_CHECKING:

        def __init__(self, **fields: "Unpack[TaskFields]") -> None: ...

    id: Annotated[str, Checked(checks.check_id)] = field(
        "Any non-empty text; a UUID4 in hex by default.", factory=lambda: uuid4().hex
    )
    every: Annotated[
        Converted[dict[str, int] | dict[str, float] | None, accepted.Interval],
        Checked(checks.check_every),
        Option(shortest_gap=lambda fields: timedelta(**fields["every"]).total_seconds()),
    ] = field('An interval in `timedelta` keywords, `{"hours": 1, "seconds": 30}`; a `timedelta` is accepted.')
    at: Annotated[
        Converted[str | tuple[str, ...] | None, accepted.Times],
        BeforeValidator(times.check_at),  # PlainValidator would dump a tuple twice, and warn of a list
        Option(shortest_gap=lambda fields: times.shortest_gap(fields["at"], fields.get("on"))),
    ] = field('Daily at `"HH:MM"` or `"HH:MM:SS"`; a list of these is kept as a tuple in order.')
    on: Annotated[str | None, Checked(times.check_on), Scheduling(rearms=True), Rare()] = field(
        'The dates of `at`: `"mon-fri"`, `"1,15"`, `"last fri"`, `"wed 2-8"`, `"1 jan,jul"`. None: every date.'
    )
    run_at: Annotated[_Moment, BeforeValidator(moment_check("run_at")), Option()] = field(
        "Once: a `datetime` or an ISO 8601 text, naive (local, or in `timezone`) or aware."
    )
    cron: Annotated[str | None, Checked(checks.check_cron), Option(shortest_gap=checks.gap_of_cron)] = field(
        "A cron expression: five fields, six with the seconds first, or `@daily` and its variants. Extra `cron`."
    )
    after: Annotated[Converted[list[str] | None, accepted.Ids | None], Checked(_check_after), Option(), Rare()] = field(
        "Ids of other tasks: it runs as soon as each of them has succeeded anew since it last started."
    )
    manual: Annotated[bool, Option(), Rare()] = field("True: it runs by `run_now` alone.", False, strict=True)
    timezone: Annotated[
        Converted[str | None, accepted.Zone], Checked(checks.check_timezone), Scheduling(rearms=True)
    ] = field(
        'The zone of `at`, `cron` and naive moments: `"Asia/Seoul"`, `"+08:00"` or a `tzinfo`; None: this machine\'s.'
    )
    start_at: Annotated[_Moment, BeforeValidator(moment_check("start_at")), Scheduling(rearms=True)] = field(
        "No slot before it; for `every`, the first slot."
    )
    end_at: Annotated[_Moment, BeforeValidator(moment_check("end_at")), Scheduling()] = field("No slot after it.")
    exclude: Annotated[
        Converted[tuple[date, ...], accepted.Dates], BeforeValidator(checks.check_exclude), Scheduling()
    ] = field("Local dates on which `every`, `at` and `cron` have no slots.", ())
    jitter: Annotated[_Seconds, Checked(seconds_check("jitter")), Scheduling()] = field(
        "Seconds of delay of a slot at most: the same delay for a task and slot in every process."
    )
    misfire_grace: Annotated[_Seconds, Checked(seconds_check("misfire_grace")), Scheduling()] = field(
        "Seconds: a slot that is later than that is skipped. None: one run makes up for all missed slots."
    )
    run_immediately: Annotated[bool, Scheduling(), Rare()] = field(
        "False: no run for what was before its registration; `every` begins one interval later.", True, strict=True
    )
    func: Annotated[
        Callable[..., Any],
        Checked(checks.check_func, json=str),
        PlainSerializer(function_name, str, when_used="json"),
        Field(description="The function. It gets `args`, `kwargs`, and as `dep_<id>` the result of each dependency."),
    ]
    args: Annotated[
        Converted[tuple[Any, ...], accepted.Arguments],
        Checked(checks.check_args),
        PlainSerializer(lambda args: [json_or_marked(value) for value in args], when_used="json"),
    ] = field("The positional arguments of the function.", ())
    kwargs: Annotated[
        Converted[dict[str, Any], Mapping[str, Any]],
        Checked(checks.check_kwargs),
        PlainSerializer(lambda kwargs: {k: json_or_marked(v) for k, v in list(kwargs.items())}, when_used="json"),
    ] = field("The keyword arguments of the function.", factory=dict)
    depends_on: Annotated[Converted[list[str], accepted.Ids], Checked(_check_depends_on)] = field(
        "Ids of the tasks that must have succeeded at least once; a `Task` in the list becomes its id.",
        factory=list,
    )
    depends_on_mode: Annotated[
        Literal["ever", "fresh"], Checked(checks.choice_check("depends_on_mode", ("ever", "fresh")))
    ] = field('`"fresh"`: each of them must have succeeded anew since this task used its result.', "ever")
    consumed: Annotated[
        Converted[dict[str, datetime] | None, accepted.Moments], BeforeValidator(checks.check_consumed)
    ] = field("The success of each dependency whose result the last run has taken: its `last_success_at`, by id.")
    timeout: Annotated[_Seconds, Checked(seconds_check("timeout"))] = field(
        "Seconds that a call may take; a longer one is FAILED with `TimeoutError`."
    )
    retry: Annotated[
        Converted[Retry | None, accepted.Retries], BeforeValidator(check_retry), JsonType(int | Retry | None)
    ] = field("Retries of a failed run; a number is `max_retries`. None: it is not tried again before the next slot.")
    retry_at: Annotated[_Moment, BeforeValidator(moment_check("retry_at"))] = field(
        "When the last run, which failed, is tried again; None if it is not. An earlier slot replaces the retry."
    )
    attempt: int = _count(
        "The attempt number of the latest or present run: 1 for a slot, more for a retry, 0 before the first run."
    )
    runs: int = _count("Runs begun so far. The retries of a run belong to it, and are not counted.", _MOST_RUNS)
    paused: bool = field(
        "True: no slot and no retry is due. Afterwards, one run makes up for all missed slots.", False, strict=True
    )
    run_requested: Annotated[
        Literal["ready", "force"] | None,
        Checked(checks.choice_check("run_requested", (None, "ready", "force"))),
    ] = field('Due once, whatever the schedule says: `"ready"` as soon as the dependencies are, `"force"` at once.')
    misfires: int = _count("How often slots were skipped because they were later than `misfire_grace`.")
    misfired_at: Annotated[_Moment, BeforeValidator(moment_check("misfired_at"))] = field(
        "The latest slot that was skipped."
    )
    status: Converted[TaskStatus, accepted.Status] = field(
        "The state: before the first run, during a run, after a success, after a failure.", TaskStatus.PENDING
    )
    last_success_at: Annotated[_Moment, BeforeValidator(moment_check("last_success_at"))] = field(
        "When the last successful run ended; naive local time, or aware if the task has a `timezone`."
    )
    last_run_at: Annotated[_Moment, BeforeValidator(moment_check("last_run_at"))] = field(
        "When the last run started. Set by hand, it re-phases `every`: the next run comes one interval later."
    )
    result: Annotated[Any, JsonOrRepr] = field("The last return value of `func`; a failure does not change it.")
    error: Annotated[BaseException | None, Checked(checks.check_error, json=str | None), ErrorText] = field(
        "The exception of the last run; None after a success."
    )
    error_message: str | None = field('The error as text, `"ValueError: boom"`.')
    history: Annotated[
        list[dict[str, Any]], BeforeValidator(checks.check_history), PlainSerializer(history_for_json, when_used="json")
    ] = field("One dict a run, oldest first; its `result` is a `repr`, its `error` the message.", factory=list)
    history_limit: int = field("How many runs `history` keeps; the oldest are dropped.", 100, strict=True, ge=0)
    first_run_at: Annotated[_Moment, BeforeValidator(moment_check("first_run_at"))] = field(
        "The first run: the origin of the grid of `every`. Assigning `last_run_at` moves it there."
    )
    consecutive_failures: Annotated[int, Rare()] = _count(
        "Failures since the last success; each attempt counts, as in `history`."
    )
    run_arguments: Annotated[
        Converted[dict[str, Any] | None, Mapping[str, Any] | None],
        Checked(checks.check_run_arguments),
        PlainSerializer(lambda given: given and marked_arguments(given), when_used="json"),
        Rare(),
    ] = field('`{"args": […], "kwargs": {…}}`: those of the run that was requested last, and of its retries.')
    name: Annotated[
        Converted[str, str | None],
        Checked(checks.check_name, json=str | None),
        Rare(derive=lambda task: own_name(task.func)),
    ] = field("What people call it: in the log, in answers, in tables. By default the name of its function.")
    description: Annotated[str | None, Checked(checks.check_description), Rare()] = field("What it is for, in words.")
    tags: Annotated[Converted[tuple[str, ...], accepted.Tags], BeforeValidator(checks.check_tags), Rare()] = field(
        "Words by which tasks are selected, in the order given.", ()
    )
    max_runs: Annotated[int | None, Scheduling(), Rare()] = field(
        "How many runs there are in all: after the last one no slot is due. Retries belong to their run.",
        strict=True,
        ge=1,
        le=_LARGEST_COUNT,
    )
    remove_when_done: Annotated[bool, Rare()] = field(
        "True: a task that never runs again leaves the registry, once its last outcome is published.",
        False,
        strict=True,
    )

    def __new__(cls, *values: Any, **_fields: Any) -> "Task":
        """Make a task that belongs to no registry."""
        if values:
            cls._refuse_positions("id='fetch', func=fetch, every={'minutes': 5}")
        # Here, not in __init__: copies and unpickled tasks are made without it, and an unset slot is slow to miss.
        task = super().__new__(cls)
        _set_slot(task, "_entry", None)
        return task

    # Without types of what they return, which would stand in the JSON schema in place of those of the fields.
    @field_serializer("run_at", "start_at", "end_at", *sorted(RECORDED), when_used="json")
    def _dump_own_moment(self, moment: datetime | None):  # type: ignore[no-untyped-def]
        return moment_for_json(moment, self.timezone)

    @field_serializer("consumed", when_used="json")
    def _dump_consumed(self, consumed: dict[str, datetime] | None):  # type: ignore[no-untyped-def]
        return consumed and {task_id: moment_for_json(moment, None) for task_id, moment in consumed.items()}

    def model_post_init(self, _context: Any) -> None:
        """Check and convert fields that depend on each other."""
        self._check_together()
        self._pack()
        self.keep_moments(RECORDED & self.__pydantic_fields_set__)

    def keep_moments(self, names: Iterable[str]) -> None:
        """Convert recorded moments to the zone of the task."""
        fields = self.__dict__
        fields.update({name: in_zone(fields[name], fields["timezone"]) for name in names})

    def _assign(self, name: str, value: Any) -> None:
        if name in Task.__slots__:
            _set_slot(self, name, value)
            return
        if name not in type(self).model_fields:
            if not name.startswith("_") and not hasattr(type(self), name):
                self._check_names((name,))
            super().__setattr__(name, value)
            return
        self._store(self._validated({name: value}))

    if not TYPE_CHECKING:  # with it, a type checker takes an assignment of any name
        __setattr__ = _assign

    def __repr__(self) -> str:
        return str(_shown_by("summary", self))

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return str(_shown_by("summary_html", self))

    def __copy__(self) -> "Task":
        """Copy the containers, too: each copy has a history of its own."""
        copy = super().__copy__()
        fields = copy.__dict__  # not its own ones, to which another thread may assign meanwhile
        for name in ("kwargs", "depends_on", "history", "after"):
            if fields.get(name) is not None:
                fields[name] = fields[name].copy()
        return copy

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name!r} of a task cannot be deleted: assign a value, None if the field is optional")

    def _validated(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values to keep for these fields, checked together, without a change of the task."""
        # On a copy: pydantic swaps the whole __dict__ at the end, which would undo what another thread wrote meanwhile.
        copy = self.model_copy()
        self._check_names(changes)
        for name, value in changes.items():
            if name == "id":
                raise InvalidValueError(
                    f"the id of a task cannot be changed (it is {self.id!r}): register a new task instead"
                )
            self.__pydantic_validator__.validate_assignment(copy, name, value)
        if not SCHEDULING.isdisjoint(changes):
            copy._check_together()
        fields = copy.__dict__
        zone = fields["timezone"]
        return {name: in_zone(fields[name], zone) if name in RECORDED else fields[name] for name in changes}

    def _check_together(self) -> None:
        fields = self.__dict__
        jitter, start, end = fields["jitter"], fields["start_at"], fields["end_at"]
        if jitter is not None:
            gaps = (option.shortest_gap(fields) for name, option in OPTIONS.items() if fields.get(name))
            gap = next(filter(isfinite, gaps), inf)  # while several options stand, the task is not due
            if jitter >= gap:
                raise InvalidValueError(f"jitter must be less than the {gap:g} s between slots, got {jitter:g}")
        if start is not None and end is not None:
            is_comparable = (start.tzinfo is None) == (end.tzinfo is None)
            if is_comparable and end < start:
                raise InvalidValueError(f"end_at must not lie before start_at, got {end} and {start}")
        if fields.get("on") is not None and fields["at"] is None:
            raise InvalidValueError(
                f"on={fields['on']!r} names the dates of at, which is not set: give a time, at='09:00', or on=None"
            )

    def _store(self, values: dict[str, Any]) -> dict[str, Any]:
        """Write valid values in one step; return those that they replace, for the caller to free."""
        fields = self.__dict__
        self.__pydantic_fields_set__.update(values)
        if "last_run_at" in values:
            values = {"first_run_at": values["last_run_at"], **values}
        if values.get("run_requested", "") is None and fields["run_requested"] is not None:  # a request is taken back
            values = {"run_arguments": None, **values}
        if "timezone" in values:  # together, because the registry reads them together
            moments = {name: values.get(name, fields[name]) for name in RECORDED}
            values = values | {name: in_zone(moment, values["timezone"]) for name, moment in moments.items()}
        replaced = {name: fields.get(name, self.rare_defaults.get(name)) for name in values}
        entry = self._entry
        if entry is None:
            fields.update(values)
            self._leave_out(fields, values)
            return replaced
        is_scheduling = not SCHEDULING.isdisjoint(values)
        if is_scheduling:
            entry.forget_schedule(False)  # also before: a Ctrl+C may come between
        if "last_run_at" in values:
            entry.forget_runs()
        if "misfired_at" in values:
            entry.note_misfire()
        fields.update(values)
        self._leave_out(fields, values)
        if is_scheduling:
            entry.forget_schedule(not ARMING.isdisjoint(values))
        entry.changed()  # last: the registry finds the new value
        return replaced


def id_of(task: object, or_else: str = "") -> str:
    """Return the id that is meant by a task or a text; `TypeError` for anything else, `or_else` also being allowed."""
    if isinstance(task, Task):
        return task.id
    if not isinstance(task, str):
        raise InvalidTypeError(f"task_id must be a Task, or its id as a text{or_else}, got {short_repr(task)}")
    return task


_set_slot = object.__setattr__
_marks = {
    name: mark for name, field in Task.model_fields.items() for mark in field.metadata if isinstance(mark, Scheduling)
}
SCHEDULING = frozenset(_marks)
"""The fields that make up the schedule."""
ARMING = frozenset(name for name, mark in _marks.items() if mark.rearms)
"""Those of them that rearm: their assignment makes the slots of a task that has never run count from then on."""
OPTIONS = {name: mark for name, mark in _marks.items() if isinstance(mark, Option)}
"""The schedule options, of which a task has exactly one."""
OPTION_NAMES = " / ".join(OPTIONS)
