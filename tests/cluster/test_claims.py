"""Claims: one winner for each slot, changes between a claim and its start, and the size of batches."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, current_run
from est_alan_scheduler.cluster import claims
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import MINUTE, Flaky, Join, adder, at, end_pause, runs


def _noting() -> Task:
    return Task(id="a", every=MINUTE, func=jobs.note_epoch)


class TestClaim:
    def test_each_slot_runs_once(self, join: Join, clock: Clock) -> None:
        registries = [join(), join(), join()]
        for registry in registries:
            for number in range(20):
                registry.register(adder(str(number)))
        for _ in range(3):
            threads = [threading.Thread(target=registry.tick) for registry in registries]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for registry in registries:
                registry.tick()
            clock.advance(60)
        counts = {str(number): 0 for number in range(20)}
        for run in registries[0].history(limit=1_000):
            counts[run["task_id"]] += run["status"] == "success"
        assert set(counts.values()) == {3}

    def test_current_run_has_the_epoch_of_the_claim(self, alone: TaskRegistry, clock: Clock) -> None:
        seen = []
        alone.expose(look := lambda: seen.append(current_run()), "look")
        alone.register(adder(func=look, args=()))
        alone.tick()
        clock.advance(60)
        alone.tick()
        assert [run and run.epoch for run in seen] == [1, 2]

    def test_claims_stop_at_max_running(self, join: Join, tmp_path: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            first, second = join(executor=pool, max_running=1), join()
            for name in ("a", "b"):
                first.register(Task(id=name, every=MINUTE, func=jobs.hold, args=(str(tmp_path), name)))
                jobs.release_unstarted(str(tmp_path), "b")
            second.expose(jobs.hold)
            first.tick()
            second.tick()
            jobs.release_unstarted(str(tmp_path), "a")
            first.shutdown()
        owners = {run["task_id"]: run["owner"] for run in second.history()}
        assert owners["a"] != owners["b"]


class TestBetweenClaimAndStart:
    def test_a_run_requested_between_claim_and_start_is_an_additional_run(self, alone: TaskRegistry) -> None:
        def ask() -> None:
            alone.run_now("b")

        alone.expose(ask, "ask")
        alone.register(adder("a", func=ask, args=()))
        alone.register(adder("b"))
        alone._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        for _ in range(3):
            alone.tick()
        assert (runs(alone, "a"), runs(alone, "b")) == (1, 2)

    def test_a_task_of_another_instance_can_be_registered_here_while_this_instance_has_claimed_it(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()

        def register() -> None:
            if second._session.records.is_adopted("b"):  # type: ignore[union-attr]
                second.register(adder("b"))

        first.expose(register, "register")
        second.expose(register, "register")
        second.expose(jobs.add)
        first.register(Task(id="a", every=MINUTE, func=register))
        first.register(adder("b"))
        second._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        second.tick()
        second.tick()
        assert [run["status"] for run in second.history("b")] == ["failed", "success"]
        assert (second.store["b"].status, second.store["b"].result) == (TaskStatus.SUCCESS, 3)
        assert second.history("b")[0]["error"].partition(":")[0] == "not started"

    @pytest.mark.parametrize(("remover", "is_seen"), [("here", False), ("there", False), ("there", True)])
    def test_a_claim_of_a_removed_task_does_not_start_the_new_task_with_its_id(
        self, join: Join, clock: Clock, remover: str, is_seen: bool
    ) -> None:
        here, there, started = join(), join(), list[int | None]()

        def note() -> None:
            run = current_run()
            started.append(run and run.epoch)

        def replace() -> None:
            registry = {"here": here, "there": there}[remover]
            registry.remove("b")
            if is_seen:
                here.pause("c")
            registry.register(Task(id="b", every=MINUTE, func=note))
            if is_seen:
                here.pause("c")
            else:
                here.tick()

        here.expose(replace, "replace")
        for registry in (here, there):
            registry.expose(note, "note")
        here.register(Task(id="a", every=MINUTE, func=replace))
        here.register(Task(id="b", every=MINUTE, func=note))
        here.register(adder("c", run_at=at(clock) + timedelta(1), every=None))
        here._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        here.tick()
        here.tick()
        found = [(run["epoch"], (run["error"] or "").partition(":")[0]) for run in here.history("b")]
        assert (started, found) == ([2], [(1, "not started"), (2, "")])

    @pytest.mark.parametrize(
        ("meanwhile", "started", "found"),
        [
            (lambda here, _: (here.pause("a"), here.resume("a")), [1], ["success"]),
            (lambda here, _: here.run_now("a"), [1, 2], ["success", "success"]),
            (lambda here, _: here.update("a", args=()), [1], ["success"]),
            (lambda here, _: (here.remove("a"), here.register(_noting())), [2], ["failed", "success"]),
            (lambda here, there: (there.remove("a"), there.register(_noting())), [1, 2], ["success", "success"]),
            (
                lambda here, there: (there.remove("a"), there.register(_noting()), here.pause("a"), here.resume("a")),
                [2],
                ["failed", "success"],
            ),
        ],
    )
    def test_management_calls_before_the_answer_to_a_claim_take_effect(
        self, join: Join, meanwhile: Callable[[TaskRegistry, TaskRegistry], Any], started: list[int], found: list[str]
    ) -> None:
        here, there = join(), join()
        here.register(_noting())
        there.expose(jobs.note_epoch)
        backend, noted = here._session.backend, jobs.EPOCHS  # type: ignore[union-attr]
        claim = backend.claim
        noted.clear()

        def late(*arguments: Any) -> Any:
            backend.claim = claim  # type: ignore[method-assign]
            won = claim(*arguments)
            meanwhile(here, there)
            return won

        backend.claim = late  # type: ignore[method-assign]
        for _ in range(3):
            here.tick()
        assert (noted, [run["status"] for run in here.history("a")]) == (started, found)

    def test_an_assigned_status_cancels_a_claim(self, join: Join) -> None:
        registry = join()

        def end_claim_by_status() -> None:
            registry.store["b"].status = TaskStatus.FAILED
            registry.update("c", args=(3, 4))

        registry.expose(end_claim_by_status, "take away")
        registry.register(adder("a", func=end_claim_by_status, args=()))
        registry.register(adder("b"))
        registry.register(adder("c", at="00:00", every=None, paused=True))
        registry._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        registry.tick()
        started = runs(registry, "b")
        registry.tick()
        assert (started, runs(registry, "b"), registry.store["b"].result) == (1, 2, 3)


class TestBatch:
    @pytest.mark.parametrize(
        ("runs_of_batch", "seconds", "size"),
        [(64, 0.001, 256), (3, 0.001, 64), (64, 0.2, 32), (2, 1.0, 1), (64, 0.0, 256)],
    )
    def test_the_inline_batch_size_follows_the_duration_of_runs(
        self, alone: TaskRegistry, runs_of_batch: int, seconds: float, size: int
    ) -> None:
        claims = alone._session.claims  # type: ignore[union-attr]  # it has one
        claims.inline_batch = 64
        claims.adapt_batch(runs_of_batch, seconds)
        assert claims.size(is_inline=True) == size

    def test_a_slow_store_does_not_shrink_the_batch(self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        session, seconds = alone._session, [0.0]
        assert session is not None
        claim = session.backend.claim

        def dawdle(*arguments: Any) -> dict[str, int]:
            seconds[0] += 1
            return claim(*arguments)

        monkeypatch.setattr(session.backend, "claim", dawdle)
        alone.register(adder())
        monkeypatch.setattr("est_alan_scheduler.cluster.session.monotonic", lambda: seconds[0])
        alone.tick()
        assert (seconds, session.claims.size(is_inline=True)) == ([1.0], 4)

    def test_an_outage_between_two_batches_ends_the_tick_and_loses_no_run(
        self, registry: TaskRegistry, flaky: Flaky, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failing = {"claim"}
        monkeypatch.setattr(claims, "_SHORT", 0.0)  # batches do not grow
        func = registry.expose(lambda: flaky.fails_before.update(failing), "func")
        tasks = [registry.register(Task(id=str(number), every=MINUTE, func=func)) for number in range(4)]
        registry.tick()
        assert [task.id for task in tasks if task.status is TaskStatus.SUCCESS] == ["0"]
        assert caplog.records[0].message == (
            "The store is out of reach, and nothing starts until it is back: memory: out of reach"
        )
        failing.clear()
        flaky.fails_before.clear()
        end_pause(registry)
        registry.tick()
        assert {task.status for task in tasks} == {TaskStatus.SUCCESS}
