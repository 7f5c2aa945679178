"""The events that a registry publishes."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Retry, Task, TaskRegistry
from tests import jobs
from tests.events.helpers import record_events
from tests.frozen import SECOND, START, Frozen, boom, work
from tests.ways import wait_until


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def test_a_run_publishes_started_and_succeeded() -> None:
    with freeze_time(START) as frozen:
        registry = TaskRegistry()
        events: list[Event] = []
        for name in ("started", "succeeded"):
            registry.on(name, events.append)

        def take_long() -> str:
            frozen.tick(2.5)
            return "done"

        registry.register(Task(id="a", run_at=START - SECOND, func=take_long))
        registry.tick()
    assert events == [
        Event("started", "a", slot=START - SECOND, attempt=1, started_at=START),
        Event(
            "succeeded",
            "a",
            slot=START - SECOND,
            attempt=1,
            started_at=START,
            finished_at=START + 2.5 * SECOND,
            duration=2.5,
            result="done",
            consecutive_failures=0,
        ),
    ]


def test_a_failed_attempt_publishes_failed_and_then_retrying_if_another_attempt_follows() -> None:
    error = ValueError("boom")

    def fail() -> None:
        raise error

    with freeze_time(START) as frozen:
        registry = TaskRegistry()
        events: list[Event] = []
        for name in ("failed", "retrying"):
            registry.on(name, events.append)
        registry.register(Task(id="a", run_at=START, func=fail, retry=Retry(max_retries=1, jitter=0)))
        registry.tick()
        frozen.tick(1)
        registry.tick()
    later = START + SECOND
    first = Event("failed", "a", START, 1, START, START, 0.0, None, error, "ValueError: boom", later, 1)
    last = Event("failed", "a", START, 2, later, later, 0.0, None, error, "ValueError: boom", None, 2)
    assert events == [first, replace(first, name="retrying"), last]


@pytest.mark.parametrize(
    ("react", "is_published"),
    [
        (lambda registry: registry.update("a", args=()), True),
        (lambda registry: registry.pause("a"), True),  # it comes when the task is resumed
        (lambda registry: registry.update("a", timezone="Asia/Seoul"), True),
        (lambda registry: registry.update("a", retry=None), False),
        (lambda registry: registry.update("a", retry=0), False),
        (lambda registry: registry.update("a", retry_at=None), False),
        (lambda registry: registry.run_now("a"), False),
        (lambda registry: registry.update("a", retry_at=START + 60 * SECOND), False),
        (lambda registry: registry.remove("a"), False),
    ],
)
def test_a_retry_that_a_callback_cancels_is_not_published(
    registry: Frozen, react: Callable[[TaskRegistry], Any], is_published: bool
) -> None:
    registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1)))
    registry.on("failed", lambda event: react(registry))
    events: list[Event] = []
    registry.on("retrying", events.append)
    registry.tick()
    assert len(events) == is_published


def test_a_retry_that_begins_during_a_callback_on_failed_is_published() -> None:
    go, names = threading.Event(), []
    with ThreadPoolExecutor(2) as pool:
        registry = TaskRegistry(executor=pool)
        registry.on("failed", lambda event: event.attempt == 1 and go.wait(60))
        registry.on("retrying", lambda event: names.append(f"retrying after attempt {event.attempt}"))
        task = registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1, delay=0)))
        registry.tick()
        wait_until(lambda: task.retry_at is not None)
        registry.tick()
        wait_until(lambda: len(task.history) == 2)
        go.set()
    assert names == ["retrying after attempt 1"]


def test_a_retry_that_ends_during_a_callback_on_failed_is_published(registry: Frozen) -> None:
    def tick_on(event: Event) -> None:
        if event.started_at == START:
            registry.tick_at(START + SECOND)  # the retry
            registry.tick_at(START + 60 * SECOND)  # the next slot

    published: list[Any] = []
    registry.on("failed", tick_on)
    registry.on("retrying", lambda event: published.append(event.started_at))
    registry.register(Task(id="a", every={"seconds": 60}, func=boom, retry=Retry(max_retries=1, delay=1, jitter=0)))
    registry.tick()
    assert published == [START + 60 * SECOND, START]


def test_a_retry_of_a_later_slot_is_not_published_as_that_of_an_earlier_slot(registry: Frozen) -> None:
    def cancel_retry(event: Event) -> None:
        if event.started_at == START:
            registry.store["a"].retry_at = None
            registry.tick_at(START + 60 * SECOND)
            registry.tick_at(START + 61 * SECOND)

    published: list[Any] = []
    registry.on("failed", cancel_retry)
    registry.on("retrying", lambda event: published.append(event.started_at))
    registry.register(Task(id="a", every={"seconds": 60}, func=boom, retry=Retry(max_retries=1, delay=1, jitter=0)))
    registry.tick()
    assert published == [START + 60 * SECOND]


@pytest.mark.parametrize("change", [lambda registry: registry.remove("a"), lambda registry: registry.run_now("a")])
def test_a_retry_that_is_cancelled_during_the_run_is_not_announced(
    registry: Frozen, change: Callable[[TaskRegistry], object], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        change(registry)
        raise ValueError("boom")

    moments = []
    registry.on("failed", lambda event: moments.append(event.retry_at))
    registry.register(Task(id="a", run_at=START, func=fail, retry=Retry()))
    registry.tick()
    assert (moments, "next attempt" in caplog.text) == ([None], False)


def test_each_change_of_a_task_publishes_one_event(registry: Frozen) -> None:
    names = record_events(registry)
    registry.register(Task(id="a", at="23:00", func=work))
    registry.update("a", at="22:00")
    registry.pause("a")
    registry.pause("a")
    registry.resume("a")
    registry.resume("a")
    registry.pause_all()
    registry.pause_all()
    registry.resume_all()
    registry.remove("a")
    assert names == [
        "registered a",
        "updated a",
        "paused a",
        "resumed a",
        "paused None",
        "resumed None",
        "removed a",
    ]


def test_a_change_is_published_before_the_loop_is_woken(registry: Frozen) -> None:
    names = record_events(registry)
    registry._loop_side.add_waker(lambda: names.append("woken"))
    registry.register(Task(id="a", at="23:00", func=work))
    registry.update("a", at="22:00")
    registry.pause("a")
    registry.resume("a")
    registry.pause_all()
    registry.resume_all()
    assert names[::2] == [
        "registered a",
        "updated a",
        "paused a",
        "resumed a",
        "paused None",
        "resumed None",
    ]
    assert set(names[1::2]) == {"woken"}


def test_the_loop_is_woken_even_if_a_callback_raises_an_interruption(registry: Frozen) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    woken: list[bool] = []
    registry._loop_side.add_waker(lambda: woken.append(True))
    registry.on("registered", interrupt)
    with pytest.raises(KeyboardInterrupt):
        registry.register(Task(id="a", at="23:00", func=work))
    assert (woken, "a" in registry) == ([True], True)


def test_a_refused_change_publishes_nothing(registry: Frozen) -> None:
    registry.register(Task(id="a", at="23:00", func=work))
    names = record_events(registry)
    for method, argument in (("register", Task(id="a", at="23:00", func=work)), ("remove", "b"), ("pause", "b")):
        with pytest.raises((ValueError, KeyError)):
            getattr(registry, method)(argument)
    with pytest.raises(ValueError, match="exactly one"):
        registry.update("a", at=None)
    assert names == []


def test_a_skipped_slot_publishes_misfired(registry: Frozen) -> None:
    events: list[Event] = []
    registry.on("misfired", events.append)
    registry.register(Task(id="a", at="11:00", func=work, misfire_grace=60))
    registry.tick()
    assert events == [Event("misfired", "a", slot=START.replace(hour=11))]


def test_a_run_in_a_pool_publishes_started_and_succeeded() -> None:
    with ThreadPoolExecutor(1) as pool:
        registry = TaskRegistry(executor=pool)
        names = record_events(registry)
        registry.register(Task(id="a", run_at=datetime.now(), func=work))
        registry.tick()
        wait_until(lambda: len(names) == 3)
    assert names == ["registered a", "started a", "succeeded a"]


def test_a_run_that_exceeds_its_timeout_publishes_failed_once(tmp_path: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        registry = TaskRegistry(executor=pool)
        names = record_events(registry)
        registry.register(Task(id="a", run_at=datetime.now(), func=jobs.hold, args=(str(tmp_path),), timeout=0.02))
        registry.tick()
        wait_until(lambda: registry.pending()[1] == 0 or "failed a" in names)
        registry.tick()
        jobs.release_unstarted(str(tmp_path))
    assert names == ["registered a", "started a", "failed a", "gave_up a"]


def test_durations_are_measured_by_the_monotonic_clock(registry: Frozen) -> None:
    events: list[Event] = []
    registry.on("succeeded", events.append)

    def step_back() -> None:
        time.sleep(0.005)
        registry.now -= timedelta(hours=1)

    registry.register(Task(id="a", run_at=START, func=step_back))
    registry.tick()
    assert 0.005 <= (events[0].duration or math.nan) < 60
