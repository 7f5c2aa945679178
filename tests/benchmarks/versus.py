"""This working tree beside an earlier revision of itself, in one run: what did the changes cost?

    python -m tests.benchmarks.versus REV            10,000 of 100,000 tasks are due, seven turns each
    python -m tests.benchmarks.versus REV --quick    1,000 of 10,000, three turns

The package of the git revision REV is put into a temporary directory. Each turn is a process of its own for either
side, right after one another, so that what else the machine does hits both; the side that begins takes turns.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from statistics import median

from . import measures
from .contenders import Ours

_ROOT = Path(__file__).parents[2]
_PACKAGE = "est_alan_scheduler"


def _measure(number: int) -> dict[str, float]:
    """Return the microseconds of an idle tick, and of a run when a tenth of the tasks is due."""
    idle, dispatch = measures.idle_and_dispatch([Ours], number)
    return {"idle tick, µs": idle[Ours.name], "dispatch, µs per run": dispatch[Ours.name]}


def _extract(revision: str, directory: str) -> None:
    command = ["git", "-C", str(_ROOT), "archive", revision, _PACKAGE]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory)  # what git has packed right here


def _turn(package_root: str, number: int) -> dict[str, float]:
    """Measure the package that lies in a directory, with this harness."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.versus", "--measure", str(number)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=package_root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([package_root, str(_ROOT)])},
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.versus")
    parser.add_argument("revision", nargs="?", help="what git calls it: a hash, a tag, HEAD~3")
    parser.add_argument("--quick", action="store_true", help="fewer tasks and turns: a look, not a measurement")
    parser.add_argument("--turns", type=int, help="how often each side is measured")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(_measure(options.measure)))
        return 0
    if options.revision is None:
        parser.error("which revision?")
    number = 10_000 if options.quick else 100_000
    turns = options.turns or (3 if options.quick else 7)
    with tempfile.TemporaryDirectory() as directory:
        try:
            _extract(options.revision, directory)
        except subprocess.CalledProcessError as error:
            parser.error(error.stderr.decode().strip())
        sides = {options.revision: directory, "working tree": str(_ROOT)}
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for turn in range(turns):
            print(f"turn {turn + 1} of {turns} ...", file=sys.stderr, flush=True)
            for name in sorted(sides, reverse=bool(turn % 2)):
                taken[name].append(_turn(sides[name], number))
    print(
        f"{number:,} tasks, medians of {turns} turns".ljust(44) + "".join(f"{name[:14]:>16}" for name in sides), end=""
    )
    print(f"{'ratio':>10}")
    before, after = taken.values()
    for measure in before[0]:
        figures = [median(figures[measure] for figures in side) for side in (before, after)]
        ratio = median(new[measure] / old[measure] for old, new in zip(before, after, strict=True))
        print(f"  {measure}".ljust(44) + "".join(f"{figure:>16.2f}" for figure in figures) + f"{ratio:>10.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
