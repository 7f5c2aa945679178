"""A log digester: it follows a growing log file, counts its lines by level, and keeps a report up to date.

    python examples/log_digest.py                             # a log in a temporary directory; a task appends to it
    python examples/log_digest.py app.log --seconds 60 --report report.txt

Every second, `digest` reads the lines appended since its last run and returns the counts so far. `report` depends on
`digest` and writes the counts to a file. `error_budget` depends on `digest` as well, and fails as soon as there are
more errors than allowed. After `--seconds` (10), or on Ctrl+C, the program prints the report and the history of each
task, failures included.
"""

import argparse
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import BinaryIO

from est_alan_scheduler import Task, TaskRegistry, start_scheduler

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
OTHER = "OTHER"
_LEVEL = re.compile(rf"\b({'|'.join(LEVELS)})\b")

SAMPLE = (
    "DEBUG pool: connection 14 reused",
    "INFO shop: GET /basket 200 in 12 ms",
    "INFO shop: POST /order 201 in 48 ms",
    "WARNING pool: 18 of 20 connections in use",
    "INFO shop: GET /product/4711 200 in 9 ms",
    "ERROR payment: gateway timed out after 5000 ms, order 1093",
    "DEBUG cache: miss for product/4711",
)


class LogTail:
    """Lines that are appended to a log file, also after a rotation or a truncation of the file.

    A file that is truncated and outgrows its former size between two reads looks like a file that only grew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._partial = b""

    def new_lines(self) -> Iterator[str]:
        """Yield the lines completed since the last call; none while the file does not exist."""
        if self._file is not None:
            is_over = self._is_over(self._file)  # before the read: lines written up to the rotation are still read
            yield from self._read_on(self._file)
            if is_over:
                if self._partial:
                    yield self._partial.decode(errors="replace")  # no more text will follow
                self.close()
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:  # between the two steps of a rotation
                return
            yield from self._read_on(self._file)

    def close(self) -> None:
        """Close the file; the next call of `new_lines` starts at its beginning."""
        self._partial = b""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_over(self, file: BinaryIO) -> bool:
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return False  # moved away: a program may write to it until the new file exists
        # While the file is open, its inode number is not reused for the new file.
        return current.st_size < file.tell() or not os.path.samestat(current, os.fstat(file.fileno()))

    def _read_on(self, file: BinaryIO) -> Iterator[str]:
        for piece in file:
            line = self._partial + piece
            self._partial = b"" if line.endswith(b"\n") else line
            if not self._partial:
                yield line.decode(errors="replace").rstrip("\r\n")


class Digest:
    """The running counts of a log's lines by level."""

    def __init__(self, tail: LogTail) -> None:
        self._tail = tail
        self._counts: Counter[str] = Counter(dict.fromkeys((*LEVELS, OTHER), 0))

    def update(self) -> dict[str, int]:
        """Count the new lines; return the counts so far."""
        self._counts.update(level_of(line) for line in self._tail.new_lines())
        return dict(self._counts)  # a copy: other tasks keep it as the result of this run


class LogWriter:
    """Appends lines to a log file."""

    def __init__(self, path: Path) -> None:
        self.written = 0
        self._path = path
        self._messages = cycle(SAMPLE)

    def write(self, count: int) -> int:
        """Append `count` lines; return the number of lines written so far."""
        with self._path.open("a", encoding="utf-8") as log:
            for message in islice(self._messages, count):
                log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {message}\n")
                self.written += 1
        return self.written


def level_of(line: str) -> str:
    """Return the first level that a line names, or OTHER: a line of a traceback names none."""
    found = _LEVEL.search(line)
    return found[0] if found else OTHER


def write_report(path: Path, *, dep_digest: dict[str, int]) -> str:
    """Write the counts to a file; return its name."""
    lines = [f"{level:8}{count:8}" for level, count in dep_digest.items()]
    path.write_text("\n".join([*lines, f"{'total':8}{sum(dep_digest.values()):8}", ""]), encoding="utf-8")
    return path.name


def check_error_budget(budget: int, *, dep_digest: dict[str, int]) -> str:
    """Raise `RuntimeError` if there are more errors than the budget allows."""
    errors = dep_digest["ERROR"]
    if errors > budget:
        raise RuntimeError(f"{errors} errors, {budget} allowed")
    return f"{errors} of {budget}"


def run(log: Path, writer: LogWriter | None, report: Path, budget: int, seconds: float) -> TaskRegistry:
    """Digest the log for a while; return the registry, whose tasks hold their results."""
    registry = TaskRegistry()
    with closing(LogTail(log)) as tail:
        if writer is not None:
            registry.register(Task(id="write", every={"milliseconds": 500}, func=writer.write, args=(5,)))
        # The id is a Python identifier, so that a function can take the result as its parameter dep_digest.
        registry.register(Task(id="digest", every={"seconds": 1}, func=Digest(tail).update))
        registry.register(
            Task(id="report", every={"seconds": 2}, func=write_report, args=(report,), depends_on=["digest"])
        )
        registry.register(
            Task(
                id="error_budget",
                every={"seconds": 1},
                func=check_error_budget,
                args=(budget,),
                depends_on=["digest"],
            )
        )
        try:
            with start_scheduler(interval=0.5, registry=registry):
                print(f"Digesting {log.name} for {seconds:g} seconds; Ctrl+C ends it earlier.", flush=True)
                time.sleep(seconds)
        except KeyboardInterrupt:
            print("Stopped by Ctrl+C.", flush=True)
        digest_the_rest(registry)
    return registry


def digest_the_rest(registry: TaskRegistry) -> None:
    """Run all tasks but the writer once more, for the lines that came after the last digest."""
    for task in registry:
        if task.id == "write":
            registry.pause(task)
        else:
            task.last_run_at = None  # a task that has never run is due now
    # Two ticks, because dependents run in the tick after the first success of their dependency.
    registry.tick()
    registry.tick()


def print_history(registry: TaskRegistry) -> None:
    """Print the history of each task."""
    for task in registry:
        print(f"\n{task.id}: {task.status.value}")
        for entry in task.history:
            print(f"  {entry['run_at']:%H:%M:%S}  {entry['status']:8}  {entry['error'] or entry['result']}")


def main() -> None:
    """Read the command line, run, and print the outcome."""
    parser = argparse.ArgumentParser(description="Follow a log file and count its lines by level.")
    parser.add_argument("log", nargs="?", type=Path, help="the file to follow; by default one that grows by itself")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to run (%(default)s)")
    parser.add_argument("--budget", type=int, default=3, help="how many errors are allowed (%(default)s)")
    parser.add_argument("--report", type=Path, help="where to write the report; by default a temporary file")
    options = parser.parse_args()
    if not 0 < options.seconds < float("inf"):
        parser.error(f"--seconds must be greater than 0, got {options.seconds:g}")
    if options.log is not None and not options.log.is_file():
        parser.error(f"there is no file {options.log}")

    with tempfile.TemporaryDirectory() as directory:
        log = options.log or Path(directory, "shop.log")
        writer = None if options.log else LogWriter(log)
        report = options.report or Path(directory, "report.txt")
        registry = run(log, writer, report, options.budget, options.seconds)
        if writer is not None:
            print(f"{writer.written} lines were written.")
        print(f"\n{report.name}:")
        print(report.read_text(encoding="utf-8") if report.exists() else "(never written)", end="")
        print_history(registry)


if __name__ == "__main__":
    main()
