"""The README: its code blocks run, its links and names exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import est_alan_scheduler

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
EXAMPLES = [
    (code, following[1] if following[0] == "text" else "")
    for (language, code), following in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True)
    if language == "python"
]


@pytest.mark.parametrize(("code", "output"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_prints_the_text_block_below_it(code: str, output: str, tmp_path: Path) -> None:
    if "cron=" in code:
        pytest.importorskip("cronsim")
    if "sqlite:" in code:
        pytest.importorskip("sqlalchemy")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


def test_the_first_example_is_short() -> None:
    assert len(EXAMPLES[0][0].rstrip().splitlines()) <= 15


def test_shell_blocks_name_existing_extras_and_modules() -> None:
    shell = "".join(code for language, code in BLOCKS if language == "bash")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"^([\w-]+) = \[", project, re.MULTILINE)
    assert set(re.findall(r"\.\[([\w-]+)\]", shell)) <= set(extras)
    assert set(re.findall(r"pip install ([a-z-]+)$", shell, re.MULTILINE)) == {"est-alan-scheduler"}
    assert set(re.findall(r"-m (est_alan_scheduler\.\w+)", shell)) == {"est_alan_scheduler.scheduler"}


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert all((ROOT / link).is_file() for link in links)


def test_each_public_method_of_the_registry_is_described() -> None:
    public = [name for name in dir(est_alan_scheduler.TaskRegistry) if not name.startswith("_")]
    assert [name for name in public if f"{name}" not in README] == []


def test_each_field_of_a_task_is_described_in_both_languages() -> None:
    english, korean = README.split("## 한국어")
    fields = est_alan_scheduler.Task.model_fields
    assert [name for name in fields if f"`{name}`" not in english or f"`{name}`" not in korean] == []


def test_the_source_section_names_each_wing_and_only_existing_files() -> None:
    package = Path(est_alan_scheduler.__file__).parent
    section = README.partition("\n## The source\n")[2].partition("\n## ")[0]
    table = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    wings = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    wings |= {path.name for path in package.glob("*.py")}
    assert set(re.findall(r"`([^`]+)`", " ".join(table))) == wings
    paths = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", section)
    assert [path for path in paths if not any((root / path).exists() for root in (ROOT, package))] == []
