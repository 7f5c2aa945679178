"""What every backend promises, on real stores."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import (
    Assignment,
    Change,
    Claim,
    DeadRun,
    Definition,
    InstanceRow,
    Renewal,
    RunOutcome,
    RunRow,
    Snapshot,
    State,
)
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import SHARED, Clock, Store, claim, define, failure, state, success

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus
SECOND = 1_000_000
LEASE = 30.0


FRESH = State("a", 1, 0, PENDING, None, None, None, None, 0, None, None, 0, None, False, 0, None)


@pytest.fixture
def running(backend: Backend) -> State:
    """A task in its first run, claimed by the owner "me"."""
    define(backend, "a")
    backend.renew("me", LEASE)
    assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}
    return state(backend, "a")


class TestLook:
    def test_shows_the_time_the_revision_and_nothing_else_when_nothing_is_new(
        self, backend: Backend, clock: Clock
    ) -> None:
        assert backend.fetch([], 0) == Snapshot(clock.now, 0, {}, {}, {}, born=clock.now)

    def test_shows_what_was_defined_since(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        snapshot = backend.fetch([], 0)
        definition = Definition("a", '{"id": "a"}', "hash of a")
        assert snapshot == Snapshot(clock.now, snapshot.revision, {"a": definition}, {"a": FRESH}, {}, born=clock.now)
        define(backend, "b")
        assert backend.fetch([], snapshot.revision).definitions == {"b": Definition("b", '{"id": "b"}', "hash of b")}

    def test_shows_the_states_of_the_ids_only(self, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        snapshot = backend.fetch(["c", "a", "nobody"], backend.fetch([], 0).revision)
        assert snapshot.definitions == {}
        assert snapshot.states == {"a": FRESH, "c": FRESH._replace(id="c")}

    def test_shows_what_is_known_only_if_it_has_changed(self, backend: Backend, running: State) -> None:
        define(backend, "b", "c", "d", *(f"more {number:03}" for number in range(600)))
        backend.remove(["d"])
        seen = backend.fetch([], 0).revision
        same = dict.fromkeys((f"more {number:03}" for number in range(600)), 1)
        snapshot = backend.fetch(["c"], seen, {**same, "a": running.version - 1, "b": 1, "d": 1, "nobody": 1})
        assert (snapshot.definitions, snapshot.states) == ({}, {"a": running, "c": FRESH._replace(id="c")})
        assert backend.fetch([], seen, {"a": running.version}).states == {}

    def test_shows_all_states_without_ids(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.remove(["b"])
        snapshot = backend.fetch(None, backend.fetch([], 0).revision)
        assert (snapshot.definitions, snapshot.states) == ({}, {"a": FRESH})

    def test_tells_of_a_removal(self, backend: Backend) -> None:
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
    def test_tells_when_a_store_began_that_was_emptied(self, store: Store, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        before = backend.fetch([], 0)
        clock.advance(1)
        assert store.open(clock).fetch([], 0).born == before.born
        store.empty()
        assert backend.fetch(["a"], before.revision) == Snapshot(clock.now, 0, {}, {}, {}, born=clock.now)
        assert define(backend, "a") == {"a": FRESH}

    def test_shows_many_in_the_first_look(self, backend: Backend) -> None:
        ids = [f"task {number:04}" for number in range(1_200)]
        define(backend, *ids)
        snapshot = backend.fetch(ids[:700], 0)
        assert (set(snapshot.definitions), set(snapshot.states)) == (set(ids), set(ids))
        assert backend.fetch([], snapshot.revision) == snapshot._replace(definitions={}, states={})

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
    def test_sets_unreadable_rows_apart(
        self, store: Store, backend: Backend, field: str, value: str, message: str
    ) -> None:
        define(backend, "a", "b")
        store.spoil("b", field, value)
        snapshot = backend.fetch(["a", "b"], 0)
        assert set(snapshot.definitions) - {"b"} == {"a"}
        assert snapshot.states == {"a": FRESH}
        assert set(snapshot.unreadable) == {"b"}
        assert snapshot.unreadable["b"].startswith(message)

    def test_unreadable_rows_are_left_out_by_what_writes_them(self, store: Store, backend: Backend) -> None:
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

    def test_takes_any_id(self, backend: Backend) -> None:
        ids = ["'); DROP TABLE t; --", "a:b", 'quoted "x"', "früh 🐢", "a b\n", "{x}", "%s :name"]
        backend.renew("me", LEASE)
        backend.define([Definition(task_id, "{}", "h") for task_id in ids])
        assert set(backend.fetch(ids, 0).states) == set(ids)
        assert backend.claim("me", "t", [claim(task_id, 1) for task_id in ids]) == dict.fromkeys(ids, 1)
        assert [run.task_id for run in backend.history()] == sorted(ids)

    def test_a_new_task_is_paused_if_that_is_said(self, backend: Backend) -> None:
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
    def test_ids_that_some_store_could_not_hold_are_refused(self, backend: Backend, task_id: str) -> None:
        with pytest.raises(ValueError, match="cannot be stored: it has a NUL, half a surrogate pair"):
            backend.define([Definition(task_id, "{}", "h")])
        assert backend.fetch(None, 0).definitions == {}


class TestDefine:
    def test_leaves_equal_definitions_alone(self, backend: Backend) -> None:
        define(backend, "a")
        before = backend.fetch(None, 0)
        assert define(backend, "a") == {"a": FRESH}
        assert backend.fetch(None, 0) == before

    def test_a_new_hash_rewrites_the_definition_and_keeps_the_state(self, backend: Backend, running: State) -> None:
        seen = backend.fetch([], 0).revision
        new = Definition("a", '{"every": 2}', "other")
        assert backend.define([new]) == {"a": running._replace(version=running.version + 1)}
        assert backend.fetch([], seen).definitions == {"a": new}

    def test_version_and_revision_grow_together(self, backend: Backend) -> None:
        seen = [(1, backend.fetch([], define(backend, "a")["a"].version - 1).revision)]
        for number in range(3):
            version = backend.define([Definition("a", "{}", str(number))])["a"].version
            seen.append((version, backend.fetch([], 0).revision))
        assert [version for version, _ in seen] == [1, 2, 3, 4]
        assert len({revision for _, revision in seen}) == 4
        assert seen == sorted(seen)

    def test_a_removed_task_comes_back_with_its_epoch_and_nothing_else(self, backend: Backend, running: State) -> None:
        backend.finish("me", [failure("a", 1)._replace(consumed='{"b": 1}')])
        backend.change([Change("a", paused=True, run_requested=1)])
        backend.remove(["a"])
        back = define(backend, "a")["a"]
        assert back == FRESH._replace(version=back.version, epoch=1)
        assert back.version > running.version
        assert backend.history() == []
        assert backend.claim("me", "later", [claim("a", back.version)]) == {"a": 2}


class TestChange:
    def test_writes_what_is_given_and_nothing_else(self, backend: Backend, running: State) -> None:
        seen = backend.fetch([], 0).revision
        new = Definition("a", '{"every": 2}', "other")
        assert backend.change([Change("a", paused=True)]) == {"a": running._replace(version=3, paused=True)}
        assert backend.change([Change("a", definition=new, run_requested=2)]) == {
            "a": running._replace(version=4, paused=True, run_requested=2)
        }
        snapshot = backend.fetch(["a"], seen)
        assert snapshot.definitions == {"a": new}
        assert snapshot.states == {"a": running._replace(version=4, paused=True, run_requested=2)}
        assert backend.change([Change("a", paused=False)])["a"].paused is False

    def test_does_not_disturb_a_run(self, backend: Backend, running: State) -> None:
        backend.change([Change("a", paused=True)])
        assert backend.finish("me", [success("a", running.epoch)]) == {("a", 1)}
        assert state(backend, "a").paused is True

    def test_voids_decisions_made_before(self, backend: Backend) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.change([Change("a", paused=True)])
        assert backend.claim("me", "token", [claim("a", 1)]) == {}

    def test_leaves_out_another_hash_and_what_is_not_there(self, backend: Backend) -> None:
        define(backend, "a", "b", "gone")
        backend.remove(["gone"])
        before = backend.fetch(None, 0)
        new = Definition("a", '{"every": 2}', "other")
        assert backend.change([Change("a", new, "stale"), Change("gone", paused=True), Change("c", paused=True)]) == {}
        assert backend.fetch(None, 0).states == before.states
        assert backend.fetch(None, 0).definitions == before.definitions
        assert set(backend.change([Change("a", new, "hash of a"), Change("b", paused=True)])) == {"a", "b"}


class TestRemove:
    def test_is_done_once(self, backend: Backend) -> None:
        define(backend, "a")
        backend.remove(["a", "nobody"])
        seen = backend.fetch([], 0).revision
        backend.remove(["a"])
        assert backend.fetch([], seen).definitions == {}

    def test_a_run_in_progress_ends_late(self, backend: Backend, running: State) -> None:
        backend.remove(["a"])
        define(backend, "a")
        fresh = state(backend, "a")
        assert backend.finish("me", [success("a", running.epoch)]) == set()
        assert state(backend, "a") == fresh
        assert [(run.status, run.late, run.result) for run in backend.history()] == [(SUCCESS, True, "[1]")]

    def test_a_removed_task_is_not_claimed(self, backend: Backend) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.remove(["a"])
        assert backend.claim("me", "token", [claim("a", 1), claim("a", 2)]) == {}


class TestPauseAll:
    def test_no_claim_is_won_until_it_is_undone(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        seen = backend.fetch([], 0)
        assert backend.pause_all(True)
        snapshot = backend.fetch(["a"], seen.revision)
        assert snapshot == Snapshot(clock.now, seen.revision + 1, {}, {"a": FRESH}, {}, True, clock.now)
        assert (backend.claim("me", "token", [claim("a", 1)]), backend.history()) == ({}, [])
        assert backend.pause_all(False)
        assert backend.fetch(["a"], 0).paused is False
        assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}

    def test_is_done_once(self, backend: Backend) -> None:
        assert not backend.pause_all(False)
        assert backend.pause_all(True)
        seen = backend.fetch([], 0).revision
        assert not backend.pause_all(True)
        assert backend.fetch([], 0).revision == seen

    def test_is_there_for_who_opens_the_store_later(self, store: Store, backend: Backend, clock: Clock) -> None:
        backend.pause_all(True)
        assert store.open(clock).fetch(None, 0).paused is True

    def test_does_not_disturb_a_run(self, backend: Backend, running: State) -> None:
        backend.pause_all(True)
        assert state(backend, "a") == running
        assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}  # asked again
        assert backend.finish("me", [success("a", 1)]) == {("a", 1)}


class TestAssign:
    def test_writes_the_fields_if_the_version_is_the_one_seen(self, backend: Backend) -> None:
        define(backend, "a", "b")
        fields = {
            "status": SUCCESS,
            "first_run_at": 1,
            "last_run_at": 2,
            "last_success_at": 3,
            "retry_at": 4,
            "attempt": 5,
            "result": '{"x": 1}',
            "error_message": "",
            "misfires": 6,
            "misfired_at": 7,
            "consumed": '{"b": 8}',
            "slot": 9,
        }
        assert backend.assign([Assignment("a", 1, fields), Assignment("b", 1, {"retry_at": 9})]) == {"a": 2, "b": 2}
        assert state(backend, "a") == State(
            "a", 2, 0, SUCCESS, 1, 2, 3, 4, 5, '{"x": 1}', "", 6, 7, False, 0, None, '{"b": 8}', 9
        )
        assert state(backend, "b") == FRESH._replace(id="b", version=2, retry_at=9)

    def test_a_lost_race_changes_nothing(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.assign([Assignment("a", 1, {"attempt": 1})])
        stale = [Assignment("a", 1, {"attempt": 7}), Assignment("nobody", 1, {"attempt": 7})]
        assert backend.assign([*stale, Assignment("b", 1, {"attempt": 3})]) == {"b": 2}
        assert state(backend, "a").attempt == 1

    def test_is_no_management(self, backend: Backend) -> None:
        define(backend, "a")
        seen = backend.fetch([], 0).revision
        backend.assign([Assignment("a", 1, {"attempt": 1})])
        assert backend.fetch([], seen).revision == seen

    def test_a_status_takes_the_task_from_who_runs_it(self, backend: Backend, running: State) -> None:
        backend.assign([Assignment("a", running.version, {"status": PENDING})])
        assert state(backend, "a").owner is None
        assert backend.finish("me", [success("a", 1)]) == set()
        assert state(backend, "a").status == PENDING
        assert [(run.epoch, run.status, run.late) for run in backend.history()] == [(1, SUCCESS, True)]

    def test_a_running_status_set_by_hand_is_nobodys_and_stays(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.assign([Assignment("a", 1, {"status": RUNNING})])
        assert backend.claim("me", "token", [claim("a", 2)]) == {}
        clock.advance(1_000)
        assert backend.find_dead_runs() == []

    def test_other_fields_are_refused_before_anything_changes(self, backend: Backend) -> None:
        define(backend, "a", "b")
        with pytest.raises(
            ValueError, match=r"'atempt' of task 'b' cannot be assigned \(did you mean 'attempt'\?\); assignable are"
        ):
            backend.assign([Assignment("a", 1, {"attempt": 1}), Assignment("b", 1, {"atempt": 1})])
        assert state(backend, "a") == FRESH


class TestClaim:
    def test_starts_a_run(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.change([Change("a", run_requested=2)])
        wish = Claim("a", 2, 40, 3, 42, first_run_at=41, last_run_at=42, retry_at=None)
        assert backend.claim("me", "token", [wish]) == {"a": 1}
        assert state(backend, "a") == State(
            "a", 3, 1, RUNNING, 41, 42, None, None, 3, None, None, 0, None, False, 0, "me", slot=40
        )
        assert backend.history() == [RunRow("a", 1, 40, 3, "me", 42, None, RUNNING, None, None, late=False)]

    def test_writes_the_moments_as_they_are_given(self, backend: Backend, running: State) -> None:
        backend.finish("me", [failure("a", 1)])
        assert state(backend, "a").retry_at == 300
        backend.claim("me", "two", [Claim("a", 3, None, 2, 9, None, None, retry_at=77)])
        now = state(backend, "a")
        assert (now.first_run_at, now.last_run_at, now.retry_at, now.slot) == (None, None, 77, None)
        assert backend.history()[0].slot is None

    def test_of_another_version_is_a_lost_race(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        assert backend.claim("me", "token", [claim("a", 2), claim("a", 0), claim("b", 1)]) == {"b": 1}
        assert state(backend, "a") == FRESH
        assert [run.task_id for run in backend.history()] == ["b"]

    def test_is_won_by_one(self, backend: Backend) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.renew("you", LEASE)
        assert backend.claim("you", "yours", [claim("a", 1)]) == {"a": 1}
        before = state(backend, "a")
        assert backend.claim("me", "mine", [claim("a", 1)]) == {}
        assert state(backend, "a") == before

    def test_a_running_task_is_not_claimed_whatever_its_version(self, backend: Backend, running: State) -> None:
        assert backend.claim("me", "other", [claim("a", running.version)]) == {}
        assert state(backend, "a") == running

    def test_asked_again_with_its_token_it_gets_the_same_answer(self, backend: Backend, running: State) -> None:
        before = backend.history()
        assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}
        assert backend.claim("you", "token", [claim("a", 1)]) == {}
        assert state(backend, "a") == running
        assert backend.history() == before

    def test_asked_again_after_its_run_was_reaped_it_wins_nothing(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE + 1)
        backend.reap([DeadRun("a", 1, "me")])
        backend.renew("me", LEASE)
        assert backend.claim("me", "token", [claim("a", 1)]) == {}

    def test_part_of_a_batch_that_was_won_before_is_told_with_the_rest(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        backend.claim("me", "token", [claim("a", 1)])
        assert backend.claim("me", "token", [claim("a", 1), claim("b", 1)]) == {"a": 1, "b": 1}

    def test_takes_a_live_lease(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        assert backend.claim("me", "one", [claim("a", 1)]) == {}
        backend.renew("me", LEASE)
        clock.advance(LEASE)
        assert backend.claim("me", "two", [claim("a", 1)]) == {}
        assert (state(backend, "a"), backend.history()) == (FRESH, [])
        backend.renew("me", LEASE)
        clock.advance(LEASE - 0.001)
        assert backend.claim("me", "three", [claim("a", 1)]) == {"a": 1}

    def test_of_nothing_is_nothing(self, backend: Backend) -> None:
        assert backend.claim("me", "token", []) == {}
        assert backend.finish("me", []) == set()
        assert backend.assign([]) == {}
        assert backend.define([]) == {}
        assert backend.change([]) == {}
        assert backend.reap([]) == set()
        backend.remove([])


class TestFinish:
    def test_records_a_success(self, backend: Backend, running: State) -> None:
        assert backend.finish("me", [success("a", 1)]) == {("a", 1)}
        assert state(backend, "a") == running._replace(
            version=3, status=SUCCESS, result="[1]", last_success_at=200, attempt=0, owner=None
        )
        assert backend.history() == [RunRow("a", 1, 99, 1, "me", 100, 200, SUCCESS, "[1]", None, late=False)]

    def test_a_failure_leaves_result_and_last_success_alone(self, backend: Backend, running: State) -> None:
        backend.finish("me", [success("a", 1)])
        backend.claim("me", "two", [claim("a", 3)])
        assert backend.finish("me", [failure("a", 2)]) == {("a", 2)}
        assert state(backend, "a") == running._replace(
            version=5,
            epoch=2,
            status=FAILED,
            result="[1]",
            last_success_at=200,
            retry_at=300,
            attempt=2,
            error_message="ValueError: boom",
            owner=None,
        )
        assert backend.history()[-1] == RunRow(
            "a", 2, 99, 1, "me", 100, 200, FAILED, None, "ValueError: boom", late=False
        )

    def test_what_was_consumed_stays_until_other_things_are(self, backend: Backend, running: State) -> None:
        backend.finish("me", [failure("a", 1)._replace(consumed='{"b": 1}')])
        backend.claim("me", "two", [claim("a", 3)])
        backend.finish("me", [success("a", 2)])
        assert state(backend, "a").consumed == '{"b": 1}'
        backend.claim("me", "three", [claim("a", 5)])
        backend.finish("me", [success("a", 3)._replace(consumed='{"b": 2}')])
        assert state(backend, "a").consumed == '{"b": 2}'

    def test_asked_again_it_gets_the_same_answer(self, backend: Backend, running: State) -> None:
        backend.finish("me", [success("a", 1, history_limit=0)])
        before = backend.fetch(["a"], 0), backend.history()
        assert backend.finish("me", [success("a", 1, finished=999)]) == {("a", 1)}
        assert (backend.fetch(["a"], 0), backend.history()) == before

    def test_of_another_owner_or_epoch_changes_nothing(self, backend: Backend, running: State) -> None:
        before = backend.history()
        assert backend.finish("you", [success("a", 1)]) == set()
        assert backend.finish("me", [success("a", 0), success("a", 2), success("nobody", 1)]) == set()
        assert (state(backend, "a"), backend.history()) == (running, before)

    def test_after_the_run_was_reaped_is_late_and_touches_no_state(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRun("a", 1, "me")])
        backend.renew("you", LEASE)
        backend.claim("you", "yours", [claim("a", 3, started=150)])
        theirs = state(backend, "a")
        for _ in range(2):
            assert backend.finish("me", [success("a", 1)]) == set()
            assert state(backend, "a") == theirs
            assert backend.history() == [
                RunRow(
                    "a", 1, 99, 1, "me", 100, 200, FAILED, "[1]", "lease expired: owner me stopped renewing", late=True
                ),
                RunRow("a", 2, 99, 1, "you", 150, None, RUNNING, None, None, late=False),
            ]
        assert backend.finish("you", [success("a", 2)]) == {("a", 2)}

    def test_after_a_reap_and_nothing_else_is_late_as_well(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRun("a", 1, "me")])
        reaped = state(backend, "a")
        assert backend.finish("me", [success("a", 1)]) == set()
        assert state(backend, "a") == reaped

    def test_keeps_the_newest_runs_of_each_task(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        for number in range(5):
            won = backend.claim("me", str(number), [claim(one, 1 + 2 * number, started=number) for one in "ab"])
            backend.finish("me", [success("a", won["a"], history_limit=2), success("b", won["b"], history_limit=3)])
        kept = [(run.task_id, run.epoch) for run in backend.history()]
        assert kept == [("b", 3), ("a", 4), ("b", 4), ("a", 5), ("b", 5)]
        assert backend.history("a") == [run for run in backend.history() if run.task_id == "a"]

    def test_does_not_drop_a_run_that_has_no_outcome(self, backend: Backend, running: State) -> None:
        backend.assign([Assignment("a", 2, {"status": PENDING})])
        backend.claim("me", "two", [claim("a", 3)])
        backend.finish("me", [success("a", 2, history_limit=1)])
        assert [(run.epoch, run.status) for run in backend.history("a")] == [(1, RUNNING), (2, SUCCESS)]

    def test_stores_any_text_and_any_limit(self, backend: Backend, running: State) -> None:
        error = "ValueError: \0 \ud800 ü 🐢 '; --"
        value = json.dumps("\0 \ud800 ü")
        outcome = RunOutcome(
            "a", 1, 2, SUCCESS, result=value, result_text="\0\ud800", error=error, history_limit=10**30
        )
        assert backend.finish("me", [outcome]) == {("a", 1)}
        now = state(backend, "a")
        assert now.error_message == "ValueError: \\x00 \\ud800 ü 🐢 '; --"
        assert now.result == value
        assert backend.history()[0].result == "\\x00\\ud800"


class TestLease:
    def test_a_renewal_extends_it(self, backend: Backend, clock: Clock) -> None:
        began = clock.now
        assert backend.renew("me", 10) == Renewal(began, began + 10 * SECOND, began)
        clock.advance(9)
        assert backend.renew("me", 10) == Renewal(began + 9 * SECOND, began + 19 * SECOND, began)
        assert backend.instances() == [InstanceRow("me", began, began + 19 * SECOND)]

    def test_a_renewal_after_its_end_begins_a_new_row(self, backend: Backend, clock: Clock) -> None:
        backend.renew("me", 10)
        clock.advance(10)
        for _ in range(2):  # asked again after a lost answer, it tells the same
            assert backend.renew("me", 10) == Renewal(clock.now, clock.now + 10 * SECOND, clock.now)

    def test_instances_are_those_alive_the_oldest_first(self, backend: Backend, clock: Clock) -> None:
        backend.renew("short", 1)
        backend.renew("b", 60)
        backend.renew("a", 60)
        clock.advance(1)
        backend.renew("young", 60)
        backend.renew("left", 60)
        backend.leave("left")
        assert [row.owner for row in backend.instances()] == ["a", "b", "young"]

    def test_those_long_dead_are_forgotten(self, store: Store, backend: Backend, clock: Clock) -> None:
        backend.renew("dead", 1)
        since = clock.now
        clock.advance(25 * 3600)
        backend.renew("new", 1)
        renewal = backend.renew("dead", 1)
        assert renewal.since == clock.now > since


class TestReap:
    def test_only_what_has_expired(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE - 0.001)
        assert backend.find_dead_runs() == []
        assert backend.reap([DeadRun("a", 1, "me", retry_at=5, attempt=2)]) == set()
        assert state(backend, "a") == running
        clock.advance(0.001)
        assert backend.find_dead_runs() == backend.history()
        assert backend.reap([DeadRun("a", 1, "me", retry_at=5, attempt=2)]) == {("a", 1)}
        message = "lease expired: owner me stopped renewing"
        assert state(backend, "a") == running._replace(
            version=3, status=FAILED, retry_at=5, attempt=2, error_message=message, owner=None
        )
        assert backend.history() == [RunRow("a", 1, 99, 1, "me", 100, clock.now, FAILED, None, message, late=True)]
        assert backend.find_dead_runs() == []

    def test_who_renews_between_the_two_steps_keeps_the_run(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        (run,) = backend.find_dead_runs()
        backend.renew("me", LEASE)
        assert backend.reap([DeadRun(run.task_id, run.epoch, run.owner)]) == set()
        assert backend.finish("me", [success("a", 1)]) == {("a", 1)}

    def test_is_done_once(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRun("a", 1, "me")])
        before = state(backend, "a")
        assert backend.reap([DeadRun("a", 1, "me", retry_at=9)]) == set()
        assert state(backend, "a") == before

    def test_the_runs_of_who_left_are_lost_at_once(self, backend: Backend, running: State) -> None:
        backend.leave("me")
        assert backend.reap([DeadRun(run.task_id, run.epoch, run.owner) for run in backend.find_dead_runs()]) == {
            ("a", 1)
        }

    def test_a_finished_run_is_not_reaped(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE)
        backend.finish("me", [success("a", 1)])
        before = state(backend, "a")
        assert backend.find_dead_runs() == []
        assert backend.reap([DeadRun("a", 1, "me")]) == set()
        assert state(backend, "a") == before

    def test_a_run_without_a_task_gets_its_outcome_too(self, backend: Backend, running: State, clock: Clock) -> None:
        backend.remove(["a"])
        define(backend, "a")
        fresh = state(backend, "a")
        clock.advance(LEASE)
        assert backend.reap([DeadRun("a", 1, "me", retry_at=5)]) == {("a", 1)}
        assert state(backend, "a") == fresh
        assert [(run.status, run.late) for run in backend.history()] == [(FAILED, True)]

    def test_of_many_tells_so_many(self, backend: Backend, clock: Clock) -> None:
        ids = [f"{number:02}" for number in range(10)]
        define(backend, *ids)
        backend.renew("me", LEASE)
        backend.claim("me", "token", [claim(one, 1) for one in ids])
        clock.advance(LEASE)
        lost = backend.find_dead_runs(limit=4)
        assert len(lost) == 4
        backend.reap([DeadRun(run.task_id, run.epoch, run.owner) for run in lost])
        assert len(backend.find_dead_runs()) == 6


class TestHistory:
    @pytest.fixture(autouse=True)
    def runs(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        for number in range(6):
            one, epoch = "ab"[number % 2], 1 + number // 2
            backend.claim("me", str(number), [claim(one, 2 * epoch - 1, started=number)])
            backend.finish("me", [failure(one, epoch) if number == 3 else success(one, epoch)])

    @pytest.mark.parametrize(
        ("asked", "starts"),
        [
            ({}, [0, 1, 2, 3, 4, 5]),
            ({"limit": 2}, [4, 5]),
            ({"limit": 0}, []),
            ({"task_id": "a"}, [0, 2, 4]),
            ({"task_id": "a", "limit": 1}, [4]),
            ({"task_id": "nobody"}, []),
            ({"status": FAILED}, [3]),
            ({"status": SUCCESS, "limit": 3}, [2, 4, 5]),
            ({"since": 4}, [4, 5]),
            ({"task_id": "b", "status": SUCCESS, "since": 1}, [1, 5]),
        ],
    )
    def test_is_the_latest_of_what_is_asked_for(self, backend: Backend, asked: Any, starts: list[int]) -> None:
        assert [run.started for run in backend.history(**asked)] == starts


class TestPast:
    def test_is_of_each_task_its_newest_finished_runs(self, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        backend.renew("me", LEASE)
        for epoch in (1, 2, 3):
            for one in "ab":
                backend.claim("me", f"{one}{epoch}", [claim(one, 2 * epoch - 1, started=epoch)])
                backend.finish("me", [failure(one, epoch) if epoch == 2 else success(one, epoch)])
        backend.claim("me", "goes on", [claim("a", 7), claim("c", 1)])
        past = backend.past({"a": 2, "b": 10**30, "c": 5, "nobody": 5})
        assert past == {"a": backend.history("a")[1:3], "b": backend.history("b")}
        assert [(run.epoch, run.status) for run in past["a"]] == [(2, FAILED), (3, SUCCESS)]
        assert len(past["b"]) == 3
        assert backend.past({"a": 2, "b": 1}) == {"a": past["a"], "b": past["b"][2:]}
        assert backend.past({"a": 0}) == {}

    def test_of_nobody_is_nothing(self, backend: Backend) -> None:
        assert backend.past({}) == {}


class TestClock:
    @pytest.mark.parametrize("store", ["postgres", "redis"], indirect=True)  # elsewhere it is this machine's
    def test_is_the_stores_whatever_this_machine_thinks(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
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

    def test_goes_on_between_two_looks(self, store: Store) -> None:
        backend = store.open()
        before = backend.fetch([], 0).now
        time.sleep(0.01)
        assert before < backend.now() <= backend.fetch([], 0).now + SECOND

    def test_can_be_replaced(self, backend: Backend, clock: Clock) -> None:
        clock.advance(5)
        assert (backend.now(), backend.fetch([], 0).now) == (clock.now, clock.now)


class TestVersion:
    def test_grows_by_one_with_each_change_of_a_row(self, backend: Backend, clock: Clock) -> None:
        steps: list[Callable[[], object]] = [
            lambda: define(backend, "a"),
            lambda: backend.define([Definition("a", "{}", "other")]),
            lambda: backend.change([Change("a", paused=True)]),
            lambda: backend.change([Change("a", Definition("a", "{}", "third"), paused=False, run_requested=1)]),
            lambda: backend.assign([Assignment("a", 4, {"attempt": 1, "result": "1"})]),
            lambda: backend.claim("me", "one", [claim("a", 5)]),
            lambda: backend.finish("me", [success("a", 1)]),
            lambda: backend.claim("me", "two", [claim("a", 7)]),
            lambda: backend.finish("me", [failure("a", 2)]),
            lambda: backend.claim("me", "three", [claim("a", 9)]),
            lambda: backend.change([Change("a", paused=True)]),  # of a task that runs
            lambda: backend.leave("me"),
            lambda: backend.reap([DeadRun("a", 3, "me", retry_at=5, attempt=1)]),
            lambda: backend.remove(["a"]),
            lambda: define(backend, "a"),
        ]
        backend.renew("me", LEASE)
        versions = []
        for step in steps:
            step()
            snapshot = backend.fetch(["a"], 0)
            versions.append(snapshot.states["a"].version if snapshot.states else None)
        assert versions == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, None, 14]

    def test_stays_when_nothing_changes(self, backend: Backend, running: State, clock: Clock) -> None:
        def write_what_changes_nothing() -> None:
            backend.renew("me", LEASE)
            backend.claim("me", "token", [claim("a", 1)])  # asked again
            backend.claim("me", "other", [claim("a", backend.fetch(["a"], 0).states["a"].version)])
            backend.assign([Assignment("a", 1, {"attempt": 5})])
            define(backend, "a")
            backend.change([Change("a", seen_hash="another", paused=True)])
            backend.finish("me", [success("a", 7)])
            backend.finish("you", [success("a", 1)])
            backend.reap([DeadRun("a", 1, "me")])

        write_what_changes_nothing()
        assert state(backend, "a") == running
        backend.finish("me", [success("a", 1)])
        ended = state(backend, "a")
        backend.finish("me", [success("a", 1)])  # asked again
        clock.advance(LEASE)
        backend.reap([DeadRun("a", 1, "me")])
        assert (ended.version, state(backend, "a")) == (running.version + 1, ended)


class TestManyAtOnce:
    def test_a_thousand_take_a_handful_of_round_trips(
        self, store: Store, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = [f"task {number:04}" for number in range(1_000)]
        backend.renew("me", LEASE)
        claims = [claim(one, 2) for one in ids]
        outcomes = [success(one, 1) for one in ids]
        define(backend, "warm the connection and the scripts")
        backend.fetch([], 0)
        backend.claim("me", "t", [claim("nobody", 1)])
        backend.finish("me", [success("nobody", 1)])
        backend.assign([Assignment("nobody", 1, {"attempt": 1})])
        counts = {}

        def count(name: str, operation: Any) -> None:
            with store.round_trips(monkeypatch) as sent:
                operation()
            counts[name] = len(sent)
            monkeypatch.undo()

        count("define", lambda: define(backend, *ids))
        revision = backend.fetch([], 0).revision
        count("assign", lambda: backend.assign([Assignment(one, 1, {"attempt": 1}) for one in ids]))
        count("look", lambda: backend.fetch(ids, revision))
        count("claim", lambda: backend.claim("me", "token", claims))
        count("finish", lambda: backend.finish("me", outcomes))
        backend.past({"warm": 1})
        count("past", lambda: backend.past(dict.fromkeys(ids, 100)))
        assert {run.status for run in backend.history(limit=2_000)} == {SUCCESS}
        assert counts["look"] <= 1
        assert max(counts.values()) <= 9, counts
        assert counts["past"] <= 2
        if store.kind in ("postgres", "redis"):
            assert (counts["claim"], counts["finish"]) == (1, 1)

    @pytest.mark.slow
    def test_each_slot_is_won_once_by_eight_threads(self, store: Store) -> None:
        ids = [f"{number:03}" for number in range(100)]
        backends = [store.open() for _ in range(8)]
        define(backends[0], *ids)
        barrier = threading.Barrier(8)

        def work(number: int) -> list[tuple[str, int]]:
            backend, owner = backends[number], f"owner {number}"
            backend.renew(owner, 600)
            wins = []
            barrier.wait(60)
            for turn in range(5):
                for part in range(4):  # of different tasks at a time, so that batches overlap
                    mine = ids[(number * 7 + part * 25) % 50 :][:50]
                    states = backend.fetch(mine, 0).states
                    claims = [claim(one, states[one].version) for one in mine if states[one].status != RUNNING]
                    won = backend.claim(owner, f"{turn}.{part}", claims)
                    wins += list(won.items())
                    recorded = backend.finish(owner, [success(*one, history_limit=1_000) for one in won.items()])
                    assert recorded == set(won.items())
            return wins

        with ThreadPoolExecutor(8) as pool:
            wins = [win for found in pool.map(work, range(8)) for win in found]
        assert len(wins) == len(set(wins)) > 0
        epochs = {one: found.epoch for one, found in backends[0].fetch(None, 0).states.items()}
        assert sum(epochs.values()) == len(wins)
        assert len(backends[0].history(limit=10_000)) == len(wins)

    @pytest.mark.slow
    def test_revisions_tell_of_every_change_by_eight_threads(self, store: Store) -> None:
        backends = [store.open() for _ in range(8)]

        def work(number: int) -> None:
            for turn in range(10):
                define(backends[number], f"{number}.{turn}")

        reader = store.open()
        seen: dict[str, Any] = {}
        revision = 0
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(work, number) for number in range(8)]
            while not all(one.done() for one in done):
                snapshot = reader.fetch([], revision)
                seen.update(snapshot.definitions)
                revision = snapshot.revision
            for one in done:
                one.result()
        seen.update(reader.fetch([], revision).definitions)
        assert set(seen) == {f"{number}.{turn}" for number in range(8) for turn in range(10)}
