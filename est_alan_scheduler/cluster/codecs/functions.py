"""Functions and exception classes by name: a stored definition gets those that this process has named."""

import builtins
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler._support.signals import UNREADABLE, is_for_program
from est_alan_scheduler._support.text import class_name, short_repr
from est_alan_scheduler.fields.retry import NamedError, named_error
from est_alan_scheduler.fields.serialization import function_name
from est_alan_scheduler.fields.unknown_function import is_unknown

_REMEDY = "use a function at the top of an importable module, or give it a name: registry.expose(func, 'name')"
_BUILTIN_ERRORS = {
    class_name(cls): cls for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, BaseException)
}


class FunctionNames:
    """The functions that were registered or exposed, and the exception classes that tasks retry on, by name.

    Names are compared. Nothing is ever imported, or looked up in a module, because of one.
    """

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        self._names: dict[Callable[..., Any], str] = {}
        self._errors: dict[str, type[BaseException]] = dict(_BUILTIN_ERRORS)
        self.kept: list[str] = []
        """All names so far, as they came: a task whose function was unknown may find it when there are more."""

    def expose(self, func: Callable[..., Any], name: str | None = None) -> None:
        """Give a function a name, by default `"module:qualname"`; ValueError if it has none, or another one has it."""
        if not callable(func) or is_unknown(func):
            raise InvalidValueError(f"only a function can be exposed, got {short_repr(func)}")
        if name is not None and (not isinstance(name, str) or not name):
            raise InvalidValueError(f"the name of a function must be a non-empty text, got {short_repr(name)}")
        self._keep(func, natural_name(func) if name is None else name)

    def name_of(self, func: Callable[..., Any]) -> str:
        """Return the name of a function, and let `find` find it by that; ValueError if it has none.

        That of an unknown function is returned, and nothing else.
        """
        if is_unknown(func):
            return func.name
        name = self._names.get(func)
        if name is None:
            name = natural_name(func)
            self._keep(func, name)
        return name

    def shown_name(self, func: Callable[..., Any]) -> str:
        """Return the name that a definition has for a function, or would have; nothing is kept."""
        name = self.kept_name(func)
        return function_name(func) if name is None else name

    def kept_name(self, func: Callable[..., Any]) -> str | None:
        """Return the name by which `find` finds a function, if there is one."""
        try:
            return self._names.get(func)
        except UNREADABLE as error:  # of a callable that has no hash
            if is_for_program(error):
                raise
            return None

    def find(self, name: str) -> Callable[..., Any] | None:
        """Return the function of that name, None if this process has exposed none."""
        return self._functions.get(name)

    def known(self, others: Iterable[Callable[..., Any]] = ()) -> list[str]:
        """Return the names of all functions that `find` finds, and those of `others` that it would find by a name."""
        names = set(list(self._functions))  # noqa: C414  # in one step: other threads add to it
        for func in others:
            with suppress(ValueError, TypeError):  # of one that has no name, or cannot be hashed
                if func not in self._names:
                    names.add(natural_name(func))
        return sorted(names)

    def keep_errors(self, classes: Iterable[type[BaseException]]) -> None:
        """Let `find_error` find these classes, which a task names; ValueError for one that has no name of its own."""
        for cls in classes:
            if "<" in cls.__qualname__:  # each call of a function makes another class
                raise InvalidValueError(f"retry.on has {cls.__name__}, which no other process finds by name")
            if not issubclass(cls, NamedError):
                self._errors[class_name(cls)] = cls

    def find_error(self, name: object) -> type[BaseException]:
        """Return the exception class of that name: a builtin one, or one that a task here names.

        An unknown name is kept as such, so that the task runs here too: the name is compared with those of the classes
        of an error. ValueError for what is no name at all.
        """
        if not isinstance(name, str):
            raise InvalidValueError(f"on must be names of exception classes, got {short_repr(name)}")
        return self._errors.get(name) or named_error(name)

    def with_errors(self, retry: object) -> object:
        """Return a retry as `Task` takes it: exception classes in the place of their names; ValueError for no name."""
        if not isinstance(retry, dict) or "on" not in retry:
            return retry
        on = retry["on"] if isinstance(retry["on"], list) else [retry["on"]]
        return {**retry, "on": [self.find_error(name) for name in on]}

    def _keep(self, func: Callable[..., Any], name: str) -> None:
        is_new = name not in self._functions
        kept = self._functions.setdefault(name, func)  # atomic: of two threads, one is second
        if kept is not func and kept != func and not _is_reloaded(kept, func):  # a bound method is made anew each time
            raise InvalidValueError(
                f"func {short_repr(func)} cannot have the name {name!r}, which is that of {short_repr(kept)}: give it"
                " one of its own, registry.expose(func, 'another name')"
            )
        self._functions[name] = func
        self._names[func] = name
        if is_new:
            self.kept.append(name)


def is_name(name: str) -> bool:
    """Return whether `function_name` has found a name, `"module:qualname"`, and not a `repr`, or that of a lambda."""
    return bool(name.partition(":")[2]) and "<" not in name and " " not in name


def natural_name(func: Callable[..., Any]) -> str:
    """Return `"module:qualname"` of a function that any process finds by it; ValueError for others."""
    name = function_name(func)
    if not is_name(name):
        raise InvalidValueError(
            f"func {short_repr(func)} has no name by which other processes could find it: {_REMEDY}"
        )
    module, _, qualname = name.partition(":")
    if module == "__main__":
        raise InvalidValueError(
            f"func {qualname!r} is defined in the program itself (__main__), which is another one in every process: "
            f"{_REMEDY}"
        )
    return name


def _is_reloaded(old: Callable[..., Any], new: Callable[..., Any]) -> bool:
    """Return whether `new` is `old` after `importlib.reload`, or after the cell of a notebook ran again."""
    if (old.__class__, _place(old)) != (new.__class__, _place(new)):
        return False
    # Two closures of one function, or two wrappers around one, share its very code; a reload compiles it anew.
    former, latter = (getattr(inspect.unwrap(func), "__code__", None) for func in (old, new))
    if former is None or latter is None or former is latter:
        return False
    return bool(former.co_firstlineno == latter.co_firstlineno)


def _place(func: Callable[..., Any]) -> tuple[Any, Any]:
    return getattr(func, "__module__", None), getattr(func, "__qualname__", None)
