"""Management of two instances on one store by many threads: nothing is lost, doubled or stuck."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from est_alan_scheduler import Task, TaskRegistry, UnknownTaskError, start_scheduler
from tests import jobs
from tests.backends.stores import Store

IDS = [f"t{number}" for number in range(20)]


def every(task_id: str) -> Task:
    return Task(id=task_id, every={"milliseconds": 100}, func=jobs.add, args=(1, 2))


def manage(registries: list[TaskRegistry], seed: int, until: float) -> None:
    chance = random.Random(seed)
    while time.monotonic() < until:
        registry, task_id = chance.choice(registries), chance.choice(IDS)
        verb = chance.choice(("update", "pause", "resume", "run_now", "replace", "pause_all", "resume_all"))
        try:
            if verb == "replace":
                registry.remove(task_id)
                registry.register(every(task_id))
            elif verb == "update":
                registry.update(task_id, args=(1, chance.randrange(100)))
            else:
                getattr(registry, verb)(*([] if verb.endswith("_all") else [task_id]))
        except UnknownTaskError:
            pass  # another thread is replacing it
        time.sleep(0.005)


@pytest.mark.slow
def test_many_threads_manage_two_instances(store: Store) -> None:
    registries = [TaskRegistry(executor=lambda: ThreadPoolExecutor(8), backend=store.open()) for _ in range(2)]
    first, second = registries
    for task_id in IDS:
        first.register(every(task_id))
    second.expose(jobs.add)
    with ExitStack() as stack:
        for registry in registries:
            stack.callback(registry.shutdown, 10)
            stack.enter_context(start_scheduler(0.02, registry=registry))
        until = time.monotonic() + 3
        with ThreadPoolExecutor(6) as managers:
            for done in [managers.submit(manage, registries, seed, until) for seed in range(6)]:
                done.result()
        first.resume_all()
        for task_id in IDS:
            first.resume(task_id)
        _wait_for_a_run_of_each(first)
    assert set(first.store) == set(IDS)
    assert {task_id: first.store[task_id].args for task_id in IDS} == {
        task_id: second.store[task_id].args for task_id in IDS
    }
    runs = [run for run in first.history(limit=100_000) if not (run["error"] or "").startswith("not started")]
    assert {run["status"] for run in runs} == {"success"}
    slots = Counter((run["task_id"], run["slot"]) for run in runs)
    assert [slot for slot, number in slots.items() if number > 1] == []


def _wait_for_a_run_of_each(registry: TaskRegistry) -> None:
    before = {task_id: registry.history(task_id, limit=1) for task_id in IDS}
    left, pause, end = set(IDS), threading.Event(), time.monotonic() + 30
    while left:
        assert time.monotonic() < end, {task_id: (registry.why_not(task_id), before[task_id]) for task_id in left}
        pause.wait(0.05)
        left -= {
            task_id for task_id in left if registry.history(task_id, "success", limit=1) not in ([], before[task_id])
        }
