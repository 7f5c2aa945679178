"""The history of all tasks as one list."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from est_alan_scheduler.backends import Backend, MemoryBackend
from est_alan_scheduler.runs.history import latest_runs
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.cluster.helpers import adder
from tests.frozen import SECOND, START, Frozen, boom, work
from tests.messages import missing


def run(second: int, status: str = "success") -> dict[str, Any]:
    return {"run_at": START + second * SECOND, "status": status}


PASTS = [("a", [run(1), run(4, "failed")]), ("b", [run(2), run(3)])]


def shown(runs: list[dict[str, Any]]) -> str:
    return " ".join(f"{run['task_id']}{(run['run_at'] - START).seconds}" for run in runs)


@pytest.mark.parametrize(
    ("status", "since", "limit", "expected"),
    [
        (None, None, 100, "a1 b2 b3 a4"),
        (None, None, 3, "b2 b3 a4"),
        (None, None, 0, ""),
        (TaskStatus.FAILED, None, 100, "a4"),
        (TaskStatus.RUNNING, None, 100, ""),
        (None, START + 3 * SECOND, 100, "b3 a4"),
        (TaskStatus.SUCCESS, START + 2 * SECOND, 1, "b3"),
    ],
)
def test_history_returns_the_latest_runs_oldest_first(
    status: TaskStatus | None, since: datetime | None, limit: int, expected: str
) -> None:
    assert shown(latest_runs(PASTS, status, since, limit)) == expected


def test_history_is_ordered_by_instant_across_zones(set_zone: Callable[[str], None]) -> None:
    set_zone("Asia/Seoul")  # nine hours ahead of UTC
    aware = START.replace(hour=3, tzinfo=UTC)
    pasts = [("a", [run(1)]), ("b", [{"run_at": aware, "status": "success"}])]
    assert [line["task_id"] for line in latest_runs(pasts, None, None, 9)] == ["b", "a"]
    assert [line["task_id"] for line in latest_runs(pasts, None, aware + SECOND, 9)] == ["a"]


def test_a_history_entry_equals_that_of_the_task() -> None:
    registry = Frozen()
    done = registry.register(Task(id="a", every={"seconds": 1}, func=work))
    registry.register(Task(id="b", every={"seconds": 1}, func=boom))
    registry.tick()
    assert registry.history("a") == [{"task_id": "a", **done.history[0]}]
    assert [run["task_id"] for run in registry.history(status="failed")] == ["b"]


@pytest.mark.parametrize("limit", [-1, True, 1.5, None])
def test_a_limit_that_is_not_a_whole_number_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match="limit") as caught:
        TaskRegistry().history(limit=limit)
    assert missing(caught.value, "limit", "whole number", "at least 0", f"got {limit!r}") == []


@pytest.mark.parametrize("backend", [None, MemoryBackend()])
@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ({"since": "2020-01-01"}, ["since", "datetime", "None", "got '2020-01-01'"]),
        ({"since": date(2020, 1, 1)}, ["since", "datetime", "None", "got datetime.date(2020, 1, 1)"]),
        ({"task_id": 5}, ["task_id", "text", "None", "got 5"]),
    ],
)
def test_the_error_names_the_invalid_argument(backend: Backend | None, asked: dict[str, Any], parts: list[str]) -> None:
    registry = TaskRegistry(backend=backend)
    with pytest.raises(TypeError) as caught:
        registry.history(**asked)
    assert missing(caught.value, *parts) == []


def test_a_registry_without_a_backend_has_a_history() -> None:
    registry = TaskRegistry()
    registry.register(adder())
    registry.register(adder("bad", func=boom, args=()))
    registry.tick()
    (bad,) = registry.history(status="failed")
    assert (bad["task_id"], bad["error"]) == ("bad", "ValueError: boom")
    assert [run["task_id"] for run in registry.history(limit=1)] == ["bad"]
    assert registry.history(since=datetime.max) == registry.history(limit=0) == registry.history("c") == []
