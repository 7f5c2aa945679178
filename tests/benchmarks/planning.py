"""The cost of forecasts: `next_run` beside cronsim, `upcoming` over many tasks, a simulated year.

python -m tests.benchmarks.planning [--quick]
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from cronsim import CronSim

from est_alan_scheduler import Task, TaskRegistry, next_run, simulate

_ROUNDS = 15
_STEPS = 500
_CRONS = ("*/15 9-17 * * mon-fri", "30 2 * * *", "0 0 1 * *")
_ZONES = (None, "Europe/Berlin")


def _steps(task: Task) -> Callable[[], None]:
    """Return a function that goes from slot to slot."""
    start = datetime(2026, 3, 1, tzinfo=None if task.timezone is None else UTC)

    def go() -> None:
        moment: datetime | None = start
        for _ in range(_STEPS):
            moment = next_run(task, moment)  # type: ignore[arg-type]  # there is always one

    return go


def _peer_steps(expression: str, zone: str | None) -> Callable[[], None]:
    walk: Iterator[datetime] = CronSim(
        expression, datetime(2026, 3, 1, tzinfo=None if zone is None else ZoneInfo(zone))
    )

    def go() -> None:
        for _ in range(_STEPS):
            next(walk)

    return go


def _medians(contenders: list[Callable[[], None]]) -> list[float]:
    """Return the microseconds of a step of each contender, measured alternately."""
    times: list[list[float]] = [[] for _ in contenders]
    for _ in range(_ROUNDS):
        for contender, taken in zip(contenders, times, strict=True):
            start = time.perf_counter()
            contender()
            taken.append((time.perf_counter() - start) / _STEPS * 1e6)
    return [median(taken) for taken in times]


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.planning")
    parser.add_argument("--quick", action="store_true", help="fewer tasks")
    is_quick = parser.parse_args().quick
    for zone in _ZONES:
        print(f"next_run, µs a step, timezone={zone!r}".ljust(52) + f"{'ours':>8}{'cronsim':>10}{'ratio':>8}")
        for fields in ({"every": {"minutes": 5}}, {"at": "02:30"}):
            task = Task(func=list, timezone=zone, first_run_at=datetime(2026, 1, 1, tzinfo=UTC), **fields)
            print(f"  {fields}".ljust(52) + f"{_medians([_steps(task)])[0]:>8.2f}")
        for expression in _CRONS:
            task = Task(func=list, timezone=zone, cron=expression)
            ours, theirs = _medians([_steps(task), _peer_steps(expression, zone)])
            print(f"  {expression}".ljust(52) + f"{ours:>8.2f}{theirs:>10.2f}{ours / theirs:>8.2f}")
    now, number = datetime.now(), 10_000 if is_quick else 100_000
    kinds: dict[str, Callable[[int], Task]] = {
        "every, under way": lambda index: Task(
            every={"seconds": 3_600 + index % 100}, func=list, last_run_at=now - timedelta(seconds=index % 3600)
        ),
        "every, never run": lambda index: Task(every={"seconds": 3_600 + index % 100}, func=list),
        "every, overdue": lambda _: Task(every={"seconds": 60}, func=list, last_run_at=now - timedelta(hours=1)),
        "at, never run": lambda index: Task(at=f"{index % 24:02}:{index % 60:02}", func=list),
    }
    for kind, make in kinds.items():
        registry = TaskRegistry()
        for index in range(number):
            registry.register(make(index))
        gc.collect()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            assert len(list(registry.upcoming(limit=1000))) == 1000
            times.append((time.perf_counter() - start) * 1e3)
        print(f"upcoming(limit=1000), {number:,} tasks, {kind}, ms".ljust(52) + f"{median(times):>8.1f}")
    registry, days = TaskRegistry(), 36 if is_quick else 365
    for index in range(1_000):
        registry.register(Task(at=f"{index % 24:02}:{index % 60:02}", func=list))
    start = time.perf_counter()
    runs = sum(1 for _ in simulate(registry, datetime(2027, 1, 1), datetime(2027, 1, 1) + timedelta(days=days)))
    print(
        f"simulate, {days} days of 1,000 daily tasks, {runs:,} runs, s".ljust(52)
        + f"{time.perf_counter() - start:>8.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
