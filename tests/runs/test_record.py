"""The record of a run: what came of it, before it is written anywhere."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry
from est_alan_scheduler.executors.call import Call
from est_alan_scheduler.runs.record import build_record
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.task import Task, TaskStatus

NOON, SECOND = datetime(2026, 6, 1, 12), timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _zone(set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")


def run_of(due: datetime | None = NOON, epoch: int | None = None, **fields: Any) -> Run:
    run = Run(Task(id="a", func=print, **fields), NOON, 0.0, due, 1, epoch, None, ThreadContext(), is_call=False)
    run.began, run.late = 100.0, None if due is None else 3.0
    return run


def test_a_success_has_a_result_and_a_line_of_the_history() -> None:
    run = run_of()
    record = build_record(run, [1], None, NOON + 2 * SECOND, 102.0)
    assert record[:5] == (TaskStatus.SUCCESS, [1], None, None, None)
    assert (record.clock, record.duration, record.late) == (NOON + 2 * SECOND, 2.0, 3.0)
    assert record.line == {
        "run_at": NOON,
        "finished_at": NOON + 2 * SECOND,
        "status": "success",
        "result": "[1]",
        "error": None,
        "attempt": 1,
    }


def test_a_failure_has_an_error_and_the_moment_of_its_retry() -> None:
    error = ValueError("boom")
    record = build_record(run_of(retry=Retry(max_retries=1, delay=10, jitter=0)), None, error, NOON, 100.0)
    assert record[:5] == (TaskStatus.FAILED, None, None, error, NOON + 10 * SECOND)
    assert (record.line["status"], record.line["error"], record.line["result"]) == ("failed", "ValueError: boom", None)


def test_a_backend_gets_the_result_as_json_and_so_does_its_task() -> None:
    record = build_record(run_of(epoch=1), (1, 2), None, NOON, 100.0)
    assert (record.result, record.stored_result) == ([1, 2], "[1, 2]")


@pytest.mark.parametrize(("seconds", "duration"), [(None, 1.0), (0.5, 0.5)])
def test_a_call_that_began_later_took_less_and_was_later(seconds: float | None, duration: float) -> None:
    run = run_of()
    run.call = Call(print, (), {}, run, None)
    run.call.began_at, run.call.seconds = 101.0, seconds
    record = build_record(run, None, None, NOON, 102.0)
    assert (record.duration, record.late) == (duration, 4.0)


def test_to_build_a_record_changes_nothing() -> None:
    run = run_of()
    before = [getattr(run, name) for name in Run.__slots__[1:]]
    assert build_record(run, 1, None, NOON, 102.0) == build_record(run, 1, None, NOON, 102.0)
    assert [getattr(run, name) for name in Run.__slots__[1:]] == before
    assert run.task.history == []


@pytest.mark.parametrize("due", [None, AT_ONCE])
def test_the_slot_of_a_run_that_nothing_was_due_for_is_its_start(due: datetime | None) -> None:
    assert run_of(due).slot == NOON
    assert run_of(NOON - SECOND).slot == NOON - SECOND
