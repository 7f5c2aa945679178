"""Claims that are released, because their runs may not start any more."""

from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry, TaskStatus
from est_alan_scheduler.cluster.task_records import ClaimState
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, Join, adder, at, end_pause
from tests.jobs import boom


class TestRelease:
    def test_the_claim_of_a_run_that_may_no_longer_start_is_released(self, alone: TaskRegistry, clock: Clock) -> None:
        alone.expose(lambda: alone.pause("b"), "pause b")
        alone.register(adder("a", func=alone._functions.find("pause b"), args=()))
        task = alone.register(adder("b"))
        alone._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        alone.tick()
        assert (task.status, task.last_run_at, task.paused) == (TaskStatus.PENDING, None, True)
        (run,) = alone.history("b")
        assert (run["status"], run["error"].partition(":")[0], run["late"]) == ("failed", "not started", True)
        alone.resume("b")
        alone.tick()
        assert task.result == 3

    def test_a_requested_run_is_still_requested_after_its_claim_was_released(
        self, alone: TaskRegistry, clock: Clock
    ) -> None:
        alone.expose(lambda: alone.pause_all(), "pause all")
        alone.register(adder("a", func=alone._functions.find("pause all"), args=()))
        task = alone.register(adder("b", last_run_at=at(clock)))
        alone.tick()
        alone.resume_all()
        clock.advance(1)
        alone.run_now("a")
        alone.run_now("b")
        alone._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        alone.tick()
        alone.resume_all()
        alone.tick()
        assert ([run["status"] for run in alone.history("b")], task.run_requested) == (["failed", "success"], None)

    def test_a_claim_is_released_though_another_instance_changed_its_row(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)

        def stop() -> None:
            second.tick()
            second.pause("b")
            first.pause_all()

        first.expose(stop, "stop")
        second.expose(boom, "stop")
        first.register(adder("a", func=stop, args=()))
        first.register(adder("b"))
        first._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        first.tick()
        second.resume("b")
        second.resume_all()
        second.tick()
        assert [run["status"] for run in second.history("b")] == ["failed", "success"]

    def test_a_claim_is_released_though_another_instance_changes_its_row_during_the_release(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        backend: Any = first._session and first._session.backend
        assign, pauses = backend.assign, [second.pause, second.resume, second.pause]

        def late(assignments: Any) -> Any:
            if pauses:
                pauses.pop()("b")
            return assign(assignments)

        def stop() -> None:
            monkeypatch.setattr(backend, "assign", late)
            first.pause_all()

        first.expose(stop, "stop")
        first.register(adder("a", func=stop, args=()))
        first.register(adder("b"))
        second._management.catch_up("b")
        first._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        first.tick()
        assert (pauses, first.store["b"].status, first.store["b"].paused) == ([], TaskStatus.PENDING, True)

    @pytest.mark.parametrize("cut", ["before", "after"])
    def test_an_interrupted_start_releases_its_claim(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch, cut: str
    ) -> None:
        task, agenda = alone.register(adder()), alone._agenda
        begin = agenda.start

        def interrupt(entry: Any) -> None:
            monkeypatch.setattr(agenda, "start", begin)
            if cut == "after":
                begin(entry)
            raise KeyboardInterrupt

        monkeypatch.setattr(agenda, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            alone.tick()
        session: Any = alone._session
        assert session.records.ids(ClaimState.HELD, ClaimState.RUNNING, ClaimState.RELEASED) == []
        assert session.backend.fetch(["a"], 0).states["a"].status is TaskStatus.PENDING
        alone.tick()
        assert task.result == 3

    def test_a_claim_whose_lease_has_expired_is_not_started(self, alone: TaskRegistry) -> None:
        session = alone._session
        assert session is not None

        def stall() -> None:
            session.lease.deadline = 0.0

        alone.expose(stall, "stall")
        session.claims.inline_batch = 10
        alone.register(adder("a", func=stall, args=()))
        task = alone.register(adder("b"))
        alone.tick()
        alone.tick()
        released, run = alone.history("b")
        assert released["error"] == f"not started: owner {session.lease.owner} released its claim"
        assert (run["status"], run["epoch"], task.result) == ("success", 2, 3)

    def test_a_released_claim_drops_no_history(self, alone: TaskRegistry, clock: Clock) -> None:
        task, session = alone.register(adder(history_limit=200)), alone._session
        assert session is not None
        for _ in range(101):
            session.lease.renew()
            alone.tick()
            clock.advance(60)
        assert session.ensure_claimed(task)
        session.release(["a"])
        alone.tick()
        assert len(alone.history("a", limit=1_000)) == 103

    def test_a_forced_request_during_a_claim_outlives_the_release_of_the_claim(self, join: Join) -> None:
        here, there = join(), join()

        def stop() -> None:
            there.run_now("b", force=True)
            here._management.catch_up("b")
            here.pause_all()

        here.expose(stop, "stop")
        there.expose(stop, "stop")
        there.expose(jobs.add)
        here.register(adder("a", func=stop, args=()))
        here.register(adder("b"))
        here.run_now("b")
        here._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        here.tick()
        here.tick()
        state = here._session.backend.fetch(["b"], 0).states["b"]  # type: ignore[union-attr]
        assert (state.status, state.run_requested, here.store["b"].run_requested) == (TaskStatus.PENDING, 2, "force")

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_an_interrupted_release_of_a_claim_is_made_later(
        self, alone: TaskRegistry, error: type[BaseException]
    ) -> None:
        backend: Any = alone._session and alone._session.backend
        assign = backend.assign

        def fail(_: Any) -> Any:
            backend.assign = assign
            raise error

        def stop() -> None:
            alone.pause("b")
            backend.assign = fail

        alone.expose(stop, "stop")
        alone.register(adder("a", func=stop, args=()))
        alone.register(adder("b"))
        alone._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        with pytest.raises(error):
            alone.tick()
        alone.resume("b")
        alone.tick()
        assert alone.store["b"].result == 3

    @pytest.mark.parametrize("when", ["fails_before", "fails_after"])
    def test_unstarted_claims_are_released_after_an_outage(
        self, flaky: Flaky, registry: TaskRegistry, when: str
    ) -> None:
        def stop() -> None:
            registry.pause_all()
            setattr(flaky, when, {"assign"})

        registry.expose(stop, "stop")
        registry._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        registry.register(adder("a", func=stop, args=()))
        task = registry.register(adder("b"))
        registry.tick()
        setattr(flaky, when, set())
        registry.resume_all()
        for _ in range(2):
            end_pause(registry)
            registry.tick()
        assert ([run["status"] for run in registry.history("b")], task.result) == (["failed", "success"], 3)


class TestSlowTick:
    @pytest.mark.parametrize("others", [0, 1])
    def test_claims_held_by_a_slow_inline_tick_are_released_for_other_instances(self, join: Join, others: int) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        session = first._session
        assert session is not None

        def dawdle() -> None:
            session.claims._hold_until = 0.0  # it took as long as that
            session.heartbeat()
            for _ in range(others):
                second.tick()

        first.expose(dawdle, "dawdle")
        first.register(adder("a", func=dawdle, args=()))
        for name in ("b", "c"):
            first.register(adder(name))
        session.claims.inline_batch = 10  # all in one batch
        first.tick()
        owners = {run["task_id"]: run["owner"] for run in first.history(status="success")}
        mine, theirs = session.lease.owner, second._session.lease.owner  # type: ignore[union-attr]  # it has one
        assert owners == {"a": mine, "b": theirs if others else mine, "c": theirs if others else mine}

    def test_a_claim_that_no_slow_tick_holds_is_kept(self, alone: TaskRegistry, clock: Clock) -> None:
        session = alone._session
        assert session is not None
        session.claims.inline_batch = 10
        task = alone.register(adder())
        alone.tick()
        clock.advance(60)
        assert session.ensure_claimed(task)
        session.claims._hold_until = 0.0
        session.heartbeat()
        assert session.records.ids(ClaimState.HELD) == ["a"]

    def test_the_heartbeat_comes_in_time_for_the_claims_held(self, alone: TaskRegistry) -> None:
        session = alone._session
        assert session is not None
        seconds = []
        alone.expose(lambda: seconds.append(session.seconds_to_heartbeat()), "look")
        for name in ("a", "b"):
            alone.register(adder(name, func=alone._functions.find("look"), args=()))
        session.claims.inline_batch = 10  # both in one batch
        alone.tick()
        assert seconds[0] <= 1 < seconds[1]
