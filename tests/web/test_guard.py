"""What every request has to pass, and what every response has."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import Role, Token, create_app
from est_alan_scheduler.web.api.dispatch import Dispatcher
from est_alan_scheduler.web.api.endpoint import Endpoint, Input
from est_alan_scheduler.web.auth import REALM
from est_alan_scheduler.web.guard import MAX_BODY, Guard, Policy, cookie_path
from est_alan_scheduler.web.hosts import LOOPBACK, checked_hosts
from est_alan_scheduler.web.site import Site
from tests.web.clients import JSON, MANAGE, READ, SAME_ORIGIN, TOKEN, Reply, bearer, call

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def guarded(app: Any, **policy: Any) -> Guard:
    return Guard(app, Policy(**({"auth": TOKEN, "anonymous": None, "hosts": checked_hosts(LOOPBACK)} | policy)))


class Echo:
    """An application that answers with the role of the caller and the length of the body."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message: Any = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            self.lengths.append(len(message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=5")]})
        await send({"type": "http.response.body", "body": f"{scope['est_alan_scheduler.role']!r}".encode()})


def post(app: Any, headers: dict[str, str], *chunks: bytes) -> Reply:
    return call(app, "POST", "/", bearer(MANAGE) | headers, *chunks)


class TestCallers:
    def test_the_application_learns_the_role_and_no_role_of_an_application_around_counts(self) -> None:
        app = guarded(Echo(), public={"/open"})
        forged: dict[str, Any] = {"est_alan_scheduler.role": Role.MANAGE}
        assert call(app, "GET", "/", bearer(READ), **forged).content == repr(Role.READ).encode()
        assert call(app, "GET", "/open", **forged).content == b"None"

    @pytest.mark.parametrize("found", [OSError("the directory of users is out of reach"), None, Role.MANAGE])
    def test_on_a_public_path_nobody_asks_who_it_is(self, found: Any) -> None:
        asked = []

        def auth(request: Request) -> Any:
            asked.append(request.url.path)
            if isinstance(found, Exception):
                raise found
            return found

        app = create_app(TaskRegistry(), auth=auth)
        for headers in ({}, bearer("any"), {"Authorization": "Basic \xff"}):
            assert call(app, "GET", "/api/health", headers).status == 200
        assert call(guarded(Echo(), auth=auth, public={"/open"}), "GET", "/open").content == b"None"
        assert asked == []

    def test_only_public_paths_are_open_in_whatever_way_they_are_written(self) -> None:
        app = guarded(Echo(), public={"/open"})
        asked = ["/open", "/open/", "/opening", "/Open", "//open", "/./open", "/x/../open", "/open\0", "/open;x"]
        assert [call(app, "GET", path).status for path in asked] == [200] + [401] * 8
        assert call(app, "GET", "/mount/open", root_path="/mount").status == 200
        assert call(app, "GET", "/mountopen", root_path="/mount").status == 401

    def test_a_refusal_names_the_way_in(self) -> None:
        reply = call(guarded(Echo()), "GET", "/")
        assert (reply.status, reply.headers["www-authenticate"]) == (401, f"Bearer {REALM}")
        assert reply.headers["content-type"] == "application/problem+json"

    def test_a_caller_whom_it_does_not_know_and_who_wants_to_manage_is_asked_who_it_is(self) -> None:
        app = create_app(TaskRegistry(), auth=TOKEN, allow_anonymous="read")
        assert call(app, "GET", "/api/instances").status == 200
        assert call(app, "GET", "/api/instances", bearer("wrong")).status == 401


class TestTargets:
    @pytest.mark.parametrize("path", ["http://localhost/", "*", "localhost", "\0", "api"])
    def test_the_target_is_a_path(self, path: str) -> None:
        assert call(guarded(Echo()), "GET", path, bearer(MANAGE)).status == 400

    def test_a_name_that_points_here_is_not_served_even_with_the_token(self) -> None:
        for host, status in (("evil.example", 421), ("localhost:8765", 200), ("", 400)):
            assert call(guarded(Echo()), "GET", "/", bearer(MANAGE) | {"Host": host}).status == status
        assert call(guarded(Echo(), hosts=None), "GET", "/", bearer(MANAGE) | {"Host": "any.example"}).status == 200

    def test_a_probe_calls_what_is_public_by_any_name(self) -> None:
        app = guarded(Echo(), public={"/open"})
        assert [call(app, "GET", path, {"Host": "10.0.0.7:8765"}).status for path in ("/open", "/")] == [200, 421]

    def test_the_host_is_looked_at_before_the_token(self) -> None:
        asked: list[object] = []
        app = guarded(Echo(), auth=asked.append)
        assert (call(app, "GET", "/", {"Host": "evil.example"}).status, asked) == (421, [])

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "ANY", "get"])
    def test_unsafe_methods_need_the_same_origin(self, method: str) -> None:
        cookie = {"Cookie": f"{TOKEN.cookie}={TOKEN.new_session(Role.MANAGE)}"}
        for headers, status in (
            ({}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "http://localhost"}, 200),
            (SAME_ORIGIN, 200),
        ):
            assert call(guarded(Echo()), method, "/", cookie | headers).status == status

    def test_a_form_of_another_site_fails_twice(self) -> None:
        form = {"Content-Type": "text/plain", "Content-Length": "2"}
        assert post(guarded(Echo()), form, b"{}").status == 415
        cookie = {"Cookie": f"{TOKEN.cookie}={TOKEN.new_session(Role.MANAGE)}", "Origin": "null"}
        assert call(guarded(Echo()), "POST", "/", cookie | JSON, b"{}").status == 403


class TestBodies:
    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("application/json", 200),
            ("Application/JSON; charset=utf-8", 200),
            ("application/problem+json", 415),
            ("application/jsonx", 415),
            ("application/x-www-form-urlencoded", 415),
            ("multipart/form-data; boundary=application/json", 415),
            ("text/plain;application/json", 415),
            ("text/plain, application/json", 415),
            ("", 415),
        ],
    )
    def test_a_body_is_json(self, kind: str, status: int) -> None:
        assert post(guarded(Echo()), {"Content-Type": kind, "Content-Length": "2"}, b"{}").status == status
        assert post(guarded(Echo()), {"Content-Type": kind, "Transfer-Encoding": "chunked"}, b"{}").status == status

    @pytest.mark.parametrize("length", [{}, {"Content-Length": "0"}, {"Content-Length": ""}])
    def test_a_request_without_a_body_needs_no_type(self, length: dict[str, str]) -> None:
        assert post(guarded(Echo()), length).status == 200

    @pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "identity, gzip", ""])
    def test_a_compressed_body_is_refused(self, coding: str) -> None:
        headers = JSON | {"Content-Length": "2", "Content-Encoding": coding}
        assert post(guarded(Echo()), headers, b"{}").status == 415

    @pytest.mark.parametrize("length", ["x", "-1", "1.0", "0x10", "1 1", "\xb3", "9" * 20, "+1"])
    def test_a_length_is_a_number(self, length: str) -> None:
        assert post(guarded(Echo()), JSON | {"Content-Length": length}, b"{}").status == 400

    @pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
    def test_a_large_body_is_not_read(self, size: int, status: int) -> None:
        echo = Echo()
        assert post(guarded(echo), JSON | {"Content-Length": str(size)}, b"x" * size).status == status
        assert echo.lengths == ([size] if status == 200 else [])

    def test_a_large_body_in_chunks_is_read_up_to_the_limit(self) -> None:
        echo, chunk = Echo(), b"x" * (MAX_BODY // 4)
        headers = JSON | {"Transfer-Encoding": "chunked"}
        assert post(guarded(echo), headers, *[chunk] * 4, b"").status == 200
        assert post(guarded(echo), headers, *[chunk] * 4, b"x", *[chunk] * 9).status == 413
        assert echo.lengths == [len(chunk)] * 4 + [0] + [len(chunk)] * 4

    def test_a_large_body_ends_a_stream(self) -> None:
        received: list[str] = []

        async def stream(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while received[-1:] != ["http.disconnect"]:
                received.append((await receive())["type"])
            await send({"type": "http.response.body", "body": b"end"})

        reply = call(guarded(stream), "GET", "/", bearer(MANAGE), *[b"x" * (MAX_BODY // 2)] * 4)
        assert (reply.content, received) == (b"end", ["http.request", "http.request", "http.disconnect"])

    def test_the_limit_holds_for_the_api_and_for_a_length_that_lies(self) -> None:
        endpoint = Endpoint("POST", "/", lambda call: 1, "Test.", int, body=Input)
        app = guarded(Dispatcher(Site(TaskRegistry()), [endpoint]))
        for headers in ({"Content-Length": "2"}, {"Transfer-Encoding": "chunked"}):
            reply = post(app, JSON | headers, *[b" " * 100_000] * 11)
            assert (reply.status, reply.detail) == (413, "the body may have at most 1000000 bytes")

    def test_nothing_is_read_of_a_caller_who_may_not(self) -> None:
        echo = Echo()
        for headers in (bearer("wrong"), {"Host": "evil"}, {"Sec-Fetch-Site": "cross-site"}):
            assert call(guarded(echo), "POST", "/", JSON | headers, b"{}").status in (401, 421)
        assert echo.lengths == []

    def test_a_caller_who_goes_away_is_no_error(self, caplog: pytest.LogCaptureFixture) -> None:
        endpoint = Endpoint("POST", "/", lambda call: 1, "Test.", int, body=Input)
        app, sent = guarded(Dispatcher(Site(TaskRegistry()), [endpoint])), []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(b"host", b"localhost"), (b"authorization", f"Bearer {MANAGE}".encode())]
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": pairs, "scheme": "http"}
        asyncio.run(app(scope, receive, send))
        assert (sent, caplog.records) == ([], [])


class TestResponses:
    @pytest.mark.parametrize("path", ["/", "/api/instances", "/no", "/api/instances?token=x"])
    def test_every_response_has_the_same_headers(self, path: str) -> None:
        app = create_app(TaskRegistry(), auth=TOKEN)
        for headers in ({}, bearer(MANAGE), {"Host": "evil.example"}):
            found = call(app, "GET", path, headers).headers
            assert {name: found[name] for name in HEADERS} == HEADERS
            assert not {"access-control-allow-origin", "server", "x-powered-by"} & set(found)

    def test_a_response_may_say_for_itself_how_long_it_is_kept(self) -> None:
        assert call(guarded(Echo()), "GET", "/", bearer(MANAGE)).headers.getlist("cache-control") == ["max-age=5"]

    def test_no_error_shows_the_inside(self, caplog: pytest.LogCaptureFixture) -> None:
        async def broken(scope: Scope, receive: Receive, send: Send) -> None:
            raise ValueError("/etc/passwd of line 5")

        reply = call(guarded(broken), "GET", "/a\nb", bearer(MANAGE))
        assert (reply.status, reply.detail) == (500, "the server failed: its log says why")
        (record,) = caplog.records
        assert (record.levelno, record.getMessage()) == (logging.ERROR, "The request GET /a\\nb failed.")
        assert "passwd" in str(record.exc_info)

    def test_an_error_after_the_beginning_of_a_response_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        async def broken(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ValueError("late")

        assert call(guarded(broken), "GET", "/", bearer(MANAGE)).status == 200
        assert [record.getMessage() for record in caplog.records] == ["The request GET / failed."]

    def test_a_method_that_is_not_there_names_those_that_are(self) -> None:
        reply = call(create_app(TaskRegistry(), auth=TOKEN), "OPTIONS", "/api/instances", bearer(MANAGE))
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
        assert "access-control-allow-origin" not in reply.headers


class TestLogin:
    app = staticmethod(create_app(TaskRegistry(), auth=TOKEN))

    @pytest.mark.parametrize(
        ("path", "root", "location", "cookie_path"),
        [
            (f"/?token={MANAGE}", "", "./", "/"),
            (f"/api/tasks?limit=5&token={MANAGE}&q=a%20b", "", "./tasks?limit=5&q=a+b", "/"),
            (f"/admin/jobs/?token={MANAGE}", "/admin/jobs", "./", "/admin/jobs"),
            (f"/admin?token={MANAGE}", "/admin", "./admin", "/admin"),
            (f"/a b;c/x y:z?token={MANAGE}", "/a b;c", "./x%20y%3Az", "/a%20b%3Bc"),
            (f"//evil.example?token={MANAGE}", "", "./evil.example", "/"),
            (f"/\r\nx?token={MANAGE}", "", "./%0D%0Ax", "/"),
            (f"/?token={MANAGE}&x=%ff\xfe", "", "./?x=%FF%C3%BE", "/"),
        ],
    )
    def test_the_token_becomes_a_cookie_and_leaves_the_address(
        self, path: str, root: str, location: str, cookie_path: str
    ) -> None:
        reply = call(self.app, "GET", path, root_path=root)
        assert (reply.status, reply.headers["location"], reply.content) == (303, location, b"")
        cookie, *attributes = reply.headers["set-cookie"].split("; ")
        assert sorted(attributes) == ["HttpOnly", f"Path={cookie_path}", "SameSite=strict"]
        assert MANAGE not in str(reply)
        assert call(self.app, "GET", "/api/instances", {"Cookie": cookie}).status == 200

    def test_over_https_the_cookie_is_secure(self) -> None:
        reply = call(self.app, "GET", f"/?token={READ}", scheme="https")
        assert "; Secure" in reply.headers["set-cookie"]

    def test_the_session_has_the_role_of_the_token_that_was_shown(self) -> None:
        cookie = call(self.app, "GET", f"/?token={READ}").headers["set-cookie"].split(";")[0]
        assert TOKEN._role_of_session(cookie.partition("=")[2]) is Role.READ

    @pytest.mark.parametrize("query", ["token=wrong", "token=", f"token={MANAGE}&token={MANAGE}", "token=%ff%00\xff"])
    def test_a_wrong_token_is_refused(self, query: str) -> None:
        reply = call(self.app, "GET", f"/?{query}")
        assert (reply.status, reply.detail) == (401, "the token is wrong")
        assert "set-cookie" not in reply.headers

    @pytest.mark.parametrize("query", [f"TOKEN={MANAGE}", f"xtoken={MANAGE}", f"x=token={MANAGE}"])
    def test_another_parameter_is_no_token(self, query: str) -> None:
        assert call(self.app, "GET", f"/?{query}").status == 401

    def test_the_token_does_not_stand_in_the_address_of_an_unsafe_method(self) -> None:
        assert call(self.app, "POST", f"/?token={MANAGE}", SAME_ORIGIN).status == 401

    def test_the_host_is_looked_at_before(self) -> None:
        assert call(self.app, "GET", f"/?token={MANAGE}", {"Host": "evil.example"}).status == 421

    def test_other_ways_of_authentication_know_no_token_in_the_address(self) -> None:
        app = create_app(TaskRegistry(), auth=lambda asked: None)
        assert call(app, "GET", f"/?token={MANAGE}").status == 401

    def test_a_cookie_of_another_server_on_this_machine_stays(self) -> None:
        other = Token("the-secret-of-another-server")
        reply = call(create_app(TaskRegistry(), auth=other), "GET", "/?token=the-secret-of-another-server")
        assert reply.headers["set-cookie"].partition("=")[0] == other.cookie != TOKEN.cookie


class TestOtherScopes:
    @staticmethod
    def sent(scope: dict[str, Any], *received: str) -> list[Any]:
        async def run() -> list[Any]:
            sent: list[Any] = []
            messages = [{"type": one} for one in received]

            async def receive() -> Any:
                return messages.pop(0)

            async def send(message: Any) -> None:
                sent.append(message)

            await create_app(TaskRegistry(), auth=TOKEN)(scope, receive, send)
            return sent

        return asyncio.run(run())

    def test_a_websocket_is_closed(self) -> None:
        headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {MANAGE}".encode())]
        scope = {"type": "websocket", "path": "/api/instances", "headers": headers}
        assert self.sent(scope, "websocket.connect") == [{"type": "websocket.close", "code": 1008}]

    def test_the_lifespan_of_a_server_begins_and_ends(self) -> None:
        sent = self.sent({"type": "lifespan", "state": {}}, "lifespan.startup", "lifespan.shutdown")
        assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    def test_nothing_else_is_answered(self) -> None:
        assert self.sent({"type": "other"}) == []


@pytest.mark.parametrize(
    ("root", "raw", "path"),
    [
        ("", b"/", "/"),
        ("/ops", b"/ops/task", "/ops"),
        ("/@ops", b"/@ops/", "/@ops"),
        ("/@ops", b"/%40ops/", "/%40ops"),
        ("/a+b/c:d", b"/a+b/c:d/x", "/a+b/c:d"),
        ("/a b", b"/a%20b/", "/a%20b"),
        ("/a b", None, "/a%20b"),
        ("/a/b", b"/a%2Fb/", "/a/b"),
        ("/a/b;c", b"/a/b;c/", "/a"),
        ("/b;c", b"/b;c/", "/"),
    ],
)
def test_the_path_of_a_cookie_is_written_as_the_browser_writes_it(root: str, raw: bytes | None, path: str) -> None:
    assert cookie_path({"root_path": root, "raw_path": raw}) == path
