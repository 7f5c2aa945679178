"""The answer of `why_not`: one sentence on why a task is not running."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import SchedulerThread, running
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.planning.why_not import explain, label, misfire_text
from est_alan_scheduler.schedules.schedule import Misfire
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.frozen import Frozen, work

pytestmark = pytest.mark.zone

NOT_TICKED = "due now, but nothing ticks this registry: start_scheduler(registry=…)"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"run_at": "2026-06-01T12:00:42"}, "due in 42 s at 2026-06-01 12:00:42"),
        ({"run_at": "2026-06-01T12:00:00.25"}, "due in 0.25 s at 2026-06-01 12:00:00.250000"),
        ({"at": "12:30"}, "due in 1800 s at 2026-06-01 12:30:00"),
        ({"at": "11:30"}, NOT_TICKED),
        ({"every": {"seconds": 10}}, NOT_TICKED),
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


@pytest.mark.parametrize("how", ["tick", "thread", "block", "backend"])
@freeze_time("2026-06-01 12:00:00")
def test_why_not_takes_a_program_at_its_word_that_ticks_by_itself(how: str) -> None:
    registry = TaskRegistry(backend=MemoryBackend() if how == "backend" else None)
    if how == "tick":
        registry.tick()
    elif how == "thread":
        SchedulerThread(registry, 1.0)  # it has yet to begin
    elif how == "block":
        running(registry)
    registry.register(Task(id="task", every={"seconds": 10}, func=work))
    assert registry.why_not("task") == "due now, it runs with the next tick"


def test_why_not_names_a_call_that_outlives_an_assigned_status() -> None:
    now = datetime(2026, 6, 1, 12)
    task = Task(id="a", at="07:00", func=print, last_run_at=now, error_message="of an earlier run")
    task.status = TaskStatus.SUCCESS
    expected = "its run of 2026-06-01 12:00:00 counts as success, but that call still goes on"
    assert explain(task, {"a": task}, now, called=task) == expected


def test_why_not_names_the_id_that_may_be_meant() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="fetch", at="07:00", func=print))
    registry.register(Task(id="report", every={"seconds": 1}, func=print, depends_on=["fetsh"]))
    assert registry.why_not("report") == "waits for 'fetsh', which is not registered (did you mean 'fetch'?)"


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


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"id": "a"}, "'a'"),
        ({"id": "a", "name": "Prices"}, "'a' (Prices)"),
        ({"id": "a", "name": "a"}, "'a'"),
        ({"id": "a", "name": "Prices", "description": "Loads them.\nSlowly."}, "'a' (Prices: Loads them.)"),
        ({"id": "a", "description": "Loads the prices"}, "'a' (Loads the prices)"),
        ({"id": "a", "name": "x\x1b[2J"}, "'a' (x\\x1b[2J)"),
        ({"id": "a", "name": "x" * 101}, f"'a' ({'x' * 100}…)"),
        ({"id": "a", "description": " \n"}, "'a'"),
    ],
)
def test_a_task_is_called_by_its_name_beside_its_id(fields: dict[str, Any], shown: str) -> None:
    dependency = Task(at="12:30", func=print, **fields)
    task = Task(id="b", at="07:00", func=print, depends_on=["a"])
    assert label(dependency) == shown
    answer = explain(task, {"a": dependency, "b": task}, datetime(2026, 6, 1, 12))
    assert answer == f"waits for {shown}, which has not succeeded"


def test_a_task_with_a_generated_id_is_called_by_its_function_too() -> None:
    dependency = Task(at="12:30", func=print)
    task = Task(id="b", at="07:00", func=print, depends_on=[dependency.id])
    answer = explain(task, {dependency.id: dependency, "b": task}, datetime(2026, 6, 1, 12))
    assert answer == f"waits for {dependency.id!r} (print), which has not succeeded"


def test_a_misfire_is_told_with_the_name_of_its_task() -> None:
    task = Task(id="a", at="07:00", func=print, name="Prices", misfire_grace=60)
    missed = Misfire(datetime(2026, 6, 1, 7), timedelta(seconds=90))
    assert misfire_text(task, missed) == (
        "Task 'a' (Prices) skipped its slot of 2026-06-01 07:00:00: it was 90 s late, more than its misfire_grace of"
        " 60 s."
    )


def test_an_error_of_several_lines_stays_within_the_sentence() -> None:
    def fail() -> None:
        raise ValueError("first\nsecond")

    registry = Frozen()
    registry.register(Task(id="a", every={"hours": 1}, func=fail, retry=1))
    registry.tick()
    assert registry.why_not("a").endswith("after ValueError: first\\nsecond")
