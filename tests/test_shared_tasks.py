"""What is managed on one instance, and holds for all who share the tasks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import Event, TaskRegistry, TaskStatus
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.cluster.heartbeat import Beat
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.test_ledger import Join, _reap, adder, boom, heard_by, outlive_lease, runs
from tests.ways import wait_until


class TestPauseAll:
    def test_nothing_starts_on_any_instance_until_any_other_resumes_all(self, join: Join, clock: Clock) -> None:
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

    def test_it_outlives_all_instances(self, join: Join) -> None:
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

    def test_the_store_refuses_who_has_not_heard_of_it(self, join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = join(), join()
        task = second.register(adder())
        ledger: Any = second._ledger
        prepare = ledger.prepare
        monkeypatch.setattr(ledger, "prepare", lambda *asked: (prepare(*asked), first.pause_all())[0])  # type: ignore[func-returns-value]
        second.tick()
        assert (task.status, runs(first, "a")) == (TaskStatus.PENDING, 0)

    def test_what_is_claimed_does_not_start_once_it_is_seen(self, join: Join) -> None:
        first, second = join(), join()

        def stop() -> None:
            first.pause_all()
            second.resume("b")  # it is not paused, but this has a look at the store

        second.expose(stop, "stop")
        second.register(adder("a", func=stop, args=()))
        other = second.register(adder("b"))
        second._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        second.tick()
        assert other.status is TaskStatus.PENDING
        assert [run["error"].partition(":")[0] for run in first.history("b")] == ["not started"]
        first.resume_all()
        second.tick()
        assert [run["status"] for run in first.history("b")] == ["failed", "success"]

    def test_a_tick_under_way_claims_no_more(self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop() -> None:
            alone.pause_all()
            monkeypatch.setattr(alone.backend, "claim", lambda *_: pytest.fail("it claims"))

        alone.expose(stop, "stop")
        alone.register(adder("a", func=stop, args=()))
        alone.register(adder("b"))
        alone.tick()
        assert runs(alone, "a") == 1

    def test_a_task_that_is_paused_on_its_own_stays_so(self, join: Join) -> None:
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

    def test_it_is_told_where_it_was_called_and_once(self, join: Join) -> None:
        first, second = join(), join()
        heard: list[tuple[str, Event]] = []
        for name, registry in (("first", first), ("second", second)):
            for event in ("paused", "resumed"):
                registry.on(event, lambda event, name=name: heard.append((name, event)))  # type: ignore[misc]
        first.pause_all()
        second.pause_all()
        second.resume_all()
        first.resume_all()
        for registry in (first, second):
            registry.tick()
        assert heard == [("first", Event("paused", None)), ("second", Event("resumed", None))]

    def test_who_joins_while_it_is_paused_stays_so_by_itself(self, clock: Clock) -> None:
        backend = MemoryBackend(clock)
        other, registry = TaskRegistry(backend=backend), TaskRegistry()
        heard: list[Event] = []
        for event in ("paused", "resumed"):
            registry.on(event, heard.append)
        registry.pause_all()
        registry.configure(backend=backend)
        other.tick()
        assert (registry.is_paused, other.is_paused) == (True, False)
        registry.pause_all()
        other.tick()
        assert other.is_paused
        other.resume_all()
        registry.tick()
        assert (registry.is_paused, heard) == (False, [Event("paused", None)] * 2)
        for one in (registry, other):
            one.shutdown(0)

    def test_resume_all_lets_who_was_paused_by_itself_go_on(self, clock: Clock) -> None:
        registry = TaskRegistry()
        registry.pause_all()
        registry.configure(backend=MemoryBackend(clock))
        heard: list[Event] = []
        registry.on("resumed", heard.append)
        registry.resume_all()
        assert (registry.is_paused, heard) == (False, [Event("resumed", None)])
        registry.shutdown(0)

    def test_who_leaves_a_backend_that_is_paused_stays_so(self, alone: TaskRegistry) -> None:
        alone.pause_all()
        alone.configure(backend=None)
        assert alone.is_paused

    def test_another_lease_is_no_leaving(self, alone: TaskRegistry) -> None:
        alone.pause_all()
        alone.configure(lease=300)
        other = TaskRegistry(backend=alone.backend)
        other.resume_all()
        alone.tick()
        assert not alone.is_paused
        other.shutdown(0)


class TestUnresolved:
    def test_an_unknown_function_is_no_reason_to_keep_a_task(self, join: Join) -> None:
        first, second = join(), join()
        task = first.register(adder(func=boom, args=()))
        second.tick()
        assert list(second.unresolved()) == ["a"]
        heard: list[Event] = []
        second.on("removed", heard.append)
        assert second.remove("a") is None
        assert (second.unresolved(), heard) == ({}, [Event("removed", "a")])
        for registry in (first, second):
            registry.tick()
        assert (list(first.store), second.unresolved(), join().unresolved()) == ([], {}, {})
        with pytest.raises(KeyError, match="no task 'a' is registered"):
            second.remove("a")
        assert first.register(task) is task

    def test_no_more_is_a_row_that_cannot_be_read(self, join: Join, store: Store) -> None:
        first, second = join(), join()
        first.register(adder())
        store.spoil("a", "definition", "nonsense")
        assert second.remove("a") is None
        first.tick()
        assert (list(first.store), first.unresolved(), join().unresolved()) == ([], {}, {})

    def test_nor_an_id_that_no_store_can_hold(self, join: Join) -> None:
        registry = join()
        task = registry.store["x\0"] = adder("x\0")
        registry.tick()
        assert list(registry.unresolved()) == ["x\0"]
        assert registry.remove("x\0") is task
        assert registry.unresolved() == {}

    def test_one_that_cannot_be_shared_hinders_no_other_that_was_put_in_with_it(self, alone: TaskRegistry) -> None:
        for task in (adder("a", func=lambda: None, args=()), adder("b")):
            alone.store[task.id] = task
        for _ in range(2):
            alone.tick()
        assert (list(alone.unresolved()), runs(alone, "b")) == (["a"], 1)

    def test_whatever_else_is_asked_says_what_to_do(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder(func=boom, args=()))
        second.tick()
        attempts: list[Callable[[], object]] = [
            lambda: second.pause("a"),
            lambda: second.resume("a"),
            lambda: second.run_now("a"),
            lambda: second.update("a", args=()),
        ]
        for attempt in attempts:
            with pytest.raises(UnknownTaskError) as caught:
                attempt()
            assert str(caught.value) == (
                "task 'a' of the backend can only be removed here: its function 'tests.test_ledger:boom' is unknown"
                " here: register or expose it"
            )


class TestJoin:
    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_the_past_of_a_thousand_tasks_takes_a_handful_of_round_trips(
        self, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = [str(number) for number in range(1_000)]
        backend = store.open(clock)

        def start() -> TaskRegistry:
            registry = TaskRegistry()
            for task_id in ids:
                registry.register(adder(task_id, history_limit=1 if task_id == "1" else 100))
            registry.configure(backend=backend, lease=600)
            return registry

        first = start()
        for _ in range(2):
            first.tick()
            clock.advance(60)
        first.shutdown()
        with store.round_trips(monkeypatch) as trips:
            second = start()
        assert len(trips) <= 12
        assert [len(second.store[task_id].history) for task_id in ids] == [2, 1, *[2] * 998]
        second.shutdown(0)


@pytest.mark.parametrize("store", SHARED, indirect=True)
class TestEmptied:
    @pytest.mark.parametrize("revision", [None, 0])
    def test_all_tasks_are_put_back_with_the_next_tick(
        self, join: Join, store: Store, clock: Clock, revision: int | None
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        ids = [str(number) for number in range(5)]
        for task_id in ids:
            first.register(adder(task_id))
        first.pause("4")
        first.tick()
        second.tick()
        clock.advance(1)
        store.empty(revision)
        first.tick()
        first.tick()
        third = join()
        third.expose(jobs.add)
        third.tick()
        assert [runs(third, task_id) for task_id in ids] == [0] * 5  # their slots had run
        assert [third.store[task_id].result for task_id in ids] == [3, 3, 3, 3, None]
        assert [third.store[task_id].paused for task_id in ids] == [False, False, False, False, True]
        clock.advance(60)
        second.tick()
        for registry in (second, first, third):
            registry.tick()
        assert [runs(third, task_id) for task_id in ids] == [1, 1, 1, 1, 0]

    def test_a_thousand_are_put_back_in_a_handful_of_round_trips(
        self, join: Join, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = TaskRegistry()
        for number in range(1_000):
            registry.register(adder(str(number), last_run_at=datetime(2027, 1, 1), every={"days": 1_000}))
        registry.configure(backend=store.open(clock), lease=600)
        registry.tick()
        clock.advance(1)
        store.empty()
        with store.round_trips(monkeypatch) as trips:
            registry.tick()
            registry.tick()
        assert len(trips) <= 40
        assert len(store.open(clock).look(None, 0).states) == 1_000
        registry.shutdown(0)

    def test_it_is_noticed_also_when_others_have_changed_much_since(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first, second = join(), join()
        first.register(adder("a"))
        second.register(adder("b", func=boom, args=()))
        second.tick()
        clock.advance(1)
        store.empty()
        first.tick()
        first.tick()
        for _ in range(5):
            first.pause("a")
            first.resume("a")
        for _ in range(2):
            second.tick()
        assert set(store.open(clock).look(None, 0).states) == {"a", "b"}

    def test_all_stays_paused(self, join: Join, store: Store, clock: Clock) -> None:
        first, second = join(), join()
        task = first.register(adder())
        first.pause_all()
        second.tick()
        clock.advance(1)
        store.empty()
        for registry in (first, second, first):
            registry.tick()
        assert (first.is_paused, second.is_paused, join().is_paused, task.status) == (True, True, True, "pending")

    def test_a_run_under_way_ends_late_and_its_task_goes_on(self, join: Join, store: Store, clock: Clock) -> None:
        first, second = join(), join()

        def lose() -> int:
            if clock.now == began:
                second.tick()  # and sees it running
                clock.advance(1)
                store.empty()
                for registry in (first, second, second):
                    registry.tick()
            return clock.now

        began = clock.now
        for registry in (first, second):
            registry.expose(lose, "lose")
            registry.register(adder(func=lose, args=()))
        first.tick()
        first.tick()
        task = first.store["a"]
        lost = "its run was lost: the store was emptied"
        assert (task.status, task.error_message, runs(first, "a")) == (TaskStatus.FAILED, lost, 0)
        clock.advance(60)
        for registry in (second, second, first):  # with the first tick it finds its lease gone, too
            registry.tick()
        assert (task.status, task.result, runs(first, "a")) == (TaskStatus.SUCCESS, clock.now, 1)

    def test_a_run_under_way_without_others_is_recorded_in_its_task(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first = join()

        def lose() -> int:
            if clock.now == began:
                clock.advance(1)
                store.empty()
                first.tick()
                first.tick()
            return clock.now

        began, heard = clock.now, heard_by(first)
        first.expose(lose, "lose")
        first.register(adder(func=lose, args=()))
        for _ in range(2):
            first.tick()
        first.tick()
        assert len(heard) == first.statistics().runs == 1
        stored = store.open(clock).look(None, 0).states["a"]
        assert (stored.status, stored.result) == (TaskStatus.SUCCESS, str(clock.now))

    def test_what_was_claimed_does_not_start(self, join: Join, store: Store, clock: Clock) -> None:
        first = join()

        def lose() -> None:
            clock.advance(1)
            store.empty()
            first.resume("a")  # which has a look at the store

        first.expose(lose, "lose")
        first.register(adder("a", func=lose, args=()))
        other = first.register(adder("b"))
        first._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        first.tick()
        assert other.status is TaskStatus.PENDING
        for _ in range(2):
            first.tick()
        assert (other.result, runs(first, "b")) == (3, 1)


class TestAtTheSameMoment:
    """What others, or other threads, do between two steps of an instance."""

    def test_an_update_is_not_lost_to_another_one(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        edits: Any = first._ledger and first._ledger.edits
        publish, ticking = edits.publish, threading.Thread(target=first.tick)

        def late(*arguments: Any) -> bool:
            edits.publish = publish
            second.update("a", args=(5, 6))
            ticking.start()
            ticking.join(0.03)
            return bool(publish(*arguments))

        edits.publish = late
        first.update("a", every={"hours": 2})
        ticking.join(10)
        second.tick()
        found = [(registry.store["a"].every, registry.store["a"].args) for registry in (first, second)]
        assert found == [({"hours": 2}, (5, 6))] * 2

    def test_what_closes_a_circle_with_tasks_of_others_is_not_written(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder("b", depends_on=["a"]))
        with pytest.raises(ValueError, match=r"^Task 'a' would depend on itself: a -> b -> a$"):
            second.register(adder("a", depends_on=["b"]))
        first.tick()
        assert list(first.store) == ["b"]

    def test_what_is_managed_before_it_is_known_that_an_outcome_is_written(self, join: Join, clock: Clock) -> None:
        here, there = join(), join()
        there.expose(jobs.add)
        here.register(adder())
        here.tick()
        here.pause("a")
        here.run_now("a")
        backend: Any = here._ledger and here._ledger.backend
        finish = backend.finish

        def late(*arguments: Any) -> Any:
            backend.finish = finish
            recorded = finish(*arguments)
            there.resume("a")
            here._ledger.tasks.refresh()  # type: ignore[union-attr]
            return recorded

        backend.finish = late
        here.tick()
        clock.advance(60)
        here.tick()
        here.tick()
        assert (runs(here, "a"), here.store["a"].paused) == (3, False)

    def test_a_request_that_was_made_stronger_outlives_that_its_claim_is_given_back(self, join: Join) -> None:
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
        here._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        here.tick()
        here.tick()
        state = here._ledger.backend.look(["b"], 0).states["b"]  # type: ignore[union-attr]
        assert (state.status, state.run_requested, here.store["b"].run_requested) == (TaskStatus.PENDING, 2, "force")

    def test_a_pause_by_assignment_in_the_middle_of_a_run_stays(self, join: Join) -> None:
        here, there = join(), join()

        def stop() -> None:
            here.store["a"].paused = True
            there.run_now("a")
            here._management.catch_up("a")

        here.expose(stop, "stop")
        there.expose(stop, "stop")
        here.register(adder(func=stop, args=()))
        here.tick()
        here.tick()
        there.tick()
        assert (here.store["a"].paused, there.store["a"].paused) == (True, True)

    def test_a_status_that_is_assigned_takes_a_claim_away(self, join: Join) -> None:
        registry = join()

        def take_away() -> None:
            registry.store["b"].status = TaskStatus.FAILED
            registry.update("c", args=(3, 4))

        registry.expose(take_away, "take away")
        registry.register(adder("a", func=take_away, args=()))
        registry.register(adder("b"))
        registry.register(adder("c", at="00:00", every=None, paused=True))
        registry._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        registry.tick()
        started = runs(registry, "b")
        registry.tick()
        assert (started, runs(registry, "b"), registry.store["b"].result) == (1, 2, 3)

    def test_who_leaves_a_backend_takes_in_no_answer_of_it(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        backend: Any = second._ledger and second._ledger.backend
        look = backend.look

        def late(*arguments: Any) -> Any:
            backend.look = look
            first.register(adder())
            view = look(*arguments)
            second.configure(backend=None)
            return view

        backend.look = late
        second.tick()
        assert (list(first.store), list(second.store)) == (["a"], [])

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_what_is_interrupted_while_it_is_written_is_written_later(
        self, join: Join, error: type[BaseException]
    ) -> None:
        here, there = join(), join()
        there.expose(jobs.add)
        task = here.register(adder())
        here.tick()
        backend: Any = here._ledger and here._ledger.backend
        change = backend.change

        def fail(_: Any) -> Any:
            backend.change = change
            raise error

        backend.change = fail
        task.args = (5, 6)
        with pytest.raises(error):
            here.tick()
        here.tick()
        there.tick()
        assert there.store["a"].args == (5, 6)

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_what_is_interrupted_while_a_claim_is_given_back_is_given_back_later(
        self, alone: TaskRegistry, error: type[BaseException]
    ) -> None:
        backend: Any = alone._ledger and alone._ledger.backend
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
        alone._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        with pytest.raises(error):
            alone.tick()
        alone.resume("b")
        alone.tick()
        assert alone.store["b"].result == 3

    def test_what_is_asked_is_known_also_of_a_run_that_has_lost_its_task(self, join: Join, clock: Clock) -> None:
        here, there = join(), join()

        def stall() -> None:
            if runs(here, "a") > 1:
                return
            here.run_now("a")
            outlive_lease(here, clock)
            _reap(there)
            there.tick()
            assert (runs(there, "a"), there.store["a"].run_requested) == (2, None)
            here.run_now("a")  # it is not the one that stood here

        for registry in (here, there):
            registry.expose(stall, "stall")
        here.register(adder("a", func=stall, args=(), every={"hours": 2}))
        here.tick()
        there.tick()
        assert runs(there, "a") == 3

    def test_of_a_run_that_has_lost_its_task_what_was_asked_last_stands(self, join: Join, clock: Clock) -> None:
        here, there = join(), join()
        tasks: Any = here._ledger and here._ledger.tasks

        def stall() -> None:
            outlive_lease(here, clock)
            _reap(there)
            there.pause("a")
            older = there._ledger.backend.look(["a"], 0).states["a"]  # type: ignore[union-attr]
            here.resume("a")
            with here._lock:
                tasks.take_state(older)
            assert here.store["a"].paused is False

        for registry in (here, there):
            registry.expose(stall, "stall")
        here.register(adder("a", func=stall, args=()))
        here.tick()
        assert [run["result"] for run in here.history("a")] == ["None"]

    def test_what_is_asked_is_known_also_of_a_task_whose_id_a_run_here_had_before(self, join: Join) -> None:
        here, there = join(), join()

        def stall() -> None:
            there.remove("a")
            here._management.catch_up("a")
            there.register(adder("a", func=stall, args=()))
            there.pause("a")
            here.resume("a")

        for registry in (here, there):
            registry.expose(stall, "stall")
        here.register(adder("a", func=stall, args=()))
        here.tick()
        there._management.catch_up("a")
        assert (here.store["a"].paused, there.store["a"].paused) == (False, False)

    def test_a_request_between_the_end_of_a_run_and_its_record_is_not_lost(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Beat, "hurry", lambda *_: None)
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
