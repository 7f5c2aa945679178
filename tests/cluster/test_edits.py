"""Edits on one instance, which reach the store and the other instances."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import LAMBDA, MINUTE, NO_IDS, OPERATIONS, Flaky, Join, adder, at, end_pause, runs

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


class TestAssignment:
    def test_fields_assigned_by_hand_reach_the_store(self, join: Join, clock: Clock) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        task.last_run_at = at(clock) - timedelta(seconds=60)
        task.result = {1}
        task.kwargs = {"y": 5}
        task.args = (1,)
        registry.tick()
        assert task.result == 6
        registry.shutdown()
        again = join().register(adder(args=(1,), kwargs={"y": 5}))
        assert (again.result, again.first_run_at) == (6, task.first_run_at)

    def test_tasks_put_into_the_store_by_hand_are_shared(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.store["a"] = adder()
        first.tick()
        second.tick()
        assert (runs(first, "a"), list(second.store)) == (1, ["a"])
        del first.store["a"]
        first.tick()
        second.tick()
        assert (list(first.store), list(second.store)) == ([], [])

    def test_a_task_put_into_the_store_that_cannot_be_shared_says_so_and_hinders_no_other_task(
        self, alone: TaskRegistry
    ) -> None:
        alone.store["bad"] = Task(id="bad", every=MINUTE, func=lambda: None)
        alone.register(adder())
        alone.tick()
        assert (runs(alone, "a"), runs(alone, "bad")) == (1, 0)
        assert alone.why_not("bad").startswith("cannot run here: task 'bad': func <function")
        assert alone.idle_seconds() == 60  # it does not keep the loop busy

    def test_an_assignment_outlives_a_run_elsewhere(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder())
        second.register(adder())
        second.store["a"].misfires = 5
        first.tick()
        second.tick()
        second.tick()
        assert (second.store["a"].misfires, second.store["a"].result) == (5, 3)
        assert join().register(adder()).misfires == 5

    def test_a_pause_assigned_during_a_run_stays(self, join: Join) -> None:
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

    @pytest.mark.parametrize("name", NO_IDS)
    def test_an_invalid_id_assigned_by_hand_stops_no_other_task(self, join: Join, name: str) -> None:
        first, second = join(), join()
        first.register(adder())
        task = first.register(adder("b"))
        task.depends_on = [name]
        first.store[name] = adder(name)
        for _ in range(2):
            first.tick()
        assert (runs(first, "a"), runs(first, "b"), list(first.unresolved())) == (1, 0, [name])
        second.expose(jobs.add)
        second.tick()  # goes by what was registered
        assert (runs(first, "b"), second.unresolved()) == (1, {})

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_an_edit_whose_write_is_interrupted_is_written_later(self, join: Join, error: type[BaseException]) -> None:
        here, there = join(), join()
        there.expose(jobs.add)
        task = here.register(adder())
        here.tick()
        backend: Any = here._session and here._session.backend
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


class TestManagement:
    def test_management_calls_reach_other_instances(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        first.register(adder())
        second.expose(jobs.add)
        second.tick()
        there = second.store["a"]
        first.update("a", every={"seconds": 5}, args=(2, 3))
        first.pause("a")
        second.tick()
        assert (there.every, there.args, there.paused) == ({"seconds": 5}, (2, 3), True)
        second.resume("a")
        first.tick()
        assert not first.store["a"].paused
        before = runs(first, "a")
        first.run_now("a")
        second.tick()
        assert (runs(second, "a"), there.result, there.run_requested) == (before + 1, 5, None)
        first.remove("a")
        second.tick()
        assert list(second.store) == []

    def test_each_change_of_an_instance_that_manages_without_ticking_is_seen_by_the_others(self, join: Join) -> None:
        worker, web = join(), join()
        for registry in (worker, web):
            registry.register(adder(every={"hours": 1}))
        worker.tick()
        for _ in range(3):
            web.run_now("a")
            worker.tick()
        assert runs(worker, "a") == 4
        changes: list[Callable[[], Task]] = [lambda: web.resume("a"), lambda: web.update("a", paused=False)]
        for change in changes:
            worker.pause("a")
            change()
            worker.tick()
            assert worker.store["a"].paused is False
        worker.register(adder("new"))
        assert web.pause("new").paused is True
        worker.remove("a")
        with pytest.raises(UnknownTaskError):
            web.remove("a")

    def test_edits_of_different_fields_on_two_instances_are_merged(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder())
        second.register(adder())
        first.update("a", timeout=5)
        second.update("a", misfire_grace=7)
        first.tick()
        assert [(r.store["a"].timeout, r.store["a"].misfire_grace) for r in (first, second)] == [(5, 7), (5, 7)]

    def test_new_code_of_the_latest_start_replaces_an_earlier_update_and_a_later_update_replaces_the_code(
        self, join: Join, clock: Clock
    ) -> None:
        first = join()
        task = first.register(adder())
        first.tick()
        first.update("a", every={"seconds": 10}, args=(5, 6))
        second = join()
        again = second.register(adder(args=(3, 4)))
        first.tick()
        assert [(one.every, one.args) for one in (task, again)] == [(MINUTE, (3, 4))] * 2
        clock.advance(10)
        first.tick()
        assert runs(first, "a") == 1
        first.update("a", every={"seconds": 10})
        second.tick()
        assert again.every == {"seconds": 10}
        assert [run["slot"] for run in first.history("a")] == [at(clock) - timedelta(seconds=10), at(clock)]

    def test_management_during_an_outage_fails_and_changes_nothing(self, flaky: Flaky, registry: TaskRegistry) -> None:
        task = registry.register(adder())
        flaky.fails_before = set(OPERATIONS)
        edits: list[Callable[[], object]] = [
            lambda: registry.update("a", every={"seconds": 5}),
            lambda: registry.pause("a"),
            lambda: registry.remove("a"),
            lambda: registry.register(adder("b")),
            lambda: registry.pause_all(),
        ]
        for manage in edits:
            with pytest.raises(BackendUnavailableError):
                manage()
        assert (task.every, task.paused, registry.is_paused, list(registry.store)) == (MINUTE, False, False, ["a"])


class TestUpdate:
    @pytest.mark.parametrize("changes", [{"args": (object(),)}, {"func": LAMBDA}, {"depends_on": ["x\0"]}])
    def test_an_update_that_other_instances_could_not_read_changes_nothing(
        self, join: Join, changes: dict[str, Any]
    ) -> None:
        registry = join()
        task = registry.register(adder())
        with pytest.raises(ValueError, match="task 'a'"):
            registry.update("a", **changes)
        assert (task.func, task.args) == (jobs.add, (1, 2))

    def test_an_update_fails_when_another_instance_is_faster_five_times(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        task = first.register(adder())
        second.tick()
        assert first._session is not None
        push, seconds = first._session.edits.push, iter(range(1, 100))

        def be_slow() -> set[str]:
            second.update("a", every={"seconds": next(seconds)})
            return push()

        monkeypatch.setattr(first._session.edits, "push", be_slow)
        with pytest.raises(RuntimeError, match="task 'a' was not changed: others changed it 5 times meanwhile"):
            first.update("a", every={"hours": 1})
        assert task.every == {"seconds": 5}

    def test_two_updates_at_the_same_moment_are_both_kept(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        edits: Any = first._session and first._session.edits
        publish, ticking = edits.write_now, threading.Thread(target=first.tick)

        def late(*arguments: Any) -> bool:
            edits.write_now = publish
            second.update("a", args=(5, 6))
            ticking.start()
            ticking.join(0.03)
            return bool(publish(*arguments))

        edits.write_now = late
        first.update("a", every={"hours": 2})
        ticking.join(10)
        second.tick()
        found = [(registry.store["a"].every, registry.store["a"].args) for registry in (first, second)]
        assert found == [({"hours": 2}, (5, 6))] * 2

    def test_an_update_that_fails_skips_no_slot(self, flaky: Flaky, registry: TaskRegistry, clock: Clock) -> None:
        due = at(clock) + timedelta(hours=1)
        registry.register(adder(every={"hours": 2}, start_at=due))
        clock.advance(3600 + 30)
        flaky.fails_before = {"change"}
        with pytest.raises(BackendUnavailableError):
            registry.update("a", every={"hours": 3})
        flaky.fails_before = set()
        end_pause(registry)
        registry.tick()
        assert [run["slot"] for run in registry.history("a")] == [due]

    def test_a_task_that_closes_a_cycle_with_tasks_of_other_instances_is_refused(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder("b", depends_on=["a"]))
        with pytest.raises(ValueError, match=r"^Task 'a' would depend on itself: a -> b -> a$"):
            second.register(adder("a", depends_on=["b"]))
        first.tick()
        assert list(first.store) == ["b"]


class TestRemoval:
    def test_a_task_removed_by_two_instances_at_once_is_gone_without_an_error(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder())
        second.register(adder())
        backend, ticking = second._session.backend, threading.Thread(target=second.tick)  # type: ignore[union-attr]
        remove = backend.remove

        def meanwhile(ids: Any) -> None:
            backend.remove = remove  # type: ignore[method-assign]  # in memory, both have the same
            first.remove("a")
            ticking.start()
            ticking.join(0.03)
            remove(ids)

        backend.remove = meanwhile  # type: ignore[method-assign]
        second.remove("a")
        ticking.join(10)
        assert ("a" in second.store, "a" in first.store) == (False, False)

    def test_a_task_registered_while_its_removal_is_written_stays(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        backend = registry._session.backend  # type: ignore[union-attr]
        registering = threading.Thread(target=registry.register, args=(adder(),))
        remove = backend.remove

        def meanwhile(ids: Any) -> None:
            registering.start()
            registering.join(0.03)
            remove(ids)

        backend.remove = meanwhile  # type: ignore[method-assign]
        del registry.store["a"]
        registry.tick()
        registering.join(10)
        registry.tick()
        assert registry.store["a"].result == 3
