"""Rare fields: absent from an instance that does not set them, and otherwise as other fields are."""

import copy
import pickle
import sys
from itertools import cycle
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from est_alan_scheduler.fields.rare import Rare

RARE = tuple(Task.rare_defaults)
ABSENT = object()


def some_task(**fields: Any) -> Task:
    return Task(id="load", every={"minutes": 5}, func=print, **fields)


def test_a_rare_field_that_is_not_set_takes_no_memory_and_reads_as_its_default() -> None:
    task = some_task()
    assert task.__dict__.keys().isdisjoint(RARE)
    assert (task.description, task.tags) == (None, ())
    assert len(task.__dict__) <= 42
    assert sys.getsizeof(task.__dict__) == sys.getsizeof(dict.fromkeys(map(str, range(42))))


def test_the_name_of_a_task_is_that_of_its_function_unless_it_has_one() -> None:
    task = some_task()
    assert task.name == "print"
    task.func = len
    assert task.name == "len"
    task.name = "Load users"
    assert task.name == "Load users"
    task.name = None
    assert task.name == "len"


def test_a_rare_field_that_is_set_is_kept_until_it_is_set_to_its_default() -> None:
    task = some_task(tags=["daily", "billing", "daily"])
    assert task.__dict__["tags"] == task.tags == ("daily", "billing")
    task.description = "Loads the users."
    assert task.__dict__["description"] == "Loads the users."
    task.tags, task.description = (), None
    assert task.__dict__.keys().isdisjoint(RARE)
    assert task == some_task()
    assert "tags" in task.model_fields_set


def test_tags_of_a_set_are_sorted_as_each_process_has_another_order() -> None:
    words = {f"tag{number}" for number in range(100)}
    for given in (words, frozenset(words)):
        assert list(some_task(tags=given).tags) == sorted(words)
    assert some_task(tags=dict.fromkeys(["b", "a"])).tags == ("b", "a")
    assert some_task(tags=iter(["b", "a"])).tags == ("b", "a")


def test_a_rare_field_is_in_every_kind_of_dump_whether_it_is_set_or_not() -> None:
    task = some_task()
    for dumped in (task.model_dump(), TypeAdapter(Task).dump_python(task), dict(task)):
        assert list(dumped) == list(Task.model_fields)
        assert (dumped["name"], dumped["tags"]) == (None, ())
    assert '"tags":[]' in task.model_dump_json()
    task.tags = ("daily",)
    assert task.model_dump(include={"tags"}) == {"tags": ("daily",)}
    assert "tags" not in some_task().model_dump(exclude_defaults=True)
    assert TypeAdapter(list[Task]).dump_python([task], mode="json")[0]["tags"] == ["daily"]


def test_copies_pickles_and_json_keep_what_is_set() -> None:
    task = some_task(tags=("daily",), name="Load")
    again = Task.model_validate_json(task.model_dump_json())
    for other in (copy.copy(task), copy.deepcopy(task), task.model_copy(), pickle.loads(pickle.dumps(task)), again):
        assert (other.tags, other.name) == (("daily",), "Load")
    assert copy.copy(task) == task


def test_a_model_that_derives_from_task_has_its_rare_fields_and_those_of_its_own() -> None:
    class Special(Task):
        owner: Annotated[str, Rare()] = "nobody"
        tags: Annotated[tuple[str, ...], Rare()] = ("special",)

    task = Special(at="10:00", func=print)
    assert {"owner", "tags", "name"}.isdisjoint(task.__dict__)
    assert (task.owner, task.tags, task.name, some_task().tags) == ("nobody", ("special",), "print", ())
    task.owner = "me"
    assert task.model_dump(include={"owner", "tags"}) == {"owner": "me", "tags": ("special",)}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tags", "daily", "tags must be a list of texts such as ['daily', 'billing'], got 'daily'"),
        ("tags", [1], "tags must be a list of texts such as ['daily', 'billing'], got [1]"),
        ("name", "", "name must be a non-empty text, or None, got ''"),
        ("description", 5, "description must be a text, or None, got 5"),
    ],
)
def test_an_invalid_value_is_refused_with_the_allowed_ones(field: str, value: Any, message: str) -> None:
    task = some_task()
    for refuse in (lambda: some_task(**{field: value}), lambda: setattr(task, field, value)):
        with pytest.raises(ValidationError) as caught:
            refuse()
        assert message in str(caught.value)
    assert task == some_task()


class Hostile(dict[str, Any]):
    """The fields of a task to which another thread assigns between any two steps: a rare one comes and goes."""

    def __init__(self, fields: dict[str, Any], name: str, values: tuple[object, ...], steps: int) -> None:
        super().__init__(fields)
        self._name = name
        self._values = cycle(values)
        for _ in range(steps):
            self._assign()

    def _assign(self) -> None:
        value = next(self._values)
        if value is ABSENT:
            super().pop(self._name, None)
        else:
            super().__setitem__(self._name, value)

    def __copy__(self) -> dict[str, Any]:
        self._assign()
        return {**self}

    def __contains__(self, name: object) -> bool:
        self._assign()
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        self._assign()
        return super().__getitem__(name)

    def __delitem__(self, name: str) -> None:
        self._assign()
        super().__delitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._assign()
        return super().get(name, default)


@pytest.mark.parametrize("steps", range(3))
def test_another_thread_may_assign_a_rare_field_meanwhile(steps: int) -> None:
    task = some_task()
    object.__setattr__(task, "__dict__", Hostile(task.__dict__, "after", (["x"], None, ABSENT), steps))
    changes = {"tags": ["a"], "every": {"hours": 1}, "after": ["y"], "timezone": "UTC"}
    for name, value in [*changes.items(), ("after", None)]:
        setattr(task, name, value)
        assert copy.copy(task).after in (None, ["x"], ["y"])
    assert (task.tags, task.every, task.timezone) == (("a",), {"hours": 1}, "UTC")


@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("often", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "value"), [("consecutive_failures", 2), ("run_arguments", {"args": [1], "kwargs": {}})]
)
def test_another_thread_may_assign_a_rare_field_while_a_run_is_recorded(
    name: str, value: Any, often: int, steps: int
) -> None:
    registry = TaskRegistry()
    task = registry.register(some_task())
    object.__setattr__(task, "__dict__", Hostile(task.__dict__, name, (value,) * often + (ABSENT,), steps))
    registry.tick()
    assert (task.status, task.runs, len(task.history)) == (TaskStatus.SUCCESS, 1, 1)
