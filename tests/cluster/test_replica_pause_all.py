"""A pause of all tasks, which holds for all instances."""

from typing import Any

import pytest

from est_alan_scheduler import Event, TaskRegistry, TaskStatus
from est_alan_scheduler.backends import MemoryBackend
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Join, adder, runs


class TestPauseAll:
    def test_a_pause_of_all_tasks_holds_on_every_instance_until_any_instance_resumes_all(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        first.pause_all()
        second.run_now("a", force=True)
        assert (first.is_paused, second.is_paused) == (True, True)
        for registry in (first, second):
            registry.tick()
        assert (runs(first, "a"), first.idle_seconds(), second.idle_seconds()) == (0, None, None)
        assert second.why_not("a") == "all tasks are paused: resume_all() lets them run"
        assert list(second.upcoming(limit=1)) == []
        second.resume_all()
        first.tick()
        assert (first.is_paused, runs(first, "a")) == (False, 1)

    def test_a_pause_of_all_tasks_outlives_all_instances(self, join: Join) -> None:
        first = join()
        first.register(adder())
        first.pause_all()
        first.shutdown()
        later = join()
        assert later.is_paused
        later.register(adder())
        later.tick()
        assert runs(later, "a") == 0
        later.resume_all()
        later.tick()
        assert runs(later, "a") == 1

    def test_the_store_refuses_claims_of_an_instance_that_has_not_read_the_pause_of_all_tasks(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        task = second.register(adder())
        session: Any = second._session
        prepare = session.prepare
        monkeypatch.setattr(session, "prepare", lambda *asked: (prepare(*asked), first.pause_all())[0])  # type: ignore[func-returns-value]
        second.tick()
        assert (task.status, runs(first, "a")) == (TaskStatus.PENDING, 0)

    def test_a_claimed_task_does_not_start_once_the_pause_of_all_tasks_is_read(self, join: Join) -> None:
        first, second = join(), join()

        def stop() -> None:
            first.pause_all()
            second.resume("b")  # it is not paused, but this fetches from the store

        second.expose(stop, "stop")
        second.register(adder("a", func=stop, args=()))
        other = second.register(adder("b"))
        second._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        second.tick()
        assert other.status is TaskStatus.PENDING
        assert [run["error"].partition(":")[0] for run in first.history("b")] == ["not started"]
        first.resume_all()
        second.tick()
        assert [run["status"] for run in first.history("b")] == ["failed", "success"]

    def test_a_tick_that_has_begun_claims_nothing_after_pause_all(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop() -> None:
            alone.pause_all()
            monkeypatch.setattr(alone.backend, "claim", lambda *_: pytest.fail("it claims"))

        alone.expose(stop, "stop")
        alone.register(adder("a", func=stop, args=()))
        alone.register(adder("b"))
        alone.tick()
        assert runs(alone, "a") == 1

    def test_a_task_paused_on_its_own_stays_paused_after_resume_all(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        first.pause("a")
        first.pause_all()
        second.tick()
        second.resume_all()
        for registry in (second, first):
            registry.tick()
        assert runs(first, "a") == 0

    def test_pause_all_and_resume_all_are_published_once_on_the_calling_instance(self, join: Join) -> None:
        first, second = join(), join()
        events: list[tuple[str, Event]] = []
        for name, registry in (("first", first), ("second", second)):
            for event in ("paused", "resumed"):
                registry.on(event, lambda event, name=name: events.append((name, event)))
        first.pause_all()
        second.pause_all()
        second.resume_all()
        first.resume_all()
        for registry in (first, second):
            registry.tick()
        assert events == [("first", Event("paused", None)), ("second", Event("resumed", None))]

    def test_a_paused_registry_that_joins_a_backend_stays_paused_alone(self, clock: Clock) -> None:
        backend = MemoryBackend(clock)
        other, registry = TaskRegistry(backend=backend), TaskRegistry()
        events: list[Event] = []
        for event in ("paused", "resumed"):
            registry.on(event, events.append)
        registry.pause_all()
        registry.configure(backend=backend)
        other.tick()
        assert (registry.is_paused, other.is_paused) == (True, False)
        registry.pause_all()
        other.tick()
        assert other.is_paused
        other.resume_all()
        registry.tick()
        assert (registry.is_paused, events) == (False, [Event("paused", None)] * 2)
        for one in (registry, other):
            one.shutdown(0)

    def test_resume_all_resumes_a_registry_that_was_paused_before_it_joined(self, clock: Clock) -> None:
        registry = TaskRegistry()
        registry.pause_all()
        registry.configure(backend=MemoryBackend(clock))
        events: list[Event] = []
        registry.on("resumed", events.append)
        registry.resume_all()
        assert (registry.is_paused, events) == (False, [Event("resumed", None)])
        registry.shutdown(0)

    def test_a_registry_that_leaves_a_paused_backend_stays_paused(self, alone: TaskRegistry) -> None:
        alone.pause_all()
        alone.configure(backend=None)
        assert alone.is_paused

    def test_a_changed_lease_does_not_count_as_leaving_a_paused_backend(self, alone: TaskRegistry) -> None:
        alone.pause_all()
        alone.configure(lease=300)
        other = TaskRegistry(backend=alone.backend)
        other.resume_all()
        alone.tick()
        assert not alone.is_paused
        other.shutdown(0)
