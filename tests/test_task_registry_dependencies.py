"""The dependencies of tasks in a registry, and the results they pass on."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler.task import Task, TaskStatus
from tests.frozen import SECOND, START, Frozen, boom, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


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
        dependents = [
            registry.register(Task(id=task_id, every={"seconds": 1}, func=work, depends_on=["a"]))
            for task_id in ("first", "second", "third")
        ]
        for second in range(3):
            registry.tick_at(START + second * SECOND)
        assert caplog.messages == ["Task 'a' is not registered, but others depend on it and wait, 'first' among them."]
        registry.register(Task(id="a", every={"seconds": 1}, func=work))
        registry.tick()
        registry.tick()
        assert [task.status for task in dependents] == [TaskStatus.SUCCESS] * 3

    def test_the_warning_about_a_missing_dependency_names_the_id_that_may_be_meant(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register(Task(id="fetch", at="23:00", func=work))
        registry.register(Task(id="report", every={"seconds": 1}, func=work, depends_on=["fetsh"], name="Daily"))
        registry.register(Task(id="reports", every={"seconds": 1}, func=work, depends_on=["report_"]))
        registry.tick()
        assert caplog.messages == [
            "Task 'fetsh' is not registered (did you mean 'fetch'?), but others depend on it and wait, "
            "'report' (Daily) among them.",
            "Task 'report_' is not registered (did you mean 'report'?), but others depend on it and wait, "
            "'reports' among them.",
        ]

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

    @pytest.mark.parametrize("task_id", ["load users", "load-users", "load: users!"])
    def test_the_result_of_an_id_that_is_no_identifier_is_passed(self, registry: Frozen, task_id: str) -> None:
        registry.register(Task(id=task_id, every={"hours": 1}, func=work))
        funcs: list[Callable[..., Any]] = [
            lambda *, dep_load_users=None, dep_load_users_=None: dep_load_users or dep_load_users_,
            lambda **kwargs: [*kwargs],
            lambda: "no argument",
        ]
        tasks = [registry.register(Task(every={"hours": 1}, func=func, depends_on=[task_id])) for func in funcs]
        registry.tick()
        registry.tick()
        name = "dep_load_users_" if "!" in task_id else "dep_load_users"
        assert [task.result for task in tasks] == ["done", [name], "no argument"]

    def test_the_result_of_a_korean_id_is_passed_under_its_name(self, registry: Frozen) -> None:
        registry.register(Task(id="사용자", every={"hours": 1}, func=work))
        func = lambda dep_사용자: dep_사용자  # noqa: E731, N803  # Python takes such names
        task = registry.register(Task(every={"hours": 1}, func=func, depends_on=["사용자"]))
        registry.tick()
        registry.tick()
        assert task.result == "done"

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
