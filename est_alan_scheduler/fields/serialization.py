"""Serialization of functions and values: as bounded text, or as JSON."""

import builtins
import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from pydantic import PlainSerializer

from est_alan_scheduler._support.signals import UNREADABLE, is_for_program
from est_alan_scheduler._support.text import error_text, short_repr
from est_alan_scheduler.fields.unknown_function import is_unknown

_FUNCTION = "function"
_REMEDY = "only a module-level {}, named 'module:qualname', can be loaded"

_LARGEST = 32_000_000  # characters of a result in JSON: more than that, not every store takes
_MAX_DEPTH = 100  # pydantic gives up at 255

NOT_JSON = "__not_json__"
"""The key of an argument that JSON cannot hold: it is shown there, but the task cannot be loaded."""


def is_marked(value: object) -> bool:
    """Return whether a value is the mark of an argument that JSON cannot hold."""
    return isinstance(value, dict) and value.keys() == {NOT_JSON}


def is_json(value: object) -> bool:
    """Return whether JSON can hold a value."""
    return _json_of(value) is not None


def json_or_repr(value: object) -> object:
    """Return `value` as JSON has it (tuples become arrays), else its bounded `repr`."""
    text = _json_of(value)
    return short_repr(value) if text is None else _as_read(value, text)


JsonOrRepr = PlainSerializer(json_or_repr, when_used="json")
"""Mark of a field of any value: in JSON, the value if JSON can hold it, else its bounded `repr`."""

ErrorText = PlainSerializer(lambda error: None if error is None else error_text(error), str | None, when_used="json")
"""Mark of a field that holds an exception or None: in JSON, its text."""


def json_or_marked(value: object) -> object:
    """Return `value` as JSON has it, else its bounded `repr` under the key NOT_JSON."""
    text = _json_of(value)
    return {NOT_JSON: short_repr(value)} if text is None else _as_read(value, text)


def _as_read(value: object, text: str) -> object:
    """Return a value as it was when it was read as `text`: its application may change a list or dict at any time."""
    return _codec()[1](text) if isinstance(value, list | tuple | dict) else value


def history_for_json(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of a history with their moments as texts."""
    return [
        {key: value.isoformat() if isinstance(value, datetime) else json_or_repr(value) for key, value in run.items()}
        for run in history
    ]


def marked_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, `args` and `kwargs`, with a mark in the place of what JSON cannot hold."""
    kwargs = {name: json_or_marked(value) for name, value in list(given["kwargs"].items())}
    return {"args": [json_or_marked(value) for value in given["args"]], "kwargs": kwargs}


def round_trip(value: object) -> tuple[Any, str]:
    """Return `value` as it comes back from JSON, and the JSON; of its bounded `repr` if a store cannot hold it."""
    if value is None:  # most functions return nothing
        return None, "null"
    text = _json_of(value)
    if not text or len(text) > _LARGEST:
        text = _codec()[0](short_repr(value))
    return _codec()[1](text), text


def function_name(func: Callable[..., Any]) -> str:
    """Return `"module:qualname"`; for a callable that no import can reach (a partial, a bound method), its `repr`.

    For a function that is unknown here: its name.
    """
    if is_unknown(func):
        return func.name
    try:
        return _importable_name(func) or short_repr(func)
    except UNREADABLE as error:  # of an object with a `__getattr__` of its own
        if is_for_program(error):
            raise
        return short_repr(func)


def _importable_name(func: Callable[..., Any]) -> str | None:
    module, qualname = getattr(func, "__module__", None), getattr(func, "__qualname__", None)
    owner = func.__self__ if inspect.ismethod(func) else None
    if inspect.isclass(owner):  # a class method: of the class that it was looked up in
        module, qualname = owner.__module__, f"{owner.__qualname__}.{func.__name__}"
    elif owner is not None or not module or not qualname or isinstance(func, functools.partial):
        return None
    return f"{module}:{qualname}"


def function_named(name: str) -> Callable[..., Any]:
    """Import the callable named `"module:qualname"`; ValueError if there is none."""
    found = object_named("func", name, _FUNCTION)
    if not callable(found):
        raise ValueError(f"func {name!r} is {short_repr(found)}, which is not callable: {_REMEDY.format(_FUNCTION)}")
    return found  # type: ignore[no-any-return]  # callable() has just said so


def object_named(field: str, name: str, kind: str) -> Any:
    """Import the object named `"module:qualname"`; ValueError, with the field and a remedy, if that fails."""
    module, _, qualname = name.partition(":")
    remedy = _REMEDY.format(kind)
    if not (module and qualname) or "<" in name or " " in name:
        hint = f" (did you mean 'builtins:{name}'?)" if hasattr(builtins, name) else ""
        raise ValueError(f"{field} {name!r} cannot be found by name{hint}: {remedy}")
    try:
        return functools.reduce(getattr, qualname.split("."), import_module(module))
    except (Exception, SystemExit) as error:  # the module may do anything on import
        raise ValueError(f"{field} {name!r} cannot be found ({error}): {remedy}") from error


@functools.cache
def _codec() -> "tuple[Callable[[object], str], Callable[[str], Any]]":
    """Return what encodes and decodes JSON."""
    import json  # late: only what is stored, or shown as JSON, needs it

    return json.JSONEncoder(allow_nan=False).encode, json.loads  # `json.dumps` would make an encoder each time


def _json_of(value: object) -> str | None:
    """Return a value as JSON; None if JSON cannot hold it, or if it cannot be read."""
    try:
        text = _codec()[0](value)
        return text if _comes_back(value, _MAX_DEPTH) else None
    except (TypeError, ValueError, RecursionError):
        return None
    except UNREADABLE as error:  # of code of its own, or because another thread changes it meanwhile
        if is_for_program(error):
            raise
        return None


def _comes_back(value: object, depth: int) -> bool:
    """Return whether a value comes back from JSON as it was, but for tuples."""
    if isinstance(value, list | tuple):
        return depth > 0 and all(_comes_back(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return depth > 0 and all(type(key) is str and _comes_back(item, depth - 1) for key, item in value.items())
    if type(value) is str:
        value.encode()  # raises ValueError for half a surrogate pair
    return value is None or type(value) in (bool, int, float, str)
