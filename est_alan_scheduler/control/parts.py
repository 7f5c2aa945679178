"""The parts of a registry that its control works with."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.readiness import Condition, Readiness
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.starter import RunStarter
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import ClusterSession


class Hooks(Protocol):
    """What a subclass of the registry may override. Each is looked up at call time."""

    def _now(self) -> datetime: ...

    def _execute(self, task: Task) -> None: ...

    def _may_go_ahead(self, task: Task, now: datetime) -> bool: ...

    def _may_still_start(self, task: Task, now: datetime) -> bool: ...

    def _stricter(self) -> Condition | None: ...


class Parts:
    """The parts of one registry. The registry's lock, `recorder.lock`, guards `session` and `wakers`."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self.agenda = Agenda()
        self.recorder = RunRecorder(Lock(), self.agenda, hooks._now, self.wake)
        self.in_flight = self.recorder.in_flight
        calls = self.in_flight.calls
        self.readiness = Readiness(self.agenda, calls, self.recorder.count_misfire, hooks._may_go_ahead)
        self.capacity = Capacity(hooks, calls)
        self.starter = RunStarter(self.recorder, self.capacity, hooks._may_still_start)
        self.functions = FunctionNames()
        self.session: ClusterSession | None = None
        """With a backend: this registry's side of it."""
        self.wakers: tuple[Callable[[], None], ...] = ()
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

    def wake(self) -> None:
        """Wake the loops that wait: there may be something to do."""
        for wake in self.wakers:
            wake()
