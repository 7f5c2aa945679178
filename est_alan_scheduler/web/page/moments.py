"""Moments as the page shows them."""

from collections.abc import Callable
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
    utc = to_utc(at).replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    exact = exact_text(at)
    return Markup('<time datetime="{}" data-exact="{}">{}</time>').format(utc, exact, exact)


def exact_text(at: datetime) -> str:
    """Return a moment to the second, with its offset and, if it has one, the name of its zone."""
    text = with_offset(at)
    wall, offset = text[:19].replace("T", " "), text[-6:]
    zone = at.tzinfo
    return f"{wall} {offset}" + (f" {zone.key}" if isinstance(zone, ZoneInfo) else "")


def duration_text(seconds: float, gettext: Callable[[str], str]) -> str:
    """Return a duration for people, in one unit or two: "4 ms", "0.2 s", "3 min 5 s", "2 d 1 h"."""
    seconds = max(seconds, 0.0)  # a clock that went back made it negative
    if seconds < 0.0995:
        return gettext("{n} ms").format(n=round(seconds * 1000))
    if seconds < 9.95:
        return gettext("{n} s").format(n=f"{seconds:.1f}".removesuffix(".0"))
    whole = round(seconds)
    if whole < 60:
        return gettext("{n} s").format(n=whole)
    if whole < 3_600:
        return gettext("{n} min {m} s").format(n=whole // 60, m=whole % 60)
    minutes = round(seconds / 60)
    if minutes < 1_440:
        return gettext("{n} h {m} min").format(n=minutes // 60, m=minutes % 60)
    hours = round(seconds / 3_600)
    return gettext("{n} d {m} h").format(n=hours // 24, m=hours % 24)
