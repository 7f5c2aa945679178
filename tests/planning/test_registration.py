"""Checks at registration."""

import tracemalloc
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.planning.dependencies import find_cycle
from est_alan_scheduler.planning.registration import call_refusal, check, refusal, refusal_of_change
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
    expected = f"Task must specify exactly one of every / at / run_at / cron / after / manual, got {got} (task 'a')."
    assert str(caught.value) == expected


def test_a_keyword_argument_that_collides_with_a_dependency_result_is_refused() -> None:
    check(task_of("b", "a", kwargs={"dep_x": 1}))
    with pytest.raises(ValueError, match=r"^kwargs of task 'b' hold 'dep_a', where the result of 'a' would go\.$"):
        check(task_of("b", "a", kwargs={"dep_a": 1}))


def test_an_object_that_is_not_a_task_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^only a Task can be registered, got 'a': write register\(Task\(func="):
        check("a")


def test_a_registered_id_is_refused_unless_the_task_is_adopted() -> None:
    store = store_of(task_of("a"))
    assert refusal(task_of("a"), store, (), is_adopted=False) == (
        "Task with id 'a' already registered. Write replace=True to replace it."
    )
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
            "Task must specify exactly one of every / at / run_at / cron / after / manual, "
            "got none of them (task 'b').",
        ),
    ],
)
def test_a_change_is_refused_if_its_result_could_not_be_registered(values: dict[str, Any], reason: str | None) -> None:
    task = task_of("b", "x")
    before = task.model_dump()
    assert refusal_of_change(task, values, store_of(task_of("a", "b"), task), {"b", "x"}) == reason
    assert task.model_dump() == before


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"cron": "@daily"}, "got at and cron (task 'b'). To change its schedule, write at=None, cron='@daily'"),
        ({"manual": True}, "got at and manual (task 'b'). To change its schedule, write at=None, manual=True"),
        ({"every": {"minutes": 5}, "cron": "@daily"}, "got every and at and cron (task 'b')."),
        ({"at": "08:00", "cron": "@daily"}, "got at and cron (task 'b')."),
    ],
)
def test_a_change_to_another_kind_of_schedule_says_how_to_clear_the_former_one(
    values: dict[str, Any], hint: str
) -> None:
    task = task_of("b")
    refused = str(refusal_of_change(task, values, store_of(task), ()))
    assert refused.endswith(f", {hint}")


def test_what_runs_by_hand_alone_is_no_longer_manual_with_a_schedule() -> None:
    task = task_of("b", at=None, manual=True)
    refused = refusal_of_change(task, {"at": "07:00"}, store_of(task), ())
    assert str(refused).endswith("(task 'b'). To change its schedule, write manual=False, at='07:00'")


def test_a_change_may_clear_what_a_task_runs_after() -> None:
    task = task_of("b", at=None, after=["a"])
    assert refusal_of_change(task, {"after": None, "at": "07:00"}, store_of(task), {"a"}) is None


def test_a_cycle_that_no_other_task_can_close_is_not_searched_for() -> None:
    class Untouched(dict[str, Task]):
        def get(self, *_: Any) -> Any:
            raise AssertionError

    task = task_of("b", "x")
    assert refusal_of_change(task, {"depends_on": ["a"]}, Untouched(), {"a", "x"}) is None


def test_the_search_for_a_cycle_needs_memory_in_proportion_to_the_tasks() -> None:
    number = 3_000
    chain = [task_of(f"t{count}", f"t{count + 1}", f"leaf{count}") for count in range(number)]
    store = store_of(*chain, *(task_of(f"leaf{count}") for count in range(number)))
    tracemalloc.start()
    try:
        closing = find_cycle(task_of(f"t{number}", "t0"), store)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert closing == [f"t{number}", *(f"t{count}" for count in range(number + 1))]
    assert peak < 500 * number


def test_of_a_long_cycle_both_ends_are_printed() -> None:
    ids = [*(f"t{count}" for count in range(50)), "t0"]
    store = store_of(*map(task_of, ids[1:50], ids[2:51]))
    assert refusal(task_of("t0", "t1"), store, ids, is_adopted=False) == (
        "Task 't0' would depend on itself: " + " -> ".join([*ids[:10], "(31 more)", *ids[-10:]])
    )


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_cycle_through_a_chain_is_found_in_whatever_order_it_was_registered(is_reversed: bool) -> None:
    ids = [f"t{count}" for count in range(2_000)]
    tasks = [task_of(ids[0]), *map(task_of, ids[1:], ids)]
    registry = TaskRegistry()
    for task in reversed(tasks) if is_reversed else tasks:
        registry.register(task)
    with pytest.raises(ValueError, match=r"^Task 't0' would depend on itself: t0 -> t1999 -> t1998 -> .* -> t0$"):
        registry.update("t0", depends_on=[ids[-1]])
    registry.update(ids[-1], depends_on=[ids[0]])


@pytest.mark.parametrize("ids", [["load users", "load-users"], ["a", "b c", "b.c"]])
def test_two_dependencies_whose_results_would_have_one_name_are_refused(ids: list[str]) -> None:
    name = f"dep_{ids[-1].replace('-', '_').replace('.', '_')}"
    expected = f"task 'z' takes the results of {ids[-2]!r} and {ids[-1]!r}, which would both go to {name!r}."
    with pytest.raises(ValueError, match="would both go to") as caught:
        check(task_of("z", *ids))
    assert str(caught.value) == expected
    check(task_of("z", "a", "a", "b c"))


def test_a_keyword_argument_collides_with_the_result_of_an_id_that_is_no_identifier() -> None:
    with pytest.raises(ValueError, match=r"^kwargs of task 'b' hold 'dep_a_b', where the result of 'a-b' would go\.$"):
        check(task_of("b", "a-b", kwargs={"dep_a_b": 1}))


def test_a_function_that_cannot_be_called_is_refused() -> None:
    assert call_refusal(task_of("a", func=len, args=("text",))) is None
    assert call_refusal(task_of("a", func=len)) == (
        "Task 'a' cannot call its function: func len lacks the argument 'obj', which it takes by position only:"
        " give it by args."
    )
