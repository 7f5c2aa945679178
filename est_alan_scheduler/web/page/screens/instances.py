"""The page of the instances that share the tasks: their leases, their runs in flight, and the health of the store."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Literal

from starlette.responses import Response

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.control.health import Health
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.excerpts import line
from est_alan_scheduler.web.page.links import task_link
from est_alan_scheduler.web.page.view import PageCall
from est_alan_scheduler.web.site import Site

_MOST_RUNS = 500
"""Runs in flight that are read."""
_MOST_SHOWN = 20
"""Runs that one instance shows."""

_LONGEST_NAME = 100

Role = Literal["ticks", "stopped", "observes", "idle"]


@dataclass
class Run:
    """A run in flight."""

    link: str
    name: str
    began: datetime | None
    attempt: int


@dataclass
class Instance:
    """An instance, and its runs in flight."""

    owner: str | None
    """None without a backend: this process."""
    is_this: bool
    since: datetime | None = None
    lease_until: datetime | None = None
    """None if it has no lease, or if that has expired."""
    runs: list[Run] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        """Whether it has a lease, or needs none."""
        return self.owner is None or self.lease_until is not None

    @property
    def shown(self) -> list[Run]:
        """The runs that are shown."""
        return self.runs[:_MOST_SHOWN]


def page(call: PageCall) -> Response:
    """Answer the page of the instances."""
    registry = call.registry
    is_store_there = call.refresh()
    health = registry.health()
    found = _instances(call.site) if is_store_there and health.store is not False else None
    return call.view.html(
        "instances.html",
        health=health,
        role=_role(registry, health),
        alive=None if found is None else [one for one in found if one.is_alive],
        gone=[] if found is None else [one for one in found if not one.is_alive],
        most=_MOST_RUNS,
        store=registry._store_url,
        number=len(registry),
        statistics=registry.statistics(),
        version=import_module("est_alan_scheduler").__version__,  # by name: the root stands above all wings
    )


def _role(registry: TaskRegistry, health: Health) -> Role:
    """Return what this process does about the tasks."""
    if registry.is_observer:
        return "observes"
    return "idle" if health.loop is None else "ticks" if health.loop else "stopped"


def _instances(site: Site) -> list[Instance] | None:
    """Return the instances, those first that live, the oldest of them first; None if the store is out of reach."""
    registry = site.registry
    own = registry._owner
    if own is None:
        return [Instance(None, True, runs=_own_runs(registry))]
    try:
        leases, runs = site.leases.read(), site.reads.read(lambda: _runs_by_owner(registry))
    except BackendUnavailableError:
        return None
    alive = [Instance(one.owner, one.owner == own, one.since, one.lease_until) for one in leases.instances]
    for instance in alive:
        instance.runs = runs.pop(instance.owner, [])
    return alive + [Instance(owner, owner == own, runs=left) for owner, left in sorted(runs.items())]


def _runs_by_owner(registry: TaskRegistry) -> dict[str | None, list[Run]]:
    runs: dict[str | None, list[Run]] = defaultdict(list)
    for run in registry.history(status="running", limit=_MOST_RUNS):
        runs[run["owner"]].append(_run(registry, run["task_id"], run["run_at"], run["attempt"]))
    return runs


def _own_runs(registry: TaskRegistry) -> list[Run]:
    running = registry.select(status="running")[:_MOST_RUNS]
    return [_run(registry, task.id, task.last_run_at, task.attempt) for task in running]


def _run(registry: TaskRegistry, task_id: str, began: datetime | None, attempt: int) -> Run:
    """Return a run of a task, which has its id in place of a name if it is gone."""
    task = registry.store.get(task_id)
    return Run(task_link(task_id), line(task_id if task is None else task.name, _LONGEST_NAME), began, attempt)
