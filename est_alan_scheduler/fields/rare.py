"""Rare fields of a model: an instance that does not set one keeps no value of it, and reads the default of the class.

A dict of up to 42 values takes 832 bytes, one of 43 takes twice as much.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from est_alan_scheduler.fields.checks import KnownFields


class Rare:
    """Mark of a field that is absent from `__dict__` while it has its default, a value that cannot be changed.

    `derive`: what an instance shows instead of the default, from its other fields.
    """

    def __init__(self, derive: Callable[[Any], Any] | None = None) -> None:
        self.derive = derive


class _Default:
    """The value of a field for instances that keep none: `__dict__` goes first, because there is no `__set__`."""

    def __init__(self, name: str, value: Any, derive: Callable[[Any], Any] | None, description: str | None) -> None:
        self._name = name
        self._value = value
        self._derive = derive
        self.__doc__ = description  # for `help`

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:  # a model that derives from this one looks for a default of its own
            raise AttributeError(self._name)
        return self._value if self._derive is None else self._derive(instance)


class SparseModel(KnownFields):
    """A model with rare fields. They are assigned, dumped and described as other fields are."""

    rare_defaults: ClassVar[dict[str, Any]] = {}
    """The defaults of the rare fields."""
    common_count: ClassVar[int] = 0
    """How many fields are not rare: an instance whose `__dict__` has so many values has set no rare one."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        """Give the class the defaults of its rare fields."""
        marks = {
            name: (field.default, mark)
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Rare)
        }
        cls.rare_defaults = {name: default for name, (default, _) in marks.items()}
        cls.common_count = len(cls.model_fields) - len(marks)
        for name, (default, mark) in marks.items():
            setattr(cls, name, _Default(name, default, mark.derive, cls.model_fields[name].description))

    @classmethod
    def _leave_out(cls, fields: dict[str, Any], names: Iterable[str]) -> None:
        """Remove those of the rare fields that have their defaults."""
        defaults = cls.rare_defaults
        for name in names:
            if name in defaults and fields.get(name) is defaults[name]:
                fields.pop(name, None)

    def _pack(self) -> None:
        """Keep no value of the rare fields that have their defaults, and no room for them, which pydantic has left."""
        fields = self.__dict__
        for name, default in self.rare_defaults.items():
            if fields[name] is default:
                del fields[name]
        object.__setattr__(self, "__dict__", {**fields})

    def __iter__(self) -> Generator[tuple[str, Any], None, None]:
        """Yield all fields with their values."""
        yield from _full(self).items()

    @model_serializer(mode="wrap")
    def _dump_all(self, dump: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # with an annotation, the JSON schema would be that of a dict
        """Dump the rare fields, too: pydantic dumps what `__dict__` has."""
        whole = type(self).__new__(type(self))
        for name, value in (
            ("__dict__", _full(self)),
            ("__pydantic_fields_set__", self.__pydantic_fields_set__),
            ("__pydantic_extra__", None),
            ("__pydantic_private__", None),
        ):
            object.__setattr__(whole, name, value)
        try:
            return dump(whole)
        except Exception as error:
            # Of what was raised within, a Ctrl+C among it, pydantic would keep the text alone.
            raise error.__cause__ or error from None


def _full(model: SparseModel) -> dict[str, Any]:
    """Return all fields of a model, in their order."""
    values = model.rare_defaults | model.__dict__
    return {name: values[name] for name in type(model).model_fields}
