"""The replica: changes of other instances arrive here, and unresolved tasks are set aside."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler import Event, TaskRegistry, TaskStatus
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.rows import Assignment, Snapshot
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, NO_IDS, NOT_HELD, Join, adder, at, outlive_lease, reap, runs, take
from tests.jobs import boom

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


class TestNews:
    def test_dependents_see_the_successes_and_results_of_other_instances(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder("source", func=jobs.echo, args=([1, 2],)))
        second.register(adder("sink", func=take, args=(), depends_on=["source"]))
        second.expose(jobs.echo)
        second.pause("source")
        second.tick()
        first.resume("source")
        first.tick()
        second.tick()
        assert second.store["sink"].result == [1, 2]

    def test_fresh_input_is_consumed_once_on_any_instance_and_after_a_restart(self, join: Join, clock: Clock) -> None:
        fresh = {
            "every": {"seconds": 1},
            "func": take,
            "args": (),
            "depends_on": ["source"],
            "depends_on_mode": "fresh",
        }

        def start() -> TaskRegistry:
            registry = join()
            registry.register(adder("source"))
            registry.register(adder("sink", **fresh))
            return registry

        first, second = start(), start()
        first.tick()
        first.tick()
        consumed = first.store["sink"].consumed
        assert consumed == {"source": first.store["source"].last_success_at}
        clock.advance(1)
        for registry in (second, first, start()):
            registry.tick()
            assert (runs(registry, "sink"), registry.store["sink"].consumed) == (1, consumed)
        clock.advance(59)
        for registry in (second, second, first, first):
            registry.tick()
        assert (runs(first, "sink"), first.store["sink"].consumed) == (2, {"source": at(clock)})

    def test_a_task_that_runs_on_another_instance_is_running_here(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        seen = []

        def look() -> None:
            second.tick()
            seen.append(second.store["a"].status)

        first.expose(look, "look")
        second.expose(boom, "look")
        first.register(adder(func=look, args=()))
        first.tick()
        second.tick()
        assert (seen, second.store["a"].status, runs(first, "a")) == ([TaskStatus.RUNNING], TaskStatus.SUCCESS, 1)
        clock.advance(60)
        second.tick()
        assert second.store["a"].status is TaskStatus.FAILED

    def test_rows_of_due_tasks_are_read_again_only_if_they_have_changed(
        self, alone: TaskRegistry, clock: Clock
    ) -> None:
        backend = alone._session.backend  # type: ignore[union-attr]  # it has one
        read: list[list[str]] = []

        def look(*arguments: Any) -> Snapshot:
            snapshot = MemoryBackend.fetch(backend, *arguments)  # type: ignore[arg-type]  # that is what it is
            read.append(sorted(snapshot.states))
            return snapshot

        alone.register(adder())
        alone.register(adder("b"))
        alone.tick()
        clock.advance(60)
        backend.fetch = look  # type: ignore[method-assign]
        alone.tick()
        clock.advance(60)
        backend.assign([Assignment("b", backend.fetch(["b"], 0).states["b"].version, {"misfires": 7})])
        alone.tick()
        assert (read[0], read[-1], alone.store["b"].misfires, runs(alone, "b")) == ([], ["b"], 7, 3)

    def test_the_latest_pause_or_resume_stands_during_a_dead_run_that_goes_on_here(
        self, join: Join, clock: Clock
    ) -> None:
        here, there = join(), join()
        tasks: Any = here._session and here._session.replica

        def stall() -> None:
            outlive_lease(here, clock)
            reap(there)
            there.pause("a")
            older = there._session.backend.fetch(["a"], 0).states["a"]  # type: ignore[union-attr]
            here.resume("a")
            with here._lock:
                tasks.take_state(older)
            assert here.store["a"].paused is False

        for registry in (here, there):
            registry.expose(stall, "stall")
        here.register(adder("a", func=stall, args=()))
        here.tick()
        assert [run["result"] for run in here.history("a")] == ["None"]

    def test_a_resume_of_a_new_task_reaches_it_though_a_run_of_its_id_goes_on_here(self, join: Join) -> None:
        here, there = join(), join()

        def stall() -> None:
            there.remove("a")
            here._management.catch_up("a")
            there.register(adder("a", func=stall, args=()))
            there.pause("a")
            here.resume("a")

        for registry in (here, there):
            registry.expose(stall, "stall")
        here.register(adder("a", func=stall, args=()))
        here.tick()
        there._management.catch_up("a")
        assert (here.store["a"].paused, there.store["a"].paused) == (False, False)


class TestUnresolved:
    def test_a_function_that_is_no_name_is_logged_and_hinders_no_other_task(
        self, join: Join, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        first.register(adder("bad", func=boom, args=()))
        store.spoil("bad", "definition", json.dumps({"task": {"every": MINUTE, "func": 5}, "armed": 0, "zone": None}))
        second.expose(jobs.add)
        second.tick()
        second.tick()
        reason = "its function must be a name, it is 5"
        assert (second.unresolved(), second.store["a"].result) == ({"bad": reason}, 3)
        assert second.why_not("bad") == f"cannot run here: {reason}"
        messages = [record.message for record in caplog.records if "'bad'" in record.message]
        assert messages == [f"Task 'bad' of the store does not run here: {reason}."]

    @pytest.mark.parametrize("dependency", NO_IDS)
    def test_a_row_with_an_invalid_id_as_dependency_is_set_aside(
        self, join: Join, store: Store, dependency: str
    ) -> None:
        first = join()
        first.register(adder("b"))
        definition = {"task": {"every": MINUTE, "func": "tests.jobs:add", "depends_on": [dependency]}}
        store.spoil("b", "definition", json.dumps({**definition, "armed": 0, "zone": None}))
        second = join()
        second.register(adder())
        second.tick()
        reason = f"depends_on of task 'b' has {dependency!r}, which no task of a backend can have for an id: {NOT_HELD}"
        assert (runs(second, "a"), second.unresolved()) == (1, {"b": reason})

    def test_an_unreadable_row_is_set_aside(self, join: Join, store: Store) -> None:
        first = join()
        first.register(adder())
        first.register(adder("b"))
        store.spoil("b", "status", "nonsense")
        first.tick()
        assert (list(first.store), list(first.unresolved()), runs(first, "a")) == (["a"], ["b"], 1)

    def test_a_row_that_is_unreadable_when_its_task_is_registered_is_set_aside_until_it_is_removed(
        self, join: Join, store: Store
    ) -> None:
        join().register(adder("b"))
        store.spoil("b", "result", "nonsense")
        registry = join()
        registry.register(adder())
        task = registry.register(adder("b"))
        registry.tick()
        (reason,) = registry.unresolved().values()
        assert reason.startswith("its row cannot be read: the result is no JSON: ")
        assert registry.why_not("b") == f"cannot run here: {reason}"
        assert (list(registry.store), runs(registry, "a"), runs(registry, "b")) == (["a", "b"], 1, 0)
        registry.remove("b")
        registry.register(task)
        registry.tick()
        assert (registry.unresolved(), task.result) == ({}, 3)

    def test_a_row_that_is_unreadable_when_its_task_is_managed_is_set_aside(self, join: Join, store: Store) -> None:
        registry = join()
        registry.register(adder())
        store.spoil("a", "status", "nonsense")
        with pytest.raises(
            KeyError, match="task 'a' of the backend can only be removed here: its row cannot be read: "
        ):
            registry.pause("a")
        registry.tick()
        assert registry.unresolved() == {"a": "its row cannot be read: 'nonsense' is not a valid TaskStatus"}

    def test_a_task_whose_definition_makes_no_sense_can_be_removed(self, join: Join, store: Store) -> None:
        first, second = join(), join()
        task = first.register(adder(func=boom, args=()))
        store.spoil("a", "definition", "nonsense")
        second.tick()
        assert list(second.unresolved()) == ["a"]
        events: list[Event] = []
        second.on("removed", events.append)
        assert second.remove("a") is None
        assert (second.unresolved(), events) == ({}, [Event("removed", "a")])
        for registry in (first, second):
            registry.tick()
        assert (list(first.store), second.unresolved(), join().unresolved()) == ([], {}, {})
        with pytest.raises(KeyError, match="no task 'a' is registered"):
            second.remove("a")
        assert first.register(task) is task

    def test_an_unreadable_row_can_be_removed(self, join: Join, store: Store) -> None:
        first, second = join(), join()
        first.register(adder())
        store.spoil("a", "definition", "nonsense")
        assert second.remove("a") is None
        first.tick()
        assert (list(first.store), first.unresolved(), join().unresolved()) == ([], {}, {})

    def test_a_task_with_an_id_that_no_store_can_hold_can_be_removed(self, join: Join) -> None:
        registry = join()
        task = registry.store["x\0"] = adder("x\0")
        registry.tick()
        assert list(registry.unresolved()) == ["x\0"]
        assert registry.remove("x\0") is task
        assert registry.unresolved() == {}

    def test_an_unshareable_task_hinders_no_other_task_put_into_the_store_with_it(self, alone: TaskRegistry) -> None:
        for task in (adder("a", func=lambda: None, args=()), adder("b")):
            alone.store[task.id] = task
        for _ in range(2):
            alone.tick()
        assert (list(alone.unresolved()), runs(alone, "b")) == (["a"], 1)

    def test_management_of_a_task_whose_definition_makes_no_sense_says_why(self, join: Join, store: Store) -> None:
        first, second = join(), join()
        first.register(adder(func=boom, args=()))
        store.spoil("a", "definition", json.dumps({"task": {"func": None}, "armed": 0, "zone": None}))
        second.tick()
        attempts: list[Callable[[], object]] = [
            lambda: second.pause("a"),
            lambda: second.resume("a"),
            lambda: second.run_now("a"),
            lambda: second.update("a", args=()),
        ]
        for attempt in attempts:
            with pytest.raises(UnknownTaskError) as caught:
                attempt()
            assert str(caught.value) == (
                "task 'a' of the backend can only be removed here: its function must be a name, it is None"
            )
