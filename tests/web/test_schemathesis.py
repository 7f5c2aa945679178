"""The running application against its own description: Schemathesis looks for a request that one of them gets wrong."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from est_alan_scheduler import MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.web.api.routes import ENDPOINTS
from tests import jobs
from tests.web.clients import MANAGE

EXAMPLES = 20
"""Requests for each operation, beside those at the limits of its schema."""
NO_END = "/events"
"""The path of a stream, which never ends."""


def config() -> str:
    """Return the configuration: which checks do not hold where.

    A schema cannot tell that a cursor comes from a page before, that a time ends after it begins, or which definitions
    a registry takes. What fits it there may be refused all the same.
    """
    inexact = [
        endpoint for endpoint in ENDPOINTS if endpoint.body is not None or "cursor" in endpoint.query.model_fields
    ] + [endpoint for endpoint in ENDPOINTS if endpoint.path == "/simulate"]
    # 428 is what RFC 6585 has for a missing If-Match, and 412 what RFC 9110 has for one that is not current.
    general = """
[checks]
missing_required_header.expected-statuses = [400, 401, 403, 415, 422, 428]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412]
"""
    return general + "".join(
        f'[[operations]]\ninclude-name = "{endpoint.method} {endpoint.path}"\n'
        "checks.positive_data_acceptance.enabled = false\n"
        for endpoint in inexact
    )


@pytest.mark.slow
@pytest.mark.parametrize("is_observer", [False, True])
def test_no_request_shows_a_difference_from_the_description(
    is_observer: bool, served: Callable[..., httpx.Client], tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis")
    backend = MemoryBackend() if is_observer else None
    registry = TaskRegistry(backend=backend)
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.register(Task(id="b/c ü", at="12:00", timezone="Asia/Seoul", func=jobs.boom))
    registry.tick()
    site = TaskRegistry(backend=backend, observe=True) if is_observer else registry
    url = str(served(site).base_url).rstrip("/")
    (tmp_path / "schemathesis.toml").write_text(config())
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"]
    command += [f"{url}/openapi.json", "--url", url, "--exclude-path", NO_END]
    command += ["--header", f"Authorization: Bearer {MANAGE}"]
    command += ["--max-examples", str(EXAMPLES), "--generation-deterministic", "--continue-on-failure"]
    command += ["--warnings", "off", "--no-color", "--request-timeout", "20"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    registry.shutdown(0)
    assert f"{len(ENDPOINTS) - 2} selected" in done.stdout  # without the stream, and the description that it has read
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
