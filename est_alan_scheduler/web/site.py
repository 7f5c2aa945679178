"""The site: one registry, and what its application lets others do with it."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from est_alan_scheduler.cluster.codecs.definitions import DEFINING
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.feed import Feed


@dataclass(frozen=True)
class Site:
    """What every request needs to know. It is made once, by `create_app`."""

    registry: TaskRegistry
    read_only: bool = False
    """No route that manages answers."""
    hide_values: bool = False
    """Arguments and results of tasks are not shown."""
    feed: Feed = field(init=False, repr=False, compare=False)
    """What tells its clients what changes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "feed", Feed(self.registry))

    def refresh(self, *ids: str) -> None:
        """Read what has changed in the store, before a question: of the tasks of these ids for sure."""
        self.registry.refresh(*ids)

    def version(self, task: Task) -> str:
        """Return the version of the definition and pause of a task."""
        if hasattr(self.registry, "version"):  # until it is there
            return str(self.registry.version(task))
        shown = task.model_dump(mode="json", include={*DEFINING, "paused"})
        return sha256(repr(shown).encode()).hexdigest()[:32]

    def if_version(self, task_id: str, seen: str | None) -> dict[str, Any]:
        """Return the argument of a change of a task that the caller has seen."""
        if seen is None or seen == "*":
            return {}
        if hasattr(self.registry, "version"):  # until it is there
            return {"if_version": seen}
        if self.version(self.registry[task_id]) != seen:
            raise Problem(412, "the task has changed since")
        return {}
