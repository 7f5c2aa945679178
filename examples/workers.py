"""Three worker processes share fifty tasks: each task is run by the worker that claims it first.

    python examples/workers.py                                             # one SQLite file
    python examples/workers.py postgresql+psycopg://user@localhost/tasks   # or another store
    python examples/workers.py redis://localhost:6379/0

Every worker registers the same fifty tasks with the same ids, and ticks. When all tasks have succeeded, the program
prints the tasks of each worker. Needs the extra `sql`, `postgres` or `redis`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime

from est_alan_scheduler import Task, TaskRegistry, TaskStatus

WORKERS, TASKS = 3, 50


def resize(picture: int) -> str:
    """Wait for a moment in place of some work, and return a message."""
    time.sleep(0.03)
    return f"picture {picture} resized"


def open_registry(url: str, lease: float = 30.0) -> TaskRegistry:
    """Return a registry of the shared tasks."""
    registry = TaskRegistry(lease=lease)
    registry.expose(resize, "resize")  # in `__main__` a function needs a name that other processes know
    long_ago = datetime(2026, 1, 1)
    for number in range(TASKS):
        registry.register(Task(id=f"picture {number:02}", run_at=long_ago, timezone="UTC", func=resize, args=(number,)))
    registry.configure(backend=url)  # all tasks in a few round trips
    return registry


def work(url: str) -> None:
    """Tick until all tasks have succeeded."""
    registry = open_registry(url)
    while any(task.status is not TaskStatus.SUCCESS for task in registry):
        registry.tick()
        time.sleep(0.01)
    registry.shutdown()


def show(url: str) -> None:
    """Start the workers, wait for them, and print the tasks of each."""
    options = ["-W", "error"] if "error" in sys.warnoptions else []
    command = [sys.executable, *options, __file__, "--work", url]
    workers = [subprocess.Popen(command) for _ in range(WORKERS)]  # noqa: S603  # this very program
    for worker in workers:
        if worker.wait():
            sys.exit("a worker has failed")
    registry = open_registry(url)
    tasks_of = defaultdict(list)
    for run in registry.history(limit=1_000):
        tasks_of[run["owner"]].append(run["task_id"].removeprefix("picture "))
    registry.shutdown()
    for number, tasks in enumerate(tasks_of.values(), 1):
        print(f"worker {number} ran {len(tasks):2}: {' '.join(sorted(tasks))}")
    print(f"{sum(map(len, tasks_of.values()))} runs of {TASKS} tasks")


def main() -> None:
    """Read the command line; run as a worker, or show the example."""
    parser = argparse.ArgumentParser(description="Share tasks among worker processes.")
    parser.add_argument("url", nargs="?", help="where to keep the state; by default a file that is removed again")
    parser.add_argument("--work", action="store_true", help="be a worker")
    options = parser.parse_args()
    if options.work:
        work(options.url)
    elif options.url:
        show(options.url)
    else:
        with tempfile.TemporaryDirectory() as directory:
            show(f"sqlite:///{directory}/tasks.db")


if __name__ == "__main__":
    main()
