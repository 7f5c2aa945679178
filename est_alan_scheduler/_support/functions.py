"""Functions, looked at without being called."""

import inspect
from collections.abc import Callable
from typing import Any


def is_coroutine_function(func: Callable[..., Any]) -> bool:
    """Tell whether calling `func` makes a coroutine and does no work yet."""
    if inspect.iscoroutinefunction(func):
        return True
    # An object; of a class, it would be what its instances do when they are called.
    return not isinstance(func, type) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004  # not whether it is callable
