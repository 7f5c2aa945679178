"""The log of outcomes, which is the first subscriber."""

import logging
from datetime import timedelta

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus, simulate
from est_alan_scheduler.events.subscribers import log_outcome
from tests.events.helpers import record_events
from tests.frozen import SECOND, START, Frozen, boom, work
from tests.ways import without_seconds


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def test_each_attempt_is_one_line(registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "est_alan_scheduler")
    registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.register(Task(id="b", run_at=START, func=boom, retry=Retry(max_retries=1, jitter=0)))
    registry.tick()
    registry.tick_at(START + SECOND)
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR", "ERROR"]
    assert without_seconds(caplog.messages) == [
        "Task 'a' succeeded in N s",
        "Task 'b' failed after N s: ValueError: boom; next attempt at 2026-06-01 12:00:01",
        "Task 'b' failed after N s (attempt 2): ValueError: boom",
    ]


@pytest.mark.parametrize("error", [RuntimeError(), SystemExit(3)])
def test_an_error_of_a_log_handler_stops_neither_the_tick_nor_other_subscribers(
    registry: Frozen, error: BaseException
) -> None:
    class Bad(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise error

    names = record_events(registry)
    for task_id, func in (("a", boom), ("b", work)):
        registry.register(Task(id=task_id, every={"hours": 1}, func=func))
    handler = Bad()
    logging.getLogger("est_alan_scheduler").addHandler(handler)
    try:
        registry.tick()
    finally:
        logging.getLogger("est_alan_scheduler").removeHandler(handler)
    assert names[2:] == ["started a", "failed a", "gave_up a", "started b", "succeeded b"]


def test_an_interruption_of_a_log_handler_suppresses_no_subscriber(registry: Frozen) -> None:
    class Interrupted(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise KeyboardInterrupt

    names = record_events(registry)
    registry.register(Task(id="a", every={"hours": 1}, func=boom))
    handler = Interrupted()
    logging.getLogger("est_alan_scheduler").addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
    finally:
        logging.getLogger("est_alan_scheduler").removeHandler(handler)
    assert names[1:] == ["started a", "failed a"]


def test_the_log_can_be_unsubscribed(registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
    registry.off("failed", log_outcome)
    registry.register(Task(id="a", every={"hours": 1}, func=boom))
    registry.tick()
    assert caplog.messages == []


def test_a_log_that_is_subscribed_last_suppresses_no_subscriber(registry: Frozen) -> None:
    calls: list[Event] = []
    registry.on("succeeded", calls.append)
    registry.off("succeeded", log_outcome)
    registry.on("succeeded", log_outcome)
    registry.register(Task(id="a", run_at=START, func=work))
    registry.tick()
    assert len(calls) == 1


def test_a_simulation_logs_no_runs(registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "est_alan_scheduler")
    registry.register(Task(id="a", every={"hours": 1}, func=work))
    assert len(list(simulate(registry, START, START + timedelta(days=1)))) == 25
    assert caplog.messages == []


def test_no_event_is_made_for_a_success_without_subscribers(registry: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._recorder.outbox, "publish_outcome", None)
    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.tick()
    assert task.status is TaskStatus.SUCCESS


def test_a_slow_log_is_not_logged_as_a_slow_callback(caplog: pytest.LogCaptureFixture) -> None:
    with freeze_time(START) as frozen:

        class Slow(logging.Handler):
            def handle(self, record: logging.LogRecord) -> bool:
                frozen.tick(1.5)
                return True

        registry = TaskRegistry()
        registry.register(Task(id="a", every={"hours": 1}, func=boom))
        handler = Slow()
        logging.getLogger("est_alan_scheduler").addHandler(handler)
        try:
            registry.tick()
        finally:
            logging.getLogger("est_alan_scheduler").removeHandler(handler)
    assert without_seconds(caplog.messages) == ["Task 'a' failed after N s: ValueError: boom"]
