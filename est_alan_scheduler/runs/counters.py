"""What the runs of a task, or of all tasks, come to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late runs started, in seconds after they were due."""

    count: int
    """Of the runs that were due at a moment: not the first one of `every`, nor those that were asked for."""
    mean: float | None
    """None without such runs."""
    max: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """What runs come to. Each attempt is a run."""

    runs: int
    """That have ended: successes and failures."""
    successes: int
    failures: int
    retries: int
    """Of these runs, the second and further attempts."""
    misfires: int
    """Slots that were skipped: those that `misfire_grace` told of."""
    last_duration: float | None
    """Seconds that the latest of them took; None before the first."""
    lateness: Lateness


class RunCounters:
    """Counts, as they are kept. Guarded by the registry's lock."""

    __slots__ = ("failures", "last_duration", "late", "late_max", "late_sum", "misfires", "retries", "successes")

    def __init__(self) -> None:
        self.successes = self.failures = self.retries = self.misfires = self.late = 0
        self.late_sum = self.late_max = 0.0
        self.last_duration: float | None = None

    def count(
        self, attempt: int, duration: float | None, late: float | None, is_success: bool, total: "RunCounters"
    ) -> None:
        """Count a run that has ended, and in `total` as well: in one call, because each run pays for it."""
        if is_success:
            self.successes += 1
            total.successes += 1
        else:
            self.failures += 1
            total.failures += 1
        if attempt > 1:
            self.retries += 1
            total.retries += 1
        self.last_duration = total.last_duration = duration
        if late is not None:
            self.late += 1
            total.late += 1
            self.late_sum += late
            total.late_sum += late
            if late > self.late_max:
                self.late_max = late
                if late > total.late_max:
                    total.late_max = late

    def count_dead_run(self, attempt: int) -> None:
        """Count a run that another instance has lost: how late it started, and how long it took, is not known here."""
        self.failures += 1
        if attempt > 1:
            self.retries += 1

    def uncount(self, attempt: int, is_success: bool) -> None:
        """Undo `count` for a run that was lost, and is counted elsewhere; how late it was, and how long, stays."""
        if is_success:
            self.successes -= 1
        else:
            self.failures -= 1
        if attempt > 1:
            self.retries -= 1

    def statistics(self) -> Statistics:
        """Return what they come to."""
        late = self.late
        lateness = Lateness(late, self.late_sum / late, self.late_max) if late else Lateness(0, None, None)
        runs = self.successes + self.failures
        return Statistics(
            runs, self.successes, self.failures, self.retries, self.misfires, self.last_duration, lateness
        )
