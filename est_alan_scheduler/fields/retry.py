"""Retry of a failed run: how often, after how long, after which errors."""

from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, PlainSerializer, ValidationInfo

from est_alan_scheduler._support.text import RemoteError, class_name, short_repr
from est_alan_scheduler.fields.checks import KnownFields, check_count, delay_check, number_check
from est_alan_scheduler.fields.declaration import Checked, described, field
from est_alan_scheduler.fields.serialization import object_named

Errors = tuple[type[BaseException], ...]


class NamedError(BaseException):
    """The base of classes that stand for others, of which only the name is known."""


@lru_cache(maxsize=1024)
def named_error(name: str) -> type[NamedError]:
    """Return a class that stands for the exception class of that name; ValueError for a text that is no such name.

    In `Retry.on` it stands for errors whose class, or a base of it, has the name. Nothing is looked up or imported.
    """
    module, _, qualname = name.partition(":")
    if not (module and qualname):
        raise ValueError(f"on must be names of exception classes, 'module:qualname', got {short_repr(name)}")
    return type(qualname.rpartition(".")[2], (NamedError,), {"__module__": module, "__qualname__": qualname})


def _check_on(value: object, info: ValidationInfo) -> Errors:
    """Return exception classes, from one or several; in JSON, from `"module:qualname"` each."""
    items = value if isinstance(value, list | tuple) else (value,)
    classes = [
        object_named("on", item, "class") if info.mode == "json" and isinstance(item, str) else item for item in items
    ]
    if not classes or not all(isinstance(item, type) and issubclass(item, BaseException) for item in classes):
        raise ValueError(f"on must be exception classes such as (OSError, TimeoutError), got {short_repr(value)}")
    return tuple(classes)


@described
class Retry(KnownFields):
    """A failed run is tried again, at most `max_retries` times: three retries make up to four attempts.

    The n-th retry is due `delay * backoff ** (n - 1)` seconds after the failure, `max_delay` at most, and later by up
    to `jitter` times that. When all have failed, the task waits for its next slot; one that comes first takes over.
    With a backend, a run whose process died or lost its lease is tried again whatever `on` says: it raised nothing.
    Raises `pydantic.ValidationError`, which names the field, the value and what is allowed.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        json_schema_extra={"description": "How often a failed run is tried again, and when."},
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            max_retries: int = 3,
            delay: float | timedelta = 1.0,
            backoff: float = 2.0,
            max_delay: float | timedelta = 60.0,
            jitter: float = 0.1,
            on: type[BaseException] | list[type[BaseException]] | tuple[type[BaseException], ...] = (Exception,),
        ) -> None: ...

    max_retries: Annotated[int, Checked(lambda value: check_count("max_retries", value, 0))] = field(
        "How often at most, after the first attempt.", 3
    )
    delay: Annotated[float, Checked(delay_check("delay"))] = field("Seconds from a failure until the first retry.", 1.0)
    backoff: Annotated[float, Checked(number_check("backoff", "times the delay before", 1, 1e6))] = field(
        "By how much the delay grows with each retry.", 2.0
    )
    max_delay: Annotated[float, Checked(delay_check("max_delay"))] = field(
        "Seconds up to which it grows; if it is not given, at least `delay`.", 60.0
    )
    jitter: Annotated[float, Checked(number_check("jitter", "a fraction of the delay", 0, 1))] = field(
        "By which fraction a delay is lengthened at most: the same for a task, slot and attempt in every process.", 0.1
    )
    # Names in JSON, as `func` is; by its name is also known an error that cannot be sent back from another process. The
    # default comes from a function, because JSON schema could not show it.
    on: Annotated[
        Errors,
        Checked(_check_on, json=list[str]),
        PlainSerializer(lambda on: [class_name(c) for c in on], when_used="json"),
    ] = field(
        "Which errors: instances of these classes. `TimeoutError`, an `OSError`, is that of `timeout`.",
        factory=lambda: (Exception,),
    )

    def __new__(cls, *values: Any, **_fields: Any) -> Self:
        """Make a retry from fields that are given by name."""
        if values:
            cls._refuse_positions("max_retries=3, delay=1")
        return object.__new__(cls)  # no base has one: `super()` would be slower

    def model_post_init(self, _context: Any) -> None:
        """Compare the two delays."""
        if self.max_delay >= self.delay:
            return
        if "max_delay" in self.model_fields_set:
            raise ValueError(f"max_delay must be at least the delay of {self.delay:g} s, got {self.max_delay:g}")
        self.__dict__["max_delay"] = self.delay

    @property
    def attempts(self) -> int:
        """How many attempts there are at most."""
        return 1 + self.max_retries

    def seconds_after(self, attempt: int, error: BaseException | None, task_id: str, slot: datetime) -> float | None:
        """Return after how many seconds to try again when an attempt has failed; None if that was the last.

        `error` is None for a run whose process died: `on` does not apply to it.
        """
        if attempt > self.max_retries or not (error is None or self._is_for(error)):
            return None
        try:
            seconds = min(self.delay * self.backoff ** (attempt - 1), self.max_delay)
        except OverflowError:
            seconds = self.max_delay if self.delay else 0.0
        if not self.jitter:
            return seconds
        seed = f"{task_id} {slot.isoformat()} {attempt}".encode(errors="surrogatepass")
        digest = blake2b(seed, digest_size=7).digest()
        return seconds * (1 + self.jitter * int.from_bytes(digest, "big") / 256**7)

    def _is_for(self, error: BaseException) -> bool:
        if type(error) is RemoteError:  # only the names of its classes are known
            return any(cls is RemoteError or class_name(cls) in error.classes for cls in self.on)
        names = {class_name(cls) for cls in self.on if issubclass(cls, NamedError)}
        return isinstance(error, self.on) or any(class_name(cls) in names for cls in type(error).__mro__ if names)


def check_retry(value: object) -> object:
    """Return the fields of a `Retry`: a bare number is `max_retries`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"max_retries": value}
    if value is None or isinstance(value, dict | Retry):
        return value
    raise ValueError(f"retry must be a Retry, a whole number of retries, or None, got {short_repr(value)}")
