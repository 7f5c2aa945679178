"""Definitions of tasks in JSON: the fields of `Task`, with functions by known names alone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.cluster.codecs.definitions import DEFINING
from est_alan_scheduler.web.api.definitions import Draft, NewTask, TaskChange, definition_of
from est_alan_scheduler.web.api.models import DEFINITION, TaskModel
from tests import jobs

DEFINED = {name for name in Task.model_fields if name in DEFINING}
"""So a new field of `Task` that defines a task appears by itself."""


def properties(model: Any) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema()
    assert schema["additionalProperties"] is False
    found: dict[str, Any] = schema["properties"]
    return found


@pytest.mark.parametrize(
    ("model", "others"), [(NewTask, {"id", "paused"}), (TaskChange, {"paused"}), (Draft, {"id", "paused"})]
)
def test_a_body_takes_the_fields_that_define_a_task(model: Any, others: set[str]) -> None:
    assert properties(model).keys() == DEFINED | others


def test_a_field_is_described_as_that_of_a_task_is() -> None:
    own = Task.model_json_schema()["properties"]
    for name, shown in properties(NewTask).items():
        if name != "func":
            same = ("type", "anyOf", "items", "enum", "minimum", "description", "additionalProperties")
            assert {key: shown.get(key) for key in same} == {key: own[name].get(key) for key in same}
            assert name in ("id", "kwargs", "depends_on") or shown["default"] == own[name]["default"]
    assert NewTask.model_json_schema()["required"] == ["func"]
    assert not any("default" in shown for shown in properties(TaskChange).values())


def test_an_answer_has_the_fields_that_define_a_task() -> None:
    schema = TaskModel.model_json_schema(mode="serialization")
    assert schema["properties"]["definition"]["$ref"] == "#/$defs/TaskDefinition"
    definition = schema["$defs"]["TaskDefinition"]
    assert definition["properties"].keys() == set(definition["required"]) == DEFINED
    shown = definition_of(TaskRegistry(), Task(id="a", func=jobs.boom, manual=True))
    assert list(shown) == list(DEFINITION)
    assert set(shown) == DEFINED


@pytest.mark.parametrize("timezone", [None, "Europe/Berlin"])
@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2027-03-28T02:30", "2027-03-28T03:00:00+02:00"),
        ("2027-03-28T01:30", "2027-03-28T01:30:00+01:00"),
        ("2027-10-31T02:30", "2027-10-31T02:30:00+02:00"),
        ("2027-10-31T02:30+01:00", "2027-10-31T02:30:00+01:00"),
    ],
)
def test_moments_are_those_at_which_they_take_effect(
    moment: str, shown: str, timezone: str | None, set_zone: Callable[[str], None]
) -> None:
    set_zone("UTC" if timezone else "Europe/Berlin")
    at = datetime.fromisoformat(moment)
    task = Task(id="a", func=jobs.boom, run_at=at, timezone=timezone)
    assert definition_of(TaskRegistry(), task)["run_at"] == shown
    task = Task(id="a", func=jobs.boom, every={"hours": 1}, start_at=at, timezone=timezone)
    assert definition_of(TaskRegistry(), task)["start_at"] == shown


def test_state_is_not_among_them() -> None:
    state = {"status", "runs", "result", "error", "history", "last_run_at", "run_requested", "run_arguments", "attempt"}
    assert not state & DEFINED
