"""The plugin for pytest: the fixture `task_registry`."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLUGIN = "est_alan_scheduler.pytest_plugin"
TESTS = """
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from est_alan_scheduler import Task, TaskRegistry

registries = []
release = threading.Event()

def wait():
    release.wait(60)

@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_an_empty_registry(task_registry, number):
    assert isinstance(task_registry, TaskRegistry) and len(task_registry) == 0
    task_registry.register(Task(id="a", every={"hours": 1}, func=int))
    task_registry.tick()
    registries.append(task_registry)

def test_they_were_two():
    assert len({id(registry) for registry in registries}) == 2

def test_a_run_is_left(task_registry):
    task_registry.configure(executor=ThreadPoolExecutor(1))
    registries.append(task_registry)
    task_registry.register(Task(id="slow", every={"hours": 1}, func=wait))
    task_registry.tick()

def test_it_was_shut_down():
    release.set()
    assert registries[-1].store["slow"].error_message == "RuntimeError: interrupted by shutdown"
"""


def python(*arguments: object) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_test_gets_a_registry_that_is_shut_down_after_it(tmp_path: Path) -> None:
    path = tmp_path / "test_some.py"
    path.write_text(TESTS)
    assert "5 passed" in python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", PLUGIN, "-W", "error", path)


def test_the_start_of_pytest_imports_nothing_else_of_the_package() -> None:
    names = "sorted(name for name in sys.modules if name.partition('.')[0] in ('est_alan_scheduler', 'pydantic'))"
    assert python("-c", f"import sys, {PLUGIN}; print(*{names})").split() == ["est_alan_scheduler", PLUGIN]


def test_pytest_finds_the_plugin_where_the_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"pytest11": {"est_alan_scheduler": PLUGIN}}
