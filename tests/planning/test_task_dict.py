"""The dict of tasks, which reports its changes: `TaskDict`."""

import copy
import pickle
import weakref
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler.planning.entry import Holder
from est_alan_scheduler.planning.task_dict import TaskDict, UnknownTaskError
from est_alan_scheduler.task import Task


def task(task_id: str) -> Task:
    return Task(id=task_id, at="07:00", func=print)


A, B, C = task("a"), task("b"), task("c")


class Recorder:
    """A holder of tasks that keeps the reports."""

    def __init__(self) -> None:
        self.reference: weakref.ref[Holder] = weakref.ref(self)
        self.read_clock: Callable[[], datetime] | None = None
        self.store: dict[str, Task] = {}
        self.reports: list[Any] = []

    def note_task(self, task: Task) -> None:
        self.reports.append(task)

    def note_key(self, key: str, moved: bool) -> None:
        self.reports.append((key, moved))

    def note_all(self) -> None:
        self.reports.append("cleared")


def edit(change: Callable[[TaskDict], Any]) -> tuple[list[str], list[Any]]:
    """Change a store of tasks a and b; return its keys and the reports."""
    recorder = Recorder()
    store = TaskDict({"a": A, "b": B}, recorder)
    change(store)
    return list(store), recorder.reports


def put_back(store: TaskDict) -> None:
    store["a"] = store.pop("a")


@pytest.mark.parametrize(
    ("change", "keys", "reports"),
    [
        (lambda store: store.__setitem__("c", C), ["a", "b", "c"], [("c", True)]),
        (lambda store: store.__setitem__("a", task("a")), ["a", "b"], [("a", False)]),
        (lambda store: store.__delitem__("a"), ["b"], [("a", True)]),
        (lambda store: store.pop("a"), ["b"], [("a", True)]),
        (lambda store: store.pop("x", None), ["a", "b"], [("x", True)]),
        (lambda store: store.popitem(), ["a"], [("b", True)]),
        (lambda store: store.clear(), [], ["cleared"]),
        (lambda store: store.setdefault("c", C), ["a", "b", "c"], [("c", True)]),
        (lambda store: store.setdefault("a", C), ["a", "b"], []),
        (lambda store: store.update({"c": C}, a=A), ["a", "b", "c"], [("c", True), ("a", False)]),
        (lambda store: store.__ior__({"c": C}), ["a", "b", "c"], [("c", True)]),
        (put_back, ["b", "a"], [("a", True), ("a", True)]),
    ],
)
def test_each_dict_method_reports_its_change(
    change: Callable[[TaskDict], Any], keys: list[str], reports: list[Any]
) -> None:
    assert edit(change) == (keys, reports)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda store: store.__setitem__("x", A), ValueError, r"store\['x'\] must be the task of that id, got the ta"),
        (lambda store: store.__setitem__("x", 5), TypeError, r"store\['x'\] must be a Task, got 5"),
        (lambda store: store.setdefault("x"), TypeError, r"store\['x'\] must be a Task, got None"),
        (lambda store: store.update(c=C, x=A), ValueError, r"store\['x'\] must be the task of that id, got the task"),
        (lambda store: store.__delitem__("x"), KeyError, "'x'"),
        (lambda store: store.pop("x"), KeyError, "'x'"),
    ],
)
def test_a_refused_edit_changes_nothing(
    change: Callable[[TaskDict], Any], error: type[Exception], message: str
) -> None:
    def attempt(store: TaskDict) -> None:
        with pytest.raises(error, match=message):
            change(store)

    assert edit(attempt) == (["a", "b"], [])


def test_a_pickled_unknown_task_error_contains_no_tasks() -> None:
    with pytest.raises(UnknownTaskError) as caught:
        TaskDict({"nightly": task("nightly")}, Recorder())["nightli"]
    sent = pickle.dumps(caught.value)
    loaded = pickle.loads(sent)
    message = "no task 'nightli' is registered (did you mean 'nightly'?)"
    assert (type(loaded), loaded.args, str(loaded)) == (UnknownTaskError, ("nightli",), message)
    assert b"07:00" not in sent


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))])
def test_a_copy_is_a_plain_dict(duplicate: Callable[[Any], Any]) -> None:
    store = TaskDict({"a": A}, Recorder())
    assert type(duplicate(store)) is dict
    assert duplicate(store) == {"a": A}
