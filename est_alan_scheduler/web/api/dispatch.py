"""The dispatch of requests: from the path to the endpoint, from the answer of its handler to the response."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Never
from urllib.parse import parse_qsl, quote, unquote

from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from est_alan_scheduler.web.api.endpoint import Answer, Call, Endpoint
from est_alan_scheduler.web.api.problems import Problem, invalid, response_of, told
from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.site import Site

_adapter = cache(TypeAdapter)


class Dispatcher:
    """The ASGI application of a table of endpoints."""

    def __init__(self, site: Site, endpoints: Sequence[Endpoint]) -> None:
        self.site = site
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ClientDisconnect:
            raise  # nobody waits for an answer
        except Exception as error:
            what = f"The request {request.method} {request.scope['path']} failed."
            return self.refuse(request, told(error, what, self.site.hide_values))

    async def _answer(self, request: Request) -> Response:
        segments = _segments(request.scope)
        endpoint, path = self._find(request.method, segments)
        self._check_role(endpoint, request)
        query = _parsed_query(endpoint, request.scope["query_string"])
        body = None if endpoint.body is None else _parsed_body(endpoint, await request.body())
        threads = self.site.probe_threads if endpoint.role is None else self.site.threads
        may_change = endpoint.method != "GET"
        found = await threads.run(endpoint.handle, self.call(request, path, query, body), may_change=may_change)
        if isinstance(found, Response):
            return found
        answer = found if isinstance(found, Answer) else Answer(found)
        status = answer.status or endpoint.status
        if endpoint.answer is None:
            return Response(status_code=status, headers=answer.headers)
        content = _adapter(endpoint.answer).dump_json(answer.value)
        return Response(content, status, answer.headers, media_type="application/json")

    def call(self, request: Request, path: Mapping[str, str], query: Any, body: Any) -> Call:
        """Return what the handler of a request gets."""
        return Call(self.site, path, query, body, _if_match(request), request.headers.get("last-event-id"))

    def refuse(self, request: Request, problem: Problem) -> Response:  # noqa: ARG002  # pages look at the request
        """Return the response of a problem."""
        return response_of(problem)

    def _find(self, method: str, segments: list[str]) -> tuple[Endpoint, dict[str, str]]:
        """Return the endpoint of a path, and the values of its placeholders."""
        allowed = []
        for endpoint in self._endpoints:
            path = _match(endpoint.path, segments)
            if path is None:
                continue
            if endpoint.method == method or (method == "HEAD" and endpoint.method == "GET"):
                return endpoint, path
            allowed += ["GET", "HEAD"] if endpoint.method == "GET" else [endpoint.method]
        if allowed:
            raise Problem(405, f"{method} is not allowed here", headers={"Allow": ", ".join(allowed)})
        raise Problem(404, "there is nothing at this path")

    def _check_role(self, endpoint: Endpoint, request: Request) -> None:
        if endpoint.role is None:
            return
        if self.site.read_only and endpoint.role > Role.READ:
            raise Problem(403, "this site is read-only")
        role = request.scope.get("est_alan_scheduler.role")  # the guard has put it there
        challenge = request.scope.get("est_alan_scheduler.challenge")  # for a caller whom it does not know
        if role is None or (challenge is not None and role < endpoint.role):
            raise Problem(401, "authentication is needed", headers=challenge)
        if role < endpoint.role:
            raise Problem(403, "this needs the role manage")


def _segments(scope: Scope) -> list[str]:
    """Return the parts of the path below the API, each decoded for itself: an id may have a slash."""
    root, path, raw = scope.get("root_path", ""), scope["path"], scope.get("raw_path")
    if raw is not None:
        whole, prefix = raw.decode("latin-1"), quote(root)
        if unquote(whole) == path and whole.startswith(prefix):
            return [unquote(part) for part in whole[len(prefix) :].split("/")[1:]]
    return str(path).removeprefix(root).split("/")[1:]


def _match(template: str, segments: list[str]) -> dict[str, str] | None:
    parts, values = template.split("/")[1:], {}
    if len(parts) != len(segments):
        return None
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{"):
            values[part[1:-1]] = segment
        elif part != segment:
            return None
    return values if all(values.values()) else None


def _parsed_query(endpoint: Endpoint, text: bytes) -> Any:
    values: dict[str, str] = {}
    try:
        pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Problem(422, "the query must be UTF-8, percent-encoded") from None
    for name, value in pairs:
        if name in values:
            raise Problem(422, f"{name}: it is given twice")
        values[name] = value
    try:
        return endpoint.query.model_validate_strings(values)
    except ValidationError as error:
        raise invalid(error) from None


def _parsed_body(endpoint: Endpoint, content: bytes) -> Any:
    assert endpoint.body is not None  # noqa: S101  # the caller has looked
    try:
        text = content.decode() or "{}"  # strictly: `json` would take other encodings, and what is none
        values = json.loads(text, parse_constant=_refuse_constant)
        if "\\u" in text:
            json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise Problem(400, "the body is not JSON") from None
    try:
        return endpoint.body.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from None


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is no number in JSON")


def _if_match(request: Request) -> list[str] | None:
    """Return the versions in `If-Match`, also one without its quotes; a weak one matches nothing (RFC 9110)."""
    given = request.headers.getlist("if-match")
    if not given:
        return None
    tags = [tag.strip() for value in given for tag in value.split(",")]
    return [tag.strip('"') for tag in tags if tag != '"*"' and re.fullmatch(r'"[^"]+"|[^"]+', tag)]
