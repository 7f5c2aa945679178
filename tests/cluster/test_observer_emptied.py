"""An observer on a store that was emptied: it shows what the store has, and puts nothing of others back."""

import pytest

from est_alan_scheduler import TaskRegistry, UnknownTaskError
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import Join, adder


@pytest.fixture
def worker(join: Join) -> TaskRegistry:
    return join()


@pytest.fixture
def observer(join: Join, worker: TaskRegistry) -> TaskRegistry:
    """An observer that has read two tasks of a worker, one of which it has changed, and the pause of all."""
    for task_id in ("a", "b"):
        worker.register(adder(task_id))
    worker.pause_all()
    observer = join(observe=True)
    observer.expose(jobs.add)
    observer.refresh()
    observer.update("b", args=(5, 6))
    return observer


def empty(store: Store, clock: Clock, revision: int | None) -> None:
    clock.advance(1)
    store.empty(revision)


@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.parametrize("revision", [None, 0])
class TestEmptied:
    def test_it_forgets_the_tasks_of_others_and_the_pause_of_all(
        self, observer: TaskRegistry, store: Store, clock: Clock, revision: int | None
    ) -> None:
        observer["a"].paused = True  # an edit that is still to be written
        empty(store, clock, revision)
        for _ in range(3):
            observer.refresh()
        assert (list(observer), observer.unresolved(), observer.is_paused) == ([], {}, False)
        found = store.open(clock).fetch(None, 0)
        assert (found.definitions, found.paused) == ({}, False)

    def test_it_manages_none_of_them(
        self, observer: TaskRegistry, store: Store, clock: Clock, revision: int | None
    ) -> None:
        empty(store, clock, revision)
        for change in (observer.pause, observer.run_now, lambda task_id: observer.update(task_id, args=(7, 8))):
            with pytest.raises(UnknownTaskError):
                change("a")
        assert store.open(clock).fetch(None, 0).definitions == {}

    def test_it_puts_back_what_this_program_has_registered(
        self, observer: TaskRegistry, store: Store, clock: Clock, revision: int | None
    ) -> None:
        own = observer.register(adder("own"))
        empty(store, clock, revision)
        for _ in range(2):
            observer.refresh()
        assert list(observer) == [own]
        assert set(store.open(clock).fetch(None, 0).definitions) == {"own"}

    def test_it_shows_what_the_workers_put_back(
        self, worker: TaskRegistry, observer: TaskRegistry, store: Store, clock: Clock, revision: int | None
    ) -> None:
        worker.resume_all()
        worker.tick()
        empty(store, clock, revision)
        observer.refresh()
        assert list(observer) == []
        for _ in range(2):
            worker.tick()
        observer.refresh()
        assert [(task.id, task.result) for task in observer] == [("a", 3), ("b", 11)]


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_a_single_row_that_was_deleted_is_not_put_back(observer: TaskRegistry, store: Store) -> None:
    store.execute(f"DELETE FROM {store.name}_tasks WHERE id = 'a'")
    for _ in range(2):
        observer.refresh("a")
    assert [task.id for task in observer] == ["b"]
    assert set(store.open().fetch(None, 0).definitions) == {"b"}
