"""The health of a registry: whether its loop ticks, and whether its store answers. It is found out in bounded time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.control.configuration import Parts

_PATIENCE = 10.0  # seconds for which a loop may be late: a tick asks the store, too
_LAST_CHANCE = 1.0  # seconds for a late loop to start something
_STORE_PATIENCE = 2.0  # seconds for the store to answer
_FRESH = 1.0  # seconds for which an answer of the store counts


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a registry works."""

    loop: bool | None
    """Whether its loop ticks, or waits for a run in its own thread. None if no loop has ticked it in this process: an
    observer, or a program that calls `tick` itself."""
    store: bool | None
    """Whether its backend answers; None without one."""

    @property
    def is_ok(self) -> bool:
        """Whether nothing is known to be wrong."""
        return self.loop is not False and self.store is not False


class HealthCheck:
    """The health of one registry. It may be asked from any thread, but not in that of an event loop: it may wait."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._probe: _Probe | None = None

    def health(self) -> Health:
        """Do what `TaskRegistry.health` says."""
        return Health(self._loop_ticks(), self._store_answers())

    def _loop_ticks(self) -> bool | None:
        parts, seen, end = self._parts, self._parts.agenda.starts, monotonic() + _LAST_CHANCE
        if not parts.next_ticks:
            return False if parts.has_looped else None
        while not self._is_any_loop_alive():
            if parts.agenda.starts != seen:  # a long tick that runs one task after the other
                return True
            if monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def _is_any_loop_alive(self) -> bool:
        parts, now = self._parts, monotonic()
        with parts.lock:
            threads = [parts.loop_threads.get(wake) for wake, at in parts.next_ticks.items() if now > at + _PATIENCE]
            if len(threads) < len(parts.next_ticks):
                return True
            contexts = [parts.in_flight.contexts.get(thread) for thread in threads if thread is not None]
        return any(context is not None and context.runs for context in contexts)

    def _store_answers(self) -> bool | None:
        session = self._parts.session
        if session is None:
            return None
        if session.outage.seconds_left():
            return False
        probe = self._probe
        if probe is None or probe.of is not session or probe.is_stale():
            self._probe = probe = _Probe(session, session.instances)
        return probe.answer()


class _Probe:
    """One question to the store, in a thread of its own: while it has no answer, no other one is asked."""

    def __init__(self, of: object, ask: Callable[[], object]) -> None:
        self.of = of
        self._ask = ask
        self._end = Event()
        self._began_at = monotonic()
        self._ended_at = 0.0
        self._has_succeeded = False
        Thread(target=self._run, name="est-alan-scheduler health", daemon=True).start()

    def is_stale(self) -> bool:
        """Return whether it has ended a while ago."""
        return self._end.is_set() and monotonic() > self._ended_at + _FRESH

    def answer(self) -> bool:
        """Return whether the store has answered, in time."""
        left = self._began_at + _STORE_PATIENCE - monotonic()
        return self._end.wait(max(0.0, left)) and self._has_succeeded

    def _run(self) -> None:
        try:
            self._ask()
            self._has_succeeded = True
        except Exception:
            self._has_succeeded = False
        finally:
            self._ended_at = monotonic()
            self._end.set()
