"""The guard: what every request has to pass before anything answers it."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import shorten
from est_alan_scheduler.web.api.problems import Problem, response_of
from est_alan_scheduler.web.auth import REALM, Auth, Role, Token, role_of
from est_alan_scheduler.web.hosts import Host, check_host, check_origin
from est_alan_scheduler.web.threads import Threads

MAX_BODY = 1_000_000
"""Bytes of the largest body."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSALS = frozenset(int(status) for status in HTTPStatus if status >= 300)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Policy:
    """Who may do what, and how a request must look."""

    auth: Auth | None
    anonymous: Role | None
    """The role of a caller who shows no credentials."""
    hosts: frozenset[str] | None
    """The names by which the site may be called; None: any."""
    public: Collection[str] = ()
    """The paths that need no role."""


class Guard:
    """ASGI middleware around the whole site. It is closed: what it does not know it refuses."""

    def __init__(
        self, app: ASGIApp, policy: Policy, refuse: Callable[[Request, Problem], Response] | None = None
    ) -> None:
        self._app = app
        self._policy = policy
        self._refuse = refuse or (lambda _request, problem: response_of(problem))
        self._threads = Threads(20)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer({"raw_path": _raw_path_of_wsgi(scope), **scope}, receive, _Answer(send))

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            host = self._check_target(scope)
            response = self._login(scope)
            if response is None:
                await self._admit(scope, host)
                await self._app(scope, _limited(receive, answer), answer)
                return
        except ClientDisconnect:
            return
        except Exception as error:
            problem = _problem_of(error)
            if problem.status == 500:
                log(logging.ERROR, f"The request {scope['method']} {shorten(scope['path'])} failed.", error)
            response = self._refuse(Request(scope), problem)
        if not answer.has_begun:
            await response(scope, receive, answer)

    def _check_target(self, scope: Scope) -> Host:
        is_public = path_below(scope) in self._policy.public  # a probe calls by whatever address it has
        host = check_host(Headers(scope=scope), None if is_public else self._policy.hosts)
        if scope["path"][:1] not in ("", "/"):  # `GET http://… HTTP/1.1` is for proxies
            raise Problem(400, "the target of the request must be a path")
        return host

    async def _admit(self, scope: Scope, host: Host) -> None:
        """Put the role of the caller into the scope; raise a problem unless the request may go on."""
        headers, method = Headers(scope=scope), scope["method"]
        challenge = {"WWW-Authenticate": getattr(self._policy.auth, "challenge", f"Bearer {REALM}")}
        is_public = path_below(scope) in self._policy.public  # a probe is answered while `auth` fails
        role, is_anonymous = (None, True) if is_public else await self._role(scope, headers)
        if role is None and not is_public:
            raise Problem(401, "authentication is needed", headers=challenge)
        if method not in _SAFE_METHODS:
            check_origin(headers, scope["scheme"], host)
        _check_body(headers, method)
        scope["app"] = self._app  # not the application around: the errors of the router come here
        scope["est_alan_scheduler.role"] = role
        scope["est_alan_scheduler.challenge"] = challenge if is_anonymous and self._policy.auth else None

    async def _role(self, scope: Scope, headers: Headers) -> tuple[Role | None, bool]:
        """Return the role of the caller, and whether it is that of everyone."""
        auth = self._policy.auth
        if auth is None:
            return self._policy.anonymous, True
        role = await role_of(auth, Request(scope), self._threads)
        if role is None and "authorization" not in headers:  # wrong credentials are an error, none are none
            return self._policy.anonymous, True
        return role, False

    def _login(self, scope: Scope) -> Response | None:
        """Answer a browser that shows its token: it gets a cookie, and an address without the token."""
        auth = self._policy.auth
        if not isinstance(auth, Token) or scope["method"] not in ("GET", "HEAD") or b"token=" not in _query(scope):
            return None
        query = parse_qsl(_query(scope).decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
        tokens = [value for name, value in query if name == "token"]
        if not tokens:
            return None
        role = auth.role_of(tokens[0].encode(errors="surrogateescape")) if len(tokens) == 1 else None
        if role is None:
            raise Problem(401, "the token is wrong", headers={"WWW-Authenticate": auth.challenge})
        rest = urlencode([pair for pair in query if pair[0] != "token"], errors="surrogateescape")
        location = "./" + quote(scope["path"].rpartition("/")[2], safe="") + ("?" + rest if rest else "")
        response = Response(status_code=303, headers={"Location": location})
        response.set_cookie(
            auth.cookie,
            auth.new_session(role),
            path=cookie_path(scope),
            secure=scope["scheme"] == "https",
            httponly=True,
            samesite="strict",
        )
        return response


class _Answer:
    """The sending side of a request: it adds the headers that every response has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        await self._send(message)


def _problem_of(error: Exception) -> Problem:
    """Return the answer to an error; what the router or `auth` raises may be an answer itself."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException) and error.status_code in _REFUSALS:
        return Problem(error.status_code, str(error.detail), headers=error.headers)
    return Problem(500, "the server failed: its log says why")


def path_below(scope: Mapping[str, Any]) -> str:
    """Return the path of a request below the place where the site is mounted."""
    root, path = scope.get("root_path", "").rstrip("/"), str(scope["path"])
    return path[len(root) :] if path == root or path.startswith(root + "/") else path


def cookie_path(scope: Mapping[str, Any]) -> str:
    """Return the path of the cookies of the site: that of the site, with escapes just where this browser writes them.

    A browser compares the two as texts. A semicolon would end the path, so there it is that of the directory.
    """
    root = scope.get("root_path", "").rstrip("/")
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    written = "/".join(raw.split("/")[: root.count("/") + 1])
    path = written if unquote(written) == root else quote(root)
    before, semicolon, _ = path.partition(";")
    return (before.rpartition("/")[0] if semicolon else path) or "/"


def _raw_path_of_wsgi(scope: Scope) -> bytes | None:
    """Return the path as it was sent, which WSGI has as an extra only: in it, `%2F` is no slash."""
    environ = scope.get("wsgi_environ", {})
    url = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    return str(url).partition("?")[0].encode("latin-1") if url and url.startswith("/") else None


def _query(scope: Scope) -> bytes:
    return bytes(scope.get("query_string", b""))


def _check_body(headers: Headers, method: str) -> None:
    """Raise a problem unless the body, if there is one, is JSON of a bearable size.

    A form of another site cannot send JSON.
    """
    length = headers.get("content-length", "").strip() or "0"
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Problem(400, "Content-Length must be a number")
    if int(length) > MAX_BODY:
        raise Problem(413, f"the body may have at most {MAX_BODY} bytes")
    if method in _SAFE_METHODS or (int(length) == 0 and "transfer-encoding" not in headers):
        return
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "the Content-Type of a body must be application/json")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "the body must not be compressed")


def _limited(receive: Receive, answer: _Answer) -> Receive:
    """Return `receive` with a limit: a body that comes in chunks does not tell its length before."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                if answer.has_begun:  # a stream waits for the client to leave
                    return {"type": "http.disconnect"}
                raise Problem(413, f"the body may have at most {MAX_BODY} bytes")
        return message

    return limited
