"""The cost of a page of the history, beside a floor: as many rows by their keys, bare, in the same run.

    python -m tests.benchmarks.history            100,000 tasks with five runs each
    python -m tests.benchmarks.history --quick    5,000 tasks

All tasks start at the same moments, as those of one tick do; one of a thousand fails. The runs are written by the
database itself, or in pipelines. Servers come from the test extra's wheels.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import RunKey
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import SHARED, Servers, Store

_TASKS, _TASKS_QUICK = 100_000, 5_000
_EPOCHS = 5
_HOUR = 3_600_000_000
_START = 1_800_000_000_000_000
_PAGE, _ROUNDS = 100, 15


def fill(store: Store, tasks: int) -> None:
    """Write the runs of so many tasks."""
    if store.kind == "redis":
        _fill_redis(store, tasks)
        return
    numbers = f"SELECT 0 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {tasks - 1}"
    epochs = " UNION ALL ".join(f"SELECT {epoch} AS e" for epoch in range(1, _EPOCHS + 1))
    store.execute(
        f"INSERT INTO {store.name}_runs (task_id, epoch, owner, attempt, started, status, late, slot, finished, result)"
        f" WITH RECURSIVE n(i) AS ({numbers}) SELECT 'task ' || i, e, 'me', 1, {_START} + e * {_HOUR},"
        " CASE WHEN i % 1000 = 0 THEN 'failed' ELSE 'success' END, false, 0, 1, '3'"
        f" FROM n, ({epochs}) AS epochs"
    )
    store.execute(f"ANALYZE {store.name}_runs")


def _fill_redis(store: Store, tasks: int) -> None:
    client = store.redis()
    for first in range(0, tasks, 1_000):
        with client.pipeline(transaction=False) as pipe:
            for number in range(first, min(first + 1_000, tasks)):
                for epoch in range(1, _EPOCHS + 1):
                    status, started = "success" if number % 1_000 else "failed", _START + epoch * _HOUR
                    run = {"slot": 0, "attempt": 1, "owner": "me", "status": status, "result": "3", "error": ""}
                    fields = {**run, "started": started, "finished": 1, "late": 0}
                    pipe.hset(store.key(f"run:task {number}:{epoch}"), mapping=fields)
                    pipe.zadd(store.key(f"runs:task {number}"), {str(epoch): epoch})
                    pipe.zadd(store.key("history"), {f"task {number}\0{epoch:016}": started})
            pipe.execute()


def floor(store: Store) -> Callable[[], Any]:
    """Return what reads a page of runs by their keys, by the database's own client."""
    ids = [f"task {number}" for number in range(_PAGE)]
    if store.kind == "redis":
        client = store.redis()

        def read() -> Any:
            with client.pipeline(transaction=False) as pipe:
                for task_id in ids:
                    pipe.hgetall(store.key(f"run:{task_id}:3"))
                return pipe.execute()

        return read
    if store.kind == "sqlite":
        marks = ", ".join("?" * _PAGE)
        connection: Any = sqlite3.connect(store.url.removeprefix("sqlite:///"))
        query: tuple[str, Any] = (f"task_id IN ({marks})", ids)
    else:
        import psycopg

        connection = psycopg.connect(store.url.replace("+psycopg", ""), autocommit=True)
        query = ("task_id = ANY(%s)", [ids])
    statement = f"SELECT * FROM {store.name}_runs WHERE {query[0]} AND epoch = 3"
    return lambda: connection.execute(statement, query[1]).fetchall()


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def questions(backend: Backend) -> dict[str, Callable[[], Any]]:
    """Return the pages that are asked for."""
    middle = RunKey(_START + 3 * _HOUR, "task 3", 3)
    return {
        "latest": lambda: backend.history(limit=_PAGE),
        "since": lambda: backend.history(limit=_PAGE, since=_START + 3 * _HOUR),
        "before": lambda: backend.history(limit=_PAGE, before=middle),
        "failed": lambda: backend.history(limit=_PAGE, status=TaskStatus.FAILED),
        "running": lambda: backend.history(limit=_PAGE, status=TaskStatus.RUNNING),
        "one task": lambda: backend.history("task 7", limit=_PAGE),
    }


def measure(kind: str, servers: Servers, tasks: int) -> None:
    """Print the figures of one backend."""
    with tempfile.TemporaryDirectory() as directory:
        store = servers.store(kind, Path(directory))
        asked = questions(store.open())
        fill(store, tasks)
        bare = floor(store)
        for name, ask in asked.items():
            ours, floors = [], []
            for _ in range(_ROUNDS if seconds(ask) < 1 else 1):  # interleaved: other load on the machine hits both
                ours.append(seconds(ask) * 1_000)
                floors.append(seconds(bare) * 1_000)
            mine, least = median(ours), median(floors)
            print(f"  {kind:<12}{name:<12}{mine:>10.2f}{least:>10.2f}{mine / least:>12.1f}", flush=True)
        store.close()


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.history")
    parser.add_argument("--quick", action="store_true", help="fewer tasks")
    tasks = _TASKS_QUICK if parser.parse_args().quick else _TASKS
    print(f"milliseconds for {_PAGE} of {tasks * _EPOCHS:,} runs, medians of {_ROUNDS} rounds; lower is better")
    print(f"  {'store':<12}{'runs':<12}{'ours':>10}{'floor':>10}{'ours/floor':>12}")
    servers = Servers()
    try:
        for kind in SHARED:
            measure(kind, servers, tasks)
    finally:
        servers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
