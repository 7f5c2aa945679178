"""The lease of an instance, the heartbeat that renews it, and outages of the store."""

import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError
from est_alan_scheduler.backends.rows import escaped

GATHER = 0.04  # seconds for which outcomes are gathered, to be written together


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance: a registry of some process that ticks the tasks of a backend."""

    owner: str
    """Host, process id, and a random part."""
    since: datetime
    """Since when it has been alive without a break, in naive local time."""
    lease_until: datetime
    """When it counts as dead unless it renews its lease before."""


class Lease:
    """The promise of a store that no instance reaps the runs of `owner` before `deadline`, by the monotonic clock.

    No lock guards it: each field is replaced in a single assignment. Several threads may renew it at a time: each gets
    a true answer.
    """

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend = backend
        self.seconds = seconds
        self.start_over()

    def start_over(self) -> None:
        """Start with a new owner id and no lease."""
        self.owner = escaped(f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}")
        self.deadline = 0.0
        self._until = 0  # by the store's clock
        self.since: int | None = None
        """Since when it has never expired, by the store; None if it is not taken. A run that was claimed under another
        one may have been reaped."""

    def renew(self) -> None:
        """Let it last from now on, also if it had expired."""
        began = monotonic()  # before the call, so as not to overestimate it
        renewal = self._backend.renew(self.owner, self.seconds)
        self.since, self.deadline, self._until = renewal.since, began + self.seconds, renewal.lease_until

    def release(self) -> None:
        """End it: other instances can reap runs that have not ended."""
        self.deadline, self.since = 0.0, None
        self._backend.leave(self.owner)

    def is_alive(self) -> bool:
        """Return whether it has certainly not expired."""
        return monotonic() < self.deadline

    def is_due(self) -> bool:
        """Return whether it is time to renew it: also if the store's clock was set ahead."""
        rest = self.seconds * 2 / 3
        return self.deadline - monotonic() < rest or self._until - self._backend.now() < rest * 1_000_000


class Outage:
    """The health of the store when it was last asked. A race of two threads costs no more than a line of the log."""

    _FIRST, _LONGEST = 0.1, 5.0  # seconds between two attempts to reach it

    def __init__(self, consequence: str = "nothing starts") -> None:
        self._consequence = consequence
        self.start_over()

    def start_over(self) -> None:
        """Forget the health of the store."""
        self.healthy_since: float | None = None
        self.is_of_tick = False
        """A tick has noticed it. The heartbeat does not ask all that a tick asks, and cannot end it."""
        self._pause = 0.0
        self._until = 0.0
        self._reason = "it did not answer"

    def is_on(self) -> bool:
        """Return whether the store did not answer, or refused, when it was last asked."""
        return self._pause > 0

    def seconds_left(self) -> float:
        """Return how long not to ask the store."""
        return max(0.0, self._until - monotonic()) if self._pause else 0.0

    def note(self, error: BackendUnavailableError, is_of_tick: bool = True) -> None:
        """Note that the store is out of reach, and log that once."""
        self.is_of_tick = self.is_of_tick or is_of_tick
        self._reason = str(error)
        if self.begin():
            log(logging.ERROR, f"The store is out of reach, and {self._consequence} until it is back: {error}")

    def check(self) -> None:
        """Raise `BackendUnavailableError` while the store is not to be asked."""
        seconds = self.seconds_left()
        if seconds:
            raise BackendUnavailableError(
                f"the store is out of reach, and is asked again in {seconds:.1f} s: {self._reason}"
            )

    def begin(self) -> bool:
        """Note that the store is not to be asked for a while; return whether that has changed."""
        is_news = not self._pause
        self._pause = min(self._pause * 2 or self._FIRST, self._LONGEST)
        self._until = monotonic() + self._pause
        self.healthy_since = None
        return is_news

    def end(self) -> bool:
        """Note that the store has answered; return whether that has changed, which is logged."""
        is_news, self._pause, self.is_of_tick = self._pause > 0, 0.0, False
        if self.healthy_since is None:
            self.healthy_since = monotonic()
        if is_news:
            log(logging.WARNING, "The store is back.")
        return is_news


class Heartbeat:
    """A daemon thread that renews the lease, writes outcomes and reaps dead runs.

    It is a thread of its own because a task that runs inline blocks the tick. It refers weakly to the object whose
    methods it calls, and ends with it. `_lock` guards which thread it is. `_due` is replaced in single assignments,
    after an outcome was queued: a thread that overwrites it is about to write that outcome.
    """

    def __init__(self, on_due: Callable[[], None], seconds_to_due: Callable[[], float]) -> None:
        """Take two methods of one object: its duty, and the seconds until that is due, outcomes apart."""
        self._on_due = weakref.WeakMethod(on_due)
        self._seconds_to_due = weakref.WeakMethod(seconds_to_due)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._wake = Wakeup()
        self._due: float | None = None  # by the monotonic clock: when outcomes are to be written

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # a Ctrl+C may have cut off its start
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="est-alan-scheduler-lease", daemon=True
                )
                self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread, and wait for that up to `timeout` seconds."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
            self._wake.call()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def flush_soon(self, seconds: float = GATHER) -> None:
        """Write outcomes in so many seconds, or earlier if that was asked for before; 0: now."""
        if self._due is None or seconds == 0 or self._due < monotonic():  # a Ctrl+C may have cut off a wakeup
            self._due = monotonic() + seconds
            self._wake.call()

    def _run(self, stop: threading.Event) -> None:
        while True:
            seconds_to_due = self._seconds_to_due()
            if seconds_to_due is None or stop.is_set() or stop is not self._stop:
                return
            due, pause = self._due, seconds_to_due()
            del seconds_to_due  # its object can be collected while this waits
            if due is not None:
                pause = min(pause, due - monotonic())
            if pause > 0 and self._wake.wait(pause):
                continue
            on_due = self._on_due()
            if on_due is None or stop.is_set() or stop is not self._stop:
                return
            self._due = None
            on_due()
            del on_due
