"""Tombstones of removed tasks, on real stores: kept as long as anything needs them, and then dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.redis.fields import loaded
from est_alan_scheduler.backends.rows import HIGHEST, Change, State
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import LEASE, Clock, Store, claim, define, state, success

if TYPE_CHECKING:
    from est_alan_scheduler.backends.redis.backend import RedisBackend


def drop_all(backend: Backend) -> int:
    return sum(iter(backend.drop_tombstones, 0))


def begin_anew(backend: Backend, running: State, clock: Clock) -> State:
    """Remove the task that runs, drop its tombstone, and define it anew."""
    backend.remove([running.id])
    backend.finish("me", [success(running.id, running.epoch)])
    clock.advance(LEASE)
    assert backend.drop_tombstones() == 1
    backend.renew("me", LEASE)
    return define(backend, running.id)[running.id]


class TestDrop:
    def test_waits_for_the_end_of_all_leases_of_the_time_of_the_removal(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        backend.renew("short", LEASE)
        backend.renew("long", 2 * LEASE)
        backend.remove(["a"])
        clock.advance(LEASE)
        backend.renew("short", LEASE)
        assert backend.drop_tombstones() == 0
        clock.advance(LEASE - 1)
        backend.renew("long", 2 * LEASE)  # it can have seen the removal by now
        assert backend.drop_tombstones() == 0
        clock.advance(1)
        assert (backend.drop_tombstones(), backend.drop_tombstones()) == (1, 0)

    @pytest.mark.parametrize("seconds", [0.1, 3 * 86_400])
    def test_a_lease_that_was_over_or_is_of_a_wrong_clock_does_not_count(
        self, backend: Backend, clock: Clock, seconds: float
    ) -> None:
        define(backend, "a")
        backend.renew("me", seconds)
        clock.advance(1)
        backend.remove(["a"])
        assert backend.drop_tombstones() == 1

    def test_waits_for_the_end_of_a_run_in_flight(self, backend: Backend, running: State, clock: Clock) -> None:
        backend.remove(["a"])
        clock.advance(LEASE)
        assert backend.drop_tombstones() == 0
        assert backend.finish("me", [success("a", running.epoch)]) == set()
        clock.advance(LEASE)
        assert backend.drop_tombstones() == 1
        assert [(run.task_id, run.epoch, run.late) for run in backend.history("a")] == [("a", 1, True)]
        assert [run.epoch for run in backend.past({"a": 5})["a"]] == [1]

    def test_a_task_that_is_there_again_has_none(self, backend: Backend, running: State, clock: Clock) -> None:
        backend.remove(["a"])
        again = define(backend, "a")["a"]
        clock.advance(LEASE)
        assert (backend.drop_tombstones(), state(backend, "a")) == (0, again)
        assert again.epoch == running.epoch

    def test_takes_at_most_so_many_at_a_time(self, backend: Backend) -> None:
        ids = [f"task {number:03}" for number in range(5)]
        define(backend, *ids, "kept")
        backend.remove(ids)
        assert [backend.drop_tombstones(2) for _ in range(4)] == [2, 2, 1, 0]
        assert set(backend.fetch(None, 0).states) == {"kept"}

    def test_a_tombstone_whose_version_is_out_of_range_stays_and_hinders_no_other(
        self, store: Store, backend: Backend
    ) -> None:
        define(backend, "a", "b")
        backend.remove(["a", "b"])
        store.spoil("a", "version", HIGHEST + 1)
        assert drop_all(backend) == 1
        assert define(backend, "b", "c")["b"].version < 10
        assert define(backend, "a")["a"].version > HIGHEST

    @pytest.mark.parametrize("store", ["redis"], indirect=True)
    @pytest.mark.parametrize(("key", "dropped"), [("task:a", 1), ("runs:a", 2)])
    def test_a_tombstone_of_which_a_key_has_a_wrong_type_hinders_no_other(
        self, store: Store, backend: RedisBackend, key: str, dropped: int
    ) -> None:
        define(backend, "a", "b")
        backend.remove(["a", "b"])
        backend._client.delete(f"{{{store.name}}}:{key}")
        backend._client.set(f"{{{store.name}}}:{key}", "text")
        assert drop_all(backend) == dropped

    @pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
    def test_nothing_to_drop_costs_one_read(
        self, store: Store, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        backend.remove(["b"])
        with store.round_trips(monkeypatch) as trips:
            backend.drop_tombstones()
        assert len([trip for trip in trips if trip != "COMMIT"]) == 1


class TestFence:
    def test_an_outcome_of_the_past_does_not_end_a_run_of_the_same_owner(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        fresh = begin_anew(backend, running, clock)
        assert backend.claim("me", "other", [claim("a", fresh.version)]) == {"a": fresh.epoch + 1}
        before = state(backend, "a")
        assert before.epoch > running.epoch
        assert backend.finish("me", [success("a", running.epoch)]) == set()
        assert state(backend, "a") == before
        assert backend.finish("me", [success("a", before.epoch)]) == {("a", before.epoch)}

    def test_a_decision_on_a_row_of_the_past_claims_and_assigns_nothing(self, backend: Backend) -> None:
        define(backend, "a")
        for paused in (True, False, True, False):
            backend.change([Change("a", paused=paused)])
        old = state(backend, "a")
        backend.remove(["a"])
        assert backend.drop_tombstones() == 1
        backend.renew("me", LEASE)
        fresh = define(backend, "a")["a"]
        assert fresh == State("a", fresh.version, fresh.epoch)
        assert fresh.version > old.version + 1
        for version in range(old.version + 2):
            assert backend.claim("me", "token", [claim("a", version)]) == {}

    def test_tasks_that_were_there_keep_their_versions_and_new_ones_begin_above(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.change([Change("a", paused=True)])
        before = state(backend, "b")
        backend.remove(["a"])
        gone = drop_all(backend)
        fresh = define(backend, "c")["c"]
        assert (gone, state(backend, "b"), before.is_first, fresh.is_first) == (1, before, True, True)
        assert (fresh.version, fresh.epoch) == (4, 3)

    def test_a_run_of_the_past_and_a_new_one_stand_side_by_side(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        fresh = begin_anew(backend, running, clock)
        backend.claim("me", "other", [claim("a", fresh.version, started=300)])
        assert [(run.epoch, run.late) for run in backend.history("a")] == [(1, True), (fresh.epoch + 1, False)]

    def test_epochs_of_an_id_only_grow_whatever_happens_at_the_same_time(self, store: Store, clock: Clock) -> None:
        backends = [store.open(clock) for _ in range(4)]
        latest: dict[str, int] = {}
        lock, failures = threading.Lock(), []

        def work(number: int) -> None:
            backend, owner = backends[number], f"owner {number}"
            for turn in range(25):
                task_id = "ab"[(turn + number) % 2]
                with lock:
                    before = latest.get(task_id, 0)
                backend.renew(owner, LEASE)
                fresh = define(backend, task_id)[task_id]
                won = backend.claim(owner, f"{owner} {turn}", [claim(task_id, fresh.version)])
                for epoch in won.values():
                    if epoch <= before:
                        failures.append((task_id, before, epoch))
                    with lock:
                        latest[task_id] = max(latest.get(task_id, 0), epoch)
                    backend.finish(owner, [success(task_id, epoch)])
                backend.leave(owner)
                backend.remove([task_id])
                backend.drop_tombstones()

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work, number) for number in range(4)]:
                done.result()
        assert (failures, set(latest)) == ([], {"a", "b"})


class TestFetch:
    def test_a_start_reads_no_tombstone(self, store: Store, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        define(backend, "a", "b", "c")
        backend.remove(["b", "c"])
        read: list[int] = []
        if store.kind != "memory":
            name, rows_of = ("_call", lambda found: loaded(found[0])[5]) if store.kind == "redis" else ("_read", list)
            ask = getattr(backend, name)

            def spy(*arguments: Any) -> Any:
                answer = ask(*arguments)
                read.append(len(rows_of(answer)))
                return answer

            monkeypatch.setattr(backend, name, spy)
        snapshot = backend.fetch(["b"], 0)
        assert (set(snapshot.definitions), snapshot.is_complete) == ({"a"}, True)
        assert read == ([] if store.kind == "memory" else [1])

    def test_a_snapshot_since_before_a_dropped_tombstone_is_complete(self, store: Store, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        store.spoil("c", "status", "banana")
        seen = backend.fetch([], 0).revision
        backend.remove(["b"])
        removed = backend.fetch([], seen)
        assert (removed.definitions, removed.is_complete) == ({"b": None}, False)
        assert backend.drop_tombstones() == 1
        late = backend.fetch(["b"], seen, {"a": 1})
        assert (set(late.definitions) - {"c"}, set(late.states), set(late.unreadable)) == ({"a"}, {"a"}, {"c"})
        assert (late.is_complete, late.revision) == (True, removed.revision)
        after = backend.fetch(["a", "b"], removed.revision)
        assert (after.definitions, set(after.states), after.is_complete) == ({}, {"a"}, False)

    def test_other_removals_and_changes_are_told_as_before(self, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        backend.remove(["c"])
        backend.drop_tombstones()
        seen = backend.fetch([], 0).revision
        backend.renew("me", LEASE)
        backend.remove(["b"])
        backend.change([Change("a", paused=True)])
        snapshot = backend.fetch([], seen)
        assert (set(snapshot.definitions), snapshot.definitions["b"]) == ({"a", "b"}, None)
        assert not snapshot.is_complete


class Interrupted:
    """A backend on Redis whose first fetch is answered part by part, and lets others act after the first one."""

    def __init__(self, backend: Any, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts = 0
        call = backend._call

        def ask(script: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
            replies = []
            for one in calls:
                replies += call(script, [one])
                self.parts += 1
                if self.parts == 1:
                    act()
            return replies

        monkeypatch.setattr(backend, "_call", ask)


@pytest.mark.parametrize("store", ["redis"], indirect=True)
class TestPages:
    IDS = tuple(f"task {number:04}" for number in range(1_100))

    @pytest.fixture
    def other(self, store: Store, clock: Clock) -> Backend:
        return store.open(clock)

    @pytest.mark.parametrize("place", [0, 700])
    @pytest.mark.parametrize("is_dropped", [False, True])
    def test_a_task_that_is_removed_between_two_pages_of_a_start_is_not_in_it(
        self, backend: RedisBackend, other: Backend, monkeypatch: pytest.MonkeyPatch, place: int, is_dropped: bool
    ) -> None:
        define(backend, *self.IDS)

        def act() -> None:
            other.remove([self.IDS[place]])
            define(other, "new")
            assert drop_all(other) == is_dropped if is_dropped else True

        pages = Interrupted(backend, act, monkeypatch)
        snapshot = backend.fetch([self.IDS[place]], 0)
        expected = {*self.IDS, "new"} - {self.IDS[place]}
        assert (set(snapshot.definitions), set(snapshot.states)) == (expected, expected)
        assert (snapshot.is_complete, snapshot.revision) == (True, other.fetch([], 1).revision)
        assert pages.parts == 4 if is_dropped else 3

    def test_a_task_that_is_removed_after_its_state_was_looked_for_is_reported_as_removed(
        self, backend: RedisBackend, other: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        define(backend, *self.IDS)
        seen = backend.fetch([], 0).revision
        Interrupted(backend, lambda: other.remove([self.IDS[700], self.IDS[0]]), monkeypatch)
        snapshot = backend.fetch(self.IDS, seen)
        assert snapshot.definitions == {self.IDS[0]: None, self.IDS[700]: None}
        assert set(snapshot.states) == set(self.IDS) - {self.IDS[0], self.IDS[700]}

    def test_removals_come_page_by_page_in_the_order_of_changes(self, backend: RedisBackend, other: Backend) -> None:
        define(backend, *self.IDS)
        seen = backend.fetch([], 0).revision
        other.renew("me", LEASE)
        other.remove(self.IDS[:600])
        other.change([Change(task_id, paused=True) for task_id in self.IDS[600:]])
        define(other, *self.IDS[:100])
        snapshot = backend.fetch([], seen)
        gone = {task_id for task_id, definition in snapshot.definitions.items() if definition is None}
        assert (gone, len(snapshot.definitions)) == (set(self.IDS[100:600]), 1_100)
        assert {found.status for found in snapshot.states.values()} == {TaskStatus.PENDING}
