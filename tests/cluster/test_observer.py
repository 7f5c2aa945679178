"""An observer: a registry that shows and manages the tasks of a backend, and starts none."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import (
    Event,
    TaskRegistry,
    TaskStatus,
    run_scheduler,
    running,
    simulate,
    start_scheduler,
)
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.fields.unknown_function import is_unknown
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import Join, adder, at, claim_and_die, outlive_lease, reap, runs, spawn
from tests.ways import wait_until

OBSERVES = (
    "this registry is an observer, which starts nothing: call refresh() to read what other instances have done,"
    " or configure(observe=False) to tick"
)


@pytest.fixture
def worker(join: Join) -> TaskRegistry:
    return join()


@pytest.fixture
def observer(join: Join, worker: TaskRegistry) -> TaskRegistry:
    registry = join(observe=True)
    registry.expose(jobs.add)
    return registry


class TestConfiguration:
    @pytest.mark.parametrize("configure", [TaskRegistry, lambda **given: TaskRegistry().configure(**given)])
    def test_it_needs_a_backend(self, configure: Callable[..., None]) -> None:
        with pytest.raises(ValueError, match="observe=True needs a backend, whose tasks other instances run: give bac"):
            configure(observe=True)

    def test_it_cannot_lose_its_backend(self, join: Join) -> None:
        registry = join(observe=True)
        with pytest.raises(ValueError, match="observe=True needs a backend"):
            registry.configure(backend=None)
        registry.configure(backend=None, observe=False)
        assert (registry.is_observer, registry.backend) == (False, None)

    def test_it_is_true_or_false(self) -> None:
        with pytest.raises(TypeError, match="observe must be True or False, got 1"):
            TaskRegistry(backend=MemoryBackend(), observe=1)  # type: ignore[arg-type]

    def test_a_registry_tells_whether_it_observes(self, worker: TaskRegistry, observer: TaskRegistry) -> None:
        assert (TaskRegistry().is_observer, worker.is_observer, observer.is_observer) == (False, False, True)

    def test_a_registry_that_ticked_ends_its_lease_as_an_observer_and_ticks_again_later(self, worker: Any) -> None:
        task = worker.register(adder())
        worker.tick()
        worker.configure(observe=True)
        assert worker.instances() == []
        with pytest.raises(RuntimeError):
            worker.tick()
        worker.configure(observe=False)
        worker.run_now("a")
        worker.tick()
        assert (task.runs, len(worker.instances())) == (2, 1)

    def test_a_registry_with_a_loop_does_not_become_an_observer(self, worker: TaskRegistry) -> None:
        with start_scheduler(registry=worker):
            wait_until(lambda: bool(worker._parts.wakers))
            with pytest.raises(RuntimeError, match="a loop ticks this registry: stop it before observe=True"):
                worker.configure(observe=True)
        assert not worker.is_observer


class TestStartsNothing:
    def test_it_refuses_to_tick(self, observer: TaskRegistry) -> None:
        task = observer.register(adder())
        ticking: list[Callable[[], Any]] = [
            observer.tick,
            lambda: observer._execute(task),
            lambda: start_scheduler(registry=observer),
            lambda: start_scheduler(registry=observer, blocking=True),
            lambda: asyncio.run(run_scheduler(registry=observer)),
            lambda: running(observer),
        ]
        for tick in ticking:
            with pytest.raises(RuntimeError) as caught:
                tick()
            assert str(caught.value) == OBSERVES
        assert (task.status, observer.idle_seconds()) == (TaskStatus.PENDING, None)

    def test_it_leaves_no_trace_as_an_instance(self, observer: TaskRegistry) -> None:
        before = threading.active_count()
        observer.register(adder())
        observer.refresh()
        for change in (observer.pause, observer.resume, observer.run_now):
            change("a")
        with pytest.raises(TimeoutError):
            observer.wait("a", 0.03)
        observer.pause_all()
        observer.resume_all()
        observer.history("a")
        assert (observer.instances(), threading.active_count()) == ([], before)

    def test_it_does_not_reap(self, join: Join, clock: Clock, observer: TaskRegistry) -> None:
        victim = join()
        claim_and_die(victim, victim.register(adder()))
        observer.refresh()
        outlive_lease(victim, clock)
        observer.refresh()
        assert [task.status for task in observer] == [TaskStatus.RUNNING]
        other = join()
        other.expose(jobs.add)
        other.tick()
        reap(other)
        observer.refresh()
        assert [task.status for task in observer] == [TaskStatus.FAILED]

    def test_it_makes_the_tables_of_an_empty_store(self, join: Join) -> None:
        observer = join(observe=True)
        observer.expose(jobs.add)
        observer.refresh()
        assert list(observer) == []
        worker = join()
        worker.register(adder())
        observer.refresh()
        assert [task.id for task in observer] == ["a"]

    def test_a_task_that_it_registers_runs_where_something_ticks(
        self, observer: TaskRegistry, worker: TaskRegistry
    ) -> None:
        worker.expose(jobs.add)
        task = observer.register(adder())
        worker.tick()
        observer.refresh()
        assert (task.status, task.result, runs(observer, "a")) == (TaskStatus.SUCCESS, 3, 1)

    def test_a_task_that_it_registers_may_have_a_function_of_others(self, worker: TaskRegistry, join: Join) -> None:
        worker.register(adder("a"))
        observer = join(observe=True)
        observer.refresh()
        func = observer["a"].func
        assert is_unknown(func)
        observer.register(adder("b", func=func))
        worker.tick()
        worker.tick()
        assert worker["b"].result == worker["a"].result == 3

    def test_its_end_leaves_the_others_alone(self, observer: TaskRegistry, worker: TaskRegistry) -> None:
        worker.register(adder())
        worker.tick()
        observer.refresh()
        assert observer.shutdown()
        worker.run_now("a")
        worker.tick()
        assert (len(worker.instances()), worker["a"].runs) == (1, 2)


class TestManages:
    @pytest.fixture(autouse=True)
    def task(self, worker: TaskRegistry, observer: TaskRegistry, clock: Clock) -> None:
        worker.register(adder())
        worker.tick()
        observer.refresh()
        clock.advance(60)

    def ticks(self, worker: TaskRegistry) -> None:
        worker.tick()
        worker.tick()

    def test_a_pause_and_its_end_take_effect_within_two_ticks(
        self, worker: TaskRegistry, observer: TaskRegistry
    ) -> None:
        assert observer.pause("a").paused
        self.ticks(worker)
        assert (worker["a"].paused, worker["a"].runs) == (True, 1)
        observer.resume("a")
        self.ticks(worker)
        assert (worker["a"].paused, worker["a"].runs) == (False, 2)

    def test_a_requested_run_takes_place_within_two_ticks_and_can_be_awaited(
        self, worker: TaskRegistry, observer: TaskRegistry
    ) -> None:
        observer.pause("a")
        observer.run_now("a", args=(4, 5))
        with ThreadPoolExecutor(1) as pool:
            awaited = pool.submit(observer.wait, "a", 20)
            self.ticks(worker)
            assert awaited.result().result == 9
        assert observer.wait("a", 1).runs == 2

    def test_an_update_takes_effect_within_two_ticks(self, worker: TaskRegistry, observer: TaskRegistry) -> None:
        observer.update("a", args=(10, 20), every={"hours": 2})
        self.ticks(worker)
        assert (worker["a"].every, worker["a"].result) == ({"hours": 2}, 3)

    def test_an_assigned_field_is_written_with_the_next_refresh(
        self, worker: TaskRegistry, observer: TaskRegistry
    ) -> None:
        observer["a"].paused = True
        observer.refresh()
        self.ticks(worker)
        assert (worker["a"].paused, worker["a"].runs) == (True, 1)

    @pytest.mark.parametrize("remove", ["remove", "prune"])
    def test_a_removal_takes_effect_within_two_ticks(
        self, worker: TaskRegistry, observer: TaskRegistry, remove: str
    ) -> None:
        getattr(observer, remove)("a" if remove == "remove" else ["a"])
        self.ticks(worker)
        assert (list(worker), list(observer)) == ([], [])

    def test_clear_removes_what_it_has_registered_itself(self, worker: TaskRegistry, observer: TaskRegistry) -> None:
        observer.register(adder("b"))
        observer.clear()
        self.ticks(worker)
        assert [task.id for task in worker] == [task.id for task in observer] == ["a"]

    def test_a_pause_of_all_takes_effect_within_two_ticks(self, worker: TaskRegistry, observer: TaskRegistry) -> None:
        observer.pause_all()
        self.ticks(worker)
        assert (worker.is_paused, worker["a"].runs) == (True, 1)
        observer.resume_all()
        self.ticks(worker)
        assert (worker.is_paused, worker["a"].runs) == (False, 2)

    def test_it_publishes_its_own_changes_and_not_what_others_do(
        self, worker: TaskRegistry, observer: TaskRegistry
    ) -> None:
        events: list[Event] = []
        for name in ("paused", "resumed", "updated", "succeeded", "started", "removed"):
            observer.on(name, events.append)
        observer.pause("a")
        worker.resume("a")
        worker.tick()
        observer.refresh()
        observer.update("a", every={"hours": 1})
        assert [(event.name, event.task_id) for event in events] == [("paused", "a"), ("updated", "a")]


class TestShows:
    def test_it_answers_as_a_registry_that_ticks(
        self, worker: TaskRegistry, observer: TaskRegistry, clock: Clock
    ) -> None:
        worker.register(adder())
        worker.register(adder("b", every={"hours": 1}))
        worker.tick()
        clock.advance(90)
        observer.refresh()
        left_out = {"history"}  # of a task, an instance keeps the runs that it has recorded: `observer.history` has all
        assert observer["a"].model_dump(exclude=left_out) == worker["a"].model_dump(exclude=left_out)
        assert observer.next_run("b") == worker.next_run("b")
        assert list(observer.upcoming(limit=5)) == list(worker.upcoming(limit=5))
        assert observer.history() == worker.history()
        start, end = at(clock), timedelta(minutes=5)
        assert list(simulate(observer, start, end)) == list(simulate(worker, start, end))
        assert observer.why_not("b") == worker.why_not("b")
        assert worker.why_not("a") == "due now, it runs with the next tick"
        assert observer.why_not("a") == "due now, it runs with the next tick of another instance"


_WORKER = """
import sys
from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import open_backend
from tests import jobs
registry = TaskRegistry(backend=open_backend(sys.argv[1], sys.argv[2]), lease=30)
registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
registry.tick()
print("ready", flush=True)
for _ in sys.stdin:
    registry.tick()
    task = registry.get("a")
    print(None if task is None else (task.runs, task.paused, task.every, task.result), flush=True)
registry.shutdown()
"""


@pytest.mark.slow
@pytest.mark.parametrize("store", SHARED, indirect=True)
def test_a_worker_process_obeys_an_observer_within_two_ticks(store: Store) -> None:
    observer = TaskRegistry(backend=store.open(), observe=True)
    observer.expose(jobs.add)
    worker = spawn(_WORKER, store.url, store.name)
    assert worker.stdin is not None
    assert worker.stdout is not None

    def two_ticks() -> str:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write("\n\n")
        worker.stdin.flush()
        worker.stdout.readline()
        return worker.stdout.readline().strip()

    try:
        assert worker.stdout.readline() == "ready\n"
        observer.refresh()
        assert (observer["a"].status, observer["a"].runs) == (TaskStatus.SUCCESS, 1)
        observer.pause("a")
        assert two_ticks() == "(1, True, {'hours': 1}, 3)"
        observer.update("a", args=(5, 5), every={"hours": 2})
        assert two_ticks() == "(1, True, {'hours': 2}, 3)"
        observer.run_now("a")
        assert two_ticks() == "(2, True, {'hours': 2}, 10)"
        assert (observer.wait("a", 5).result, runs(observer, "a")) == (10, 2)
        assert len(observer.instances()) == 1
        observer.remove("a")
        assert two_ticks() == "None"
    finally:
        worker.communicate(timeout=60)
        observer.shutdown()
