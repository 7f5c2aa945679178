"""A run of chaos on a backend, and the answer of the checker. Exit status 1 if a law was broken."""

import argparse
import random
import sys
import time
from pathlib import Path

from tests.chaos.breaks import BREAKS
from tests.chaos.checker import check
from tests.chaos.harness import BACKENDS, Settings, run
from tests.chaos.summary import summary


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, required=True)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the nemesis acts")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="of its acts, by default a random one"
    )
    parser.add_argument("--workers", type=int, help="how many processes, by default 3 to 8")
    parser.add_argument("--break", dest="broken", choices=BREAKS, help="break the backend, to see the checker notice")
    parser.add_argument("--keep", type=Path, help="a new directory for the journal, the history and the log of the run")
    asked = parser.parse_args()
    print(f"{asked.backend}, {asked.minutes:g} minutes, seed {asked.seed}", flush=True)
    began = time.monotonic()
    settings = Settings(
        asked.backend, asked.minutes * 60, asked.seed, workers=asked.workers, broken=asked.broken, keep=asked.keep
    )  # fmt: skip

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    try:
        facts = run(settings, say=say)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    violations = check(facts)
    print(summary(facts, violations))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
