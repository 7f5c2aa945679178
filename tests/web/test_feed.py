"""The feed of what changes, without a server."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from est_alan_scheduler import MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.web import feed as module
from est_alan_scheduler.web.feed import Feed, Message, text_of
from tests import jobs
from tests.ways import wait_until


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """Return a feed of a registry with a task, that looks often."""
    monkeypatch.setattr(module, "_PERIOD", 0.01)
    monkeypatch.setattr(module, "_LINGER", 0.05)
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    feed = Feed(registry)
    yield feed
    wait_until(lambda: feed._thread is None)


def registry_of(feed: Feed) -> TaskRegistry:
    return feed._registry


def nothing() -> None:
    """Wake nobody."""


def test_a_client_gets_what_happens_from_its_coming_on(feed: Feed) -> None:
    feed.publish("changed", {"task_ids": ["x"]})
    listener = feed.join(nothing, None)
    assert listener is not None
    assert feed.take(listener) == []
    registry_of(feed).tick()
    (first, started), (second, succeeded) = feed.take(listener)
    assert [first, second] == [f"{feed._generation}-1", f"{feed._generation}-2"]
    assert (started.kind, succeeded.kind) == ("started", "succeeded")
    assert started.data.keys() == {"task_id", "slot", "attempt", "started_at"}
    assert succeeded.data.keys() == {
        "task_id", "slot", "attempt", "started_at", "finished_at", "duration", "consecutive_failures"
    }  # fmt: skip
    assert feed.take(listener) == []
    feed.leave(listener)


def test_no_message_has_a_result_or_an_error(feed: Feed) -> None:
    registry = registry_of(feed)
    registry.register(Task(id="bad", every={"hours": 1}, func=jobs.boom))
    listener = feed.join(nothing, None)
    assert listener is not None
    registry.tick()
    text = "".join(text_of(*one) for one in feed.take(listener))
    assert "event: failed" in text
    assert "boom" not in text
    assert "result" not in text
    feed.leave(listener)


def test_a_client_who_comes_back_gets_what_it_has_missed(feed: Feed) -> None:
    listener = feed.join(nothing, None)
    assert listener is not None
    for number in range(3):
        feed.publish("changed", {"task_ids": [str(number)]})
    (_, last), *_ = [(message.data, message_id) for message_id, message in feed.take(listener)]
    feed.leave(listener)
    back = feed.join(nothing, last)
    assert back is not None
    assert [message.data["task_ids"] for _, message in feed.take(back)] == [["1"], ["2"]]
    feed.leave(back)


@pytest.mark.parametrize(
    "last", ["", "0", "era-0", "{era}-", "{era}-4", "{era}--1", "{era}-²", "{era}-" + "9" * 30, "\ud800"]
)
def test_a_client_who_names_no_kept_message_is_told_to_begin_anew(feed: Feed, last: str) -> None:
    first = feed.join(nothing, None)
    assert first is not None
    for number in range(3):
        feed.publish("changed", {"task_ids": [str(number)]})
    listener = feed.join(nothing, last.format(era=feed._generation) if "{" in last else last)
    assert listener is not None
    assert feed.take(listener) == [(f"{feed._generation}-3", Message("reset", {}))]
    assert feed.take(listener) == []
    feed.leave(listener)
    feed.leave(first)


def test_a_slow_client_costs_nothing_and_is_told_to_begin_anew(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[bool] = []
    listener = feed.join(lambda: woken.append(True), None)
    assert listener is not None
    for number in range(module._MOST_KEPT):
        feed.publish("changed", {"task_ids": [str(number)]})
    assert woken == [True]  # not again before it has taken something
    assert listener.position == 0
    feed.publish("changed", {"task_ids": ["one too many"]})
    assert [message.kind for _, message in feed.take(listener)] == ["reset"]
    feed.publish("changed", {"task_ids": ["later"]})
    assert [message.data for _, message in feed.take(listener)] == [{"task_ids": ["later"]}]
    assert woken == [True, True]
    feed.leave(listener)


def test_the_number_of_clients_is_bounded(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LISTENERS", 2)
    first, second = feed.join(nothing, None), feed.join(nothing, None)
    assert first is not None
    assert second is not None
    assert feed.join(nothing, None) is None
    feed.leave(first)
    third = feed.join(nothing, None)
    assert third is not None
    feed.leave(second)
    feed.leave(third)


def test_without_clients_nothing_is_subscribed_and_no_thread_lives(feed: Feed) -> None:
    callbacks = dict(registry_of(feed)._recorder.subscribers.callbacks)
    listener = feed.join(nothing, None)
    assert listener is not None
    assert registry_of(feed)._recorder.subscribers.callbacks != callbacks
    thread = feed._thread
    assert thread is not None
    feed.leave(listener)
    thread.join(10)
    assert not thread.is_alive()
    assert registry_of(feed)._recorder.subscribers.callbacks == callbacks
    again = feed.join(nothing, f"{feed._generation}-0")  # what happened meanwhile is not known
    assert again is not None
    assert [message.kind for _, message in feed.take(again)] == ["reset"]
    feed.leave(again)


def test_a_client_whose_event_loop_is_closed_hinders_nobody(feed: Feed) -> None:
    def wake() -> None:
        raise RuntimeError("Event loop is closed")

    listener = feed.join(wake, None)
    assert listener is not None
    registry_of(feed).tick()
    assert registry_of(feed)["a"].status == "success"
    feed.leave(listener)


def test_what_other_instances_do_is_told_as_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PERIOD", 0.01)
    monkeypatch.setattr(module, "_LINGER", 0.0)
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    for task_id in ("a", "b"):
        worker.register(Task(id=task_id, every={"hours": 1}, func=jobs.add, args=(1, 2), start_at="2100-01-01"))
    observer.expose(jobs.add)
    observer.refresh()
    feed = Feed(observer)
    listener = feed.join(nothing, None)
    assert listener is not None
    found: list[Message] = []

    def told(act: Callable[[], Any]) -> list[Message]:
        found.clear()
        act()
        wait_until(has_found)
        return found

    def has_found() -> bool:
        found.extend(message for _, message in feed.take(listener))
        return bool(found)

    assert told(lambda: worker.pause("b")) == [Message("changed", {"task_ids": ["b"]})]
    assert told(worker.pause_all) == [Message("changed", {"task_ids": [], "paused": True})]
    assert told(worker.resume_all) == [Message("changed", {"task_ids": [], "paused": False})]
    monkeypatch.setattr(module, "_MOST_NAMED", 1)
    assert told(lambda: worker.prune(["a", "b"])) == [Message("changed", {"task_ids": None})]
    feed.leave(listener)
    wait_until(lambda: feed._thread is None)
    worker.shutdown(0)


def test_an_error_of_a_backend_is_logged_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, feed: Feed
) -> None:
    def refresh() -> None:
        raise LookupError("odd")

    monkeypatch.setattr(registry_of(feed), "refresh", refresh)
    listener = feed.join(nothing, None)
    assert listener is not None
    wait_until(lambda: "could not be read" in caplog.text)
    registry_of(feed).tick()
    assert [message.kind for _, message in feed.take(listener)] == ["started", "succeeded"]
    feed.leave(listener)


def test_a_message_is_text_that_breaks_no_line() -> None:
    data = {"task_id": "a\nb\r\ud800", "slot": datetime(2026, 3, 1, tzinfo=UTC), "attempt": 1}
    assert text_of("e-1", Message("started", data)) == (
        "id: e-1\nevent: started\n"
        'data: {"task_id":"a\\nb\\r\\ud800","slot":"2026-03-01T00:00:00+00:00","attempt":1}\n\n'
    )
