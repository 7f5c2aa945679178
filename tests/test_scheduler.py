"""The loop: in a daemon thread, or blocking."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from asyncio import CancelledError
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from freezegun import freeze_time

import est_alan_scheduler
from est_alan_scheduler import scheduler
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.loops.ticking import check
from est_alan_scheduler.scheduler import SchedulerThread, run_scheduler, start_scheduler
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.messages import missing
from tests.ways import wait_until

pytestmark = pytest.mark.zone

NO_TASKS = "The global registry, which this loop ticks, has no tasks: is registry=… missing?"
TWO_LOOPS = "Another loop ticks this registry already: no task runs twice, but each loop has to be stopped."


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> TaskRegistry:
    """Replace the global registry by a fresh one."""
    registry = TaskRegistry()
    monkeypatch.setattr(scheduler, "registry", registry)
    return registry


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Record the pauses of a blocking loop in frozen time; stop it by Ctrl+C after ten."""
    slept: list[float] = []
    with freeze_time("2026-06-01 12:00:00") as frozen:

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            frozen.tick(seconds)
            if len(slept) == 10:
                raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", sleep)
        yield slept


def run_until_ctrl_c(**options: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        start_scheduler(blocking=True, **options)


def _press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class TestStart:
    def test_the_interval_may_be_a_timedelta(self) -> None:
        registry = TaskRegistry()
        with start_scheduler(timedelta(milliseconds=1500), registry=registry) as thread:
            assert thread._interval == 1.5
            assert thread.stop(timedelta(seconds=10))
        assert check(timedelta(seconds=2), registry) == 2.0

    def test_a_registry_in_place_of_the_interval_is_answered_with_its_name(self) -> None:
        registry: Any = TaskRegistry()
        for start in (start_scheduler, lambda registry: run_scheduler(registry).send(None)):
            with pytest.raises(ValueError, match="interval must be a finite number") as caught:
                start(registry)
            assert str(caught.value).endswith(
                "got <TaskRegistry: 0 tasks>: a registry is given by name, registry=registry"
            )

    @pytest.mark.parametrize("interval", [timedelta(0), 0, -1, float("nan"), float("inf"), True, "1", None])
    def test_the_interval_must_be_finite_and_positive(self, interval: Any) -> None:
        with pytest.raises(ValueError, match="interval") as caught:
            start_scheduler(interval)
        assert missing(caught.value, "finite", "seconds", "greater than 0", f"got {interval!r}") == []

    def test_an_object_that_cannot_tick_is_refused_as_registry(self) -> None:
        with pytest.raises(ValueError, match="registry must be a TaskRegistry, got 'abc'"):
            start_scheduler(registry="abc")  # type: ignore[call-overload]  # the wrong type is the test

    def test_the_package_exports_the_registry_of_the_scheduler_module(self, registry: TaskRegistry) -> None:
        assert est_alan_scheduler.registry is registry
        assert est_alan_scheduler.start_scheduler is start_scheduler
        with pytest.raises(AttributeError, match="module 'est_alan_scheduler' has no attribute 'nothing'"):
            est_alan_scheduler.nothing  # noqa: B018  # looking it up is the test

    def test_all_is_sorted_and_every_name_in_it_exists(self) -> None:
        assert est_alan_scheduler.__all__ == sorted(est_alan_scheduler.__all__)
        assert all(hasattr(est_alan_scheduler, name) for name in est_alan_scheduler.__all__)


class TestBlocking:
    def test_the_loop_pauses_for_the_interval_while_nothing_is_planned(
        self, registry: TaskRegistry, pauses: list[float]
    ) -> None:
        run_until_ctrl_c(interval=2)
        assert pauses == [2] * 10

    def test_the_loop_pauses_at_most_until_the_next_due_moment(
        self, registry: TaskRegistry, pauses: list[float]
    ) -> None:
        task = registry.register(Task(every={"milliseconds": 1500}, func=print, args=("",), kwargs={"end": ""}))
        run_until_ctrl_c(interval=1)
        assert pauses == [1, 0.5] * 5
        assert [run["run_at"] - task.history[0]["run_at"] for run in task.history] == [
            number * timedelta(milliseconds=1500) for number in range(5)
        ]

    def test_the_loop_ticks_at_once_for_a_dependent_that_became_ready(
        self, registry: TaskRegistry, pauses: list[float]
    ) -> None:
        registry.register(Task(id="a", every={"hours": 1}, func=list))
        dependent = registry.register(Task(every={"hours": 1}, func=list, depends_on=["a"]))
        run_until_ctrl_c(interval=5)
        assert pauses == [0] + [5] * 9
        assert dependent.last_run_at == datetime(2026, 6, 1, 12)

    def test_the_loop_ticks_the_given_registry(self, registry: TaskRegistry, pauses: list[float]) -> None:
        other = TaskRegistry()
        tasks = [made.register(Task(every={"hours": 1}, func=list)) for made in (registry, other)]
        run_until_ctrl_c(registry=other)
        assert [len(task.history) for task in tasks] == [0, 1]

    @pytest.mark.parametrize("case", ["empty", "a task", "a backend", "given"])
    def test_a_loop_of_the_global_registry_says_that_there_are_no_tasks(
        self, registry: TaskRegistry, pauses: list[float], caplog: pytest.LogCaptureFixture, case: str
    ) -> None:
        if case == "a task":
            registry.register(Task(run_at=datetime(2030, 1, 1), func=print))
        elif case == "a backend":
            registry.configure(backend=MemoryBackend())
        run_until_ctrl_c(**({"registry": TaskRegistry()} if case == "given" else {}))
        assert len(pauses) == 10
        assert caplog.messages == ([NO_TASKS] if case == "empty" else [])

    def test_the_loop_logs_and_survives_an_error_of_a_tick(
        self,
        registry: TaskRegistry,
        pauses: list[float],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        registry.register(Task(run_at=datetime(2030, 1, 1), func=print))
        monkeypatch.setattr(registry, "tick", Mock(side_effect=RuntimeError("boom")))
        run_until_ctrl_c(interval=3)
        assert pauses == [3] * 10
        assert caplog.messages == ["A tick failed; the scheduler goes on."] * 10

    def test_ctrl_c_in_a_task_is_recorded_and_raised(self, registry: TaskRegistry) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        task = registry.register(Task(every={"hours": 1}, func=interrupt))
        run_until_ctrl_c()
        assert (task.status, task.error_message) == (TaskStatus.FAILED, "KeyboardInterrupt")

    def test_the_loop_logs_and_survives_a_cancelled_error_of_a_task(
        self, registry: TaskRegistry, pauses: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        def cancel() -> None:
            raise CancelledError

        tasks = [registry.register(Task(every={"hours": 1}, func=func)) for func in (cancel, list)]
        run_until_ctrl_c(interval=5)
        assert [task.status.value for task in tasks] == ["failed", "success"]
        assert caplog.messages[-1] == "A task was interrupted; the scheduler goes on."
        assert pauses == [0] + [5] * 9

    @pytest.mark.parametrize("answer", [None, -5, float("nan"), "soon", 1e300, float("inf")])
    def test_the_pause_is_between_zero_and_the_interval_for_any_idle_seconds(
        self, registry: TaskRegistry, pauses: list[float], monkeypatch: pytest.MonkeyPatch, answer: Any
    ) -> None:
        monkeypatch.setattr(registry, "idle_seconds", lambda: answer)
        run_until_ctrl_c(interval=2)
        assert pauses == [0 if answer == -5 else 2] * 10

    @pytest.mark.parametrize(
        "stand_in",
        [MagicMock(), MagicMock(spec=TaskRegistry), Mock(spec=["tick"]), SimpleNamespace(tick=Mock())],
    )
    def test_a_mock_registry_that_only_ticks_is_ticked(
        self, monkeypatch: pytest.MonkeyPatch, pauses: list[float], stand_in: Any
    ) -> None:
        monkeypatch.setattr(scheduler, "registry", stand_in)
        run_until_ctrl_c()
        assert (stand_in.tick.call_count, pauses) == (10, [1.0] * 10)

    def test_with_an_executor_the_end_of_a_call_ends_the_pause(self, registry: TaskRegistry) -> None:
        registry.register(Task(id="a", every={"hours": 1}, func=list))
        registry.register(Task(id="b", every={"hours": 1}, func=_press_ctrl_c, depends_on=["a"]))
        with ThreadPoolExecutor(1) as executor:
            registry.configure(executor=executor)
            run_until_ctrl_c(interval=3600)
        assert [len(task.history) for task in registry] == [1, 1]

    def test_an_interval_of_years_does_not_overflow(self, registry: TaskRegistry, pauses: list[float]) -> None:
        run_until_ctrl_c(interval=1e12)
        assert pauses == [86_400] * 10


class TestThread:
    def test_the_daemon_thread_runs_tasks_until_it_is_stopped(self, registry: TaskRegistry) -> None:
        ran = threading.Event()
        registry.register(Task(every={"hours": 1}, func=ran.set))
        thread = start_scheduler(interval=60)
        assert isinstance(thread, threading.Thread)
        assert (thread.daemon, ran.wait(10)) == (True, True)
        assert thread.stop(10)
        assert not thread.is_alive()
        assert registry._parts.wakers == ()

    def test_a_second_thread_says_that_there_is_another_one(
        self, registry: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(2):
            start_scheduler().stop()
        assert caplog.messages == []
        with start_scheduler(), start_scheduler():
            wait_until(lambda: len(registry._parts.wakers) == 2)
        assert caplog.messages == [TWO_LOOPS]

    def test_a_registration_wakes_the_thread_at_once(self, registry: TaskRegistry) -> None:
        ticked, ran = threading.Event(), threading.Event()
        registry.register(Task(every={"hours": 1}, func=ticked.set))
        with start_scheduler(interval=3600):
            assert ticked.wait(10)
            registry.register(Task(every={"hours": 1}, func=ran.set))
            assert ran.wait(10)

    def test_stop_lets_the_current_tick_finish(self, registry: TaskRegistry) -> None:
        started, proceed = threading.Event(), threading.Event()

        def block() -> None:
            started.set()
            assert proceed.wait(10)

        tasks = [registry.register(Task(every={"hours": 1}, func=func)) for func in (block, list)]
        thread = start_scheduler()
        assert started.wait(10)
        threading.Timer(0.02, proceed.set).start()
        assert thread.stop(timeout=10) is True
        assert [task.status.value for task in tasks] == ["success", "success"]

    def test_a_task_may_stop_its_own_thread(self, registry: TaskRegistry) -> None:
        answers: list[bool] = []
        threads: list[SchedulerThread] = []
        ready = threading.Event()

        def stop() -> None:
            assert ready.wait(10)
            answers.append(threads[0].stop())

        registry.register(Task(every={"hours": 1}, func=stop))
        threads.append(start_scheduler(interval=60))
        ready.set()
        threads[0].join(10)
        assert (answers, threads[0].is_alive()) == ([False], False)

    def test_stop_of_a_thread_that_never_started_returns_true(self, registry: TaskRegistry) -> None:
        assert SchedulerThread(registry, 1).stop() is True

    def test_the_thread_logs_and_survives_a_keyboard_interrupt_of_a_task(
        self, registry: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        ran = threading.Event()

        def interrupt() -> None:
            raise KeyboardInterrupt

        tasks = [registry.register(Task(every={"hours": 1}, func=func)) for func in (interrupt, ran.set)]
        with caplog.at_level(logging.ERROR), start_scheduler(interval=3600):
            assert ran.wait(10)
        assert tasks[0].status is TaskStatus.FAILED
        assert "A task was interrupted; the scheduler goes on." in caplog.messages

    @pytest.mark.parametrize("stand_in", [MagicMock(), MagicMock(spec=TaskRegistry), SimpleNamespace(tick=Mock())])
    def test_a_mock_registry_that_only_ticks_is_ticked(self, stand_in: Any) -> None:
        with start_scheduler(interval=0.001, registry=stand_in):
            end = time.monotonic() + 10
            while stand_in.tick.call_count < 3 and time.monotonic() < end:
                time.sleep(0.001)
        assert stand_in.tick.call_count >= 3

    @pytest.mark.slow
    def test_lateness_is_far_below_the_interval(self, registry: TaskRegistry) -> None:
        task = registry.register(Task(every={"milliseconds": 100}, func=list))
        with start_scheduler(interval=1.0):
            time.sleep(1.5)
        late = [(run["run_at"] - task.history[0]["run_at"]) % timedelta(milliseconds=100) for run in task.history]
        assert len(late) > 5
        assert sorted(late)[len(late) // 2] < timedelta(milliseconds=50)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the test forks a process that has threads
def test_a_forked_child_may_start_its_own_loop(registry: TaskRegistry) -> None:
    ticked = threading.Event()
    registry.register(Task(every={"hours": 1}, func=ticked.set))
    with start_scheduler(interval=3600) as thread:
        assert ticked.wait(10)
        child = os.fork()
        if child == 0:
            ran = threading.Event()
            stopped = thread.stop()
            registry.register(Task(every={"hours": 1}, func=ran.set))
            with start_scheduler(interval=3600):
                os._exit(0 if stopped and ran.wait(10) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_the_core_imports_nothing_but_pydantic_and_the_standard_library() -> None:
    code = (
        "import sys, est_alan_scheduler.scheduler, est_alan_scheduler.demo\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    allowed = {"__main__", "__mp_main__", "annotated_types", "est_alan_scheduler", "pydantic", "pydantic_core"}
    allowed |= {"typing_extensions", "typing_inspection", "_virtualenv", "sitecustomize", "usercustomize"}
    assert {name for name in done.stdout.split() if not name.startswith(("_", "cython"))} <= allowed
