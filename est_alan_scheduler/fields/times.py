"""`at` and `on`: times of day and dates as they are kept, and what to write instead of others."""

import re
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from est_alan_scheduler._support.text import short_repr

if TYPE_CHECKING:
    from est_alan_scheduler.calendar.dates import Dates

DAY = timedelta(days=1)
_LONGEST_CHANGE = timedelta(hours=3)  # of a clock that goes forward
_MAX_LENGTH = 100  # of a text that is looked at
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?")
_LOOSE = (  # a text, as are other patterns that only a hint needs: `re` compiles it then
    r"(?P<hour>[0-9]{1,2})(?:(?P<mark>[:.h])(?P<minute>[0-9]{1,2})?(?:[:.](?P<second>[0-9]{1,2}))?(?:\.[0-9]+)?)?"
    r"\s*(?P<half>[ap])?\.?(?P<m>m\.?)?"
)
_DIGITS = r"([0-9]{2})([0-9]{2})([0-9]{2})?"
_WORDS = {"noon": "12:00", "midnight": "00:00"}
_EXPECTED = "at field must be in HH:MM format, 00:00 to 23:59, such as '07:30', in HH:MM:SS format, or a list of these"

Times = str | tuple[str, ...]


def check_at(value: object) -> Times | None:
    """Return times of day: a text as it is, several in order and without duplicates."""
    if value is None or (isinstance(value, str) and _TIME.fullmatch(value)):
        return value
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"{_EXPECTED}, got {short_repr(value)}{_hint(value)}")
    times = dict[int, str]()
    for item in value:
        if not isinstance(item, str) or not _TIME.fullmatch(item):
            raise ValueError(f"{_EXPECTED}, got {short_repr(item)} in it{_hint(item)}")
        times.setdefault(seconds_of(item), item)
    if not times:
        raise ValueError(f"at field is an empty list: {_EXPECTED.removeprefix('at field ')}")
    return tuple(times[second] for second in sorted(times))


def check_on(value: object) -> str | None:
    """Return the dates of `at`, a text as it is."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            dates_of(value)
        except ValueError as error:
            from est_alan_scheduler.calendar.dates_advice import reason  # late: most programs need no advice

            raise ValueError(reason(value, error)) from None
        return value
    hint = ""
    if isinstance(value, date):
        moment = value.isoformat() if isinstance(value, datetime) else f"{value}T09:00"
        hint = f": for one date, write run_at={moment!r} instead of at and on"
    elif isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str | int) for item in value):
        hint = f": write {','.join(map(str, value))!r}"
    elif type(value) is int:
        hint = f": write {str(value)!r}"
    raise ValueError(f"on must be a text such as 'mon-fri', '1,15' or 'last fri', got {short_repr(value)}{hint}")


def dates_of(on: str) -> "Dates":
    """Return the dates that a text names. Raises `ValueError` that names what is wrong."""
    from est_alan_scheduler.calendar.dates import read_dates  # late: most programs name none

    return read_dates(on)


def times_of(at: Times) -> list[time]:
    """Return the times of day in order."""
    return [time.fromisoformat(text) for text in ((at,) if isinstance(at, str) else at)]


def seconds_of(text: str) -> int:
    """Return the seconds from midnight, by the clock on the wall, until a time of day."""
    hour, minute, second = (int(text[start : start + 2] or 0) for start in (0, 3, 6))
    return hour * 3600 + minute * 60 + second


def shortest_gap(at: Times, on: str | None = None) -> float:
    """Return the shortest time between two slots in seconds; on days on which the clock is changed it may be less."""
    times = [at] if isinstance(at, str) else at
    days = 1 if on is None else dates_of(on).least_distance()
    if len(times) == 1:
        return (days * DAY - _LONGEST_CHANGE).total_seconds()
    seconds = [*map(seconds_of, times)]
    seconds.append(seconds[0] + days * 86_400)
    return float(min(later - earlier for earlier, later in pairwise(seconds)))


def _hint(value: object) -> str:
    """Return what to write instead of a value that is no time of day."""
    if isinstance(value, datetime):
        return f": for one moment, write run_at={value.isoformat()!r}"
    if isinstance(value, time):
        return f": write {value.replace(microsecond=0, tzinfo=None).isoformat('auto').removesuffix(':00')!r}"
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return ""
    text = re.sub(r"^(?:every ?day |daily )?(?:at )?(?=[0-9])", "", " ".join(value.lower().split()))
    if "," in text or ";" in text or " and " in text:
        parts = [_meant(part.strip()) for part in re.split(r"[,;]|\band\b", text) if part.strip()]
        return f": write {parts!r}" if None not in parts else ""
    meant = _meant(text)
    if meant is not None:
        return f": write {meant!r}"
    return _hint_beside(value.strip())


def _meant(text: str) -> str | None:
    """Return the time of day that a text in small letters stands for; None if that is not known."""
    text = _WORDS.get(text, text)
    if _TIME.fullmatch(text):
        return text
    if digits := re.fullmatch(_DIGITS, text):
        text = ":".join(filter(None, digits.groups()))
    match = re.fullmatch(_LOOSE, text)
    if match is None or not (match["mark"] or match["half"]) or (match["m"] and not match["half"]):
        return None
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "p" else 0) if 1 <= hour <= 12 else 99
    hour = 0 if (hour, minute, second) == (24, 0, 0) else hour
    meant = f"{hour:02}:{minute:02}" + (f":{second:02}" if match["second"] else "")
    return meant if _TIME.fullmatch(meant) else None


def _hint_beside(text: str) -> str:
    """Return what to write for a time of day with something before or after it: a date, dates, or a zone."""
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return f": for one moment, write run_at={text!r}"
    match = re.fullmatch(r"([0-9:]+)\s*(Z|[+-][0-9:]+|[A-Za-z]+/[A-Za-z_/]+|UTC)", text)
    if match is not None and (meant := _meant(match[1])):
        return f": write at={meant!r}, timezone={'UTC' if match[2] == 'Z' else match[2]!r}"
    words = text.split()
    for before, after in ((words[:-1], words[-1:]), (words[1:], words[:1])):
        meant = _meant("".join(after).lower())
        with suppress(ValueError):
            if meant is not None and dates_of(dates := " ".join(before).removesuffix(" at").removeprefix("at ")):
                return f": write at={meant!r}, on={dates!r}"
    with suppress(ValueError):
        dates_of("" if text.isdigit() else text)
        return f": write a time, and on={text!r} beside it"
    return ": a cron expression goes into cron" if "*" in text else ""
