"""Compare-and-set on what was seen of a task: `define`, `change` and `remove` that depend on it, on real stores."""

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Change, Definition, Seen, State
from tests.backends.stores import LEASE, define, success

NEW = Definition("a", '{"every": 2}', "other")
FIRST = "hash of a"


class TestChange:
    @pytest.mark.parametrize(("seen_hash", "seen_paused"), [(FIRST, True), ("stale", False), ("stale", None)])
    def test_of_another_hash_or_pause_than_seen_changes_nothing(
        self, backend: Backend, seen_hash: str, seen_paused: bool | None
    ) -> None:
        define(backend, "a")
        before = backend.fetch(None, 0)
        assert backend.change([Change("a", NEW, seen_hash, seen_paused, paused=True)]) == {}
        after = backend.fetch(None, 0)
        assert (after.states, after.definitions) == (before.states, before.definitions)

    @pytest.mark.parametrize("paused", [True, False])
    def test_of_what_was_seen_is_made_also_during_a_run(self, backend: Backend, running: State, paused: bool) -> None:
        backend.change([Change("a", paused=paused)])
        changed = backend.change([Change("a", NEW, FIRST, paused, paused=not paused)])["a"]
        assert changed == running._replace(version=running.version + 2, paused=not paused)
        assert backend.fetch(None, 0).definitions == {"a": NEW}

    def test_of_a_pause_that_was_seen_leaves_the_definition_alone(self, backend: Backend) -> None:
        define(backend, "a", "b")
        changed = backend.change([Change(task_id, seen_paused=False, paused=True) for task_id in "ab"])
        assert [changed[task_id].paused for task_id in "ab"] == [True, True]
        assert backend.change([Change("a", seen_paused=False, paused=False)]) == {}


class TestRemove:
    def test_leaves_tasks_that_differ_from_what_was_seen_and_says_which(self, backend: Backend, running: State) -> None:
        define(backend, "b", "c", "d")
        backend.change([Change("c", paused=True)])
        backend.finish("me", [success("a", running.epoch)])
        before = backend.fetch(None, 0).states
        seen = {
            "a": Seen("stale", False),
            "b": Seen("hash of b", False),
            "c": Seen("hash of c", False),
            "nobody": Seen("hash of nobody", False),
        }
        assert backend.remove(["a", "b", "c", "d", "nobody"], seen) == {"a", "c"}
        assert backend.fetch(None, 0).states == {"a": before["a"], "c": before["c"]}
        assert [run.task_id for run in backend.history()] == ["a"]
        assert backend.remove(["a", "c"], {"a": Seen(FIRST, False), "c": Seen("hash of c", True)}) == set()
        assert (backend.fetch(None, 0).states, backend.history()) == ({}, [])

    def test_of_what_was_seen_may_be_repeated_after_a_lost_answer(self, backend: Backend) -> None:
        define(backend, "a")
        seen = {"a": Seen(FIRST, False)}
        assert [backend.remove(["a"], seen) for _ in range(2)] == [set(), set()]

    def test_of_what_was_seen_spares_what_was_changed_between(self, backend: Backend) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.change([Change("a", NEW)])
        assert backend.remove(["a"], {"a": Seen(FIRST, False)}) == {"a"}
        assert backend.fetch(None, 0).definitions == {"a": NEW}


class TestDefine:
    def test_writes_over_the_definition_that_was_seen_and_keeps_the_state(
        self, backend: Backend, running: State
    ) -> None:
        assert backend.define([NEW._replace(seen_hash=FIRST)]) == {"a": running._replace(version=running.version + 1)}
        assert backend.fetch([], 0).definitions == {"a": NEW}

    @pytest.mark.parametrize("seen_hash", ["stale", ""])
    def test_leaves_out_a_task_that_has_another_definition_than_was_seen(
        self, backend: Backend, seen_hash: str
    ) -> None:
        define(backend, "a")
        before = backend.fetch(None, 0)
        more = [Definition(task_id, "{}", f"hash of {task_id}", seen_hash="") for task_id in ("b", "c")]
        assert set(backend.define([more[0], NEW._replace(seen_hash=seen_hash), more[1]])) == {"b", "c"}
        after = backend.fetch(None, 0)
        assert (after.states["a"], after.definitions["a"]) == (before.states["a"], before.definitions["a"])

    @pytest.mark.parametrize("seen_hash", ["stale", "", FIRST, None])
    def test_leaves_an_equal_definition_alone_whatever_was_seen(self, backend: Backend, seen_hash: str | None) -> None:
        before = define(backend, "a")
        revision = backend.fetch([], 0).revision
        definition = next(filter(None, backend.fetch([], 0).definitions.values()))
        assert backend.define([definition._replace(seen_hash=seen_hash)]) == before
        assert backend.fetch([], 0).revision == revision

    @pytest.mark.parametrize("is_removed", [True, False])
    def test_writes_a_task_that_is_missing_or_removed_only_if_none_was_seen(
        self, backend: Backend, is_removed: bool
    ) -> None:
        if is_removed:
            define(backend, "a")
            backend.remove(["a"])
        assert backend.define([NEW._replace(seen_hash=FIRST)]) == {}
        assert backend.fetch(None, 0).states == {}
        assert set(backend.define([NEW._replace(seen_hash="")])) == {"a"}
        assert backend.fetch(None, 0).definitions == {"a": NEW}
