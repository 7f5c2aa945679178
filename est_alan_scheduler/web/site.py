"""The site: one registry, and what its application lets others do with it."""

from dataclasses import dataclass

from est_alan_scheduler.task_registry import TaskRegistry


@dataclass(frozen=True)
class Site:
    """What every request needs to know. It is made once, by `create_app`."""

    registry: TaskRegistry
    read_only: bool = False
    """No route that manages answers."""
    hide_values: bool = False
    """Arguments and results of tasks are not shown."""
