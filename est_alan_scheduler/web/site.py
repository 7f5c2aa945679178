"""The site: one registry, and what its application lets others do with it."""

import hmac
import secrets
from dataclasses import dataclass, field

from est_alan_scheduler.cluster.codecs.versions import version_of
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.feed import Feed
from est_alan_scheduler.web.threads import Threads

_LENGTH = 32  # characters of a version, as those of a registry have


@dataclass(frozen=True)
class Site:
    """What every request needs to know. It is made once, by `create_app`."""

    registry: TaskRegistry
    read_only: bool = False
    """No route that manages answers."""
    hide_values: bool = False
    """Arguments and results of tasks are not shown."""
    key: bytes = field(default_factory=secrets.token_bytes, repr=False)
    """The secret behind the versions that are shown, if values are hidden."""
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

    def version(self, task: Task) -> str:
        """Return the version of a task, or of a copy of one, as callers see it."""
        return self.shown_version(task.id, version_of(task, self.registry._functions))

    def shown_version(self, task_id: str, version: str) -> str:
        """Return what callers see of a version of a task.

        A version is a digest of the definition. Where values are hidden, a reader could try arguments until it fits.
        """
        if not self.hide_values:
            return version
        content = f"{version} {task_id}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, content, "sha256").hex()[:_LENGTH]

    def refresh(self, *ids: str) -> None:
        """Read what has changed in the store, before a question: of the tasks of these ids for sure."""
        self.registry.refresh(*ids)
