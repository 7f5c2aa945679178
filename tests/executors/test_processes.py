"""Pools of processes: pickling, timeouts, broken workers."""

import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, start_scheduler
from tests import jobs
from tests.executors.helpers import HOUR, run, run_program, spawn
from tests.ways import wait_until


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with spawn() as executor:
        yield executor


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"func": lambda: None}, "func <function <lambda> at 0x"),
        ({"func": jobs.echo, "args": (threading.Lock(),)}, "args (<unlocked _thread.lock object at 0x"),
        (
            {"func": jobs.echo, "kwargs": {"value": threading.Lock()}},
            "kwargs {'value': <unlocked _thread.lock object at 0x",
        ),
    ],
)
def test_a_part_that_cannot_be_pickled_fails_the_run_with_its_name_and_the_reason(
    processes: Executor, fields: dict[str, Any], part: str
) -> None:
    registry = TaskRegistry(executor=processes)
    task = registry.register(Task(every=HOUR, **fields))
    run(registry, task)
    assert task.status is TaskStatus.FAILED
    assert task.error_message is not None
    assert task.error_message.startswith(f"PicklingError: {part}")
    assert " cannot be pickled for another process: " in task.error_message


def test_a_result_that_cannot_be_pickled_fails_the_run_and_is_named(processes: Executor) -> None:
    registry = TaskRegistry(executor=processes)
    task = registry.register(Task(every=HOUR, func=jobs.make_lambda))
    run(registry, task)
    assert task.error_message is not None
    assert task.error_message.startswith("PicklingError: the result <function make_lambda.<locals>.<lambda> at 0x")
    assert " cannot be pickled: " in task.error_message


def test_arguments_and_results_that_cannot_be_loaded_fail_the_run_but_not_the_pool(processes: Executor) -> None:
    registry = TaskRegistry(executor=processes)
    argument = registry.register(Task(every=HOUR, func=jobs.echo, args=(jobs.Unloadable(),)))
    result = registry.register(Task(every=HOUR, func=jobs.make_unloadable))
    run(registry, argument)
    run(registry, result)
    place = "the worker process: ValueError: boom"
    assert argument.error_message == f"PicklingError: func or its arguments cannot be loaded in {place}"
    assert result.error_message == f"PicklingError: the result cannot be loaded from {place}"


def test_a_timeout_counts_from_the_start_of_the_call_not_of_the_worker(tmp_path: Path) -> None:
    with spawn() as executor:
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2), timeout=0.02))
        with start_scheduler(registry=registry):
            wait_until(lambda: bool(task.history))
    assert (task.result, task.error_message) == (3, None)  # the start of the worker takes longer than the timeout


def test_a_timeout_does_not_count_while_a_call_waits_for_a_worker(processes: Executor, tmp_path: Path) -> None:
    registry = TaskRegistry(executor=processes, max_running=2)
    registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),)))
    task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2), timeout=0.02))
    registry.tick()
    wait_until(lambda: jobs.count(str(tmp_path), "started") == 1)
    time.sleep(0.05)
    assert (len(registry.pending()[0]), task.status) == (2, TaskStatus.RUNNING)
    jobs.release_unstarted(str(tmp_path))
    wait_until(lambda: bool(task.history))
    assert (task.result, task.error_message) == (3, None)


def test_without_a_writable_folder_a_timeout_counts_from_the_submission(
    processes: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    registry = TaskRegistry(executor=processes)
    run(registry, registry.register(Task(every=HOUR, func=int)))  # now the worker has started
    task = registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),), timeout=0.01))
    registry.tick()
    wait_until(lambda: registry.pending()[0] == [])
    assert task.error_message == "TimeoutError: the run took longer than its timeout of 0.01 s"
    jobs.release_unstarted(str(tmp_path))


def test_a_call_with_a_timeout_leaves_no_file_behind(
    processes: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    registry = TaskRegistry(executor=processes)
    task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2), timeout=30))
    run(registry, task)
    assert (task.result, list(tmp_path.iterdir())) == (3, [])


def test_an_error_class_of_the_main_program_that_cannot_be_pickled_is_retried(tmp_path: Path) -> None:
    script = """
        import multiprocessing, time
        from concurrent.futures import ProcessPoolExecutor
        from est_alan_scheduler import Retry, Task, TaskRegistry

        class OddError(Exception):
            def __init__(self, one, two):
                super().__init__(one)

        def fail():
            raise OddError("this", "that")

        if __name__ == "__main__":
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                registry = TaskRegistry(executor=pool)
                retry = Retry(delay=600, on=(OddError,))
                task = registry.register(Task(run_at="2026-01-01", func=fail, retry=retry))
                registry.tick()
                while not task.history:
                    time.sleep(0.01)
            print(task.error_message, task.retry_at is not None)
    """
    code, out, _ = run_program(script, tmp_path)
    assert (code, out) == (0, "OddError: this True\n")
