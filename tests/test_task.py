"""The task: its fields, their validation and assignment."""

import copy
import pickle
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.messages import missing

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


def work(x: int = 0) -> int:
    return x


def message_of(**fields: Any) -> str:
    """Return the message of the one validation error of these fields."""
    with pytest.raises(ValidationError) as caught:
        Task(**{"func": work, **fields})
    (error,) = caught.value.errors()
    return ".".join(map(str, error["loc"])) + ": " + error["msg"].removeprefix("Value error, ")


def test_defaults() -> None:
    task = Task(func=work)
    assert uuid.UUID(task.id).version == 4
    assert task.id == uuid.UUID(task.id).hex
    assert task.model_dump(exclude={"id"}) == {
        "every": None,
        "at": None,
        "run_at": None,
        "func": work,
        "args": (),
        "kwargs": {},
        "depends_on": [],
        "depends_on_mode": "ever",
        "consumed": None,
        "timeout": None,
        "retry": None,
        "retry_at": None,
        "attempt": 0,
        "paused": False,
        "run_requested": None,
        "cron": None,
        "after": None,
        "manual": False,
        "run_immediately": True,
        "timezone": None,
        "start_at": None,
        "end_at": None,
        "exclude": (),
        "jitter": None,
        "misfire_grace": None,
        "misfires": 0,
        "misfired_at": None,
        "status": TaskStatus.PENDING,
        "last_success_at": None,
        "last_run_at": None,
        "result": None,
        "error": None,
        "error_message": None,
        "history": [],
        "history_limit": 100,
        "first_run_at": None,
        "name": None,
        "description": None,
        "tags": (),
        "on": None,
        "runs": 0,
        "consecutive_failures": 0,
        "max_runs": None,
        "remove_when_done": False,
        "run_arguments": None,
    }


def test_defaults_are_never_shared() -> None:
    one, other = Task(func=work), Task(func=work)
    one.kwargs["x"] = 1
    one.depends_on.append("a")
    one.history.append({})
    assert (other.kwargs, other.depends_on, other.history) == ({}, [], [])


def test_a_task_copies_the_given_dicts_and_lists() -> None:
    every, kwargs, depends_on = {"seconds": 1}, {"x": 1}, ["a"]
    task = Task(every=every, func=work, kwargs=kwargs, depends_on=depends_on)
    every["seconds"], kwargs["x"] = 2, 2
    depends_on.append("b")
    assert (task.every, task.kwargs, task.depends_on) == ({"seconds": 1}, {"x": 1}, ["a"])


def test_a_status_is_a_string() -> None:
    assert f"{TaskStatus.FAILED} {TaskStatus.FAILED!s}" == "failed failed"
    assert [status.value for status in TaskStatus] == ["pending", "running", "success", "failed"]
    assert TaskStatus("failed") == "failed"


@pytest.mark.parametrize(
    "every",
    [
        {"seconds": 10},
        {"hours": 1, "seconds": 30},
        {"milliseconds": 100},
        {"weeks": 1, "days": 1, "microseconds": 1},
        {"seconds": 0.5},
        {"hours": 1, "minutes": -5},
    ],
)
def test_every_is_kept_as_given(every: dict[str, float]) -> None:
    assert Task(every=every, func=work).every == every


@pytest.mark.parametrize(
    ("every", "kept"),
    [
        (timedelta(minutes=5), {"seconds": 300}),
        (timedelta(days=2, microseconds=7), {"days": 2, "microseconds": 7}),
    ],
)
def test_every_takes_a_timedelta(every: Any, kept: dict[str, int]) -> None:
    assert Task(every=every, func=work).every == kept


UNITS = "weeks, days, hours, minutes, seconds, milliseconds, microseconds"


@pytest.mark.parametrize(
    ("every", "message"),
    [
        (
            {"minutesss": 5},
            f"Invalid key 'minutesss' in 'every' field (did you mean 'minutes'?); allowed: {UNITS}",
        ),
        ({"x": 5}, f"Invalid key 'x' in 'every' field; allowed: {UNITS}"),
        ({5: 5}, f"Invalid key 5 in 'every' field; allowed: {UNITS}"),
        ({}, "'every' field cannot be an empty dictionary: name a unit, such as {'minutes': 5}"),
        ({"seconds": 0}, "'every' field must come to at least a microsecond in total, got {'seconds': 0}"),
        ({"seconds": -1}, "'every' field must come to at least a microsecond in total, got {'seconds': -1}"),
        ({"seconds": 1e-7}, "'every' field must come to at least a microsecond in total, got {'seconds': 1e-07}"),
        (timedelta(0), "'every' field must come to at least a microsecond in total, got {'seconds': 0}"),
        ({"seconds": float("nan")}, "'every' field needs a finite number of seconds, got nan"),
        ({"seconds": float("inf")}, "'every' field needs a finite number of seconds, got inf"),
        ({"seconds": True}, "'every' field needs a finite number of seconds, got True"),
        ({"seconds": "5"}, "'every' field needs a finite number of seconds, got '5'"),
        ({"seconds": None}, "'every' field needs a finite number of seconds, got None"),
        ({"days": 1e12}, "'every' field is too long: {'days': 1000000000000.0}; at most 999999999 days"),
        ({"days": 10**400}, f"'every' field is too long: {{'days': {10**400}}}; at most 999999999 days"),
        (
            "5m",
            "'every' field must be a dict of timedelta keywords such as {'minutes': 5}, or a timedelta, got '5m': "
            "write every={'minutes': 5}",
        ),
    ],
)
def test_an_invalid_every_is_refused(every: Any, message: str) -> None:
    assert message_of(every=every) == f"every: {message}"


@pytest.mark.parametrize("at", ["00:00", "07:05", "14:30", "23:59"])
def test_at_is_kept(at: str) -> None:
    assert Task(at=at, func=work).at == at


@pytest.mark.parametrize(
    "at",
    [
        "25:00",
        "24:00",
        "12:60",
        "7:5",
        "10:30:0",
        "10:30:60",
        "10-30",
        "07:00\n",
        " 07:00",
        "\u0660\u0667:\u0660\u0660",
        "",
        730,
        7.5,
        b"07:00",
    ],
)
def test_an_invalid_at_is_refused(at: Any) -> None:
    assert missing(message_of(at=at), "at: ", "HH:MM", "00:00 to 23:59", "'07:30'", f"got {at!r}") == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(2026, 1, 2, 3, 4), datetime(2026, 1, 2, 3, 4)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02 03:04", datetime(2026, 1, 2, 3, 4)),
        ("2026-01-02", datetime(2026, 1, 2)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+09:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=9)))),
    ],
)
def test_run_at_takes_a_datetime_or_iso_8601(given: Any, kept: datetime) -> None:
    run_at = Task(run_at=given, func=work).run_at
    assert run_at is not None
    assert (run_at, run_at.utcoffset()) == (kept, kept.utcoffset())


@pytest.mark.parametrize(
    "run_at", [0, 1700000000, 1.5, True, "1700000000", "12:30", "soon", datetime(2026, 1, 1).date()]
)
def test_an_ambiguous_run_at_is_refused(run_at: Any) -> None:
    parts = ["run_at: ", "datetime", "ISO 8601", "'2026-11-23T14:30:00'", "'2026-11-23T05:30:00Z'", f"got {run_at!r}"]
    assert missing(message_of(run_at=run_at), *parts) == []


def test_a_run_at_that_does_not_exist_is_refused() -> None:
    assert message_of(run_at="2026-13-01").startswith("run_at: Input should be a valid datetime")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"func": 5}, "func: func must be callable, got 5; a name is only loaded by model_validate_json"),
        ({"attempt": 2**31}, "attempt: Input should be less than or equal to 2147483647"),
        ({"func": "os:getcwd"}, "func: func must be callable, got 'os:getcwd'; a name is only loaded by "),
        ({"args": "ab"}, "args: args must be a tuple or list of positional arguments, got 'ab'"),
        ({"args": {1}}, "args: args must be a tuple or list of positional arguments, got {1}"),
        ({"kwargs": [1]}, "kwargs: kwargs must be a dict with text keys, got [1]"),
        ({"kwargs": {1: 2}}, "kwargs: kwargs must be a dict with text keys, got {1: 2}"),
        ({"depends_on": "abc"}, "depends_on: depends_on must be a list of task ids such as ['extract']"),
        ({"depends_on": [1]}, "depends_on: depends_on must be a list of task ids such as ['extract']"),
        ({"depends_on": [""]}, "depends_on: depends_on must be a list of task ids such as ['extract']"),
        ({"id": ""}, "id: id must be a non-empty text, got ''"),
        ({"id": 5}, "id: id must be a non-empty text, got 5"),
        ({"status": "done"}, "status: Input should be 'pending'"),
        ({"error": "boom"}, "error: error must be an exception or None, got 'boom'"),
        ({"history_limit": -1}, "history_limit: Input should be greater than or equal to 0"),
        ({"history_limit": True}, "history_limit: Input should be a valid integer"),
        ({"history": "x"}, "history: Input should be a valid list"),
        ({"evry": {"seconds": 1}}, ": Task has no field 'evry' (did you mean 'every'?)"),
        ({"xyz": 1}, ": Task has no field 'xyz'; its fields are: id, every, at, on, run_at, cron, "),
    ],
)
def test_invalid_values_of_other_fields_are_refused(fields: dict[str, Any], message: str) -> None:
    assert message_of(**fields).startswith(message)


def test_func_is_required() -> None:
    with pytest.raises(ValidationError, match="func\n  Field required"):
        Task(every={"seconds": 1})  # type: ignore[call-arg]  # the missing argument is the test


def test_an_aware_last_run_is_kept_as_naive_local_time(set_zone: Any) -> None:
    set_zone("Asia/Seoul")
    task = Task(func=work, last_run_at=datetime(2026, 1, 1, 0, 0, tzinfo=UTC))
    assert task.last_run_at == datetime(2026, 1, 1, 9, 0)


class TestAssignment:
    """An assignment is validated like construction."""

    def test_a_valid_value_is_kept(self) -> None:
        task = Task(at="07:00", func=work)
        task.at = "08:00"
        task.every = timedelta(minutes=1)  # kept as a dict
        task.status = "failed"  # kept as a member
        assert (task.at, task.every, task.status) == ("08:00", {"seconds": 60}, TaskStatus.FAILED)

    def test_an_invalid_value_raises_and_changes_nothing(self) -> None:
        task = Task(id="a", at="07:00", func=work)
        before = task.model_dump()
        with pytest.raises(ValidationError, match=r"at field must be in HH:MM format.*got '25:00'"):
            task.at = "25:00"
        assert task.model_dump() == before

    def test_the_error_for_an_unknown_field_suggests_the_nearest_name(self) -> None:
        with pytest.raises(ValueError, match=r"Task has no field 'evry' \(did you mean 'every'\?\)$"):
            Task(func=work).evry = {"seconds": 1}  # type: ignore[attr-defined]  # it has no such field

    def test_the_id_cannot_be_changed(self) -> None:
        task = Task(id="a", func=work)
        with pytest.raises(ValueError, match=r"the id of a task cannot be changed \(it is 'a'\): register a new task"):
            task.id = "b"
        assert task.id == "a"

    def test_a_field_cannot_be_deleted(self) -> None:
        with pytest.raises(AttributeError, match="'at' of a task cannot be deleted: assign a value, None if"):
            del Task(func=work).at

    def test_assigning_last_run_at_moves_the_origin_of_the_grid(self) -> None:
        task = Task(func=work, first_run_at=datetime(2026, 1, 1))
        task.last_run_at = datetime(2026, 1, 2)
        assert task.first_run_at == datetime(2026, 1, 2)
        task.last_run_at = None
        assert task.first_run_at is None

    def test_a_model_copy_has_its_own_history_and_arguments(self) -> None:
        task = Task(func=work, history=[{"x": 1}], kwargs={"x": 1})
        sibling = task.model_copy(update={"id": "b"})
        sibling.history.append({})
        sibling.kwargs["y"] = 2
        assert (task.history, task.kwargs) == ([{"x": 1}], {"x": 1})

    def test_a_subclass_keeps_its_own_attributes(self) -> None:
        class Named(Task):
            label: str = ""
            _note: str = ""

            @property
            def note(self) -> str:
                return self._note

            @note.setter
            def note(self, value: str) -> None:
                self._note = value

        task = Named(func=work, label="x")
        task.label, task.note = "y", "z"
        assert (task.label, task.note) == ("y", "z")

    def test_an_assignment_to_a_copy_leaves_the_original_unchanged(self) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(at="07:00", func=work, history=[{"x": 1}]))
        for other in (copy.copy(task), copy.deepcopy(task), task.model_copy(), pickle.loads(pickle.dumps(task))):
            assert other == task
            other.at = None
            assert task.at == "07:00"


def test_fields_without_names_say_what_to_write() -> None:
    expected = r"^the fields of a Task are given by name: Task\(id='fetch', func=fetch, every=\{'minutes': 5\}\)$"
    with pytest.raises(TypeError, match=expected):
        Task("a", print)  # type: ignore[call-arg, arg-type]  # the slip is the test


def test_a_derived_class_may_have_a_constructor_of_its_own() -> None:
    class Daily(Task):
        def __init__(self, task_id: str, func: Any) -> None:
            super().__init__(id=task_id, func=func, at="07:00")

    class Other(Daily): ...

    other: Any = Other
    assert (Daily("a", print).id, other("b", print).at) == ("a", "07:00")
