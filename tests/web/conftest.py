"""Fixtures of the tests of the web: real servers, and an end of what tests leave open."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import serve
from tests.web.clients import MANAGE, TOKEN, bearer


@pytest.fixture
def served() -> Iterator[Callable[..., httpx.Client]]:
    """Serve registries by uvicorn, each on a port of its own; return a client of the API."""
    with ExitStack() as stack:

        def start(registry: TaskRegistry, secret: str = MANAGE, **options: Any) -> httpx.Client:
            server = stack.enter_context(serve(registry, port=0, auth=TOKEN, blocking=False, **options))
            client = httpx.Client(base_url=server.url + "api", headers=bearer(secret), timeout=20)
            return stack.enter_context(client)

        yield start


@pytest.fixture(autouse=True)
def _end_registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Shut down registries with a backend: a store that is dropped with open connections warns, in some later test."""
    made: weakref.WeakSet[TaskRegistry] = weakref.WeakSet()
    init = TaskRegistry.__init__

    def note(registry: TaskRegistry, *arguments: Any, **options: Any) -> None:
        init(registry, *arguments, **options)
        made.add(registry)

    monkeypatch.setattr(TaskRegistry, "__init__", note)
    yield
    for registry in list(made):
        if registry.backend is not None:
            registry.shutdown(0)
