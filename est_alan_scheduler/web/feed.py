"""The feed: what changes in a registry, for the clients of a site who listen to it."""

import json
import logging
import secrets
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.events.event import EVENTS, Event
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.models import with_offset

MOST_LISTENERS = 100
"""Clients at a time."""
_MOST_KEPT = 1_000  # messages, for clients who are slow, or come back
_MOST_NAMED = 200  # tasks in one message
_PERIOD = 1.0  # seconds between two looks at what other instances have changed
_LINGER = 30.0  # seconds for which all goes on without a client: one may come back, and ask what it has missed
_PUBLISHED = (
    "task_id",
    "slot",
    "attempt",
    "started_at",
    "finished_at",
    "duration",
    "retry_at",
    "consecutive_failures",
    "skipped",
)
"""The fields of an event that clients get: no results and no errors, which may hold secrets."""


class Message(NamedTuple):
    """Something that clients are sent."""

    kind: str
    """The name of an event, or `changed`, or `reset`: the client has missed something, and reads anew what it shows."""
    data: Mapping[str, Any]


class Listener:
    """A client. The lock of the feed guards it."""

    def __init__(self, wake: Callable[[], object], position: int, has_missed: bool) -> None:
        self._wake = wake
        self.position = position
        """The number of the last message that it has got."""
        self.has_missed = has_missed
        """It has missed messages."""
        self.is_over = False
        """Nothing comes any more."""
        self._is_woken = False

    def wake(self) -> None:
        """Let it take what is new, unless it is about to do so."""
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # its event loop is closed
                self._wake()

    def take(self) -> None:
        """Note that it takes what is new now."""
        self._is_woken = False


class Feed:
    """The messages about a registry, and the clients who listen.

    The latest messages are kept once for all. Each client has a place in them: one that falls behind the oldest gets a
    `reset`, and costs nothing until then. A thread reads what other instances change, while there are clients.
    `_lock` guards all of it. It is reentrant, because a finalizer or a signal handler may publish under it.
    """

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry
        self._lock = threading.RLock()
        self._listeners: set[Listener] = set()
        self._kept: deque[Message] = deque(maxlen=_MOST_KEPT)
        self._count = 0
        self._generation = ""  # a new one makes the ids of older messages invalid
        self._thread: threading.Thread | None = None

    def join(self, wake: Callable[[], object], last: str | None) -> Listener | None:
        """Add a client, who has got the message of the id `last`; None if there are too many.

        `wake` is called from any thread whenever there is something to `take`.
        """
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                return None
            if self._thread is None or not self._thread.is_alive():  # there is none in a forked child either
                self._begin()
            position = self._count if last is None else self._position(last)
            listener = Listener(wake, self._count if position is None else position, position is None)
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Remove a client."""
        with self._lock:
            self._listeners.discard(listener)

    def take(self, listener: Listener) -> list[tuple[str, Message]]:
        """Return the messages that a client has not got, with their ids."""
        with self._lock:
            listener.take()
            missed = self._count - listener.position
            if listener.has_missed or missed > len(self._kept):
                messages = [Message("reset", {})]
            else:
                messages = list(islice(self._kept, len(self._kept) - missed, None))
            listener.position, listener.has_missed = self._count, False
            first = self._count - len(messages) + 1
            return [(f"{self._generation}-{number}", message) for number, message in enumerate(messages, first)]

    def id_of(self, listener: Listener) -> str:
        """Return the id of the last message that a client has got."""
        return f"{self._generation}-{listener.position}"

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell all clients."""
        with self._lock:
            self._count += 1
            self._kept.append(Message(kind, data))
            for listener in self._listeners:
                listener.wake()

    def end_all(self) -> None:
        """Let all clients go: the server ends."""
        with self._lock:
            for listener in self._listeners:
                listener.is_over = True
                listener.wake()

    def _position(self, last: str) -> int | None:
        """Return the number of the message of an id; None if what came after it is not kept."""
        generation, _, number = last.partition("-")
        if generation != self._generation or not (number.isascii() and number.isdigit() and len(number) < 20):
            return None
        return int(number) if self._count - len(self._kept) <= int(number) <= self._count else None

    def _begin(self) -> None:
        self._generation = secrets.token_hex(4)
        self._count = 0
        self._kept.clear()
        end = self._registry.on(*EVENTS, callback=self._publish_event)
        watch = _Watch(self._registry, self)
        self._thread = threading.Thread(
            target=self._run, args=(watch, end), name="est-alan-scheduler feed", daemon=True
        )
        self._thread.start()

    def _publish_event(self, event: Event) -> None:
        shown = {name: value for name in _PUBLISHED if (value := getattr(event, name)) is not None}
        self.publish(event.name, shown)

    def _run(self, watch: "_Watch", end: Callable[[], None]) -> None:
        pause, last_seen = threading.Event(), monotonic()
        try:
            while True:
                pause.wait(_PERIOD)
                if _server_ends():
                    self.end_all()
                try:
                    watch.look()
                except Exception as error:  # of a backend; the clients still wait
                    log(logging.ERROR, "What other instances have changed could not be read; it is tried again.", error)
                with self._lock:
                    if self._listeners:
                        last_seen = monotonic()
                    elif monotonic() > last_seen + _LINGER:
                        self._thread = None
                        return
        finally:
            end()


class _Watch:
    """The watch over what other instances do to the tasks."""

    def __init__(self, registry: TaskRegistry, feed: Feed) -> None:
        self._registry = registry
        self._feed = feed
        self._mark = registry.changes().mark
        self._is_paused = registry.is_paused

    def look(self) -> None:
        """Read what has changed, and publish it. In an outage there is nothing to tell."""
        registry = self._registry
        with suppress(BackendUnavailableError):
            registry.refresh()
        changes, is_paused = registry.changes(self._mark), registry.is_paused
        self._mark = changes.mark
        if changes.ids is None or len(changes.ids) > _MOST_NAMED:
            self._feed.publish("changed", {"task_ids": None})
        elif changes.ids:
            self._feed.publish("changed", {"task_ids": sorted(changes.ids)})
        if is_paused is not self._is_paused:
            self._is_paused = is_paused
            self._feed.publish("changed", {"task_ids": [], "paused": is_paused})


def text_of(message_id: str, message: Message) -> str:
    """Return a message in the format of server-sent events."""
    data = json.dumps(message.data, default=_shown, separators=(",", ":"))
    return f"id: {message_id}\nevent: {message.kind}\ndata: {data}\n\n"


def _shown(value: object) -> str:
    return with_offset(value) if isinstance(value, datetime) else str(value)


def _server_ends() -> bool:
    """Return whether uvicorn, in the main thread, is about to end: it waits for its connections then."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
