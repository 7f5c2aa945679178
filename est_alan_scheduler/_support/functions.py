"""Facts about functions that are learned without calling them."""

import inspect
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from est_alan_scheduler._support.signals import UNREADABLE, is_for_program

_GENERATORS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def is_coroutine_function(func: Callable[..., Any]) -> bool:
    """Return whether a call of `func` makes a coroutine and does no work yet."""
    try:
        return any(map(inspect.iscoroutinefunction, _layers(func)))
    except UNREADABLE as error:  # of an object with a `__getattr__` of its own
        if is_for_program(error):
            raise
        return inspect.iscoroutinefunction(_called(func))


def own_name(func: Callable[..., Any]) -> str:
    """Return the name of a function, of a class, or of the class of another object that can be called."""
    try:
        func = _unwrapped(func)
        name = getattr(func, "__name__", None)
    except UNREADABLE as error:  # of an object with a `__getattr__` of its own
        if is_for_program(error):
            raise
        name = None
    return name if isinstance(name, str) and name else type(func).__name__


def generator_kind(func: Callable[..., Any]) -> str | None:
    """Return "generator" or "async generator" if a call of `func` makes one, and does no work; else None."""
    while type(func) is partial:
        func = func.func
    kind = type(func)
    if kind is BuiltinFunctionType or (kind is FunctionType and not func.__code__.co_flags & _GENERATORS):
        return None  # nearly all, and fast
    try:
        return next(filter(None, map(_kind_of, _layers(func))), None)
    except UNREADABLE as error:  # of an object with a `__getattr__` of its own
        if is_for_program(error):
            raise
        return _kind_of(_called(func))


def _kind_of(func: Any) -> str | None:
    if inspect.isgeneratorfunction(func):
        return "generator"
    return "async generator" if inspect.isasyncgenfunction(func) else None


def _called(func: Any) -> Any:
    """Return what a call of an object calls, without code of its class."""
    return inspect.getattr_static(type(func), "__call__", None)


def _layers(func: Any) -> tuple[Any, ...]:
    """Return a function without its partials and bindings, and the `__call__` of an object."""
    func = _unwrapped(func)
    # `__call__` of a class is about its instances, not about a call of the class.
    return (func,) if isinstance(func, type) else (func, _unwrapped(getattr(func, "__call__", None)))  # noqa: B004  # not whether it is callable


def _unwrapped(func: Any) -> Any:
    while isinstance(func, partial | MethodType):
        func = func.func if isinstance(func, partial) else func.__func__
    return func
