"""The OpenAPI document, made from the table of endpoints and the models of their answers."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter

from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.problems import ProblemDocument
from est_alan_scheduler.web.auth import Role

_COMPONENT = "#/components/schemas/"
_PROBLEM = {"$ref": f"{_COMPONENT}ProblemDocument"}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The secret of `Token`."},
    "basic": {"type": "http", "scheme": "basic", "description": "A name and a password of `Basic`."},
}
_CONFLICT, _PRECONDITION = 412, 428
_HEADERS = {
    "ETag": "The version of the definition, for `If-Match`.",
    "Location": "Where the new task is.",
}

Schemas = Mapping[tuple[int, str], dict[str, Any]]
"""By the number of the endpoint and what it is of: its answer, its query, its body."""


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document of these endpoints."""
    schemas, components = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for number, endpoint in enumerate(endpoints):
        operation = _operation(endpoint, number, schemas, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    for endpoint in endpoints:
        components.pop(endpoint.query.__name__, None)  # its fields are parameters
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "est_alan_scheduler",
            "summary": "The tasks of a scheduler: what they are, what they did, and what comes.",
            "version": import_module("est_alan_scheduler").__version__,  # by name: the root stands above all wings
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items())), "securitySchemes": _SECURITY},
    }


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[Schemas, dict[str, Any]]:
    """Return the schemas of all endpoints, and what they refer to."""
    inputs: list[Any] = [((-1, "problem"), "serialization", TypeAdapter(ProblemDocument))]
    for number, endpoint in enumerate(endpoints):
        inputs.append(((number, "query"), "validation", TypeAdapter(endpoint.query)))
        if endpoint.body is not None:
            inputs.append(((number, "body"), "validation", TypeAdapter(endpoint.body)))
        if endpoint.answer is not None:
            inputs.append(((number, "answer"), "serialization", TypeAdapter(endpoint.answer)))
    found, shared = TypeAdapter.json_schemas(inputs, ref_template=_COMPONENT + "{model}")
    return {key: schema for (key, _), schema in found.items()}, shared.get("$defs", {})


def _operation(
    endpoint: Endpoint, number: int, schemas: Schemas, components: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join([endpoint.method.lower(), *re.findall(r"\w+", endpoint.path)]),
        "summary": endpoint.summary,
        "tags": [endpoint.path.split("/")[1]],
        "security": [] if endpoint.role is None else [{"bearer": []}, {"basic": []}],
    }
    query = schemas[number, "query"]
    parameters = _path_parameters(endpoint) + _header_parameters(endpoint)
    parameters += _query_parameters(components[query["$ref"].removeprefix(_COMPONENT)] if "$ref" in query else query)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        schema = schemas[number, "body"]
        named = components[schema["$ref"].removeprefix(_COMPONENT)] if "$ref" in schema else schema
        operation["requestBody"] = {
            "required": bool(named.get("required")),
            "content": {"application/json": {"schema": schema}},
        }
    operation["responses"] = _responses(endpoint, schemas.get((number, "answer")))
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]


def _header_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if _CONFLICT in endpoint.problems:
        description = "The `ETag` of the definition that the caller has seen; `*` for any."
        required = {"required": True} if _PRECONDITION in endpoint.problems else {}
        found.append({"name": "If-Match", "in": "header", "description": description, **required})
    if endpoint.media_type == "text/event-stream":
        description = "The `id` of the last event that the caller has got: those since then come first."
        found.append({"name": "Last-Event-ID", "in": "header", "description": description})
    return [one | {"schema": {"type": "string"}} for one in found]


def _query_parameters(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, schema in query.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "schema": _given(schema)}
        if "description" in schema:
            parameter["description"] = parameter["schema"].pop("description")
        if name in query.get("required", ()):
            parameter["required"] = True
        found.append(parameter)
    return found


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that is given: it is never null then."""
    shown = {name: value for name, value in schema.items() if name != "title"}
    if "anyOf" in shown:
        kinds = [kind for kind in shown.pop("anyOf") if kind != {"type": "null"}]
        shown |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if shown.get("default", ...) is None:
        del shown["default"]
    return shown


def _responses(endpoint: Endpoint, schema: dict[str, Any] | None) -> dict[str, Any]:
    responses = {}
    for status in (endpoint.status, *endpoint.also):
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if schema is not None:
            response["content"] = {endpoint.media_type: {"schema": schema}}
            if status >= 400:  # no thread was free to find the answer
                response["content"]["application/problem+json"] = {"schema": _PROBLEM}
        if endpoint.headers:
            response["headers"] = {
                name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in endpoint.headers
            }
        responses[str(status)] = response
    for status in sorted({*problem_statuses(endpoint), *endpoint.problems} - {endpoint.status, *endpoint.also}):
        content = {"application/problem+json": {"schema": _PROBLEM}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def problem_statuses(endpoint: Endpoint) -> set[int]:
    """Return the statuses of problems that an endpoint may have as all of its kind do."""
    found = {400, 413, 421, 422}  # a request that makes no sense, one for another host, an unknown parameter
    if endpoint.role is not None:
        found |= {401, 503}  # nobody knows the caller; the store is out of reach
    if endpoint.role is Role.MANAGE:
        found |= {403, 415}
    if "{" in endpoint.path:
        found.add(404)
    return found
