"""The tick: a plan of what to start now, and its start."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.readiness import Decision, Notice


class Tick:
    """One pass over the tasks of a registry. Made in the thread that starts the runs.

    `run` is all of it. Where that thread must not wait for the store, another thread makes the `plan`. Then `start`
    follows, or `cancel` if nothing of the plan is to start, whatever `plan` raised. Both ask nothing of the store that
    can wait: the heartbeat releases the claims that are left.
    """

    __slots__ = ("_claimed", "_decision", "_is_current", "_parts", "_runner", "_session")

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._session = parts.session
        pool = parts.capacity.pool
        if pool is not None:
            pool.prepare()
        self._runner = parts.capacity.runner()
        self._is_current = False
        self._decision: Decision | None = None
        self._claimed: list[Entry] = []

    def run(self) -> None:
        """Plan and start, in this thread."""
        session = self._session
        if session is None:
            decision = self._decide()
            if decision is not None:
                self._start(decision, decision.ready, None)
            return
        if not self._prepare():
            return
        session.publish_stored()
        decision, is_inline = self._decide(), self._runner is None
        if decision is not None:
            claimed = session.claimed(decision.ready, decision.now, is_inline)
            self._start(decision, claimed, partial(session.close, claimed, is_inline=is_inline))

    def plan(self) -> None:
        """Do what waits for the store: read, decide, claim. From any thread."""
        self._is_current = self._prepare()
        if self._is_current:
            self._decision = decision = self._decide()
            if decision is not None and self._session is not None:
                self._claimed = list(self._session.claimed(decision.ready, decision.now, is_inline=False))

    def start(self) -> None:
        """Start what was claimed, as far as it may still start."""
        try:
            self._parts.recorder.expire()
            if self._is_current and self._session is not None:
                self._session.publish_stored()
        finally:
            self._end(self._claimed)

    def cancel(self) -> None:
        """Start nothing of the plan."""
        self._end([])

    def _prepare(self) -> bool:
        """Bring tasks and store to the same state; return False if the store is out of reach."""
        available = self._parts.capacity.available(self._runner)
        return self._session is None or self._session.prepare(available, self._parts.is_paused)

    def _decide(self) -> Decision | None:
        """Decide what to start, on the state as it stands. `_start` has to follow, unless there is nothing: None."""
        parts, notices = self._parts, list[Notice]()
        agenda = parts.agenda
        with parts.lock, agenda:
            now = parts.hooks._now()  # under the lock, so that no tick takes the time of an earlier one for a step back
            began = time.monotonic()
            agenda.work_in(now)
            available = 0 if parts.is_paused else parts.capacity.available(self._runner)
            ready = parts.readiness.take(now, available, parts.hooks._stricter(), notices)
            changes, starts = agenda.changes, agenda.starts
            dropped = agenda.take_dropped()
        del dropped
        return Decision(ready, notices, now, began, changes, starts) if ready or notices else None

    def _end(self, entries: list[Entry]) -> None:
        """Start those entries that are still claimed here."""
        decision, session = self._decision, self._session
        if decision is None or session is None:
            return
        is_left = self._parts.session is not session
        held = (entry for entry in entries if session.records.is_held(entry.task.id) and not is_left)
        self._start(decision, held, session.release_unstarted)
        if is_left:  # the tasks live elsewhere by now, and the heartbeat has ended
            session.leave()

    def _start(self, decision: Decision, entries: Iterable[Entry], end: Callable[[list[Entry]], None] | None) -> None:
        """Start `entries`, which are among those decided on; call `end` with all of these at the end."""
        ready, notices, now, began, changes, starts = decision
        parts = self._parts
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
