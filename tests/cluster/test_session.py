"""A registry with a backend: its ticks, its retries, its instances, and its end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import Event, Retry, TaskRegistry, TaskStatus, current_run
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.clock import to_instant
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.cluster import claims
from est_alan_scheduler.cluster import session as session_module
from est_alan_scheduler.cluster.lease import Heartbeat
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import NO_IDS, OPERATIONS, Flaky, Join, adder, at, runs
from tests.jobs import boom


class TestTick:
    def test_a_run_is_recorded_in_the_task_and_in_the_store(self, join: Join, clock: Clock) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        assert (task.status, task.result, task.last_run_at) == (TaskStatus.SUCCESS, 3, at(clock))
        (run,) = registry.history()
        owner = registry.instances()[0].owner
        assert run == {
            "task_id": "a",
            "run_at": at(clock),
            "finished_at": at(clock),
            "status": "success",
            "result": "3",
            "error": None,
            "attempt": 1,
            "epoch": 1,
            "slot": at(clock),
            "owner": owner,
            "late": False,
        }

    def test_history_accepts_impossible_ids_and_huge_limits(self, join: Join) -> None:
        registry = join()
        registry.register(adder(history_limit=10**30))
        registry.tick()
        assert [registry.history(name) for name in (*NO_IDS, "b")] == [[], [], []]
        assert len(registry.history(limit=10**30)) == len(registry.history("a", limit=10**30)) == 1
        again = join()
        assert len(again.register(adder(history_limit=10**30)).history) == 1

    def test_executors_run_each_claimed_task_once(self, join: Join) -> None:
        with ThreadPoolExecutor(2) as pool:
            registry = join(executor=pool)
            tasks = [registry.register(adder(str(number))) for number in range(5)]
            while not all(task.result for task in tasks):
                registry.tick()
            registry.shutdown()
        assert [runs(registry, task.id) for task in tasks] == [1] * 5

    def test_nested_ticks_start_each_run_once(self, alone: TaskRegistry) -> None:
        alone.expose(alone.tick, "tick")
        alone._session.claims.inline_batch = 10  # type: ignore[union-attr]  # all in one batch
        for number in range(4):
            alone.register(adder(str(number), func=alone.tick, args=()))
        alone.tick()
        assert [runs(alone, str(number)) for number in range(4)] == [1] * 4

    def test_execute_makes_its_own_claim(self, alone: TaskRegistry) -> None:
        task = alone.register(adder())
        alone._execute(task)
        alone._execute(task)
        alone._execute(adder("b"))
        assert (runs(alone, "a"), runs(alone, "b")) == (2, 0)

    def test_a_subscriber_sees_each_run_before_the_next_one_starts(self, alone: TaskRegistry) -> None:
        alone._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        alone.on("failed", lambda _: alone.pause("b"))
        alone.register(adder("a", func=boom, args=()))
        task = alone.register(adder("b"))
        alone.tick()
        assert (task.status, task.paused) == (TaskStatus.PENDING, True)

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_an_idle_tick_is_one_round_trip_and_a_thousand_due_tasks_are_a_handful(
        self, join: Join, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = TaskRegistry()
        for number in range(1_000):
            registry.register(adder(str(number)))
        registry.configure(backend=store.open(), lease=600)
        backend: Any = registry.backend
        asked: list[str] = []
        for name in OPERATIONS:
            original = getattr(backend, name)

            def ask(*arguments: Any, _name: str = name, _original: Any = original, **named: Any) -> Any:
                asked.append(_name)
                return _original(*arguments, **named)

            monkeypatch.setattr(backend, name, ask)
        # However slow the machine is: batches grow, none is released, and outcomes are written at the end.
        monkeypatch.setattr(claims, "_SHORT", 1_000.0)
        monkeypatch.setattr(claims, "_LONGEST", 1_000.0)
        monkeypatch.setattr(Heartbeat, "flush_soon", lambda *_: None)
        registry.tick()
        assert {run["status"] for run in registry.history(limit=2_000)} == {"success"}
        assert len(asked) <= 12, asked
        registry.tick()
        asked.clear()
        with store.round_trips(monkeypatch) as trips:
            registry.tick()
        assert (asked, len([trip for trip in trips if trip != "COMMIT"])) == (["fetch"], len(asked))
        registry.shutdown()


class TestRetries:
    def test_a_retry_keeps_the_slot_of_the_first_attempt_on_any_instance(self, join: Join, clock: Clock) -> None:
        seen = []

        def fail() -> None:
            run = current_run()
            assert run is not None
            seen.append(((run.slot - start).seconds, run.attempt))
            if len(seen) > 1:
                raise ValueError

        start, registries = at(clock), [join(), join()]
        for registry in registries:
            registry.expose(fail, "fail")
            retry = Retry(max_retries=1, delay=1, jitter=0)
            registry.register(adder(func=fail, args=(), retry=retry))
        first, second = registries
        for registry, seconds in ((first, 0), (first, 60), (first, 1), (second, 59), (first, 1)):
            clock.advance(seconds)
            registry.tick()
        assert seen == [(0, 1), (60, 1), (60, 2), (120, 1), (120, 2)]
        assert [((run["slot"] - start).seconds, run["attempt"]) for run in first.history()] == seen

    def test_a_retry_after_a_restart_keeps_its_slot_and_its_lateness_counts_from_its_own_due_moment(
        self, join: Join, clock: Clock
    ) -> None:
        retry = Retry(max_retries=1, delay=30, jitter=0)
        first, start = join(), at(clock)
        first.register(adder(func=boom, args=(), retry=retry))
        first.tick()
        first.shutdown()
        second, events = join(), list[Event]()
        second.on("started", events.append)
        second.register(adder(func=boom, args=(), retry=retry))
        clock.advance(35)
        second.tick()
        assert [(event.slot, event.attempt) for event in events] == [(start, 2)]
        assert second.statistics("a").lateness.max == pytest.approx(5, abs=4)

    def test_a_released_claim_of_a_retry_keeps_the_slot_of_the_first_attempt(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        start = at(clock)
        for registry in (first, second):
            registry.register(adder("good"))
            registry.register(adder("bad", func=boom, args=(), retry=Retry(max_retries=1, delay=60, jitter=0)))
        for _ in range(2):
            first.tick()
        clock.advance(61)
        session = first._session
        assert session is not None
        for task in first:
            assert session.ensure_claimed(task)
        session.release(["good", "bad"])
        assert {state.slot for state in session.backend.fetch(None, 0).states.values()} == {to_instant(to_utc(start))}

    def test_a_retry_of_a_task_that_failed_before_it_was_shared_keeps_the_slot_of_the_first_attempt(
        self, join: Join, alone: TaskRegistry, store: Store, clock: Clock
    ) -> None:
        registry, start = alone, at(clock)
        retry = Retry(max_retries=1, delay=1, jitter=0)
        task = registry.register(adder(every=None, run_at=start, func=boom, args=(), retry=retry))
        registry.tick()
        registry.configure(backend=store.open(clock), lease=600)
        registry._session.edits.push()  # type: ignore[union-attr]  # as a tick would, whose first run it would be
        clock.advance(1)
        other = join()
        other.register(adder(every=None, run_at=start, func=boom, args=(), retry=retry))
        other.tick()
        registry.tick()
        assert [(run["slot"], run["attempt"]) for run in other.history()] == [(start, 2)]
        assert task.attempt == 2


class TestInstances:
    def test_live_instances_are_listed(self, join: Join) -> None:
        first, second = join(), join()
        first.tick()
        second.tick()
        assert len({instance.owner for instance in first.instances()}) == 2
        second.shutdown()
        assert len(first.instances()) == 1


class TestShutdown:
    def test_the_end_of_the_program_removes_no_task_from_the_store(self, alone: TaskRegistry) -> None:
        alone.register(adder())
        alone.tick()
        del alone.store["a"]
        session_module._leave_all()
        assert isinstance(alone.backend, MemoryBackend)
        assert list(alone.backend.fetch(None, 0).states) == ["a"]

    def test_shutdown_goes_on_after_an_edit_that_cannot_be_written(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        session = alone._session
        assert session is not None
        monkeypatch.setattr(session.edits, "push", lambda: 1 / 0)
        alone.shutdown()
        assert (alone.instances(), caplog.messages) == ([], ["What was edited could not be written to the store."])

    def test_the_last_edits_are_written_at_shutdown(self, join: Join) -> None:
        first = join()
        for task_id in "abc":
            first.register(adder(task_id))
        first.tick()
        first.store["a"].paused = True
        del first.store["b"]
        first.store["c"].every = {"days": 9}
        first.register(adder("d", last_run_at=datetime(2020, 1, 1)))
        first.shutdown()
        second = join()
        second.expose(jobs.add)
        second.tick()
        assert (second.store["a"].paused, sorted(second.store), second.store["c"].every) == (
            True,
            ["a", "c", "d"],
            {"days": 9},
        )
        assert second.store["d"].first_run_at == datetime(2020, 1, 1)

    def test_an_unexpected_error_at_shutdown_is_logged(
        self, flaky: Flaky, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register(adder())
        registry.tick()
        with monkeypatch.context() as patch:
            patch.setattr(flaky, "leave", lambda _: 1 / 0)
            registry.shutdown()
        assert caplog.messages == ["What is left could not be written to the store."]
