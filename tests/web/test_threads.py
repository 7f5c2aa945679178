"""In which threads a site asks the store: never in that of the event loop, which would hold up all other requests."""

import threading
from typing import Any

import pytest

from est_alan_scheduler import MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.web import feed
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.routes import ENDPOINTS
from tests import jobs
from tests.cluster.helpers import OPERATIONS
from tests.ways import wait_until
from tests.web.client import Client

BODIES: dict[str, dict[str, Any]] = {
    "/tasks": {"id": "new", "func": "tests.jobs:add", "args": [1, 2], "manual": True},
    "/tasks/{id}": {"args": [3, 4]},
    "/tasks/{id}/run": {},
    "/preview": {"id": "a", "func": "tests.jobs:add", "args": [1, 2], "every": {"hours": 1}},
}
SILENT = {"/statistics", "/functions", "/openapi.json"}
"""The endpoints that ask nothing of the store before they answer."""


class Noting(MemoryBackend):
    """A backend that notes in which threads it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS:
            self.threads.add(threading.get_ident())
        return super().__getattribute__(name)


@pytest.mark.parametrize("is_observer", [False, True])
@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.path != "/events"], ids=lambda one: f"{one.method} {one.path}"
)
def test_an_endpoint_asks_the_store_in_another_thread(endpoint: Endpoint, is_observer: bool) -> None:
    backend = Noting()
    registry = TaskRegistry(backend=backend, lease=600)
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.tick()
    site = TaskRegistry(backend=backend, observe=True) if is_observer else registry
    site.expose(jobs.add)
    client = Client(site)
    backend.threads.clear()
    path = endpoint.path.replace("{id}", "a")
    response = client.request(
        endpoint.method, path, json=BODIES[endpoint.path] if endpoint.body else None, headers={"If-Match": "*"}
    )
    asked = set(backend.threads)
    registry.shutdown(0)
    assert response.status_code == endpoint.status, response.text
    assert threading.get_ident() not in asked
    assert asked or endpoint.path in SILENT


def test_a_stream_of_events_asks_the_store_in_a_thread_of_its_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_PERIOD", 0.01)
    monkeypatch.setattr(feed, "_LINGER", 0.0)
    backend = Noting()
    registry = TaskRegistry(backend=backend, observe=True)
    backend.threads.clear()
    found = feed.Feed(registry)
    listener = found.join(lambda: None, None)
    thread = found._thread
    assert listener is not None
    assert thread is not None
    wait_until(lambda: bool(backend.threads))
    assert backend.threads == {thread.ident}
    found.leave(listener)
    wait_until(lambda: found._thread is None)
