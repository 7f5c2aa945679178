"""The index of dependents: exact for fields that are assigned, and safe for lists that are edited in place."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task
from est_alan_scheduler.planning.indexes.dependents import Dependents

ids = st.sampled_from("abcd")
edits = st.tuples(ids, st.lists(ids, unique=True))


def task_of(task_id: str, inputs: Iterable[str] = (), **fields: Any) -> Task:
    return Task(id=task_id, every={"hours": 1}, func=print, depends_on=list(inputs), **fields)


@given(st.lists(edits))
def test_it_knows_the_dependents_of_each_id_after_any_edits(edits: list[tuple[str, list[str]]]) -> None:
    store = dict[str, Task]()
    found = Dependents(store)
    for task_id, inputs in edits:
        if task_id in store and not inputs:
            del store[task_id]
            found.forget(task_id)
        else:
            store[task_id] = task_of(task_id, set(inputs) - {task_id})
            found.read(store[task_id])
        for one in "abcd":
            known = {task.id for task in store.values() if one in task.depends_on}
            assert {task.id for task in found.of(one)} == known
            assert (one in found) is bool(known)


def test_a_list_that_was_edited_in_place_counts_as_it_is() -> None:
    store = {"b": task_of("b", ["a"])}
    found = Dependents(store)
    found.read(store["b"])
    store["b"].depends_on.clear()
    assert found.of("a") == []


def test_it_names_the_tasks_that_nothing_keeps_any_more() -> None:
    store = {"a": task_of("a", remove_when_done=True), "b": task_of("b", ["a", "c"]), "c": task_of("c")}
    found = Dependents(store)
    found.read(store["b"])
    found.forget("b")
    assert (found.take_candidate(), found.take_candidate()) == ("a", None)
