"""Checks at registration."""

from typing import Any

import pytest

from est_alan_scheduler.planning.registration import check, refusal, refusal_of_change
from est_alan_scheduler.task import Task

pytestmark = pytest.mark.pydantic


def task_of(task_id: str, *depends_on: str, **fields: Any) -> Task:
    given: dict[str, Any] = {"at": "07:00", "func": print} | fields
    return Task(id=task_id, depends_on=list(depends_on), **given)


def store_of(*tasks: Task) -> dict[str, Task]:
    return {task.id: task for task in tasks}


@pytest.mark.parametrize(
    ("fields", "got"),
    [
        ({"at": None}, "none of them"),
        ({"cron": "@daily"}, "at and cron"),
    ],
)
def test_a_task_has_exactly_one_schedule_option(fields: dict[str, Any], got: str) -> None:
    with pytest.raises(ValueError, match="Task must") as caught:
        check(task_of("a", **fields))
    expected = f"Task must specify exactly one of every / at / run_at / cron, got {got} (task 'a')."
    assert str(caught.value) == expected


def test_a_keyword_argument_that_collides_with_a_dependency_result_is_refused() -> None:
    check(task_of("b", "a", kwargs={"dep_x": 1}))
    with pytest.raises(ValueError, match=r"^kwargs of task 'b' hold 'dep_a', where the result of 'a' would go\.$"):
        check(task_of("b", "a", kwargs={"dep_a": 1}))


def test_an_object_that_is_not_a_task_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^only a Task can be registered, got 'a'$"):
        check("a")  # type: ignore[arg-type]  # the wrong type is the test


def test_a_registered_id_is_refused_unless_the_task_is_adopted() -> None:
    store = store_of(task_of("a"))
    assert refusal(task_of("a"), store, (), is_adopted=False) == "Task with id 'a' already registered."
    assert refusal(task_of("a"), store, (), is_adopted=True) is None


def test_a_dependency_cycle_is_refused() -> None:
    store = store_of(task_of("a", "b"), task_of("b", "c"))
    wanted = {"b", "c"}
    assert refusal(task_of("c"), store, wanted, is_adopted=False) is None
    assert refusal(task_of("d", "a"), store, wanted, is_adopted=False) is None
    assert refusal(task_of("d", "d"), store, wanted, is_adopted=False) == "Task 'd' would depend on itself: d -> d"
    closing = refusal(task_of("c", "a"), store, wanted, is_adopted=False)
    assert closing == "Task 'c' would depend on itself: c -> a -> b -> c"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"args": (1,)}, None),
        ({"depends_on": []}, None),
        ({"depends_on": ["a"]}, "Task 'b' would depend on itself: b -> a -> b"),
        ({"kwargs": {"dep_x": 1}}, "kwargs of task 'b' hold 'dep_x', where the result of 'x' would go."),
        (
            {"at": None},
            "Task must specify exactly one of every / at / run_at / cron, got none of them (task 'b').",
        ),
    ],
)
def test_a_change_is_refused_if_its_result_could_not_be_registered(values: dict[str, Any], reason: str | None) -> None:
    task = task_of("b", "x")
    before = task.model_dump()
    assert refusal_of_change(task, values, store_of(task_of("a", "b"), task)) == reason
    assert task.model_dump() == before
