"""Counters of runs: of a task, or of all tasks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from est_alan_scheduler.runs.statistics import Statistics


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

    @property
    def runs(self) -> int:
        """The runs that were counted."""
        return self.successes + self.failures

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

    def statistics(self) -> "Statistics":
        """Return the counts as an application sees them."""
        from est_alan_scheduler.runs.statistics import Lateness, Statistics  # late: many programs never ask

        late = self.late
        lateness = Lateness(late, self.late_sum / late, self.late_max) if late else Lateness(0, None, None)
        return Statistics(
            self.runs,
            self.successes,
            self.failures,
            self.retries,
            self.misfires,
            self.skipped,
            self.last_duration,
            lateness,
        )
