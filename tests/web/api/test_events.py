"""The stream of what changes, over HTTP."""

import asyncio
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import feed, serve
from est_alan_scheduler.web.api import events
from est_alan_scheduler.web.feed import Feed
from tests import jobs
from tests.web.client import Client
from tests.web.clients import READ, TOKEN, bearer

Served = Callable[..., httpx.Client]


class Stream:
    """A client that listens in a thread."""

    def __init__(self, client: httpx.Client, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers
        self._blocks: queue.Queue[str | None] = queue.Queue()
        self.has_ended = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> dict[str, str]:
        """Return the fields of the next block of lines."""
        block = self._blocks.get(timeout=20)
        assert block is not None, "the stream has ended"
        lines = [line.partition(": ") for line in block.splitlines()]
        return {name if separator else "comment": value if separator else name for name, separator, value in lines}

    def events(self, number: int) -> list[dict[str, str]]:
        """Return the next events, without heartbeats."""
        found: list[dict[str, str]] = []
        while len(found) < number:
            fields = self.next()
            if "event" in fields:
                found.append(fields)
        return found

    def _listen(self) -> None:
        try:
            with self._client.stream("GET", "/events", headers=self._headers) as response:
                self.response = response
                block = ""
                for line in response.iter_lines():
                    block += line + "\n"
                    if not line:
                        self._blocks.put(block.strip("\n"))
                        block = ""
        except httpx.HTTPError:
            pass
        finally:
            self.has_ended.set()
            self._blocks.put(None)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a feed look often, and end soon."""
    monkeypatch.setattr(feed, "_PERIOD", 0.01)
    monkeypatch.setattr(feed, "_LINGER", 0.1)


@pytest.fixture
def registry() -> TaskRegistry:
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    return registry


@pytest.fixture
def listen(served: Served, registry: TaskRegistry) -> Callable[..., Stream]:
    """Open streams of one server."""
    client = served(registry, READ)

    def start(**headers: str) -> Stream:
        stream = Stream(client, headers)
        assert stream.next().keys() == {"retry", "id"}
        return stream

    return start


def test_what_happens_is_told_with_an_id_and_a_kind(listen: Callable[..., Stream], registry: TaskRegistry) -> None:
    stream = listen()
    assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.response.headers["cache-control"] == "no-store"
    registry.pause("a")
    registry.resume("a")
    registry.tick()
    found = stream.events(4)
    assert [one["event"] for one in found] == ["paused", "resumed", "started", "succeeded"]
    assert [one["id"].partition("-")[2] for one in found] == ["1", "2", "3", "4"]
    data = [json.loads(one["data"]) for one in found]
    assert [one["task_id"] for one in data] == ["a"] * 4
    assert all("result" not in one for one in data)


def test_a_stream_is_resumed_where_it_was_left(listen: Callable[..., Stream], registry: TaskRegistry) -> None:
    stream = listen()
    for _ in range(2):
        registry.pause("a")
        registry.resume("a")
    ids = [one["id"] for one in stream.events(4)]
    back = listen(**{"Last-Event-ID": ids[1]})
    assert [one["id"] for one in back.events(2)] == ids[2:]


def test_a_client_comes_back_after_an_unknown_id_and_begins_anew(listen: Callable[..., Stream]) -> None:
    assert [one["event"] for one in listen(**{"Last-Event-ID": "former-7"}).events(1)] == ["reset"]


def test_a_silent_stream_has_a_heartbeat(listen: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT", 0.01)
    stream = listen()
    assert [stream.next() for _ in range(2)] == [{"comment": ":"}] * 2


def test_a_client_who_leaves_frees_its_place(
    served: Served, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_LISTENERS", 1)
    client = served(registry)
    with client.stream("GET", "/events") as first:
        assert first.status_code == 200
        second = client.get("/events")
        assert (second.status_code, second.json()["detail"]) == (503, "too many clients listen already")
        assert second.headers["retry-after"] == "10"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with client.stream("GET", "/events") as third:
            if third.status_code == 200:
                return
        time.sleep(0.02)
    pytest.fail("the place was never free")


def test_a_stream_needs_a_role(registry: TaskRegistry) -> None:
    assert Client(registry, role=None).request("GET", "/events").status_code == 401


def test_the_head_of_a_stream_has_no_stream(registry: TaskRegistry) -> None:
    response = Client(registry).request("HEAD", "/events")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_streams_do_not_hold_up_the_end_of_a_server(registry: TaskRegistry) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(registry, port=0, auth=TOKEN, blocking=False))
        client = stack.enter_context(httpx.Client(base_url=server.url + "api", headers=bearer(READ)))
        streams = [Stream(client, {}) for _ in range(3)]
        for stream in streams:
            stream.next()
        began = time.monotonic()
        assert server.stop(timeout=20)
        assert time.monotonic() - began < 3
        assert all(stream.has_ended.wait(5) for stream in streams)


SERVER = """
import socket
import uvicorn
from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import create_app
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = create_app(TaskRegistry(), allow_anonymous="read")
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
"""


@pytest.mark.slow
def test_streams_do_not_hold_up_the_end_of_another_server() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with httpx.Client(base_url=f"http://127.0.0.1:{process.stdout.readline().strip()}/api", timeout=60) as client:
            stream = Stream(client, {})
            stream.next()
            process.terminate()
            process.wait(10)
            assert stream.has_ended.wait(5)


async def stalled(send_message: Callable[[dict[str, Any]], Any]) -> Feed:
    """Open a stream whose client takes its messages by `send_message`, and return its feed when it has ended."""
    opened = Feed(TaskRegistry())

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        await send_message(message)

    async with asyncio.timeout(20):
        await events.EventStream(opened, None)({"type": "http", "method": "GET"}, receive, send)
    return opened


def test_a_client_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PATIENCE", 0.01)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    assert asyncio.run(stalled(send))._listeners == set()


def test_a_client_who_has_left_is_left_in_silence() -> None:
    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the connection is closed")

    assert asyncio.run(stalled(send))._listeners == set()


def test_streams_cost_no_thread_each(listen: Callable[..., Stream]) -> None:
    listen()
    before = threading.active_count()
    streams: list[Any] = [listen() for _ in range(5)]
    assert threading.active_count() - before <= len(streams)  # those of the clients


def test_all_clients_of_an_event_loop_are_woken_by_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_LINGER", 0.0)
    opened = Feed(TaskRegistry())
    calls: list[Any] = []
    counts = [0, 0, 0]

    async def receive() -> dict[str, Any]:
        while counts != [2, 2, 2]:
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def listen(index: int) -> None:
        async def send(message: Any) -> None:
            counts[index] += message.get("body", b"").count(b"event: ")

        await events.EventStream(opened, None)({"type": "http", "method": "GET"}, receive, send)

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe

        def note(*given: Any) -> object:
            calls.append(given)
            return call(*given)

        monkeypatch.setattr(loop, "call_soon_threadsafe", note)
        for number in (1, 2):
            while len(opened._listeners) < 3 or any(listener._is_woken for listener in opened._listeners):
                await asyncio.sleep(0)
            opened.publish("changed", {"task_ids": [str(number)]})

    async def main() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(publish(), *map(listen, range(3)))

    asyncio.run(main())
    assert len(calls) == 2


def test_a_closed_event_loop_hinders_no_other_wake() -> None:
    loop = asyncio.new_event_loop()
    waker = events._Waker(loop)
    loop.close()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            waker.wake(asyncio.Event())
