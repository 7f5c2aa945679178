"""The cost of tasks with a backend: beside APScheduler 3 with its stores, beside bare writes, and shared by processes.

    python -m tests.benchmarks.fleet            1,000 tasks
    python -m tests.benchmarks.fleet --quick    100 tasks

All in one run, on the same machine, each in its own tables. Servers come from the test extra's wheels.

- due: all tasks at once, with an empty function, run one by one in the ticking thread. Ours keeps a history and claims
  each run; APScheduler has its SQLAlchemy store and its inline executor; the floor is the bare writes of `stores`.
- idle: a tick in which nothing is due. Round trips are counted in the database's client.
- fleet: tasks of 50 ms, shared by processes with 32 threads each, timed from the first start to the last end.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

from est_alan_scheduler import Task, TaskRegistry, start_scheduler
from est_alan_scheduler.backends import open_backend
from tests.backends.stores import SHARED, Servers, Store
from tests.benchmarks.contenders import noop
from tests.benchmarks.peers import InlineScheduler
from tests.benchmarks.stores import FLOORS

_SIZE, _SIZE_QUICK = 1_000, 100
_ROUNDS, _ROUNDS_QUICK = 7, 2
_IDLE_TICKS = 100
_NAP = 0.05  # seconds that a task of the fleet takes
_WORKERS = 32
_FLEETS = (1, 3)
_PEERED = ("sqlite", "postgres")  # where APScheduler has a store


def nap() -> None:
    time.sleep(_NAP)


class Ours:
    """A registry with a backend whose tasks are due whenever it ticks."""

    def __init__(self, store: Store, size: int, every: dict[str, int | float] | None = None) -> None:
        self._registry = TaskRegistry()
        for number in range(size):
            task = Task(id=f"task {number:05}", every=every or {"milliseconds": 1}, func=noop)
            self._registry.register(task)
        self._registry.configure(backend=store.open())

    def run(self, number: int) -> None:
        self._registry.tick()

    def close(self) -> None:
        self._registry.shutdown()


class APScheduler:
    """APScheduler 3 on a SQL store, its jobs due once a second: the round has to wait for that."""

    def __init__(self, store: Store, size: int, seconds: int = 1) -> None:
        self._scheduler = InlineScheduler(
            jobstores={"default": SQLAlchemyJobStore(url=store.url, tablename=f"{store.name}_jobs")},
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None},  # otherwise a job that starts a second late is skipped
        )
        self._scheduler.start(paused=True)
        first = datetime.now().astimezone() + timedelta(seconds=seconds)
        for _ in range(size):
            self._scheduler.add_job(noop, "interval", seconds=seconds, next_run_time=first)
        self._scheduler.resume()

    def run(self, number: int) -> None:
        self._scheduler._process_jobs()

    def close(self) -> None:
        self._scheduler.shutdown()


def per_second(run: Callable[[int], None], number: int) -> float:
    began = time.perf_counter()
    run(number)
    return number / (time.perf_counter() - began)


def measure_due(servers: Servers, size: int, rounds: int) -> None:
    """Print the runs per second when all tasks are due at once."""
    print(f"due: runs per second, {size:,} at once, medians of {rounds} rounds; higher is better")
    print(f"  {'store':<12}{'ours':>10}{'APScheduler':>14}{'floor':>10}{'ours/APS':>10}{'ours/floor':>12}")
    for kind in SHARED:
        with tempfile.TemporaryDirectory() as directory:
            contenders: dict[str, Any] = {"ours": Ours, "floor": FLOORS[kind]}
            if kind in _PEERED:
                contenders["peer"] = APScheduler
            stores = {}
            for name in contenders:
                Path(directory, name).mkdir()
                stores[name] = servers.store(kind, Path(directory, name))
            running = {name: make(stores[name], size) for name, make in contenders.items()}
            figures: dict[str, list[float]] = {name: [] for name in running}
            running["ours"].run(size)  # claims grow to their full size
            for _ in range(rounds):  # interleaved: other load on the machine hits all
                for name, contender in running.items():
                    if name == "peer":
                        time.sleep(1.1)
                    figures[name].append(per_second(contender.run, size))
            for contender in running.values():
                contender.close()
            for store in stores.values():
                store.close()
        ours, floor = median(figures["ours"]), median(figures["floor"])
        peer = median(figures["peer"]) if "peer" in figures else None
        cells = (
            f"{'-':>14}{floor:>10,.0f}{'-':>10}"
            if peer is None
            else f"{peer:>14,.0f}{floor:>10,.0f}{ours / peer:>10.1f}"
        )
        print(f"  {kind:<12}{ours:>10,.0f}{cells}{ours / floor:>12.2f}", flush=True)


def measure_idle(servers: Servers, size: int) -> None:
    """Print the cost of a tick in which nothing is due."""
    print(f"idle: a tick with nothing due, {size:,} tasks; lower is better")
    print(f"  {'store':<12}{'ours, ms':>10}{'APS, ms':>10}{'round trips of ours':>22}")
    for kind in SHARED:
        with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            store = servers.store(kind, Path(directory))
            ours = Ours(store, size, {"days": 1})
            ours.run(size)
            figures = {"ours": _milliseconds(ours)}
            with store.round_trips(patch) as trips:
                for _ in range(_IDLE_TICKS):
                    ours.run(size)
            sent = len([trip for trip in trips if trip != "COMMIT"]) / _IDLE_TICKS
            ours.close()
            if kind in _PEERED:
                peer = APScheduler(store, min(size, 100), 86_400)
                figures["peer"] = _milliseconds(peer)
                peer.close()
            store.close()
        cell = f"{figures['peer']:>10.2f}" if "peer" in figures else "-".rjust(10)
        print(f"  {kind:<12}{figures['ours']:>10.2f}{cell}{sent:>22.2f}", flush=True)


def _milliseconds(contender: "Ours | APScheduler") -> float:
    times = []
    for _ in range(_IDLE_TICKS):
        began = time.perf_counter()
        contender.run(0)
        times.append(time.perf_counter() - began)
    return median(times) * 1000


def work(url: str, name: str) -> None:
    """Run one process of a fleet until all tasks have run."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        registry = TaskRegistry(executor=pool, backend=open_backend(url, name))
        registry.expose(nap, "nap")
        registry.tick()  # it fetches the tasks, which are paused
        list(pool.map(time.sleep, [0.01] * _WORKERS))  # starts all its threads
        print("ready", flush=True)
        sys.stdin.readline()
        with start_scheduler(interval=0.05, registry=registry):
            while any(task.last_success_at is None for task in registry):
                time.sleep(0.02)
        registry.shutdown()


def fleet(servers: Servers, processes: int, size: int) -> float:
    """Return the runs per second of so many processes together."""
    store = servers.store("postgres", Path())
    registry = TaskRegistry()
    registry.expose(nap, "nap")
    for number in range(size):
        registry.register(Task(id=f"task {number:05}", run_at=datetime(2020, 1, 1), func=nap))
    registry.pause_all()
    registry.configure(backend=store.open())
    for task in registry:
        task.paused = True
    registry.tick()
    command = [sys.executable, "-m", "tests.benchmarks.fleet", "--work", store.url, store.name]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for worker in workers:
        if worker.stdout is None or worker.stdout.readline() != "ready\n":
            raise RuntimeError("a process of the fleet did not come up")
    for task in registry:
        task.paused = False
    registry.tick()
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.write("go\n")
            worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=120)
    runs = registry.history(limit=10 * size)
    registry.shutdown()
    store.close()
    if len({run["task_id"] for run in runs if run["status"] == "success"}) != size or len(runs) != size:
        raise RuntimeError(f"{size} tasks were due, {len(runs)} runs are recorded")
    seconds = (max(run["finished_at"] for run in runs) - min(run["run_at"] for run in runs)).total_seconds()
    return size / float(seconds)


def measure_fleet(servers: Servers, size: int, rounds: int) -> None:
    """Print the runs per second of one and of several processes."""
    print(f"fleet: runs per second on PostgreSQL, {size:,} tasks of {_NAP * 1000:.0f} ms, {_WORKERS} threads a process")
    figures: dict[int, list[float]] = {processes: [] for processes in _FLEETS}
    for _ in range(rounds):
        for processes, found in figures.items():
            found.append(fleet(servers, processes, size))
    best = {processes: max(found) for processes, found in figures.items()}
    for processes, found in figures.items():
        times = best[processes] / best[_FLEETS[0]]
        print(
            f"  {processes} processes{median(found):>10,.0f} median{best[processes]:>10,.0f} best{times:>8.2f} x",
            flush=True,
        )


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet")
    parser.add_argument("--quick", action="store_true", help="fewer tasks and rounds")
    parser.add_argument("--work", nargs=2, metavar=("URL", "NAME"), help=argparse.SUPPRESS)
    parser.add_argument("only", nargs="?", choices=("due", "idle", "fleet"), help="one measure alone")
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return 0
    size, rounds = (_SIZE_QUICK, _ROUNDS_QUICK) if arguments.quick else (_SIZE, _ROUNDS)
    servers = Servers()
    try:
        if arguments.only in (None, "due"):
            measure_due(servers, size, rounds)
        if arguments.only in (None, "idle"):
            measure_idle(servers, size)
        if arguments.only in (None, "fleet"):
            measure_fleet(servers, size, max(2, rounds // 2))
    finally:
        servers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
