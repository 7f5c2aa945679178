"""Kinds of functions under `run_scheduler`."""

import asyncio
from functools import partial
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from tests.loops.helpers import HOUR, run, running, until


class Where:
    async def __call__(self, *_: object) -> object:
        return asyncio.get_running_loop()


@pytest.mark.parametrize("func", [Where(), partial(Where()), partial(partial(Where()), 1), Where().__call__])
def test_a_partial_of_an_object_that_makes_coroutines_runs_on_the_loop_of_the_app(func: Any) -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=func))
        async with running(registry):
            await until(lambda: bool(task.history))
        assert task.result is asyncio.get_running_loop()

    run(main)


def test_an_awaitable_that_a_coroutine_returns_fails_its_run() -> None:
    async def make() -> Any:
        return asyncio.get_running_loop().create_future()

    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=make))
        async with running(registry):
            await until(lambda: bool(task.history))
        assert task.error_message is not None
        assert task.error_message.startswith("TypeError: func returned <Future pending>, which is still to be awaited")

    run(main)
