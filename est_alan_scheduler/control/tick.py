"""A tick in two halves, for a loop whose thread must not wait for the store."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from est_alan_scheduler.planning.agenda import Entry
from est_alan_scheduler.planning.readiness import Decision
from est_alan_scheduler.runs.recorder import RunBook

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import Ledger

CarryOut = Callable[[Decision, Iterable[Entry], Callable[[list[Entry]], None] | None], None]
"""Starts some of what was decided on, and tells of all of it in the end."""


class HalfTick:
    """`ask` looks, decides and claims, in any thread. Then `start` or `give_back` has to follow, whatever it raised.

    That is in the thread of the tick, and asks nothing of the store that does not have to be: what was claimed and is
    not started is given back by the beat of the lease.
    """

    def __init__(
        self,
        ledger: "Ledger",
        book: RunBook,
        prepare: Callable[[], bool],
        decide: Callable[[], Decision | None],
        carry_out: CarryOut,
    ) -> None:
        self._ledger = ledger
        self._book = book
        self._prepare = prepare
        self._decide = decide
        self._carry_out = carry_out
        self._is_up_to_date = False
        self._decision: Decision | None = None
        self._won: list[Entry] = []

    def ask(self) -> None:
        """Do what waits for the store."""
        self._is_up_to_date = self._prepare()
        self._decision = decision = self._decide() if self._is_up_to_date else None
        if decision is not None:
            self._won = list(self._ledger.claimed(decision.ready, decision.now, is_inline=False))

    def start(self) -> None:
        """Start what was claimed, as far as it may still start."""
        try:
            self._book.expire()
            if self._is_up_to_date:
                self._ledger.tell_stored()
        finally:
            self._end(self._won)

    def give_back(self) -> None:
        """Start nothing of it."""
        self._end([])

    def _end(self, won: list[Entry]) -> None:
        if self._decision is None:
            return
        held, is_left = self._ledger.tasks.held, self._book.ledger is not self._ledger
        entries = (entry for entry in won if entry.task.id in held and not is_left)
        self._carry_out(self._decision, entries, self._ledger.let_go)
        if is_left:  # the tasks live elsewhere by now, and the beat is gone
            self._ledger.leave()
