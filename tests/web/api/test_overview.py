"""The endpoints about the registry as a whole."""

import types

import pytest

from est_alan_scheduler import Health, MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.web import Role
from tests import jobs
from tests.web.client import Client


def test_statistics_count_all_runs_or_those_of_a_task() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="good", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.register(Task(id="bad", every={"hours": 1}, func=jobs.boom))
    registry.tick()
    client = Client(registry)
    found = client.get("/statistics")
    assert (found["runs"], found["successes"], found["failures"]) == (2, 1, 1)
    assert found["lateness"] == {"count": 0, "mean": None, "max": None}
    found = client.get("/statistics", task="bad")
    assert (found["runs"], found["successes"], found["failures"]) == (1, 0, 1)
    assert client.refused("/statistics", task="god")[0] == 404


def test_functions_are_those_that_run_here() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="bad", every={"hours": 1}, func=jobs.boom))
    registry.expose(print, "say")
    assert Client(registry).get("/functions") == ["say", "tests.jobs:boom"]


def test_all_tasks_can_be_paused_and_resumed() -> None:
    registry = TaskRegistry()
    client = Client(registry)
    assert client.get("/pause") == {"paused": False}
    assert client.request("POST", "/pause").json() == {"paused": True}
    assert registry.is_paused
    assert client.get("/pause") == {"paused": True}
    assert client.request("POST", "/resume").json() == {"paused": False}
    assert not registry.is_paused


def test_who_may_only_read_pauses_nothing() -> None:
    registry = TaskRegistry()
    assert Client(registry, Role.READ).request("POST", "/pause").status_code == 403
    assert Client(registry, read_only=True).request("POST", "/pause").status_code == 403
    assert not registry.is_paused


def test_instances_are_those_whose_lease_is_alive() -> None:
    registry = TaskRegistry(backend=MemoryBackend())
    client = Client(registry)
    assert client.get("/instances") == []
    registry.tick()
    (found,) = client.get("/instances")
    assert found.keys() == {"owner", "since", "lease_until"}
    assert found["owner"] == registry.instances()[0].owner
    registry.shutdown()


@pytest.mark.parametrize(
    ("health", "status", "said"),
    [
        (Health(None, None), 200, {"status": "ok", "loop": None, "store": None}),
        (Health(True, True), 200, {"status": "ok", "loop": True, "store": True}),
        (Health(False, True), 503, {"status": "failing", "loop": False, "store": True}),
        (Health(None, False), 503, {"status": "failing", "loop": None, "store": False}),
    ],
)
def test_health_is_told_to_everyone(
    health: Health, status: int, said: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = TaskRegistry()
    monkeypatch.setattr(registry, "health", lambda: health)
    response = Client(registry, role=None).request("GET", "/health")
    assert (response.status_code, response.json()) == (status, said)
    assert response.headers["content-type"] == "application/json"


def test_functions_of_the_program_itself_are_known_without_a_backend() -> None:
    registry, own = TaskRegistry(), types.FunctionType((lambda: 1).__code__, {})
    own.__module__, own.__qualname__ = "__main__", "own"
    registry.register(Task(id="a", every={"hours": 1}, func=own))
    registry.register(Task(id="b", every={"hours": 1}, func=lambda: 2))
    client = Client(registry)
    assert client.get("/functions") == ["__main__:own"]
    made = client.request("POST", "/tasks", json={"id": "c", "every": {"hours": 2}, "func": "__main__:own"})
    assert (made.status_code, registry["c"].func) == (201, own)
