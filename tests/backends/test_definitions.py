"""The contract of `define`, `change`, `remove`, `pause_all` and `assign`, on real stores."""

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Assignment, Change, Definition, Snapshot, State
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import FRESH, LEASE, Clock, Store, claim, define, failure, state, success

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus


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
    def test_writes_the_given_columns_only(self, backend: Backend, running: State) -> None:
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

    def test_a_claim_decided_before_a_change_fails(self, backend: Backend) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.change([Change("a", paused=True)])
        assert backend.claim("me", "token", [claim("a", 1)]) == {}

    def test_leaves_out_missing_tasks_and_other_hashes(self, backend: Backend) -> None:
        define(backend, "a", "b", "gone")
        backend.remove(["gone"])
        before = backend.fetch(None, 0)
        new = Definition("a", '{"every": 2}', "other")
        assert backend.change([Change("a", new, "stale"), Change("gone", paused=True), Change("c", paused=True)]) == {}
        assert backend.fetch(None, 0).states == before.states
        assert backend.fetch(None, 0).definitions == before.definitions
        assert set(backend.change([Change("a", new, "hash of a"), Change("b", paused=True)])) == {"a", "b"}


class TestRemove:
    def test_a_second_removal_changes_nothing(self, backend: Backend) -> None:
        define(backend, "a")
        backend.remove(["a", "nobody"])
        seen = backend.fetch([], 0).revision
        backend.remove(["a"])
        assert backend.fetch([], seen).definitions == {}

    def test_a_run_in_flight_ends_late(self, backend: Backend, running: State) -> None:
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
    def test_no_claim_succeeds_until_all_is_resumed(self, backend: Backend, clock: Clock) -> None:
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

    def test_a_second_pause_changes_nothing(self, backend: Backend) -> None:
        assert not backend.pause_all(False)
        assert backend.pause_all(True)
        seen = backend.fetch([], 0).revision
        assert not backend.pause_all(True)
        assert backend.fetch([], 0).revision == seen

    def test_lasts_for_backends_opened_later(self, store: Store, backend: Backend, clock: Clock) -> None:
        backend.pause_all(True)
        assert store.open(clock).fetch(None, 0).paused is True

    def test_does_not_disturb_a_run(self, backend: Backend, running: State) -> None:
        backend.pause_all(True)
        assert state(backend, "a") == running
        assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}  # a repetition
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

    def test_does_not_change_the_revision(self, backend: Backend) -> None:
        define(backend, "a")
        seen = backend.fetch([], 0).revision
        backend.assign([Assignment("a", 1, {"attempt": 1})])
        assert backend.fetch([], seen).revision == seen

    def test_a_status_takes_the_task_from_its_owner(self, backend: Backend, running: State) -> None:
        backend.assign([Assignment("a", running.version, {"status": PENDING})])
        assert state(backend, "a").owner is None
        assert backend.finish("me", [success("a", 1)]) == set()
        assert state(backend, "a").status == PENDING
        assert [(run.epoch, run.status, run.late) for run in backend.history()] == [(1, SUCCESS, True)]

    def test_a_running_status_set_by_hand_has_no_owner_and_stays(self, backend: Backend, clock: Clock) -> None:
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
