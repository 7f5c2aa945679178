"""The number of runs in flight in a pool."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, start_scheduler
from tests import jobs
from tests.executors.helpers import HOUR, Manual
from tests.ways import wait_until


def test_by_default_there_are_as_many_runs_as_workers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        registry = TaskRegistry(executor=executor)
        tasks = [registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),))) for _ in range(5)]
        registry.tick()
        assert [task.status.value for task in tasks] == ["running"] * 3 + ["pending"] * 2
        assert registry.idle_seconds() is None  # the end of a call wakes the loop
        jobs.release_unstarted(str(tmp_path))
        with start_scheduler(interval=600, registry=registry):
            wait_until(lambda: all(task.history for task in tasks))


def test_an_executor_with_an_unknown_number_of_workers_takes_32_runs() -> None:
    executor = Manual()
    registry = TaskRegistry(executor=executor)
    tasks = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(33)]
    registry.tick()
    assert sum(task.status is TaskStatus.RUNNING for task in tasks) == 32
    executor.step()
    registry.tick()
    assert (tasks[0].status, tasks[32].status) == (TaskStatus.SUCCESS, TaskStatus.RUNNING)


def test_without_capacity_a_start_by_hand_leaves_the_task_pending() -> None:
    executor = Manual()
    registry = TaskRegistry(executor=executor, max_running=1)
    tasks = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(2)]
    registry.tick()
    registry._execute(tasks[1])
    assert [task.status.value for task in tasks] == ["running", "pending"]
    executor.step()
    registry.tick()
    assert [task.status.value for task in tasks] == ["success", "running"]


def test_waiting_tasks_can_be_changed_and_removed() -> None:
    executor = Manual()
    registry = TaskRegistry(executor=executor, max_running=1)
    tasks = {name: registry.register(Task(id=name, every=HOUR, func=jobs.echo, args=(name,))) for name in "abcde"}
    registry.tick()
    executor.step()
    registry.tick()  # `b` runs, and the others wait
    registry.remove("c")
    tasks["d"].run_at, tasks["d"].every = tasks["d"].run_at, None
    for _ in range(3):
        executor.step() if executor.calls else None
        registry.tick()
    assert [task.id for task in tasks.values() if task.history] == ["a", "b", "e"]


def test_many_changes_of_waiting_tasks_take_no_memory() -> None:
    executor = Manual()
    registry = TaskRegistry(executor=executor, max_running=1)
    latest = datetime(2026, 1, 1)
    tasks = [registry.register(Task(run_at=latest, func=jobs.add, args=(1, 2))) for _ in range(10)]
    busy = registry.register(Task(run_at=latest - timedelta(days=1), func=jobs.add, args=(1, 2)))
    for number in range(200):
        busy.run_at = busy.last_run_at = None
        busy.run_at = latest - timedelta(days=1)
        for task in tasks:
            task.run_at = latest - number * timedelta(seconds=1)
        registry.tick()
        executor.step()
    assert (len(busy.history), [len(task.history) for task in tasks]) == (100, [0] * 10)
    assert len(registry._agenda.heap.moments) < 200


def test_two_loops_share_one_max_running(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        registry = TaskRegistry(executor=executor, max_running=2)
        most = []

        def work() -> None:
            most.append(len(registry.pending()[0]))

        tasks = [registry.register(Task(every={"milliseconds": 1}, func=work)) for _ in range(20)]
        with start_scheduler(registry=registry), start_scheduler(registry=registry):
            wait_until(lambda: all(len(task.history) > 3 for task in tasks))
    assert max(most) <= 2
