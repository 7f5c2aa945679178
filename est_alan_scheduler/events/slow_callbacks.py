"""The watch over slow callbacks: it logs one that hangs while it hangs, which the thread that called it cannot do."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log

PATIENCE = 5.0
"""Seconds after which a callback that has not returned is logged."""


class CallbackWatch:
    """A daemon thread that logs callbacks which have not returned in time; it lives only while callbacks are called.

    `_lock` guards the present calls and whether there is a thread. It is reentrant, because a garbage collection under
    it may run code that publishes an event.
    """

    def __init__(self) -> None:
        self.clear_after_fork()

    def clear_after_fork(self) -> None:
        """Start anew in a forked child: the thread stayed with the parent, and so may the owner of the lock."""
        self._lock = threading.RLock()
        self._calls: dict[object, tuple[float, Callable[[], str]]] = {}  # the oldest first; not those that are logged
        self._thread: threading.Thread | None = None

    def enter(self, describe: Callable[[], str]) -> object:
        """Note that a callback is about to be called; return the key for `leave`.

        `describe` is called only to log it, because a `repr` is user code.
        """
        key = object()
        with self._lock:
            self._calls[key] = monotonic(), describe
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="est-alan-scheduler callbacks", daemon=True)
                with suppress(RuntimeError):  # the interpreter ends, and starts no more threads
                    thread.start()
                    self._thread = thread
        return key

    def leave(self, key: object) -> None:
        """Note that the callback has returned."""
        with self._lock:
            self._calls.pop(key, None)

    def _run(self) -> None:
        pause, seconds = threading.Event(), PATIENCE
        while True:
            pause.wait(seconds)
            with self._lock:
                keys = list(self._calls)
                if not keys:
                    self._thread = None
                    return
                key = keys[0]
                began, describe = self._calls[key]
                lasts = monotonic() - began
                seconds = max(0.0, PATIENCE - lasts)
                if not seconds:
                    del self._calls[key]
            if not seconds:
                log(logging.ERROR, f"{_description(describe)} has not returned for {lasts:.3g} s; its thread waits.")


def _description(describe: Callable[[], str]) -> str:
    try:
        return describe()
    except BaseException:  # a SystemExit, for example, would end the thread for good
        return "A callback whose repr failed"


watch = CallbackWatch()
"""The watch of all registries of the process."""

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=watch.clear_after_fork)
