"""Exception classes of `retry.on` by name: a row runs no code, and a retry works where its class is not named."""

import json
import sys
from types import ModuleType
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, runs

# The names are read in one place, whatever the store.
pytestmark = [pytest.mark.pydantic, pytest.mark.parametrize("store", ["memory"], indirect=True)]

ONCE = {"max_retries": 1, "delay": 0, "jitter": 0}


class OddError(ValueError):
    """The class of an application that only some of its processes name."""


class LaterError(OddError):
    pass


def fail() -> None:
    raise LaterError("boom")


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is looked up in a module `trap`, in a class of it, and in its metaclass."""
    touched: list[str] = []

    class Meta(type):
        def __getattr__(cls, name: str) -> Any:
            touched.append(f"class {name}")
            return OddError

    class Trap(ModuleType):
        Inner = Meta("Inner", (), {})

        @property
        def thing(self) -> Any:
            touched.append("property")
            return OddError

        def __getattr__(self, name: str) -> Any:
            touched.append(f"module {name}")
            return OddError

    trap = Trap("trap")
    monkeypatch.setitem(sys.modules, "trap", trap)
    return touched


def spoil(store: Store, on: Any) -> None:
    definition = {"every": MINUTE, "func": "tests.jobs:add", "args": [1, 2], "retry": {"on": on}}
    store.spoil("a", "definition", json.dumps({"task": definition, "armed": 0, "zone": None}))


@pytest.mark.parametrize(
    "name",
    ["trap:anything", "trap:thing", "trap:Inner.other", "trap:thing.args.x", "wsgiref.simple_server:WSGIServer"],
)
def test_a_name_in_a_row_neither_runs_code_nor_imports_a_module(
    join: Join, store: Store, touched: list[str], name: str
) -> None:
    join().register(adder())
    modules = set(sys.modules)
    spoil(store, [name])
    registry = join()
    registry.expose(jobs.add)
    registry.tick()
    assert (touched, set(sys.modules) - modules, registry.unresolved(), runs(registry, "a")) == ([], set(), {}, 1)


@pytest.mark.parametrize("on", [5, None, [], [5], [["builtins:OSError"]], ["OSError"], ["a:"], [":b"], ["a:\0"], {}])
def test_a_row_whose_on_holds_no_names_is_unresolved(join: Join, store: Store, on: Any) -> None:
    join().register(adder())
    spoil(store, on)
    registry = join()
    registry.register(adder("b"))
    registry.expose(jobs.add)
    registry.tick()
    assert (list(registry.unresolved()), runs(registry, "b")) == (["a"], 1)


def test_builtins_and_the_classes_that_tasks_name_here_are_found(join: Join) -> None:
    first, second = join(), join()
    first.register(adder(retry=Retry(on=(OddError, OSError))))
    second.register(adder("b", retry=Retry(on=(OddError,))))
    second.tick()
    assert second.store["a"].retry == Retry(on=(OddError, OSError))


@pytest.mark.parametrize(("on", "expected"), [(OddError, 2), (LaterError, 2), (KeyError, 1)])
def test_an_error_is_known_by_name_where_no_task_names_its_class(
    join: Join, clock: Clock, on: type[Exception], expected: int
) -> None:
    first, second = join(), join()
    first.register(Task(id="a", every=MINUTE, func=fail, retry=Retry(on=(on,), **ONCE)))
    second.expose(fail)
    second.tick()
    second.tick()
    assert (runs(second, "a"), first.unresolved(), second.unresolved()) == (expected, {}, {})


def test_a_task_keeps_a_class_that_only_its_name_is_known_of(join: Join) -> None:
    first, second = join(), join()
    task = first.register(Task(id="a", every=MINUTE, func=fail, retry=Retry(on=(OddError,), **ONCE)))
    second.expose(fail)
    second.tick()
    second.update("a", timeout=5)
    first.tick()
    assert (task.timeout, task.retry and task.retry.on) == (5, (OddError,))


def test_a_class_that_is_defined_in_a_function_is_refused(join: Join) -> None:
    class LocalError(Exception):
        pass

    with pytest.raises(ValueError, match=r"task 'a': retry\.on has LocalError, which no other process finds by name"):
        join().register(adder(retry=Retry(on=(LocalError,))))
