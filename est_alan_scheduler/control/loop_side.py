"""The side of a registry that its loops use: when to tick next, what wakes them, and the end of their runs."""

import logging
import math
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from threading import get_ident

from est_alan_scheduler._support.errors import WrongStateError
from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.control.tick import SplitTick
from est_alan_scheduler.fields.checks import in_seconds
from est_alan_scheduler.runs.run import Run, ThreadContext

LONGEST_WAIT = 1.0
"""Seconds for which the end of runs is waited for at a time: a pool of processes may be stuck meanwhile."""


class LoopSide:
    """What a loop asks of a registry beside `tick`. The registry's lock guards the wakers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.blocks: dict[object, AbstractAsyncContextManager[None]] = {}
        """The open blocks of `running`, by event loop: see `open_block`."""

    def open_block(self, event_loop: object, block: AbstractAsyncContextManager[None]) -> None:
        """Note a block of `running`. From now on this thread belongs to a loop, also before that has begun to tick."""
        with self._parts.lock:
            self.blocks[event_loop] = block
            self._parts.loop_threads[event_loop] = get_ident()

    def close_block(self, event_loop: object) -> None:
        """Undo `open_block`."""
        with self._parts.lock:
            self._parts.loop_threads.pop(event_loop, None)
            del self.blocks[event_loop]

    def idle_seconds(self) -> float | None:
        """Do what `TaskRegistry.idle_seconds` says."""
        parts, moment, deadline = self._parts, None, None
        if parts.is_observer:
            return None
        outage = 0.0 if parts.session is None else parts.session.outage.seconds_left()
        if not parts.is_paused and parts.capacity.available(parts.capacity.runner()) != 0:
            with parts.lock, parts.agenda as agenda:
                now = parts.hooks._now()
                agenda.work_in(now)
                utc = agenda.note_time(now)
                moment = agenda.next_moment()
        if parts.in_flight.deadlines:
            with parts.lock:
                deadline = parts.in_flight.seconds_to_deadline()
        if parts.in_flight.calls and parts.capacity.pool is not None:
            look = parts.capacity.pool.seconds_to_look()
            if look is not None:
                deadline = look if deadline is None else min(look, deadline)
        if moment is None:
            return deadline
        idle = max(outage, (moment - utc).total_seconds())
        return idle if deadline is None else min(idle, deadline)

    def new_tick(self) -> SplitTick | None:
        """Return a tick whose plan another thread can make; None without a backend, where no plan waits."""
        session = self._parts.session
        return None if session is None else SplitTick(self._parts, session)

    def begin_loop(self, wake: Callable[[], None]) -> None:
        """Do what `add_waker` does, for a loop that begins to tick."""
        if self.add_waker(wake):
            log(
                logging.WARNING,
                "Another loop ticks this registry already: no task runs twice, but each loop has to be stopped.",
            )

    def expect_ticks(self) -> None:
        """Note that a loop is about to begin; `WrongStateError` for an observer."""
        if self._parts.is_observer:
            from est_alan_scheduler.cluster.session import OBSERVES  # late: it is there with a backend only

            raise WrongStateError(OBSERVES)
        self._parts.is_ticked = True

    def waits_for_calls(self) -> bool:
        """Return whether calls end in other threads, so that a loop has to wait for its waker too."""
        return self._parts.capacity.executor is not None

    def add_waker(self, wake: Callable[[], None]) -> bool:
        """Call `wake` whenever a task is registered or changed, or a call has ended. The thread of the loop adds it.

        Return whether another loop has added one.
        """
        parts = self._parts
        with parts.lock:
            others, parts.wakers = parts.wakers, (*parts.wakers, wake)
            parts.loop_threads[wake] = get_ident()
            parts.next_ticks[wake] = monotonic()
            parts.has_looped = True
        return bool(others)

    def note_pause(self, wake: Callable[[], None], seconds: float) -> None:
        """Note that the loop of this waker has ticked, and does so again in so many seconds at the latest."""
        self._parts.next_ticks[wake] = monotonic() + seconds

    def remove_waker(self, wake: Callable[[], None]) -> None:
        """Undo `add_waker`."""
        with self._parts.lock:
            self._parts.loop_threads.pop(wake, None)
            self._parts.next_ticks.pop(wake, None)
            self._parts.wakers = tuple(other for other in self._parts.wakers if other != wake)

    def context(self) -> ThreadContext:
        """Return the context of this thread. It tells the runs that this thread starts from those of others."""
        return self._parts.in_flight.thread.context

    def pending(self, contexts: Collection[ThreadContext] | None = None) -> tuple[list[Run], float | None]:
        """Return the runs that go on, of these contexts or all, and the seconds until any may exceed its timeout.

        What has exceeded it is recorded first.
        """
        parts = self._parts
        if parts.in_flight.calls and parts.capacity.pool is not None:
            parts.capacity.pool.look()
        parts.recorder.expire()
        with parts.lock:
            return parts.in_flight.started_by(contexts), parts.in_flight.seconds_to_deadline()

    def shutdown(self, timeout: float | timedelta | None, contexts: Collection[ThreadContext] | None = None) -> bool:
        """Do what `TaskRegistry.shutdown` says, for the runs of these contexts or of all."""
        parts = self._parts
        left = self._await_ends(in_seconds(timeout), contexts)
        if left:
            ids = ", ".join(repr(run.task.id) for run in left)
            log(logging.WARNING, f"Interrupted by shutdown while they ran: {ids}")
        for run in left:
            parts.recorder.finish(run, error=RuntimeError("interrupted by shutdown"), has_ended=False)
            call = run.call
            if call is not None:
                call.cancel()
        if parts.wakers:  # another loop goes on
            return not left
        if parts.capacity.pool is not None:
            parts.capacity.pool.close(wait=timeout is None and not parts.in_flight.calls)
        if parts.session is not None:
            parts.session.push()
            parts.session.leave()
        return not left

    def _await_ends(self, timeout: float | None, contexts: Collection[ThreadContext] | None) -> list[Run]:
        """Wait for runs to end; return those that have not in time, their threads closed for new ones."""
        lock, in_flight, end = self._parts.lock, self._parts.in_flight, Wakeup()
        end_by = math.inf if timeout is None else monotonic() + timeout
        with lock:
            in_flight.ends.append(end)
        try:
            while True:
                end.wait(0)
                runs, deadline = self.pending(contexts)
                if timeout != 0:
                    _refuse_to_block_an_event_loop(runs)
                pause = end_by - monotonic()
                if not runs or pause <= 0:
                    break
                end.wait(min(pause, LONGEST_WAIT, math.inf if deadline is None else deadline))
        finally:
            with lock:
                in_flight.ends.remove(end)
        with lock:
            left = in_flight.started_by(contexts)
            in_flight.abandon(left)
        return left


def _refuse_to_block_an_event_loop(runs: list[Run]) -> None:
    event_loops = {run.call.loop for run in runs if run.call is not None and run.call.loop is not None}
    if not event_loops:
        return
    import asyncio  # late: a registry without coroutines needs none

    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if running in event_loops:
        raise WrongStateError(
            "shutdown() would wait for coroutines in the thread of their own event loop: cancel run_scheduler() instead"
        )
