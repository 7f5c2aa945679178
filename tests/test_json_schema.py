"""The JSON schema of a task and of what a registry answers."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

import pytest
from pydantic import TypeAdapter

from est_alan_scheduler import EVENTS, Event, Instance, PlannedRun, Retry, Statistics, Task
from tests import jobs
from tests.frozen import START

pytestmark = pytest.mark.pydantic

MOMENT = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
FIELDS: dict[str, dict[str, Any]] = {
    "id": {"type": "string"},
    "every": {
        "anyOf": [
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "object", "additionalProperties": {"type": "number"}},
            {"type": "null"},
        ]
    },
    "run_at": MOMENT,
    "last_run_at": MOMENT,
    "exclude": {"type": "array", "items": {"type": "string", "format": "date"}},
    "timeout": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    "func": {"type": "string"},
    "args": {"type": "array", "items": {}},
    "depends_on": {"type": "array", "items": {"type": "string"}},
    "depends_on_mode": {"type": "string", "enum": ["ever", "fresh"]},
    "error": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "tags": {"type": "array", "items": {"type": "string"}},
}
Mode = Literal["validation", "serialization"]
MODES: tuple[Mode, ...] = ("validation", "serialization")


def bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("title", "description", "default")}


@pytest.mark.parametrize("mode", MODES)
class TestSchema:
    def test_it_has_every_field_with_its_description(self, mode: Mode) -> None:
        properties = Task.model_json_schema(mode=mode)["properties"]
        assert {name: schema.get("description") for name, schema in properties.items()} == {
            name: field.description for name, field in Task.model_fields.items()
        }

    def test_it_says_what_json_holds(self, mode: Mode) -> None:
        properties = Task.model_json_schema(mode=mode)["properties"]
        assert {name: bare(properties[name]) for name in FIELDS} == FIELDS
        untyped = [name for name, schema in properties.items() if not {"type", "anyOf", "allOf", "$ref"} & set(schema)]
        assert untyped == ["result"]

    def test_a_retry_may_be_given_as_a_number(self, mode: Mode) -> None:
        schema = Task.model_json_schema(mode=mode)
        kinds = [{"type": "integer"}] if mode == "validation" else []
        assert bare(schema["properties"]["retry"]) == {
            "anyOf": [*kinds, {"$ref": "#/$defs/Retry"}, {"type": "null"}],
        }
        on = bare(schema["$defs"]["Retry"]["properties"]["on"])
        assert on == {"type": "array", "items": {"type": "string"}}

    @pytest.mark.parametrize("answer", [Event, PlannedRun, Instance, Statistics])
    def test_an_answer_of_a_registry_is_an_object(self, mode: Mode, answer: Any) -> None:
        schema = TypeAdapter(answer).json_schema(mode=mode)
        assert (schema["type"], list(schema["properties"])) == ("object", list(answer.__dataclass_fields__))


def test_a_json_that_fits_the_schema_is_taken() -> None:
    task = Task.model_validate_json('{"every": {"minutes": 5}, "func": "tests.jobs:add", "retry": 3, "at": null}')
    assert (task.func, task.retry) == (jobs.add, Retry(max_retries=3))


def test_an_event_is_an_object_with_its_error_as_text() -> None:
    event = Event("failed", "a", START, 1, result=object, error=ValueError("boom"), error_message="ValueError: boom")
    dumped = TypeAdapter(Event).dump_python(event, mode="json")
    assert dumped["error"] == "ValueError: boom"
    assert dumped["result"] == "<class 'object'>"
    assert (dumped["name"], dumped["slot"], dumped["retry_at"]) == ("failed", START.isoformat(), None)


def test_every_name_of_an_event_is_in_its_schema() -> None:
    assert TypeAdapter(Event).json_schema()["properties"]["name"]["enum"] == list(EVENTS)


def test_a_planned_run_is_an_object_that_unpacks() -> None:
    run = PlannedRun(START, "a")
    at, task_id = run
    assert (at, task_id, asdict(run)) == (START, "a", {"at": START, "task_id": "a"})
    assert sorted([PlannedRun(START, "b"), run]) == [run, PlannedRun(START, "b")]


def test_a_moment_of_the_plan_in_a_zone_keeps_its_offset() -> None:
    run = PlannedRun(datetime.fromisoformat("2026-06-01T12:00:00+09:00"), "a")
    assert TypeAdapter(PlannedRun).dump_python(run, mode="json")["at"] == "2026-06-01T12:00:00+09:00"
