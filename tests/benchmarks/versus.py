"""This working tree beside an earlier revision of itself, in one run: the cost of the changes between the two.

    python -m tests.benchmarks.versus REV                   10,000 of 100,000 tasks are due, seven rounds each
    python -m tests.benchmarks.versus REV --quick           1,000 of 10,000, three rounds
    python -m tests.benchmarks.versus REV --only core pool  without the stores

The package of the git revision REV is put into a temporary directory. In each round either side is measured in a
process of its own, right after one another, so that other load on the machine hits both; they begin alternately.
This harness measures both, so it uses only names that all revisions have.

- core: a tick in which nothing is due, and a run in the ticking thread.
- pool: a run on a thread pool, driven by the scheduler thread.
- sqlite, postgres, redis: a run in the ticking thread, with its state in that store.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.backends.stores import SHARED, Servers

from . import fleet, measures, pool
from .contenders import Ours

_ROOT = Path(__file__).parents[2]
_PACKAGE = "est_alan_scheduler"
_SUBJECTS = ("core", "pool", *SHARED)
_PASSES = 30  # of a registry with a store


def _measure(subject: str, number: int) -> dict[str, float]:
    """Return the figures of one subject, by measure: microseconds."""
    if subject == "core":
        idle, dispatch = measures.idle_and_dispatch([Ours], number)
        return {"idle tick, µs": idle[Ours.name], "dispatch, µs per run": dispatch[Ours.name]}
    if subject == "pool":
        return {"pool, µs per run": pool.ours(number, number // 10) * 1e6}
    return {f"{subject}, µs per run": _durable(subject, number // 100)}


def _durable(kind: str, size: int) -> float:
    """Return the microseconds of a run when so many tasks of a store are due."""
    servers = Servers()
    with tempfile.TemporaryDirectory() as directory:
        store = servers.store(kind, Path(directory))
        ours = fleet.Ours(store, size)
        times = []
        for _ in range(_PASSES):
            began = perf_counter()
            ours.run(size)
            times.append((perf_counter() - began) / size)
        ours.close()
        store.close()
        servers.close()
    return min(times) * 1e6  # other load on the machine only adds, and a commit to a busy disk varies the most


def _extract(revision: str, directory: str) -> None:
    command = ["git", "-C", str(_ROOT), "archive", revision, _PACKAGE]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory)  # git has packed it just now


def _run(package_root: str, subject: str, number: int) -> dict[str, float]:
    """Measure the package in a directory, in a new process with this harness."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.versus", "--measure", subject, str(number)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=package_root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([package_root, str(_ROOT)])},
    )
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _compare(sides: dict[str, str], subject: str, number: int, rounds: int) -> None:
    """Print the medians of both sides, the median of the ratios of the rounds, and the ratio of the best figures."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for place in range(rounds):
        print(f"{subject}: round {place + 1} of {rounds} ...", file=sys.stderr, flush=True)
        for name in sorted(sides, reverse=bool(place % 2)):
            taken[name].append(_run(sides[name], subject, number))
    before, after = taken.values()
    for measure in before[0]:
        figures = [median(figures[measure] for figures in side) for side in (before, after)]
        ratio = median(new[measure] / old[measure] for old, new in zip(before, after, strict=True))
        best = min(new[measure] for new in after) / min(old[measure] for old in before)
        cells = "".join(f"{figure:>16.2f}" for figure in figures) + f"{ratio:>10.3f}{best:>10.3f}"
        print(f"  {measure}".ljust(44) + cells, flush=True)


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.versus")
    parser.add_argument("revision", nargs="?", help="a git revision: a hash, a tag, HEAD~3")
    parser.add_argument("--quick", action="store_true", help="fewer tasks and rounds: a first impression")
    parser.add_argument("--rounds", type=int, help="how often each side is measured")
    parser.add_argument("--only", nargs="+", choices=_SUBJECTS, default=_SUBJECTS, help="some of the subjects")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        subject, number = options.measure
        print(json.dumps(_measure(subject, int(number))))
        return 0
    if options.revision is None:
        parser.error("which revision?")
    number = 10_000 if options.quick else 100_000
    rounds = options.rounds or (3 if options.quick else 7)
    subjects: Sequence[str] = options.only
    with tempfile.TemporaryDirectory() as directory:
        try:
            _extract(options.revision, directory)
        except subprocess.CalledProcessError as error:
            parser.error(error.stderr.decode().strip())
        sides = {options.revision: directory, "working tree": str(_ROOT)}
        title = f"{number:,} tasks, medians of {rounds} rounds"
        print(
            title.ljust(44) + "".join(f"{name[:14]:>16}" for name in sides) + f"{'ratio':>10}{'of best':>10}",
            flush=True,
        )
        for subject in subjects:
            _compare(sides, subject, number, rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
