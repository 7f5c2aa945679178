"""Functions whose call does no work yet: none of them counts as a success."""

import asyncio
import functools
import gc
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from tests.executors.helpers import HOUR, run, spawn


def generate() -> Iterator[int]:
    yield 1


async def generate_async() -> AsyncIterator[int]:
    yield 1


class Generating:
    def __call__(self) -> Iterator[int]:
        yield 1


class Awaitable:
    def __await__(self) -> Generator[None, None, None]:
        yield

    def __repr__(self) -> str:
        return "<an awaitable>"


def wrap(func: Any) -> Any:
    @functools.wraps(func)
    def wrapper() -> Any:
        return func()

    return wrapper


async def make_coroutine() -> Any:
    async def inner() -> None:
        pass

    return inner()


async def make_task() -> Any:
    return asyncio.create_task(asyncio.sleep(0))


async def make_future() -> Any:
    return asyncio.get_running_loop().create_future()


def make_generator() -> Any:
    return generate()


AWAIT = "which is still to be awaited: let func be an `async def` function that awaits it"
CONSUME = "consume it in func (list(...) or a for loop)"


@pytest.mark.parametrize(
    ("func", "kind", "remedy"),
    [
        (generate, "a generator", "list(...) or a for loop"),
        (functools.partial(generate), "a generator", "list(...) or a for loop"),
        (Generating(), "a generator", "list(...) or a for loop"),
        (generate_async, "an async generator", "an async for loop in an async def function"),
    ],
)
def test_a_generator_function_is_refused(func: Any, kind: str, remedy: str) -> None:
    registry = TaskRegistry()
    message = (
        f"func of task 'a' is {kind} function, and a call of it runs nothing: let func be a function that consumes it "
        f"({remedy})."
    )
    with pytest.raises(ValueError, match=r"is an? .*generator function") as caught:
        registry.register(Task(id="a", every=HOUR, func=func))
    assert (str(caught.value), len(registry)) == (message, 0)
    registry.register(Task(id="a", every=HOUR, func=int))
    with pytest.raises(ValueError, match=r"is an? .*generator function") as caught:
        registry.update("a", func=func)
    assert str(caught.value) == message
    with pytest.raises(TypeError, match="callback must be a plain function"):
        registry.on("failed", func)


@pytest.mark.parametrize("timeout", [None, 60])
@pytest.mark.parametrize("way", ["inline", "threads"])
@pytest.mark.parametrize(
    ("func", "message"),
    [
        (wrap(generate), f"func returned the generator generate, which has run nothing: {CONSUME}"),
        (
            lambda: generate_async(),
            "func returned the async generator generate_async, which has run nothing: consume it in func "
            "(an async for loop in an async def function)",
        ),
        (Awaitable, f"func returned <an awaitable>, {AWAIT}"),
        (make_coroutine, f"func returned <coroutine object make_coroutine.<locals>.inner at 0x, {AWAIT}"),
        (make_task, f"func returned <Task, {AWAIT}"),
        (make_future, f"func returned <Future, {AWAIT}"),
    ],
)
def test_a_result_that_is_still_to_be_run_fails_the_run(
    func: Any, message: str, way: str, timeout: float | None
) -> None:
    with ThreadPoolExecutor(1) as pool:
        registry = TaskRegistry(executor=pool if way == "threads" else None)
        task = registry.register(Task(every=HOUR, func=func, timeout=timeout))
        run(registry, task)
    assert (task.status, type(task.error)) == (TaskStatus.FAILED, TypeError)
    start, _, end = message.partition(", ")
    assert str(task.error).startswith(start)
    assert str(task.error).endswith(end)
    gc.collect()  # a coroutine that was never awaited would warn


def test_a_function_that_was_assigned_is_found_by_its_result() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(every=HOUR, func=int))
    task.func = generate
    registry.tick()
    assert task.error_message == f"TypeError: func returned the generator generate, which has run nothing: {CONSUME}"


def test_in_a_process_it_is_the_same() -> None:
    with spawn() as executor:
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=make_generator))
        run(registry, task)
    assert task.error_message == f"TypeError: func returned the generator generate, which has run nothing: {CONSUME}"


def test_a_generator_expression_is_a_result() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(every=HOUR, func=lambda: (number for number in [1, 2])))
    registry.tick()
    assert list(task.result) == [1, 2]
