"""News that are not applied are not noted as read: whatever is raised on the way, they are read again."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry, TaskStatus
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.rows import Assignment, Change
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, runs
from tests.interrupts import Interrupter, Interruption

pytestmark = pytest.mark.pydantic


def test_a_row_of_nonsense_leaves_the_other_news_alone(join: Join, store: Store) -> None:
    here, there = join(), join()
    for task_id in ("bad", "old", "changed"):
        here.register(adder(task_id))
    here.tick()
    there.remove("old")
    there.register(adder("new"))
    there.update("changed", args=(2, 2))
    definition = {"every": MINUTE, "func": "tests.jobs:add", "args": [1, 2]}
    store.spoil("bad", "definition", json.dumps({"task": definition, "armed": 0, "zone": 5}))
    there.pause("bad")
    for _ in range(2):
        here.tick()
    assert (list(here.store), here.store["changed"].args, runs(here, "new")) == (["changed", "new"], (2, 2), 1)
    assert list(here.unresolved()) == ["bad"]
    newcomer = join()
    newcomer.expose(jobs.add)
    newcomer.tick()
    assert list(newcomer.unresolved()) == ["bad"]


@pytest.fixture
def interrupter() -> Iterator[Interrupter]:
    interrupter = Interrupter(lambda file: "/est_alan_scheduler/cluster/" in file)
    yield interrupter
    interrupter.close()


def make_news(backend: MemoryBackend, there: TaskRegistry) -> None:
    """Remove, add, update, pause, run and spoil tasks from another instance."""
    there.remove("removed")
    there.register(adder("new"))
    there.update("updated", args=(2, 2), every={"hours": 1})
    there.pause("paused")
    there.register(adder("dropped"))
    version = backend.fetch(["state"], 0).states["state"].version
    backend.assign([Assignment("state", version, {"misfires": 7, "result": "5", "status": TaskStatus.SUCCESS})])
    backend._rows["nonsense"].state = backend._rows["nonsense"].state._replace(epoch="x")  # type: ignore[arg-type]
    backend.change([Change("nonsense", paused=True)])
    there.remove("dropped")


def view(registry: TaskRegistry) -> Any:
    """Return what a registry knows of its tasks."""
    names = ("args", "every", "paused", "misfires", "result", "status")
    tasks = {task.id: [getattr(task, name) for name in names] for task in registry}
    assert registry._session is not None
    adopted = sorted(registry._session.records.adopted_ids())
    return tasks, registry.unresolved(), sorted(registry._parts.agenda.entries), adopted


def news_after_a_ctrl_c(interrupter: Interrupter, clock: Clock) -> Any:
    """Return the view of a registry that reads news, the first time with a Ctrl+C."""
    backend = MemoryBackend(clock)
    here, there = TaskRegistry(backend=backend, lease=600), TaskRegistry(backend=backend, lease=600)
    for registry in (here, there):
        registry.expose(jobs.add)
    for task_id in ("kept", "removed", "updated", "paused", "state", "nonsense"):
        there.register(adder(task_id))
    here.register(adder("mine"))
    here._session.replica.refresh()  # type: ignore[union-attr]  # it has one
    make_news(backend, there)
    with suppress(Interruption), interrupter.watching():
        here._session.replica.refresh(["state", "nonsense"])  # type: ignore[union-attr]
    assert here._session is not None
    assert here._session.prepare(None, is_paused=False)
    seen = view(here)
    definitions = {key: row.removed for key, row in backend._rows.items()}
    for registry in (here, there):
        registry.shutdown(0)
    return seen, definitions


def test_a_ctrl_c_at_any_moment_loses_no_news(interrupter: Interrupter, clock: Clock) -> None:
    interrupter.expect(None)
    expected = (tasks, unresolved, *_), removed = news_after_a_ctrl_c(interrupter, clock)
    assert (sorted(tasks), sorted(unresolved)) == (["kept", "mine", "new", "paused", "state", "updated"], ["nonsense"])
    assert [key for key, is_removed in removed.items() if is_removed] == ["removed", "dropped"]
    differing = {}
    for moment in count():
        interrupter.expect(moment)
        seen = news_after_a_ctrl_c(interrupter, clock)
        if not interrupter.arrived:
            break
        if seen != expected:
            differing[moment, interrupter.place] = seen
    assert moment > 200
    assert differing == {}
