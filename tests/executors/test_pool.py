"""Pools: what cannot be sent, what breaks, what is replaced."""

import gc
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, start_scheduler
from tests import jobs
from tests.ways import logged, wait_until, without_seconds

HOUR = {"hours": 1}


def spawn() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def run(registry: TaskRegistry, *tasks: Task) -> None:
    """Start all that is due, and wait for the outcomes of these."""
    before = [len(task.history) for task in tasks]
    registry.tick()
    wait_until(lambda: all(len(task.history) > old for task, old in zip(tasks, before, strict=True)))


def functions_of(thread: int) -> list[str]:
    """Return the names of the functions that a thread is in."""
    frame, names = sys._current_frames().get(thread), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def counting_factory() -> tuple[Callable[[], Executor], list[Executor]]:
    """Return what makes thread pools, and the list of those it has made."""
    made: list[Executor] = []

    def make() -> Executor:
        made.append(ThreadPoolExecutor(1))
        return made[-1]

    return make, made


class Manual(Executor):
    """An executor that makes a call when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.calls.append((future, lambda: fn(*args, **kwargs)))
        return future

    def step(self) -> None:
        future, call = self.calls.pop(0)
        future.set_result(call())


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with spawn() as executor:
        yield executor


class TestProcesses:
    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({"func": lambda: None}, "func <function TestProcesses.<lambda> at 0x"),
            ({"func": jobs.echo, "args": (threading.Lock(),)}, "args (<unlocked _thread.lock object at 0x"),
            (
                {"func": jobs.echo, "kwargs": {"value": threading.Lock()}},
                "kwargs {'value': <unlocked _thread.lock object at 0x",
            ),
        ],
    )
    def test_what_cannot_be_pickled_fails_and_says_what_and_why(
        self, processes: Executor, fields: dict[str, Any], what: str
    ) -> None:
        registry = TaskRegistry(executor=processes)
        task = registry.register(Task(every=HOUR, **fields))
        run(registry, task)
        assert task.status is TaskStatus.FAILED
        assert task.error_message is not None
        assert task.error_message.startswith(f"PicklingError: {what}")
        assert " cannot be pickled for another process: " in task.error_message

    def test_a_result_that_cannot_be_pickled_fails_and_says_so(self, processes: Executor) -> None:
        registry = TaskRegistry(executor=processes)
        task = registry.register(Task(every=HOUR, func=jobs.make_lambda))
        run(registry, task)
        assert task.error_message is not None
        assert task.error_message.startswith("PicklingError: the result <function make_lambda.<locals>.<lambda> at 0x")
        assert " cannot be pickled: " in task.error_message

    def test_what_cannot_be_loaded_fails_and_leaves_the_pool_whole(self, processes: Executor) -> None:
        registry = TaskRegistry(executor=processes)
        there = registry.register(Task(every=HOUR, func=jobs.echo, args=(jobs.Unloadable(),)))
        back = registry.register(Task(every=HOUR, func=jobs.make_unloadable))
        run(registry, there)
        run(registry, back)
        reason = "func or its arguments cannot be loaded in the worker process"
        assert there.error_message == f"PicklingError: {reason}: ValueError: boom"
        assert (
            back.error_message == "PicklingError: the result cannot be loaded from the worker process: ValueError: boom"
        )

    def test_the_timeout_counts_from_the_start_of_the_call_not_of_the_worker(self, tmp_path: Path) -> None:
        with spawn() as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2), timeout=0.02))
            with start_scheduler(registry=registry):
                wait_until(lambda: bool(task.history))
        assert (task.result, task.error_message) == (3, None)  # though the worker took longer than that to start

    def test_where_no_mark_can_be_left_it_counts_from_the_submission(
        self, processes: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        registry = TaskRegistry(executor=processes)
        run(registry, registry.register(Task(every=HOUR, func=int)))  # the worker is there
        task = registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),), timeout=0.01))
        registry.tick()
        wait_until(lambda: registry.pending()[0] == [])
        assert task.error_message == "TimeoutError: the run took longer than its timeout of 0.01 s"
        jobs.release_unstarted(str(tmp_path))

    def test_no_mark_of_a_timeout_is_left_behind(
        self, processes: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        registry = TaskRegistry(executor=processes)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2), timeout=30))
        run(registry, task)
        assert (task.result, list(tmp_path.iterdir())) == (3, [])


class TestBroken:
    def test_without_a_factory_tasks_fail_and_are_told_of_it(self, caplog: pytest.LogCaptureFixture) -> None:
        with spawn() as executor:
            registry = TaskRegistry(executor=executor)
            killer = registry.register(Task(id="killer", every=HOUR, func=jobs.kill_worker))
            run(registry, killer)
            task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
            run(registry, task)
        assert killer.error_message is not None
        assert killer.error_message.startswith("BrokenProcessPool: A process in the process pool was terminated")
        wait_until(
            lambda: f"Task 'killer' failed after N s: {killer.error_message}" in without_seconds(caplog.messages)
        )
        assert task.error_message is not None
        assert task.error_message.startswith(
            "BrokenExecutor: the executor is broken, and tasks fail until it is replaced; a factory has that done by "
            "itself: executor=lambda: ProcessPoolExecutor(4) ("
        )

    def test_a_factory_replaces_it(self) -> None:
        registry = TaskRegistry(executor=spawn)
        killer = registry.register(Task(every=HOUR, func=jobs.kill_worker))
        run(registry, killer)
        tasks = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(3)]
        with start_scheduler(registry=registry):
            wait_until(lambda: all(task.history for task in tasks))
        assert (killer.status, [task.result for task in tasks]) == (TaskStatus.FAILED, [3, 3, 3])

    def test_an_executor_that_was_shut_down_fails_its_tasks(self) -> None:
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        assert task.error_message == (
            "RuntimeError: the executor was shut down, and tasks fail until it is replaced; a factory has that done by "
            "itself: executor=lambda: ProcessPoolExecutor(4) (cannot schedule new futures after shutdown)"
        )

    def test_a_call_that_is_cancelled_fails(self) -> None:
        executor = Manual()
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        registry.tick()
        executor.calls[0][0].cancel()
        assert task.error_message == "RuntimeError: the executor was shut down before it made the call"

    def test_a_factory_that_fails_fails_the_task(self) -> None:
        registry = TaskRegistry(executor=lambda: 1 / 0)  # type: ignore[arg-type]  # on purpose
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        assert task.error_message == "ZeroDivisionError: division by zero"

    def test_a_factory_has_to_make_an_executor(self) -> None:
        registry = TaskRegistry(executor=lambda: 5)  # type: ignore[arg-type]  # on purpose
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        expected = "TypeError: the executor factory must return a concurrent.futures.Executor, got 5"
        assert task.error_message == expected

    def test_a_forked_child_makes_its_own_executor_or_says_why_not(self) -> None:
        script = """
            import os, sys, warnings
            from concurrent.futures import ThreadPoolExecutor
            from est_alan_scheduler import Task, TaskRegistry
            from tests.ways import wait_until, without_seconds

            warnings.simplefilter("ignore")  # Python 3.12 and later: of forking with threads
            pool = ThreadPoolExecutor(1)
            registries = [TaskRegistry(executor=pool), TaskRegistry(executor=lambda: ThreadPoolExecutor(1))]
            tasks = [made.register(Task(every={"hours": 1}, func=os.getpid)) for made in registries]
            for made, task in zip(registries, tasks):
                made.tick()
                wait_until(lambda: task.history)
            child = os.fork()
            if not child:
                for made, task in zip(registries, tasks):
                    task.last_run_at = None
                    made.tick()
                    wait_until(lambda: len(task.history) == 2)
                print(tasks[0].error_message, tasks[1].result == os.getpid())
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.stdout, done.stderr) == (
            "RuntimeError: the executor belongs to the process that this one was forked from, and tasks fail until it "
            "is replaced; a factory has that done by itself: executor=lambda: ProcessPoolExecutor(4) True\n",
            "",
        )


class TestConfigure:
    def test_the_executor_is_what_was_given(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor, max_running=3)
            assert (registry.executor, registry.max_running) == (executor, 3)
            registry.configure(max_running=None)
            assert (registry.executor, registry.max_running) == (executor, None)
            registry.configure(executor=None)
            assert (registry.executor, registry.max_running) == (None, None)

    @pytest.mark.parametrize("value", [0, -1, True, 1.5, "2"])
    def test_max_running_has_to_be_a_whole_number(self, value: Any) -> None:
        registry = TaskRegistry()
        with pytest.raises(ValueError, match="max_running") as caught:
            registry.configure(executor=Manual(), max_running=value)
        assert str(caught.value) == f"max_running must be a whole number of at least 1, or None, got {value!r}"
        assert (registry.executor, registry.max_running) == (None, None)

    def test_the_executor_has_to_be_one(self) -> None:
        with pytest.raises(TypeError, match="executor must be") as caught:
            TaskRegistry(executor=5)  # type: ignore[arg-type]  # on purpose
        expected = "executor must be a concurrent.futures.Executor, a function that makes one, or None, got 5"
        assert str(caught.value) == expected

    def test_it_is_refused_while_a_task_runs(self) -> None:
        executor = Manual()
        registry = TaskRegistry(executor=executor)
        registry.register(Task(id="a", every=HOUR, func=jobs.add, args=(1, 2)))
        registry.tick()
        with pytest.raises(RuntimeError, match="configured") as caught:
            registry.configure(executor=None)
        assert str(caught.value) == "a registry cannot be configured while tasks run: 'a'"
        executor.step()
        registry.configure(executor=None)
        assert registry.executor is None

    def test_it_is_refused_from_within_an_inline_run(self) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(id="a", every=HOUR, func=registry.configure, kwargs={"max_running": 1}))
        registry.tick()
        assert task.error_message == "RuntimeError: a registry cannot be configured while tasks run: 'a'"

    def test_what_is_not_given_stays_as_it_is(self) -> None:
        make, made = counting_factory()
        registry = TaskRegistry(executor=make)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        registry.configure(max_running=5)
        task.last_run_at = None
        run(registry, task)
        assert (len(made), task.error_message) == (1, None)
        made[0].shutdown()


class TestRecord:
    def test_nothing_keeps_a_run_alive_when_it_has_ended(self) -> None:
        class Data:
            pass

        data = Data()
        alive = weakref.ref(data)
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=jobs.echo, args=(data,), timeout=30))
            run(registry, task)
            registry.shutdown()
            registry.remove(task.id)
            registry.tick()
        gc.disable()  # without its help
        try:
            del task, data
            wait_until(lambda: alive() is None)
        finally:
            gc.enable()

    def test_a_repr_that_leaves_strands_nobody(self) -> None:
        class Leaving:
            def __repr__(self) -> str:
                raise SystemExit

        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=Leaving))
            run(registry, task)
        assert task.error_message == "RuntimeError: its outcome could not be recorded: the repr of it raised"

    def test_a_loop_that_has_stopped_does_not_touch_the_runs_of_another(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            first = start_scheduler(registry=registry)
            first.stop()
            with start_scheduler(registry=registry):  # its thread may well have the same ident
                task = registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),)))
                wait_until(lambda: jobs.count(str(tmp_path), "started") == 1)
                assert first.stop(timeout=0) is True
                assert task.status is TaskStatus.RUNNING
                jobs.release_unstarted(str(tmp_path))

    def test_a_call_whose_submission_was_interrupted_does_not_begin(self) -> None:
        class Interrupting(Manual):
            def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
                super().submit(fn, *args, **kwargs)
                raise KeyboardInterrupt

        executor = Interrupting()
        made: list[int] = []
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=made.append, args=(1,)))
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        executor.step()
        assert (task.error_message, made) == ("KeyboardInterrupt", [])


class TestRoom:
    def test_by_default_as_many_run_as_there_are_workers(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(3) as executor:
            registry = TaskRegistry(executor=executor)
            tasks = [registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),))) for _ in range(5)]
            registry.tick()
            assert [task.status.value for task in tasks] == ["running"] * 3 + ["pending"] * 2
            assert registry.idle_seconds() is None  # the end of a call is what wakes the loop
            jobs.release_unstarted(str(tmp_path))
            with start_scheduler(interval=600, registry=registry):
                wait_until(lambda: all(task.history for task in tasks))

    def test_32_run_where_the_executor_does_not_tell(self) -> None:
        executor = Manual()
        registry = TaskRegistry(executor=executor)
        tasks = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(33)]
        registry.tick()
        assert sum(task.status is TaskStatus.RUNNING for task in tasks) == 32
        executor.step()
        registry.tick()
        assert (tasks[0].status, tasks[32].status) == (TaskStatus.SUCCESS, TaskStatus.RUNNING)

    def test_where_there_is_no_room_nothing_is_started_by_hand_either(self) -> None:
        executor = Manual()
        registry = TaskRegistry(executor=executor, max_running=1)
        tasks = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(2)]
        registry.tick()
        registry._execute(tasks[1])
        assert [task.status.value for task in tasks] == ["running", "pending"]
        executor.step()
        registry.tick()
        assert [task.status.value for task in tasks] == ["success", "running"]

    def test_what_is_left_waiting_may_be_changed_and_removed(self) -> None:
        executor = Manual()
        registry = TaskRegistry(executor=executor, max_running=1)
        tasks = {name: registry.register(Task(id=name, every=HOUR, func=jobs.echo, args=(name,))) for name in "abcde"}
        registry.tick()
        executor.step()
        registry.tick()  # `b` runs, the others are set aside
        registry.remove("c")
        tasks["d"].run_at, tasks["d"].every = tasks["d"].run_at, None
        for _ in range(3):
            executor.step() if executor.calls else None
            registry.tick()
        assert [task.id for task in tasks.values() if task.history] == ["a", "b", "e"]

    def test_many_changes_of_what_waits_take_no_memory(self) -> None:
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
        assert len(registry._agenda._backlog) < 200

    def test_two_loops_share_the_room(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as executor:
            registry = TaskRegistry(executor=executor, max_running=2)
            most = []

            def work() -> None:
                most.append(len(registry.pending()[0]))

            tasks = [registry.register(Task(every={"milliseconds": 1}, func=work)) for _ in range(20)]
            with start_scheduler(registry=registry), start_scheduler(registry=registry):
                wait_until(lambda: all(len(task.history) > 3 for task in tasks))
        assert max(most) <= 2


class TestShutdown:
    def test_the_executor_of_a_factory_ends_with_the_loop_and_comes_back_with_the_next(self) -> None:
        make, made = counting_factory()
        registry = TaskRegistry(executor=make)
        task = registry.register(Task(every={"milliseconds": 1}, func=jobs.add, args=(1, 2)))
        for number in (1, 2):
            with start_scheduler(registry=registry):
                wait_until(lambda number=number: len(task.history) >= number)  # type: ignore[misc]  # of a lambda with a default
            with pytest.raises(RuntimeError, match="after shutdown"):
                made[-1].submit(print)
        assert (len(made), {run["status"] for run in task.history}) == (2, {"success"})

    def test_a_task_may_stop_the_loop_that_started_it(self) -> None:
        with ThreadPoolExecutor(2) as executor:
            registry = TaskRegistry(executor=executor)
            thread = start_scheduler(registry=registry)
            task = registry.register(Task(every=HOUR, func=thread.stop))
            wait_until(lambda: bool(task.history))
        assert (task.result, thread.is_alive()) == (True, False)

    def test_it_waits_for_what_runs_when_the_registry_was_ticked_by_hand(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=time.sleep, args=(0.02,)))
            registry.tick()
            assert registry.shutdown() is True
            assert task.status is TaskStatus.SUCCESS

    def test_a_timeout_counts_while_it_waits(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path),), timeout=0.02))
            registry.tick()
            assert registry.shutdown() is True
            assert task.error_message == "TimeoutError: the run took longer than its timeout of 0.02 s"
            jobs.release_unstarted(str(tmp_path))

    def test_a_given_up_inline_run_keeps_its_thread_from_starting_others(self, tmp_path: Path) -> None:
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

    def test_ctrl_c_in_the_blocking_loop_leaves_no_task_running(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
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
                "Task 'a' failed after N s: RuntimeError: interrupted by shutdown",
            ]
            assert without_seconds(logged(caplog)) == expected
            jobs.release_unstarted(str(tmp_path))

    def test_it_waits_in_real_time_though_time_is_frozen(self, tmp_path: Path) -> None:
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
    def test_the_end_of_the_program_prints_nothing(self, executor: str, tmp_path: Path) -> None:
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
        assert _printed(script, tmp_path) == (0, "", "")

    def test_nor_does_it_while_python_waits_for_a_pool_of_the_user(self, tmp_path: Path) -> None:
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
        code, out, err = _printed(script, tmp_path)
        assert (code, out) == (0, "")
        assert err.count("Traceback") <= 2  # of the one run that the end cut off


def test_an_error_of_the_main_program_that_a_spawned_worker_cannot_send_is_retried(tmp_path: Path) -> None:
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
    code, out, _ = _printed(script, tmp_path)
    assert (code, out) == (0, "OddError: this True\n")


def _printed(script: str, folder: Path) -> tuple[int, str, str]:
    """Run a program, and return its exit code and what it printed."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_callbacks_are_called_in_the_worker_however_fast_the_call_was() -> None:
    def submit(*call: Any) -> Future[Any]:
        """Return when the call has ended."""
        future = ThreadPoolExecutor.submit(pool, *call)
        wait([future])
        return future

    threads = []
    with ThreadPoolExecutor(1, "worker") as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "submit", submit)
        registry = TaskRegistry(executor=pool)
        registry.on("succeeded", lambda _: threads.append(threading.current_thread().name))
        registry.register(Task(run_at=datetime.now(), func=int))
        registry.tick()
    assert threads == ["worker_0"]


def test_a_task_waits_for_the_call_of_the_one_that_had_its_id_before(tmp_path: Path) -> None:
    def task() -> Task:
        return Task(id="a", every=HOUR, func=jobs.hold, args=(str(tmp_path),))

    with ThreadPoolExecutor(2) as pool:
        registry = TaskRegistry(executor=pool)
        registry.register(task())
        registry.tick()
        registry.remove("a")
        successor = registry.register(task())
        registry.tick()
        registry.tick()
        assert (successor.status, registry.idle_seconds()) == (TaskStatus.PENDING, None)
        assert registry.why_not("a") == "the call of the task that had this id before still goes on"
        jobs.release_unstarted(str(tmp_path))
        wait_until(lambda: registry.idle_seconds() == 0)
        run(registry, successor)
    assert successor.status is TaskStatus.SUCCESS


def test_a_ctrl_c_while_a_call_that_has_begun_is_handed_over_starts_no_other(tmp_path: Path) -> None:
    def submit(*call: Any) -> None:
        ThreadPoolExecutor.submit(pool, *call)
        wait_until(lambda: any(tmp_path.iterdir()))
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        registry = TaskRegistry(executor=pool)
        task = registry.register(Task(id="a", every={"milliseconds": 1}, func=jobs.hold, args=(str(tmp_path),)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "submit", submit)
            with pytest.raises(KeyboardInterrupt):
                registry.tick()
        registry.tick()
        assert ([run["status"] for run in task.history], task.status) == (["failed"], TaskStatus.FAILED)
        jobs.release_unstarted(str(tmp_path))
        wait_until(lambda: registry.why_not("a") == "due now, it runs with the next tick")
        run(registry, task)
    assert task.status is TaskStatus.SUCCESS


def test_a_subclass_of_the_thread_pool_may_send_its_calls_elsewhere() -> None:
    class Elsewhere(ThreadPoolExecutor):
        def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(pickle.loads(pickle.dumps(func)), *pickle.loads(pickle.dumps(args)))

    with Elsewhere(1) as pool:
        registry = TaskRegistry(executor=pool)
        task = registry.register(Task(run_at=datetime.now(), func=int))
        run(registry, task)
    assert (task.status, task.result) == (TaskStatus.SUCCESS, 0)
