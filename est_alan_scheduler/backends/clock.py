"""Instants, and the clock of a store as an offset to the local monotonic clock."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

KEPT = 24 * 3600 * 1_000_000
"""Microseconds for which a store keeps the row of an expired lease if there is nothing to reap. No lease is longer."""

_EPOCH = datetime(1970, 1, 1)  # naive UTC, like all moments that are compared with it
_MICROSECOND = timedelta(microseconds=1)


def to_instant(moment: datetime) -> int:
    """Return a naive UTC moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


EARLIEST, LATEST = to_instant(datetime.min), to_instant(datetime.max)
"""The ends of the calendar."""


def is_instant(value: object) -> bool:
    """Return whether a stored value is a moment within the calendar."""
    return type(value) is int and EARLIEST <= value <= LATEST


def from_instant(instant: int) -> datetime:
    """Return microseconds since 1970 as a naive UTC moment."""
    return _EPOCH + instant * _MICROSECOND


def host_now() -> int:
    """Return the time by this machine's clock."""
    return time.time_ns() // 1_000


class StoreClock:
    """The clock of a store: its last reading, continued by the local monotonic clock.

    So instances with wrong clocks agree, and a step of the local clock has no effect. No lock is needed: one assignment
    replaces the offset, and if two readings meet, one of them is dropped. `replacement` returns the time instead.
    """

    def __init__(self, replacement: Callable[[], int] | None = None) -> None:
        self.replacement = replacement
        self._offset = host_now() - _monotonic()  # until the first reading

    def begin(self) -> int:
        """Return the local instant at which a request begins: an argument of `note`."""
        return _monotonic()

    def note(self, reading: int, began: int) -> None:
        """Correct the clock by a reading from the answer to a request that began at that local instant.

        The store has read its clock at some moment since. The longer the request took (the process was stopped, an
        answer got lost), the less its reading says: the clock is corrected only as far as it contradicts the reading.
        """
        earliest, latest = reading - _monotonic(), reading - began
        self._offset = min(max(self._offset, earliest), latest)

    def host(self) -> int:
        """Return the time by this machine's clock, for a store that has none of its own."""
        return host_now() if self.replacement is None else self.replacement()

    def now(self) -> int:
        """Return the store's time, as far as it is known here."""
        return self._offset + _monotonic() if self.replacement is None else self.replacement()


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000
