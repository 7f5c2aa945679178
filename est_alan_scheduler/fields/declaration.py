"""The declaration of a model's fields: the types that one keeps and takes, its check, its description."""

import inspect
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_Model = TypeVar("_Model", bound=BaseModel)

if TYPE_CHECKING:
    from typing import Self

    _Kept = TypeVar("_Kept", covariant=True)
    _Given = TypeVar("_Given", contravariant=True)

    class Converted(Generic[_Kept, _Given]):
        """The type of a field that keeps one type, which is read, and converts others to it, which may be assigned."""

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> _Kept: ...
        def __get__(self, instance: object, owner: type) -> Any: ...
        def __set__(self, instance: object, value: _Given) -> None: ...

else:

    class Converted:
        """The type that a field keeps: the other one, which it takes, is for type checkers alone."""

        def __class_getitem__(cls, types: tuple[Any, Any]) -> Any:
            return types[0]


class Scheduling:
    """Mark of a field that belongs to the schedule."""

    def __init__(self, rearms: bool = False) -> None:
        self.rearms = rearms


class Option(Scheduling):
    """Mark of a schedule option.

    `shortest_gap`: the shortest time between two slots in seconds, for the fields of a task; `jitter` is less.
    """

    def __init__(self, shortest_gap: Callable[[Mapping[str, Any]], float] = lambda _: inf) -> None:
        super().__init__(rearms=True)
        self.shortest_gap = shortest_gap


class Checked:
    """Mark of a field that has one function as its only check, and in JSON the schema of its type, or of `json`."""

    def __init__(self, check: Callable[..., Any], json: Any = None) -> None:
        self._check = check
        self._json = json

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if self._json is None:
            self._json = source
        if len(inspect.signature(self._check).parameters) > 1:
            return PlainValidator(self._check).__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter(self._json).core_schema)


class JsonType:
    """Mark of a field that takes another type in JSON than it gives."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter(self._given).core_schema if handler.mode == "validation" else schema)


# Of `dict` and `list` themselves, pydantic would look up the signatures. Python reads these by its tokenizer, and takes
# as long as to build a model.
_FACTORIES: dict[Any, Callable[[], Any]] = {dict: lambda: {}, list: lambda: []}  # noqa: PIE807


def field(description: str, default: Any = None, factory: Callable[[], Any] | None = None, **rules: Any) -> Any:
    """Declare an optional field. For a type checker it is `Any`, because a value of the kept type is no `Converted`."""
    if factory is not None:
        factory = _FACTORIES.get(factory, factory)
        return Field(default_factory=factory, description=description, **rules)
    return Field(default=default, description=description, **rules)


def described(cls: type[_Model]) -> type[_Model]:
    """Let `help` of a model list its fields, with the description of each and with bare types."""
    fields = "\n".join(f"    {name}: {field.description}" for name, field in cls.model_fields.items())
    cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nFields:\n\n{fields}"
    cls.__signature__ = _Signature()  # type: ignore[assignment]  # pydantic has a descriptor there, too
    return cls


class _Signature:
    """The signature of a model, made when it is first read. That of pydantic has the marks of each field."""

    def __get__(self, instance: object, owner: type[BaseModel]) -> inspect.Signature:
        if instance is not None:  # as pydantic does it: an instance is not called
            raise AttributeError("__signature__")
        return inspect.Signature(
            [
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=_shown_default(field),
                    annotation=field.annotation,
                )
                for name, field in owner.model_fields.items()
            ]
        )


def _shown_default(field: FieldInfo) -> Any:
    if field.is_required():
        return inspect.Parameter.empty
    return field.default if field.default_factory is None else ...  # each value that a factory makes is another one
