"""A registry with a backend in several processes, in a forked one, and across a restart of the server."""

import os
from pathlib import Path

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus
from tests import jobs
from tests.backends.stores import SHARED, Servers, Store
from tests.cluster.helpers import adder, spawn
from tests.ways import wait_until

_WORKER = """
import sys, time
from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import open_backend
from tests import jobs
url, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
backend = open_backend(url, name)
registry = TaskRegistry(backend=backend, lease=30)
for number in range(10):
    registry.register(Task(id=str(number), every={"milliseconds": 200}, func=jobs.add, args=(1, 2)))
print("ready", flush=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    registry.tick()
    time.sleep(0.01)
registry.shutdown()
backend.close()
"""

_VICTIM = """
import sys, time
from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import open_backend
from tests import jobs
registry = TaskRegistry(backend=open_backend(sys.argv[1], sys.argv[2]), lease=0.5)
registry.register(Task(id="a", every={"hours": 1}, func=jobs.hold, args=(sys.argv[3],), retry=1))
registry.tick()
"""


@pytest.mark.slow
@pytest.mark.parametrize("store", SHARED, indirect=True)
class TestProcesses:
    def test_two_processes_share_the_slots(self, store: Store) -> None:
        workers = [spawn(_WORKER, store.url, store.name, 2) for _ in range(2)]
        answers = [worker.communicate(timeout=60) for worker in workers]
        assert answers == [("ready\n", "")] * 2
        slots: dict[tuple[str, int], int] = {}
        owners = set()
        for run in store.open().history(limit=10_000):
            assert (run.status, run.late) == (TaskStatus.SUCCESS, False)
            slot = (run.task_id, run.slot or 0)
            slots[slot] = slots.get(slot, 0) + 1
            owners.add(run.owner)
        assert (set(slots.values()), len(owners)) == ({1}, 2)

    def test_the_run_of_a_killed_process_is_recorded_as_failed_and_retried(self, store: Store, tmp_path: Path) -> None:
        victim = spawn(_VICTIM, store.url, store.name, tmp_path)
        wait_until(lambda: jobs.count(str(tmp_path), "started") == 1)
        registry = TaskRegistry(backend=store.open(), lease=0.5)
        task = registry.register(
            Task(id="a", every={"hours": 1}, func=jobs.hold, args=(str(tmp_path),), retry=Retry(max_retries=1, delay=0))
        )
        registry.tick()
        assert task.status is TaskStatus.RUNNING
        victim.kill()
        victim.communicate(timeout=60)
        jobs.release_unstarted(str(tmp_path))

        def is_done() -> bool:
            registry.tick()
            return task.status is TaskStatus.SUCCESS

        wait_until(is_done)
        first, second = registry.history("a")
        assert (first["status"], first["error"].partition(":")[0], second["attempt"]) == ("failed", "lease expired", 2)
        registry.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_registry_survives_a_restart_of_its_server(kind: str, servers: Servers, tmp_path: Path) -> None:
    store = servers.store(kind, tmp_path)
    registry = TaskRegistry(backend=store.open(), lease=5)
    task = registry.register(adder(every={"milliseconds": 50}))

    def runs_on() -> bool:
        registry.tick()
        return len(task.history) > before

    before = 0
    wait_until(runs_on)

    def meanwhile() -> None:
        registry.tick()
        registry.tick()

    servers.get(kind).restart(meanwhile)
    before = len(task.history)
    wait_until(runs_on)
    registry.shutdown()
    assert {run.status for run in store.open().history("a")} == {TaskStatus.SUCCESS}
    store.close()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking with threads: that is the point
def test_a_forked_child_is_an_instance_of_its_own(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("sqlite", tmp_path)
    registry = TaskRegistry(backend=store.open(), lease=60)
    registry.register(adder(every={"milliseconds": 1}))
    registry.tick()
    child = os.fork()
    if not child:
        code = 1
        try:
            before = registry.history("a")[-1]
            registry.tick()
            after = registry.history("a")[-1]
            code = 0 if after["owner"] != before["owner"] and registry.shutdown() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    registry.tick()
    registry.shutdown()
    store.close()
