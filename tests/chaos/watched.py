"""The wrapper of a worker's backend: it writes the answers to the journal, and it has traps."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from est_alan_scheduler.backends import Backend, BackendUnavailableError
from tests.chaos.journal import Act, Claimed, Journal, Leased, Trouble
from tests.chaos.spans import SLOW

OPERATIONS = (
    "fetch",
    "define",
    "change",
    "remove",
    "pause_all",
    "assign",
    "claim",
    "finish",
    "renew",
    "leave",
    "find_dead_runs",
    "reap",
)

POINTS = (
    *(f"{when}-{what}" for what in ("claim", "finish", "assign", "renew", "reap") for when in ("before", "after")),
    *("before-start", "after-start", "before-end", "after-end"),
)
"""The points for traps: around the commits of the backend, and around the records of a function."""


class Traps:
    """Points at which the process dies, or at which an answer of the store is lost. No lock: each springs once."""

    def __init__(self, journal: Journal, instance: str) -> None:
        self._journal = journal
        self._instance = instance
        self._set: dict[str, str] = {}

    def set(self, point: str, action: str) -> None:
        self._set[point] = action

    def clear(self) -> None:
        self._set.clear()

    def spring(self, point: str) -> None:
        action = self._set.pop(point, None) if self._set else None
        if action is None:
            return
        self._journal.write(Act(time.monotonic(), self._instance, f"{action} {point}"))
        if action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        raise BackendUnavailableError(f"the answer is lost {point}")


def watch(backend: Backend, journal: Journal, instance: str, traps: Traps) -> None:
    """Record the operations of a backend, with traps around them."""
    for name in OPERATIONS:
        setattr(backend, name, _watched(name, getattr(backend, name), journal, instance, traps))
    # A new worker reads the past of each task: thousands of runs after a while.
    setattr(backend, "past", lambda _: {})  # noqa: B010  # mypy would refuse the assignment


def _watched(
    name: str, operation: Callable[..., Any], journal: Journal, instance: str, traps: Traps
) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        began = time.monotonic()
        try:
            traps.spring(f"before-{name}")
            answer = operation(*arguments)
            traps.spring(f"after-{name}")
        except BackendUnavailableError as error:
            journal.write(Trouble(time.monotonic(), instance, began, f"{name}: {error}"[:200]))
            raise
        if time.monotonic() - began > SLOW:
            journal.write(Trouble(time.monotonic(), instance, began, f"{name}: slow"))
        if name == "renew":
            journal.write(Leased(began, instance, arguments[0], began + arguments[1], answer.since))
        elif name == "leave":
            journal.write(Leased(began, instance, arguments[0], began, 0))
        elif name == "claim" and answer:
            journal.write(Claimed(began, instance, arguments[0], list(answer.items())))
        return answer

    return call
