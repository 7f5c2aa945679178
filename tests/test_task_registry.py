"""The registry: registration, nested ticks, edits, clock steps."""

import contextlib
import functools
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.frozen import SECOND, START, Frozen, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


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
        expected = (
            f"Task must specify exactly one of every / at / run_at / cron / after / manual, got {got} (task 'a')."
        )
        assert str(caught.value) == expected
        assert len(registry) == 0

    def test_a_registered_id_is_refused(self, registry: Frozen) -> None:
        first = registry.register(Task(id="a", at="07:00", func=work))
        with pytest.raises(ValueError, match=r"^Task with id 'a' already registered\. Write replace=True"):
            registry.register(Task(id="a", at="08:00", func=work))
        assert list(registry) == [first]

    def test_an_object_that_is_not_a_task_is_refused(self, registry: Frozen) -> None:
        fields: Any = {"func": work, "at": "09:00"}
        with pytest.raises(TypeError, match=r"^only a Task can be registered, got \{'func': .*: write register\(Task"):
            registry.register("a", **fields)  # type: ignore[arg-type]  # on purpose
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

    def test_the_decorator_takes_the_name_of_the_function_as_id(self, registry: Frozen) -> None:
        @registry.task(every={"seconds": 1})
        def double() -> None: ...

        assert registry.store["double"].func is double
        with pytest.raises(ValueError, match=r"^Task with id 'double' already registered\. Write replace=True"):
            registry.task(every={"seconds": 2})(double)
        registry.task(id="other", every={"seconds": 2})(double)
        assert [*registry.store] == ["double", "other"]

    def test_a_function_without_a_name_of_its_own_gets_another_id(self, registry: Frozen) -> None:
        for func in (lambda: None, lambda: None, functools.partial(work), functools.partial(work)):
            registry.task(every={"seconds": 1})(func)
        assert {len(task.id) for task in registry} == {32}

    def test_a_decorator_without_fields_says_what_to_write(self, registry: Frozen) -> None:
        with pytest.raises(TypeError, match=r"^the fields of a task are given by name: @registry\.task\(every=\{"):

            @registry.task  # type: ignore[arg-type]  # the slip is the test
            def double() -> None: ...

        assert len(registry) == 0

    def test_a_function_that_cannot_be_called_with_its_arguments_is_refused(self, registry: Frozen) -> None:
        def load(dep_fetsh: str) -> None: ...

        task = Task(id="load", at="07:00", func=load, depends_on=["fetch"])
        with pytest.raises(
            ValueError,
            match=r"^Task 'load' cannot call its function: func load lacks the argument 'dep_fetsh' \(did you",
        ):
            registry.register(task)
        assert len(registry) == 0
        task.kwargs = {"dep_fetsh": "by hand"}
        registry.register(task)

    def test_remove_returns_the_task(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"seconds": 1}, func=work))
        assert registry.remove("a") is task
        assert (len(registry), registry.get("a")) == (0, None)
        registry.tick()
        assert task.status is TaskStatus.PENDING

    def test_remove_of_an_unknown_id_is_a_key_error(self, registry: Frozen) -> None:
        with pytest.raises(KeyError, match="'a'"):
            registry.remove("a")


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
        assert len(registry._agenda.heap.moments) < 200

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
            once = registry.register(Task(run_at="2026-06-01T12:00:15Z", func=work))
            for _ in range(4):
                registry.tick()
                frozen.tick(5)
        assert [run["run_at"] for run in task.history] == [START, START + 10 * SECOND]
        assert [run["run_at"] for run in once.history] == [START + 15 * SECOND]
