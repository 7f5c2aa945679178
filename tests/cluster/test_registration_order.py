"""The order of tasks on a backend: that of their registration, by whichever instance."""

import sys
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.registration_order import RegistrationOrder
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, runs

pytestmark = pytest.mark.pydantic


def ids(registry: TaskRegistry) -> str:
    """Return the ids of one letter of the tasks, in the order of iteration, which is that of `store`."""
    assert [task.id for task in registry] == list(registry.store)
    return "".join(registry.store)


def ran(registry: TaskRegistry) -> list[str]:
    started: list[str] = []
    registry.on("started", lambda event: started.append(event.task_id or ""))
    return started


@pytest.fixture
def filled(join: Join) -> TaskRegistry:
    """A registry that has registered c, a, d and b."""
    registry = join()
    for task_id in "cadb":
        registry.register(adder(task_id))
    return registry


class TestInstances:
    def test_tasks_of_several_instances_stand_as_they_were_registered(self, join: Join, clock: Clock) -> None:
        first, second, third = join(), join(), join()
        for registry, task_id in zip((first, second, first, third, second), "ecadb", strict=True):
            registry.register(adder(task_id))
            clock.advance(0.001)
        third.expose(jobs.add)
        for registry in (first, second, third, join()):
            registry.expose(jobs.add)
            registry.tick()
            assert ids(registry) == "ecadb"

    def test_a_tick_runs_them_in_that_order(self, join: Join, filled: TaskRegistry, clock: Clock) -> None:
        second = join()
        for task_id in "bdca":
            second.register(adder(task_id))
        started = ran(second)
        second._session.claims.inline_batch = 10  # type: ignore[union-attr]  # it has one
        second.tick()
        assert ("".join(started), ids(second)) == ("cadb", "cadb")

    def test_an_instance_that_registers_at_the_same_moment_follows_what_the_store_has(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.expose(jobs.add)
        backend: Any = second._session and second._session.backend
        define = backend.define

        def late(definitions: Any) -> Any:
            monkeypatch.undo()
            first.register(adder("b"))  # at the same moment, with the same place
            first.register(adder("c"))
            first.register(adder("x", args=(7, 8)))
            return define(definitions)

        monkeypatch.setattr(backend, "define", late)
        second.register(adder("a"))
        second.register(adder("d"))
        for _ in range(2):
            for registry in (second, first, join()):
                registry.expose(jobs.add)
                registry.tick()
        assert [ids(registry) for registry in (first, second)] == ["abcxd", "abcxd"]

    def test_a_task_registered_by_two_instances_at_the_same_moment_has_one_place(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        backend: Any = second._session and second._session.backend
        define = backend.define

        def late(definitions: Any) -> Any:
            monkeypatch.undo()
            clock.advance(1)
            first.register(adder("b"))
            first.register(adder("a"))
            return define(definitions)

        monkeypatch.setattr(backend, "define", late)
        second.register(adder("a"))
        second.tick()
        assert (ids(first), ids(second)) == ("ba", "ba")


class TestRestart:
    @pytest.mark.parametrize("is_joined_first", [True, False])
    @pytest.mark.parametrize("order", ["cadb", "bdac", "ba", "b"])
    def test_tasks_stand_as_at_first_whatever_the_order_in_the_code(
        self, join: Join, filled: TaskRegistry, clock: Clock, store: Store, is_joined_first: bool, order: str
    ) -> None:
        filled.tick()
        filled.shutdown()
        clock.advance(60)
        again = join() if is_joined_first else TaskRegistry()
        for task_id in order:
            again.register(adder(task_id))
        if not is_joined_first:
            again.configure(backend=store.open(clock), lease=600)
            assert ids(again) == "cadb"
        again.register(adder("A"))
        again.tick()
        assert ids(again) == "cadbA"
        again.shutdown(0)

    def test_a_task_whose_function_is_known_later_stands_in_its_place_before_and_after(
        self, join: Join, filled: TaskRegistry
    ) -> None:
        filled.expose(print, "print")
        filled.register(Task(id="P", every=MINUTE, func=print))
        filled.register(adder("z"))
        second = join()
        second.expose(jobs.add)
        second.tick()
        assert ids(second) == "cadbPz"
        second.expose(print, "print")
        second.tick()
        assert (ids(second), runs(second, "P")) == ("cadbPz", 1)

    def test_a_definition_of_a_former_version_has_the_place_of_its_moment(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first = join()
        for task_id in "ba":
            first.register(adder(task_id))
            clock.advance(1)
        backend: Any = first._session and first._session.backend
        for task_id, definition in backend.fetch(None, 0).definitions.items():
            assert definition is not None
            text = definition.json.replace('"place":', '"placed":')
            store.spoil(task_id, "definition", text)
        second = join()
        second.register(adder("c"))
        second.tick()
        assert ids(second) == "bac"

    @pytest.mark.parametrize("place", ['"x"', "null", "1.5", "true"])
    def test_a_place_that_is_no_number_is_a_problem_of_its_task_alone(
        self, join: Join, store: Store, filled: TaskRegistry, place: str
    ) -> None:
        definition = filled._session.backend.fetch(None, 0).definitions["a"]  # type: ignore[union-attr]
        assert definition is not None
        head, _, tail = definition.json.partition('"place":')
        store.spoil("a", "definition", head + '"place":' + place + tail[tail.index(",") :])
        second = join()
        second.expose(jobs.add)
        second.tick()
        assert (ids(second), list(second.unresolved())) == ("cdb", ["a"])


class TestChanges:
    def test_an_id_that_is_registered_anew_is_the_last(self, join: Join, filled: TaskRegistry) -> None:
        second = join()
        second.expose(jobs.add)
        second.tick()
        filled.remove("c")
        filled.register(adder("c"))
        filled.tick()
        second.tick()
        assert (ids(filled), ids(second)) == ("adbc", "adbc")

    def test_an_id_that_another_instance_registers_anew_is_the_last(self, join: Join, filled: TaskRegistry) -> None:
        second = join()
        second.expose(jobs.add)
        second.tick()
        filled.remove("c")
        second.tick()
        second.register(adder("c"))
        for registry in (second, filled):
            registry.tick()
            assert ids(registry) == "adbc"

    def test_an_updated_task_stays_where_it_is(self, join: Join, filled: TaskRegistry) -> None:
        second = join()
        second.register(adder("a", args=(5, 6)))
        filled.tick()
        filled.update("d", every={"hours": 2})
        second.tick()
        assert (ids(filled), ids(second)) == ("cadb", "cadb")

    def test_tasks_that_are_put_into_the_store_of_the_registry_come_in_their_order(
        self, join: Join, filled: TaskRegistry, clock: Clock
    ) -> None:
        second = join()
        second.expose(jobs.add)
        second.store.update({task_id: adder(task_id) for task_id in "zyx"})
        for registry in (second, filled):
            registry.tick()
            assert ids(registry) == "cadbzyx"
        filled.register(adder("first"))
        second.store["second"] = adder("second")
        for registry in (second, filled):
            registry.tick()
            assert list(registry.store)[-2:] == ["first", "second"]

    def test_tasks_that_cannot_be_shared_come_last(self, join: Join, filled: TaskRegistry) -> None:
        second = join()
        second.expose(jobs.add)
        second.store["L"] = Task(id="L", every=MINUTE, func=lambda: None)
        second.tick()
        assert ids(second) == "cadbL"

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    @pytest.mark.parametrize("revision", [None, 0])
    def test_tasks_that_are_put_back_into_an_emptied_store_stand_as_before(
        self, join: Join, filled: TaskRegistry, store: Store, clock: Clock, revision: int | None
    ) -> None:
        second = join()
        second.expose(jobs.add)
        second.tick()
        second.register(adder("A"))
        filled.expose(print, "print")
        filled.register(Task(id="P", every=MINUTE, func=print))  # which the other instance cannot run
        filled.register(adder("0"))
        for registry in (second, filled):
            registry.tick()
        clock.advance(1)
        store.empty(revision)
        for registry in (second, filled, second, filled):
            registry.tick()
        third = join()
        third.expose(jobs.add)
        third.expose(print, "print")
        third.tick()
        assert [ids(registry) for registry in (filled, second, third)] == ["cadbAP0"] * 3


def test_a_schedule_counts_from_its_first_registration_also_if_the_backend_comes_later(
    store: Store, join: Join, clock: Clock
) -> None:
    pytest.importorskip("cronsim")
    first = join()
    first.register(adder(every=None, cron="* * * * *"))
    first.tick()
    first.shutdown()
    clock.advance(120)
    again = TaskRegistry()
    again.register(adder(every=None, cron="* * * * *"))
    again.configure(backend=store.open(clock), lease=600)
    again.tick()
    assert len(again.history("a")) == 1
    again.shutdown(0)


class TestSort:
    def test_readers_without_a_lock_always_find_every_task(self) -> None:
        agenda = Agenda()
        for number in range(10):
            agenda.store[str(number)] = Task(id=str(number), every=MINUTE, func=jobs.add)
        agenda.work_in(datetime(2030, 1, 1))
        found: list[int] = []
        profiler = sys.getprofile()
        sys.setprofile(lambda *_: found.append(len(agenda.store)))  # wherever another thread may come in between
        try:
            agenda.sort(lambda task: -int(task.id))
        finally:
            sys.setprofile(profiler)
        assert (set(found), "".join(agenda.store)) == ({10}, "9876543210")

    def test_the_oldest_of_tasks_that_are_due_together_start_first_after_it(self) -> None:
        agenda = Agenda()
        now = datetime(2030, 1, 1)
        for task_id in "abcd":
            agenda.store[task_id] = Task(id=task_id, every=MINUTE, func=jobs.add, first_run_at=now, last_run_at=now)
        agenda.work_in(now)
        later = datetime(2030, 1, 1, 0, 2)
        utc = agenda.note_time(later)
        (entry,) = agenda.heap.take(utc, 1)
        agenda.file(entry, now)
        agenda.sort(lambda task: -ord(task.id))
        assert [entry.task.id for entry in agenda.heap.take(utc, 2)] == ["d", "c"]

    def test_a_sorted_registry_is_left_alone(self) -> None:
        order = RegistrationOrder(Agenda())
        assert [order.place(task_id, 5) for task_id in "abca"] == [5, 6, 7, 5]
        for task_id in "abc":
            order.put(task_id)
            order.note(task_id, order.place(task_id, 9))
        assert not order.is_outdated
        order.note("b", 9)
        assert order.is_outdated
