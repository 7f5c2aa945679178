"""Arguments of a task's function: whether a call with them can be made, as far as that is known without making it."""

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

from est_alan_scheduler._support.functions import own_name
from est_alan_scheduler._support.signals import is_interruption
from est_alan_scheduler._support.text import listed
from est_alan_scheduler.fields.checks import near_miss

_PLACEHOLDER = getattr(functools, "Placeholder", None)  # since Python 3.14


class Parameters(NamedTuple):
    """The parameters of a function, and what is bound to them already."""

    by_position: tuple[str, ...]
    only_by_position: int
    """How many of them, the first ones, take no keyword."""
    only_by_keyword: tuple[str, ...]
    optional: Collection[str]
    takes_more: bool
    """Whether it has `*args`."""
    takes_any: bool
    """Whether it has `**kwargs`."""
    bound: int = 0
    """How many positional arguments a method or a partial gives."""
    bound_names: Collection[str] = ()
    """The keyword arguments that a partial gives."""

    def named(self, given: int) -> tuple[str, ...]:
        """Return the parameters that take a keyword beside `given` positional arguments."""
        return self.by_position[max(self.bound + given, self.only_by_position) :] + self.only_by_keyword


class Accepts:
    """The keyword arguments that a function can take beside its positional ones."""

    __slots__ = ("_any", "_names", "_taken", "func", "given")

    def __init__(self, func: Callable[..., Any], given: int) -> None:
        """Read the parameters of `func`, which gets `given` positional arguments. If they are unknown: no names."""
        self.func = func
        self.given = given
        own = parameters_of(func)
        self._names = set() if own is None else set(own.named(given))
        self._taken = set() if own is None else {*own.by_position[: own.bound + given], *own.bound_names}
        self._any = False
        if own is None or own.takes_any:  # a decorated function takes what the function within it takes
            self._read_signature(func, given)

    def _read_signature(self, func: Callable[..., Any], given: int) -> None:
        try:
            parameters = list(inspect.signature(func).parameters.values())
        except Exception as error:  # some builtins have none, and objects may have code of their own
            if is_interruption(error):
                raise
            return
        by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._taken.update(by_position[:given])
        self._names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        self._any = any(p.kind is p.VAR_KEYWORD for p in parameters)

    def __contains__(self, name: str) -> bool:
        return name not in self._taken and (self._any or name in self._names)


def argument_name(task_id: str) -> str:
    """Return the name of the keyword argument that carries the result of a dependency.

    Characters that an identifier cannot have become `_`, a run of them a single one.
    """
    name = f"dep_{task_id}"
    return name if name.isascii() and name.isidentifier() else _identifier(name)


@functools.lru_cache(maxsize=1024)
def _identifier(text: str) -> str:
    from unicodedata import normalize  # few programs need it

    # By character, because `\w` of a pattern is about other ones; normalized as Python does it with parameters.
    known = "".join(char if f"_{char}".isidentifier() else " " for char in text)
    return normalize("NFKC", re.sub(" +", "_", known))


def call_fault(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    depends_on: Iterable[str],
    may_lack: bool = False,
) -> str | None:
    """Return why a call with these arguments fails before it begins; None if it does not, or if that is unknown.

    Of the results of dependencies, a call gets those that `func` takes. With `may_lack`, more arguments may follow.
    Only what the call itself would refuse counts. What a decorator says of the function that it wraps does not: the
    wrapper may add arguments, or drop them.
    """
    given = len(args)
    if type(func) is FunctionType and _is_plain_call(func, given, kwargs):  # each registration gets here
        return None
    parameters = parameters_of(func)
    if parameters is None:
        return None
    fault = _surplus(parameters, given, kwargs)
    if not fault and not may_lack:
        fault = _missing(parameters, given, kwargs, list(map(argument_name, depends_on)))
    return fault and f"func {own_name(func)} {fault}"


def _is_plain_call(func: FunctionType, given: int, kwargs: Mapping[str, Any]) -> bool:
    """Return whether a call surely fits; it is fast, and does not know all that a call can have."""
    code, defaults = func.__code__, func.__defaults__
    most = code.co_argcount
    least = most - len(defaults) if defaults else most
    if code.co_kwonlyargcount or given > most:
        return False
    if not kwargs:
        return least <= given
    names = code.co_varnames[given:most]
    for name in kwargs:
        if name not in names:
            return False
    for name in names[: max(0, least - given)]:
        if name not in kwargs:
            return False
    return not code.co_posonlyargcount


def _surplus(parameters: Parameters, given: int, kwargs: Collection[str]) -> str | None:
    """Return which argument is too many, None if there is none."""
    by_position, bound, named = parameters.by_position, parameters.bound, parameters.named(given)
    if bound + given > len(by_position) and not parameters.takes_more:
        names = by_position[bound:]
        shown = f" ({listed(names)})" if names else ""
        number = f"{len(names) or 'no'} positional argument{'' if len(names) == 1 else 's'}"
        return f"takes {number}{shown}, but {f'args hold {given}' if given else 'a partial gives more'}"
    for name in (*kwargs, *parameters.bound_names):
        if name in named or (parameters.takes_any and name not in _of_either_way(parameters, bound + given)):
            continue
        source = "kwargs hold it" if name in kwargs else "a partial gives it"
        if name in _of_either_way(parameters, bound + given):
            return f"gets the argument {name!r} by position already, but {source} as well"
        if name in by_position:
            return f"takes the argument {name!r} by position only, but {source} by name"
        return f"takes no argument {name!r}{near_miss(name, [n for n in named if n not in kwargs])}, but {source}"
    return None


def _of_either_way(parameters: Parameters, given: int) -> tuple[str, ...]:
    """Return those of the parameters given by position that could be given by name as well."""
    return parameters.by_position[parameters.only_by_position : given]


def _missing(parameters: Parameters, given: int, kwargs: Collection[str], results: list[str]) -> str | None:
    """Return which argument is missing, None if none is."""
    left = parameters.by_position[parameters.bound + given :] + parameters.only_by_keyword
    without_keyword = parameters.by_position[: parameters.only_by_position]
    missing = [
        name
        for name in left
        if name not in parameters.optional
        and (name in without_keyword or not any(name in names for names in (kwargs, parameters.bound_names, results)))
    ]
    if not missing:
        return None
    name = missing[0]
    if name in without_keyword:
        return f"lacks the argument {name!r}, which it takes by position only: give it by args"
    if not name.startswith("dep_"):
        meant = next((result for result in map(argument_name, missing) if result in results), None)
        hint = f" (did you mean {meant!r}?): depends_on gives it {listed(results)}" if meant else ""
        return f"lacks {'the argument' if len(missing) == 1 else 'the arguments'} {listed(missing)}{hint}"
    hint = near_miss(name, [result for result in results if result not in left])
    if hint or results:
        return f"lacks the argument {name!r}{hint}: depends_on gives it {listed(results)}"
    return f"lacks the argument {name!r}: name its task in depends_on"


def parameters_of(func: Any) -> Parameters | None:
    """Return the parameters of a callable, as a call of it applies them; None if they are unknown."""
    bound, names = 0, dict[str, Any]()
    while type(func) is not FunctionType:
        if type(func) is MethodType:
            bound, func = bound + 1, func.__func__
        elif type(func) is functools.partial:
            if _PLACEHOLDER is not None and any(value is _PLACEHOLDER for value in func.args):
                return None
            bound, names, func = bound + len(func.args), func.keywords | names, func.func
        elif type(func) is BuiltinFunctionType or type(func) is MethodDescriptorType:
            found = _of_builtin(func)
            return found and found._replace(bound=bound, bound_names=names)
        else:
            bound, func = bound + 1, _maker(func) if issubclass(type(func), type) else _static(type(func), "__call__")
            if func is _NOTHING:
                return Parameters(("self",), 1, (), (), False, False, bound, names)
            if type(func) is not FunctionType:
                return None
    return _of_function(func, bound, names)


def _of_function(func: FunctionType, bound: int, bound_names: Collection[str]) -> Parameters:
    code = func.__code__
    most = code.co_argcount
    by_position, only_by_keyword = code.co_varnames[:most], code.co_varnames[most : most + code.co_kwonlyargcount]
    return Parameters(
        by_position,
        code.co_posonlyargcount,
        only_by_keyword,
        (*by_position[most - len(func.__defaults__ or ()) :], *(func.__kwdefaults__ or ())),
        bool(code.co_flags & inspect.CO_VARARGS),
        bool(code.co_flags & inspect.CO_VARKEYWORDS),
        bound,
        bound_names,
    )


_builtins: dict[tuple[str, bool | None], Parameters] = {}


def _of_builtin(func: Any) -> Parameters | None:
    """Return the parameters of a function that is written in C, None if it does not tell."""
    text = func.__text_signature__
    if text is None:
        return None
    owner = getattr(func, "__self__", None)
    # What a text means depends on whether it is bound: to a module, to another object, to nothing.
    key = text, None if owner is None else type(owner) is ModuleType
    if key not in _builtins:
        try:
            parameters = inspect.signature(func).parameters.values()
        except (TypeError, ValueError):
            return None
        by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        kinds = {p.kind for p in parameters}
        _builtins[key] = Parameters(
            tuple(p.name for p in by_position),
            sum(p.kind is p.POSITIONAL_ONLY for p in by_position),
            tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
            tuple(p.name for p in parameters if p.default is not p.empty),
            inspect.Parameter.VAR_POSITIONAL in kinds,
            inspect.Parameter.VAR_KEYWORD in kinds,
        )
    return _builtins[key]


_NOTHING = object()


def _maker(cls: type) -> Any:
    """Return the function that gets the arguments of a call of `cls`; _NOTHING if it takes none, None if unknown."""
    if _static(type(cls), "__call__") is not type.__dict__["__call__"]:
        return None
    new, init = _static(cls, "__new__"), _static(cls, "__init__")
    if isinstance(new, staticmethod):
        return new.__func__
    if new is object.__new__ and init is object.__init__:
        return _NOTHING
    return init


def _static(cls: type, name: str) -> Any:
    return inspect.getattr_static(cls, name, None)
