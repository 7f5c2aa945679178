"""The contract of leases and of dead runs, on real stores."""

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import DeadRunOutcome, InstanceRow, Renewal, RunRow, State
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import LEASE, SECOND, Clock, Store, claim, define, state, success

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus


class TestLease:
    def test_a_renewal_extends_the_lease(self, backend: Backend, clock: Clock) -> None:
        began = clock.now
        assert backend.renew("me", 10) == Renewal(began, began + 10 * SECOND, began)
        clock.advance(9)
        assert backend.renew("me", 10) == Renewal(began + 9 * SECOND, began + 19 * SECOND, began)
        assert backend.instances() == [InstanceRow("me", began, began + 19 * SECOND)]

    def test_a_renewal_after_expiry_begins_a_new_series(self, backend: Backend, clock: Clock) -> None:
        backend.renew("me", 10)
        clock.advance(10)
        for _ in range(2):  # a repetition after a lost answer gives the same
            assert backend.renew("me", 10) == Renewal(clock.now, clock.now + 10 * SECOND, clock.now)

    def test_instances_are_the_live_ones_the_oldest_first(self, backend: Backend, clock: Clock) -> None:
        backend.renew("short", 1)
        backend.renew("b", 60)
        backend.renew("a", 60)
        clock.advance(1)
        backend.renew("young", 60)
        backend.renew("left", 60)
        backend.leave("left")
        assert [row.owner for row in backend.instances()] == ["a", "b", "young"]

    def test_an_instance_dead_for_a_day_is_forgotten(self, store: Store, backend: Backend, clock: Clock) -> None:
        backend.renew("dead", 1)
        since = clock.now
        clock.advance(25 * 3600)
        backend.renew("new", 1)
        renewal = backend.renew("dead", 1)
        assert renewal.since == clock.now > since


class TestReap:
    def test_only_runs_with_an_expired_lease_are_reaped(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE - 0.001)
        assert backend.find_dead_runs() == []
        assert backend.reap([DeadRunOutcome("a", 1, "me", retry_at=5, attempt=2)]) == set()
        assert state(backend, "a") == running
        clock.advance(0.001)
        assert backend.find_dead_runs() == backend.history()
        assert backend.reap([DeadRunOutcome("a", 1, "me", retry_at=5, attempt=2)]) == {("a", 1)}
        message = "lease expired: owner me stopped renewing"
        assert state(backend, "a") == running._replace(
            version=3, status=FAILED, retry_at=5, attempt=2, error_message=message, owner=None
        )
        assert backend.history() == [RunRow("a", 1, 99, 1, "me", 100, clock.now, FAILED, None, message, late=True)]
        assert backend.find_dead_runs() == []

    def test_an_owner_that_renews_before_the_reap_keeps_its_run(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        (run,) = backend.find_dead_runs()
        backend.renew("me", LEASE)
        assert backend.reap([DeadRunOutcome(run.task_id, run.epoch, run.owner)]) == set()
        assert backend.finish("me", [success("a", 1)]) == {("a", 1)}

    def test_a_second_reap_changes_nothing(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRunOutcome("a", 1, "me")])
        before = state(backend, "a")
        assert backend.reap([DeadRunOutcome("a", 1, "me", retry_at=9)]) == set()
        assert state(backend, "a") == before

    def test_the_runs_of_an_instance_that_has_left_are_dead_at_once(self, backend: Backend, running: State) -> None:
        backend.leave("me")
        assert backend.reap(
            [DeadRunOutcome(run.task_id, run.epoch, run.owner) for run in backend.find_dead_runs()]
        ) == {("a", 1)}

    def test_a_finished_run_is_not_reaped(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE)
        backend.finish("me", [success("a", 1)])
        before = state(backend, "a")
        assert backend.find_dead_runs() == []
        assert backend.reap([DeadRunOutcome("a", 1, "me")]) == set()
        assert state(backend, "a") == before

    def test_a_dead_run_of_a_removed_task_is_recorded_too(self, backend: Backend, running: State, clock: Clock) -> None:
        backend.remove(["a"])
        define(backend, "a")
        fresh = state(backend, "a")
        clock.advance(LEASE)
        assert backend.reap([DeadRunOutcome("a", 1, "me", retry_at=5)]) == {("a", 1)}
        assert state(backend, "a") == fresh
        assert [(run.status, run.late) for run in backend.history()] == [(FAILED, True)]

    def test_at_most_so_many_dead_runs_are_found(self, backend: Backend, clock: Clock) -> None:
        ids = [f"{number:02}" for number in range(10)]
        define(backend, *ids)
        backend.renew("me", LEASE)
        backend.claim("me", "token", [claim(one, 1) for one in ids])
        clock.advance(LEASE)
        dead_runs = backend.find_dead_runs(limit=4)
        assert len(dead_runs) == 4
        backend.reap([DeadRunOutcome(run.task_id, run.epoch, run.owner) for run in dead_runs])
        assert len(backend.find_dead_runs()) == 6
