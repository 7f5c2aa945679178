"""The site: one registry, and what its application lets others do with it."""

from dataclasses import dataclass, field

from est_alan_scheduler.cluster.codecs.versions import version_of
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.feed import Feed
from est_alan_scheduler.web.threads import Threads


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
    threads: Threads = field(init=False, repr=False, compare=False)
    """Those that answer requests."""
    probe_threads: Threads = field(init=False, repr=False, compare=False)
    """Those that answer public requests: whether a site lives can be asked while all others wait for the store."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "feed", Feed(self.registry))
        object.__setattr__(self, "threads", Threads(20))
        object.__setattr__(self, "probe_threads", Threads(10, turn_seconds=1.0))

    def refresh(self, *ids: str) -> None:
        """Read what has changed in the store, before a question: of the tasks of these ids for sure."""
        self.registry.refresh(*ids)

    def version(self, task: Task) -> str:
        """Return the version of a task, or of a copy of one."""
        return version_of(task, self.registry._functions)
