"""Who may call what: every endpoint of the table, with every method, for every kind of caller."""

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import Basic, Role, Token, create_app
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.routes import ENDPOINTS
from tests.web.clients import JSON, MANAGE, READ, SAME_ORIGIN, TOKEN, basic, bearer, call

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PATCH", "PUT", "DELETE", "TRACE")
BASIC = Basic({"ann": "password-of-ann"}, read={"bob": "password-of-bob"})


@dataclass
class Caller:
    """A way to call, and the role that it comes to: None for none, 500 for an application whose `auth` fails."""

    name: str
    role: Role | int | None
    auth: Any = TOKEN
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def session(role: Role, token: Token = TOKEN) -> dict[str, str]:
    return {"Cookie": f"{TOKEN.cookie}={token.new_session(role)}"}


def fail(request: object) -> Role:
    raise ZeroDivisionError("secret")


async def manager(request: object) -> Role:
    return Role.MANAGE


ANONYMOUS = {"allow_anonymous": "read"}
CALLERS = (
    Caller("nobody", None),
    Caller("a wrong token", None, headers=bearer("the-secret-of-nobody")),
    Caller("an empty token", None, headers={"Authorization": "Bearer"}),
    Caller("a token as a password", None, headers=basic("", MANAGE)),
    Caller("the token of readers", Role.READ, headers=bearer(READ)),
    Caller("the token of managers", Role.MANAGE, headers=bearer(MANAGE)),
    Caller("a session of readers", Role.READ, headers=session(Role.READ)),
    Caller("a session of managers", Role.MANAGE, headers=session(Role.MANAGE)),
    Caller("a session of another token", None, headers=session(Role.MANAGE, Token("another-secret-of-managers"))),
    Caller("a wrong token with a session", None, headers=session(Role.MANAGE) | bearer("the-secret-of-nobody")),
    Caller("no name", None, BASIC),
    Caller("a wrong password", None, BASIC, basic("ann", "password-of-bob")),
    Caller("a name of readers", Role.READ, BASIC, basic("bob", "password-of-bob")),
    Caller("a name of managers", Role.MANAGE, BASIC, basic("ann", "password-of-ann")),
    Caller("a function: None", None, lambda request: None),
    Caller("a function: READ", Role.READ, lambda request: Role.READ),
    Caller("a function: MANAGE", Role.MANAGE, lambda request: "manage"),
    Caller("a coroutine function: MANAGE", Role.MANAGE, manager),
    Caller("a function that fails", 500, fail),
    Caller("a function: True", 500, lambda request: True),
    Caller("a function: 2", 500, lambda request: 2),
    Caller("a function: admin", 500, lambda request: "admin"),
    Caller("anyone may read", Role.READ, None, options=ANONYMOUS),
    Caller("anyone may read, whatever the token", Role.READ, None, bearer(MANAGE), ANONYMOUS),
    Caller("anyone may read, or be known", Role.READ, options=ANONYMOUS),
    Caller("anyone may read, a wrong token", None, headers=bearer("the-secret-of-nobody"), options=ANONYMOUS),
    Caller("anyone may read, a token of managers", Role.MANAGE, headers=bearer(MANAGE), options=ANONYMOUS),
    Caller("read-only, a token of managers", Role.READ, headers=bearer(MANAGE), options={"read_only": True}),
)


def path_of(endpoint: Endpoint) -> str:
    return "/api" + endpoint.path.replace("{id}", "a")


def statuses(caller: Caller, endpoint: Endpoint, method: str) -> set[int] | None:
    """Return the statuses that are right; None: any that does not refuse the caller."""
    table = {one.method: one for one in ENDPOINTS if path_of(one) == path_of(endpoint)}
    asked = table.get("GET" if method == "HEAD" else method)
    is_public = any(one.role is None for one in table.values())
    if caller.role == 500 and not is_public:
        return {500}
    if caller.role is None and not is_public:
        return {401}
    if asked is None:
        return {405}
    if asked.role is None or (caller.role is not None and caller.role >= asked.role):
        return None
    is_known = caller.auth is None or caller.headers or caller.auth not in (TOKEN, BASIC)
    return {403} if is_known and caller.role is not None else {401}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_an_endpoint_answers_only_callers_of_its_role(
    caller: Caller, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "est_alan_scheduler")
    for method in METHODS:
        registry = TaskRegistry()
        registry.register(Task(id="a", every={"hours": 1}, func=int))
        app = create_app(registry, auth=caller.auth, **caller.options)
        headers = SAME_ORIGIN | JSON | {"Content-Length": "2"} | caller.headers
        reply = call(app, method, path_of(endpoint), headers, b"{}")
        right = statuses(caller, endpoint, method)
        if right is None:
            assert reply.status not in (401, 403, 404, 405), (method, reply)
            assert reply.status < 500 or reply.status == 503, (method, reply)
        else:
            assert reply.status in right, (method, reply)
            assert ("www-authenticate" in reply.headers) is (reply.status == 401)
            assert b"secret" not in reply.content


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/tasks/", "/api/no", "/api//tasks", "/no", "//", "/.env"])
def test_a_path_of_no_endpoint_tells_nothing_to_nobody(method: str, path: str) -> None:
    app = create_app(TaskRegistry(), auth=TOKEN)
    assert call(app, method, path, SAME_ORIGIN).status == 401


def test_each_endpoint_that_manages_is_refused_to_a_page_of_another_site() -> None:
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            continue
        for origin in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {}):
            app = create_app(TaskRegistry(), auth=TOKEN)
            reply = call(app, endpoint.method, path_of(endpoint), session(Role.MANAGE) | origin)
            assert reply.status == 403, (endpoint, origin, reply)
