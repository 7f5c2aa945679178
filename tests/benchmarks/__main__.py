"""A table of this library, its peers and the floors, measured in one run. `--quick` takes seconds, for CI."""

import argparse
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec

from . import measures, report
from .contenders import Contender, Floor, Ours, RecordingFloor

_SIZES, _SIZES_QUICK = (1_000, 100_000, 1_000_000), (1_000, 10_000)
_PEERS_UP_TO = 100_000
_REPEATS = {1_000: 9, 10_000: 3, 100_000: 3, 1_000_000: 1}  # of registering: a million tasks are their own average


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tasks: a first impression, and for CI")
    sizes = _SIZES_QUICK if parser.parse_args().quick else _SIZES
    missing = [peer for peer in ("schedule", "apscheduler") if find_spec(peer) is None]
    if missing:
        print(f'Not installed: {", ".join(missing)}. The peers come with: pip install -e ".[bench]"', file=sys.stderr)
        return 2
    from .peers import APScheduler, Schedule

    alone: list[type[Contender]] = [Ours, Floor, RecordingFloor]
    everyone: list[type[Contender]] = [*alone, Schedule, APScheduler]
    kinds = {size: everyone if size <= _PEERS_UP_TO else alone for size in sizes}
    result = report.Report([kind.name for kind in everyone], sizes)
    for size in sizes:
        print(f"measuring {size:,} tasks ...", file=sys.stderr, flush=True)
        result.put(report.REGISTER, size, measures.register(kinds[size], size, _REPEATS[size]))
        idle, dispatch = measures.idle_and_dispatch(kinds[size], size)
        result.put(report.IDLE, size, idle)
        result.put(report.DISPATCH, size, dispatch)
        result.put(report.BYTES, size, measures.weigh(kinds[size], size))
    versions = ", ".join(f"{package} {version(package)}" for package in ("pydantic", "schedule", "apscheduler"))
    print(f"Python {platform.python_version()}, {versions}. Medians; lower is better.\n")
    print(result.table())
    if sizes[-1] > _PEERS_UP_TO:
        print("\n-: not measured, the peers would take minutes.", end=" ")
        print(f"{sizes[-1]:,} tasks are registered once, not for a median.")
    print(f"\n{result.ratios()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
