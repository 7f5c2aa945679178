"""The import of the package: it loads what every program uses, and no more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOOR = "import pydantic; pydantic.create_model('Model', field=(int, 0))"
IMPORT = "from est_alan_scheduler import Task, TaskRegistry, registry, start_scheduler"
RUN = f"""{IMPORT}
task = registry.register(Task(id="a", every={{"seconds": 1}}, func=int))
other = registry.register(Task(id="b", at="00:00", func=int, depends_on=["a"]))
registry.tick()
assert task.status == "success"
"""
LATE = [
    "asyncio",
    "concurrent.futures",
    "cronsim",
    "difflib",
    "html",
    "json",
    "multiprocessing",
    "pickle",
    "redis",
    "signal",
    "sqlalchemy",
    "ssl",
    "subprocess",
    "est_alan_scheduler._support.tables",
    "est_alan_scheduler.backends",
    "est_alan_scheduler.calendar.cron_expression",
    "est_alan_scheduler.calendar.dates",
    "est_alan_scheduler.calendar.zone_names",
    "est_alan_scheduler.cluster.session",
    "est_alan_scheduler.control.table",
    "est_alan_scheduler.executors.event_loop",
    "est_alan_scheduler.executors.pool",
    "est_alan_scheduler.fields.hints",
    "est_alan_scheduler.loops.asyncio",
    "est_alan_scheduler.loops.simulation",
    "est_alan_scheduler.runs.statistics",
    "est_alan_scheduler.schedules.describe",
    "est_alan_scheduler.schedules.upcoming",
    "est_alan_scheduler.testing",
]


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded."""
    output = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ).stdout
    return set(output.split())


@pytest.fixture(scope="module")
def floor() -> set[str]:
    """Return the modules that cost nothing: pydantic loads them anyway."""
    return modules_after(FLOOR)


@pytest.mark.pydantic
@pytest.mark.parametrize("code", [IMPORT, RUN], ids=["import", "run"])
def test_what_few_programs_use_is_not_loaded(code: str, floor: set[str]) -> None:
    assert (modules_after(code) - floor).intersection(LATE) == set()


def test_each_of_these_modules_exists() -> None:
    names = [name for name in LATE if name.startswith("est_alan_scheduler")]
    assert {*names} <= modules_after(f"import {', '.join(names)}")


def test_every_public_name_is_found_in_its_module() -> None:
    code = "import est_alan_scheduler as package; print(*(getattr(package, name) is None for name in package.__all__))"
    assert "True" not in modules_after(code)
