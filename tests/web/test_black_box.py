"""The whole of it over HTTP: a real server, on each backend; and a page that manages the tasks of another process."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from est_alan_scheduler import TaskRegistry
from tests import jobs
from tests.backends.stores import KINDS, SHARED, Servers, Store
from tests.cluster.helpers import spawn

Served = Callable[..., httpx.Client]
ADD = {"id": "sum/1", "func": "tests.jobs:add", "args": [1, 2], "every": {"hours": 1}}


@pytest.fixture(params=("none", *KINDS))
def registry(request: Any, servers: Servers, tmp_path: Path) -> Iterator[TaskRegistry]:
    """Return a registry without a backend, and one on each kind of it."""
    store = None if request.param == "none" else servers.store(request.param, tmp_path)
    registry = TaskRegistry(backend=None if store is None else store.open())
    registry.expose(jobs.add)
    registry.expose(jobs.boom)
    yield registry
    registry.shutdown(0)
    if store is not None:
        store.close()


def test_a_task_from_its_creation_to_its_removal(registry: TaskRegistry, served: Served) -> None:
    client = served(registry)
    created = client.post("/tasks", json=ADD)
    assert (created.status_code, created.headers["location"]) == (201, "tasks/sum%2F1")
    path = "/" + created.headers["location"]
    registry.tick()
    (summary,) = client.get("/tasks").json()["items"]
    assert (summary["id"], summary["status"], summary["runs"]) == ("sum/1", "success", 1)
    task = client.get(path)
    assert (task.json()["result"], task.headers["etag"]) == (3, created.headers["etag"])  # a run is no change
    (run,) = client.get("/runs").json()["items"]
    assert (run["task_id"], run["status"], run["result"]) == ("sum/1", "success", "3")
    assert client.get(f"{path}/runs").json()["items"] == [run]
    assert client.get("/statistics").json()["successes"] == 1

    seen = {"If-Match": task.headers["etag"]}
    assert client.patch(path, json={"args": [3, 4]}).status_code == 428
    changed = client.patch(path, json={"args": [3, 4]}, headers=seen)
    assert (changed.status_code, changed.json()["definition"]["args"]) == (200, [3, 4])
    stale = client.patch(path, json={"args": [5, 6]}, headers=seen)
    assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")

    assert client.post(f"{path}/pause").json()["paused"] is True
    assert client.get(f"{path}/why").json()["why"].startswith("paused")
    assert client.get(f"{path}/upcoming").json() == []
    assert client.post(f"{path}/run").status_code == 200
    registry.tick()
    assert client.get(path).json()["result"] == 7
    assert client.post(f"{path}/resume").json()["paused"] is False

    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    gone = client.get(path)
    assert (gone.status_code, gone.json()["detail"]) == (404, "no task 'sum/1' is registered")
    assert client.get("/tasks").json() == {"items": [], "next_cursor": None}


def test_all_tasks_at_once(registry: TaskRegistry, served: Served) -> None:
    client = served(registry)
    for number in range(3):
        client.post("/tasks", json=ADD | {"id": f"sum {number}"}).raise_for_status()
    assert client.post("/pause").json() == {"paused": True}
    registry.tick()
    assert client.get("/runs").json()["items"] == []
    assert client.get("/upcoming").json() == client.get("/simulate").json()["items"] == []
    assert client.post("/resume").json() == {"paused": False}
    assert [run["task_id"] for run in client.get("/upcoming?limit=3").json()] == ["sum 0", "sum 1", "sum 2"]
    assert len(client.get("/simulate?limit=7").json()["items"]) == 7
    registry.tick()
    assert sorted(run["task_id"] for run in client.get("/runs").json()["items"]) == ["sum 0", "sum 1", "sum 2"]


def test_what_a_site_knows_beside_its_tasks(registry: TaskRegistry, served: Served) -> None:
    client = served(registry)
    registry.tick()
    assert client.get("/functions").json() == ["tests.jobs:add", "tests.jobs:boom"]
    assert len(client.get("/instances").json()) == (registry.backend is not None)
    health = {"status": "ok", "loop": None, "store": None if registry.backend is None else True}
    assert client.get("/health").json() == health
    preview = client.post("/preview", json={name: ADD[name] for name in ("func", "args", "every")})
    assert preview.status_code == 200


_WORKER = """
import json, sys, time
from est_alan_scheduler import Task, TaskRegistry, open_backend, start_scheduler
from tests import jobs

class Telling(TaskRegistry):
    def tick(self):
        began = time.time()
        super().tick()
        task = self.get("a")
        state = None if task is None else [task.runs, task.paused, task.every, task.result]
        print(json.dumps([began, state, self.is_paused]), flush=True)

registry = Telling(backend=open_backend(*sys.argv[1:]), lease=600)
registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
with start_scheduler(0.2, registry=registry):
    sys.stdin.read()
"""


class Worker:
    """A process that ticks tasks, and tells of each tick how they stand after it."""

    def __init__(self, store: Store) -> None:
        self.process: subprocess.Popen[str] = spawn(_WORKER, store.url, store.name)

    def second_tick_from_now(self) -> tuple[Any, bool]:
        """Return how the task stands after the second tick that begins from now on, and whether all are paused."""
        now, number = time.time(), 0
        assert self.process.stdout is not None
        for line in self.process.stdout:
            began, state, is_paused = json.loads(line)
            number += began > now
            if number == 2:
                return state, is_paused
        assert self.process.stderr is not None
        raise AssertionError(self.process.stderr.read())

    def end(self) -> None:
        self.process.communicate(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("store", SHARED, indirect=True)
def test_a_worker_obeys_the_page_of_another_process_within_two_ticks(store: Store, served: Served) -> None:
    observer = TaskRegistry(backend=store.open(), observe=True)
    client, worker = served(observer), Worker(store)
    hours = {"hours": 1}
    try:
        assert worker.second_tick_from_now() == ([1, False, hours, 3], False)
        (summary,) = client.get("/tasks").json()["items"]
        assert (summary["id"], summary["status"], summary["runs"], summary["runs_here"]) == ("a", "success", 1, False)
        assert client.post("/tasks/a/pause").status_code == 200
        assert worker.second_tick_from_now() == ([1, True, hours, 3], False)
        changed = client.patch("/tasks/a", json={"args": [5, 5], "every": {"hours": 2}}, headers={"If-Match": "*"})
        assert changed.status_code == 200
        hours = {"hours": 2}
        assert worker.second_tick_from_now() == ([1, True, hours, 3], False)
        assert client.post("/tasks/a/run").status_code == 200
        assert worker.second_tick_from_now() == ([2, True, hours, 10], False)
        assert client.get("/tasks/a").json()["result"] == 10
        assert [run["result"] for run in client.get("/tasks/a/runs").json()["items"]] == ["10", "3"]
        assert client.post("/pause").json() == {"paused": True}
        assert worker.second_tick_from_now() == ([2, True, hours, 10], True)
        assert client.post("/resume").json() == {"paused": False}
        assert client.post("/tasks/a/resume").status_code == 200
        assert worker.second_tick_from_now() == ([2, False, hours, 10], False)
        assert len(client.get("/instances").json()) == 1
        assert client.get("/health").json() == {"status": "ok", "loop": None, "store": True}
        assert client.delete("/tasks/a", headers={"If-Match": "*"}).status_code == 204
        assert worker.second_tick_from_now() == (None, False)
    finally:
        worker.end()
        observer.shutdown(0)
