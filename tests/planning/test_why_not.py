"""The answer of `why_not`: one sentence on why a task is not running."""

from datetime import datetime
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler.planning.why_not import explain
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

pytestmark = pytest.mark.zone


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"run_at": "2026-06-01T12:00:42"}, "due in 42 s at 2026-06-01 12:00:42"),
        ({"run_at": "2026-06-01T12:00:00.25"}, "due in 0.25 s at 2026-06-01 12:00:00.250000"),
        ({"at": "12:30"}, "due in 1800 s at 2026-06-01 12:30:00"),
        ({"at": "11:30"}, "due now, it runs with the next tick"),
        ({"every": {"seconds": 10}}, "due now, it runs with the next tick"),
        ({"every": {"seconds": 10}, "depends_on": ["a"]}, "waits for 'a', which has not succeeded"),
        (
            {"at": "12:30", "depends_on": ["a", "b"]},
            "due in 1800 s at 2026-06-01 12:30:00, and waits for 'a', which has not succeeded, and waits for 'b', "
            "which is not registered",
        ),
        (
            {"run_at": "2026-06-01", "last_run_at": "2026-06-01T09:00:00"},
            "ran once at 2026-06-01 09:00:00, never again",
        ),
        (
            {"every": {"days": 999_999_999}, "last_run_at": "2026-06-01"},
            "never due: its next slot is beyond the calendar",
        ),
        (
            {"at": "12:30", "status": TaskStatus.RUNNING, "last_run_at": "2026-06-01T11:00:00"},
            "running since 2026-06-01 11:00:00",
        ),
        ({"at": "12:30", "status": TaskStatus.RUNNING}, "marked as running, though it never ran"),
    ],
)
@freeze_time("2026-06-01 12:00:00")
def test_why_not_gives_one_sentence_for_each_reason(fields: dict[str, Any], sentence: str) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", run_at=datetime(2030, 1, 1), func=print))
    registry.register(Task(id="task", func=print, **fields))
    assert registry.why_not("task") == sentence


def test_why_not_names_a_call_that_outlives_an_assigned_status() -> None:
    now = datetime(2026, 6, 1, 12)
    task = Task(id="a", at="07:00", func=print, last_run_at=now, error_message="of an earlier run")
    task.status = TaskStatus.SUCCESS
    expected = "its run of 2026-06-01 12:00:00 counts as success, but that call still goes on"
    assert explain(task, {"a": task}, now, called=task) == expected


def test_why_not_names_the_missing_or_extra_schedule_option() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="a", at="07:00", func=print))
    expected = "never due: exactly one of every / at / run_at / cron / after / manual must be set, "
    task.at = None
    assert registry.why_not("a") == f"{expected}got none of them"
    task.at, task.every = "07:00", {"seconds": 1}
    assert registry.why_not("a") == f"{expected}got every and at"


def test_why_not_prints_a_dependency_cycle_made_by_assignment() -> None:
    registry = TaskRegistry()
    for task_id in ("a", "b"):
        registry.register(Task(id=task_id, every={"seconds": 1}, func=print))
    registry.store["a"].depends_on = ["b"]
    registry.store["b"].depends_on = ["a"]
    assert registry.why_not("a") == "waits for itself: a -> b -> a, and waits for 'b', which has not succeeded"


def test_why_not_of_an_unknown_id_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="'a'"):
        TaskRegistry().why_not("a")
