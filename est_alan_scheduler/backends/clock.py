"""Instants, and the clock of a store, told from here."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # naive UTC, like all that is compared with it
_MICROSECOND = timedelta(microseconds=1)


def to_instant(moment: datetime) -> int:
    """Return a naive UTC moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_instant(instant: int) -> datetime:
    """Return the naive UTC moment of so many microseconds since 1970."""
    return _EPOCH + instant * _MICROSECOND


def host_now() -> int:
    """Return what this machine's clock says."""
    return time.time_ns() // 1_000


class StoreClock:
    """The readings of a store's clock, carried on by the local monotonic clock.

    So instances whose own clocks are wrong agree, and a step of the local clock means nothing. No lock: the offset is
    replaced in a single assignment, and if two readings meet, one of them is left out.
    """

    def __init__(self, replacement: Callable[[], int] | None = None) -> None:
        self.replacement = replacement
        self._offset = host_now() - _monotonic()  # until the store has been read

    def note(self, reading: int, began: int) -> None:
        """Take in the answer to a question that was asked at that instant of `begin`.

        The store has read its clock at some moment since. So the longer it took, because a process was stopped or an
        answer got lost, the less the answer says: it corrects the clock as far as the two cannot both be right.
        """
        earliest, latest = reading - _monotonic(), reading - began
        self._offset = min(max(self._offset, earliest), latest)

    def begin(self) -> int:
        """Return what `note` wants to know: when the store is asked."""
        return _monotonic()

    def now(self) -> int:
        """Return what the store's clock says now, as far as it is known here."""
        return self._offset + _monotonic() if self.replacement is None else self.replacement()


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000
