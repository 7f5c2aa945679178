"""TaskRegistry: registering, ticking, recording."""

import contextlib
import functools
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.twin import Clock, ClockedRegistry
from tests.ways import without_seconds

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

START = datetime(2026, 6, 1, 12)
SECOND = timedelta(seconds=1)


class Frozen(ClockedRegistry):
    """A registry whose local time is set by the test."""

    def __init__(self) -> None:
        super().__init__(Clock(START))
        self.now = START

    def _now(self) -> datetime:
        return self.now

    def tick_at(self, now: datetime) -> None:
        self.now = now
        self.tick()


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def work() -> str:
    return "done"


def boom() -> None:
    raise ValueError("boom")


class TestRegister:
    def test_register_stores_and_returns_the_task(self, registry: Frozen) -> None:
        task = Task(id="a", every={"seconds": 1}, func=work)
        assert registry.register(task) is task
        assert (list(registry), len(registry), "a" in registry, registry.get("a")) == ([task], 1, True, task)

    @pytest.mark.parametrize(
        ("fields", "got"),
        [
            ({}, "none of them"),
            ({"every": {"seconds": 1}, "at": "07:00"}, "every and at"),
            ({"every": {"seconds": 1}, "at": "07:00", "run_at": START}, "every and at and run_at"),
        ],
    )
    def test_a_task_without_exactly_one_schedule_option_is_refused(
        self, registry: Frozen, fields: dict[str, Any], got: str
    ) -> None:
        with pytest.raises(ValueError, match="Task must specify exactly one of") as caught:
            registry.register(Task(id="a", func=work, **fields))
        expected = f"Task must specify exactly one of every / at / run_at / cron, got {got} (task 'a')."
        assert str(caught.value) == expected
        assert len(registry) == 0

    def test_a_registered_id_is_refused(self, registry: Frozen) -> None:
        first = registry.register(Task(id="a", at="07:00", func=work))
        with pytest.raises(ValueError, match=r"^Task with id 'a' already registered\.$"):
            registry.register(Task(id="a", at="08:00", func=work))
        assert list(registry) == [first]

    def test_an_object_that_is_not_a_task_is_refused(self, registry: Frozen) -> None:
        with pytest.raises(TypeError, match="only a Task can be registered, got 'a'"):
            registry.register("a")  # type: ignore[arg-type]  # the wrong type is the test

    def test_a_self_dependency_is_refused_as_a_cycle(self, registry: Frozen) -> None:
        with pytest.raises(ValueError, match=r"^Task 'a' would depend on itself: a -> a$"):
            registry.register(Task(id="a", at="07:00", func=work, depends_on=["a"]))

    def test_the_error_prints_the_dependency_cycle(self, registry: Frozen) -> None:
        registry.register(Task(id="a", at="07:00", func=work, depends_on=["x", "b"]))
        registry.register(Task(id="b", at="07:00", func=work, depends_on=["c"]))
        with pytest.raises(ValueError, match=r"^Task 'c' would depend on itself: c -> a -> b -> c$"):
            registry.register(Task(id="c", at="07:00", func=work, depends_on=["a"]))
        assert [task.id for task in registry] == ["a", "b"]

    def test_a_long_dependency_chain_can_be_registered_from_either_end(self, registry: Frozen) -> None:
        for numbers in (range(2000), reversed(range(2000, 4000))):
            for number in numbers:
                depends_on = [str(number - 1)] if number % 2000 else []
                registry.register(Task(id=str(number), at="07:00", func=work, depends_on=depends_on))
        assert len(registry) == 4000

    def test_a_keyword_argument_that_collides_with_a_dependency_result_is_refused(self, registry: Frozen) -> None:
        with pytest.raises(ValueError, match="kwargs of task 'b' hold 'dep_a', where the result of 'a' would go"):
            registry.register(Task(id="b", at="07:00", func=work, depends_on=["a"], kwargs={"dep_a": 1}))

    def test_the_decorator_registers_and_leaves_the_function_callable(self, registry: Frozen) -> None:
        @registry.task(id="a", every={"seconds": 1}, args=(2,))
        def double(x: int) -> int:
            return 2 * x

        registry.tick()
        assert (double(4), registry.store["a"].result) == (8, 4)

    def test_remove_returns_the_task(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        assert registry.remove("a") is task
        assert (len(registry), registry.get("a")) == (0, None)
        registry.tick()
        assert task.status is TaskStatus.PENDING

    def test_remove_of_an_unknown_id_is_a_key_error(self, registry: Frozen) -> None:
        with pytest.raises(KeyError, match="'a'"):
            registry.remove("a")


class TestRun:
    def test_a_success_is_recorded(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=work, error=ValueError("old"), error_message="old"))
        registry.tick()
        assert task.model_dump(include={"status", "result", "error", "error_message"}) == {
            "status": TaskStatus.SUCCESS,
            "result": "done",
            "error": None,
            "error_message": None,
        }
        assert (task.first_run_at, task.last_run_at, task.last_success_at) == (START, START, START)
        assert task.history == [
            {
                "run_at": START,
                "finished_at": START,
                "status": "success",
                "result": "'done'",
                "error": None,
                "attempt": 1,
            }
        ]

    def test_a_failure_is_recorded_and_leaves_the_result_alone(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=boom, result="old"))
        registry.tick()
        assert (task.status, task.result, task.error_message) == (TaskStatus.FAILED, "old", "ValueError: boom")
        assert isinstance(task.error, ValueError)
        assert task.last_success_at is None
        assert task.history == [
            {
                "run_at": START,
                "finished_at": START,
                "status": "failed",
                "result": None,
                "error": "ValueError: boom",
                "attempt": 1,
            }
        ]

    def test_a_failure_is_logged_with_its_traceback(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        registry.register(Task(id="a", every={"seconds": 1}, func=boom))
        registry.tick()
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("est_alan_scheduler", "ERROR")
        assert without_seconds([record.getMessage()]) == ["Task 'a' failed after N s: ValueError: boom"]
        assert record.exc_info is not None

    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), StopIteration()])
    def test_the_tick_goes_on_after_an_error(self, registry: Frozen, error: BaseException) -> None:
        def fail() -> None:
            raise error

        tasks = [registry.register(Task(every={"seconds": 1}, func=func)) for func in (fail, work)]
        registry.tick()
        assert [task.status for task in tasks] == [TaskStatus.FAILED, TaskStatus.SUCCESS]

    def test_an_interruption_is_recorded_and_raised_and_the_other_tasks_stay_due(self, registry: Frozen) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        tasks = [
            registry.register(Task(id=str(number), every={"seconds": 1}, func=interrupt if number == 2 else work))
            for number in range(5)
        ]
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        assert [len(task.history) for task in tasks] == [1, 1, 1, 0, 0]
        assert (tasks[2].status, tasks[2].error_message) == (TaskStatus.FAILED, "KeyboardInterrupt")
        assert registry.idle_seconds() == 0
        registry.tick()
        assert [len(task.history) for task in tasks] == [1, 1, 1, 1, 1]

    @pytest.mark.parametrize("is_failing", [False, True])
    def test_an_inline_run_past_its_timeout_has_failed_when_it_returns(
        self, registry: Frozen, is_failing: bool
    ) -> None:
        def sleep() -> None:
            time.sleep(0.02)
            if is_failing:
                raise ValueError("late, too")

        task = registry.register(Task(every={"hours": 1}, func=sleep, timeout=0.01, result="before"))
        registry.tick()
        message = "TimeoutError: the run took longer than its timeout of 0.01 s"
        assert (task.status, task.error_message, task.result) == (TaskStatus.FAILED, message, "before")

    def test_a_second_interruption_during_recording_leaves_no_task_running(self, registry: Frozen) -> None:
        class Twice(KeyboardInterrupt):
            def __str__(self) -> str:
                raise KeyboardInterrupt

        def interrupt() -> None:
            raise Twice

        task = registry.register(Task(every={"seconds": 1}, func=interrupt))
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        message = "RuntimeError: interrupted while its outcome was being recorded"
        assert (task.status, task.error_message, registry._parts.in_flight.thread.context.runs) == (
            TaskStatus.FAILED,
            message,
            [],
        )

    def test_ticks_nested_beyond_the_stack_leave_no_task_running(self, registry: Frozen) -> None:
        tasks = [registry.register(Task(every={"hours": 1}, func=registry.tick)) for _ in range(300)]
        registry.tick()
        assert {task.status for task in tasks} <= {TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.PENDING}
        assert registry._parts.in_flight.thread.context.runs == []

    def test_history_keeps_the_newest_runs(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=work, history_limit=3))
        for second in range(5):
            registry.tick_at(START + second * SECOND)
        assert [run["run_at"] for run in task.history] == [START + second * SECOND for second in (2, 3, 4)]
        task.history_limit = 0
        registry.tick_at(START + 5 * SECOND)
        assert task.history == []

    def test_a_result_in_the_history_is_bounded(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=lambda: "x" * 5_000_000))
        registry.tick()
        assert task.history[0]["result"] == "'" + 999 * "x" + "…"

    def test_a_run_whose_result_has_a_failing_repr_is_a_success(self, registry: Frozen) -> None:
        class Shy:
            def __repr__(self) -> str:
                raise RuntimeError

        task = registry.register(Task(every={"seconds": 1}, func=Shy))
        registry.tick()
        assert task.history[0]["result"] == "<Shy whose repr failed with RuntimeError>"

    def test_an_error_with_a_failing_str_is_recorded(self, registry: Frozen) -> None:
        class MuteError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        def fail() -> None:
            raise MuteError

        task = registry.register(Task(every={"seconds": 1}, func=fail))
        registry.tick()
        assert task.error_message == "MuteError: <its str failed with RuntimeError>"

    def test_a_logging_handler_that_raises_does_not_prevent_a_run(self, registry: Frozen) -> None:
        class Bad(logging.Handler):
            def handle(self, record: logging.LogRecord) -> bool:
                raise RuntimeError

        tasks = [registry.register(Task(every={"seconds": 1}, func=func)) for func in (boom, work)]
        logger = logging.getLogger("est_alan_scheduler")
        handler = Bad()
        logger.addHandler(handler)
        try:
            registry.tick()
        finally:
            logger.removeHandler(handler)
        assert [task.status for task in tasks] == [TaskStatus.FAILED, TaskStatus.SUCCESS]

    def test_execute_runs_a_task_that_is_not_due(self, registry: Frozen) -> None:
        task = registry.register(Task(run_at=START + SECOND, func=work))
        registry._execute(task)
        assert (task.status, task.last_run_at) == (TaskStatus.SUCCESS, START)
        registry.tick_at(START + SECOND)
        assert len(task.history) == 2

    def test_execute_runs_a_task_that_is_not_registered(self, registry: Frozen) -> None:
        task = Task(func=work)
        registry._execute(task)
        assert (task.status, task.result) == (TaskStatus.SUCCESS, "done")

    def test_execute_does_not_start_a_running_task(self, registry: Frozen) -> None:
        task = Task(func=work, status=TaskStatus.RUNNING)
        registry._execute(task)
        assert (task.status, task.history) == (TaskStatus.RUNNING, [])

    def test_tick_starts_each_run_through_execute(self, registry: Frozen) -> None:
        started: list[Task] = []
        registry._execute = started.append  # type: ignore[assignment, method-assign]  # a test may
        tasks = [registry.register(Task(every={"seconds": 1}, func=work)) for _ in range(3)]
        registry.tick()
        assert started == tasks
        registry.tick()
        assert started == tasks + tasks

    def test_the_old_result_is_dropped_without_holding_the_lock(self, registry: Frozen) -> None:
        locked: list[bool] = []

        class Result:
            def __del__(self) -> None:
                locked.append(registry._lock.locked())

        registry.register(Task(every={"seconds": 1}, func=Result, history_limit=1))
        registry.tick()
        registry.tick_at(START + SECOND)
        assert locked == [False]

    def test_a_deleted_task_is_dropped_without_holding_the_lock(self, registry: Frozen) -> None:
        locked: list[bool] = []

        class Argument:
            def __del__(self) -> None:
                locked.append(registry._lock.locked())

        registry.register(Task(id="a", at="23:00", func=print, args=(Argument(),)))
        del registry.store["a"]
        registry.tick()
        assert locked == [False]


class TestNesting:
    """Ticks inside of task functions."""

    def test_a_delayed_tick_does_not_repeat_runs_of_a_nested_tick(self, registry: Frozen) -> None:
        other = registry

        def hold_up() -> None:
            for second in range(1, 60):
                other.tick_at(START + second * SECOND)
            other.register(Task(id="new", at="23:00", func=work))
            other.store["new"].at = "22:00"

        registry.register(Task(run_at=START, func=hold_up))
        task = registry.register(Task(every={"seconds": 1}, func=work))
        registry.tick()
        assert [run["run_at"] for run in task.history] == [START + second * SECOND for second in range(1, 60)]

    def test_the_outer_tick_runs_the_tasks_that_an_interrupted_inner_tick_left(self, registry: Frozen) -> None:
        def tick() -> None:
            with contextlib.suppress(KeyboardInterrupt):
                registry.tick()

        def interrupt() -> None:
            raise KeyboardInterrupt

        tasks = [registry.register(Task(every={"seconds": 1}, func=func)) for func in (tick, interrupt, work)]
        registry.tick()
        assert [len(task.history) for task in tasks] == [1, 1, 1]

    def test_the_grid_starts_at_a_last_run_given_to_the_constructor(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 10}, func=work, last_run_at=START - 13 * SECOND))
        registry.tick()
        assert (task.first_run_at, registry.idle_seconds()) == (START - 13 * SECOND, 7)


class TestDependencies:
    def test_a_dependent_runs_in_the_next_tick(self, registry: Frozen) -> None:
        first = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        second = registry.register(Task(every={"seconds": 1}, func=work, depends_on=["a"]))
        registry.tick()
        assert (first.status, second.status) == (TaskStatus.SUCCESS, TaskStatus.PENDING)
        assert registry.idle_seconds() == 0
        registry.tick()
        assert second.status is TaskStatus.SUCCESS

    def test_a_failed_dependency_keeps_its_dependents_waiting(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"days": 1}, func=boom))
        second = registry.register(Task(every={"seconds": 1}, func=work, depends_on=["a"]))
        for second_ in range(3):
            registry.tick_at(START + second_ * SECOND)
        assert second.status is TaskStatus.PENDING
        assert registry.idle_seconds() == 86_398

    def test_a_later_failure_does_not_undo_a_dependency_success(self, registry: Frozen) -> None:
        first = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        second = registry.register(Task(every={"seconds": 1}, func=work, depends_on=["a"]))
        registry.tick()
        first.func = boom
        registry.tick_at(START + SECOND)
        assert (first.status, second.status) == (TaskStatus.FAILED, TaskStatus.SUCCESS)

    def test_a_dependency_may_be_registered_after_its_dependents(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture
    ) -> None:
        dependents = [registry.register(Task(every={"seconds": 1}, func=work, depends_on=["a"])) for _ in range(3)]
        for second in range(3):
            registry.tick_at(START + second * SECOND)
        assert caplog.messages == ["Task 'a' is not registered, but others depend on it and wait."]
        registry.register(Task(id="a", every={"seconds": 1}, func=work))
        registry.tick()
        registry.tick()
        assert [task.status for task in dependents] == [TaskStatus.SUCCESS] * 3

    @pytest.mark.parametrize("how", ["assign", "put"])
    def test_a_success_set_by_hand_makes_dependents_ready(self, registry: Frozen, how: str) -> None:
        registry.register(Task(id="a", run_at=START + SECOND, func=boom))
        dependent = registry.register(Task(every={"seconds": 1}, func=work, depends_on=["a"]))
        registry.tick()
        if how == "assign":
            registry.store["a"].last_success_at = START
        else:
            registry.store["a"] = Task(id="a", run_at=START + SECOND, func=boom, last_success_at=START)
        registry.tick()
        assert dependent.status is TaskStatus.SUCCESS

    def test_dependents_wait_again_after_their_dependency_is_removed(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"seconds": 1}, func=work))
        dependent = registry.register(Task(id="b", every={"seconds": 1}, func=work, depends_on=["a"]))
        registry.tick()
        registry.tick()
        registry.remove("a")
        registry.tick_at(START + SECOND)
        assert len(dependent.history) == 1
        assert registry.why_not("b") == "waits for 'a', which is not registered"

    @pytest.mark.parametrize(
        ("func", "result"),
        [
            (lambda dep_a: dep_a, "done"),
            (lambda **kwargs: kwargs, {"dep_a": "done"}),
            (lambda x=1, *, dep_a=None: (x, dep_a), (1, "done")),
            (lambda x=7: x, 7),
            (lambda dep_a=5, /: dep_a, 5),
            (functools.partial(lambda dep_a: dep_a, dep_a="bound"), "bound"),
            (functools.partial(lambda **kwargs: kwargs, dep_a="bound"), {"dep_a": "bound"}),
            (dict, {}),
        ],
    )
    def test_a_dependency_result_is_passed_to_a_function_that_can_take_it(
        self, registry: Frozen, func: Callable[..., Any], result: Any
    ) -> None:
        registry.register(Task(id="a", every={"seconds": 1}, func=work))
        task = registry.register(Task(every={"seconds": 1}, func=func, depends_on=["a"]))
        registry.tick()
        registry.tick()
        assert (task.result, task.error_message) == (result, None)

    def test_a_dependency_removed_in_the_same_tick_holds_its_dependent(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.tick()
        registry.register(Task(every={"hours": 1}, func=lambda: registry.remove("a")))
        dependent = registry.register(Task(every={"hours": 1}, func=work, depends_on=["a"]))
        registry.tick()
        assert dependent.status is TaskStatus.PENDING

    def test_assigned_positional_arguments_take_precedence_over_a_dependency_result(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"hours": 1}, func=work))
        func = lambda x=None, dep_a=None: (x, dep_a)  # noqa: E731  # a function with such parameters is all it takes
        task = registry.register(Task(every={"seconds": 1}, func=func, depends_on=["a"]))
        registry.tick()
        registry.tick()
        task.args = (1, 2)
        registry.tick_at(START + SECOND)
        assert [run["result"] for run in task.history] == ["(None, 'done')", "(1, 2)"]

    def test_an_explicit_argument_takes_precedence_over_a_dependency_result(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"seconds": 1}, func=work))
        task = registry.register(
            Task(every={"seconds": 1}, func=lambda dep_a, x=0: (dep_a, x), args=(1,), depends_on=["a"])
        )
        registry.tick()
        registry.tick()
        assert task.result == (1, 0)
        task.kwargs = {"dep_a": "mine"}
        task.args = ()
        registry.tick_at(START + SECOND)
        assert task.result == ("mine", 0)


class TestSubclass:
    """A subclass may demand more before a task runs."""

    @pytest.mark.parametrize("method", ["_should_run", "_deps_ready"])
    def test_a_task_held_by_an_overridden_condition_is_checked_in_each_tick_only(
        self, registry: Frozen, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        asked: list[Task] = []
        task = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        with monkeypatch.context() as patch:
            patch.setattr(registry, method, lambda task, *_: asked.append(task))
            registry.tick()
            registry.tick()
            assert (asked, registry.idle_seconds()) == ([task, task], None)
        registry.tick()
        assert len(task.history) == 1

    def test_a_task_held_by_an_overridden_condition_may_be_removed_or_assigned_to(
        self, registry: Frozen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tasks = [registry.register(Task(id=task_id, every={"seconds": 1}, func=work)) for task_id in "ab"]
        with monkeypatch.context() as patch:
            patch.setattr(registry, "_should_run", lambda *_: False)
            registry.tick()
        registry.remove("a")
        tasks[1].args = ()
        registry.tick()
        assert [len(task.history) for task in tasks] == [0, 1]


class TestEdits:
    """Direct edits of the store and of fields take effect in the next tick."""

    def test_a_task_put_into_the_store_runs(self, registry: Frozen) -> None:
        task = Task(id="a", every={"seconds": 1}, func=work)
        registry.store["a"] = task
        registry.tick()
        assert task.status is TaskStatus.SUCCESS

    def test_a_task_deleted_from_the_store_does_not_run(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        registry.store.clear()
        registry.tick()
        assert task.status is TaskStatus.PENDING

    def test_the_store_may_be_replaced_by_assignment(self, registry: Frozen) -> None:
        old = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        new = Task(id="b", every={"seconds": 1}, func=work)
        registry.store = {"b": new}
        registry.tick()
        assert (old.status, new.status) == (TaskStatus.PENDING, TaskStatus.SUCCESS)

    def test_an_assigned_field_takes_effect_in_the_next_tick(self, registry: Frozen) -> None:
        task = registry.register(Task(run_at=START + 3600 * SECOND, func=work))
        registry.tick()
        task.run_at = START
        assert registry.idle_seconds() == 0
        registry.tick()
        assert task.status is TaskStatus.SUCCESS

    def test_a_field_may_be_assigned_while_the_lock_is_held(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", run_at=START + 3600 * SECOND, func=work))
        with registry._lock:
            task.run_at = START
            registry.store["b"] = Task(id="b", every={"seconds": 1}, func=work)
        registry.tick()
        assert [task.status.value for task in registry] == ["success", "success"]

    def test_a_running_status_set_by_hand_holds_the_task_until_it_is_reset(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=work))
        task.status = TaskStatus.RUNNING
        registry.tick()
        assert (task.history, registry.idle_seconds()) == ([], None)
        task.status = TaskStatus.PENDING
        registry.tick()
        assert len(task.history) == 1

    def test_the_agenda_does_not_grow_while_a_task_is_moved_back_and_forth(self, registry: Frozen) -> None:
        task = registry.register(Task(run_at=START, func=work))
        for number in range(2_000):
            task.run_at = START + timedelta(days=number + 1)
            registry.tick()
            task.run_at = START + timedelta(microseconds=number)
            registry.tick()
        assert len(registry._agenda._moments) < 200

    def test_a_task_function_may_register_remove_and_tick(self, registry: Frozen) -> None:
        def everything() -> None:
            registry.register(Task(id="new", every={"seconds": 1}, func=work))
            registry.remove("other")
            registry.remove("self")
            registry.tick()

        registry.register(Task(id="self", every={"seconds": 1}, func=everything))
        registry.register(Task(id="other", every={"seconds": 1}, func=work))
        registry.tick()
        assert [(task.id, len(task.history)) for task in registry] == [("new", 1)]


class TestClock:
    def test_a_thousand_runs_do_not_drift(self, registry: Frozen) -> None:
        random = Random(1)
        task = registry.register(Task(every={"seconds": 1}, func=work, history_limit=2000))
        now = START
        while len(task.history) < 1000:
            registry.tick_at(now)
            now += timedelta(seconds=random.uniform(0.001, 0.2))
        assert timedelta(0) <= task.history[999]["run_at"] - START - 999 * SECOND <= 0.2 * SECOND

    def test_no_slot_runs_twice_after_clock_steps_of_a_day_back_and_ahead(self, registry: Frozen) -> None:
        every = registry.register(Task(every={"minutes": 1}, func=work))
        daily = registry.register(Task(at="11:00", func=work))
        once = registry.register(Task(run_at=START, func=work))
        runs = []
        for days in (0, -1, 1):
            registry.tick_at(START + timedelta(days=days))
            runs.append([len(task.history) for task in (every, daily, once)])
        assert runs == [[1, 1, 1], [2, 1, 1], [3, 2, 1]]
        registry.tick_at(START + timedelta(days=1, seconds=59))
        assert len(every.history) == 3

    def test_a_small_clock_step_back_rebuilds_no_entry(self, registry: Frozen) -> None:
        for _ in range(3):
            registry.register(Task(every={"minutes": 1}, func=work))
        registry.tick()
        changes = registry._agenda.changes
        registry.tick_at(START - 5 * SECOND)
        assert registry._agenda.changes == changes

    def test_a_last_run_more_than_an_interval_ahead_after_a_clock_step_starts_a_new_grid(
        self, registry: Frozen
    ) -> None:
        task = registry.register(Task(every={"seconds": 10}, func=work, last_run_at=START + 8 * SECOND))
        registry.tick()
        registry.tick_at(START - 2 * SECOND)
        assert task.history == []
        registry.tick_at(START - 3 * SECOND)
        assert (len(task.history), task.first_run_at) == (1, START - 3 * SECOND)

    def test_a_clock_step_back_corrected_before_the_next_tick_starts_no_run(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 10}, func=work))
        registry.tick()
        registry.now = START - 60 * SECOND
        assert registry.idle_seconds() == 0  # a tick now would start a new grid
        registry.tick_at(START + SECOND)
        assert len(task.history) == 1

    def test_freezegun_freezes_the_clock_of_a_registry(self, set_zone: Callable[[str], None]) -> None:
        set_zone("Asia/Seoul")
        registry = TaskRegistry()
        with freeze_time("2026-06-01 12:00:00") as frozen:
            task = registry.register(Task(every={"seconds": 10}, func=work))
            once = registry.register(Task(run_at="2026-06-01T12:00:15Z", func=work))  # type: ignore[arg-type]  # ISO 8601
            for _ in range(4):
                registry.tick()
                frozen.tick(5)
        assert [run["run_at"] for run in task.history] == [START, START + 10 * SECOND]
        assert [run["run_at"] for run in once.history] == [START + 15 * SECOND]


class TestThreads:
    @pytest.mark.slow
    def test_sixteen_threads_use_one_registry_at_once(self) -> None:
        registry = TaskRegistry()
        overlaps: list[int] = []
        inside: set[int] = set()
        numbers = count()

        def run(number: int) -> None:
            if number in inside:
                overlaps.append(number)
            inside.add(number)
            time.sleep(0)
            inside.discard(number)

        def live(seed: int) -> int:
            random = Random(seed)
            done = 0
            while time.monotonic() < end:
                task_id = str(random.randrange(40))
                try:
                    match random.randrange(5):
                        case 0:
                            every, args = {"milliseconds": 2}, (next(numbers),)
                            registry.register(Task(id=task_id, every=every, func=run, args=args))
                        case 1:
                            registry.remove(task_id)
                        case 2:
                            registry.store[task_id].every = {"milliseconds": random.randrange(1, 9)}
                        case 3:
                            registry.store[task_id].depends_on = [str(random.randrange(40))]
                        case _:
                            registry.tick()
                except (KeyError, ValueError):
                    continue
                done += 1
            return done

        end = time.monotonic() + 2
        with ThreadPoolExecutor(16) as pool:
            done = list(pool.map(live, range(16)))
        assert min(done) > 0
        assert overlaps == []
        assert [task.status for task in registry if task.status is TaskStatus.RUNNING] == []
        assert not registry._lock.locked()

    @pytest.mark.slow
    def test_two_loops_run_no_slot_twice(self) -> None:
        registry = TaskRegistry()
        starts: list[float] = []
        task = registry.register(Task(every={"milliseconds": 20}, func=lambda: starts.append(time.monotonic())))

        def loop() -> None:
            while time.monotonic() < end:
                registry.tick()

        end = time.monotonic() + 1
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(loop) for _ in range(4)]:
                future.result()
        assert task.first_run_at is not None
        slots = [(run["run_at"] - task.first_run_at) // timedelta(milliseconds=20) for run in task.history]
        assert len(set(slots)) == len(slots) == len(task.history)
        assert len(starts) == len(task.history)

    def test_a_second_loop_runs_the_tasks_that_the_first_has_not_started(self) -> None:
        registry = TaskRegistry()
        started, proceed = threading.Event(), threading.Event()

        def block() -> None:
            started.set()
            assert proceed.wait(10)

        blocking = registry.register(Task(every={"days": 1}, func=block))
        other = registry.register(Task(every={"days": 1}, func=work))
        thread = threading.Thread(target=registry.tick)
        thread.start()
        assert started.wait(10)
        assert registry.idle_seconds() == 0
        registry.tick()
        assert (blocking.status, len(other.history)) == (TaskStatus.RUNNING, 1)
        proceed.set()
        thread.join(10)
        assert (blocking.status, len(other.history)) == (TaskStatus.SUCCESS, 1)


def interrupt_at_any_moment() -> None:
    """Tick while interval timers raise KeyboardInterrupt at random moments."""
    registry = TaskRegistry()
    for number in range(20):
        registry.register(Task(id=str(number), every={"microseconds": 1}, func=work if number % 3 else boom))
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    random = Random(1)
    interrupted = 0
    gc.disable()  # a Ctrl+C during a callback of the garbage collector is lost
    for _ in range(1500):
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.0006))
            for _ in range(10):
                registry.tick()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        assert [task.id for task in registry if task.status is TaskStatus.RUNNING] == []
        assert not registry._lock.locked()
        assert registry._parts.in_flight.thread.context.runs == []
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert interrupted > 100
    runs = {task.id: len(task.history) for task in registry}
    registry.tick()
    registry.tick()
    assert all(len(task.history) > runs[task.id] or runs[task.id] == 100 for task in registry)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_ctrl_c_at_any_moment_leaves_no_task_running() -> None:
    # A process without coverage: under a tracer, Ctrl+C may hit between a lock and its `with` block.
    code = "from tests.test_task_registry import interrupt_at_any_moment; interrupt_at_any_moment()"
    untraced = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=root, env=untraced
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the test forks a process that has threads
def test_a_forked_child_starts_with_clean_locks_and_no_task_running() -> None:
    registry = TaskRegistry()
    started, proceed = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        assert proceed.wait(10)

    running = registry.register(Task(every={"days": 1}, func=block))
    thread = threading.Thread(target=registry.tick)
    thread.start()
    assert started.wait(10)
    with registry._lock:
        child = os.fork()
        if child == 0:
            other = registry.register(Task(every={"days": 1}, func=work))
            registry.tick()
            clean = running.status is TaskStatus.PENDING and other.status is TaskStatus.SUCCESS
            os._exit(0 if clean else 1)
    proceed.set()
    thread.join(10)
    assert os.waitpid(child, 0)[1] == 0
    assert running.status is TaskStatus.SUCCESS
