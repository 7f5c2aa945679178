"""Checksums computed in a pool of processes: work for the processors that does not delay the loop.

    python examples/checksums.py                       # the packages of Python's own standard library
    python examples/checksums.py ~/Documents --seconds 60

A task for each subdirectory computes one SHA-256 over all files below it, every three seconds, in a worker process.
Because the executor is the factory `make_pool`, the scheduler replaces the pool if a worker is killed. After
`--seconds` (5), or on Ctrl+C, the program prints for each directory how often and how long it was read, and whether its
files have changed.
"""

import argparse
import hashlib
import signal
import sysconfig
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from est_alan_scheduler import Task, TaskRegistry, start_scheduler


def checksum(directory: Path) -> str:
    """Return one SHA-256 over the names and contents of all files below a directory."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(directory)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def ignore_ctrl_c() -> None:
    """Ignore Ctrl+C, which reaches every process of the terminal: the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def make_pool() -> ProcessPoolExecutor:
    """Return a pool of two worker processes."""
    return ProcessPoolExecutor(2, initializer=ignore_ctrl_c)


def print_outcome(registry: TaskRegistry) -> None:
    """Print a line for each directory."""
    for task in registry:
        runs = [run for run in task.history if run["status"] == "success"]
        if not runs:
            print(f"{task.id:16} {task.error_message or 'not read yet'}")
            continue
        seconds = max((run["finished_at"] - run["run_at"]).total_seconds() for run in runs)
        verdict = "unchanged" if len({run["result"] for run in runs}) == 1 else "CHANGED"
        print(f"{task.id:16} read {len(runs)} time(s), at most {seconds:.2f} s, {verdict}: {task.result[:12]}")


def sleep(seconds: float) -> None:
    """Sleep in short steps, so that Ctrl+C ends it.

    The operating system may hand Ctrl+C to another thread, such as the one that is starting the workers. Python raises
    KeyboardInterrupt in the main thread all the same, but does not wake it for that.
    """
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        time.sleep(min(rest, 0.2))


def main() -> None:
    """Read the command line, run, and print the outcome."""
    parser = argparse.ArgumentParser(description="Watch directories for changes by their checksums.")
    parser.add_argument("root", nargs="?", type=Path, help="whose subdirectories to read; by default Python's library")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to run (%(default)s)")
    options = parser.parse_args()
    root = options.root or Path(sysconfig.get_path("stdlib"))
    names = (
        ("asyncio", "concurrent", "email", "http", "json")
        if options.root is None
        else sorted(path.name for path in root.iterdir() if path.is_dir())
    )
    registry = TaskRegistry(executor=make_pool)
    for name in names:
        registry.register(Task(id=name, every={"seconds": 3}, func=checksum, args=(root / name,), timeout=60))
    thread = start_scheduler(registry=registry)
    try:
        print(f"Reading {len(names)} directories in {root} ...", flush=True)
        sleep(options.seconds)
    except KeyboardInterrupt:
        print("interrupted")
    thread.stop(timeout=10)
    print_outcome(registry)


if __name__ == "__main__":
    main()
