"""The peers: `schedule`, and APScheduler 3 with a memory store, driven inline like this library's `tick`.

They read the real clock, so `advance` sets the next share of jobs to a moment just past. That is not timed.
"""

from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.base import BaseScheduler
from schedule import Job, Scheduler

from .contenders import LEAD, PERIOD, ROUNDS_PER_PERIOD, Contender, noop, spread

_PERIOD_SECONDS = int(PERIOD.total_seconds())


def _shares(number: int) -> "cycle[slice]":
    """Return the slice of jobs of each round, in the order in which they are due."""
    size = number // ROUNDS_PER_PERIOD
    return cycle([slice(start, start + size) for start in range(0, size * ROUNDS_PER_PERIOD, size)])


class Schedule(Contender):
    """`schedule` 1.2: `run_pending` checks every job, and sorts those that are due."""

    name = "schedule"

    def __init__(self) -> None:
        self._scheduler = Scheduler()
        self.run_due = self._scheduler.run_pending
        self._by_due: list[Job] = []

    def add(self, number: int) -> None:
        scheduler = self._scheduler
        for _ in range(number):
            scheduler.every(3600).seconds.do(noop)

    def fill(self, number: int) -> None:
        base = datetime.now() + LEAD
        for offset in spread(number):
            job = self._scheduler.every(_PERIOD_SECONDS).seconds.do(noop)
            job.next_run = base + offset
        self._by_due = sorted(self._scheduler.get_jobs())
        self._shares = _shares(number)

    def advance(self) -> None:
        now = datetime.now()
        for index, job in enumerate(self._by_due[next(self._shares)]):
            job.next_run = now - timedelta(microseconds=index)

    def count_due(self) -> int:
        return sum(job.should_run for job in self._scheduler.get_jobs())


class InlineScheduler(BaseScheduler):  # type: ignore[misc]  # untyped
    """APScheduler without its thread, which would process the jobs outside of the measurement."""

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def wakeup(self) -> None:
        pass


class APScheduler(Contender):
    """APScheduler 3, started, with its own synchronous executor and its memory store."""

    name = "APScheduler"

    def __init__(self) -> None:
        self._store = MemoryJobStore()
        self._scheduler = InlineScheduler(
            jobstores={"default": self._store},
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None},  # otherwise a job that starts a second late is skipped
        )
        self._scheduler.start()
        self.run_due = self._scheduler._process_jobs
        self._by_due: list[Any] = []

    def add(self, number: int) -> None:
        scheduler = self._scheduler
        for _ in range(number):
            scheduler.add_job(noop, "interval", seconds=3600)

    def fill(self, number: int) -> None:
        base = datetime.now(self._scheduler.timezone) + LEAD
        for offset in sorted(spread(number)):  # the fastest order, because the store is a sorted list
            self._scheduler.add_job(noop, "interval", seconds=_PERIOD_SECONDS, next_run_time=base + offset)
        self._by_due = self._store.get_all_jobs()
        self._shares = _shares(number)

    def advance(self) -> None:
        now = datetime.now(self._scheduler.timezone)
        for index, job in enumerate(self._by_due[next(self._shares)]):
            job.modify(next_run_time=now - timedelta(microseconds=index))

    def count_due(self) -> int:
        return len(self._store.get_due_jobs(datetime.now(self._scheduler.timezone)))
