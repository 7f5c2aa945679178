"""Recorded moments: in the zone of their task, or in naive local time."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc, to_wall
from est_alan_scheduler.calendar.zones import named


def moment_for_json(moment: datetime | None, zone: str | None) -> Any:
    """Return a moment for JSON: with its offset in the second pass of a repeated hour, because a text has no `fold`."""
    if moment is None or moment.tzinfo is not None or not moment.fold:
        return moment
    if zone is not None:
        aware = moment.replace(tzinfo=named(zone).tz)
        offset = aware.utcoffset() or timedelta(0)
        # As it comes back, or another text would be made of it then. A text with seconds in its offset cannot be read.
        return aware.astimezone(UTC) if offset.seconds % 60 else moment.replace(tzinfo=timezone(offset), fold=0)
    return to_utc(moment).replace(tzinfo=UTC)


def in_zone(moment: datetime | None, zone: str | None) -> datetime | None:
    """Return a recorded moment as it is kept: in the zone of the task, if it has one, else in naive local time."""
    if moment is None:
        return moment
    try:
        if zone is None:
            return to_wall(moment)
        utc = moment if moment.tzinfo is not None else to_utc(moment).replace(tzinfo=UTC)
        return utc.astimezone(named(zone).tz)
    except OverflowError:  # the end of the calendar
        return moment
