"""The loop as a block: it ticks in the background of an event loop until the block ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from est_alan_scheduler._support.errors import InvalidTypeError, WrongStateError
from est_alan_scheduler.loops.asyncio import run
from est_alan_scheduler.loops.ticking import loop_side
from est_alan_scheduler.task_registry import TaskRegistry


class Running(AbstractAsyncContextManager[None]):
    """What `running` returns: for `async with`, and as the `lifespan` of a Starlette or FastAPI app."""

    def __init__(self, registry: TaskRegistry, interval: float, is_given: bool) -> None:
        self._registry = registry
        self._is_given = is_given
        self._interval = interval
        self._side = loop_side(registry)

    def __call__(self, _app: object) -> "Running":
        """Return the block for the life of an app: a server that has started calls a lifespan with its app."""
        return self

    if not TYPE_CHECKING:  # a type checker says so itself

        def __enter__(self) -> None:
            raise InvalidTypeError("write async with running(registry): in a coroutine")

        __exit__ = __await__ = __enter__

    async def __aenter__(self) -> None:
        event_loop = asyncio.get_running_loop()
        if event_loop in self._side.blocks:
            raise WrongStateError(
                "the registry already runs in this event loop: open one block of running() around all"
            )
        block = _tick_in_background(self._registry, self._interval, self._is_given)
        self._side.open_block(event_loop, block)
        await block.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        event_loop = asyncio.get_running_loop()
        try:
            await self._side.blocks[event_loop].__aexit__(kind, error, at)
        finally:
            self._side.close_block(event_loop)


@asynccontextmanager
async def _tick_in_background(registry: TaskRegistry, interval: float, is_given: bool) -> AsyncIterator[None]:
    """Tick during the block. If the scheduler ends by an error, cancel the block, and raise the error at its end."""
    parent = asyncio.current_task()
    is_open, is_cancelled = True, False

    def cancel_block(job: "asyncio.Task[None]") -> None:
        nonlocal is_cancelled
        if is_open and parent is not None and not job.cancelled():
            is_cancelled = parent.cancel()

    job = asyncio.create_task(run(registry, interval, is_given), name="est-alan-scheduler")
    job.add_done_callback(cancel_block)
    try:
        yield
    finally:
        is_open = False
        try:
            await _stop(job)
        finally:
            if is_cancelled and parent is not None:
                parent.uncancel()


async def _stop(job: "asyncio.Task[None]") -> None:
    """End the scheduler and raise its error. A cancellation meanwhile stops the wait for plain functions."""
    job.cancel()
    try:
        await asyncio.wait([job])
    except asyncio.CancelledError:
        job.cancel()
        await asyncio.wait([job])
        raise
    finally:
        if job.done() and not job.cancelled():
            job.result()
