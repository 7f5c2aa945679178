"""Looking at the tasks of a registry: by id, by task, by selection."""

from typing import Any

import pytest

from est_alan_scheduler import Task, UnknownTaskError
from tests.frozen import Frozen, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def hourly(task_id: str, **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": {"hours": 1}, "func": work, **fields})


class TestById:
    def test_a_task_is_found_by_its_id_or_by_itself(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        assert [registry["a"], registry[task], registry.get("a"), registry.get(task)] == [task] * 4

    def test_an_unknown_id_is_an_error_that_suggests_the_nearest_one(self, registry: Frozen) -> None:
        registry.register(hourly("nightly"))
        with pytest.raises(UnknownTaskError) as caught:
            registry["nightli"]
        assert str(caught.value) == "no task 'nightli' is registered (did you mean 'nightly'?)"
        assert registry.get("nightli") is None

    @pytest.mark.parametrize("task_id", [0, None, b"a", ["a"]])
    def test_what_is_no_id_is_refused(self, registry: Frozen, task_id: Any) -> None:
        for look in (registry.get, registry.__getitem__):
            with pytest.raises(TypeError, match="task_id must be a Task, or its id as a text, got"):
                look(task_id)

    def test_a_task_is_in_a_registry_if_it_is_this_very_one(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        assert (task in registry, "a" in registry, hourly("a") in registry, "b" in registry) == (
            True,
            True,
            False,
            False,
        )
        registry.remove(task)
        assert task not in registry

    def test_a_task_stands_for_its_id_in_every_method(self, registry: Frozen) -> None:
        task, other = registry.register(hourly("a")), registry.register(hourly("b"))
        for method in ("pause", "resume", "run_now"):
            assert getattr(registry, method)(task) is task
        assert registry.update(task, misfire_grace=60) is task
        assert registry.why_not(task) == "due now, it runs with the next tick"
        registry.tick()
        assert [run["task_id"] for run in registry.history(task)] == ["a"]
        assert registry.statistics(task).runs == 1
        registry.prune([task, "b"])
        assert (list(registry), task in registry, other in registry) == ([], False, False)

    def test_prune_of_one_task_asks_for_a_list(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        with pytest.raises(TypeError, match=r"ids must be several ids, got the one of task 'a': prune\(\['a'\]\)"):
            registry.prune(task)  # type: ignore[arg-type]  # on purpose

    def test_a_task_in_depends_on_becomes_its_id(self, registry: Frozen) -> None:
        first = registry.register(hourly("a"))
        only: Any = [first]
        second = registry.register(hourly("b", depends_on=[first, "c"]))
        assert second.depends_on == ["a", "c"]
        second.depends_on = only
        assert second.depends_on == ["a"]
        assert registry.update(second, depends_on=tuple(only)).depends_on == ["a"]
