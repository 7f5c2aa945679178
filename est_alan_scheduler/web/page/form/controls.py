"""Controls of a form: the texts that show a value, and the value that texts mean."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from est_alan_scheduler.fields.retry import Retry
from est_alan_scheduler.web.api.models import with_offset

Texts = Mapping[str, str]
"""The texts of a field by the part of it that each control has: `{"hours": "1"}`. A single control has the part ""."""

UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")
"""Those of an interval."""

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,300}")


class Control(NamedTuple):
    """How a field is shown, and read. `read` keeps a text that it cannot read: `Task` says what is wrong with it."""

    show: Callable[[Any], dict[str, str]]
    read: Callable[[Texts], Any]


def _single(show: Callable[[Any], str], read: Callable[[str], Any]) -> Control:
    """Return a control for the whole of a field, which is empty for None."""
    return Control(
        lambda value: {} if value is None else {"": show(value)},
        lambda texts: read(texts[""]) if texts.get("") else None,
    )


def _read_number(text: str) -> Any:
    text = text.strip()
    if _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    with suppress(ValueError):
        if isfinite(number := float(text)):
            return number
    return text


def _show_list(values: Iterable[Any]) -> str:
    """Return one entry a line; as JSON if lines would not tell where an entry ends."""
    entries = [str(value) for value in values]
    is_plain = all(_entries(entry) == [entry] and not entry.startswith("[") for entry in entries)
    return "\n".join(entries) if is_plain else json.dumps(entries)


def _read_list(text: str) -> list[Any]:
    if text.startswith("["):
        with suppress(ValueError, RecursionError):
            return list(json.loads(text))
    return _entries(text)


def _entries(text: str) -> list[str]:
    return [entry for line in text.splitlines() if (entry := line.strip())]


def _show_times(at: str | tuple[str, ...]) -> str:
    return at if isinstance(at, str) else ", ".join(at)


def _read_times(text: str) -> str | list[str]:
    times = [time for part in re.split(r"[,;\n]", text) if (time := part.strip())]
    return times[0] if len(times) == 1 else times


def _show_moment(moment: datetime | None) -> dict[str, str]:
    """Return a moment as a wall time, with its offset if it has one."""
    if moment is None:
        return {}
    if moment.tzinfo is None:
        return {"": moment.isoformat()}
    text = with_offset(moment)
    return {"": text[:-6], "offset": text[-6:]}


def _read_moment(texts: Texts) -> str | None:
    wall = texts.get("", "").strip()
    return wall + texts.get("offset", "").strip() if wall else None


def _read_interval(texts: Texts) -> dict[str, Any] | None:
    return {unit: _read_number(text) for unit, text in texts.items() if text.strip()} or None


def _show_retry(retry: Retry | None) -> dict[str, str]:
    """Return the parts of a retry, and the mark that there is one."""
    if retry is None:
        return {}
    shown = retry.model_dump(mode="json")
    return {"": "true", **{part: _show_list(v) if part == "on" else repr(v) for part, v in shown.items()}}


def _read_retry(texts: Texts) -> dict[str, Any] | None:
    """Return the parts that are given; `Retry` has defaults for the others."""
    if not texts.get(""):
        return None
    given = {part: text for part, text in texts.items() if part and text.strip()}
    return {part: _read_list(text) if part == "on" else _read_number(text) for part, text in given.items()}


TEXT = _single(str, str)
WORD = _single(str, str.strip)
NUMBER = _single(repr, _read_number)
TIMES = _single(_show_times, _read_times)
LIST = Control(lambda values: {"": _show_list(values)} if values else {}, lambda texts: _read_list(texts.get("", "")))
IDS = Control(LIST.show, lambda texts: LIST.read(texts) or None)
FLAG = Control(lambda value: {"": "true"} if value else {}, lambda texts: bool(texts.get("")))
MOMENT = Control(_show_moment, _read_moment)
INTERVAL = Control(lambda every: {unit: repr(amount) for unit, amount in (every or {}).items()}, _read_interval)
RETRY = Control(_show_retry, _read_retry)
