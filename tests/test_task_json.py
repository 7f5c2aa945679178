"""The JSON of a task: what it dumps, and what loads again."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.messages import missing

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


TEXT = "no function"


def work(x: int = 0) -> int:
    return x


class Speaker:
    def speak(self) -> None:
        pass


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
        assert '"func":"tests.test_task_json:work"' in Task(func=work).model_dump_json()
        assert '"func":"builtins:print"' in Task(func=print).model_dump_json()

    @pytest.mark.parametrize(
        "func",
        [
            lambda: None,
            functools.partial(work, 1),
            "x".upper,
            Speaker().speak,
        ],
    )
    def test_a_function_without_an_importable_name_dumps_and_fails_to_load(self, func: Any) -> None:
        dumped = Task(func=func).model_dump_json()
        with pytest.raises(ValidationError, match=r"func\n  Value error, func '.*' cannot be found by name: only a "):
            Task.model_validate_json(dumped)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("tests.test_task_json:gone", "module 'tests.test_task_json' has no attribute 'gone'"),
            ("no_such_module:f", "No module named 'no_such_module'"),
            (".:f", "the 'package' argument is required to perform a relative import for '.'"),
            ("tests.test_task_json:Exiting.attribute", "3"),
        ],
    )
    def test_the_error_names_a_function_that_no_longer_exists(self, name: str, reason: str) -> None:
        with pytest.raises(ValidationError) as caught:
            Task.model_validate_json(f'{{"func": "{name}"}}')
        assert f"func {name!r} cannot be found ({reason}): only a module-level function" in str(caught.value)

    def test_a_name_of_an_object_that_is_not_callable_is_refused(self) -> None:
        with pytest.raises(
            ValidationError, match=r"'tests.test_task_json:TEXT' is 'no function', which is not callable"
        ):
            Task.model_validate_json('{"func": "tests.test_task_json:TEXT"}')

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
