"""Functions: what a call of them makes, told without a call."""

import functools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from est_alan_scheduler._support.functions import generator_kind, is_coroutine_function, own_name


async def coroutine() -> None:
    pass


def plain() -> None:
    pass


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Async:
    async def __call__(self) -> None:
        pass

    async def method(self) -> None:
        pass

    @classmethod
    async def of_class(cls) -> None:
        pass

    @staticmethod
    async def static() -> None:
        pass


class Generating:
    def __call__(self) -> Iterator[int]:
        yield 1

    def method(self) -> Iterator[int]:
        yield 1


class AsyncGenerating:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


def decorated(func: Any) -> Any:
    @functools.wraps(func)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await func(*args, **kwargs)

    return wrapper


def layers_of(func: Any) -> list[Any]:
    partial = functools.partial(func)
    return [func, partial, functools.partial(partial), functools.partial(functools.partial(partial), 1)]


@pytest.mark.parametrize(
    "func", [coroutine, Async(), Async().method, Async.of_class, Async.static, decorated(plain), decorated(coroutine)]
)
def test_a_coroutine_function_is_known_in_any_form(func: Any) -> None:
    assert [is_coroutine_function(layer) for layer in layers_of(func)] == [True] * 4


@pytest.mark.parametrize(
    "func", [plain, Async, Generating(), generator, async_generator, int, print, [].append, "a".join]
)
def test_any_other_is_none(func: Any) -> None:
    assert [is_coroutine_function(layer) for layer in layers_of(func)] == [False] * 4


@pytest.mark.parametrize(
    ("func", "kind"),
    [
        (generator, "generator"),
        (Generating(), "generator"),
        (Generating().method, "generator"),
        (async_generator, "async generator"),
        (AsyncGenerating(), "async generator"),
        (plain, None),
        (coroutine, None),
        (Generating, None),
        (int, None),
        ([].append, None),
    ],
)
def test_a_generator_function_is_known_in_any_form(func: Any, kind: str | None) -> None:
    assert [generator_kind(layer) for layer in layers_of(func)] == [kind] * 4


class Hostile:
    """It answers questions about itself by an error, as some proxies do."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self) -> None: ...


class HalfHostile:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self) -> None: ...


class AsyncHostile(Hostile):
    async def __call__(self) -> None: ...  # type: ignore[override]


class GeneratingHostile(HalfHostile):
    def __call__(self) -> Iterator[int]:  # type: ignore[override]
        yield 1


@pytest.mark.parametrize(
    ("made", "answers"),
    [
        (Hostile, (False, None)),
        (HalfHostile, (False, None)),
        (AsyncHostile, (True, None)),
        (GeneratingHostile, (False, "generator")),
    ],
)
def test_an_object_that_raises_when_it_is_asked_is_known_by_its_class(made: Any, answers: Any) -> None:
    func = made()  # here: pytest asks what is in a table
    assert (is_coroutine_function(func), generator_kind(func)) == answers
    assert own_name(func) == made.__name__


@pytest.mark.parametrize("made", [Hostile, HalfHostile])
def test_a_task_has_such_an_object_as_its_function(made: Any) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=int))
    task = registry.register(Task(id="b", every={"hours": 1}, func=made(), depends_on=["a"]))
    registry.tick()
    registry.tick()
    assert (task.status, task.error) == (TaskStatus.SUCCESS, None)
    assert made.__name__ in json.loads(task.model_dump_json())["func"]


def test_an_object_whose_parameters_it_does_not_tell_takes_what_it_is_given() -> None:
    class Untold(HalfHostile):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return kwargs

    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=int))
    task = registry.register(Task(id="b", every={"hours": 1}, func=Untold(), depends_on=["a"], kwargs={"x": 1}))
    registry.tick()
    registry.tick()
    assert task.result == {"x": 1}
