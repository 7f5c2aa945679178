"""Counters of runs: of a task, or of all tasks."""

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
    """Slots that runs made up for beside their own."""
    last_duration: float | None
    """Seconds that the latest run took; None before the first, or if that is not known."""
    lateness: Lateness


class RunCounters:
    """The counts of a registry or a task. The registry's lock guards them."""

    __slots__ = (
        "failures",
        "last_duration",
        "late",
        "late_max",
        "late_sum",
        "misfires",
        "retries",
        "skipped",
        "successes",
    )

    def __init__(self) -> None:
        self.successes = self.failures = self.retries = self.misfires = self.skipped = self.late = 0
        self.late_sum = self.late_max = 0.0
        self.last_duration: float | None = None

    def count(
        self, attempt: int, duration: float | None, late: float | None, is_success: bool, total: "RunCounters"
    ) -> None:
        """Count a run that has ended, here and in `total`: in one call, because each run pays for it."""
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
        """Count a dead run of another instance; its lateness and its duration are not known here."""
        self.failures += 1
        self.retries += attempt > 1

    def uncount(self, attempt: int, is_success: bool) -> None:
        """Undo `count` for a dead run, which another instance counts; its lateness and its duration stay."""
        self.successes -= is_success
        self.failures -= not is_success
        self.retries -= attempt > 1

    def statistics(self) -> Statistics:
        """Return the counts as an application sees them."""
        late = self.late
        lateness = Lateness(late, self.late_sum / late, self.late_max) if late else Lateness(0, None, None)
        runs = self.successes + self.failures
        return Statistics(
            runs,
            self.successes,
            self.failures,
            self.retries,
            self.misfires,
            self.skipped,
            self.last_duration,
            lateness,
        )
