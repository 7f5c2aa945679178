"""The lease, its heartbeat, and outages of the store."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.cluster.lease import Heartbeat
from tests.backends.stores import Clock
from tests.cluster.helpers import OPERATIONS, Flaky, Join, adder, end_pause, runs


class ClusterSession:
    """The object that a heartbeat calls: it has nothing to do by itself for an hour."""

    def __init__(self) -> None:
        self.heartbeats = 0
        self.asked = 0
        self.beaten_at = 0.0
        self.has_beaten = threading.Event()

    def seconds_to_heartbeat(self) -> float:
        self.asked += 1
        return 3_600.0

    def heartbeat(self) -> None:
        self.heartbeats += 1
        self.beaten_at = time.monotonic()
        self.has_beaten.set()


@pytest.fixture
def session() -> ClusterSession:
    return ClusterSession()


@pytest.fixture
def heartbeat(session: ClusterSession) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(session.heartbeat, session.seconds_to_heartbeat)
    heartbeat.start()
    yield heartbeat
    heartbeat.stop(10)


def test_the_heartbeat_comes_soon_after_a_request_to_flush(heartbeat: Heartbeat, session: ClusterSession) -> None:
    heartbeat.flush_soon(0.01)
    assert session.has_beaten.wait(10)
    assert session.heartbeats == 1


def test_the_heartbeat_sleeps_until_outcomes_are_to_be_written(heartbeat: Heartbeat, session: ClusterSession) -> None:
    began = time.monotonic()
    heartbeat.flush_soon(0.03)
    assert session.has_beaten.wait(10)
    assert session.beaten_at - began >= 0.03
    assert session.asked <= 5  # at the start, when it is woken, when it is due, and after the heartbeat


def test_the_first_request_to_flush_stands_unless_a_later_one_asks_for_now(
    heartbeat: Heartbeat, session: ClusterSession
) -> None:
    heartbeat.flush_soon(3_600)
    heartbeat.flush_soon(0.001)  # what came first is what the outcomes are gathered for
    assert not session.has_beaten.wait(0.03)
    heartbeat.flush_soon(0)
    assert session.has_beaten.wait(10)


def test_the_heartbeat_ends_at_once(heartbeat: Heartbeat) -> None:
    began = time.monotonic()
    heartbeat.flush_soon(3_600)
    heartbeat.stop(10)
    assert time.monotonic() - began < 5


class TestLease:
    def test_a_claim_lost_to_another_instance_costs_no_renewal_of_the_lease(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder())
            registry.tick()
        session = first._session
        assert session is not None
        claim, renewals = session.backend.claim, []

        def come_late(*arguments: Any) -> dict[str, int]:
            monkeypatch.setattr(session.backend, "claim", claim)
            second.tick()
            return claim(*arguments)

        monkeypatch.setattr(session.lease, "renew", lambda: renewals.append(1))
        monkeypatch.setattr(session.backend, "claim", come_late)
        for _ in range(3):
            clock.advance(60)
            first.tick()
        owners = [run["owner"] for run in first.history()]
        assert second._session is not None
        mine, theirs = session.lease.owner, second._session.lease.owner
        assert (owners, renewals) == ([mine, theirs, mine, mine], [])

    def test_a_lease_that_the_store_has_lost_is_renewed_after_a_refused_claim(self, join: Join, clock: Clock) -> None:
        registry = join()
        registry.register(adder())
        registry.tick()
        session = registry._session
        assert session is not None
        session.backend.leave(session.lease.owner)
        clock.advance(60)
        for count in (1, 2):
            registry.tick()
            assert runs(registry, "a") == count

    def test_a_lease_that_may_have_expired_is_released_at_shutdown(self, join: Join) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder())
            registry.tick()
        assert second._session is not None
        second._session.lease.deadline = 0.0
        second.shutdown()
        assert [instance.owner for instance in first.instances()] == [first._session and first._session.lease.owner]

    def test_the_first_tick_after_the_clock_was_set_ahead_runs_due_tasks(self, join: Join, clock: Clock) -> None:
        registry = join()
        registry.register(adder(every={"hours": 1}))
        registry.tick()
        clock.advance(3600)
        registry.tick()
        assert runs(registry, "a") == 2


class TestOutage:
    def test_nothing_starts_during_an_outage_which_is_logged_once(
        self, flaky: Flaky, registry: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register(adder())
        flaky.fails_before = set(OPERATIONS)
        for _ in range(3):
            registry.tick()
            end_pause(registry)
        assert registry.why_not("a") == "due now, it runs with the next tick"
        flaky.fails_before.clear()
        registry.tick()
        assert runs(registry, "a") == 1
        assert [record.message for record in caplog.records] == [
            "The store is out of reach, and nothing starts until it is back: memory: out of reach",
            "The store is back.",
        ]

    def test_a_store_out_of_reach_is_not_asked_between_two_attempts(self, flaky: Flaky, registry: TaskRegistry) -> None:
        registry.register(adder())
        flaky.fails_before = set(OPERATIONS)
        registry.tick()
        asked = len(flaky.asked)
        registry.tick()
        idle = registry.idle_seconds()
        assert (len(flaky.asked), idle is not None and 0 < idle <= 0.1) == (asked, True)
        assert registry.why_not("a") == "nothing starts until the store, which is out of reach, is back"
