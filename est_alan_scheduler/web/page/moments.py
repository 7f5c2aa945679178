"""Moments as the page shows them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
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
    utc = utc_text(at)
    exact = exact_text(at)
    return Markup('<time datetime="{}" data-exact="{}"{}>{}</time>').format(utc, exact, attribute, exact)


def utc_text(at: datetime) -> str:
    """Return a moment as scripts read it."""
    return to_utc(at).replace(tzinfo=UTC).isoformat(timespec="milliseconds")


def exact_text(at: datetime) -> str:
    """Return a moment to the second, with its offset and, if it has one, the name of its zone."""
    text = with_offset(at)
    wall, offset = text[:19].replace("T", " "), text[-6:]
    zone = at.tzinfo
    return f"{wall} {offset}" + (f" {zone.key}" if isinstance(zone, ZoneInfo) else "")


def weekday(day: date, gettext: Callable[[str], str]) -> str:
    """Return the day of the week of a date, in short."""
    return gettext("Mon Tue Wed Thu Fri Sat Sun").split()[day.weekday()]


def lasting(seconds: float | None, gettext: Callable[[str], str]) -> str:
    """Return how long something lasts, in the two greatest units that matter."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return gettext("%s ms") % f"{1_000 * seconds:.3g}"
    if seconds < 59.95:
        return gettext("%s s") % f"{seconds:.3g}"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return gettext("%s min") % minutes + (" " + gettext("%s s") % rest if rest else "")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return gettext("%s h") % hours + (" " + gettext("%s min") % minutes if minutes else "")
    days, hours = divmod(hours, 24)
    return gettext("%s d") % f"{days:,}" + (" " + gettext("%s h") % hours if hours else "")
