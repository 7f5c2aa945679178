"""The invocation of a function in this thread: a coroutine is awaited, a timeout is applied."""

import time
from collections.abc import Callable, Coroutine
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from est_alan_scheduler._support.signals import follows_interruption
from est_alan_scheduler._support.text import short_repr

CONSUMERS = {"generator": "list(...) or a for loop", "async generator": "an async for loop in an async def function"}
"""What runs a generator, by its kind."""


def invoke(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float | None) -> Any:
    """Call `func`, await the coroutine that it may return, and return the result.

    Raises `TimeoutError` if that took longer than `timeout` seconds. A coroutine is cancelled then. A plain function
    cannot be cancelled, so the error comes when it returns.
    """
    began = time.monotonic()
    try:
        result = func(*args, **kwargs)
    except Exception as error:
        if timeout is not None and time.monotonic() - began > timeout and not follows_interruption(error):
            raise timeout_error(timeout) from error
        raise
    if isinstance(result, CoroutineType):
        return has_run(await_coroutine(result, timeout, began))
    has_run(result)
    if timeout is not None and time.monotonic() - began > timeout:
        raise timeout_error(timeout)
    return result


def has_run(result: Any) -> Any:
    """Return the result of a call. Raise `TypeError` for one that shows that the work is still to be done."""
    kind = type(result)
    if kind is GeneratorType or kind is AsyncGeneratorType:
        code = result.gi_code if kind is GeneratorType else result.ag_code
        if code.co_name != "<genexpr>":  # which is data
            name = "generator" if kind is GeneratorType else "async generator"
            raise TypeError(
                f"func returned the {name} {code.co_qualname}, which has run nothing: consume it in func "
                f"({CONSUMERS[name]})"
            )
    elif hasattr(kind, "__await__"):
        if kind is CoroutineType:
            result.close()  # no warning that it was never awaited
        raise TypeError(
            f"func returned {short_repr(result)}, which is still to be awaited: let func be an `async def` function "
            "that awaits it"
        )
    return result


def await_coroutine(coroutine: Coroutine[Any, Any, Any], timeout: float | None = None, began: float = 0.0) -> Any:
    """Run `coroutine` to its end in an event loop of its own; with a `timeout`, by `await_within`."""
    import asyncio  # late: a program without coroutines needs none

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine if timeout is None else await_within(coroutine, timeout, began))
    coroutine.close()
    raise RuntimeError(
        "func is a coroutine function, and tick() cannot await it inside a running event loop: "
        "let `await run_scheduler()` do the ticking there"
    )


async def await_within(coroutine: Coroutine[Any, Any, Any], timeout: float, began: float) -> Any:
    """Await `coroutine`; cancel it `timeout` seconds after it `began` (by `time.monotonic`), and raise `TimeoutError`.

    The error also comes if it takes longer without being cancelled: it may block the loop or ignore the cancellation.
    """
    import asyncio

    # Not in an asyncio task of its own: its KeyboardInterrupt or SystemExit would come out of the event loop.
    task = asyncio.current_task()
    is_cancelled = False

    def cancel() -> None:
        nonlocal is_cancelled
        is_cancelled = True
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(max(0.0, began + timeout - time.monotonic()), cancel)
    try:
        result = await coroutine
    except asyncio.CancelledError:
        if is_cancelled:
            raise timeout_error(timeout) from None
        raise
    except Exception as error:
        if time.monotonic() - began > timeout and not follows_interruption(error):
            raise timeout_error(timeout) from error
        raise
    finally:
        timer.cancel()
    if time.monotonic() - began > timeout:
        raise timeout_error(timeout)
    return result


def timeout_error(timeout: float) -> TimeoutError:
    """Return the error of a run that exceeds its timeout."""
    return TimeoutError(f"the run took longer than its timeout of {timeout:g} s")
