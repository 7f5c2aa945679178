"""The tick: a plan of what to start now, and its start."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.executors.call import Runner
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.readiness import Decision, Notice

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import ClusterSession


def run_tick(parts: Parts) -> None:
    """Plan and start, in this thread."""
    parts.is_ticked = True
    parts.recorder.expire()
    runner, session = _select_runner(parts), parts.session
    if session is None:
        decision = _decide(parts, runner)
        if decision is not None:
            _start(parts, decision, decision.ready, None)
        if parts.agenda.done_candidates:
            parts.recorder.outbox.remove_noted()
    elif session.prepare(parts.capacity.available(runner), parts.is_paused):
        session.publish_stored()
        decision, is_inline = _decide(parts, runner), runner is None
        if decision is not None:
            claimed = session.claim_in_batches(decision.ready, decision.now, is_inline)
            _start(parts, decision, claimed, partial(session.close, claimed, is_inline=is_inline))
        if parts.agenda.done_candidates:
            parts.recorder.outbox.remove_noted()


class SplitTick:
    """A tick of a registry with a backend, for a thread that must not wait for the store.

    It is made in that thread. Another thread makes the `plan`. Then `start` follows, or `cancel` if nothing of the plan
    is to start, whatever `plan` raised. Both ask nothing of the store that can wait: the heartbeat releases the claims
    that are left.
    """

    def __init__(self, parts: Parts, session: "ClusterSession") -> None:
        self._parts = parts
        self._session = session
        self._runner = _select_runner(parts)
        self._is_current = False
        self._decision: Decision | None = None
        self._claimed: list[Entry] = []

    def plan(self) -> None:
        """Read, decide and claim. From any thread."""
        parts, session = self._parts, self._session
        self._is_current = session.prepare(parts.capacity.available(self._runner), parts.is_paused)
        if self._is_current:
            self._decision = decision = _decide(parts, self._runner)
            if decision is not None:
                self._claimed = list(session.claim_in_batches(decision.ready, decision.now, is_inline=False))
            if parts.agenda.done_candidates:
                parts.recorder.outbox.remove_noted()

    def start(self) -> None:
        """Start what was claimed, as far as it may still start."""
        try:
            self._parts.recorder.expire()
            if self._is_current:
                self._session.publish_stored()
        finally:
            self._end(self._claimed)

    def cancel(self) -> None:
        """Start nothing of the plan."""
        self._end([])

    def _end(self, entries: list[Entry]) -> None:
        """Start those entries that are still claimed here."""
        parts, decision, session = self._parts, self._decision, self._session
        if decision is None:
            return
        has_left = parts.session is not session
        held = (entry for entry in entries if session.records.is_held(entry.task.id) and not has_left)
        _start(parts, decision, held, session.release_unstarted)
        if has_left:  # the state of the tasks is elsewhere now, and the heartbeat has ended
            session.leave()


def _select_runner(parts: Parts) -> Runner | None:
    """Return the runner of a tick in this thread; None if the thread makes the calls itself."""
    pool = parts.capacity.pool
    if pool is not None:
        pool.prepare()
        if parts.in_flight.calls:
            pool.look()
    return parts.capacity.runner()


def _decide(parts: Parts, runner: Runner | None) -> Decision | None:
    """Decide what to start, on the present state. `_start` has to follow, unless there is nothing: None."""
    agenda, hooks = parts.agenda, parts.hooks
    notices: list[Notice] = []
    with parts.recorder.lock, agenda:
        now = hooks._now()  # under the lock, so that no tick takes the time of an earlier one for a step back
        began = time.monotonic()
        agenda.work_in(now)
        available = 0 if parts.is_paused else parts.capacity.available(runner)
        ready = parts.readiness.take(now, available, hooks._stricter(), notices)
        changes, starts = agenda.changes, agenda.starts
        dropped = agenda.take_dropped()
    del dropped
    return Decision(ready, notices, now, began, changes, starts) if ready or notices else None


def _start(
    parts: Parts, decision: Decision, entries: Iterable[Entry], end: Callable[[list[Entry]], None] | None
) -> None:
    """Start `entries`, which are among those decided on; call `end` with all of these at the end."""
    ready, notices, now, began, changes, starts = decision
    agenda, context, hooks = parts.agenda, parts.in_flight.thread.context, parts.hooks
    outer = context.entry, context.now, context.began, context.changes, context.starts
    depth = len(context.runs)
    context.is_closed = context.is_closed and depth > 0
    try:
        if notices and not parts.is_silent:
            parts.recorder.outbox.publish_notices(notices)
        context.now, context.began, context.changes, context.starts = now, began, changes, starts
        for entry in entries:
            context.entry = entry
            hooks._execute(entry.task)
    finally:
        context.entry, context.now, context.began, context.changes, context.starts = outer
        parts.recorder.fail_above(depth)
        if end is not None:
            end(ready)
        with parts.lock, agenda:
            agenda.close(ready, now)
