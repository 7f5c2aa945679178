"""Runs of dead instances: they are recorded as failed, published, and retried."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from est_alan_scheduler import Event, Retry, TaskRegistry, TaskStatus
from est_alan_scheduler.calendar.local_time import to_utc
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import Join, adder, at, claim_and_die, events_of, noop, reap
from tests.jobs import boom
from tests.ways import logged

pytestmark = pytest.mark.zone


class TestReap:
    def test_the_run_of_a_dead_instance_is_recorded_as_failed_after_its_lease(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)

        retry = Retry(max_retries=1, delay=5, jitter=0, on=(KeyError,))  # a dead run raised nothing, and is tried again
        task = first.register(adder(every={"hours": 1}, retry=retry))
        claim_and_die(first, task)
        second.tick()
        assert second.store["a"].status is TaskStatus.RUNNING
        clock.advance(700)
        reap(second)
        second.tick()
        there = second.store["a"]
        assert there.error_message is not None
        assert there.error_message.startswith("lease expired: owner ")
        assert (there.status, there.retry_at) == (TaskStatus.FAILED, at(clock) + timedelta(seconds=5))

    def test_the_retry_of_a_dead_run_follows_the_current_definition_of_its_task(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        second.tick()  # when there was none
        retry = Retry(max_retries=1, delay=5, jitter=0)
        claim_and_die(first, first.register(adder(every={"hours": 1}, retry=retry)))
        clock.advance(700)
        reap(second)
        second.tick()
        assert second.store["a"].retry_at == at(clock) + timedelta(seconds=5)

    def test_a_dead_run_is_recorded_though_many_others_are_of_unknown_tasks(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first, second = join(), join()
        second._session.reaper.batch = 1  # type: ignore[union-attr]  # it has one
        second.expose(jobs.add)
        first.expose(noop, "only here")
        for task in (adder("a", func=noop, args=()), adder("b", func=noop, args=()), adder("c")):
            claim_and_die(first, first.register(task))
        for task_id in "ab":
            store.spoil(task_id, "definition", "nonsense")
        second.tick()
        clock.advance(700)
        reap(second)
        assert [run["task_id"] for run in second.history(status="failed")] == ["c"]

    def test_a_run_in_flight_here_is_not_dead_though_the_clock_of_the_store_was_set_ahead(
        self, alone: TaskRegistry, clock: Clock
    ) -> None:
        session = alone._session
        assert session is not None

        def outlive() -> None:
            clock.advance(700)
            session.outage.healthy_since = -600.0
            session.reaper.reap()

        alone.expose(outlive, "outlive")
        alone.register(adder(func=outlive, args=()))
        alone.tick()
        assert [(run["status"], run["late"]) for run in alone.history()] == [("success", False)]

    def test_a_long_wait_for_the_sync_lock_does_not_keep_the_lease_from_being_renewed(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        claim_and_die(first, first.register(adder()))
        clock.advance(700)
        session, has_lock, go = second._session, threading.Event(), threading.Event()
        assert session is not None

        def hold() -> None:
            with session.replica.sync_lock:
                has_lock.set()
                go.wait(60)

        holds = threading.Thread(target=hold)
        holds.start()
        assert has_lock.wait(60)
        monkeypatch.setattr(session.lease, "seconds", 0.1)
        reap(second)  # it comes back
        go.set()
        holds.join()
        assert second.history(status="failed") == []
        reap(second)
        assert [run["task_id"] for run in second.history(status="failed")] == ["a"]

    def test_a_dead_run_is_recorded_even_while_ticks_renew_the_lease(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        task = first.register(adder())
        claim_and_die(first, task)
        clock.advance(700)
        second.register(adder())
        session = second._session
        assert session is not None
        session.lease.renew()  # so that the renewal is not due at the heartbeat
        session.outage.healthy_since, session.reaper.due_at = -600.0, 0.0
        session.heartbeat()
        assert [run["status"] for run in second.history("a")] == ["failed"]

    def test_no_run_is_declared_dead_after_an_outage_until_a_lease_has_passed(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        claim_and_die(first, first.register(adder()))
        clock.advance(700)
        second.tick()
        session = second._session
        assert session is not None
        session.lease.renew()
        session.reaper.reap()
        second.tick()
        statuses = [second.store["a"].status]
        reap(second)
        second.tick()
        assert [*statuses, second.store["a"].status] == [TaskStatus.RUNNING, TaskStatus.SUCCESS]


class TestRecord:
    def test_the_instance_that_reaps_a_dead_run_publishes_and_counts_the_failure(
        self, join: Join, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = join(), join()
        events, start = events_of(second), at(clock)
        retry = Retry(max_retries=1, delay=5, jitter=0)
        for registry in (first, second):
            registry.register(adder(every={"hours": 1}, retry=retry))
        task = second.store["a"]
        claim_and_die(first, first.store["a"])
        clock.advance(700)
        reap(second)
        counts = second.statistics("a")
        assert (counts.runs, counts.failures, counts.last_duration, counts.lateness.count) == (1, 1, None, 0)
        assert counts == second.statistics()
        second.tick()
        error = task.error_message or ""
        failed = Event("failed", "a", start, 1, start, at(clock), error_message=error, retry_at=task.retry_at)
        failed = replace(failed, consecutive_failures=1)
        (published, retried), due = events, at(clock) + timedelta(seconds=5)
        assert [replace(published, error=None), replace(retried, error=None)] == [
            failed,
            replace(failed, name="retrying"),
        ]
        assert (str(published.error), published.retry_at) == (error, due)
        assert logged(caplog) == [f"Task 'a' (add) failed: {error}; next attempt at {due}"]
        clock.advance(5)
        second.tick()
        assert [event.name for event in events] == ["failed", "retrying", "succeeded"]
        counts = second.statistics("a")
        assert (counts.runs, counts.successes, counts.failures, counts.retries) == (2, 1, 1, 1)
        assert [(line["status"], line["attempt"]) for line in task.history] == [("failed", 1), ("success", 2)]

    def test_a_dead_run_reaped_during_another_run_is_published_once_the_state_of_its_task_is_read(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        events = events_of(second)

        def outlive() -> None:
            clock.advance(700)
            reap(second)

        second.expose(outlive, "outlive")
        for registry in (first, second):
            registry.register(adder(every={"hours": 1}, retry=Retry(max_retries=1, delay=5, jitter=0)))
        claim_and_die(first, first.store["a"])
        second.register(adder("b", every={"hours": 1}, func=outlive, args=()))
        second.tick()
        assert [(event.name, event.task_id) for event in events] == [("succeeded", "b")]
        second.tick()
        due = at(clock) + timedelta(seconds=5)
        assert [(event.name, event.retry_at) for event in events[1:]] == [("failed", due), ("retrying", due)]

    def test_a_dead_run_of_a_removed_task_is_published_by_its_id(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        events, start = events_of(second), at(clock)
        for registry in (first, second):
            registry.register(adder(every={"hours": 1}, retry=1))
        claim_and_die(first, first.store["a"])
        second.remove("a")
        again = second.register(adder(every={"hours": 1}, retry=1))
        clock.advance(700)
        reap(second)
        second.shutdown()
        assert [(event.name, event.task_id, event.slot, event.attempt) for event in events] == [
            ("failed", "a", start, 1)
        ]
        assert (second.statistics().failures, second.statistics("a").failures, again.history) == (1, 0, [])

    def test_the_history_takes_no_more_dead_runs_than_its_limit(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder(history_limit=0))
        claim_and_die(first, first.store["a"])
        clock.advance(700)
        reap(second)
        assert second.store["a"].history == []

    def test_the_retry_of_a_dead_run_has_the_slot_and_the_delay_that_its_owner_would_have_used(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        events = events_of(second)
        retry, start = Retry(max_retries=2, delay=5, jitter=1), at(clock)
        task = first.register(adder(every={"hours": 1}, func=boom, args=(), retry=retry))
        second.register(adder(every={"hours": 1}, func=boom, args=(), retry=retry))
        first.tick()
        delays = [retry.seconds_after(attempt, None, "a", to_utc(start)) or 0 for attempt in (1, 2)]
        assert task.retry_at == start + timedelta(seconds=delays[0])
        clock.advance(10)
        claim_and_die(first, task)
        clock.advance(700)
        reap(second)
        second.tick()
        assert second.store["a"].retry_at == at(clock) + timedelta(seconds=delays[1])
        clock.advance(20)
        second.tick()
        assert [(run["slot"], run["attempt"]) for run in second.history()] == [(start, 1), (start, 2), (start, 3)]
        published = [(event.name, event.slot, event.attempt) for event in events]
        assert published == [("failed", start, 2), ("retrying", start, 2), ("failed", start, 3)]
        assert second.statistics("a").retries == 2
