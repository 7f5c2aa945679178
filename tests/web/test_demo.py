"""The demo of the page."""

import re
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from est_alan_scheduler import start_scheduler
from est_alan_scheduler.web.demo.tasks import demo_registry, ends
from est_alan_scheduler.web.page.standing import standing
from tests.test_examples import PATIENCE, needs_sigint, started
from tests.ways import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def is_fast() -> None:
    ends.set()  # so that no work takes any time


@pytest.mark.slow
def test_its_tasks_stand_in_every_way_that_the_page_shows() -> None:
    registry = demo_registry()
    with start_scheduler(registry=registry):
        wait_until(lambda: registry["send-report"].last_success_at is not None)
        wait_until(lambda: registry["sync-stock"].retry_at is not None)
        wait_until(lambda: registry["backup-photos"].error_message is not None)
    assert len(registry) >= 12
    assert registry["clean-cache"].paused
    assert standing(registry["tax-export"], datetime.now()) == "late"
    assert registry.why_not("tax-export") == "waits for 'close-books', which is not registered"
    assert registry.why_not("sync-stock").startswith("retries (attempt 2 of 10)")
    assert registry["morning-mail"].timezone == "Asia/Seoul"
    assert all(task.name and task.description for task in registry)


@pytest.mark.slow
def test_its_chain_has_four_links_and_a_fan_out() -> None:
    inputs = {task.id: task.after or [] for task in demo_registry()}
    assert inputs["send-report"] == ["sales-report"]
    assert inputs["sales-report"] == ["sum-by-country", "sum-by-product"]
    assert inputs["sum-by-country"] == inputs["sum-by-product"] == ["clean-orders"]
    assert inputs["clean-orders"] == ["fetch-orders"]


@needs_sigint
@pytest.mark.slow
@pytest.mark.parametrize("program", [["-m", "est_alan_scheduler.web"], [ROOT / "examples" / "dashboard.py"]])
def test_it_prints_its_address_serves_the_page_and_ends_quietly_on_ctrl_c(program: list[object]) -> None:
    with started(*program, "--port", 0) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(follow_redirects=True, timeout=PATIENCE) as client:
            page = client.get(url, headers={"Accept": "text/html"})
        process.send_signal(2)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (page.status_code, "Sales report" in page.text) == (200, True)
    assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.slow
def test_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "est_alan_scheduler.web", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r".*cannot serve on 127\.0\.0\.1, port \d+: .*\n", done.stderr)
