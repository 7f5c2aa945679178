"""The cost of a run in a thread pool: this library and APScheduler 3, each in its own thread, in one run.

    python -m tests.benchmarks.pool            10,000 of 100,000 tasks are due
    python -m tests.benchmarks.pool --quick    1,000 of 10,000

Timed from the moment at which the tasks are due until the last has run. The floor submits as many calls to a pool, and
does nothing else.
"""

import argparse
import gc
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from statistics import median

from apscheduler.executors.pool import ThreadPoolExecutor as APSchedulerPool
from apscheduler.schedulers.background import BackgroundScheduler

from est_alan_scheduler import Task, TaskRegistry, start_scheduler

_WORKERS = 10  # APScheduler's default
_ROUNDS = 5
_LEAD = timedelta(seconds=1)  # from the set-up of a round until its tasks are due


class _Finish:
    """A counter of calls that notes the moment of the last call of a round."""

    def __init__(self) -> None:
        self._left = 0
        self._lock = threading.Lock()
        self._event = threading.Event()
        self.at = 0.0

    def expect(self, number: int) -> None:
        self._left = number
        self._event.clear()

    def note(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self.at = time.time()
                self._event.set()

    def wait(self) -> None:
        if not self._event.wait(120):
            raise RuntimeError(f"{self._left} calls were not made")


def ours(number: int, due: int) -> float:
    """Return the seconds per run."""
    finish = _Finish()
    now = datetime.now()
    with ThreadPoolExecutor(_WORKERS) as pool:
        registry = TaskRegistry(executor=pool)
        every: dict[str, int | float] = {"days": 1}
        tasks = [registry.register(Task(every=every, func=finish.note, last_run_at=now)) for _ in range(number)]
        with start_scheduler(registry=registry):

            def set_up(moment: datetime) -> None:
                for task in tasks[:due]:
                    task.last_run_at = moment - timedelta(days=1)

            return _rounds(set_up, finish, due)


def apscheduler(number: int, due: int) -> float:
    """Return the seconds per run."""
    finish = _Finish()
    scheduler = BackgroundScheduler(
        executors={"default": APSchedulerPool(_WORKERS)},
        job_defaults={"misfire_grace_time": None},  # otherwise a job that starts a second late is skipped
    )
    first = datetime.now(scheduler.timezone) + timedelta(days=1)
    # In the fastest order, because the store is a sorted list.
    jobs = [scheduler.add_job(finish.note, "interval", days=1, next_run_time=first) for _ in range(number)]
    scheduler.start()

    def set_up(moment: datetime) -> None:
        for job in jobs[:due]:
            job.modify(next_run_time=moment.astimezone(scheduler.timezone))

    try:
        return _rounds(set_up, finish, due)
    finally:
        scheduler.shutdown()


def floor(_number: int, due: int) -> float:
    """Return the seconds per call."""
    finish = _Finish()
    with ThreadPoolExecutor(_WORKERS) as pool:
        times = []
        for _ in range(_ROUNDS):
            finish.expect(due)
            began = time.time()
            for _ in range(due):
                pool.submit(finish.note)
            finish.wait()
            times.append(finish.at - began)
    return median(times) / due


def _rounds(set_up: Callable[[datetime], None], finish: _Finish, due: int) -> float:
    times = []
    for _ in range(_ROUNDS):
        finish.expect(due)
        moment = datetime.now() + _LEAD + timedelta(microseconds=due * 60)  # the duration of the set-up
        set_up(moment)
        if datetime.now() > moment:
            raise RuntimeError("setting up a round took longer than until its tasks were due")
        finish.wait()
        times.append(finish.at - moment.timestamp())
    return median(times) / due


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pool")
    parser.add_argument("--quick", action="store_true", help="fewer tasks")
    number = 10_000 if parser.parse_args().quick else 100_000
    due = number // 10
    print(f"µs per run in a pool of {_WORKERS} threads, {due:,} due of {number:,}, medians of {_ROUNDS} rounds")
    figures = {}
    for contender in (ours, apscheduler, floor):
        figures[contender.__name__] = contender(number, due) * 1e6
        gc.collect()
        print(f"  {contender.__name__:<20}{figures[contender.__name__]:>10.1f}", flush=True)
    for peer in ("apscheduler", "floor"):
        print(f"  ours / {peer:<13}{figures['ours'] / figures[peer]:>10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
