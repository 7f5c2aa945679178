"""Claims whose answer an outage has lost."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry, TaskRegistry, TaskStatus, current_run
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, adder, at, end_pause


class TestUnanswered:
    def test_a_claim_whose_answer_is_lost_leads_to_one_run(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        task = registry.register(adder(last_run_at=at(clock) - timedelta(seconds=61)))
        flaky.fails_after = {"claim"}
        registry.tick()
        assert task.status is TaskStatus.PENDING
        flaky.fails_after.clear()
        end_pause(registry)
        clock.advance(1)
        registry.tick()
        registry.tick()
        found = [((run["error"] or "").partition(":")[0], run["status"]) for run in registry.history("a")]
        assert found == [("not started", "failed"), ("", "success")]
        assert (registry.history("a")[-1]["run_at"], task.last_run_at) == (at(clock), at(clock))

    def test_a_claim_whose_answer_is_cut_off_by_an_interruption_is_released(
        self, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session: Any = registry._session
        session.claims.inline_batch = 10  # both in one batch
        tasks = [registry.register(adder(name)) for name in ("a", "b")]
        hold = session.records.hold

        def interrupt(task_id: str, *arguments: Any) -> None:
            if task_id == "b":
                monkeypatch.undo()
                raise KeyboardInterrupt
            hold(task_id, *arguments)

        monkeypatch.setattr(session.records, "hold", interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        registry.tick()
        registry.tick()
        assert [[run["status"] for run in registry.history(task.id)] for task in tasks] == [["failed", "success"]] * 2

    def test_a_claim_whose_answer_is_lost_is_released_at_shutdown(self, flaky: Flaky, registry: TaskRegistry) -> None:
        registry.register(adder(every=None, run_at=datetime(2020, 1, 1)))
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        registry.shutdown()
        other = TaskRegistry(backend=flaky)
        task = other.register(adder(every=None, run_at=datetime(2020, 1, 1)))
        other.tick()
        assert (task.status, [run["status"] for run in other.history()]) == (TaskStatus.SUCCESS, ["failed", "success"])
        other.shutdown()

    def test_a_claim_whose_answer_is_lost_is_released_when_its_task_is_paused_meanwhile(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        task = registry.register(adder(last_run_at=at(clock) - timedelta(seconds=61)))
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        registry.pause("a")
        end_pause(registry)
        registry.tick()
        assert flaky.fetch(["a"], 0).states["a"].status is TaskStatus.PENDING
        registry.run_now("a")
        registry.tick()
        assert (task.result, task.paused) == (3, True)

    def test_a_forked_child_does_not_claim_a_task_that_its_parent_may_have_claimed(
        self, flaky: Flaky, registry: TaskRegistry
    ) -> None:
        registry.register(adder())
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        registry._management.catch_up("a")
        registry._parts.start_over_after_fork()
        flaky.fails_before = {"claim"}
        for _ in range(3):
            registry.tick()
        assert registry.why_not("a").startswith("running")

    def test_the_slots_count_from_the_first_start_even_after_a_claim_whose_answer_was_lost(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        task = registry.register(adder())
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        end_pause(registry)
        clock.advance(1)
        for _ in range(2):
            registry.tick()
        released, run = registry.history("a")
        assert (released["late"], run["status"], run["slot"]) == (True, "success", at(clock))
        assert (flaky.fetch(["a"], 0).states["a"].first_run_at, task.first_run_at) == (clock.now, at(clock))

    def test_the_next_slot_replaces_a_retry_whose_claim_was_not_answered(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        seen = []

        def fail_once() -> None:
            run = current_run()
            assert run is not None
            seen.append(((run.slot - start).seconds, run.attempt))
            if len(seen) == 1:
                raise ValueError

        start = at(clock)
        registry.expose(fail_once, "fail_once")
        registry.register(adder(func=fail_once, args=(), retry=Retry(max_retries=1, delay=1, jitter=0)))
        registry.tick()
        clock.advance(1)
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        end_pause(registry)
        clock.advance(59)
        for _ in range(3):
            registry.tick()
        assert seen == [(0, 1), (60, 1)]
        assert [(run["status"], run["attempt"]) for run in registry.history("a")] == [
            ("failed", 1),
            ("failed", 2),
            ("success", 1),
        ]

    def test_the_slot_of_a_first_run_is_the_start_recorded_in_the_store(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        slots = []

        def note() -> None:
            this = current_run()
            slots.append(this and this.slot)

        registry.expose(note, "note")
        registry.register(adder(func=note, args=()))
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after = set()
        clock.advance(5)
        end_pause(registry)
        for _ in range(2):
            registry.tick()
        assert slots == [run["slot"] for run in registry.history(status="success")] == [at(clock)]
