"""The leases of the instances that run the tasks, as they were read last: many pages ask for the same."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.cluster.lease import Instance
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.threads import Reads

_PERIOD = 1.0  # seconds for which an answer of the store holds


class Leases(NamedTuple):
    """The instances whose lease was alive at a moment."""

    at: datetime
    """In naive UTC, by the clock of the registry."""
    instances: Sequence[Instance]

    def has_lost(self, owner: str, began: datetime) -> bool:
        """Return whether a run in flight that began then has no live instance any more."""
        return to_utc(began) < self.at and all(one.owner != owner for one in self.instances)


class LeaseBook:
    """The leases of one registry with a backend. `_lock` guards it: who waits for it gets what another one has read."""

    def __init__(self, registry: TaskRegistry, reads: Reads) -> None:
        self._registry = registry
        self._reads = reads
        self._lock = threading.Lock()
        self._latest: Leases | None = None
        self._until = 0.0

    def read(self) -> Leases:
        """Read the leases. Raises `BackendUnavailableError`."""
        with self._lock:
            return self._read()

    def latest(self) -> Leases | None:
        """Return the leases of a second ago at most; None without a backend, and while its store is out of reach."""
        registry = self._registry
        if registry.backend is None or registry._is_store_lost or self._reads.hangs:
            return None
        with self._lock:
            if monotonic() < self._until:
                return self._latest
            try:
                return self._read()
            except BackendUnavailableError:
                return None

    def _read(self) -> Leases:
        self._latest, self._until = None, monotonic() + _PERIOD  # also of a store that refuses
        self._latest = Leases(to_utc(self._registry._now()), self._reads.read(self._registry.instances))
        return self._latest
