"""The history of all tasks as one list."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from est_alan_scheduler.backends import Backend, MemoryBackend
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.runs.history import Past, latest_runs
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import MINUTE, adder
from tests.frozen import SECOND, START, Frozen, boom, work
from tests.messages import missing


def run(second: int, status: str = "success") -> dict[str, Any]:
    return {"run_at": START + second * SECOND, "status": status}


PASTS = [Past("a", [run(1), run(4, "failed")], 2), Past("b", [run(2), run(3)], 7)]


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
    pasts = [Past("a", [run(1)], 1), Past("b", [{"run_at": aware, "status": "success"}], 1)]
    assert [line["task_id"] for line in latest_runs(pasts, None, None, 9)] == ["b", "a"]
    assert [line["task_id"] for line in latest_runs(pasts, None, aware + SECOND, 9)] == ["a"]


def test_a_history_entry_equals_that_of_the_task() -> None:
    registry = Frozen()
    done = registry.register(Task(id="a", every={"seconds": 1}, func=work))
    registry.register(Task(id="b", every={"seconds": 1}, func=boom))
    registry.tick()
    assert registry.history("a") == [{"task_id": "a", **done.history[0], "epoch": 1}]
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


def pages(registry: TaskRegistry, size: int, **asked: Any) -> list[dict[str, Any]]:
    """Return the history page by page, put together."""
    found = [registry.history(limit=size, **asked)]
    while found[-1]:
        assert len(found) < 100, "it goes on for ever"
        found.append(registry.history(limit=size, before=found[-1][0], **asked))
    return [run for page in reversed(found) for run in page]


class TestBefore:
    @pytest.fixture
    def registry(self) -> TaskRegistry:
        """Return a registry with several runs of each task at the same moment."""
        registry = Frozen()
        for name in "bac":
            registry.register(Task(id=name, every=MINUTE, func=boom if name == "c" else work, history_limit=4))
        for _ in range(6):
            for name in "bac":
                registry.run_now(name)
            registry.tick()
        return registry

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 12, 13, 100])
    @pytest.mark.parametrize("asked", [{}, {"task_id": "a"}, {"status": "failed"}, {"since": START}])
    def test_pages_of_any_size_have_each_run_once(self, registry: Frozen, size: int, asked: dict[str, Any]) -> None:
        whole = registry.history(limit=1_000, **asked)
        assert pages(registry, size, **asked) == whole
        assert [(run["task_id"], run["epoch"]) for run in registry.history()] == [
            (name, number) for name in "abc" for number in (3, 4, 5, 6)
        ]

    def test_a_page_stays_the_same_while_more_runs_are_recorded(self, registry: Frozen) -> None:
        page = registry.history("a", limit=1)
        before = registry.history("a", before=page[0])
        registry.run_now("a")
        registry.tick()
        assert registry.history("a", before=page[0]) == before[1:]  # the oldest is not kept any more

    def test_a_run_of_another_program_is_given_by_its_key(self, registry: Frozen) -> None:
        run = registry.history()[5]
        key = {"run_at": to_utc(run["run_at"]).replace(tzinfo=UTC), "task_id": run["task_id"], "epoch": run["epoch"]}
        assert registry.history(before=key) == registry.history()[:5]

    @pytest.mark.parametrize("backend", [None, MemoryBackend()])
    @pytest.mark.parametrize(
        "before",
        [
            5,
            {},
            START,
            {"run_at": "2020-01-01", "task_id": "a", "epoch": 1},
            {"run_at": START, "task_id": 1, "epoch": 1},
            {"run_at": START, "task_id": "a", "epoch": True},
        ],
    )
    def test_anything_but_a_run_is_refused(self, backend: Backend | None, before: Any) -> None:
        expected = "before must be a run that history() has returned, with its run_at, task_id and epoch, or None, got "
        with pytest.raises(TypeError) as caught:
            TaskRegistry(backend=backend).history(before=before)
        assert str(caught.value).startswith(expected)

    @pytest.mark.parametrize(("task_id", "epoch"), [("x\0", 1), ("a", -1), ("a", 2**63)])
    def test_a_run_that_no_backend_can_have_is_refused(self, task_id: str, epoch: int) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        with pytest.raises(ValueError, match=r"before must be a run that history\(\) has returned, got run "):
            registry.history(before={"run_at": START, "task_id": task_id, "epoch": epoch})


def test_the_history_of_a_backend_has_pages_too(join: Callable[..., TaskRegistry], set_zone: Any, clock: Clock) -> None:
    set_zone("Europe/Berlin")
    clock.now = 1_792_886_400_000_000  # before a clock change: this hour of wall time comes twice
    registry = join()
    registry.register(adder("a", timezone="Asia/Seoul"))
    registry.register(adder("b", args=(1,), func=abs))
    registry.register(adder("c", func=jobs.boom, args=()))
    for _ in range(8):
        registry.tick()
        clock.advance(600)
    questions: list[dict[str, Any]] = [
        {},
        {"task_id": "b"},
        *({"status": one} for one in ("failed", "running", "pending")),
    ]
    for asked in questions:
        for size in (1, 2, 5, 100):
            assert pages(registry, size, **asked) == registry.history(**asked)
    assert len(registry.history()) == 24
