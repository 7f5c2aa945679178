"""The stream of what changes, for open pages: a hundred runs a second are a few messages."""

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import feed, serve
from est_alan_scheduler.web.feed import Feed, Message
from est_alan_scheduler.web.page.screens.live import MergedStream, merged
from tests import jobs
from tests.web.clients import READ, TOKEN, bearer
from tests.web.page.pages import Browser


@pytest.mark.parametrize(
    ("messages", "one"),
    [
        (
            [Message("started", {"task_id": "b"}), Message("succeeded", {"task_id": "b", "duration": 0.1})],
            Message("changed", {"task_ids": ["b"]}),
        ),
        (
            [Message("failed", {"task_id": "b"}), Message("changed", {"task_ids": ["c", "a"]})],
            Message("changed", {"task_ids": ["a", "b", "c"]}),
        ),
        (
            [Message("started", {"task_id": "b"}), Message("changed", {"task_ids": None})],
            Message("changed", {"task_ids": None}),
        ),
        ([Message("paused", {})], Message("changed", {"task_ids": [], "paused": True})),
        ([Message("paused", {}), Message("resumed", {})], Message("changed", {"task_ids": [], "paused": False})),
        (
            [Message("changed", {"task_ids": [], "paused": True}), Message("paused", {"task_id": "a"})],
            Message("changed", {"task_ids": ["a"], "paused": True}),
        ),
        ([Message("reset", {})], Message("reset", {})),
    ],
    ids=["one task", "several", "any", "pause", "last pause", "pause of another instance", "reset"],
)
def test_messages_are_merged_into_one(messages: list[Message], one: Message) -> None:
    assert merged(messages) == one


@pytest.mark.parametrize(("number", "is_named"), [(200, True), (201, False)])
def test_a_message_names_at_most_200_tasks(number: int, is_named: bool) -> None:
    ids = [f"task-{index:03}" for index in range(number)]
    found = merged(Message("started", {"task_id": task_id}) for task_id in ids)
    assert found.data == {"task_ids": ids if is_named else None}


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
        (_, first), event, (_, data) = (next(fields) for _ in range(3))
        assert event == ("event", "changed")
        assert json.loads(data) == {"task_ids": ["a"]}
    registry.pause_all()
    with client.stream("GET", "live", headers={"Last-Event-ID": first}) as response:
        found = dict(islice(lines_of(response), 5))
        assert json.loads(found["data"])["paused"] is True
    with client.stream("GET", "live", headers={"Last-Event-ID": "former-7"}) as response:
        found = dict(islice(lines_of(response), 5))
        assert (found["event"], found["data"]) == ("reset", "{}")
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
            sent.append(text.partition("data: ")[2].strip())
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
    assert json.loads(sent[0]) == {"task_ids": ["first"]}
    assert [json.loads(data) for data in sent[1:]] == [{"task_ids": sorted(map(str, range(100)))}]


def test_a_page_that_finds_too_many_listeners_is_told_so(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_LISTENERS", 0)
    response = client.get("live")
    assert (response.status_code, response.json()["detail"]) == (503, "too many clients listen already")
    assert response.headers["retry-after"] == "10"


def test_the_stream_needs_a_role(client: httpx.Client) -> None:
    assert client.get("live", headers={"Authorization": ""}).status_code == 401


def test_the_page_of_a_problem_is_not_live(registry: TaskRegistry) -> None:
    assert Browser(registry).get().one(".//*[@id='live']").attrib["role"] == "status"
    assert Browser(registry, None).get(status=401).all(".//*[@id='live']") == []
