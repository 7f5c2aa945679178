"""The declaration of a model's fields: the types that one keeps and takes, its check, its description."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

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


def field(description: str, default: Any = None, factory: Callable[[], Any] | None = None, **rules: Any) -> Any:
    """Declare an optional field. For a type checker it is `Any`, because a value of the kept type is no `Converted`."""
    if factory is not None:
        return Field(default_factory=factory, description=description, **rules)
    return Field(default=default, description=description, **rules)
