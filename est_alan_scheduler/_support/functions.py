"""Facts about functions that are learned without calling them."""

import inspect
from collections.abc import Callable
from typing import Any


def is_coroutine_function(func: Callable[..., Any]) -> bool:
    """Return whether a call of `func` makes a coroutine and does no work yet."""
    if inspect.iscoroutinefunction(func):
        return True
    # `__call__` of a class is about its instances, not about a call of the class.
    return not isinstance(func, type) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004  # not whether it is callable
