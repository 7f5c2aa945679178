"""Who may see and do what on the pages: every row of their table, with every method, for every kind of caller."""

import json
import logging
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import Role, create_app
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.guard import MAX_BODY
from est_alan_scheduler.web.page.pages import PAGES
from tests.web.clients import JSON, MANAGE, READ, SAME_ORIGIN, TOKEN, bearer, call
from tests.web.test_access import CALLERS, METHODS, Caller, session

HTML = {"Accept": "text/html,application/xhtml+xml"}
QUERIES = {"/task": "?id=a", "/edit": "?id=a"}
BODIES: dict[str, Any] = {
    "/pause-all": {"paused": True},
    "/act": {"action": "pause", "tasks": [{"id": "a", "version": None}]},
    "/requested": {"runs": [{"id": "a", "after": 0}]},
    "/save": {"id": "a", "version": "", "changes": {"every": {"minutes": "1"}}},
    "/preview-html": {"id": "a", "changes": {"every": {"minutes": "1"}}},
}
MANAGING = [one for one in PAGES if one.method != "GET"]


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def one_task() -> TaskRegistry:
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=int))
    return registry


def body_of(endpoint: Endpoint, registry: TaskRegistry) -> bytes:
    """Return a body that changes the task, if anything does."""
    if endpoint.method == "GET":
        return b""
    body = BODIES[endpoint.path]
    if "version" in body:
        app = create_app(registry, auth=TOKEN)
        body = body | {"version": json.loads(call(app, "GET", "/api/tasks/a", bearer(READ)).content)["version"]}
    return json.dumps(body).encode()


def path_of(endpoint: Endpoint) -> str:
    return endpoint.path + QUERIES.get(endpoint.path, "")


def is_as_before(registry: TaskRegistry) -> bool:
    return registry["a"].every == {"hours": 1} and not registry["a"].paused and not registry.is_paused


def statuses(caller: Caller, endpoint: Endpoint, method: str) -> set[int]:
    """Return the statuses that are right."""
    asked = {one.method: one for one in PAGES if one.path == endpoint.path}.get("GET" if method == "HEAD" else method)
    if caller.role == 500:
        return {500}
    if caller.role is None:
        return {401}
    if asked is None:
        return {405}
    assert asked.role is not None  # no page is for everyone
    if caller.role >= asked.role:
        return {asked.status}
    is_known = caller.auth is None or caller.headers or caller.auth is not TOKEN
    return {403} if is_known else {401}


@pytest.mark.parametrize("endpoint", PAGES, ids=name_of)
@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_a_page_answers_only_callers_of_its_role(
    caller: Caller, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "est_alan_scheduler")
    for method in METHODS:
        registry = one_task()
        app = create_app(registry, auth=caller.auth, **caller.options)
        body = body_of(endpoint, registry) if method == "POST" else b""
        headers = SAME_ORIGIN | JSON | {"Content-Length": str(len(body))} | HTML | caller.headers
        reply = call(app, method, path_of(endpoint), headers, body)
        right = statuses(caller, endpoint, method)
        assert reply.status in right, (method, reply)
        assert ("www-authenticate" in reply.headers) is (reply.status == 401)
        assert b"secret" not in reply.content
        if endpoint.method == "GET" or reply.status != endpoint.status:
            assert is_as_before(registry), method


@pytest.mark.parametrize("endpoint", MANAGING, ids=name_of)
def test_what_manages_does_what_it_is_there_for(endpoint: Endpoint) -> None:
    registry = one_task()
    body = body_of(endpoint, registry)
    app = create_app(registry, auth=TOKEN)
    headers = session(Role.MANAGE) | SAME_ORIGIN | JSON | {"Content-Length": str(len(body))}
    assert call(app, endpoint.method, endpoint.path, headers, body).status == 200
    assert is_as_before(registry) is (endpoint.path in ("/preview-html", "/requested"))


REFUSED: dict[str, tuple[dict[str, str], int]] = {
    "a page of another site": ({"Sec-Fetch-Site": "cross-site"}, 403),
    "a page of another port": ({"Sec-Fetch-Site": "same-site"}, 403),
    "a foreign origin": ({"Sec-Fetch-Site": "", "Origin": "http://evil.example"}, 403),
    "no origin": ({"Sec-Fetch-Site": ""}, 403),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "text, which a form can send": ({"Content-Type": "text/plain"}, 415),
    "no type": ({"Content-Type": ""}, 415),
    "a huge body": ({"Content-Length": str(MAX_BODY + 1)}, 413),
    "another host": ({"Host": "evil.example"}, 421),
}


@pytest.mark.parametrize("endpoint", MANAGING, ids=name_of)
@pytest.mark.parametrize("case", REFUSED)
def test_what_manages_refuses_requests_that_the_page_does_not_send(case: str, endpoint: Endpoint) -> None:
    registry = one_task()
    body = body_of(endpoint, registry)
    given, status = REFUSED[case]
    headers = session(Role.MANAGE) | SAME_ORIGIN | JSON | {"Content-Length": str(len(body))} | given
    headers = {name: value for name, value in headers.items() if value}
    reply = call(create_app(registry, auth=TOKEN), endpoint.method, endpoint.path, headers, body)
    assert reply.status == status, reply
    assert is_as_before(registry)


@pytest.mark.parametrize("endpoint", MANAGING, ids=name_of)
def test_a_body_in_chunks_has_a_limit_too(endpoint: Endpoint) -> None:
    registry = one_task()
    headers = session(Role.MANAGE) | SAME_ORIGIN | JSON | {"Transfer-Encoding": "chunked"}
    chunks = [b" " * (MAX_BODY // 2)] * 3
    app = create_app(registry, auth=TOKEN)
    assert call(app, endpoint.method, endpoint.path, headers, *chunks).status == 413
    assert is_as_before(registry)


@pytest.mark.parametrize("endpoint", MANAGING, ids=name_of)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"x": 1}', b'{"id": "\\ud800"}', b"\xff"])
def test_a_body_that_makes_no_sense_is_refused_in_words(body: bytes, endpoint: Endpoint) -> None:
    registry = one_task()
    headers = session(Role.MANAGE) | SAME_ORIGIN | JSON | {"Content-Length": str(len(body))}
    reply = call(create_app(registry, auth=TOKEN), endpoint.method, endpoint.path, headers, body)
    assert reply.status in (400, 422), reply
    assert reply.detail
    assert is_as_before(registry)


@pytest.mark.parametrize("accept", [HTML, {}])
def test_nobody_is_shown_where_to_sign_in_if_it_is_a_browser(accept: dict[str, str]) -> None:
    app = create_app(one_task(), auth=TOKEN)
    for endpoint in PAGES:
        reply = call(app, endpoint.method, path_of(endpoint), accept | SAME_ORIGIN)
        assert reply.status == 401
        is_form = b'name="token"' in reply.content
        assert is_form is bool(accept), endpoint
        assert reply.headers["content-type"].startswith("text/html" if accept else "application/problem+json")


def test_a_token_in_the_address_of_a_page_opens_it() -> None:
    app = create_app(one_task(), auth=TOKEN)
    reply = call(app, "GET", f"/task?id=a&token={MANAGE}", HTML)
    assert (reply.status, reply.headers["location"]) == (303, "./task?id=a")
    cookie = reply.headers["set-cookie"].partition(";")[0]
    assert call(app, "GET", "/task?id=a", HTML | {"Cookie": cookie}).status == 200
