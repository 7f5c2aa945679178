"""A store that was emptied: all tasks are put back."""

from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry, TaskStatus
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import Join, adder, events_of, runs
from tests.jobs import boom


@pytest.mark.parametrize("store", SHARED, indirect=True)
class TestEmptied:
    @pytest.mark.parametrize("revision", [None, 0])
    def test_all_tasks_are_put_back_into_an_emptied_store_with_the_next_tick(
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

    def test_a_thousand_tasks_are_put_back_in_a_handful_of_round_trips(
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
        assert len(store.open(clock).fetch(None, 0).states) == 1_000
        registry.shutdown(0)

    def test_an_emptied_store_is_noticed_even_after_many_changes_by_another_instance(
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
        assert set(store.open(clock).fetch(None, 0).states) == {"a", "b"}

    def test_a_pause_of_all_tasks_outlives_an_emptied_store(self, join: Join, store: Store, clock: Clock) -> None:
        first, second = join(), join()
        task = first.register(adder())
        first.pause_all()
        second.tick()
        clock.advance(1)
        store.empty()
        for registry in (first, second, first):
            registry.tick()
        assert (first.is_paused, second.is_paused, join().is_paused, task.status) == (True, True, True, "pending")

    def test_a_run_in_flight_when_the_store_is_emptied_ends_late_and_its_task_goes_on(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
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
        expected = "its run was interrupted: the store was emptied"
        assert (task.status, task.error_message, runs(first, "a")) == (TaskStatus.FAILED, expected, 0)
        clock.advance(60)
        for registry in (second, second, first):  # with the first tick it finds its lease gone, too
            registry.tick()
        assert (task.status, task.result, runs(first, "a")) == (TaskStatus.SUCCESS, clock.now, 1)

    def test_a_run_in_flight_on_a_single_instance_when_the_store_is_emptied_is_recorded_in_its_task(
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

        began, events = clock.now, events_of(first)
        first.expose(lose, "lose")
        first.register(adder(func=lose, args=()))
        for _ in range(2):
            first.tick()
        first.tick()
        assert len(events) == first.statistics().runs == 1
        stored = store.open(clock).fetch(None, 0).states["a"]
        assert (stored.status, stored.result) == (TaskStatus.SUCCESS, str(clock.now))

    def test_a_task_claimed_before_the_store_was_emptied_does_not_start(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first = join()

        def lose() -> None:
            clock.advance(1)
            store.empty()
            first.resume("a")  # which fetches from the store

        first.expose(lose, "lose")
        first.register(adder("a", func=lose, args=()))
        other = first.register(adder("b"))
        first._session.claims.inline_batch = 10  # type: ignore[union-attr]  # both in one batch
        first.tick()
        assert other.status is TaskStatus.PENDING
        for _ in range(2):
            first.tick()
        assert (other.result, runs(first, "b")) == (3, 1)

    def test_an_edit_that_is_still_to_be_written_then_is_so(self, join: Join, store: Store, clock: Clock) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        clock.advance(1)
        store.empty()
        task.paused = True
        for _ in range(3):
            registry.tick()
        assert store.open(clock).fetch(None, 0).states["a"].paused is True


def test_a_row_that_the_store_has_lost_is_noticed_by_a_claim_and_put_back(alone: TaskRegistry, clock: Clock) -> None:
    backend: Any = alone._session.backend  # type: ignore[union-attr]  # it has one
    alone.register(adder())
    alone.tick()
    clock.advance(60)
    del backend._rows["a"]
    for _ in range(3):  # refused, found to be gone, written anew
        alone.tick()
    assert (backend.fetch(["a"], 0).states["a"].epoch, len(alone.store["a"].history)) == (1, 2)
