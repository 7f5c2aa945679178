"""Calls of the application without a server, for tests."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

from est_alan_scheduler.web import Token

MANAGE, READ = "the-secret-of-managers", "the-secret-of-readers"
TOKEN = Token(MANAGE, read=READ)
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
JSON = {"Content-Type": "application/json"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


class Reply(NamedTuple):
    status: int
    headers: Headers
    content: bytes

    @property
    def detail(self) -> str:
        """What the problem says."""
        return str(json.loads(self.content)["detail"])


def call(
    app: ASGIApp, method: str, path: str, headers: Mapping[str, str] | None = None, *chunks: bytes, **scope: Any
) -> Reply:
    """Call an application with these headers, and `Host: localhost` unless they have one.

    A stream of events is left after its headers.
    """
    given = {"Host": "localhost"} | dict(headers or {})
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()]
    raw, _, query = path.partition("?")
    whole = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": raw,
        "root_path": "",
        "query_string": query.encode("latin-1"),
        "headers": pairs,
    }
    return asyncio.run(_call(app, whole | scope, list(chunks) or [b""]))


async def _call(app: ASGIApp, scope: dict[str, Any], chunks: list[bytes]) -> Reply:
    sent: list[Message] = []
    is_done = asyncio.Event()

    async def receive() -> Message:
        if chunks:
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
                is_done.set()
        elif not message.get("more_body"):
            is_done.set()

    running = asyncio.ensure_future(app(scope, receive, send))
    done = asyncio.ensure_future(is_done.wait())
    await asyncio.wait([running, done], return_when=asyncio.FIRST_COMPLETED)
    for one in (running, done):
        one.cancel()
    errors = [one for one in await asyncio.gather(running, done, return_exceptions=True) if isinstance(one, Exception)]
    assert errors == []
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(sent[0]["status"], Headers(raw=list(sent[0]["headers"])), content)
