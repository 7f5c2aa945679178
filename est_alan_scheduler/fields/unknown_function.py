"""Unknown functions: a task of a backend whose function this process has not named has a stand-in for it."""

from typing import Any, Never, TypeGuard

from typing_extensions import override

from est_alan_scheduler._support.errors import WrongStateError
from est_alan_scheduler._support.text import one_line, short_repr


class UnknownFunctionError(WrongStateError):
    """A run cannot start here: the function of its task is unknown."""


class UnknownFunction:
    """The name of a function that is unknown here, in the place of the function. Equal for equal names."""

    def __init__(self, name: str) -> None:
        self.name = name
        path = name.rpartition(":")[2]
        is_path = all(part.isidentifier() for part in path.split("."))
        # Of a function, that is what `Task.name`, a table and a log show.
        self.__name__ = path.rpartition(".")[2] if is_path else one_line(short_repr(name)[1:-1])
        self.__qualname__ = path if is_path else self.__name__

    def __call__(self, *_args: Any, **_kwargs: Any) -> Never:
        """Raise `UnknownFunctionError`."""
        raise UnknownFunctionError(f"function {short_repr(self.name)} is unknown here: register or expose it")

    @override
    def __eq__(self, other: object) -> bool:
        return is_unknown(other) and self.name == other.name

    @override
    def __hash__(self) -> int:
        return hash(self.name)

    @override
    def __repr__(self) -> str:
        return f"<unknown function {short_repr(self.name)}>"

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return UnknownFunction, (self.name,)


def is_unknown(func: object) -> TypeGuard[UnknownFunction]:
    """Return whether `func` is only the name of a function."""
    return type(func) is UnknownFunction  # isinstance would run code of a class that has a `__class__` of its own
