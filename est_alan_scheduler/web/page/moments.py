"""Moments as the page shows them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.web.api.models import with_offset

NOTHING = "\N{EN DASH}"


def moment(at: datetime | None) -> Markup:
    """Return a moment for people: exact, with its offset; a script makes it relative. A naive one is local time."""
    if at is None:
        return Markup('<span class="none">{}</span>').format(NOTHING)
    return _time(at, Markup(""))


def since(at: datetime | None) -> Markup:
    """Return the begin of something that goes on for people; a script writes how long it has gone on."""
    return moment(None) if at is None else _time(at, Markup(" data-since"))


def _time(at: datetime, attribute: Markup) -> Markup:
    utc = to_utc(at).replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    exact = exact_text(at)
    return Markup('<time datetime="{}" data-exact="{}"{}>{}</time>').format(utc, exact, attribute, exact)


def seconds(number: float | None) -> str:
    """Return a time in seconds for people: to the millisecond, if it is short."""
    if number is None:
        return NOTHING
    return f"{number * 1000:.0f} ms" if number < 0.9995 else f"{number:.1f} s"


def exact_text(at: datetime) -> str:
    """Return a moment to the second, with its offset and, if it has one, the name of its zone."""
    text = with_offset(at)
    wall, offset = text[:19].replace("T", " "), text[-6:]
    zone = at.tzinfo
    return f"{wall} {offset}" + (f" {zone.key}" if isinstance(zone, ZoneInfo) else "")
