"""The types that the fields of a task accept, where they keep another one."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from est_alan_scheduler.fields.retry import Retry
from est_alan_scheduler.fields.status import TaskStatus

_Item = TypeVar("_Item", covariant=True)


class Identified(Protocol):
    """A task, where an id is accepted as well."""

    @property
    def id(self) -> str:
        """Return the id."""


class Several(Protocol[_Item]):
    """A list or a tuple, but no text: `str` asks whether it contains a text, not any object."""

    def __contains__(self, item: object, /) -> bool: ...
    def __iter__(self) -> Iterator[_Item]: ...
    def __getitem__(self, index: int, /) -> _Item: ...


Interval: TypeAlias = Mapping[str, float] | timedelta | None
Times: TypeAlias = str | list[str] | tuple[str, ...] | set[str] | frozenset[str] | None
Moment: TypeAlias = datetime | str | None
Zone: TypeAlias = str | tzinfo | None
Dates: TypeAlias = Iterable[date | str] | None
Seconds: TypeAlias = float | timedelta | None
Arguments: TypeAlias = tuple[Any, ...] | list[Any]
Ids: TypeAlias = Several[str | Identified]
Moments: TypeAlias = Mapping[str, datetime | str] | None
Retries: TypeAlias = Retry | int | dict[str, Any] | None
Status: TypeAlias = TaskStatus | Literal["pending", "running", "success", "failed"]
Tags: TypeAlias = Iterable[str] | None
