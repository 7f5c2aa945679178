"""The shutdown of registries whose calls are made by pools."""

import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, start_scheduler
from tests import jobs
from tests.executors.helpers import HOUR, counting_factory, run_program
from tests.ways import logged, wait_until, without_seconds


def functions_of(thread: int) -> list[str]:
    """Return the names of the functions that a thread is in."""
    frame, names = sys._current_frames().get(thread), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def test_the_executor_of_a_factory_ends_with_its_loop_and_the_next_loop_makes_another() -> None:
    make, made = counting_factory()
    registry = TaskRegistry(executor=make)
    task = registry.register(Task(every={"milliseconds": 1}, func=jobs.add, args=(1, 2)))
    for number in (1, 2):
        with start_scheduler(registry=registry):
            wait_until(lambda number=number: len(task.history) >= number)  # type: ignore[misc]  # of a lambda with a default
        with pytest.raises(RuntimeError, match="after shutdown"):
            made[-1].submit(print)
    assert (len(made), {run["status"] for run in task.history}) == (2, {"success"})


def test_a_task_may_stop_the_loop_that_started_it() -> None:
    with ThreadPoolExecutor(2) as executor:
        registry = TaskRegistry(executor=executor)
        thread = start_scheduler(registry=registry)
        task = registry.register(Task(every=HOUR, func=thread.stop))
        wait_until(lambda: bool(task.history))
    assert (task.result, thread.is_alive()) == (True, False)


def test_shutdown_waits_for_the_runs_of_a_registry_that_was_ticked_by_hand() -> None:
    with ThreadPoolExecutor(1) as executor:
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=time.sleep, args=(0.02,)))
        registry.tick()
        assert registry.shutdown() is True
        assert task.status is TaskStatus.SUCCESS


def test_a_timeout_ends_a_run_while_shutdown_waits(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),), timeout=0.02))
        registry.tick()
        assert registry.shutdown() is True
        assert task.error_message == "TimeoutError: the run took longer than its timeout of 0.02 s"
        jobs.release_unstarted(str(tmp_path))


def test_a_thread_that_is_stopped_during_an_inline_run_starts_no_other_run(tmp_path: Path) -> None:
    registry = TaskRegistry()
    first = registry.register(Task(id="a", every=HOUR, func=jobs.hold, args=(str(tmp_path),)))
    second = registry.register(Task(id="b", every=HOUR, func=jobs.add, args=(1, 2)))
    thread = start_scheduler(registry=registry)
    wait_until(lambda: jobs.count(str(tmp_path), "started") == 1)
    assert thread.stop(timeout=0.01) is False
    jobs.release_unstarted(str(tmp_path))
    assert thread.stop() is True
    assert (first.error_message, second.status) == ("RuntimeError: interrupted by shutdown", TaskStatus.PENDING)
    registry.tick()
    assert second.result == 3


def test_ctrl_c_in_the_blocking_loop_leaves_no_task_running(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with ThreadPoolExecutor(1) as executor:
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(id="a", every=HOUR, func=jobs.hold, args=(str(tmp_path),)))
        main = threading.get_ident()

        def press() -> None:
            wait_until(lambda: jobs.count(str(tmp_path), "started") == 1 and "tick" not in functions_of(main))
            os.kill(os.getpid(), 2)

        presser = threading.Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            start_scheduler(interval=600, blocking=True, registry=registry)
        presser.join()
        assert main == threading.get_ident()
        assert task.error_message == "RuntimeError: interrupted by shutdown"
        expected = [
            "Interrupted by shutdown while they ran: 'a'",
            "Task 'a' (hold) failed after N s: RuntimeError: interrupted by shutdown",
        ]
        assert without_seconds(logged(caplog)) == expected
        jobs.release_unstarted(str(tmp_path))


def test_shutdown_waits_in_real_time_while_time_is_frozen(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor, freeze_time("2026-06-01 12:00"):
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),)))
        registry.tick()
        assert registry.shutdown(timeout=0.02) is False
        assert task.error_message == "RuntimeError: interrupted by shutdown"
        jobs.release_unstarted(str(tmp_path))


@pytest.mark.parametrize(
    "executor",
    [
        "ThreadPoolExecutor(2)",
        "lambda: ThreadPoolExecutor(2)",
        "ProcessPoolExecutor(2)",
        "lambda: ProcessPoolExecutor(2, mp_context=get_context('spawn'))",
        "None",
    ],
)
def test_the_end_of_the_program_prints_nothing(executor: str, tmp_path: Path) -> None:
    script = f"""
        import logging, time
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
        from multiprocessing import get_context
        from est_alan_scheduler import Task, TaskRegistry, start_scheduler

        if __name__ == "__main__":
            logging.basicConfig()
            registry = TaskRegistry(executor={executor})
            for _ in range(20):
                registry.register(Task(every={{"milliseconds": 1}}, func=time.sleep, args=(0.001,)))
            start_scheduler(registry=registry)
            while not any(task.history for task in registry):
                time.sleep(0.01)
    """
    assert run_program(script, tmp_path) == (0, "", "")


def test_the_end_of_the_program_interrupts_at_most_one_run_while_python_waits_for_another_pool(tmp_path: Path) -> None:
    script = """
        import asyncio, logging, time
        from concurrent.futures import ThreadPoolExecutor
        from est_alan_scheduler import Task, TaskRegistry, start_scheduler

        async def work() -> None:
            await asyncio.to_thread(int)

        logging.basicConfig()
        registry = TaskRegistry()
        registry.register(Task(every={"milliseconds": 1}, func=work))
        ThreadPoolExecutor(1).submit(time.sleep, 0.3)
        start_scheduler(registry=registry)
        time.sleep(0.05)
    """
    code, out, err = run_program(script, tmp_path)
    assert (code, out) == (0, "")
    assert err.count("failed after") <= 1  # a run may be told in several tracebacks


def test_the_end_of_the_program_waits_for_a_pool_that_is_being_shut_down(tmp_path: Path) -> None:
    script = """
        import time
        from concurrent.futures import ThreadPoolExecutor
        from est_alan_scheduler import Task, TaskRegistry, start_scheduler

        class SlowPool(ThreadPoolExecutor):
            def shutdown(self, wait=True):
                time.sleep(0.2)
                super().shutdown(wait)
                print("shut down")

        registry = TaskRegistry(executor=lambda: SlowPool(1))
        task = registry.register(Task(every={"hours": 1}, func=int))
        thread = start_scheduler(registry=registry)
        while not task.history:
            time.sleep(0.01)
        print(thread.stop(timeout=60))
    """
    assert run_program(script, tmp_path) == (0, "True\nshut down\n", "")
