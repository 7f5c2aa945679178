"""Checks of a task's fields: each returns the value to keep, or raises `ValueError` with the allowed values."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ValidationInfo, model_validator

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields.serialization import NOT_JSON, function_named, is_marked

_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")
MAX_SECONDS = 1e9  # some thirty years: the limit of waits in the standard library
_EXCLUDED = "exclude must hold dates such as date(2026, 12, 25) or '2026-12-25'"
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def rule(
    expected: str, is_allowed: Callable[[Any], object], convert: Callable[[Any], Any] = lambda value: value
) -> Callable[[object], Any]:
    """Return a check that keeps an allowed value, converted; for any other, the message says what is expected."""

    def check(value: object) -> Any:
        kept = convert(value)
        if is_allowed(kept):
            return kept
        raise _refusal(expected, value)

    return check


def _refusal(expected: str, value: object, hint: str = "") -> InvalidValueError:
    return InvalidValueError(f"{expected}, got {short_repr(value)}{hint}")


def _hints() -> ModuleType:
    from est_alan_scheduler.fields import hints  # late: most programs need none

    return hints


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


check_id = rule("id must be a non-empty text", _is_text)


check_name = rule("name must be a non-empty text, or None", lambda value: value is None or _is_text(value))
check_description = rule("description must be a text, or None", lambda value: isinstance(value, str | None))


def check_tags(value: object) -> tuple[str, ...]:
    """Return tags in their order, those of a set sorted, each once; None for none."""
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Iterable) or not all(map(_is_text, tags := list(value))):
        raise _refusal("tags must be a list of texts such as ['daily', 'billing']", value)
    # The order of a set differs from one process to the next.
    return tuple(dict.fromkeys(sorted(tags) if isinstance(value, set | frozenset) else tags))


def in_seconds(value: Any) -> Any:
    """Return a `timedelta` as a number of seconds, any other value as it is."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def seconds_check(field: str) -> Callable[[object], Any]:
    """Return a check for a number of seconds, which a `timedelta` becomes, or None."""
    expected = f"{field} must be a number of seconds greater than 0, a timedelta, or None"
    return rule(expected, lambda value: value is None or (_is_number(value) and 0 < value <= MAX_SECONDS), in_seconds)


def delay_check(field: str) -> Callable[[object], Any]:
    """Return a check for a number of seconds, which a `timedelta` becomes; 0 for none."""
    expected = f"{field} must be a number (seconds) from 0 to {MAX_SECONDS:g}, or a timedelta"
    return rule(expected, lambda value: _is_number(value) and 0 <= value <= MAX_SECONDS, in_seconds)


def number_check(field: str, unit: str, least: float, most: float) -> Callable[[object], Any]:
    """Return a check for a number between two limits."""
    expected = f"{field} must be a number ({unit}) from {least:g} to {most:g}"
    return rule(expected, lambda value: _is_number(value) and least <= value <= most)


def choice_check(field: str, allowed: tuple[str | None, ...]) -> Callable[[object], str | None]:
    """Return a check for one of a few words."""

    def check_choice(value: object) -> str | None:
        if isinstance(value, str | None) and value in allowed:
            return value
        hint = near_miss(value, [word for word in allowed if word is not None])
        raise ValueError(f"{field} must be {' or '.join(map(repr, allowed))}, got {short_repr(value)}{hint}")

    return check_choice


def check_every(value: object) -> dict[str, int | float] | None:
    """Return an interval as a dict of `timedelta` keywords, from such a dict or a `timedelta`."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        parts = {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
        value = {unit: amount for unit, amount in parts.items() if amount} or {"seconds": 0}
    if not isinstance(value, Mapping):
        expected = "'every' field must be a dict of timedelta keywords such as {'minutes': 5}, or a timedelta"
        raise _refusal(expected, value, _hints().interval_hint(value))
    if not value:
        raise ValueError("'every' field cannot be an empty dictionary: name a unit, such as {'minutes': 5}")
    every: dict[str, int | float] = {}
    for unit, amount in value.items():
        if unit not in _UNITS:
            hint = (
                _hints().length_hint(unit)
                or f"{near_miss(_hints().unit_meant(unit), _UNITS)}; allowed: {', '.join(_UNITS)}"
            )
            raise ValueError(f"Invalid key {short_repr(unit)} in 'every' field{hint}")
        if not _is_number(amount) or (isinstance(amount, float) and not math.isfinite(amount)):
            raise _refusal(f"'every' field needs a finite number of {unit}", amount)
        every[unit] = amount
    try:
        total = timedelta(**every)
    except OverflowError:
        raise ValueError(f"'every' field is too long: {short_repr(every)}; at most {timedelta.max.days} days") from None
    if total <= timedelta(0):
        raise _refusal("'every' field must come to at least a microsecond in total", every)
    return every


def moment_check(field: str) -> Callable[[object], object]:
    """Return a check for a `datetime` or an ISO 8601 text; pydantic alone would guess at numbers and other texts."""
    expected = f"{field} must be a datetime or an ISO 8601 text such as '2026-11-23T14:30:00' or '2026-11-23T05:30:00Z'"

    def check_moment(value: object) -> object:
        if value is None or isinstance(value, datetime):
            return value
        if isinstance(value, str) and (found := _ISO_DATE.match(value)):
            return f"{value}T00:00:00" if found.group() == value else value
        raise _refusal(expected, value, _hints().moment_hint(field, value))

    return check_moment


def check_run_arguments(value: object, info: ValidationInfo) -> dict[str, Any] | None:
    """Return the arguments of a call, as a dict of its own with `args` and `kwargs`."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value or not value.keys() <= {"args", "kwargs"}:
        raise _refusal("run_arguments must be a dict of args and kwargs, or None", value)
    args, kwargs = check_args(value.get("args", ()), info), check_kwargs(value.get("kwargs", {}), info)
    return {"args": list(args), "kwargs": kwargs}


def check_consumed(value: object) -> dict[str, object] | None:
    """Return moments by task id, as a dict of its own."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(map(_is_text, value)):
        raise _refusal("consumed must be a dict of moments by task id, or None", value)
    check = moment_check("a moment in consumed")
    return {task_id: check(moment) for task_id, moment in value.items()}


def check_func(value: object, info: ValidationInfo) -> Callable[..., Any]:
    """Return the callable to run; in JSON, the one that `"module:qualname"` names."""
    if info.mode == "json" and isinstance(value, str):
        return function_named(value)
    if callable(value):
        return value
    raise ValueError(
        f"func must be callable, got {short_repr(value)}; a name is only loaded by model_validate_json; "
        "write the function itself, func=f without ()"
    )


def check_args(value: object, info: ValidationInfo) -> tuple[Any, ...]:
    """Return the positional arguments as a tuple, from a tuple or list."""
    if not isinstance(value, tuple | list):
        expected = "args must be a tuple or list of positional arguments"
        raise _refusal(expected, value, _hints().argument_hint(value))
    _refuse_marked("args", enumerate(value), info)
    return tuple(value)


def check_kwargs(value: object, info: ValidationInfo) -> dict[str, Any]:
    """Return the keyword arguments as a dict of its own."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _refusal("kwargs must be a dict with text keys", value)
    _refuse_marked("kwargs", value.items(), info)
    return dict(value)


def check_depends_on(value: object) -> list[str]:
    """Return the ids of the tasks that must have succeeded, as a list of its own."""
    if isinstance(value, list | tuple) and all(map(_is_text, value)):
        return list(value)
    raise _refusal("depends_on must be a list of task ids such as ['extract'], or of tasks such as [task]", value)


def check_after(value: object) -> list[str] | None:
    """Return the ids of the tasks whose successes let a task run, each once."""
    if value is None:
        return None
    if isinstance(value, list | tuple) and value and all(map(_is_text, value)):
        return list(dict.fromkeys(value))
    raise _refusal("after must be a list of at least one task id, such as ['extract'], or task, such as [task]", value)


def check_count(name: str, value: object, least: int, or_else: str = "") -> int:
    """Return a whole number of at least `least`; `or_else` names other allowed values."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise _refusal(f"{name} must be a whole number of at least {least}{or_else}", value)


def check_cron(value: object) -> str | None:
    """Return a cron expression."""
    if not isinstance(value, str | None):
        raise _refusal("cron must be a text such as '*/15 9-17 * * mon-fri'", value)
    if value is not None:
        from est_alan_scheduler.calendar.cron_expression import parse  # late: most tasks have no `cron`

        parse(value)
    return value


def gap_of_cron(fields: Mapping[str, Any]) -> float:
    """Return the shortest time between two slots of a task with a cron expression, in seconds."""
    from est_alan_scheduler.calendar.cron_expression import shortest_gap

    return shortest_gap(fields["cron"])


def check_timezone(value: object) -> str | None:
    """Return the name of a time zone, from a name, an offset or a `tzinfo`."""
    if value is None:
        return None
    from est_alan_scheduler.calendar.zone_names import name_of_zone  # late: most tasks have no zone

    return name_of_zone(value)


def check_exclude(value: object) -> tuple[date, ...]:
    """Return dates in order, from dates or ISO 8601 texts: a list, a set, the keys of a dict; None for none."""
    if value is None:
        return ()
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise _refusal("exclude must be a list of dates", value, _hints().excluded_hint(value))
    return tuple(sorted({_date(item) for item in value}))


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:  # 30 February
            pass
    hint = _hints().weekday_hint(value)
    raise _refusal(_EXCLUDED, value, hint)


def check_error(value: object, info: ValidationInfo) -> BaseException | None:
    """Return the exception; JSON loses it, but `error_message` keeps its text."""
    if value is None or isinstance(value, BaseException):
        return value
    if info.mode == "json" and isinstance(value, str):
        return None
    raise _refusal("error must be an exception or None", value)


def check_history(value: object, info: ValidationInfo) -> object:
    """Return the history with its moments, which are texts in JSON."""
    if info.mode != "json" or not isinstance(value, list):
        return value
    runs = [dict(run) if isinstance(run, dict) else run for run in value]
    for run in runs:
        for key in ("run_at", "finished_at") if isinstance(run, dict) else ():
            if isinstance(run.get(key), str):
                run[key] = datetime.fromisoformat(run[key])
    return runs


def _refuse_marked(field: str, items: Iterable[tuple[Any, Any]], info: ValidationInfo) -> None:
    if info.mode != "json":
        return
    for key, value in items:
        if is_marked(value):
            raise ValueError(f"{field}[{key!r}] was {value[NOT_JSON]}, which JSON could not hold: set it in code")


def near_miss(name: object, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" if `name` is nearly one of `known`."""
    known = list(known)
    same = [other for other in known if other.lower() == str(name).lower()]
    if not same:
        from difflib import get_close_matches  # late: only an error needs it

        same = get_close_matches(str(name), known, n=1)
    return f" (did you mean {same[0]!r}?)" if same else ""


def refuse_unknown(call: str, given: Iterable[str], known: Iterable[str] = ()) -> None:
    """Raise `TypeError` for a keyword argument that a call does not take, if there is one."""
    for name in given:
        meant = _hints().peer_word(call, name)
        hint = near_miss(name, known) if meant is None else f": write {meant}"
        raise InvalidTypeError(f"{call.removesuffix('()')} takes no argument {name!r}{hint}")


class KnownFields(BaseModel):
    """A model whose errors for an unknown field, and for values without a name, say what to write."""

    @classmethod
    def _refuse_positions(cls, example: str) -> None:
        """Raise `TypeError` for values without names, unless a derived class has a constructor that takes them."""
        constructor: object = cls.__init__
        if constructor is BaseModel.__init__:
            raise InvalidTypeError(f"the fields of a {cls.__name__} are given by name: {cls.__name__}({example})")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.keys() <= cls.model_fields.keys():
            cls._check_names(data)
        return data

    @classmethod
    def _check_names(cls, names: Iterable[object]) -> None:
        known = cls.model_fields
        for name in names:
            if name not in known:
                models = [model.__name__ for model in cls.__mro__]
                meant = next(filter(None, (_hints().peer_word(model, name, names) for model in models)), None)
                if meant is not None:
                    raise ValueError(f"{cls.__name__} has no field {short_repr(name)}: {meant}")
                hint = near_miss(name, known) or f"; its fields are: {', '.join(known)}"
                raise InvalidValueError(f"{cls.__name__} has no field {short_repr(name)}{hint}")
