"""The log of what other instances have changed."""

from collections.abc import Callable

import pytest

from est_alan_scheduler import Changes, TaskRegistry
from est_alan_scheduler.cluster import change_log
from est_alan_scheduler.cluster.change_log import ChangeLog
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Join, adder, noop, runs

CHANGES: dict[str, Callable[[TaskRegistry], object]] = {
    "a definition": lambda worker: worker.update("a", every={"hours": 7}),
    "a pause": lambda worker: worker.pause("a"),
    "a request": lambda worker: worker.run_now("a"),
    "a removal": lambda worker: worker.remove("a"),
    "a run": lambda worker: worker.tick(),
}


def news_of(registry: TaskRegistry, mark: int) -> set[str] | None:
    registry.refresh()
    ids = registry.changes(mark).ids
    return None if ids is None else set(ids)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_observer", [True, False])
def test_what_another_instance_does_to_a_task_is_a_change(
    change: str, is_observer: bool, join: Join, clock: Clock
) -> None:
    worker, other = join(), join(observe=is_observer)
    other.expose(jobs.add)
    worker.register(adder())
    worker.register(adder("b", func=noop, args=(), start_at="2100-01-01"))
    other.refresh()
    mark = other.changes().mark
    assert other.changes(mark) == Changes(mark, frozenset())
    CHANGES[change](worker)
    assert news_of(other, mark) == {"a"}
    assert news_of(other, other.changes().mark) == set()


def test_a_new_task_of_another_instance_is_a_change(join: Join) -> None:
    worker, observer = join(), join(observe=True)
    mark = observer.changes().mark
    worker.register(adder())
    assert news_of(observer, mark) == {"a"}


def test_each_reader_has_its_own_mark(join: Join) -> None:
    worker, observer = join(), join(observe=True)
    first = observer.changes().mark
    worker.register(adder())
    assert news_of(observer, first) == {"a"}
    second = observer.changes(first).mark
    worker.register(adder("b"))
    assert (news_of(observer, second), news_of(observer, first)) == ({"b"}, {"a", "b"})


def test_a_run_of_this_instance_is_no_change(join: Join, clock: Clock) -> None:
    registry = join()
    registry.register(adder())
    registry.tick()
    mark = registry.changes().mark
    clock.advance(60)
    registry.tick()
    assert runs(registry, "a") == 2
    assert registry.changes(mark) == Changes(mark, frozenset())


def test_without_a_backend_nobody_else_changes_anything() -> None:
    assert TaskRegistry().changes(5) == Changes(0, frozenset())


def test_too_many_changes_are_not_known_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "_LONGEST", 3)
    log = ChangeLog()
    mark = log.since(None).mark
    for task_id in "abc":
        log.note(task_id)
    assert log.since(mark) == Changes(mark + 3, frozenset("abc"))
    log.note("d")
    assert log.since(mark) == Changes(mark + 4, None)
    assert log.since(mark + 1) == Changes(mark + 4, frozenset("bcd"))


@pytest.mark.parametrize("difference", [-1_000_000_000, 1])
def test_with_the_mark_of_another_backend_anything_may_have_changed(difference: int) -> None:
    log = ChangeLog()
    mark = log.since(None).mark
    assert log.since(mark + difference) == Changes(mark, None)
