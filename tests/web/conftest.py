"""Fixtures of the tests of the web: real servers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import Role, serve
from tests.web.client import TOKEN, bearer


@pytest.fixture
def served() -> Iterator[Callable[..., httpx.Client]]:
    """Serve registries by uvicorn, each on a port of its own; return a client of the API."""
    with ExitStack() as stack:

        def start(registry: TaskRegistry, role: Role | None = Role.MANAGE, **options: Any) -> httpx.Client:
            server = stack.enter_context(serve(registry, port=0, auth=TOKEN, blocking=False, **options))
            client = httpx.Client(base_url=server.url + "api", headers=bearer(role), timeout=20)
            return stack.enter_context(client)

        yield start
