"""The lateness of starts in real time: this library, APScheduler 3, asyncio's timers and a bare sleep, in one run.

    python -m tests.benchmarks.lateness        200 tasks over 10 s each, then the drift of `every 1 s` over 30 s
    python -m tests.benchmarks.lateness --quick

All with their defaults. The contenders alternate each second, so that other load on the machine hits them all.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from datetime import datetime
from random import Random
from statistics import median, quantiles

from apscheduler.schedulers.background import BackgroundScheduler

from est_alan_scheduler import Task, TaskRegistry, start_scheduler

Contender = Callable[[list[float]], list[float]]
"""From moments (seconds since the epoch) to the lateness of the call for each."""

_LEAD = 0.3  # seconds to set up


def ours(moments: list[float]) -> list[float]:
    """Run tasks once each, in a scheduler thread."""
    late: list[float] = []
    registry = TaskRegistry()
    for moment in moments:
        registry.register(Task(run_at=datetime.fromtimestamp(moment), func=_note, args=(moment, late)))
    with start_scheduler(registry=registry):
        _wait(moments)
    return late


def apscheduler(moments: list[float]) -> list[float]:
    """Run jobs once each, in a background scheduler."""
    late: list[float] = []
    scheduler = BackgroundScheduler()
    for moment in moments:
        scheduler.add_job(_note, "date", run_date=datetime.fromtimestamp(moment).astimezone(), args=(moment, late))
    scheduler.start()
    _wait(moments)
    scheduler.shutdown()
    return late


def timers(moments: list[float]) -> list[float]:
    """Set asyncio's timers."""
    late: list[float] = []

    async def main() -> None:
        loop, now = asyncio.get_running_loop(), time.time()
        for moment in moments:
            loop.call_later(moment - now, _note, moment, late)
        await asyncio.sleep(moments[-1] - now + _LEAD)

    asyncio.run(main())
    return late


def sleep(moments: list[float]) -> list[float]:
    """Sleep until each moment: the floor."""
    late: list[float] = []
    for moment in moments:
        time.sleep(max(0.0, moment - time.time()))
        _note(moment, late)
    return late


def drift(seconds: int) -> list[float]:
    """Return the distance of the k-th start of `every 1 s`, with 50 ms of work, from the first plus k seconds."""
    starts: list[float] = []

    def work() -> None:
        starts.append(time.time())
        time.sleep(0.05)

    registry = TaskRegistry()
    registry.register(Task(every={"seconds": 1}, func=work))
    with start_scheduler(registry=registry):
        time.sleep(seconds + 0.5)
    return [start - starts[0] - number for number, start in enumerate(starts)]


def _note(moment: float, late: list[float]) -> None:
    late.append(time.time() - moment)


def _wait(moments: list[float]) -> None:
    time.sleep(max(0.0, moments[-1] + _LEAD - time.time()))


def _spread(number: int, seconds: float, seed: int) -> list[float]:
    start = time.time() + _LEAD
    chosen = Random(seed)
    return sorted(round(start + chosen.uniform(0, seconds), 6) for _ in range(number))


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.lateness")
    parser.add_argument("--quick", action="store_true", help="a first impression")
    is_quick = parser.parse_args().quick
    rounds, drift_seconds = (1, 2) if is_quick else (10, 30)
    contenders: dict[str, Contender] = {
        "ours": ours,
        "APScheduler": apscheduler,
        "asyncio timers": timers,
        "bare sleep": sleep,
    }
    late: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(rounds):
        for name, contender in contenders.items():
            late[name] += contender(_spread(20, 1.0, round_number))
    print(
        f"lateness of {rounds * 20} tasks over {rounds} s, ms".ljust(44)
        + "".join(f"{c:>10}" for c in ("p50", "p99", "max"))
    )
    for name, seconds in late.items():
        points = [median(seconds), quantiles(seconds, n=100, method="inclusive")[98], max(seconds)]
        print(f"  {name}".ljust(44) + "".join(f"{point * 1000:>10.2f}" for point in points))
    off = drift(drift_seconds)
    print(f"\ndrift of `every 1 s` after {len(off) - 1} runs, ms".ljust(45) + f"{off[-1] * 1000:>10.2f}")
    print("  the k-th start, off from the first + k s, median".ljust(44) + f"{median(map(abs, off)) * 1000:>10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
