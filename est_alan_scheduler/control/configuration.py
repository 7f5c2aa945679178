"""The configuration of a registry: its parts, what makes the calls, and where the state of the tasks lives."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.connect import DEFAULT_LEASE, check_lease, join
from est_alan_scheduler.control.defaults import check_defaults
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.fields.checks import check_count
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.readiness import Condition, Readiness
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.starter import RunStarter
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.session import ClusterSession
    from est_alan_scheduler.executors.pool import ExecutorSource, Pool

REGISTRY_OPTIONS = ("executor", "max_running", "backend", "lease", "defaults", "observe")
"""The names of the options of a registry."""
KEEP: Any = object()
"""Stands for an option that stays as it is."""


class Hooks(Protocol):
    """What a subclass of the registry may override. Each is looked up at call time."""

    def _now(self) -> datetime: ...

    def _execute(self, task: Task) -> None: ...

    def _may_go_ahead(self, task: Task, now: datetime) -> bool: ...

    def _may_still_start(self, task: Task, now: datetime) -> bool: ...

    def _stricter(self) -> Condition | None: ...


def _pool(executor: "ExecutorSource") -> "Pool":
    from est_alan_scheduler.executors.pool import Pool  # late: a registry without an executor needs none

    return Pool(executor)


class Parts:
    """The parts of one registry. The registry's lock, `recorder.lock`, guards what is replaced."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self.agenda = Agenda()
        self.agenda.read_clock = hooks._now
        self.recorder = RunRecorder(Lock(), self.agenda, hooks._now, self.wake)
        self.in_flight = self.recorder.in_flight
        calls = self.in_flight.calls
        self.readiness = Readiness(self.agenda, calls, self.recorder.count_misfire, hooks._may_go_ahead)
        self.capacity = Capacity(hooks, calls)
        self.starter = RunStarter(self.recorder, self.capacity, hooks._may_still_start)
        self.functions = FunctionNames()
        self.backend: str | Backend | None = None
        self.lease = DEFAULT_LEASE
        self.defaults: dict[str, Any] = {}
        self.session: ClusterSession | None = None  # with a backend: this registry's side of it
        self.wakers: tuple[Callable[[], None], ...] = ()
        self.loop_threads: dict[object, int] = {}  # by the waker of a loop, or the event loop of a block of `running`
        self.next_ticks: dict[object, float] = {}  # by the waker of a loop: when it ticks at the latest, by monotonic
        self.has_looped = False
        self.is_ticked = False  # at least once, or a loop has been made for it
        self.is_paused_here = False  # all tasks, by this registry alone
        self.is_silent = False  # a simulation neither logs nor publishes what a tick notices

    @property
    def lock(self) -> Lock:
        """The registry's lock. A forked child gets another one."""
        return self.recorder.lock

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to start, with a backend as far as this registry has seen it."""
        return self.is_paused_here or (self.session is not None and self.session.replica.is_paused)

    @property
    def is_observer(self) -> bool:
        """Whether the registry only shows and manages the tasks of its backend."""
        return self.session is not None and self.session.replica.is_observer

    def unresolved(self) -> dict[str, str]:
        """Do what `TaskRegistry.unresolved` says."""
        return {} if self.session is None else dict(self.session.records.problems)

    def known_functions(self) -> list[str]:
        """Do what `TaskRegistry.known_functions` says."""
        # With a session, each function has got its name when it was registered.
        tasks = list(self.agenda.store.values()) if self.session is None else []
        return self.functions.known(task.func for task in tasks)

    def wake(self) -> None:
        """Wake the loops that wait: there may be something to do."""
        for wake in self.wakers:
            wake()

    def configure(
        self,
        executor: "ExecutorSource | None",
        max_running: int | None,
        backend: "str | Backend | None",
        lease: float | timedelta,
        defaults: Mapping[str, Any] | None,
        observe: bool,
    ) -> None:
        """Do what `TaskRegistry.configure` says."""
        capacity = self.capacity
        executor = capacity.executor if executor is KEEP else executor
        max_running = capacity.max_running if max_running is KEEP else max_running
        backend = self.backend if backend is KEEP else backend
        lease = self.lease if lease is KEEP else lease
        if max_running is not None:
            check_count("max_running", max_running, 1, ", or None")
        lease = check_lease(lease)
        defaults = self.defaults if defaults is KEEP else check_defaults(defaults)
        observe = self.is_observer if observe is KEEP else observe
        self._check_observer(observe, backend)
        pool = capacity.pool
        if executor is not capacity.executor:
            pool = None if executor is None else _pool(executor)
        has_same_session = lease == self.lease and observe is self.is_observer
        if backend != self.backend or (self.session is not None and not has_same_session):
            self._move(backend, lease, observe)
        with self.lock:
            self._refuse_while_running()
            replaced = capacity.replace(executor, pool, max_running)
        if replaced is not None:
            replaced.close(wait=False)
        self.lease = lease
        self.defaults = defaults

    def _check_observer(self, observe: object, backend: object) -> None:
        if observe is not False and observe is not True:
            raise InvalidTypeError(f"observe must be True or False, got {short_repr(observe)}")
        if observe and backend is None:
            raise InvalidValueError("observe=True needs a backend, whose tasks other instances run: give backend=…")
        if observe and self.wakers:
            raise WrongStateError("a loop ticks this registry: stop it before observe=True")

    def _move(self, backend: "str | Backend | None", lease: float, observe: bool) -> None:
        """Let the state of the tasks live in another backend, or in this process alone."""
        self._refuse_while_running()
        session, former = None, self.session
        if backend is not None:
            opened = former.backend if former is not None and backend == self.backend else None
            recorder, agenda, names = self.recorder, self.agenda, self.functions
            session = join(backend, opened, lease, recorder, agenda, names, self.wake, former, observe)
        if former is not None:
            former.retire(session)
        with self.lock:
            if backend != self.backend:
                self.is_paused_here = self.is_paused  # without the former backend, too
            self.session = self.recorder.session = session
            self.backend = backend
            self.agenda.edit_log = None if session is None else session.records.edit_log
            self.agenda.note_all()

    def _refuse_while_running(self) -> None:
        ids = ", ".join(repr(run.task.id) for run in self.in_flight.all())
        if ids:
            raise WrongStateError(f"a registry cannot be configured while tasks run: {ids}")

    def start_over_after_fork(self) -> None:
        """Start over in a child process: the other threads are gone, with their locks and the runs they were in."""
        self.recorder.clear_after_fork()
        if self.session is not None:
            self.session.start_over_after_fork()
        self.wakers = ()
        self.loop_threads.clear()
        self.next_ticks.clear()
        for run in self.in_flight.clear_after_fork():
            if not run.is_over:
                run.task.__dict__["status"] = run.status_before
        if self.capacity.pool is not None:
            self.capacity.pool.clear_after_fork()
        self.agenda.note_all()
