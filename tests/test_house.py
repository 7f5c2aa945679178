"""The house: which wing may import which, and that imports never form a cycle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import est_alan_scheduler

ROOT = Path(est_alan_scheduler.__file__).parent
WINGS = (
    "_support",
    "calendar",
    "executors",
    "fields",
    "events",
    "task",
    "schedules",
    "backends",
    "planning",
    "runs",
    "cluster",
    "control",
    "task_registry",
    "loops",
    "metrics",
    "notifications",
    "web",
    "scheduler",
    "cli",
    "testing",
    "pytest_plugin",
    "demo",
    "__init__",
)
"""From the ground up: a wing imports those that stand before it."""

EXCEPTIONS = {("scheduler", "demo")}
"""`python -m est_alan_scheduler.scheduler` runs the demo."""

MODULES = {path.relative_to(ROOT).with_suffix("").parts: path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the modules of the package that a file imports anywhere, those for type checkers included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, *parts = name.split(".")
            if package == ROOT.name:
                yield _module(tuple(parts))


def _module(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the module of a dotted name, which may name an attribute of the module."""
    for length in range(len(parts), -1, -1):
        for found in (parts[:length], (*parts[:length], "__init__")):
            if found in MODULES:
                return found
    raise AssertionError(parts)


GRAPH = {module: {found for found in imports_of(path) if found != module} for module, path in MODULES.items()}


def test_the_import_graph_contains_imports_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "import est_alan_scheduler.task\n"
        "from est_alan_scheduler.runs import run\n"
        "if TYPE_CHECKING:\n    from est_alan_scheduler.backends import Backend\n"
        "def late():\n    from est_alan_scheduler.planning.agenda import Agenda\n"
    )
    assert set(imports_of(path)) == {("task",), ("runs", "run"), ("backends", "__init__"), ("planning", "agenda")}


@pytest.mark.parametrize("module", GRAPH, ids=".".join)
def test_a_module_imports_only_its_own_wing_and_those_before_it(module: tuple[str, ...]) -> None:
    place = WINGS.index(module[0])
    later = [
        ".".join(found)
        for found in GRAPH[module]
        if WINGS.index(found[0]) > place and (module[0], found[0]) not in EXCEPTIONS
    ]
    assert later == []


def test_imports_form_no_cycle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(".".join(module) for module in error.args[1]))


def test_every_wing_has_at_most_twelve_files_and_a_line_that_says_what_lives_there() -> None:
    for directory in {path.parent for path in MODULES.values()} - {ROOT}:
        files = [path for path in directory.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= 12, directory
        assert ast.get_docstring(ast.parse((directory / "__init__.py").read_text())), directory


def test_no_file_has_more_than_four_hundred_lines() -> None:
    lines = {".".join(module): path.read_text().count("\n") for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > 400} == {}
