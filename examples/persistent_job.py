"""A job that survives `kill -9`: its finished work, the run in flight, and its next runs.

    python examples/persistent_job.py                  # a new file in a temporary directory
    python examples/persistent_job.py sqlite:///jobs.db

The program starts itself as a worker process, kills the worker with `kill -9` in the middle of a copy, and starts
another worker on the same store. When the lease of the dead worker has expired, the second worker records the dead run
as failed, and runs the task again, because the task has `retry`. A finished copy is not made again. Needs the extra
`sql`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import datetime

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus, current_run

LEASE = 1.0  # seconds without a heartbeat after which a worker counts as dead; the default is thirty


def copy(what: str, seconds: float) -> str:
    """Wait for some seconds in place of a copy, and return a message."""
    run = current_run()
    print(f"  copying {what}, attempt {run.attempt if run else 0} ...", flush=True)
    time.sleep(seconds)
    return f"{what} copied"


def work(url: str) -> None:
    """Run both tasks until each has succeeded once; print their outcomes."""
    registry = TaskRegistry(backend=url, lease=LEASE)
    registry.expose(copy, "copy")  # in `__main__` a function needs a name that other processes know
    retry = Retry(max_retries=3, delay=0.1)
    noon = datetime(2026, 1, 1, 12)
    for name, seconds in (("photos", 0.0), ("films", 2.0)):
        registry.register(Task(id=name, run_at=noon, timezone="UTC", func=copy, args=(name, seconds), retry=retry))
    while any(task.status is not TaskStatus.SUCCESS for task in registry):
        registry.tick()
        time.sleep(0.05)
    for task in registry:
        print(f"{task.id}: {task.result}")
        for run in registry.history(task.id):
            print(f"  attempt {run['attempt']}: {run['status']} {(run['error'] or '').partition(':')[0]}".rstrip())
    registry.shutdown()


def show(url: str) -> None:
    """Kill a worker, and start another one."""
    command = [sys.executable, *(["-W", "error"] if "error" in sys.warnoptions else []), __file__, "--work", url]
    print("The first worker:", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:  # noqa: S603  # this very program
        for line in worker.stdout or ():
            print(line, end="", flush=True)
            if "films" in line:
                time.sleep(0.5)  # the outcome of `photos` is written at most 50 ms later
                worker.kill()  # `kill -9`
    print("It is dead. The second worker:", flush=True)
    subprocess.run(command, check=True)  # noqa: S603  # this very program


def main() -> None:
    """Read the command line; run as a worker, or show the example."""
    parser = argparse.ArgumentParser(description="Show a job that survives kill -9.")
    parser.add_argument("url", nargs="?", help="where to keep the state; by default a file that is removed again")
    parser.add_argument("--work", action="store_true", help="be the worker")
    options = parser.parse_args()
    if options.work:
        work(options.url)
    elif options.url:
        show(options.url)
    else:
        with tempfile.TemporaryDirectory() as directory:
            show(f"sqlite:///{directory}/jobs.db")


if __name__ == "__main__":
    main()
