"""Statistics of runs, as an application sees them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late runs started, in seconds after they were due."""

    count: int
    """Of runs that were due at a moment: not the first run of `every`, and not requested runs."""
    mean: float | None
    """None if there were no such runs."""
    max: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The outcomes of runs, counted. Each attempt is a run."""

    runs: int
    """Those that have ended: successes and failures."""
    successes: int
    failures: int
    retries: int
    """The second and further attempts among them."""
    misfires: int
    """Slots that were skipped because they were missed by more than `misfire_grace`."""
    skipped: int
    """Missed slots that coalesced into a later run; the slot of that run itself is not counted."""
    last_duration: float | None
    """Seconds that the latest run took; None before the first, or if that is not known."""
    lateness: Lateness
