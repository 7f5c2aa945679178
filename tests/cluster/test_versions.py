"""Changes that are made only if a task still has the version that was read, on many instances of one backend."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler import ConflictError, TaskRegistry, UnknownTaskError
from est_alan_scheduler.backends import BackendUnavailableError
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import MINUTE, OPERATIONS, Flaky, Join, adder, runs

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

VERBS: list[Callable[[TaskRegistry, str], Any]] = [
    lambda registry, version: registry.update("a", if_version=version, timeout=9),
    lambda registry, version: registry.pause("a", if_version=version),
    lambda registry, version: registry.remove("a", if_version=version),
]


@pytest.fixture
def pair(join: Join) -> tuple[TaskRegistry, TaskRegistry]:
    """An instance that has registered a task, and another one that has it from the store."""
    first, second = join(), join()
    first.register(adder(kwargs={}))
    second.expose(jobs.add)
    second.tick()
    return first, second


Pair = tuple[TaskRegistry, TaskRegistry]


class TestVersion:
    def test_is_the_same_for_all_instances_and_after_runs_and_restarts(self, pair: Pair, join: Join) -> None:
        first, second = pair
        version = first.version("a")
        first.tick()
        second.tick()
        assert (second.version("a"), runs(first, "a")) == (version, 1)
        third = join()
        third.register(adder())
        assert third.version("a") == version
        alone = TaskRegistry()
        alone.register(adder())
        assert alone.version("a") == version

    def test_is_the_same_where_the_function_is_unknown(self, join: Join) -> None:
        worker, page = join(), join()
        worker.expose(divmod, "by another name")
        worker.register(adder(func=divmod))
        worker.register(adder("b"))
        page.refresh()
        for task_id in ("a", "b"):
            version = worker.version(task_id)
            assert page.version(task_id) == version
            page.update(task_id, if_version=version, timeout=5)
            worker.refresh()
            assert worker.version(task_id) == page.version(task_id) != version

    def test_changes_with_what_other_instances_change(self, pair: Pair) -> None:
        first, second = pair
        seen = [first.version("a")]
        changes: list[Callable[[], object]] = [lambda: second.update("a", args=(5, 6)), lambda: second.pause("a")]
        for change in changes:
            change()
            first.tick()
            assert first.version("a") == second.version("a") not in seen
            seen.append(first.version("a"))


class TestIfVersion:
    @pytest.mark.parametrize("verb", VERBS)
    def test_a_change_for_a_version_that_another_instance_has_changed_is_refused(
        self, pair: Pair, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        first, second = pair
        version = first.version("a")
        second.update("a", args=(5, 6))
        with pytest.raises(ConflictError, match=f"of the version '{version}', it is of '{second.version('a')}' now"):
            verb(first, version)
        for registry in pair:
            registry.tick()
            task = registry.store["a"]
            assert (task.args, task.timeout, task.paused) == ((5, 6), None, False)

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_version_that_another_instance_has_read_later_is_good_here(
        self, pair: Pair, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        first, second = pair
        second.update("a", args=(5, 6))
        verb(first, second.version("a"))  # this replica is behind
        second.tick()
        found = [(r["a"].args, r["a"].timeout, r["a"].paused) if "a" in r.store else None for r in pair]
        assert found[0] == found[1] in [((5, 6), 9, False), ((5, 6), None, True), None]

    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize("is_pause", [False, True])
    def test_a_change_that_comes_just_before_the_write_wins(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch, verb: Callable[[TaskRegistry, str], Any], is_pause: bool
    ) -> None:
        first, second = pair
        backend: Any = first._session and first._session.backend
        for name in ("change", "remove"):
            found = getattr(backend, name)

            def be_late(*arguments: Any, name: str = name, found: Any = found) -> Any:
                monkeypatch.undo()
                if is_pause and verb is VERBS[1]:
                    second.update("a", args=(5, 6))
                elif is_pause:
                    second.pause("a")
                else:
                    second.update("a", args=(5, 6), timeout=1)
                return getattr(backend, name)(*arguments)

            monkeypatch.setattr(backend, name, be_late)
        with pytest.raises(ConflictError):
            verb(first, first.version("a"))
        second.tick()
        for registry in pair:
            theirs = second.store["a"]
            task = registry.store["a"]
            assert (task.args, task.timeout, task.paused) == (theirs.args, theirs.timeout, theirs.paused)
            assert task.timeout in (None, 1)

    def test_what_was_assigned_here_is_part_of_the_version(self, pair: Pair) -> None:
        first, second = pair
        before = first.version("a")
        first.store["a"].every = {"hours": 1}
        with pytest.raises(ConflictError):
            first.update("a", if_version=before, timeout=5)
        first.store["a"].paused = True
        first.update("a", if_version=first.version("a"), timeout=5)
        second.tick()
        task = second.store["a"]
        assert (task.every, task.paused, task.timeout) == ({"hours": 1}, True, 5)

    def test_runs_and_claims_are_no_conflict(self, pair: Pair, clock: Clock) -> None:
        first, second = pair
        version = first.version("a")
        for _ in range(3):
            second.tick()
            clock.advance(60)
        first.update("a", if_version=version, timeout=5, paused=True)
        assert runs(second, "a") == 3
        second.tick()
        assert (second.store["a"].timeout, second.store["a"].paused) == (5, True)

    def test_a_task_may_change_itself_while_it_runs(self, join: Join) -> None:
        registry = join()

        def change() -> str:
            registry.update("a", if_version=registry.version("a"), timeout=7)
            registry.pause("a", if_version=registry.version("a"))
            return "done"

        registry.expose(change, "change")
        task = registry.register(adder(func=change, args=()))
        registry.tick()
        assert (task.result, task.timeout, task.paused) == ("done", 7, True)

    def test_states_are_changed_with_the_definition(self, pair: Pair) -> None:
        first, second = pair
        first.update("a", if_version=first.version("a"), misfires=7, timeout=5)
        second.tick()
        assert (second.store["a"].misfires, second.store["a"].timeout) == (7, 5)

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_task_that_another_instance_has_removed_is_unknown(
        self, pair: Pair, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        first, second = pair
        version = first.version("a")
        second.remove("a", if_version=version)
        with pytest.raises(UnknownTaskError):
            verb(first, version)

    @pytest.mark.parametrize("verb", VERBS[:2])
    def test_of_two_equal_changes_of_the_same_version_one_wins(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        first, second = pair
        version = first.version("a")
        backend: Any = first._session and first._session.backend
        change = backend.change

        def be_late(changes: Any) -> Any:
            monkeypatch.undo()
            verb(second, version)
            return change(changes)

        monkeypatch.setattr(backend, "change", be_late)
        with pytest.raises(ConflictError):
            verb(first, version)
        assert first.version("a") == second.version("a") != version

    def test_of_many_instances_with_the_same_version_one_wins(self, join: Join) -> None:
        registries = [join() for _ in range(4)]
        for registry in registries:
            registry.register(adder())
        version, won, barrier = registries[0].version("a"), list[int](), threading.Barrier(4)

        def change(number: int) -> None:
            barrier.wait(10)
            try:
                registries[number].update("a", if_version=version, timeout=number + 1)
            except ConflictError:
                return
            won.append(number + 1)

        threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        for registry in registries:
            registry.tick()
        assert [won] * 4 == [[registry.store["a"].timeout] for registry in registries]


class TestOutage:
    @pytest.mark.parametrize("verb", VERBS)
    def test_a_change_during_an_outage_fails_and_changes_nothing(
        self, flaky: Flaky, registry: TaskRegistry, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        task = registry.register(adder())
        version = registry.version("a")
        for failing in ({"change", "remove"}, set(OPERATIONS)):
            flaky.fails_before = failing
            with pytest.raises(BackendUnavailableError):
                verb(registry, version)
            assert (task.every, task.paused, task.timeout, registry.version("a")) == (MINUTE, False, None, version)

    def test_a_change_whose_first_answer_was_lost_is_no_conflict(self, flaky: Flaky, registry: TaskRegistry) -> None:
        task = registry.register(adder())
        change = MemoryChangeTwice(flaky)
        registry.update("a", if_version=registry.version("a"), timeout=5)
        registry.pause("a", if_version=registry.version("a"))
        assert (task.timeout, task.paused, change.calls) == (5, True, 2)


class MemoryChangeTwice:
    """A client that repeats each change, as that of Redis does after a lost answer."""

    def __init__(self, backend: Any) -> None:
        self.calls, change = 0, backend.change

        def change_twice(changes: Any) -> Any:
            self.calls += 1
            change(changes)
            return change(changes)

        backend.__dict__["change"] = change_twice
