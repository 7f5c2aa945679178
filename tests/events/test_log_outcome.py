"""The log of outcomes, which is the first subscriber."""

import functools
import logging
import re
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus, simulate
from est_alan_scheduler._support.text import error_text
from est_alan_scheduler.events.subscribers import log_outcome
from tests.events.helpers import record_events
from tests.executors.helpers import run_program
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
        "Task 'b' (boom) failed after N s: ValueError: boom; next attempt at 2026-06-01 12:00:01",
        "Task 'b' (boom) failed after N s (attempt 2): ValueError: boom",
    ]


def test_a_failure_shows_the_name_and_the_description_of_its_task(
    registry: Frozen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "est_alan_scheduler")
    said: dict[str, Any] = {"name": "Prices", "description": "Loads the prices.\nFrom the bank."}
    registry.register(Task(id="a", every={"hours": 1}, func=boom, **said))
    registry.register(Task(id="b", every={"hours": 1}, func=work, **said))
    registry.register(Task(id="boom", every={"hours": 1}, func=boom))
    registry.register(Task(id="c", every={"hours": 1}, func=functools.partial(lambda: 1 / 0)))
    registry.tick()
    assert without_seconds(caplog.messages) == [
        "Task 'a' (Prices: Loads the prices.) failed after N s: ValueError: boom",
        "Task 'b' (Prices: Loads the prices.) succeeded in N s",
        "Task 'boom' failed after N s: ValueError: boom",
        "Task 'c' (<lambda>) failed after N s: ZeroDivisionError: division by zero",
    ]


@pytest.mark.parametrize(("error", "is_traced"), [(KeyboardInterrupt(), False), (SystemExit(3), True)])
def test_an_interruption_is_one_line_because_the_program_gets_it(
    registry: Frozen, caplog: pytest.LogCaptureFixture, error: BaseException, is_traced: bool
) -> None:
    def fail() -> None:
        raise error

    registry.register(Task(id="a", every={"hours": 1}, func=fail))
    with pytest.raises(KeyboardInterrupt) if not is_traced else nullcontext():
        registry.tick()
    (record,) = caplog.records
    assert without_seconds([record.getMessage()]) == [f"Task 'a' (fail) failed after N s: {error_text(error)}"]
    assert bool(record.exc_info) is is_traced


QUIET = """
    from est_alan_scheduler import Task, TaskRegistry

    def divide():
        return 1 / 0

    def alert(event):
        raise RuntimeError("no alert")

    registry = TaskRegistry()
    registry.on("failed", alert)
    registry.register(Task(id="a", every={"hours": 1}, func=divide))
    registry.register(Task(id="b", every={"hours": 1}, func=list))
    registry.register(Task(id="c", every={"hours": 1}, func=list, depends_on=["nobody"]))
    registry.tick()
    registry.tick()
"""


def test_without_configuration_failures_reach_stderr_and_successes_do_not(tmp_path: Path) -> None:
    code, out, err = run_program(QUIET, tmp_path)
    assert (code, out) == (0, "")
    lines = without_seconds(err.splitlines())
    begins = [line for line in lines if line.startswith(("Task ", "The callback "))]
    assert begins[:2] == [
        "Task 'nobody' is not registered, but others depend on it and wait, 'c' among them.",
        "Task 'a' (divide) failed after N s: ZeroDivisionError: division by zero",
    ]
    assert re.sub("0x[0-9a-f]+", "N", begins[2]) == (
        "The callback <function alert at N> of the event 'failed' (task 'a') failed: RuntimeError: no alert"
    )
    assert begins[3:] == []
    assert lines[lines.index(begins[1]) + 1] == "Traceback (most recent call last):"
    assert "    return 1 / 0" in lines
    assert '    raise RuntimeError("no alert")' in lines
    assert lines[-1] == "RuntimeError: no alert"


def test_a_null_handler_of_the_application_silences_the_log(tmp_path: Path) -> None:
    silence = """
    import logging
    logging.getLogger("est_alan_scheduler").addHandler(logging.NullHandler())
    """
    assert run_program(silence + QUIET, tmp_path) == (0, "", "")


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
    assert without_seconds(caplog.messages) == ["Task 'a' (boom) failed after N s: ValueError: boom"]
