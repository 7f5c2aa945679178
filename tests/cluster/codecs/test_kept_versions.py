"""Versions of tasks as pages show them: kept if they take long to make, and never waited for twice."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from est_alan_scheduler import Task
from est_alan_scheduler.cluster.codecs.kept_versions import LONGEST, KeptVersions
from tests.frozen import Frozen


def take(*_: Any, **__: Any) -> None: ...


class Slow:
    """An argument whose `repr` takes its time, by a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.text = "slow"
        self.read = 0
        self.now = 0.0

    def __repr__(self) -> str:
        self.now += self.seconds
        self.read += 1
        return self.text


class Stuck:
    """An argument whose `repr` returns only once it may."""

    def __init__(self) -> None:
        self.may_return = threading.Event()
        self.began = threading.Event()
        self.read = 0

    def __repr__(self) -> str:
        self.read += 1
        self.began.set()
        self.may_return.wait(20)
        return "stuck"


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    value = Stuck()
    yield value
    value.may_return.set()


def with_argument(registry: Frozen, value: Any, task_id: str = "a") -> Task:
    return registry.register(Task(id=task_id, every={"minutes": 1}, func=take, args=(value,), kwargs={"x": 1}))


def versions_of(registry: Frozen, value: Slow) -> KeptVersions:
    return KeptVersions(registry._functions, lambda: value.now)


class TestKept:
    def test_a_version_that_took_long_is_kept_for_twenty_times_as_long(self, registry: Frozen) -> None:
        value = Slow(0.1)
        task, versions = with_argument(registry, value), versions_of(registry, value)
        version = versions.of(task)
        assert version == registry.version("a")
        value.now, value.text = 2.09, "other"
        assert [versions.of(one) for one in (task, task.model_copy())] == [version, version]
        assert value.read == 2
        value.now = 2.11
        assert versions.of(task) == registry.version("a") != version

    def test_many_are_kept_for_twenty_times_as_long_as_all_of_them_took(self, registry: Frozen) -> None:
        value = Slow(0.05)
        tasks, versions = [with_argument(registry, value, f"t{n}") for n in range(6)], versions_of(registry, value)
        for task in tasks:
            versions.of(task)
        value.now = 0.05 + 5.9
        assert (list(map(versions.of, tasks)), value.read) == ([versions.of(one) for one in tasks], 6)

    def test_none_is_kept_for_longer_than_some_seconds(self, registry: Frozen) -> None:
        value = Slow(3)
        task, versions = with_argument(registry, value), versions_of(registry, value)
        versions.of(task)
        value.now = 3 + LONGEST
        versions.of(task)
        assert value.read == 2

    def test_one_that_is_made_fast_is_made_each_time(self, registry: Frozen) -> None:
        value = Slow(0.001)
        task, versions = with_argument(registry, value), versions_of(registry, value)
        before = versions.of(task)
        value.text = "other"
        assert (versions.of(task) != before, len(versions)) == (True, 0)

    @pytest.mark.parametrize(
        "change",
        [
            lambda registry, value: registry.update("a", args=(value, 1)),
            lambda registry, value: registry.update("a", kwargs={"x": 2}),
            lambda registry, value: registry.pause("a"),
            lambda registry, value: registry.expose(take, "another name"),
            lambda registry, value: registry.update("a", tags=["night"]),
            lambda registry, value: registry.update("a", depends_on=["b"]),
        ],
    )
    def test_a_change_is_seen_at_once(self, registry: Frozen, change: Callable[[Frozen, Slow], Any]) -> None:
        value = Slow(1)
        task, versions = with_argument(registry, value), versions_of(registry, value)
        before = versions.of(task)
        change(registry, value)
        assert versions.of(task) == registry.version("a") != before

    def test_what_compares_gets_a_fresh_one(self, registry: Frozen) -> None:
        value = Slow(1)
        task, versions = with_argument(registry, value), versions_of(registry, value)
        versions.of(task)
        value.text = "other"
        assert versions.of(task, is_fresh=True) == registry.version("a")

    def test_the_arguments_are_let_go_after_a_while(self, registry: Frozen) -> None:
        value = Slow(1)
        task, versions = with_argument(registry, value), versions_of(registry, value)
        versions.of(task)
        assert len(versions) == 1
        value.now = 32
        other = registry.register(Task(id="b", every={"minutes": 1}, func=take))
        versions.of(other)
        assert len(versions) == 0


class TestStuck:
    def test_an_argument_that_never_can_be_read_takes_one_thread(self, registry: Frozen, stuck: Stuck) -> None:
        task, versions = with_argument(registry, stuck), KeptVersions(registry._functions, patience=0.01)
        found: list[str] = []
        first = threading.Thread(target=lambda: found.append(versions.of(task)))
        first.start()
        assert stuck.began.wait(10)
        assert [versions.of(task), versions.of(task.model_copy()), versions.of(task, True)] == ["", "", ""]
        assert stuck.read == 1
        stuck.may_return.set()
        first.join(10)
        assert found == [versions.of(task)] == [registry.version("a")]

    def test_the_former_version_is_taken_while_a_new_one_is_made(self, registry: Frozen, stuck: Stuck) -> None:
        stuck.may_return.set()
        now = [0.0]

        def read_clock() -> float:
            now[0] += 0.1
            return now[0]

        task, versions = with_argument(registry, stuck), KeptVersions(registry._functions, read_clock, patience=0.01)
        version = versions.of(task)
        now[0] = 20.0
        stuck.may_return.clear()
        stuck.began.clear()
        thread = threading.Thread(target=partial(versions.of, task))
        thread.start()
        assert stuck.began.wait(10)
        assert (versions.of(task), versions.of(task, is_fresh=True)) == (version, "")
        stuck.may_return.set()
        thread.join(10)

    def test_another_argument_is_not_held_up_by_it(self, registry: Frozen, stuck: Stuck) -> None:
        task, versions = with_argument(registry, stuck), KeptVersions(registry._functions)
        thread = threading.Thread(target=partial(versions.of, task))
        thread.start()
        assert stuck.began.wait(10)
        registry.update("a", args=(1,))
        assert versions.of(task) == registry.version("a")
        stuck.may_return.set()
        thread.join(10)
        assert versions.of(task) == registry.version("a")

    def test_an_error_meanwhile_ends_the_making(self, registry: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
        task, versions = with_argument(registry, 1), KeptVersions(registry._functions)
        with monkeypatch.context() as patch:
            patch.setattr("est_alan_scheduler.cluster.codecs.kept_versions.version_of", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                versions.of(task)
        assert versions.of(task) == registry.version("a")
