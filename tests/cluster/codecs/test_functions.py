"""Functions by name."""

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from tests import jobs
from tests.cluster.helpers import adder

pytestmark = pytest.mark.pydantic


def named(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function look like one at the top of this module."""
    func.__qualname__ = "job"
    return func


def wrapped(func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def call() -> Any:
        return func()

    return call


def one() -> int:
    return 1


def other() -> int:
    return 2


class TestANameOfAnother:
    def test_a_second_function_of_one_name_is_not_registered(self) -> None:
        @named
        def first() -> None: ...

        @named
        def second() -> None: ...

        backend = MemoryBackend()
        registry = TaskRegistry(backend=backend)
        registry.register(Task(id="a", every={"hours": 1}, func=first))
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
            registry.register(Task(id="b", every={"hours": 1}, func=second))
        assert str(caught.value) == (
            f"task 'b': func {second!r} cannot have the name 'tests.cluster.codecs.test_functions:job', which is that"
            f" of {first!r}: give it one of its own, registry.expose(func, 'another name')"
        )
        assert (list(registry.store), registry.unresolved(), set(backend.fetch(None, 0).states)) == (["a"], {}, {"a"})
        registry.expose(second, "another name")
        registry.register(Task(id="b", every={"hours": 1}, func=second))
        registry.shutdown()

    def test_a_registry_with_two_functions_of_one_name_takes_no_backend(self) -> None:
        backend, registry = MemoryBackend(), TaskRegistry()
        for func in (wrapped(one), wrapped(one)):
            registry.register(Task(id=str(len(registry.store)), every={"hours": 1}, func=func))
        with pytest.raises(
            ValueError, match=r"^task '1': func .* cannot have the name 'tests\.cluster\.codecs\.test_functions:one'"
        ):
            registry.configure(backend=backend)
        assert (registry.backend, backend.fetch(None, 0).states) == (None, {})

    @pytest.mark.parametrize(
        ("kept", "func"),
        [
            (one, other),
            (wrapped(one), wrapped(one)),
            (one, wrapped(one)),
            (named(wrapped(one)), named(wrapped(other))),
            ([].append, [1].append),
            (print, len),
        ],
    )
    def test_a_name_keeps_its_first_function(self, kept: Callable[..., Any], func: Callable[..., Any]) -> None:
        names = FunctionNames()
        names.expose(kept, "name")
        with pytest.raises(ValueError, match="cannot have the name 'name'"):
            names.expose(func, "name")
        assert names.find("name") is kept


def test_the_same_function_may_be_exposed_again_and_by_other_names() -> None:
    names, numbers = FunctionNames(), [1]
    for func in (jobs.add, numbers.append):
        names.expose(func, repr(func.__name__))
        names.expose(func, repr(func.__name__))
    names.expose(jobs.add, "plus")
    assert (names.find("plus"), names.name_of(jobs.add)) == (jobs.add, "plus")


def test_expose_may_decorate_a_function() -> None:
    assert TaskRegistry().expose(jobs.add) is jobs.add


@pytest.mark.parametrize("decorator", ["", "@wrapped\n"])
def test_a_function_of_a_module_that_is_loaded_anew_takes_the_place_of_the_old_one(
    decorator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = tmp_path / "loaded_anew.py"
    text = f"from tests.cluster.codecs.test_functions import wrapped\n{decorator}def job():\n    return "
    source.write_text(f"{text}1\n")
    module = importlib.import_module("loaded_anew")
    names = FunctionNames()
    names.name_of(module.job)
    source.write_text(f"{text}2 + 0\n")
    names.name_of(importlib.reload(module).job)
    del sys.modules["loaded_anew"]
    found = names.find("loaded_anew:job")
    assert found is module.job
    assert found() == 2


def test_a_function_of_the_main_module_needs_a_name(alone: TaskRegistry) -> None:
    def work() -> None: ...

    work.__module__, work.__qualname__ = "__main__", "work"
    with pytest.raises(ValueError, match=r"func 'work' is defined in the program itself \(__main__\)"):
        alone.register(adder(func=work, args=()))
    alone.expose(work, "work")
    alone.register(adder(func=work, args=()))
    with pytest.raises(ValueError, match=r"^only a function can be exposed, got 1$"):
        alone.expose(1)  # type: ignore[type-var]  # that is what is refused
    with pytest.raises(ValueError, match=r"^the name of a function must be a non-empty text, got ''$"):
        alone.expose(work, "")
