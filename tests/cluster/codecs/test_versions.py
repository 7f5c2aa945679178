"""Versions of tasks, and changes that are made only if the task still has one: `version`, `if_version`."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import ConflictError, InvalidTypeError, Retry, Task, TaskRegistry, UnknownTaskError
from est_alan_scheduler.cluster.codecs import versions
from tests.frozen import START, Frozen, boom, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

CHANGES: list[dict[str, Any]] = [
    {"every": {"minutes": 2}},
    {"every": None, "at": "07:00"},
    {"func": boom},
    {"args": (1,), "func": print},
    {"depends_on": ["b"]},
    {"retry": 2},
    {"timeout": 5},
    {"tags": ["night"]},
    {"name": "A"},
    {"description": "What it does."},
    {"paused": True},
    {"run_immediately": False},
]
VERBS: list[Callable[[TaskRegistry, str], Any]] = [
    lambda registry, version: registry.update("a", if_version=version, timeout=9),
    lambda registry, version: registry.pause("a", if_version=version),
    lambda registry, version: registry.resume("a", if_version=version),
    lambda registry, version: registry.remove("a", if_version=version),
]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


@pytest.fixture
def task(registry: Frozen) -> Task:
    return registry.register(Task(id="a", every={"minutes": 1}, func=work))


class TestVersion:
    def test_is_equal_for_equal_tasks_of_two_registries(self) -> None:
        found = [TaskRegistry() for _ in range(2)]
        for registry in found:
            registry.register(
                Task(id="a", every={"minutes": 1}, func=dict, kwargs={"x": [1]}, retry=Retry(max_retries=2))
            )
        first, second = (registry.version("a") for registry in found)
        assert (first, len(first), int(first, 16) >= 0) == (second, 32, True)

    @pytest.mark.parametrize("changes", CHANGES)
    def test_differs_after_each_change_and_is_back_after_it_is_undone(
        self, registry: Frozen, task: Task, changes: dict[str, Any]
    ) -> None:
        version, before = registry.version("a"), {name: getattr(task, name) for name in changes}
        registry.update(task, **changes)
        assert registry.version(task) != version
        registry.update("a", **before | {"name": None} if "name" in before else before)
        assert registry.version("a") == version

    def test_is_not_changed_by_runs_requests_and_assigned_states(self, registry: Frozen, task: Task) -> None:
        version = registry.version("a")
        registry.tick()
        registry.run_now("a")
        task.last_run_at = START
        task.misfires = 3
        registry.tick_at(START + timedelta(hours=1))
        assert (len(task.history), registry.version("a")) == (2, version)

    def test_is_told_of_any_function_and_any_argument(self, registry: Frozen) -> None:
        class Unhashable:
            __hash__ = None  # type: ignore[assignment]

            def __call__(self, *_: Any) -> None: ...

            def __repr__(self) -> str:
                return "a callable"

        given = {"x": object(), "y": float("nan"), "z": {1: 2}, "half": "\ud800"}
        task = Task(id="a", every={"minutes": 1}, func=Unhashable(), args=(given,), depends_on=[])
        registry.register(task)
        version = registry.version("a")
        task.args = (1,)
        assert registry.version("a") != version == version

    def test_of_an_unknown_task_is_the_usual_error(self, registry: Frozen, task: Task) -> None:
        with pytest.raises(UnknownTaskError, match=r"^no task 'aa' is registered \(did you mean 'a'\?\)$"):
            registry.version("aa")


class TestIfVersion:
    def test_a_change_of_the_version_that_was_read_is_made(self, registry: Frozen, task: Task) -> None:
        assert registry.update("a", if_version=registry.version("a"), timeout=5) is task
        assert registry.pause("a", if_version=registry.version(task)) is task
        assert (task.timeout, task.paused) == (5, True)
        assert registry.resume(task, if_version=registry.version("a")).paused is False
        assert registry.remove(task, if_version=registry.version("a")) is task
        assert list(registry.store) == []

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_change_of_another_version_is_refused_and_changes_nothing(
        self, registry: Frozen, task: Task, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        version = registry.version("a")
        registry.update("a", every={"hours": 1})
        before, events = task.model_dump(), list[str]()
        for name in ("updated", "paused", "resumed", "removed"):
            registry.on(name, lambda event: events.append(event.name))
        with pytest.raises(ConflictError) as info:
            verb(registry, version)
        assert str(info.value) == (
            f"task 'a' has changed since it was of the version {version!r}, it is of {registry.version('a')!r} now: "
            "read it again, and repeat the change if it is still wanted"
        )
        assert (task.model_dump(), registry["a"], events) == (before, task, [])

    def test_the_error_says_that_it_is_a_pause_alone(self, registry: Frozen, task: Task) -> None:
        version = registry.version("a")
        registry.pause("a")
        paused = registry.version("a")
        with pytest.raises(ConflictError, match=r"^task 'a' was paused since it was of the version"):
            registry.update("a", if_version=version, timeout=5)
        registry.resume("a")
        with pytest.raises(RuntimeError, match=r"^task 'a' was resumed since it was of the version"):
            registry.update("a", if_version=paused, timeout=5)

    @pytest.mark.parametrize("verb", VERBS)
    def test_an_unknown_task_is_the_usual_error(
        self, registry: Frozen, verb: Callable[[TaskRegistry, str], Any]
    ) -> None:
        with pytest.raises(UnknownTaskError, match="no task 'a' is registered"):
            verb(registry, "0" * 32)

    @pytest.mark.parametrize("given", [1, b"0", ["x"], True])
    def test_what_is_no_text_is_refused(self, registry: Frozen, task: Task, given: Any) -> None:
        with pytest.raises(InvalidTypeError, match=r"^if_version must be a text that version\(\) returned, got "):
            registry.update("a", if_version=given, timeout=5)

    def test_a_pause_of_a_paused_task_publishes_nothing(self, registry: Frozen, task: Task) -> None:
        registry.pause("a")
        events = list[str]()
        registry.on("paused", lambda event: events.append(event.name))
        assert registry.pause("a", if_version=registry.version("a")) is task
        assert events == []

    def test_a_task_whose_schedule_is_half_done_can_be_paused(self, registry: Frozen, task: Task) -> None:
        task.at = "07:00"  # and every
        assert registry.pause("a", if_version=registry.version("a")).paused

    def test_what_is_assigned_while_a_change_is_checked_is_a_conflict(
        self, registry: Frozen, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        version, found = registry.version("a"), versions.version_of

        def assign_late(*arguments: Any) -> str:
            monkeypatch.setattr(versions, "version_of", found)
            answer = found(*arguments)
            task.every = {"hours": 7}
            return answer

        for verb in (VERBS[0], VERBS[1], VERBS[3]):
            task.every = {"minutes": 1}
            monkeypatch.setattr(versions, "version_of", assign_late)
            with pytest.raises(ConflictError):
                verb(registry, version)
            assert (task.every, task.timeout, task.paused, registry["a"]) == ({"hours": 7}, None, False, task)

    def test_of_many_threads_with_the_same_version_one_wins(self, registry: Frozen, task: Task) -> None:
        version, won, barrier = registry.version("a"), list[int](), threading.Barrier(8)

        def change(number: int) -> None:
            barrier.wait(10)
            try:
                registry.update("a", if_version=version, timeout=number + 1)
            except ConflictError:
                return
            won.append(number + 1)

        threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert won == [task.timeout]
