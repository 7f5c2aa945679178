"""A job that survives `kill -9`: what it did, what it was doing, and what it has to do next.

    python examples/persistent_job.py                  # a new file in a temporary directory
    python examples/persistent_job.py sqlite:///jobs.db

It starts itself as a worker process, kills that with `kill -9` in the middle of a copy, and starts another one on the
same store. That one finds the run without an outcome, takes it over when the lease of the dead worker has expired, and
does it again, because the task has `retry`. A copy that was finished is not made again. Extra `sql`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import datetime

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus, current_run

LEASE = 1.0  # seconds; thirty by default: so long a worker has to be silent to count as dead


def copy(what: str, seconds: float) -> str:
    """Take some time over it, and say what is done."""
    run = current_run()
    print(f"  copying {what}, attempt {run.attempt if run else 0} ...", flush=True)
    time.sleep(seconds)
    return f"{what} copied"


def work(url: str) -> None:
    """Run both tasks, once each, until they have succeeded; print what comes of them."""
    registry = TaskRegistry(backend=url, lease=LEASE)
    registry.expose(copy, "copy")  # this program is `__main__`: in other processes the function needs a name
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
    """Kill a worker, start another one."""
    command = [sys.executable, *(["-W", "error"] if "error" in sys.warnoptions else []), __file__, "--work", url]
    print("The first worker:", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:  # noqa: S603  # this very program
        for line in worker.stdout or ():
            print(line, end="", flush=True)
            if "films" in line:
                time.sleep(0.5)  # outcomes are written together, at most 50 ms late
                worker.kill()  # by `kill -9`
    print("It is dead. The second worker:", flush=True)
    subprocess.run(command, check=True)  # noqa: S603  # this very program


def main() -> None:
    """Read the command line, and do as it says."""
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
