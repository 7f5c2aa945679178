"""Helpers of the tests of loops in an asyncio app."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, run_scheduler
from tests.ways import PATIENCE

HOUR = {"hours": 1}


async def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up_at, "the condition never became true"
        await asyncio.sleep(0.002)


@asynccontextmanager
async def running(registry: TaskRegistry) -> Any:
    job = asyncio.create_task(run_scheduler(interval=600, registry=registry))
    try:
        yield job
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def run_into_ctrl_c(block: Callable[[TaskRegistry], AbstractAsyncContextManager[Any]]) -> Task:
    """Return a task whose coroutine has raised Ctrl+C in such a block, which has raised it, too."""

    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def main(registry: TaskRegistry) -> None:
        registry.register(Task(id="a", every=HOUR, func=interrupt))
        async with block(registry):
            await asyncio.sleep(PATIENCE)

    registry = TaskRegistry()
    with pytest.raises(KeyboardInterrupt):
        run(main, registry)
    return registry.store["a"]


def run(main: Callable[[TaskRegistry], Awaitable[None]], registry: TaskRegistry | None = None) -> TaskRegistry:
    registry = TaskRegistry() if registry is None else registry
    asyncio.run(main(registry))  # type: ignore[arg-type]  # a coroutine, as all tests here make
    return registry


class Gate:
    """A coroutine function that waits until `open` is set, and counts its running calls."""

    def __init__(self) -> None:
        self.inside = 0
        self.open = asyncio.Event()
        self.ends: list[str] = []

    async def __call__(self) -> None:
        self.inside += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        self.ends.append("done")
