"""The endpoint that tells what changes, as server-sent events."""

import asyncio
import weakref
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from est_alan_scheduler.web.api.endpoint import Call
from est_alan_scheduler.web.api.problems import Problem, response_of
from est_alan_scheduler.web.feed import Feed, Listener, Message, text_of

MEDIA_TYPE = "text/event-stream"
_HEARTBEAT = 15.0  # seconds without a message: proxies cut silent connections
_PATIENCE = 10.0  # seconds for which a client may take nothing
_RETRY = 2_000  # milliseconds after which a client connects again


def events(call: Call) -> "EventStream":
    """Return the stream of what changes from now on, or since the last event that the client has got."""
    return EventStream(call.site.feed, call.last_event_id)


class EventStream(Response):
    """A response that ends when the client leaves, when it takes nothing any more, or with the server."""

    media_type = MEDIA_TYPE
    pause = 0.0
    """Seconds from one message to the next at least."""

    def __init__(self, feed: Feed, last: str | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._last = last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        end = {"type": "http.response.body", "body": b"", "more_body": False}
        if scope["method"] == "HEAD":
            await send(start)
            await send(end)
            return
        news = asyncio.Event()
        listener = self._feed.join(partial(_waker_of(asyncio.get_running_loop()).wake, news), self._last)
        if listener is None:
            problem = Problem(503, "too many clients listen already", headers={"Retry-After": "10"})
            await response_of(problem)(scope, receive, send)
            return
        try:
            await send(start)
            await _first_of(self._send_news(listener, news, send), _wait_for_end(receive))
        finally:
            self._feed.leave(listener)
        with suppress(OSError, TimeoutError):  # the client has left; if the server ends, this lets it do so
            async with asyncio.timeout(_PATIENCE):
                await send(end)

    def text_of(self, messages: Sequence[tuple[str, Message]]) -> str:
        """Return what is sent of new messages, each with its id."""
        return "".join(text_of(*one) for one in messages)

    async def _send_news(self, listener: Listener, news: asyncio.Event, send: Send) -> None:
        """Send what is new, and now and then that nothing is."""
        with suppress(OSError, TimeoutError):  # the client has left, or takes nothing
            await _write(send, f"retry: {_RETRY}\nid: {self._feed.id_of(listener)}\n\n")
            while not listener.is_over:
                news.clear()
                messages = self._feed.take(listener)
                if messages:
                    await _write(send, self.text_of(messages))
                    await asyncio.sleep(self.pause)
                    continue
                try:
                    async with asyncio.timeout(_HEARTBEAT):
                        await news.wait()
                except TimeoutError:
                    await _write(send, ":\n\n")


class _Waker:
    """What wakes the clients of one event loop, by one call into it for all of them.

    The thread that publishes may be that of a registry's loop, and each such call may cost it the GIL.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: deque[asyncio.Event] = deque()
        self._is_called = False

    def wake(self, news: asyncio.Event) -> None:
        """Set an event soon; from any thread. Raises `RuntimeError` if the event loop is closed."""
        self._waiting.append(news)
        loop = self._loop()
        if loop is None or self._is_called:
            return
        self._is_called = True  # first: the call may be over before this thread goes on
        try:
            loop.call_soon_threadsafe(self._wake_all)
        except RuntimeError:
            self._is_called = False
            raise

    def _wake_all(self) -> None:
        self._is_called = False  # first: what comes from now on may be too late for this call
        with suppress(IndexError):
            while True:
                self._waiting.popleft().set()


_wakers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Waker]" = weakref.WeakKeyDictionary()


def _waker_of(loop: asyncio.AbstractEventLoop) -> _Waker:
    return _wakers.setdefault(loop, _Waker(loop))


async def _write(send: Send, text: str) -> None:
    async with asyncio.timeout(_PATIENCE):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _wait_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*waits: Coroutine[Any, Any, None]) -> None:
    """Wait until one of these ends, and cancel the others."""
    jobs = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)
    for job in jobs:
        if not job.cancelled():
            job.result()
