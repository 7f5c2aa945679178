"""Wall time of this machine's zone, to UTC and back.

Naive local datetimes cannot be subtracted across a clock change, and 01:30 happens twice in autumn. So all comparisons
and differences are made in UTC (naive, which is cheap).
"""

from est_alan_scheduler.calendar.zones import LOCAL, to_wall

__all__ = ["first_instant", "from_utc", "steady_offset", "to_utc", "to_wall"]

to_utc, from_utc = LOCAL.to_utc, LOCAL.from_utc
first_instant, steady_offset = LOCAL.first_instant, LOCAL.steady_offset
