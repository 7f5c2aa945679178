"""The side of a registry that its loops use: when to tick next, what wakes them, and the end of their runs."""

from collections.abc import Callable, Collection

from est_alan_scheduler.control.management import Management
from est_alan_scheduler.control.parts import Parts
from est_alan_scheduler.control.tick import Tick
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.runs.waiting import end_runs, pending


class LoopSide:
    """What a loop asks of a registry beside `tick`. The registry's lock guards the wakers."""

    def __init__(self, parts: Parts, management: Management) -> None:
        self._parts = parts
        self._management = management

    def idle_seconds(self) -> float | None:
        """Do what `TaskRegistry.idle_seconds` says."""
        parts, moment, deadline = self._parts, None, None
        outage = 0.0 if parts.session is None else parts.session.outage.seconds_left()
        if not self._management.is_paused and parts.capacity.available(parts.capacity.runner()) != 0:
            with parts.lock, parts.agenda as agenda:
                now = parts.hooks._now()
                agenda.work_in(now)
                utc = agenda.see(now)
                moment = agenda.next_moment()
        if parts.in_flight.has_deadlines():
            with parts.lock:
                deadline = parts.in_flight.seconds_to_deadline()
        if moment is None:
            return deadline
        idle = max(outage, (moment - utc).total_seconds())
        return idle if deadline is None else min(idle, deadline)

    def new_tick(self) -> Tick | None:
        """Return a tick whose plan another thread can make; None without a backend, where no plan waits."""
        return None if self._parts.session is None else Tick(self._parts, self._management)

    def waits_for_calls(self) -> bool:
        """Tell whether calls end in other threads, so that a loop has to wait for its waker too."""
        return self._parts.capacity.executor is not None

    def add_waker(self, wake: Callable[[], None]) -> None:
        """Call `wake` from now on whenever a task is registered or changed, or a call has ended."""
        with self._parts.lock:
            self._parts.wakers = (*self._parts.wakers, wake)

    def remove_waker(self, wake: Callable[[], None]) -> None:
        """Undo `add_waker`."""
        with self._parts.lock:
            self._parts.wakers = tuple(other for other in self._parts.wakers if other != wake)

    def context(self) -> ThreadContext:
        """Return the context of this thread. It tells the runs that this thread starts from those of others."""
        return self._parts.in_flight.thread.context

    def pending(self, contexts: Collection[ThreadContext] | None = None) -> tuple[list[Run], float | None]:
        """Return the runs in flight, of these contexts or all, and the seconds until any may exceed its timeout."""
        return pending(self._parts.recorder, contexts)

    def shutdown(self, timeout: float | None, contexts: Collection[ThreadContext] | None = None) -> bool:
        """Do what `TaskRegistry.shutdown` says, for the runs of these contexts or of all."""
        parts = self._parts
        is_clean = end_runs(parts.recorder, timeout, contexts)
        if parts.wakers:  # another loop goes on
            return is_clean
        if parts.capacity.pool is not None:
            parts.capacity.pool.close(wait=timeout is None and not parts.in_flight.calls)
        if parts.session is not None:
            parts.session.push()
            parts.session.leave()
        return is_clean
