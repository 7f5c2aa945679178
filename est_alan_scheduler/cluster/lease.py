"""The lease of an instance: who it is, until when it counts as alive, and the thread that sees to it."""

import os
import socket
from typing import TYPE_CHECKING
from uuid import uuid4

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.backends.backend import Backend

if TYPE_CHECKING:
    pass


class Lease:
    """What a store has promised: that nobody takes the runs of `owner` before `deadline`, by the monotonic clock.

    No lock: each field is replaced in a single assignment. Several threads may renew at a time: each has a true answer.
    """

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend = backend
        self.seconds = seconds
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.deadline = 0.0
        self._until = 0  # by the store's clock
        self.since: int | None = None
        """Since when it has never expired, by the store; None if it was not taken. What was claimed in another one may
        be lost."""

    def renew(self) -> None:
        """Let it last from now on, also if it had expired."""
        began = monotonic()  # before the call, so as not to overestimate it
        renewal = self._backend.renew(self.owner, self.seconds)
        self.since, self.deadline, self._until = renewal.since, began + self.seconds, renewal.lease_until

    def release(self) -> None:
        """End it: what has not been finished can be taken over."""
        self.deadline, self.since = 0.0, None
        self._backend.leave(self.owner)

    def is_alive(self) -> bool:
        """Tell whether it is sure not to have expired."""
        return monotonic() < self.deadline

    def is_due(self) -> bool:
        """Tell whether it is time to renew it: also if the store's clock was set ahead."""
        rest = self.seconds * 2 / 3
        return self.deadline - monotonic() < rest or self._until - self._backend.now() < rest * 1_000_000


class Outage:
    """How the store was when it was last asked. Written by whoever has asked; a race costs no more than a log line."""

    _FIRST, _LONGEST = 0.1, 5.0  # seconds between two attempts to reach it

    def __init__(self) -> None:
        self.healthy_since: float | None = None
        self._pause = 0.0
        self._until = 0.0

    def seconds_left(self) -> float:
        """Return how long to leave the store alone."""
        return max(0.0, self._until - monotonic()) if self._pause else 0.0

    def begin(self) -> bool:
        """Note that the store is out of reach; return whether that is news."""
        is_news = not self._pause
        self._pause = min(self._pause * 2 or self._FIRST, self._LONGEST)
        self._until = monotonic() + self._pause
        self.healthy_since = None
        return is_news

    def end(self) -> bool:
        """Note that the store has answered; return whether that is news."""
        is_news, self._pause = self._pause > 0, 0.0
        if self.healthy_since is None:
            self.healthy_since = monotonic()
        return is_news
