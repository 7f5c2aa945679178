"""Rows of nonsense: each is one entry of `unresolved()`, hinders no other task, and can be removed."""

import json
import sys
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, runs

pytestmark = pytest.mark.pydantic
on_shared = pytest.mark.parametrize("store", SHARED, indirect=True)

HUGE = 2**63 - 1
DEEP = "[" * 100_000 + "]" * 100_000
TASK = {"every": MINUTE, "func": "tests.jobs:add", "args": [1, 2]}


def definition(**fields: Any) -> str:
    return json.dumps({"task": TASK, "armed": 0, "zone": None} | fields)


NUMBERS = {
    "version": (0, -1, HUGE, 2**53),
    "epoch": (-1, HUGE, 2**53),
    "first_run_at": (HUGE, -HUGE, 4611686018427387904),
    "last_run_at": (HUGE, -HUGE, 4611686018427387904),
    "last_success_at": (HUGE,),
    "retry_at": (HUGE,),
    "misfired_at": (-HUGE,),
    "slot": (HUGE, -HUGE),
    "attempt": (-1,),
    "misfires": (-1,),
    "run_requested": (-1,),
}
TEXTS = {
    "status": ("", "banana", "RUNNING"),
    "result": ("nonsense", DEEP, "NaN", "9" * 5000, "[" * 106 + "]" * 106),
    "consumed": ("[]", "null", '{"a": "b"}', f'{{"a": {HUGE}}}', DEEP),
}
DEFINITIONS = (
    "",
    "{}",
    "[1]",
    DEEP,
    definition(task=5),
    definition(task={}),
    definition(armed="x"),
    definition(armed=HUGE),
    definition(armed=True),
    definition(zone=5),
    definition(zone={}),
    definition(zone={"name": 5, "offsets": [0, 0]}),
    definition(zone={"name": "Asia/Seoul", "offsets": "x"}),
    definition(task=TASK | {"func": 5}),
    definition(task=TASK | {"func": ["a"]}),
    definition(task=TASK | {"every": "soon"}),
    definition(task=TASK | {"every": {"days": 10**400}}),
    definition(task=TASK | {"status": "running"}),
    definition(task=TASK | {"timezone": "../../etc/passwd"}),
    definition(task=TASK | {"timezone": "x" * 5_000}),
    definition(task=TASK | {"depends_on": [5]}),
    definition(task=TASK | {"retry": {"on": {"a": 1}}}),
    definition(task=TASK | {"x\x1b[31m" * 1_000: 1}),
)
CASES = [
    *((field, value) for cases in (NUMBERS, TEXTS) for field, values in cases.items() for value in values),
    *(("definition", value) for value in DEFINITIONS),
]


OTHER_TYPES = [
    *((field, value) for field in (*NUMBERS, "status", "removed", "paused") for value in (b"\xff", 1.5, "x")),
    *((field, b"\xff") for field in ("definition", "hash", "owner", "consumed", "result", "error_message")),
]
"""Columns of SQLite take values of any type."""


def newcomer(join: Join) -> TaskRegistry:
    registry = join()
    registry.expose(jobs.add)
    return registry


def check_runs(registry: TaskRegistry, clock: Clock, unresolved: set[str]) -> None:
    """Check that "a" runs, and that the others are unresolved, each with a reason that fits into a line."""
    before = runs(registry, "a")
    clock.advance(60)
    registry.tick()
    registry.tick()
    assert (runs(registry, "a"), set(registry.unresolved())) == (before + 1, unresolved)
    reasons = registry.unresolved().values()
    assert [reason for reason in reasons if not reason.isprintable() or len(reason) > 1_200] == []


@on_shared
def test_values_that_do_not_fit_set_their_tasks_aside(join: Join, store: Store, clock: Clock) -> None:
    cases = CASES + (OTHER_TYPES if store.kind == "sqlite" else [])
    spoiled = {f"{number} {field}"[:40]: (field, value) for number, (field, value) in enumerate(cases)}
    old = join()
    old.register(adder())
    for task_id in spoiled:
        old.store[task_id] = adder(task_id, paused=True)
    old.tick()
    for task_id, (field, value) in spoiled.items():
        store.spoil(task_id, field, value)
    registry = newcomer(join)
    check_runs(registry, clock, set(spoiled))
    clock.advance(60)
    old.tick()
    assert runs(old, "a") == 3
    for task_id in spoiled:
        registry.remove(task_id)
    check_runs(old, clock, set())
    check_runs(registry, clock, set())
    assert list(old.store) == list(registry.store) == ["a"]
    for task_id in spoiled:
        registry.store[task_id] = adder(task_id)
    check_runs(registry, clock, set())
    assert [task.id for task in registry if task.result != 3] == []


@on_shared
def test_a_registered_definition_is_written_over_one_of_nonsense(join: Join, store: Store, clock: Clock) -> None:
    old = join()
    old.register(adder())
    ids = [f"{number}" for number in range(len(DEFINITIONS))]
    for task_id in ids:
        old.store[task_id] = adder(task_id)
    old.tick()
    for task_id, value in zip(ids, DEFINITIONS, strict=True):
        store.spoil(task_id, "definition", value)
    registry = newcomer(join)
    check_runs(registry, clock, set(ids))
    tasks = [registry.register(adder(task_id)) for task_id in ids]
    check_runs(registry, clock, set())
    assert {task.result for task in tasks} == {3}
    check_runs(newcomer(join), clock, set())


@on_shared
def test_a_state_that_was_mended_is_read_with_the_next_news(join: Join, store: Store, clock: Clock) -> None:
    registered, adopting = join(), newcomer(join)
    for task_id in "abc":
        registered.register(adder(task_id))
    registered.tick()
    for field, value in (("version", 9), ("misfires", -1)):
        store.spoil("b", field, value)
    late = join()
    late.register(adder("b"))
    late.expose(jobs.add)
    everyone = (registered, adopting, late)
    clock.advance(60)
    for registry in everyone:
        registry.tick()
        registry.tick()
        assert (list(registry.unresolved()), runs(registry, "a"), runs(registry, "b")) == (["b"], 2, 1)
    store.spoil("b", "misfires", 0)
    registered.pause("c")
    for registry in everyone:
        for _ in range(3):
            registry.tick()
        assert (registry.unresolved(), sorted(registry.store), runs(registry, "b")) == ({}, ["a", "b", "c"], 2)


@on_shared
def test_a_task_whose_extra_is_missing_here_is_set_aside(
    join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    join().register(adder("b", every=None, cron="* * * * *"))
    monkeypatch.setitem(sys.modules, "cronsim", None)
    registry = newcomer(join)
    registry.register(adder())
    check_runs(registry, clock, {"b"})
    (reason,) = registry.unresolved().values()
    assert 'pip install "est-alan-scheduler[cron]"' in reason
    monkeypatch.undo()
    registry.expose(jobs.boom)
    check_runs(registry, clock, set())
    assert runs(registry, "b") == 1


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_arguments_and_results_as_deep_as_a_task_may_have_make_sense(join: Join) -> None:
    value: Any = []
    for _ in range(99):
        value = [value]
    join().register(adder("b", func=jobs.echo, args=(), kwargs={"value": value}))
    registry = join()
    registry.expose(jobs.echo)
    registry.tick()
    other = join()
    other.expose(jobs.echo)
    other.tick()
    assert (other.unresolved(), other.store["b"].result) == ({}, value)
