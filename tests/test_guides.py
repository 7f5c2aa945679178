"""The guides and the README: their code runs and prints what they show, and they name all that there is to name."""

import ast
import configparser
import json
import re
import subprocess
import unicodedata
from pathlib import Path

import pytest

import est_alan_scheduler
from est_alan_scheduler import EVENTS, Event, Retry, Statistics, Task, TaskRegistry
from est_alan_scheduler.control.defaults import ALLOWED
from tests.documents import (
    DOCUMENTS,
    GUIDES,
    README,
    ROOT,
    RUNNABLE,
    Block,
    blocks_in,
    blocks_of,
    outputs_of,
    run_until_stopped,
    without_packages,
    write_scripts,
)

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

GUIDE = {path.stem: path.read_text(encoding="utf-8") for path in GUIDES}
REFERENCE = GUIDE["reference"]
PROGRAMS = [block for guide in RUNNABLE for block in blocks_in(guide, "python") if block.runs_forever]
PARSED = {"python", "text", "bash", "ini", "nginx", "dockerfile"}
"""The languages of blocks, each of which a test here checks."""

by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)


def skip_without_packages(blocks: list[Block]) -> None:
    if missing := without_packages(blocks):
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.mark.parametrize("guide", RUNNABLE, ids=lambda path: path.stem)
def test_each_block_prints_the_text_block_below_it(guide: Path, tmp_path: Path) -> None:
    shared = [block for block in blocks_in(guide, "python") if not block.runs_forever]
    skip_without_packages(shared)
    assert outputs_of(guide, tmp_path) == [block.output for block in shared]


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: f"line {block.line}")
def test_a_program_of_a_guide_runs_until_it_is_told_to_stop(block: Block, tmp_path: Path) -> None:
    skip_without_packages([block])
    output, errors, exit_code = run_until_stopped(block, tmp_path)
    assert (output, exit_code) == (block.output, 0)
    assert "Traceback" not in errors


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_has_code_and_can_be_read_at_one_go(guide: Path) -> None:
    assert 100 <= len(GUIDE[guide.stem].splitlines()) <= 250
    assert blocks_in(guide, "python")


@by_name
def test_lines_of_code_fit_a_page(document: Path) -> None:
    long = [line for block in blocks_of(document) for line in block.code.splitlines() if len(line) > 120]
    assert long == []


@by_name
def test_there_is_a_check_for_each_language_and_no_block_is_empty(document: Path) -> None:
    assert {block.language for block in blocks_of(document)} <= PARSED
    assert all(block.code.strip() for block in blocks_of(document))


@by_name
def test_shell_blocks_are_valid_and_name_existing_extras_modules_and_files(document: Path) -> None:
    shell = "".join(block.code for block in blocks_in(document, "bash"))
    subprocess.run(["bash", "-n"], input=shell, text=True, check=True)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"^([\w-]+) = \[", project, re.MULTILINE)
    assert set(re.findall(r"(?:\.|est-alan-scheduler)\[([\w-]+)\]", shell)) <= set(extras)
    assert set(re.findall(r"pip install ([a-z.-]+)$", shell, re.MULTILINE)) <= {"."}
    assert set(re.findall(r"-m (est_alan_scheduler[.\w]*)", shell)) <= {
        "est_alan_scheduler.scheduler",
        "est_alan_scheduler.web",
    }
    assert all((ROOT / path).exists() for path in re.findall(r"\b(?:tests|examples)/[\w./]+", shell))


def test_the_unit_of_systemd_gives_the_worker_time_to_stop() -> None:
    (unit,) = blocks_in(GUIDES[0].with_name("deployment.md"), "ini")
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser documents it
    parser.read_string(unit.code)
    assert parser.sections() == ["Unit", "Service", "Install"]
    stop = re.search(r"scheduler\.stop\(timeout=(\d+)\)", GUIDE["deployment"])
    assert stop is not None
    assert int(parser["Service"]["TimeoutStopSec"]) > int(stop[1])


def test_the_dockerfile_has_known_instructions_and_starts_the_program_without_a_shell() -> None:
    (file,) = blocks_in(GUIDES[0].with_name("deployment.md"), "dockerfile")
    instructions = [line.split(maxsplit=1) for line in file.code.splitlines()]
    known = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "HEALTHCHECK", "CMD"}
    assert {name for name, _ in instructions} <= known
    name, command = instructions[-1]
    assert (name, json.loads(command)) == ("CMD", ["python", "worker.py"])


@by_name
def test_linked_files_and_headings_exist(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.is_file(), target
        if anchor:
            assert anchor in _anchors(file), target


def _anchors(document: Path) -> set[str]:
    """Return the anchors of headings, made as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {
        "".join(
            "-" if char == " " else char
            for char in heading.lower()
            if char in " -_" or unicodedata.category(char)[0] in "LN"
        )
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


def test_the_reference_describes_each_field_of_a_task() -> None:
    assert [name for name in Task.model_fields if f"`{name}`" not in REFERENCE] == []


def test_the_reference_describes_each_public_method_of_a_registry() -> None:
    section = REFERENCE.partition("\n## `TaskRegistry`\n")[2].partition("\n## ")[0]
    public = [name for name in dir(TaskRegistry) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"`(@registry\.)?{name}\b", section)] == []


def test_the_reference_describes_each_event_and_its_fields() -> None:
    section = REFERENCE.partition("\n## Events\n")[2].partition("\n## ")[0]
    names = [*EVENTS, *Event.__dataclass_fields__]
    assert [name for name in names if f"`{name}`" not in section] == []


def test_the_reference_names_the_fields_of_which_a_registry_may_have_a_default() -> None:
    section = REFERENCE.partition("\n## Defaults of a registry\n")[2].partition("\n## ")[0]
    listed = section.partition("Possible are: ")[2].partition(".")[0]
    assert re.findall(r"`(\w+)`", listed) == list(ALLOWED)


def test_the_reference_names_all_that_the_root_exports() -> None:
    assert [name for name in est_alan_scheduler.__all__ if not re.search(rf"`{name}\b", REFERENCE)] == []


def test_the_guide_to_failures_describes_each_option_of_retries_and_each_count() -> None:
    names = [*Retry.model_fields, *Statistics.__dataclass_fields__]
    assert [name for name in names if f"`{name}`" not in GUIDE["failures-and-retries"]] == []


def test_the_guide_to_the_source_names_each_wing_and_only_existing_files() -> None:
    package = Path(est_alan_scheduler.__file__).parent
    guide = GUIDE["how-it-is-built"]
    table = re.findall(r"^\| (`[^|]*`) \|", guide.partition("\n## The wings\n")[2].partition("\n## ")[0], re.MULTILINE)
    wings = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    wings |= {path.name for path in package.glob("*.py")}
    assert set(re.findall(r"`([^`]+)`", " ".join(table))) == wings
    paths = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", guide)
    assert [path for path in paths if not any((root / path).exists() for root in (ROOT, package))] == []


def test_the_programs_of_the_documents_are_valid_files_that_keep_the_numbers_of_lines(tmp_path: Path) -> None:
    written = write_scripts(tmp_path)
    assert len(written) >= len(DOCUMENTS)
    for path in written:
        ast.parse(path.read_text(encoding="utf-8"))
    first = blocks_in(README, "python")[0]
    lines = [path.read_text(encoding="utf-8").splitlines() for path in written if path.name.startswith("readme_")]
    assert first.code.splitlines()[0] in [of_file[first.line] for of_file in lines]


def test_the_configuration_of_nginx_passes_on_what_the_api_asks_for() -> None:
    guide = next(path for path in GUIDES if path.stem == "web-access")
    (block,) = blocks_in(guide, "nginx")
    lines = [line.strip() for line in block.code.splitlines()]
    assert all(line.endswith(("{", "}", ";")) for line in lines)
    assert block.code.count("{") == block.code.count("}") == 2
    names = re.findall(r"proxy_set_header (\S+) (\S+);", block.code)
    assert names == [("Host", "$host"), ("X-Forwarded-Proto", "$scheme")]
