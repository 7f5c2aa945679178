"""Unknown functions: a name in the place of a function."""

import copy
import pickle
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.fields.serialization import function_name
from est_alan_scheduler.fields.unknown_function import UnknownFunction, is_unknown

MINUTE = {"minutes": 1}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("app.jobs:clean", "clean"),
        ("app.jobs:Cleaner.run", "run"),
        ("nightly", "nightly"),
        ("nightly report: all", "nightly report: all"),
        ("a\nb\x1b[31m", r"a\nb\x1b[31m"),
        ("<locals>", "<locals>"),
        ("x" * 5_000, "x" * 5_000),
    ],
)
def test_it_shows_the_name_that_the_function_would_show(name: str, shown: str) -> None:
    func = UnknownFunction(name)
    task = Task(id="a", every=MINUTE, func=func)
    assert (function_name(func), task.name) == (name, shown)


def test_it_is_equal_by_name_and_comes_back_from_a_pickle() -> None:
    func: Any = UnknownFunction("app:clean")
    for one in (UnknownFunction("app:clean"), copy.deepcopy(func), pickle.loads(pickle.dumps(func))):  # our own
        assert (one == func, hash(one) == hash(func), is_unknown(one)) == (True, True, True)
    assert (func == UnknownFunction("app:dirty"), func == print, is_unknown(print)) == (False, False, False)
    assert repr(func) == "<unknown function 'app:clean'>"


def test_a_call_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"^function 'app:clean' is unknown here: register or expose it$"):
        UnknownFunction("app:clean")(1, x=2)


def test_a_registry_without_a_backend_keeps_such_a_task_and_does_not_run_it() -> None:
    registry = TaskRegistry()
    task = registry.store["a"] = Task(id="a", every=MINUTE, func=UnknownFunction("app:clean"))
    registry.tick()
    assert (task.runs, registry.idle_seconds()) == (0, None)
    text = "cannot run here: its function 'app:clean' is unknown here: register or expose it"
    assert registry.why_not("a") == f"{text}; due now"
    with pytest.raises(RuntimeError, match=f"^task 'a' {text}$"):
        registry._execute(task)
    registry.register(Task(id="forgetful", every=MINUTE, func=lambda: setattr(task, "func", UnknownFunction("x"))))
    registry.store["a"] = registry.store.pop("a")  # behind that one
    task.func = lambda: None
    registry.tick()
    assert (registry.store["forgetful"].runs, task.runs) == (1, 0)
    ran: list[int] = []
    task.func = lambda: ran.append(1)
    registry.tick()
    assert (ran, task.runs) == ([1], 1)
