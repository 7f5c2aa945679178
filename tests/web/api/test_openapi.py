"""The OpenAPI document: it is valid, and it tells all that the table of endpoints has."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from est_alan_scheduler import TaskRegistry, TaskStatus, __version__
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.api.endpoint import Endpoint, Input
from est_alan_scheduler.web.api.openapi import document, problem_statuses
from est_alan_scheduler.web.api.routes import ENDPOINTS
from tests.web.client import Client


class Colour(BaseModel):
    name: str
    status: TaskStatus


class ColourQuery(Input):
    status: TaskStatus | None = Field(None, description="Only those.")
    shade: Annotated[str, Field(min_length=1)] | None = None
    limit: int = 7


class NewColour(BaseModel):
    name: str


def colours(_call: object) -> None:
    """Do nothing."""


LIST = Endpoint("GET", "/colours", colours, "Colours.", list[Colour], query=ColourQuery)
CHANGE = Endpoint(
    "PATCH",
    "/colours/{id}",
    colours,
    "Change one.",
    Colour,
    role=Role.MANAGE,
    body=NewColour,
    problems=(409, 412, 428),
    headers=("ETag",),
)
REMOVE = Endpoint("DELETE", "/colours/{id}", colours, "Remove one.", None, role=Role.MANAGE, status=204)
PUBLIC = Endpoint("GET", "/state", colours, "How it is.", Colour, role=None, also=(503,))
STREAM = Endpoint("GET", "/stream", colours, "What comes.", str, media_type="text/event-stream")


def test_the_document_of_all_endpoints_is_valid() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.OpenAPIV31SpecValidator(document(ENDPOINTS)).validate()
    validator.OpenAPIV31SpecValidator(document([LIST, CHANGE, REMOVE, PUBLIC, STREAM])).validate()


def test_the_application_gives_the_document_of_all_its_endpoints() -> None:
    found = Client(TaskRegistry(), Role.READ).get("/openapi.json")
    assert found == document(ENDPOINTS)
    assert (found["openapi"], found["info"]["version"], found["servers"]) == ("3.1.0", __version__, [{"url": "."}])
    operations = {(path, method) for path, methods in found["paths"].items() for method in methods}
    assert operations == {(endpoint.path, endpoint.method.lower()) for endpoint in ENDPOINTS}


def test_the_ids_of_operations_are_unique() -> None:
    paths = document(ENDPOINTS)["paths"]
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(ids)) == len(ids) == len(ENDPOINTS)


def test_a_query_becomes_parameters_which_are_never_null() -> None:
    found = document([LIST])
    assert found["paths"]["/colours"]["get"]["parameters"] == [
        {
            "name": "status",
            "in": "query",
            "schema": {"$ref": "#/components/schemas/TaskStatus"},
            "description": "Only those.",
        },
        {"name": "shade", "in": "query", "schema": {"type": "string", "minLength": 1}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 7}},
    ]
    assert found["components"]["schemas"].keys() == {"Colour", "TaskStatus", "ProblemDocument", "FieldProblem"}


def test_an_operation_has_its_body_its_answer_its_headers_and_its_problems() -> None:
    operation = document([CHANGE])["paths"]["/colours/{id}"]["patch"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    assert [(one["name"], one["in"], one["required"]) for one in operation["parameters"]] == [
        ("id", "path", True),
        ("If-Match", "header", True),
    ]
    pause = document(ENDPOINTS)["paths"]["/tasks/{id}/pause"]["post"]
    assert [(one["name"], one.get("required", False)) for one in pause["parameters"]] == [
        ("id", True),
        ("If-Match", False),
    ]
    assert operation["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewColour"}}},
    }
    responses: dict[str, Any] = operation["responses"]
    assert responses.pop("200") == {
        "description": "OK",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Colour"}}},
        "headers": {
            "ETag": {"description": "The version of the definition, for `If-Match`.", "schema": {"type": "string"}}
        },
    }
    assert {int(status) for status in responses} == problem_statuses(CHANGE) | {409, 412, 428}
    assert all(response["content"] == problem for response in responses.values())
    assert operation["security"] == [{"bearer": []}, {"basic": []}]


def test_an_empty_answer_has_no_content() -> None:
    responses = document([REMOVE])["paths"]["/colours/{id}"]["delete"]["responses"]
    assert responses["204"] == {"description": "No Content"}


def test_a_public_endpoint_asks_for_nobody_and_may_have_its_answer_with_another_status() -> None:
    operation = document([PUBLIC])["paths"]["/state"]["get"]
    assert operation["security"] == []
    assert "401" not in operation["responses"]
    (problem,) = operation["responses"]["503"]["content"].keys() - operation["responses"]["200"]["content"].keys()
    assert problem == "application/problem+json"  # no thread was free to find the answer
    assert operation["responses"]["503"]["content"].items() > operation["responses"]["200"]["content"].items()


def test_a_stream_has_its_media_type_and_can_be_resumed() -> None:
    operation = document([STREAM])["paths"]["/stream"]["get"]
    assert operation["responses"]["200"]["content"].keys() == {"text/event-stream"}
    assert [one["name"] for one in operation["parameters"]] == ["Last-Event-ID"]


def test_arguments_may_be_null_where_a_hidden_definition_is_given_back() -> None:
    schemas = document(ENDPOINTS)["components"]["schemas"]
    for name in ("args", "kwargs"):
        is_nullable = {
            title: {"type": "null"} in schemas[title]["properties"][name].get("anyOf", ())
            for title in ("TaskChange", "Draft", "NewTask")
        }
        assert is_nullable == {"TaskChange": True, "Draft": True, "NewTask": False}
        assert "default" not in schemas["TaskChange"]["properties"][name]
