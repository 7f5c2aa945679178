"""The package as a whole: its names, its version, its licence."""

import builtins
import pydoc
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

import est_alan_scheduler
from est_alan_scheduler import BackendUnavailableError, SchedulerError

ROOT = Path(__file__).parent.parent
PUBLIC = est_alan_scheduler.__all__


def test_every_public_name_exists_and_is_listed_once_in_order() -> None:
    assert [name for name in PUBLIC if not hasattr(est_alan_scheduler, name)] == []
    assert sorted(set(PUBLIC)) == PUBLIC


def test_dir_shows_every_public_name_also_before_it_is_first_used() -> None:
    code = "import est_alan_scheduler as package; print({*package.__all__, '__version__'} - {*dir(package)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_dir_shows_no_other_names() -> None:
    names = [name for name in dir(est_alan_scheduler) if not (name.startswith("__") and name.endswith("__"))]
    assert names == PUBLIC


def test_help_shows_every_public_name() -> None:
    text = pydoc.render_doc(est_alan_scheduler, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    assert [name for name in PUBLIC if not re.search(rf"\b{name}\b", text)] == []


def test_the_version_is_that_of_the_package_and_of_its_metadata() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", est_alan_scheduler.__version__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "est_alan_scheduler/__init__.py"


def test_the_licence_text_comes_with_the_package() -> None:
    text = files("est_alan_scheduler").joinpath("LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")


@pytest.mark.parametrize("name", [name for name in PUBLIC if name.endswith("Error") and name != "SchedulerError"])
def test_every_error_is_a_scheduler_error_beside_its_builtin(name: str) -> None:
    bases = getattr(est_alan_scheduler, name).__mro__
    ours = bases.index(SchedulerError)
    assert any(hasattr(builtins, base.__name__) for base in bases[ours + 1 : -3]), bases


def test_an_unreachable_store_raises_the_error_that_is_exported() -> None:
    assert issubclass(BackendUnavailableError, ConnectionError)
    assert est_alan_scheduler.open_backend is est_alan_scheduler.backends.open_backend
