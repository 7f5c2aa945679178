"""The stream of what changes, for open pages: a hundred runs a second are a few messages."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import feed, serve
from est_alan_scheduler.web.feed import Feed
from est_alan_scheduler.web.page.screens.live import MergedStream
from tests import jobs
from tests.web.clients import READ, TOKEN, bearer
from tests.web.page.pages import Browser


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> TaskRegistry:
    monkeypatch.setattr(feed, "_PERIOD", 0.01)
    monkeypatch.setattr(feed, "_LINGER", 0.05)
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    return registry


@pytest.fixture
def client(registry: TaskRegistry) -> Iterator[httpx.Client]:
    with (
        serve(registry, port=0, auth=TOKEN, blocking=False) as server,
        httpx.Client(base_url=server.url, headers=bearer(READ), timeout=20) as client,
    ):
        yield client


def lines_of(response: httpx.Response) -> Iterator[tuple[str, str]]:
    """Yield the fields of a stream."""
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if value:
            yield name, value


def test_a_page_is_told_what_changed_and_resumes_where_it_was(
    client: httpx.Client, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_LINGER", 60.0)
    with client.stream("GET", "live") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        fields = lines_of(response)
        assert next(fields) == ("retry", "2000")
        assert next(fields)[0] == "id"
        registry.tick()
        (_, first), *message = (next(fields) for _ in range(3))
        assert message == [("event", "changed"), ("data", "{}")]
    registry.pause_all()
    with client.stream("GET", "live", headers={"Last-Event-ID": first}) as response:
        assert dict(islice(lines_of(response), 5))["event"] == "changed"
    with client.stream("GET", "live", headers={"Last-Event-ID": "former-7"}) as response:
        assert dict(islice(lines_of(response), 5))["event"] == "changed"
    monkeypatch.setattr(feed, "_LINGER", 0.0)


def test_changes_that_come_fast_are_one_message_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_LINGER", 0.0)
    monkeypatch.setattr(MergedStream, "pause", 0.05)
    opened = Feed(TaskRegistry())
    sent: list[str] = []
    is_over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await is_over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        text = message.get("body", b"").decode()
        if "data: " in text:
            sent.append(text)
            if len(sent) == 1:  # while the stream pauses
                for number in range(100):
                    opened.publish("started", {"task_id": str(number)})
            else:
                is_over.set()
        elif text:
            opened.publish("started", {"task_id": "first"})

    async def listen() -> None:
        async with asyncio.timeout(20):
            await MergedStream(opened, None)({"type": "http", "method": "GET"}, receive, send)

    asyncio.run(listen())
    assert [text.count("event: ") for text in sent] == [1, 1]


def test_a_page_that_finds_too_many_listeners_is_told_so(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_LISTENERS", 0)
    response = client.get("live")
    assert (response.status_code, response.json()["detail"]) == (503, "too many clients listen already")
    assert response.headers["retry-after"] == "10"


def test_the_stream_needs_a_role(client: httpx.Client) -> None:
    assert client.get("live", headers={"Authorization": ""}).status_code == 401


def test_every_page_is_live_but_that_of_a_problem(registry: TaskRegistry) -> None:
    browser = Browser(registry)
    for path in ("", "task?id=a", "edit?id=a", "timeline", "instances"):
        assert browser.get(path).one(".//*[@id='live']").attrib["role"] == "status"
    assert browser.get("task?id=nobody", status=404).all(".//*[@id='live']") == []
    assert Browser(registry, None).get(status=401).all(".//*[@id='live']") == []
