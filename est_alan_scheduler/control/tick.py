"""A tick in two halves, for a loop whose thread must not wait for the store."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from est_alan_scheduler.planning.agenda import Entry
from est_alan_scheduler.planning.readiness import Decision
from est_alan_scheduler.runs.recorder import RunRecorder

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import ClusterSession

StartReady = Callable[[Decision, Iterable[Entry], Callable[[list[Entry]], None] | None], None]
"""Starts some of what was decided on, and tells of all of it in the end."""


class SplitTick:
    """`plan` looks, decides and claims, in any thread. Then `start` or `cancel` has to follow, whatever it raised.

    That is in the thread of the tick, and asks nothing of the store that does not have to be: what was claimed and is
    not started is given back by the beat of the lease.
    """

    def __init__(
        self,
        session: "ClusterSession",
        recorder: RunRecorder,
        prepare: Callable[[], bool],
        decide: Callable[[], Decision | None],
        start_ready: StartReady,
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._prepare = prepare
        self._decide = decide
        self._start_ready = start_ready
        self._is_up_to_date = False
        self._decision: Decision | None = None
        self._won: list[Entry] = []

    def plan(self) -> None:
        """Do what waits for the store."""
        self._is_up_to_date = self._prepare()
        self._decision = decision = self._decide() if self._is_up_to_date else None
        if decision is not None:
            self._won = list(self._session.claimed(decision.ready, decision.now, is_inline=False))

    def start(self) -> None:
        """Start what was claimed, as far as it may still start."""
        try:
            self._recorder.expire()
            if self._is_up_to_date:
                self._session.publish_stored()
        finally:
            self._end(self._won)

    def cancel(self) -> None:
        """Start nothing of it."""
        self._end([])

    def _end(self, won: list[Entry]) -> None:
        if self._decision is None:
            return
        held, is_left = self._session.replica.held, self._recorder.session is not self._session
        entries = (entry for entry in won if entry.task.id in held and not is_left)
        self._start_ready(self._decision, entries, self._session.release_unstarted)
        if is_left:  # the tasks live elsewhere by now, and the beat is gone
            self._session.leave()
