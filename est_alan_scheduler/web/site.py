"""The site: one registry, and what its application lets others do with it."""

import hmac
import secrets

from est_alan_scheduler.cluster.codecs.kept_versions import KeptVersions
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.feed import Feed
from est_alan_scheduler.web.leases import LeaseBook
from est_alan_scheduler.web.page.run_notes import RunNotes
from est_alan_scheduler.web.threads import Reads, Threads

_LENGTH = 32  # characters of a version, as those of a registry have


class Site:
    """What every request needs to know. It is made once, by `create_app`."""

    def __init__(
        self, registry: TaskRegistry, read_only: bool = False, hide_values: bool = False, key: bytes | None = None
    ) -> None:
        self.registry = registry
        self.read_only = read_only
        """No route that manages answers."""
        self.hide_values = hide_values
        """Arguments and results of tasks are not shown."""
        self._key = key or secrets.token_bytes()  # the secret behind the versions that are shown, if values are hidden
        self.feed = Feed(registry)
        """The stream of changes for clients."""
        self._versions = KeptVersions(registry._functions)
        self.run_notes = RunNotes(registry)
        """What the history leaves out of the runs of this process."""
        self.reads = Reads(registry)
        """What its pages read from the store."""
        self.leases = LeaseBook(registry, self.reads)
        """The leases of the instances, as they were read last."""
        self.threads = Threads(20)
        """Those that answer requests."""
        self.probe_threads = Threads(10, queue_seconds=1.0)
        """Those that answer public requests: whether a site lives can be asked while all others wait for the store."""

    def version(self, task: Task) -> str:
        """Return the version of a task, or of a copy of one, as callers see it.

        It is perhaps a kept one. The text is empty if the task takes too long to read.
        """
        return self._shown(task, self._versions.of(task))

    def version_now(self, task: Task) -> str:
        """Return the version that a task has right now, as callers see it; raise a problem if that takes too long."""
        version = self._versions.of(task, is_fresh=True)
        if not version:
            detail = "an argument of the task takes too long to show; a change that was asked for may have been made"
            raise Problem(503, detail, headers={"Retry-After": "5"})
        return self._shown(task, version)

    def _shown(self, task: Task, version: str) -> str:
        return version and self.shown_version(task.id, version)

    def shown_version(self, task_id: str, version: str) -> str:
        """Return what callers see of a version of a task.

        A version is a digest of the definition. Where values are hidden, a reader could try arguments until it fits.
        """
        if not self.hide_values:
            return version
        content = f"{version} {task_id}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, content, "sha256").hex()[:_LENGTH]
