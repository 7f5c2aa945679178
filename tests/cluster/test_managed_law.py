"""The law of code and management: any sequence of starts and edits by two programs, against a small model."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.cluster.codecs.definitions import decode, encode
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import adder

pytestmark = pytest.mark.pydantic

FIELDS: dict[str, list[Any]] = {
    "every": [{"minutes": 1}, {"hours": 1}],
    "timeout": [None, 5],
    "args": [(1, 2), (5, 6)],
    "tags": [(), ("x",)],
}
PROGRAMS = (0, 1)

fields = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FIELDS.items()})
changes = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.integers(0, 1), min_size=1).map(
    lambda found: {name: FIELDS[name][number] for name, number in found.items()}
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "register", "update", "assign", "guarded", "tick", "remove"]),
        st.sampled_from(PROGRAMS),
        st.sampled_from([{}, {"every": {"hours": 1}}, {"timeout": 5, "tags": ("x",)}]) | fields,
        changes,
    ),
    max_size=12,
)
CODE = {name: values[0] for name, values in FIELDS.items()}


class Model:
    """What the store should have: None before the first registration."""

    def __init__(self) -> None:
        self.code: dict[str, Any] | None = None
        self.in_force: dict[str, Any] = {}

    def register(self, code: dict[str, Any]) -> None:
        if code != self.code:
            self.code, self.in_force = code, dict(code)


class Fleet:
    """Two programs on one store."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.model = Model()
        self.registries: list[TaskRegistry] = []
        for _ in PROGRAMS:
            self.registries.append(self._start())

    def _start(self) -> TaskRegistry:
        return TaskRegistry(backend=self.backend, lease=600)

    def do(self, step: str, program: int, code: dict[str, Any], change: dict[str, Any]) -> None:
        code = {**CODE, **code}
        registry, model = self.registries[program], self.model
        if step == "start":
            registry.shutdown(0)
            registry = self.registries[program] = self._start()
            registry.register(adder(**code))
            model.register(code)
        elif step == "register":
            self._see_removal()
            registry.register(adder(**code), replace=True)
            model.register(code)
        elif step == "tick":
            registry.tick()
        elif model.code is None:
            return
        elif step == "remove":
            registry.remove("a")
            model.code = None
        else:
            self._edit(step, registry, change)
            model.in_force |= change

    def _see_removal(self) -> None:
        for registry in self.registries:
            registry.refresh()

    def _edit(self, step: str, registry: TaskRegistry, change: dict[str, Any]) -> None:
        if step == "update":
            registry.update("a", **change)
        elif step == "guarded":
            registry.refresh("a")
            registry.update("a", if_version=registry.version("a"), **change)
        else:
            registry.refresh("a")
            for name, value in change.items():
                setattr(registry["a"], name, value)
            registry.tick()

    def check(self) -> None:
        model = self.model
        if model.code is None:
            assert "a" not in {task_id for task_id, found in self.backend.fetch(None, 0).definitions.items() if found}
            return
        found = self.backend.fetch(None, 0).definitions["a"]
        definition = decode(found.json)
        names = self.registries[0]._parts.functions
        assert definition.registered == encode(adder(**model.code), names).task
        assert definition.task == encode(adder(**model.in_force), names).task
        for registry in self.registries:
            registry.refresh()
            task = registry["a"]
            assert {name: getattr(task, name) for name in FIELDS} == model.in_force
            registry._session.edits.push()  # type: ignore[union-attr]
        assert self.backend.fetch(None, 0).definitions["a"] == found  # nothing is written for nothing

    def close(self) -> None:
        for registry in self.registries:
            registry.shutdown(0)


def follow(backend: Any, sequence: list[tuple[str, int, dict[str, Any], dict[str, Any]]]) -> None:
    fleet = Fleet(backend)
    try:
        for step in sequence:
            fleet.do(*step)
            fleet.check()
    finally:
        fleet.close()


@given(steps)
def test_each_start_and_edit_leaves_what_the_law_says_in_memory(
    sequence: list[tuple[str, int, dict[str, Any], dict[str, Any]]],
) -> None:
    follow(MemoryBackend(Clock()), sequence)


@pytest.mark.parametrize("store", SHARED, indirect=True)
def test_each_start_and_edit_leaves_what_the_law_says_on_a_store(store: Store) -> None:
    @settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps)
    def search(sequence: list[tuple[str, int, dict[str, Any], dict[str, Any]]]) -> None:
        backend = store.open(Clock())
        backend.remove(["a"])
        follow(backend, sequence)

    search()


def test_the_model_knows_what_an_edit_is() -> None:
    model = Model()
    model.register(CODE)
    model.in_force |= {"timeout": 5}
    model.register(dict(CODE))
    assert (model.in_force["timeout"], Task(id="a", func=print, **model.in_force).timeout) == (5, 5)
    model.register({**CODE, "args": (5, 6)})
    assert model.in_force == {**CODE, "args": (5, 6)}
