"""Functions: what a call of them makes, told without a call."""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from est_alan_scheduler._support.functions import generator_kind, is_coroutine_function


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
