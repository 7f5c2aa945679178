"""Removal of several tasks in one step, with and without a backend."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, UnknownTaskError
from est_alan_scheduler.backends import BackendUnavailableError
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Flaky, Join, adder
from tests.messages import missing

pytestmark = pytest.mark.pydantic


@pytest.fixture(params=["alone", "shared"])
def registry(request: pytest.FixtureRequest, clock: Clock) -> TaskRegistry:
    registry = TaskRegistry() if request.param == "alone" else request.getfixturevalue("alone")
    assert isinstance(registry, TaskRegistry)
    for task_id in "abcd":
        registry.register(adder(task_id))
    return registry


def removals(registry: TaskRegistry) -> list[str | None]:
    removed: list[str | None] = []
    registry.on("removed", lambda event: removed.append(event.task_id))
    return removed


class TestPrune:
    @pytest.mark.parametrize("kind", [list, tuple, iter, lambda ids: dict.fromkeys(ids).keys()])
    def test_takes_any_iterable_of_ids_and_publishes_each_removal(
        self, registry: TaskRegistry, kind: Callable[[Iterable[str]], Iterable[str]]
    ) -> None:
        removed = removals(registry)
        registry.prune(kind(["c", "a"]))
        assert (list(registry.store), removed) == (["b", "d"], ["c", "a"])
        registry.tick()
        assert (registry.store["b"].result, len(registry.history("a"))) == (3, 0)

    def test_an_id_may_come_twice_and_none_at_all_is_nothing(self, registry: TaskRegistry) -> None:
        removed = removals(registry)
        registry.prune(["a", "a"])
        registry.prune([])
        assert (list(registry.store), removed) == (["b", "c", "d"], ["a"])

    @pytest.mark.parametrize(
        ("ids", "parts"),
        [
            (["a", "bb"], ["no task 'bb' is registered", "'b'"]),
            (["x", "a", "y"], ["no tasks 'x', 'y' are registered"]),
            ([*map(str, range(100)), "a"], ["'0'", "'9'", "and 90 more"]),
            (["a", "x\0"], ["x\\x00"]),
        ],
    )
    def test_unknown_ids_are_one_error_and_nothing_is_removed(
        self, registry: TaskRegistry, ids: list[str], parts: list[str]
    ) -> None:
        removed = removals(registry)
        with pytest.raises(UnknownTaskError) as caught:
            registry.prune(ids)
        assert missing(caught.value, *parts) == []
        assert caught.value.args[0] in ids
        assert (list(registry.store), removed) == (list("abcd"), [])
        registry.tick()
        assert len(registry.history()) == 4

    @pytest.mark.parametrize("ids", ["ab", ["a", 1], ["a", None], [["a"]], 5])
    def test_what_is_no_iterable_of_texts_is_refused(self, registry: TaskRegistry, ids: Any) -> None:
        with pytest.raises(TypeError):
            registry.prune(ids)
        assert list(registry.store) == list("abcd")


class TestWithBackend:
    def test_is_one_change_of_the_store_that_others_follow(self, join: Join, store: Store, clock: Clock) -> None:
        first, second = join(), join()
        first.expose(print, "print")
        for task_id in "abc":
            first.register(adder(task_id))
        first.register(Task(id="stand-in", every=MINUTE, func=print))
        first.register(adder("unresolved"))
        store.spoil("unresolved", "definition", "nonsense")
        second.register(adder("mine"))
        second.tick()
        assert second.unresolved().keys() == {"unresolved"}
        backend = store.open(clock)
        before = backend.fetch([], 0).revision
        second.prune(["a", "stand-in", "unresolved", "mine"])
        first.tick()
        assert (set(first.store), set(second.store), second.unresolved()) == ({"b", "c"}, {"b", "c"}, {})
        assert set(backend.fetch(None, 0).states) == {"b", "c"}
        if store.kind != "redis":  # where each row has a revision of its own
            assert backend.fetch([], 0).revision == before + 1

    @pytest.mark.parametrize("store", ["redis"], indirect=True)
    def test_tasks_by_the_thousand(self, join: Join, store: Store, clock: Clock) -> None:
        registry = TaskRegistry()
        ids = [f"task {number}" for number in range(1_200)]
        for task_id in ids:
            registry.register(adder(task_id))
        registry.configure(backend=store.open(clock), lease=600)
        registry.prune(ids[1:])
        assert list(registry.store) == ids[:1] == list(store.open(clock).fetch(None, 0).states)
        registry.shutdown(0)

    def test_a_store_out_of_reach_keeps_all(self, flaky: Flaky, registry_on_flaky: TaskRegistry) -> None:
        flaky.fails_before.add("remove")
        with pytest.raises(BackendUnavailableError):
            registry_on_flaky.prune(["a", "b"])
        flaky.fails_before.clear()
        assert list(registry_on_flaky.store) == ["a", "b"]
        registry_on_flaky.prune(["a", "b"])
        assert (list(registry_on_flaky.store), flaky.fetch(None, 0).states) == ([], {})

    @pytest.fixture
    def flaky(self, clock: Clock) -> Flaky:
        return Flaky(clock)

    @pytest.fixture
    def registry_on_flaky(self, flaky: Flaky) -> TaskRegistry:
        registry = TaskRegistry(backend=flaky, lease=600)
        for task_id in "ab":
            registry.register(adder(task_id))
        return registry
