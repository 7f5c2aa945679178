"""Ownership: a task belongs to one registry at a time."""

import copy
import gc
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from est_alan_scheduler import CurrentRun, Retry, current_run
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.twin import Clock, ClockedRegistry

NOON = datetime(2026, 6, 1, 12)


def work() -> None:
    pass


def replace_store(registry: TaskRegistry) -> None:
    registry.store = {}


@pytest.fixture
def task() -> Task:
    return Task(id="a", every={"seconds": 10}, func=work)


@pytest.mark.parametrize(
    "take_in",
    [
        lambda registry, task: registry.register(task),
        lambda registry, task: registry.store.__setitem__("a", task),
        lambda registry, task: registry.store.setdefault("a", task),
        lambda registry, task: registry.store.update(a=task),
        lambda registry, task: setattr(registry, "store", {"a": task}),
    ],
)
@pytest.mark.parametrize(
    "take_in_first",
    [
        lambda registry, task: registry.register(task),
        lambda registry, task: registry.store.__setitem__("a", task),
        lambda registry, task: setattr(registry, "store", {"a": task}),
    ],
)
def test_a_second_registry_refuses_a_task(
    take_in_first: Callable[[TaskRegistry, Task], object], take_in: Callable[[TaskRegistry, Task], object], task: Task
) -> None:
    first, second = TaskRegistry(), TaskRegistry()
    take_in_first(first, task)
    with pytest.raises(ValueError, match=r"task 'a' belongs to another registry.*task\.model_copy\(\)"):
        take_in(second, task)
    assert (list(first.store), list(second.store)) == (["a"], [])


def test_a_task_can_be_registered_again_only_after_its_removal(task: Task) -> None:
    registry = TaskRegistry()
    registry.register(task)
    with pytest.raises(ValueError, match="already registered"):
        registry.register(task)
    registry.remove("a")
    assert registry.register(task) is task


@pytest.mark.parametrize("ticks_between", [True, False])
@pytest.mark.parametrize(
    "take_out",
    [
        lambda registry: registry.remove("a"),
        lambda registry: registry.store.__delitem__("a"),
        lambda registry: registry.store.pop("a"),
        lambda registry: registry.store.popitem(),
        lambda registry: registry.store.clear(),
        lambda registry: registry.store.__setitem__("a", Task(id="a", at="07:00", func=work)),
        replace_store,
    ],
)
def test_another_registry_takes_over_a_task_that_was_removed(
    take_out: Callable[[TaskRegistry], object], ticks_between: bool, task: Task
) -> None:
    first, second = ClockedRegistry(Clock(NOON)), ClockedRegistry(Clock(NOON))
    first.register(task)
    take_out(first)
    if ticks_between:
        first.tick()
    second.register(task)
    task.run_at, task.every = second.clock.read(), None
    first.tick()
    assert (task.history, first.store.get("a") is task) == ([], False)
    second.tick()
    assert [run["status"] for run in task.history] == ["success"]


def test_another_registry_takes_over_a_task_whose_registry_is_gone(task: Task) -> None:
    gc.disable()
    try:
        TaskRegistry().register(task)
        assert TaskRegistry().register(task) is task
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task)), lambda task: task.model_copy()],
)
def test_a_copy_belongs_to_no_registry(duplicate: Callable[[Task], Task], task: Task) -> None:
    first, second = ClockedRegistry(Clock(NOON)), ClockedRegistry(Clock(NOON))
    first.register(task)
    twin = second.register(duplicate(task))
    twin.every = {"seconds": 20}
    for registry in (first, second):
        for seconds in (0, 10, 20):
            registry.clock.utc = NOON + timedelta(seconds=seconds)
            registry.tick()
    assert (len(task.history), len(twin.history)) == (3, 2)


def test_a_registry_sees_the_end_of_a_run_that_another_one_began(task: Task) -> None:
    first, second = ClockedRegistry(Clock(NOON)), ClockedRegistry(Clock(NOON))

    def move() -> None:
        first.remove("a")
        second.register(task)
        second.tick()
        assert (task.status, len(task.history)) == (TaskStatus.RUNNING, 0)

    task.func = move
    first.register(task)
    first.tick()
    task.func = work
    second.clock.utc = NOON + timedelta(seconds=10)
    second.tick()
    assert [run["run_at"] for run in task.history] == [
        first._now(),
        second._now(),
    ]


def test_a_refused_task_still_runs_in_its_own_registry(task: Task) -> None:
    first, second = ClockedRegistry(Clock(NOON)), TaskRegistry()
    first.register(task)
    with pytest.raises(ValueError, match="another registry"):
        second.register(task)
    first.tick()
    assert len(task.history) == 1


@pytest.mark.parametrize("is_ticked", [False, True])
def test_a_task_that_is_put_back_into_the_store_keeps_its_missed_slots(is_ticked: bool) -> None:
    registry = ClockedRegistry(Clock(NOON))
    task = registry.register(Task(id="a", cron="* * * * *", func=work))
    registry.clock.utc = NOON + timedelta(minutes=2, seconds=30)
    del registry.store["a"]
    if is_ticked:
        registry.tick()
    registry.store["a"] = task
    how = "it runs with the next tick" if is_ticked else "but nothing ticks this registry: start_scheduler(registry=…)"
    assert (registry.idle_seconds(), registry.why_not("a")) == (0, f"due now, {how}")
    registry.tick()
    assert len(task.history) == 1


def test_the_slots_of_a_task_that_is_registered_anew_count_from_then_on() -> None:
    registry = ClockedRegistry(Clock(NOON))
    task = registry.register(Task(id="a", cron="* * * * *", func=work))
    registry.clock.utc = NOON + timedelta(minutes=2, seconds=30)
    registry.remove("a")
    registry.register(task)
    assert registry.idle_seconds() == 30


def test_a_retry_of_a_task_that_is_put_back_into_the_store_keeps_its_slot() -> None:
    registry, slots = ClockedRegistry(Clock(NOON)), []

    def fail() -> None:
        slots.append(current_run())
        raise ValueError

    retry = Retry(max_retries=1, delay=5, jitter=0)
    task = registry.register(Task(id="a", every={"hours": 1}, func=fail, retry=retry))
    registry.tick()
    registry.clock.utc = NOON + timedelta(seconds=6)
    registry.store["a"] = registry.store.pop("a")
    registry.tick()
    first = task.history[0]["run_at"]
    assert slots == [CurrentRun("a", first, 1), CurrentRun("a", first, 2)]
