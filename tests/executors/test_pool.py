"""Pools: their factories, their configuration, and the record of the calls that they make."""

import gc
import pickle
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, start_scheduler
from tests import jobs
from tests.executors.helpers import HOUR, Manual, counting_factory, run, spawn
from tests.ways import wait_until, without_seconds


class TestBroken:
    def test_without_a_factory_a_broken_executor_fails_all_runs_and_names_the_remedy(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with spawn() as executor:
            registry = TaskRegistry(executor=executor)
            killer = registry.register(Task(id="killer", every=HOUR, func=jobs.kill_worker))
            run(registry, killer)
            task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
            run(registry, task)
        assert killer.error_message is not None
        assert killer.error_message.startswith("BrokenProcessPool: A process in the process pool was terminated")
        wait_until(
            lambda: (
                f"Task 'killer' (kill_worker) failed after N s: {killer.error_message}"
                in without_seconds(caplog.messages)
            )
        )
        assert task.error_message is not None
        assert task.error_message.startswith("BrokenExecutor: the executor is broken")
        assert "executor=lambda: ProcessPoolExecutor(4)" in task.error_message

    def test_a_factory_replaces_a_broken_executor(self) -> None:
        registry = TaskRegistry(executor=spawn)
        killer = registry.register(Task(every=HOUR, func=jobs.kill_worker))
        run(registry, killer)
        tasks = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(3)]
        with start_scheduler(registry=registry):
            wait_until(lambda: all(task.history for task in tasks))
        assert (killer.status, [task.result for task in tasks]) == (TaskStatus.FAILED, [3, 3, 3])

    def test_an_executor_that_was_shut_down_fails_its_runs_and_names_the_remedy(self) -> None:
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        assert task.error_message is not None
        assert task.error_message.startswith("RuntimeError: the executor was shut down")
        assert "executor=lambda: ProcessPoolExecutor(4)" in task.error_message
        assert task.error_message.endswith("(cannot schedule new futures after shutdown)")

    def test_a_cancelled_call_fails_its_run(self) -> None:
        executor = Manual()
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        registry.tick()
        executor.calls[0][0].cancel()
        assert task.error_message == "RuntimeError: the executor was shut down before it made the call"

    def test_an_error_of_the_factory_fails_the_run(self) -> None:
        registry = TaskRegistry(executor=lambda: 1 / 0)  # type: ignore[arg-type]  # on purpose
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        assert task.error_message == "ZeroDivisionError: division by zero"

    def test_a_factory_that_makes_no_executor_fails_the_run(self) -> None:
        registry = TaskRegistry(executor=lambda: 5)  # type: ignore[arg-type]  # on purpose
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        run(registry, task)
        expected = "TypeError: the executor factory must return a concurrent.futures.Executor, got 5"
        assert task.error_message == expected

    def test_a_forked_child_makes_a_new_executor_and_refuses_that_of_its_parent(self) -> None:
        script = """
            import os, sys, warnings
            from concurrent.futures import ThreadPoolExecutor
            from est_alan_scheduler import Task, TaskRegistry
            from tests.ways import wait_until, without_seconds

            warnings.simplefilter("ignore")  # Python 3.12 and later warn of forks with threads
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
                print("belongs to the process" in tasks[0].error_message, "executor=lambda" in tasks[0].error_message)
                print(tasks[1].result == os.getpid())
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout == "True True\nTrue\n"


class TestConfigure:
    def test_the_registry_shows_its_executor_and_max_running(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor, max_running=3)
            assert (registry.executor, registry.max_running) == (executor, 3)
            registry.configure(max_running=None)
            assert (registry.executor, registry.max_running) == (executor, None)
            registry.configure(executor=None)
            assert (registry.executor, registry.max_running) == (None, None)

    @pytest.mark.parametrize("value", [0, -1, True, 1.5, "2"])
    def test_max_running_must_be_a_positive_whole_number(self, value: Any) -> None:
        registry = TaskRegistry()
        with pytest.raises(ValueError, match="max_running") as caught:
            registry.configure(executor=Manual(), max_running=value)
        assert str(caught.value) == f"max_running must be a whole number of at least 1, or None, got {value!r}"
        assert (registry.executor, registry.max_running) == (None, None)

    def test_the_executor_must_be_an_executor_or_a_factory(self) -> None:
        with pytest.raises(TypeError, match="executor must be") as caught:
            TaskRegistry(executor=5)  # type: ignore[arg-type]  # on purpose
        expected = "executor must be a concurrent.futures.Executor, a function that makes one, or None, got 5"
        assert str(caught.value) == expected

    def test_a_url_in_place_of_an_executor_is_answered_with_the_backend_and_not_repeated(self) -> None:
        url: Any = "redis://me:secret@here/0"
        with pytest.raises(TypeError, match=r"or None, got a URL: write backend='redis://…'$"):
            TaskRegistry(url)

    def test_configure_is_refused_while_a_task_runs(self) -> None:
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

    def test_configure_is_refused_within_an_inline_run(self) -> None:
        registry = TaskRegistry()
        task = registry.register(Task(id="a", every=HOUR, func=registry.configure, kwargs={"max_running": 1}))
        registry.tick()
        assert task.error_message == "WrongStateError: a registry cannot be configured while tasks run: 'a'"

    def test_configure_keeps_the_options_that_are_not_given(self) -> None:
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
    def test_the_arguments_of_an_ended_run_are_freed(self) -> None:
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
        gc.disable()  # reference counting alone has to free them
        try:
            del task, data
            wait_until(lambda: alive() is None)
        finally:
            gc.enable()

    def test_a_result_whose_repr_exits_is_described_as_one_whose_repr_fails(self) -> None:
        class Leaving:
            def __repr__(self) -> str:
                raise SystemExit

        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=Leaving))
            run(registry, task)
        assert (task.status, task.error_message) == ("success", None)
        assert task.history[0]["result"] == "<Leaving whose repr failed with SystemExit>"

    def test_a_result_whose_repr_raises_what_frameworks_stop_code_by_fails_the_run(self) -> None:
        class Stop(BaseException):
            pass

        class Stopping:
            def __repr__(self) -> str:
                raise Stop

        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            task = registry.register(Task(every=HOUR, func=Stopping))
            run(registry, task)
        assert task.error_message == "RuntimeError: its outcome could not be recorded: the repr of it raised"

    def test_a_second_stop_of_a_loop_does_not_touch_the_runs_of_another_loop(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(1) as executor:
            registry = TaskRegistry(executor=executor)
            first = start_scheduler(registry=registry)
            first.stop()
            with start_scheduler(registry=registry):  # its thread may have the ident of the first one
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


def test_callbacks_run_in_the_worker_even_if_the_call_ends_during_its_submission() -> None:
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


def test_a_task_waits_for_the_call_of_a_removed_task_with_the_same_id(tmp_path: Path) -> None:
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


def test_ctrl_c_during_the_submission_of_a_call_that_has_begun_starts_no_second_call(tmp_path: Path) -> None:
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


def test_a_subclass_of_the_thread_pool_may_make_its_calls_elsewhere() -> None:
    class Elsewhere(ThreadPoolExecutor):
        def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(pickle.loads(pickle.dumps(func)), *pickle.loads(pickle.dumps(args)))

    with Elsewhere(1) as pool:
        registry = TaskRegistry(executor=pool)
        task = registry.register(Task(run_at=datetime.now(), func=int))
        run(registry, task)
    assert (task.status, task.result) == (TaskStatus.SUCCESS, 0)


def test_a_program_with_a_pool_of_its_own_ends_without_a_word() -> None:
    script = """
        from concurrent.futures import ThreadPoolExecutor
        from est_alan_scheduler import Task, TaskRegistry

        registry = TaskRegistry(executor=lambda: ThreadPoolExecutor(1))
        registry.register(Task(id="a", every={"minutes": 1}, func=list))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
