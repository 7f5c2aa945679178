"""The README: a landing page whose first program keeps running, whose commands work, and whose links exist."""

import re
from pathlib import Path

import pytest

import est_alan_scheduler
from tests.documents import README, ROOT, blocks_in, outputs_of, run_until_stopped, without_packages

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

TEXT = README.read_text(encoding="utf-8")
ENGLISH, KOREAN = TEXT.split("## 한국어")
FIRST = blocks_in(README, "python")[0]


def test_it_is_a_landing_page() -> None:
    assert len(TEXT.splitlines()) <= 350


def test_the_first_example_is_short_and_the_first_python_there_is() -> None:
    assert len(FIRST.code.rstrip().splitlines()) <= 15
    assert TEXT.index("pip install .") < TEXT.index(FIRST.code)


@pytest.mark.slow
def test_the_first_example_runs_until_ctrl_c_and_prints_what_is_shown(tmp_path: Path) -> None:
    output, errors, exit_code = run_until_stopped(FIRST, tmp_path)
    assert output == FIRST.output
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert exit_code != 0


def test_each_other_example_prints_the_text_block_below_it(tmp_path: Path) -> None:
    shared = [block for block in blocks_in(README, "python") if not block.runs_forever]
    assert FIRST not in shared
    assert without_packages(shared) == []
    assert outputs_of(README, tmp_path) == [block.output for block in shared]


@pytest.mark.parametrize(("word", "command"), [("Quick start", ".scheduler"), ("tests", "-m pytest")])
def test_the_first_heading_of_its_kind_has_the_command(word: str, command: str) -> None:
    heading = re.search(rf"^#+ .*{word}.*$", TEXT, re.MULTILINE | re.IGNORECASE)
    assert heading is not None
    section = re.split(r"^#+ ", TEXT[heading.end() :], flags=re.MULTILINE)[0]
    commands = re.findall(r"^```bash\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert command in commands[0]


def test_each_guide_is_linked() -> None:
    guides = {path.relative_to(ROOT).as_posix() for path in (ROOT / "examples" / "guides").glob("*.md")}
    assert guides <= set(re.findall(r"\]\(([^)#]+)", ENGLISH))


def test_each_field_of_a_task_is_described_in_korean() -> None:
    assert [name for name in est_alan_scheduler.Task.model_fields if f"`{name}`" not in KOREAN] == []
