"""The contract of `fetch`, on real stores."""

import time

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Change, Definition, Snapshot, State
from tests.backends.stores import FRESH, LEASE, SECOND, SHARED, Clock, Store, claim, define


class TestFetch:
    def test_without_changes_returns_the_time_and_the_revision_only(self, backend: Backend, clock: Clock) -> None:
        assert backend.fetch([], 0) == Snapshot(clock.now, 0, {}, {}, {}, born=clock.now, is_complete=True)
        revision = int(backend.pause_all(True))
        assert backend.fetch([], revision) == Snapshot(clock.now, revision, {}, {}, {}, True, clock.now)

    def test_returns_the_definitions_since_a_revision(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        snapshot = backend.fetch([], 0)
        definition = Definition("a", '{"id": "a"}', "hash of a")
        expected = Snapshot(clock.now, snapshot.revision, {"a": definition}, {"a": FRESH}, {}, False, clock.now, True)
        assert snapshot == expected
        define(backend, "b")
        assert backend.fetch([], snapshot.revision).definitions == {"b": Definition("b", '{"id": "b"}', "hash of b")}

    def test_returns_the_states_of_the_ids_only(self, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        snapshot = backend.fetch(["c", "a", "nobody"], backend.fetch([], 0).revision)
        assert snapshot.definitions == {}
        assert snapshot.states == {"a": FRESH, "c": FRESH._replace(id="c")}

    def test_returns_a_known_task_only_if_its_version_has_changed(self, backend: Backend, running: State) -> None:
        define(backend, "b", "c", "d", *(f"more {number:03}" for number in range(600)))
        backend.remove(["d"])
        seen = backend.fetch([], 0).revision
        same = dict.fromkeys((f"more {number:03}" for number in range(600)), 1)
        snapshot = backend.fetch(["c"], seen, {**same, "a": running.version - 1, "b": 1, "d": 1, "nobody": 1})
        assert (snapshot.definitions, snapshot.states) == ({}, {"a": running, "c": FRESH._replace(id="c")})
        assert backend.fetch([], seen, {"a": running.version}).states == {}

    def test_returns_all_states_without_ids(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.remove(["b"])
        snapshot = backend.fetch(None, backend.fetch([], 0).revision)
        assert (snapshot.definitions, snapshot.states) == ({}, {"a": FRESH})

    def test_reports_a_removal_once(self, backend: Backend) -> None:
        define(backend, "a", "b")
        seen = backend.fetch([], 0).revision
        backend.remove(["b"])
        snapshot = backend.fetch(["b"], seen)
        assert (snapshot.definitions, snapshot.states) == ({"b": None}, {})
        assert backend.fetch(["b"], snapshot.revision).definitions == {}

    def test_starts_anew_when_an_older_state_of_the_store_was_restored(self, backend: Backend) -> None:
        define(backend, "a")
        assert set(backend.fetch([], 1_000_000).definitions) == {"a"}

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_returns_the_time_at_which_an_emptied_store_began_anew(
        self, store: Store, backend: Backend, clock: Clock
    ) -> None:
        define(backend, "a")
        before = backend.fetch([], 0)
        clock.advance(1)
        assert store.open(clock).fetch([], 0).born == before.born
        store.empty()
        after = Snapshot(clock.now, 0, {}, {}, {}, born=clock.now, is_complete=True)
        assert backend.fetch(["a"], before.revision) == after
        assert define(backend, "a") == {"a": FRESH}

    def test_returns_more_tasks_than_a_script_takes_at_once(self, backend: Backend) -> None:
        ids = [f"task {number:04}" for number in range(1_200)]
        define(backend, *ids)
        snapshot = backend.fetch(ids[:700], 0)
        assert (set(snapshot.definitions), set(snapshot.states)) == (set(ids), set(ids))
        assert snapshot.is_complete
        assert backend.fetch([], snapshot.revision) == snapshot._replace(definitions={}, states={}, is_complete=False)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("definition", "{", "the definition is no JSON: "),
            ("definition", "[]", "the definition must be a JSON object, it is list"),
            ("status", "banana", "'banana' is not a valid TaskStatus"),
            ("result", "nonsense", "the result is no JSON: "),
            ("consumed", "nonsense", "consumed is no JSON: "),
            ("consumed", '["b"]', 'consumed must be a JSON object of integers, it is ["b"]'),
        ],
    )
    def test_reports_an_unreadable_row_with_the_reason(
        self, store: Store, backend: Backend, field: str, value: str, message: str
    ) -> None:
        define(backend, "a", "b")
        store.spoil("b", field, value)
        snapshot = backend.fetch(["a", "b"], 0)
        assert set(snapshot.definitions) - {"b"} == {"a"}
        assert snapshot.states == {"a": FRESH}
        assert set(snapshot.unreadable) == {"b"}
        assert snapshot.unreadable["b"].startswith(message)

    def test_writes_leave_unreadable_rows_out_of_their_answers(self, store: Store, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        store.spoil("b", "status", "banana")
        store.spoil("c", "result", "nonsense")
        assert define(backend, "a", "b", "c") == {"a": FRESH}
        new = [Definition(task_id, "{}", "other") for task_id in "abc"]
        assert set(backend.define(new)) == {"a"}
        assert set(backend.change([Change(task_id, paused=True) for task_id in "abc"])) == {"a"}
        assert set(backend.fetch(None, 0).unreadable) == {"b", "c"}
        backend.remove(["b", "c"])
        assert set(define(backend, "b", "c")) == {"b", "c"}

    def test_an_id_may_have_any_characters(self, backend: Backend) -> None:
        ids = ["'); DROP TABLE t; --", "a:b", 'quoted "x"', "früh 🐢", "a b\n", "{x}", "%s :name"]
        backend.renew("me", LEASE)
        backend.define([Definition(task_id, "{}", "h") for task_id in ids])
        assert set(backend.fetch(ids, 0).states) == set(ids)
        assert backend.claim("me", "t", [claim(task_id, 1) for task_id in ids]) == dict.fromkeys(ids, 1)
        assert [run.task_id for run in backend.history()] == sorted(ids)

    def test_a_new_task_is_paused_if_its_definition_says_so(self, backend: Backend) -> None:
        def paused(checksum: str, value: bool) -> bool:
            return backend.define([Definition("a", "{}", checksum, value)])["a"].paused

        assert [paused("h", True), paused("h", False), paused("other", False)] == [True, True, True]
        backend.change([Change("a", paused=False)])
        assert [paused("other", True), paused("third", True)] == [False, False]
        backend.remove(["a"])
        assert paused("third", True)
        backend.remove(["a"])
        assert not paused("third", False)

    @pytest.mark.parametrize("task_id", ["a\0b", "half \ud800", "x" * 2_001])
    def test_an_id_that_some_store_cannot_hold_is_refused(self, backend: Backend, task_id: str) -> None:
        with pytest.raises(ValueError, match="cannot be stored: it has a NUL, half a surrogate pair"):
            backend.define([Definition(task_id, "{}", "h")])
        assert backend.fetch(None, 0).definitions == {}


class TestClock:
    @pytest.mark.parametrize("store", ["postgres", "redis"], indirect=True)  # the others use this machine's clock
    def test_is_the_stores_although_this_machine_is_an_hour_ahead(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        true = store.open()
        true.renew("true", LEASE)
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
        skewed = store.open()
        define(skewed, "a")
        assert [row.owner for row in skewed.instances()] == ["true"]
        renewal = skewed.renew("skewed", LEASE)
        assert abs(renewal.now - real() // 1000) < 60 * SECOND
        assert abs(skewed.now() - real() // 1000) < 60 * SECOND
        assert skewed.claim("skewed", "token", [claim("a", 1)]) == {"a": 1}
        assert true.find_dead_runs() == []

    def test_goes_on_between_two_fetches(self, store: Store) -> None:
        backend = store.open()
        before = backend.fetch([], 0).now
        time.sleep(0.01)
        assert before < backend.now() <= backend.fetch([], 0).now + SECOND

    def test_can_be_replaced(self, backend: Backend, clock: Clock) -> None:
        clock.advance(5)
        assert (backend.now(), backend.fetch([], 0).now) == (clock.now, clock.now)
