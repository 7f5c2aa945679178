"""The guide to the API: its table of routes is whole, and its commands get what it shows."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from est_alan_scheduler.web.api.routes import ENDPOINTS
from tests.documents import GUIDES, blocks_in, started_program

GUIDE = next(path for path in GUIDES if path.stem == "web")


def test_the_guide_to_the_api_lists_each_endpoint_with_its_role() -> None:
    listed = re.findall(r"^\| `([A-Z]+ /\S+)` \| (\w+) \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    rows = [(f"{one.method} {one.path}", "all" if one.role is None else one.role.name.lower()) for one in ENDPOINTS]
    assert sorted(listed) == sorted(rows)
    assert len(listed) == len({route for route, _ in listed})


@pytest.mark.slow
def test_the_commands_of_curl_get_what_is_shown_from_the_program_above_them(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (program,) = [block for block in blocks_in(GUIDE, "python") if block.runs_forever]
    commands = next(block for block in blocks_in(GUIDE, "bash") if block.code.startswith("curl"))
    with started_program(program, tmp_path) as first_line:
        address = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", first_line)
        assert address is not None, first_line
        shell = commands.code.replace(":8765/", f":{address[1]}/").replace("\n", "; echo\n")
        done = subprocess.run(
            ["bash", "-e"],
            input=shell,
            env=os.environ | {"TOKEN": address[2]},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout == commands.output
