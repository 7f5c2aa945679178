"""Callbacks that hang, told of while they do: whoever called them cannot."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log

PATIENCE = 5.0
"""Seconds after which a callback that has not returned is told of."""


class Watched:
    """A callback that is being called, and since when."""

    __slots__ = ("began", "describe", "is_logged")

    def __init__(self, describe: Callable[[], str]) -> None:
        self.began = monotonic()
        self.describe = describe  # a `repr` is user code, and rarely needed
        self.is_logged = False


class CallbackWatch:
    """A daemon thread that looks at what is being called; it is there only as long as anything is.

    `_lock` guards which calls go on, and whether there is a thread. It may be entered again: by what the collector of
    garbage calls in between.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._calls: dict[int, Watched] = {}
        self._thread: threading.Thread | None = None

    def enter(self, describe: Callable[[], str]) -> Watched:
        """Note that a callback is about to be called."""
        call = Watched(describe)
        with self._lock:
            self._calls[id(call)] = call
            if self._thread is None:
                thread = threading.Thread(target=self._look, name="est-alan-scheduler callbacks", daemon=True)
                with suppress(RuntimeError):  # no thread can be started any more: the program ends
                    thread.start()
                    self._thread = thread
        return call

    def leave(self, call: Watched) -> None:
        """Note that it has returned."""
        with self._lock:
            self._calls.pop(id(call), None)

    def clear_after_fork(self) -> None:
        """In a child process: the thread stayed with the parent, the lock may have."""
        self._lock = threading.RLock()
        self._calls = {}
        self._thread = None

    def _look(self) -> None:
        pause, seconds = threading.Event(), PATIENCE
        while True:
            pause.wait(seconds)
            with self._lock:
                calls = list(self._calls.values())
                if not calls:
                    self._thread = None
                    return
            seconds = PATIENCE
            for call in calls:
                lasts = monotonic() - call.began
                if lasts < PATIENCE:
                    seconds = min(seconds, PATIENCE - lasts)
                elif not call.is_logged:
                    call.is_logged = True
                    log(logging.ERROR, f"{_description(call)} has not returned for {lasts:.3g} s; its thread waits.")


def _description(call: Watched) -> str:
    try:
        return call.describe()
    except BaseException:  # SystemExit, for one, would end the thread for good
        return "A callback whose repr cannot be told"


watch = CallbackWatch()
"""One for all registries of the process."""

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=watch.clear_after_fork)
