"""The CPU time of the import of this library, and of pydantic with one model of as many fields, measured in one run.

Each import is a process of its own, one after the other, many times; modules are compiled before. The least time of
each counts, because other work on the machine only adds to it. `--quick` takes seconds, for CI; without it, a ratio
above the limit is an error.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from est_alan_scheduler import Task

LIMIT = 1.3
_TYPES = ("str", "int", "float", "bool", "datetime | None", "list[str]", "dict[str, Any]", "Any", "str | None")
_COUNT = len(Task.model_fields)
_FIELDS = "\n".join(f"    field_{number}: {_TYPES[number % len(_TYPES)]} = None" for number in range(_COUNT))
_HEAD = "from datetime import datetime\nfrom typing import Any\nfrom pydantic import BaseModel"
PROGRAMS = {
    "python": "pass",
    "pydantic and a model": f"{_HEAD}\nclass Model(BaseModel):\n{_FIELDS}",
    "Task": "from est_alan_scheduler import Task",
    "registry": "from est_alan_scheduler import registry",
}


def cpu_seconds(code: str, environment: dict[str, str]) -> float:
    """Return the CPU time of a process, of user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.importing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first impression, and for CI")
    is_quick = parser.parse_args().quick
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as compiled:
        root = str(Path(__file__).parent.parent.parent)
        environment = os.environ | {"PYTHONPATH": root, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        for number in range(6 if is_quick else 31):
            for name, code in PROGRAMS.items():
                taken = cpu_seconds(code, environment)
                if number:  # the first compiles
                    times[name].append(taken)
    floor = min(times["pydantic and a model"])
    print(f"{'CPU time of an import':30}{'ms':>8}{'ratio':>8}")
    for name, measured in times.items():
        print(f"{name:30}{min(measured) * 1000:8.1f}{min(measured) / floor:8.2f}")
    ratio = min(times["registry"]) / floor
    print(f"\nregistry / pydantic and a model: {ratio:.2f}, at most {LIMIT}")
    return 0 if is_quick or ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
