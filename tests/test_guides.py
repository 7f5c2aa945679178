"""The guides: their code runs, prints what they show, and type-checks; they name what there is to name."""

import ast
import configparser
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import GUIDES, PATIENCE, Block, blocks_in, blocks_of, outputs_of, run_until_stopped

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


def skip_without(code: str) -> None:
    """Skip a test whose code needs a package that is not installed."""
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(code))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    needed = imported | ({"cronsim"} if "cron=" in code else set()) | ({"sqlalchemy"} if "sqlite:" in code else set())
    for name in sorted(needed):
        pytest.importorskip(name)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_each_block_prints_the_text_block_below_it(guide: Path, tmp_path: Path) -> None:
    shared = [block for block in blocks_in(guide, "python") if not block.runs_forever]
    skip_without("\n".join(block.code for block in shared))
    assert outputs_of(guide, tmp_path) == [block.output for block in shared]
