"""Task: fields, validation, assignment, JSON."""

import copy
import functools
import pickle
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.messages import missing

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


def work(x: int = 0) -> int:
    return x


class _ExitingMeta(type):
    @property
    def attribute(cls) -> None:
        raise SystemExit(3)


class Exiting(metaclass=_ExitingMeta):
    pass


class Maker:
    @classmethod
    def make(cls) -> str:
        return cls.__name__


class OtherMaker(Maker):
    pass


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
            "'every' field must be a dict of timedelta keywords such as {'minutes': 5}, or a timedelta, got '5m'",
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
        "10:30:00",
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
        ({"evry": {"seconds": 1}}, ": Task has no field 'evry' (did you mean 'every'?); its fields are: id, every, "),
        ({"xyz": 1}, ": Task has no field 'xyz'; its fields are: id, every, at, run_at, cron, "),
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
        task.every = timedelta(minutes=1)  # type: ignore[assignment]  # accepted, and kept as a dict
        task.status = "failed"  # type: ignore[assignment]  # accepted, and kept as a member
        assert (task.at, task.every, task.status) == ("08:00", {"seconds": 60}, TaskStatus.FAILED)

    def test_an_invalid_value_raises_and_changes_nothing(self) -> None:
        task = Task(id="a", at="07:00", func=work)
        before = task.model_dump()
        with pytest.raises(ValidationError, match=r"at field must be in HH:MM format.*got '25:00'"):
            task.at = "25:00"
        assert task.model_dump() == before

    def test_the_error_for_an_unknown_field_suggests_the_nearest_name(self) -> None:
        with pytest.raises(ValueError, match=r"Task has no field 'evry' \(did you mean 'every'\?\); its fields"):
            Task(func=work).evry = {"seconds": 1}

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


class TestJson:
    """Every task dumps to JSON, and loads again if JSON can hold its values."""

    def test_the_definition_survives_the_json_round_trip(self) -> None:
        task = Task(every={"seconds": 1}, func=work, args=(1, "x", [None]), kwargs={"a": {"b": 1.5}}, depends_on=["d"])
        assert Task.model_validate_json(task.model_dump_json()) == task

    def test_the_state_survives_the_json_round_trip(self) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(id="a", run_at=datetime(2026, 1, 1), func=work, args=(3,)))
        registry.tick()
        loaded = Task.model_validate_json(task.model_dump_json())
        assert loaded == task
        assert loaded.history == [
            {
                "run_at": task.last_run_at,
                "finished_at": task.last_success_at,
                "status": "success",
                "result": "3",
                "error": None,
                "attempt": 1,
            }
        ]

    def test_a_function_is_named_by_module_and_qualname(self) -> None:
        assert '"func":"tests.test_task:work"' in Task(func=work).model_dump_json()
        assert '"func":"builtins:print"' in Task(func=print).model_dump_json()

    @pytest.mark.parametrize(
        "func",
        [
            lambda: None,
            functools.partial(work, 1),
            "x".upper,
            TestAssignment().test_an_assignment_to_a_copy_leaves_the_original_unchanged,
        ],
    )
    def test_a_function_without_an_importable_name_dumps_and_fails_to_load(self, func: Any) -> None:
        dumped = Task(func=func).model_dump_json()
        with pytest.raises(ValidationError, match=r"func\n  Value error, func '.*' cannot be found by name: only a "):
            Task.model_validate_json(dumped)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("tests.test_task:gone", "module 'tests.test_task' has no attribute 'gone'"),
            ("no_such_module:f", "No module named 'no_such_module'"),
            (".:f", "the 'package' argument is required to perform a relative import for '.'"),
            ("tests.test_task:Exiting.attribute", "3"),
        ],
    )
    def test_the_error_names_a_function_that_no_longer_exists(self, name: str, reason: str) -> None:
        with pytest.raises(ValidationError) as caught:
            Task.model_validate_json(f'{{"func": "{name}"}}')
        assert f"func {name!r} cannot be found ({reason}): only a module-level function" in str(caught.value)

    def test_a_name_of_an_object_that_is_not_callable_is_refused(self) -> None:
        with pytest.raises(ValidationError, match=r"'tests.test_task:UNITS' is 'weeks.*', which is not callable"):
            Task.model_validate_json('{"func": "tests.test_task:UNITS"}')

    def test_a_moment_in_the_second_pass_of_a_repeated_hour_survives_the_json_round_trip(
        self, set_zone: Callable[[str], None]
    ) -> None:
        set_zone("Europe/Berlin")
        second = datetime(2026, 10, 25, 2, 20, fold=1)
        task = Task(func=work, run_at=second, start_at=second, end_at=second, retry_at=second, consumed={"a": second})
        loaded = Task.model_validate_json(task.model_dump_json())
        moments = (loaded.run_at, loaded.start_at, loaded.end_at, loaded.retry_at, (loaded.consumed or {})["a"])
        assert [to_utc(moment) for moment in moments if moment] == [datetime(2026, 10, 25, 1, 20)] * 5
        first = Task(func=work, run_at=second.replace(fold=0))
        assert '"run_at":"2026-10-25T02:20:00"' in first.model_dump_json()

    def test_a_moment_of_a_zoned_task_dumps_with_the_offset_of_that_zone(self, set_zone: Callable[[str], None]) -> None:
        set_zone("UTC")
        task = Task(func=work, run_at=datetime(2026, 10, 25, 2, 20, fold=1), timezone="Europe/Berlin")
        assert '"run_at":"2026-10-25T02:20:00+01:00"' in task.model_dump_json()

    def test_an_argument_that_json_cannot_hold_dumps_and_its_loading_error_names_it(self) -> None:
        dumped = Task(func=work, args=(1, {2}), kwargs={"x": {3}}).model_dump_json()
        assert '"args":[1,{"__not_json__":"{2}"}],"kwargs":{"x":{"__not_json__":"{3}"}}' in dumped
        with pytest.raises(ValidationError) as caught:
            Task.model_validate_json(dumped)
        first, second = [error["msg"] for error in caught.value.errors()]
        assert missing(first, "args[1]", "{2}", "JSON", "in code") == []
        assert missing(second, "kwargs['x']", "{3}", "JSON", "in code") == []

    @pytest.mark.parametrize(
        ("result", "dumped"),
        [
            ((1, [2]), "[1,[2]]"),
            ({3}, '"{3}"'),
            (float("nan"), '"nan"'),
            (b"\xff", "\"b'\\\\xff'\""),
            ({1: "a"}, "\"{1: 'a'}\""),
            ("\udc80", "\"'\\\\udc80'\""),
            (TaskStatus.FAILED, "\"<TaskStatus.FAILED: 'failed'>\""),
            ([1.5, None, True, {"a": "é"}], '[1.5,null,true,{"a":"é"}]'),
            ("x" * 3000, '"' + "x" * 3000 + '"'),
        ],
    )
    def test_a_result_that_json_cannot_hold_dumps_as_its_repr(self, result: Any, dumped: str) -> None:
        assert f'"result":{dumped},' in Task(func=work, result=result).model_dump_json()

    def test_a_result_that_contains_itself_dumps_as_its_repr(self) -> None:
        result: list[Any] = []
        result.append(result)
        assert '"result":"[[...]]",' in Task(func=work, result=result).model_dump_json()

    def test_a_result_that_is_nested_deeply_dumps_as_its_repr(self) -> None:
        result: list[Any] = []
        for _ in range(300):
            result = [result]
        assert '"result":"[[[[' in Task(func=work, result=result).model_dump_json()

    def test_an_inherited_class_method_loads_with_its_own_class(self) -> None:
        loaded = Task.model_validate_json(Task(func=OtherMaker.make).model_dump_json())
        assert loaded.func() == "OtherMaker"

    def test_an_error_with_odd_text_dumps(self) -> None:
        class Empty(Exception):  # noqa: N818  # the name says what it is
            def __len__(self) -> int:
                return 0

        assert '"error":"Empty: \\\\udc80"' in Task(func=work, error=Empty("\udc80")).model_dump_json()

    def test_a_history_with_unexpected_values_loads(self) -> None:
        history = Task.model_validate_json('{"func": "builtins:print", "history": [{"run_at": 5}]}').history
        assert history == [{"run_at": 5}]

    def test_an_error_dumps_as_text_and_loads_as_none(self) -> None:
        task = Task(func=work, error=ValueError("boom"), error_message="ValueError: boom")
        dumped = task.model_dump_json()
        assert '"error":"ValueError: boom","error_message":"ValueError: boom"' in dumped
        loaded = Task.model_validate_json(dumped)
        assert (loaded.error, loaded.error_message) == (None, "ValueError: boom")

    def test_a_history_with_unexpected_values_dumps(self) -> None:
        task = Task(func=work, history=[{"run_at": datetime(2026, 1, 1), "x": {1}}])
        assert '"history":[{"run_at":"2026-01-01T00:00:00","x":"{1}"}]' in task.model_dump_json()
