"""A script that manages the tasks of another process: it lists them, pauses one, edits one, and runs it now.

    python examples/observe.py                              # starts a worker on a file of its own
    python examples/observe.py sqlite:///tasks.db           # or manages what is there, and starts nothing
    python examples/observe.py redis://localhost:6379/0 --pause news

Only the worker has the functions of the tasks. The script is an observer of the same store: it shows and changes
everything, and runs nothing. At the end the worker starts again with the same code, and the edits are still there.
Needs the extra `sql`, `postgres` or `redis`.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from est_alan_scheduler import TaskRegistry, TaskStatus, describe, start_scheduler

PATIENCE = 60.0  # seconds until the worker counts as stuck


def prices() -> str:
    """Return a text in place of some work."""
    return "12 prices read"


def news() -> str:
    """Return a text in place of some work."""
    return "3 news read"


def work(url: str) -> None:
    """Run the tasks until stdin is closed."""
    registry = TaskRegistry(backend=url)
    for function in (prices, news):
        registry.expose(function, f"shop.{function.__name__}")  # in `__main__` a function needs a name
        registry.task(every={"hours": 1})(function)
    with start_scheduler(0.1, registry=registry):
        print("The worker is up.", flush=True)
        sys.stdin.read()
    registry.shutdown()


@contextlib.contextmanager
def worker(url: str) -> Iterator[None]:
    """Let a process run the tasks for the time of a block."""
    options = ["-W", "error"] if "error" in sys.warnoptions else []
    command = [sys.executable, *options, __file__, "--work", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  # for the type checker
        if not process.stdout.readline():
            sys.exit("the worker has failed")
        yield


def show(registry: TaskRegistry) -> None:
    """Print the tasks as they are now."""
    registry.refresh()
    if not len(registry):
        print("  no tasks")
    for task in registry:
        state = "paused" if task.paused else task.status
        print(f"  {task.id}: {describe(task)}, {state}, {task.result!r}, {task.func}")


def demonstrate(url: str) -> None:
    """Manage the tasks of a worker, and of its successor."""
    with worker(url):
        outside = TaskRegistry(backend=url, observe=True)
        while [task.status for task in outside] != [TaskStatus.SUCCESS] * 2:
            time.sleep(0.05)
            outside.refresh()  # an observer knows what it has read last
        print(f"{len(outside)} tasks, {len(outside.instances())} instance, {outside.known_functions()} known here:")
        show(outside)
        outside.pause("news")
        seen = outside.version("prices")  # from now on, nobody else may have changed it
        outside.update("prices", every={"minutes": 10}, if_version=seen)
        outside.run_now("prices")
        outside.wait("prices", PATIENCE)
        print("One is paused, one is edited and has run again:")
        show(outside)
        print(f"  runs of prices: {len(outside.history('prices'))}, of news: {len(outside.history('news'))}")
    with worker(url):
        print("After a restart of the worker, with the same code:")
        show(outside)
    outside.shutdown()


def main() -> None:
    """Read the command line; run as the worker, manage a store, or show the example."""
    parser = argparse.ArgumentParser(description="Manage the tasks of another process.")
    parser.add_argument("url", nargs="?", help="the store to look at; by default one that is removed again")
    parser.add_argument("--pause", metavar="ID", help="pause this task of the store at url")
    parser.add_argument("--work", action="store_true", help="be the worker")
    options = parser.parse_args()
    if options.work:
        work(options.url)
    elif options.url:
        outside = TaskRegistry(backend=options.url, observe=True)
        if options.pause:
            outside.pause(options.pause)
        show(outside)
        outside.shutdown()
    else:
        with tempfile.TemporaryDirectory() as directory:
            demonstrate(f"sqlite:///{directory}/tasks.db")


if __name__ == "__main__":
    main()
