"""Names of time zones: places, `"Asia/Seoul"`, and fixed offsets, `"+08:00"`; and what to write instead of others."""

import re
from datetime import timedelta, tzinfo
from difflib import get_close_matches
from zoneinfo import available_timezones

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.zones import named

_OFFSET = re.compile(
    r"(?P<base>UTC|GMT)?(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?::?(?P<minutes>[0-5][0-9])(?::?(?P<seconds>[0-5][0-9]))?)?"
)
_EXPECTED = (
    "timezone must be a name such as 'Asia/Seoul', an offset such as '+08:00', a ZoneInfo with a name or a "
    "datetime.timezone"
)
_NO_ABBREVIATIONS = "abbreviations name no zone"
_MAX_LENGTH = 100  # of a name that is looked at

_PLACES = {
    "ACST": ("Australia/Adelaide",),
    "ACDT": ("Australia/Adelaide",),
    "ADT": ("America/Halifax",),
    "AEST": ("Australia/Brisbane", "Australia/Sydney"),
    "AEDT": ("Australia/Sydney",),
    "AKST": ("America/Anchorage",),
    "AKDT": ("America/Anchorage",),
    "ART": ("America/Argentina/Buenos_Aires",),
    "AST": ("America/Halifax", "America/Puerto_Rico", "Asia/Riyadh"),
    "AWST": ("Australia/Perth",),
    "BRT": ("America/Sao_Paulo",),
    "BST": ("Europe/London", "Asia/Dhaka"),
    "CAT": ("Africa/Maputo",),
    "CDT": ("America/Chicago", "America/Havana"),
    "CEST": ("Europe/Berlin", "Europe/Paris"),
    "CLT": ("America/Santiago",),
    "COT": ("America/Bogota",),
    "CST": ("America/Chicago", "Asia/Shanghai", "America/Havana"),
    "CT": ("America/Chicago",),
    "EAT": ("Africa/Nairobi",),
    "EDT": ("America/New_York",),
    "EEST": ("Europe/Athens", "Europe/Kyiv"),
    "ET": ("America/New_York",),
    "GST": ("Asia/Dubai",),
    "HKT": ("Asia/Hong_Kong",),
    "ICT": ("Asia/Bangkok", "Asia/Ho_Chi_Minh"),
    "IDT": ("Asia/Jerusalem",),
    "IRST": ("Asia/Tehran",),
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "MDT": ("America/Denver",),
    "MSK": ("Europe/Moscow",),
    "MT": ("America/Denver",),
    "MYT": ("Asia/Kuala_Lumpur",),
    "NDT": ("America/St_Johns",),
    "NST": ("America/St_Johns",),
    "NPT": ("Asia/Kathmandu",),
    "NZDT": ("Pacific/Auckland",),
    "NZST": ("Pacific/Auckland",),
    "PDT": ("America/Los_Angeles",),
    "PET": ("America/Lima",),
    "PHT": ("Asia/Manila",),
    "PKT": ("Asia/Karachi",),
    "PST": ("America/Los_Angeles",),
    "PT": ("America/Los_Angeles",),
    "SAST": ("Africa/Johannesburg",),
    "SGT": ("Asia/Singapore",),
    "TRT": ("Europe/Istanbul",),
    "WAT": ("Africa/Lagos",),
    "WEST": ("Europe/Lisbon",),
    "WIB": ("Asia/Jakarta",),
}
"""Places that an abbreviation may mean. Some abbreviations, such as EST, are names of the database."""


def name_of_zone(value: object) -> str:
    """Return the name of a zone, `"Asia/Seoul"`, `"+08:00"` or `"UTC"`, from such a name or a `tzinfo`.

    Raises `ValueError` that says what to write.
    """
    name = _name_of(value) if isinstance(value, tzinfo) else value
    if not isinstance(name, str) or not name:
        raise ValueError(f"{_EXPECTED}, got {short_repr(value)}")
    offset = _offset(name)
    if offset is not None:
        return offset_text(offset)
    try:
        named(name)
    except (KeyError, OSError, ValueError):  # no such zone, a directory of them, no path at all
        raise ValueError(f"timezone {short_repr(name)} is unknown{_remedy(name)}") from None
    return name


def offset_text(offset: timedelta) -> str:
    """Return the name of a zone that is always that far from UTC."""
    if not offset:
        return "UTC"
    seconds = abs(offset) // timedelta(seconds=1)
    text = f"{'-' if offset < timedelta(0) else '+'}{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text


def _name_of(zone: tzinfo) -> str | None:
    """Return the name of a zone of the database, also of those of pytz, or of a fixed offset in whole seconds."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return name
    try:
        offset = zone.utcoffset(None)
    except Exception:  # the code of others: a zone that needs a moment
        return None
    return None if offset is None or offset.microseconds else offset_text(offset)


def _offset(name: str) -> timedelta | None:
    """Return the offset from UTC that a text says; None if it is no such text."""
    if name == "Z":
        return timedelta(0)
    match = _OFFSET.fullmatch(name)
    if match is None or match["base"] == "GMT":
        return None
    hours, minutes, seconds = (int(match[part] or 0) for part in ("hours", "minutes", "seconds"))
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return None if hours >= 24 else -offset if match["sign"] == "-" else offset


def _remedy(name: str) -> str:
    """Return what to write instead of a name that is unknown."""
    known = available_timezones()
    if not known:
        return "; there is no database of zones here: pip install tzdata"
    if len(name) > _MAX_LENGTH:
        return ""
    places = _PLACES.get(name.upper(), ())
    if places:
        which = "abbreviations name no zone, and this one is that of several" if len(places) > 1 else _NO_ABBREVIATIONS
        return f": {which}: write {_either(places)}"
    match = _OFFSET.fullmatch(name.upper().replace(" ", ""))
    if match is not None and _offset(match[0].removeprefix("GMT")) is not None:
        meant = offset_text(_offset(match[0].removeprefix("GMT")) or timedelta(0))
        ahead = "ahead of" if match["sign"] == "+" else "behind"
        return f": for a clock that is {match['hours'].lstrip('0')} hours {ahead} UTC, write {meant!r}"
    if re.fullmatch("[A-Z]{2,5}|(?:UTC|GMT)?[+-].*", name):
        return f": {_NO_ABBREVIATIONS}: write a place such as 'Asia/Seoul', or an offset such as '+08:00'"
    plain = name.strip().replace(" ", "_").lower()
    same = [one for one in known if plain == one.lower()]
    same = same or sorted(one for one in known if plain == one.lower().rpartition("/")[2])
    close = same or get_close_matches(name, known, n=1)
    return f" (did you mean {_either(close[:3])}?)" if close else ""


def _either(names: list[str] | tuple[str, ...]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last
