"""The configuration of a registry: what makes the calls, and where the state of the tasks lives."""

from typing import TYPE_CHECKING, Any

from est_alan_scheduler.cluster.connect import DEFAULT_LEASE, check_lease, join
from est_alan_scheduler.control.management import Management
from est_alan_scheduler.control.parts import Parts
from est_alan_scheduler.executors.pool import ExecutorSource, Pool
from est_alan_scheduler.fields.checks import check_count

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend

KEEP: Any = object()
"""Stands for an option that stays as it is."""


class Configuration:
    """What a registry was configured with. The registry's lock guards what is replaced."""

    def __init__(self, parts: Parts, management: Management) -> None:
        self._parts = parts
        self._management = management
        self.backend: str | Backend | None = None
        self._lease = DEFAULT_LEASE

    def configure(
        self,
        executor: ExecutorSource | None,
        max_running: int | None,
        backend: "str | Backend | None",
        lease: float,
    ) -> None:
        """Do what `TaskRegistry.configure` says."""
        capacity = self._parts.capacity
        executor = capacity.executor if executor is KEEP else executor
        max_running = capacity.max_running if max_running is KEEP else max_running
        backend = self.backend if backend is KEEP else backend
        lease = self._lease if lease is KEEP else lease
        if max_running is not None:
            check_count("max_running", max_running, 1, ", or None")
        check_lease(lease)
        pool = capacity.pool
        if executor is not capacity.executor:
            pool = None if executor is None else Pool(executor)
        if backend != self.backend or (self._parts.session is not None and lease != self._lease):
            self._move(backend, lease)
        with self._parts.lock:
            ids = self._running()
            if not ids:
                replaced = capacity.replace(executor, pool, max_running)
        _refuse_while_running(ids)
        if replaced is not None:
            replaced.close(wait=False)
        self._lease = lease

    def _move(self, backend: "str | Backend | None", lease: float) -> None:
        """Let the state of the tasks live in another backend, or in this process alone."""
        _refuse_while_running(self._running())
        parts, session, former = self._parts, None, self._parts.session
        if backend is not None:
            opened = former.backend if former is not None and backend == self.backend else None
            adopted = () if former is None else former.records.adopted_ids()
            recorder, agenda, functions = parts.recorder, parts.agenda, parts.functions
            session = join(backend, opened, lease, recorder, agenda, functions, parts.wake, adopted)
        if former is not None:
            former.retire(session)
        with parts.lock:
            if backend != self.backend:
                self._management.keep_paused()
            parts.session = parts.recorder.session = session
            self.backend = backend
            parts.agenda.edit_log = None if session is None else session.records.edit_log
            parts.agenda.note_all()

    def _running(self) -> list[str]:
        return [run.task.id for run in self._parts.in_flight.all()]

    def start_over_after_fork(self) -> None:
        """Start over in a child process: the other threads are gone, with their locks and the runs they were in."""
        parts = self._parts
        parts.recorder.clear_after_fork()
        if parts.session is not None:
            parts.session.start_over_after_fork()
        parts.wakers = ()
        for run in parts.in_flight.clear_after_fork():
            if not run.is_over:
                run.task.__dict__["status"] = run.status_before
        if parts.capacity.pool is not None:
            parts.capacity.pool.clear_after_fork()
        parts.agenda.note_all()


def _refuse_while_running(ids: list[str]) -> None:
    if ids:
        raise RuntimeError(f"a registry cannot be configured while tasks run: {', '.join(map(repr, ids))}")
