"""Orders of tasks, and paging in them by keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web.page import sorting
from est_alan_scheduler.web.page.sorting import Orders, Sort
from est_alan_scheduler.web.paging import cursor_of
from tests.frozen import START, Frozen, work

MINUTE = timedelta(minutes=1)


def some() -> Frozen:
    """Return a registry with five tasks, which come in another order each way."""
    registry = Frozen()
    for task_id, name, minutes, last, failures in [
        ("e", "beta", 30, 10, 0),
        ("d", "Alpha", 20, 5, 3),
        ("c", "gamma", 40, 1, 1),
        ("b", "Beta", 10, None, 0),
        ("a", "delta", None, None, 0),
    ]:
        last_run_at = None if last is None else START - last * MINUTE
        schedule = {"manual": True} if minutes is None else {"every": {"minutes": minutes}}
        task = Task(id=task_id, name=name, func=work, last_run_at=last_run_at, **schedule)
        task.consecutive_failures = failures
        registry.register(task)
    return registry


def pages(registry: TaskRegistry, sort: Sort, limit: int, is_chosen: Callable[[Task], bool] | None = None) -> list[str]:
    """Return the ids of each page, joined."""
    found, cursor, orders = [], None, Orders(registry)
    while True:
        tasks, cursor = orders.page(sort, limit, cursor, is_chosen)
        found.append("".join(task.id for task in tasks))
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", "dbeac"),
        ("-name", "caebd"),
        ("next", "bdeca"),  # at once, in 15, 20 and 39 minutes, never
        ("-next", "cedba"),
        ("last", "edcab"),
        ("-last", "cdeab"),
        ("failures", "abecd"),
        ("-failures", "dceba"),
        ("id", "abcde"),
        ("-id", "edcba"),
    ],
)
def test_tasks_are_sorted_and_those_without_a_key_come_last(sort: Sort, expected: str) -> None:
    registry = some()
    assert pages(registry, sort, 5) == [expected]
    assert pages(registry, sort, 2) == [expected[:2], expected[2:4], expected[4:]]
    assert pages(registry, sort, 1) == list(expected)


@pytest.mark.parametrize("sort", get_args(Sort))
def test_a_filter_leaves_out_tasks_and_no_page_is_empty(sort: Sort) -> None:
    registry = some()
    (whole,) = pages(registry, sort, 5)
    few = pages(registry, sort, 1, lambda task: task.id in "bd")
    assert few == [task_id for task_id in whole if task_id in "bd"]


def test_a_page_goes_on_where_the_last_one_ended_though_tasks_come_and_go() -> None:
    registry = some()
    orders = Orders(registry)
    (first, second), cursor = orders.page("name", 2, None)
    registry.remove(second)
    registry.register(Task(id="f", name="aaa", func=work, manual=True))
    registry.register(Task(id="g", name="bezier", func=work, manual=True))
    tasks, cursor = orders.page("name", 3, cursor)
    assert (first.id, second.id, [task.id for task in tasks]) == ("d", "b", ["e", "g", "a"])


@given(
    st.lists(st.tuples(st.text(max_size=2), st.integers(0, 2)), max_size=12),
    st.sampled_from(get_args(Sort)),
    st.integers(1, 5),
)
def test_the_pages_of_any_order_have_each_task_once(tasks: list[tuple[str, int]], sort: Sort, limit: int) -> None:
    registry = TaskRegistry()
    for number, (name, failures) in enumerate(tasks):
        task = registry.register(Task(id=f"{number:02}", name=name or None, func=work, manual=True))
        task.consecutive_failures = failures
    found, cursor, orders = list[str](), None, Orders(registry)
    while True:
        page, cursor = orders.page(sort, limit, cursor)
        found += [task.id for task in page]
        if cursor is None:
            break
    (whole,) = [[task.id for task in orders.page(sort, 100, None)[0]]]
    assert found == whole
    assert sorted(found) == sorted(registry.store)


@pytest.mark.parametrize("few_pass", [True, False])
def test_in_a_large_registry_a_filter_finds_the_same(monkeypatch: pytest.MonkeyPatch, few_pass: bool) -> None:
    monkeypatch.setattr(sorting, "_STEP", 10)
    registry = TaskRegistry()
    for number in range(300):
        registry.register(Task(id=f"{number * 7 % 300:03}", func=work, manual=True))
    wanted = {"099", "299"} if few_pass else {task.id for task in registry if task.id > "050"}
    tasks, _ = Orders(registry).page("-id", 20, None, lambda task: task.id in wanted)
    assert [task.id for task in tasks] == sorted(wanted, reverse=True)[:20]


def test_the_order_of_many_tasks_is_kept_for_a_multiple_of_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_FEW", 2)
    clock = iter([0.0, 0.5, 10.4, 10.6, 10.7])
    monkeypatch.setattr(sorting, "monotonic", lambda: next(clock))
    registry = some()
    orders = Orders(registry)
    before = [task.id for task in orders.page("name", 5, None)[0]]
    registry["a"].name = "aaa"
    registry.remove("e")
    assert [task.id for task in orders.page("name", 5, None)[0]] == [one for one in before if one != "e"]
    assert [task.id for task in orders.page("name", 5, None)[0]] == ["a", "d", "b", "c"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        cursor_of("no"),
        cursor_of('["next", 1.0, "a"]'),
        cursor_of('["name", 1, "a"]'),
        cursor_of('["name", null, "a"]'),
        cursor_of('["name", "a"]'),
        cursor_of('["name", "a", 1]'),
        cursor_of("[" * 9_999),
    ],
)
def test_what_is_no_cursor_of_the_order_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match=r"no cursor of this (order|list)"):
        Orders(some()).page("name", 2, cursor)
