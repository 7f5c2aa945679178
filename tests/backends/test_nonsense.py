"""Rows of nonsense in a store: operations go on for all other rows of the batch."""

from typing import Any

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Change, DeadRunOutcome, Definition
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import LEASE, SHARED, Clock, Store, claim, define, state, success

on_shared = pytest.mark.parametrize("store", SHARED, indirect=True)

HUGE = 2**63 - 1


def spoil_run(store: Store, task_id: str, field: str, value: Any) -> None:
    if store.kind == "redis":
        store.redis().hset(store.key(f"run:{task_id}:1"), field, value)
    else:
        store.execute(f"UPDATE {store.name}_runs SET {field} = :value WHERE task_id = :id", value=value, id=task_id)


def spoil_lease(store: Store, owner: str, value: Any) -> None:
    if store.kind == "redis":
        store.redis().hset(store.key("leases"), owner, value)
        store.redis().hset(store.key("since"), owner, value)
    else:
        columns = "lease_until = :value, since = :value"
        store.execute(f"UPDATE {store.name}_instances SET {columns} WHERE owner = :id", value=value, id=owner)


def start(backend: Backend, owner: str, *ids: str) -> None:
    """Define tasks, and claim their first runs."""
    states = define(backend, *ids)
    backend.renew(owner, LEASE)
    claims = [claim(task_id, states[task_id].version) for task_id in ids]
    assert backend.claim(owner, owner, claims) == dict.fromkeys(ids, 1)


@on_shared
class TestNumbersAtTheirEnd:
    def test_a_claim_leaves_an_epoch_that_cannot_grow_alone(self, store: Store, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        backend.renew("me", LEASE)
        for task_id, epoch in (("b", HUGE), ("c", 2**53 - 1)):
            store.spoil(task_id, "epoch", epoch)
        assert backend.claim("me", "token", [claim(task_id, 1) for task_id in "abc"]) == {"a": 1}

    def test_writes_go_on_beside_a_version_that_cannot_grow(self, store: Store, backend: Backend) -> None:
        start(backend, "me", "a", "b")
        store.spoil("b", "version", HUGE)
        assert set(backend.change([Change(task_id, paused=True) for task_id in "ab"])) == {"a"}
        assert set(backend.define([Definition(task_id, "{}", "other") for task_id in "ab"])) == {"a"}
        assert backend.finish("me", [success(task_id, 1) for task_id in "ab"]) == {("a", 1), ("b", 1)}
        assert state(backend, "a").status == TaskStatus.SUCCESS
        assert list(backend.fetch(None, 0).unreadable) == ["b"]

    def test_a_removal_lets_the_numbers_begin_anew_above_the_runs_that_are_known(
        self, store: Store, backend: Backend
    ) -> None:
        start(backend, "me", "a", "b")
        for task_id in "ab":
            store.spoil(task_id, "version", HUGE)
            store.spoil(task_id, "epoch", HUGE)
        backend.remove(["a", "b"])
        back = define(backend, "a", "b")
        assert [(back[key].epoch, back[key].status) for key in "ab"] == [(1, TaskStatus.PENDING)] * 2
        assert backend.claim("me", "later", [claim("a", back["a"].version)]) == {"a": 2}
        assert backend.finish("me", [success("a", 1)]) == set()

    def test_an_epoch_that_was_set_back_claims_the_run_that_has_it(self, store: Store, backend: Backend) -> None:
        start(backend, "me", "a", "b")
        backend.finish("me", [success("a", 1), success("b", 1)])
        store.spoil("a", "epoch", 0)
        claims = [claim(task_id, 3, started=300) for task_id in "ab"]
        assert backend.claim("me", "two", claims) == {"a": 1, "b": 2}
        assert [(run.task_id, run.epoch, run.status) for run in backend.history(since=300)] == [
            ("a", 1, TaskStatus.RUNNING),
            ("b", 2, TaskStatus.RUNNING),
        ]
        assert backend.finish("me", [success("a", 1, finished=400)]) == {("a", 1)}


@on_shared
class TestRuns:
    @pytest.mark.parametrize(
        ("field", "value"), [("status", "banana"), ("started", HUGE), ("finished", -HUGE), ("slot", HUGE)]
    )
    def test_an_unreadable_run_is_left_out_and_takes_the_place_of_no_other(
        self, store: Store, backend: Backend, field: str, value: Any
    ) -> None:
        start(backend, "me", "a", "b", "c")
        backend.finish("me", [success(task_id, 1) for task_id in "abc"])
        spoil_run(store, "c", field, value)
        assert [run.task_id for run in backend.history(limit=2)] == ["a", "b"]
        assert list(backend.past(dict.fromkeys("abc", 5))) == ["a", "b"]
        assert backend.history("c") == []

    def test_dead_runs_are_found_and_reaped_whatever_is_stored_of_them(
        self, store: Store, backend: Backend, clock: Clock
    ) -> None:
        start(backend, "gone", "a", "b", "c")
        spoil_run(store, "a", "status", "banana")
        spoil_run(store, "b", "started", HUGE)
        clock.advance(LEASE)
        found = backend.find_dead_runs()
        assert [(run.task_id, run.started, run.status) for run in found] == [
            ("a", 100, TaskStatus.RUNNING),
            ("b", 0, TaskStatus.RUNNING),
            ("c", 100, TaskStatus.RUNNING),
        ]
        assert backend.find_dead_runs(limit=2) == found[:2]
        dead = [DeadRunOutcome(run.task_id, run.epoch, run.owner) for run in found]
        assert backend.reap(dead) == {(task_id, 1) for task_id in "abc"}
        assert (backend.find_dead_runs(), state(backend, "b").status) == ([], TaskStatus.FAILED)


@on_shared
class TestLeases:
    @pytest.mark.parametrize("value", [HUGE, -HUGE])
    def test_a_lease_of_nonsense_is_none(self, store: Store, backend: Backend, clock: Clock, value: int) -> None:
        start(backend, "bad", "a")
        start(backend, "me", "b")
        spoil_lease(store, "bad", value)
        assert [row.owner for row in backend.instances()] == ["me"]
        ((dead),) = backend.find_dead_runs()
        assert (dead.task_id, dead.owner) == ("a", "bad")
        assert backend.claim("bad", "two", [claim("b", 2)]) == {}
        assert backend.reap([DeadRunOutcome("a", 1, "bad")]) == {("a", 1)}
        assert backend.renew("bad", LEASE).since == clock.now
        assert [row.owner for row in backend.instances()] == ["bad", "me"]


class TestIds:
    @pytest.mark.parametrize("store", ["sqlite", "redis"], indirect=True)
    def test_an_id_that_is_no_text_is_reported_and_removed(self, store: Store, backend: Backend) -> None:
        define(backend, "a")
        for place, raw in enumerate((b"\xff", b"x\xfe")):
            if store.kind == "redis":
                store.redis().hset(store.key("task:").encode() + raw, mapping={"removed": "0", "version": "1"})
                store.redis().zadd(store.key("revisions"), {raw: 1})
                continue
            columns = "definition, hash, revision, removed, version, epoch, status, attempt, misfires, paused"
            kind = ":raw" if place else "CAST(:raw AS TEXT)"
            store.execute(
                f"INSERT INTO {store.name}_tasks (id, {columns}, run_requested)"
                f" SELECT {kind}, {columns}, run_requested FROM {store.name}_tasks WHERE id = 'a'",
                raw=raw,
            )
        snapshot = backend.fetch(None, 0)
        ids = ["\udcff", "x\udcfe"]
        assert (set(snapshot.states), sorted(snapshot.unreadable)) == ({"a"}, sorted(ids))
        assert set(snapshot.unreadable.values()) == {"its id is no text"}
        backend.remove(ids)
        news = backend.fetch([], snapshot.revision)
        assert (news.definitions, news.unreadable) == (dict.fromkeys(ids), {})
        assert backend.fetch(None, 0).unreadable == {}

    @on_shared
    def test_a_removal_of_what_no_store_can_hold_does_nothing(self, store: Store, backend: Backend) -> None:
        define(backend, "a")
        backend.remove(["x\0", "x\ud800", "a"])
        assert backend.fetch(None, 0).states == {}


@pytest.mark.parametrize("store", ["redis"], indirect=True)
class TestKeysOfAnotherType:
    @pytest.fixture(autouse=True)
    def spoiled(self, store: Store, backend: Backend) -> None:
        start(backend, "gone", "a", "b", "other run", "other runs")
        start(backend, "lost", "c")
        for name in ("task:b", "run:other run:1", "runs:other runs", "open:lost"):
            store.redis().delete(store.key(name))
            store.redis().rpush(store.key(name), "x")
        store.redis().sadd(store.key("open:gone"), b"", b"x\0" + b"y" * 16, b"\xff" * 40)
        store.redis().zadd(store.key("history"), {b"": 1, b"\xff\0" + b"y" * 16: 2})
        store.redis().zadd(store.key("runs:a"), {b"banana": 1})

    def test_hinder_no_other_row(self, backend: Backend, clock: Clock) -> None:
        snapshot = backend.fetch(None, 0)
        assert snapshot.unreadable == {"b": "its key is no hash"}
        assert backend.fetch(["b"], snapshot.revision).unreadable == snapshot.unreadable
        assert (
            set(define(backend, "a", "b")) == set(backend.change([Change(one, paused=True) for one in "ab"])) == {"a"}
        )
        assert {run.task_id for run in backend.history()} == {"a", "b", "other runs", "c"}
        assert backend.finish("gone", [success("a", 1), success("b", 1)]) == {("a", 1)}
        clock.advance(LEASE)
        found = backend.find_dead_runs()
        assert {run.task_id for run in found} == {"other run", "other runs"}
        backend.reap([DeadRunOutcome(run.task_id, run.epoch, run.owner) for run in found])
        assert (backend.find_dead_runs(), state(backend, "other run").status) == ([], TaskStatus.FAILED)

    def test_are_removed_with_their_tasks_and_make_way_for_new_runs(self, backend: Backend) -> None:
        backend.remove(["b", "other runs"])
        back = define(backend, "b", "other runs")
        claims = [claim(task_id, one.version) for task_id, one in back.items()]
        backend.renew("lost", LEASE)
        assert backend.claim("lost", "two", claims) == {"b": 2, "other runs": 2}
        assert [run.epoch for run in backend.history("other runs")] == [2]
        assert len(backend.finish("lost", [success("b", 2), success("other runs", 2)])) == 2
