"""Removed tasks whose tombstones were dropped before an instance has read of the removal."""

from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, runs

pytestmark = pytest.mark.pydantic


def forget(registry: TaskRegistry, clock: Clock, *ids: str) -> None:
    """Remove tasks, and have the heartbeat drop their tombstones when no lease of that time can live."""
    for task_id in ids:
        registry.remove(task_id)
    assert registry._session is not None
    clock.advance(700)
    while registry._session.backend.drop_tombstones():
        pass


def stored(store: Store, clock: Clock) -> set[str]:
    return set(store.open(clock).fetch(None, 0).states)


class TestUnread:
    def test_an_instance_takes_the_task_out_and_does_not_put_it_back(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first, second = join(), join()
        for registry, task_id in ((first, "a"), (second, "b"), (first, "c")):
            registry.register(adder(task_id))
        second.tick()
        forget(first, clock, "a", "b")
        second.store["b"].misfires = 5  # an edit that is still to be written
        for registry in (second, first, second):
            registry.tick()
        assert (set(first.store), set(second.store), stored(store, clock)) == ({"c"}, {"c"}, {"c"})
        assert second.store["c"].status is TaskStatus.SUCCESS

    def test_an_instance_that_changes_the_task_is_told_that_it_is_gone(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        first.register(adder("a"))
        second.register(adder("b"))
        second.tick()
        forget(first, clock, "a")
        with pytest.raises(KeyError, match="no task 'a' is registered"):
            second.update("a", every={"hours": 1})
        assert set(second.store) == {"b"}

    def test_a_task_that_cannot_be_known_here_is_not_unresolved_any_more(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first, second = join(), join()
        first.expose(print, "only here")
        first.register(Task(id="a", every=MINUTE, func=print))
        first.register(Task(id="b", every=MINUTE, func=print))
        for task_id in "ab":
            store.spoil(task_id, "definition", "nonsense")
        second.tick()
        second.store["mine"] = Task(id="mine", every=MINUTE, func=lambda: None)  # which no other process can find
        second.tick()
        forget(first, clock, "a")
        second.tick()
        assert set(second.unresolved()) == {"b", "mine"}

    def test_a_run_in_flight_ends_late_and_changes_nothing(self, join: Join, store: Store, clock: Clock) -> None:
        first, second = join(), join()

        def remove() -> None:
            forget(first, clock, "a")  # the tombstone stays: it has a run in flight
            first.register(adder("a"))

        second.expose(remove, "remove")
        second.register(Task(id="a", every=MINUTE, func=remove))
        first.tick()
        second.tick()
        assert [(run["epoch"], run["late"]) for run in first.history("a")] == [(1, True)]
        forget(first, clock, "a")
        second.tick()
        assert (set(second.store), stored(store, clock)) == (set(), set())

    def test_an_id_that_is_registered_anew_begins_with_nothing_of_its_past(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.expose(jobs.add)
        first.register(adder("a"))
        second.tick()
        first.tick()
        past = first.history("a")[-1]["epoch"] if runs(first, "a") else second.history("a")[-1]["epoch"]
        forget(first, clock, "a")
        again = first.register(adder("a", args=(5, 6)))
        second.tick()
        first.tick()
        assert [run["result"] for run in first.history("a")] == ["11"]
        assert first.history("a")[0]["epoch"] > past
        for registry in (first, second):
            registry.tick()
            assert registry.store["a"].result == 11
        assert again.first_run_at is not None


def test_the_heartbeat_drops_tombstones_batch_by_batch(join: Join, clock: Clock) -> None:
    registry = join()
    for number in range(5):
        registry.register(adder(str(number)))
    registry.tick()
    session: Any = registry._session
    session._heartbeat.stop(60)
    for number in range(5):
        registry.remove(str(number))
    session.heartbeat()
    clock.advance(700)
    session.lease.renew()
    session.reaper.drop_batch = 2
    dropped: list[int] = []
    drop = session.backend.drop_tombstones

    def count(limit: int) -> int:
        dropped.append(drop(limit))
        return dropped[-1]

    session.backend.drop_tombstones = count
    session.heartbeat()
    assert dropped == []
    for _ in range(4):
        session.reaper.drop_due_at = 0.0
        session.heartbeat()
        assert 0.01 <= session.seconds_to_heartbeat() <= (1.0 if dropped[-1] else 200.0)
    assert dropped == [2, 2, 1, 0]
    assert session.seconds_to_heartbeat() > 1.0
