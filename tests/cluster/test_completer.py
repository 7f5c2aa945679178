"""Outcomes: how they are written, when they are published, and runs that end late."""

import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from est_alan_scheduler import Event, Retry, TaskRegistry, TaskStatus
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.rows import RunOutcome
from est_alan_scheduler.cluster import completer as outcomes
from est_alan_scheduler.cluster.lease import Heartbeat
from est_alan_scheduler.fields import serialization
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, Join, adder, end_pause, events_of, noop, outlive_lease, reap, runs
from tests.jobs import boom
from tests.ways import wait_until


def give_tuple() -> tuple[int, set[int]]:
    return 1, {2}


class TestWrite:
    def test_a_result_that_json_cannot_hold_becomes_its_repr(self, alone: TaskRegistry) -> None:
        task = alone.register(adder(func=give_tuple, args=()))
        pair = alone.register(adder("pair", func=jobs.echo, args=([1, {"b": None}],)))
        alone.tick()
        assert (task.result, pair.result) == ("(1, {2})", [1, {"b": None}])

    def test_a_result_too_large_for_a_store_becomes_its_repr(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(serialization, "_LARGEST", 2_000)
        short, long = (
            alone.register(adder(str(length), func=operator.mul, args=("x", length))) for length in (1_990, 2_000)
        )
        alone.tick()
        alone.tick()
        assert (short.result, long.result) == ("x" * 1_990, short_repr("x" * 2_000))

    def test_large_outcomes_are_written_in_several_batches(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outcomes, "_LARGEST_WRITE", 10)
        session, backend, sizes = alone._session, alone.backend, []
        assert session is not None
        assert isinstance(backend, MemoryBackend)
        finish = backend.finish

        def note(owner: str, batch: Any) -> Any:
            sizes.append(len(batch))
            return finish(owner, batch)

        monkeypatch.setattr(backend, "finish", note)
        monkeypatch.setattr(Heartbeat, "flush_soon", lambda *_: None)
        session.claims.inline_batch = 10
        for number, length in enumerate((2, 4, 20, 2)):
            alone.register(adder(str(number), func=operator.mul, args=("x", length)))
        alone.tick()
        assert sizes == [2, 1, 1]

    def test_outcomes_added_while_a_batch_is_filled_wait_for_the_next_batch(self, alone: TaskRegistry) -> None:
        session = alone._session
        assert session is not None
        queue = session.completer._queue

        class Growing(str):
            def __len__(self) -> int:
                queue.append((outcome, None))
                return 1

        outcome = RunOutcome("a", 1, 0, TaskStatus.SUCCESS, result=Growing("x"))
        queue.append((outcome, None))
        queue.append((outcome, None))
        assert len(session.completer.next_batch()) == 2
        queue.clear()

    @pytest.mark.parametrize("when", ["fails_before", "fails_after"])
    def test_outcomes_are_kept_during_an_outage_and_written_after_the_outage(
        self, flaky: Flaky, registry: TaskRegistry, when: str
    ) -> None:
        task = registry.register(adder())
        setattr(flaky, when, {"finish"})
        registry.tick()
        assert task.status is TaskStatus.SUCCESS
        setattr(flaky, when, set())
        end_pause(registry)
        registry.tick()
        assert [(run["status"], run["late"]) for run in registry.history("a")] == [("success", False)]
        assert task.status is TaskStatus.SUCCESS

    def test_a_resume_before_the_answer_to_a_written_outcome_is_kept(self, join: Join, clock: Clock) -> None:
        here, there = join(), join()
        there.expose(jobs.add)
        here.register(adder())
        here.tick()
        here.pause("a")
        here.run_now("a")
        backend: Any = here._session and here._session.backend
        finish = backend.finish

        def late(*arguments: Any) -> Any:
            backend.finish = finish
            recorded = finish(*arguments)
            there.resume("a")
            here._session.replica.refresh()  # type: ignore[union-attr]
            return recorded

        backend.finish = late
        here.tick()
        clock.advance(60)
        here.tick()
        here.tick()
        assert (runs(here, "a"), here.store["a"].paused) == (3, False)

    def test_a_request_between_the_end_of_a_run_and_its_record_is_not_lost(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Heartbeat, "flush_soon", lambda *_: None)
        with ThreadPoolExecutor(1) as pool:
            here, there = join(executor=pool), join()
            there.expose(jobs.add)
            for number, asking in enumerate((here, there)):
                task = here.register(adder(str(number), every={"hours": 1}))
                here.tick()
                wait_until(lambda task=task: task.status is TaskStatus.SUCCESS)  # type: ignore[misc]  # lambda
                asking.run_now(str(number))
                here._management.catch_up(str(number))
                here.tick()
                here.tick()
                wait_until(lambda task=task: task.status is TaskStatus.SUCCESS)  # type: ignore[misc]  # lambda
                assert runs(here, str(number)) == 2


class TestSubscribers:
    def test_an_outcome_is_published_once_the_store_has_it(self, join: Join) -> None:
        registry, other = join(), join()
        events: list[tuple[str, str, str]] = []

        def note(event: Event) -> None:
            events.append((event.name, event.task_id or "", other.history(event.task_id)[-1]["status"]))

        for name in ("succeeded", "failed", "retrying"):
            registry.on(name, note)
        registry.register(adder())
        registry.register(adder("bad", func=boom, args=(), retry=1))
        registry.tick()
        assert events == [("succeeded", "a", "success"), ("failed", "bad", "failed"), ("retrying", "bad", "failed")]

    def test_an_outcome_of_an_executor_is_published_once_the_store_has_it(self, join: Join) -> None:
        events = []
        with ThreadPoolExecutor(4) as pool:
            registry = join(executor=pool)
            registry.on("succeeded", lambda event: events.append(registry.history(event.task_id)[-1]["status"]))
            for number in range(20):
                registry.register(adder(str(number)))
            while len(events) < 20:
                registry.tick()
        assert events == ["success"] * 20

    @pytest.mark.parametrize(("func", "name"), [(noop, "succeeded"), (boom, "failed")])
    def test_an_outcome_of_a_task_that_another_instance_removed_is_published_and_counted(
        self, join: Join, func: Callable[[], object], name: str
    ) -> None:
        first, second = join(), join()
        events = events_of(first)

        def remove() -> None:
            second.remove("a")
            func()

        first.expose(remove, "remove")
        first.register(adder(func=remove, args=()))
        first.tick()
        assert ([event.name for event in events], first.statistics().runs) == ([name], 1)

    def test_a_retry_that_another_instance_has_started_is_published(self, join: Join) -> None:
        first, second = join(), join()
        published = []

        def go_on(event: Event) -> None:
            second.tick()
            first.tick()

        for registry in (first, second):
            registry.expose(boom, "boom")
        first.on("failed", go_on)
        first.on("retrying", lambda event: published.append(event.attempt))
        first.register(adder(func=boom, args=(), retry=Retry(max_retries=1, delay=0)))
        first.tick()
        assert ([run["attempt"] for run in second.history()], published) == ([1, 2], [1])

    def test_outcomes_are_published_in_order_after_an_outage(self, flaky: Flaky, registry: TaskRegistry) -> None:
        events: list[str | None] = []
        registry.on("succeeded", lambda event: events.append(event.task_id))
        registry._session.claims.inline_batch = 10  # type: ignore[union-attr]  # all in one batch
        for name in ("a", "b", "c"):
            registry.register(adder(name))
        flaky.fails_before = {"finish"}
        registry.tick()
        assert (events, registry.store["c"].result) == ([], 3)
        flaky.fails_before = set()
        end_pause(registry)
        registry.tick()
        assert events == ["a", "b", "c"]

    def test_outcomes_are_published_at_shutdown_if_the_outage_lasts(self, flaky: Flaky, registry: TaskRegistry) -> None:
        events: list[str | None] = []
        registry.on("succeeded", lambda event: events.append(event.task_id))
        registry.register(adder())
        flaky.fails_before = {"finish"}
        registry.tick()
        registry.shutdown(0)
        assert events == ["a"]

    def test_an_outcome_whose_write_was_not_answered_is_published_though_the_history_has_dropped_its_run(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        other, events = TaskRegistry(backend=flaky, lease=600), events_of(registry)
        for each in (registry, other):
            each.register(adder(history_limit=1))
        flaky.fails_after = {"finish"}
        registry.tick()
        flaky.fails_after = set()
        for _ in range(2):
            clock.advance(60)
            other.tick()
        end_pause(registry)
        registry.tick()
        assert ([event.name for event in events], registry.statistics().runs) == (["succeeded"], 1)
        other.shutdown()


class TestLateEnd:
    def test_a_late_outcome_changes_nothing(self, join: Join, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        first, second = join(), join()

        def outlive() -> int:
            outlive_lease(first, clock)
            reap(second)
            second.tick()
            return 7

        first.expose(outlive, "tests.jobs:add")
        task = first.register(adder(func=outlive, args=(1, 2), kwargs={}).model_copy(update={"args": ()}))
        second.expose(lambda: 5, "tests.jobs:add")
        first.tick()
        first.tick()
        assert (task.result, second.store["a"].result) == (5, 5)
        assert [(run["epoch"], run["late"], run["status"]) for run in first.history("a")] == [
            (1, True, "failed"),
            (2, False, "success"),
        ]
        assert (
            "Run 1 of task 'a' ended late (success): it had lost its task before, and changes nothing." in caplog.text
        )

    def test_after_a_late_outcome_the_task_is_as_in_the_store(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()

        def outlive() -> int:
            outlive_lease(first, clock)
            reap(second)
            return 7

        first.expose(outlive, "outlive")
        second.expose(boom, "outlive")
        task = first.register(adder(every={"hours": 1}, func=outlive, args=()))
        first.tick()
        first.tick()
        assert task.error_message is not None
        assert (task.status, task.result, task.error_message.partition(":")[0]) == (
            TaskStatus.FAILED,
            None,
            "lease expired",
        )

    def test_a_dead_run_has_consumed_no_fresh_input(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        given = []

        def outlive(dep_source: int) -> None:
            given.append(dep_source)
            if len(given) == 1:
                outlive_lease(first, clock)
                reap(second)

        fresh: dict[str, Any] = {"args": (), "depends_on": ["source"], "depends_on_mode": "fresh"}
        first.expose(outlive, "outlive")
        second.expose(outlive, "outlive")
        first.register(adder("source", every={"days": 1}))
        task = first.register(adder("sink", func=outlive, **fresh))
        for _ in range(4):
            first.tick()
        assert (given, [run["late"] for run in first.history("sink")]) == ([3, 3], [True, False])
        assert task.consumed == {"source": first.store["source"].last_success_at}

    def test_a_late_outcome_is_not_published_though_the_history_has_dropped_its_dead_run(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        events = events_of(first)

        def outlive() -> None:
            outlive_lease(first, clock)
            reap(second)
            for _ in range(2):
                second.tick()
                clock.advance(60)

        first.expose(outlive, "run")
        second.expose(noop, "run")
        first.register(adder(func=outlive, args=(), history_limit=1))
        second.register(adder(func=noop, args=(), history_limit=1))
        first.tick()
        assert ([event.name for event in events], first.statistics().runs) == ([], 0)
        assert second.statistics().runs == 3

    @pytest.mark.parametrize("is_success", [True, False])
    def test_a_late_outcome_is_neither_published_nor_counted(self, join: Join, clock: Clock, is_success: bool) -> None:
        first, second = join(), join()
        events, events_of_second = events_of(first), events_of(second)

        def outlive() -> None:
            outlive_lease(first, clock)
            reap(second)
            second.tick()
            clock.advance(60)
            second.tick()
            if not is_success:
                raise ValueError("boom")

        for registry, func in ((first, outlive), (second, noop)):
            registry.expose(func, "func")
            retry = Retry(max_retries=1, delay=60, jitter=0)
            registry.register(adder(every={"hours": 1}, func=func, args=(), retry=retry))
        first.tick()
        assert [event.name for event in events] == []
        assert [event.name for event in events_of_second] == ["failed", "retrying", "succeeded"]
        assert [registry.statistics("a").failures for registry in (first, second)] == [0, 1]
        assert first.statistics().runs == first.statistics("a").runs == 0
        (line,), (stored, _) = first.store["a"].history, first.history("a")
        assert line == {key: stored[key] for key in line}
        assert (line["status"], line["error"].partition(":")[0]) == ("failed", "lease expired")

    def test_a_late_outcome_of_a_run_that_started_after_a_slow_claim_is_neither_published_nor_counted(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        events, session = events_of(first), first._session
        assert session is not None
        claim = session.backend.claim

        def claim_slowly(*arguments: Any) -> Any:
            answer = claim(*arguments)
            clock.advance(1)
            return answer

        def outlive() -> None:
            outlive_lease(first, clock)
            reap(second)

        monkeypatch.setattr(session.backend, "claim", claim_slowly)
        first.expose(outlive, "outlive")
        second.expose(noop, "outlive")
        first._execute(first.register(adder(every={"hours": 1}, func=outlive, args=())))
        first.tick()
        assert ([event.name for event in events], first.statistics().runs) == ([], 0)

    def test_a_run_requested_during_a_dead_run_that_goes_on_here_is_not_lost(self, join: Join, clock: Clock) -> None:
        here, there = join(), join()

        def stall() -> None:
            if runs(here, "a") > 1:
                return
            here.run_now("a")
            outlive_lease(here, clock)
            reap(there)
            there.tick()
            assert (runs(there, "a"), there.store["a"].run_requested) == (2, None)
            here.run_now("a")  # it is not the one that stood here

        for registry in (here, there):
            registry.expose(stall, "stall")
        here.register(adder("a", func=stall, args=(), every={"hours": 2}))
        here.tick()
        there.tick()
        assert runs(there, "a") == 3
