"""The types that the fields of a task accept, where they keep another one."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from est_alan_scheduler.fields.retry import Retry
from est_alan_scheduler.fields.status import TaskStatus

Interval: TypeAlias = Mapping[str, float] | timedelta | None
Moment: TypeAlias = datetime | str | None
Zone: TypeAlias = str | ZoneInfo | None
Dates: TypeAlias = Iterable[date | str] | None
Seconds: TypeAlias = float | None
Arguments: TypeAlias = tuple[Any, ...] | list[Any]
Ids: TypeAlias = list[str] | tuple[str, ...]
Moments: TypeAlias = Mapping[str, datetime | str] | None
Retries: TypeAlias = Retry | int | dict[str, Any] | None
Status: TypeAlias = TaskStatus | Literal["pending", "running", "success", "failed"]
Tags: TypeAlias = Iterable[str] | None
