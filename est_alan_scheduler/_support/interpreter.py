"""The interpreter: whether it is ending, what has to end before it, and its monotonic clock."""

import threading
import time
import weakref
from collections.abc import Callable

# Imported first, because their own hooks have to be registered before ours: later hooks run earlier.
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor  # noqa: F401
from typing import Protocol

_is_ending = threading.Event()
_endings: "weakref.WeakSet[Ending]" = weakref.WeakSet()


class Ending(Protocol):
    """An object that has to end before the interpreter does."""

    def end(self) -> None:
        """Wait for its end, in the main thread."""


def is_ending() -> bool:
    """Return whether the main thread has ended: executors take no more calls, and only daemon threads go on."""
    return _is_ending.is_set()


def end_before(ending: Ending) -> None:
    """Call `ending.end` when the main thread ends, before the executors are shut down."""
    _endings.add(ending)


def monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Read the real monotonic clock, even in a test that freezes time: waiting for other threads takes real time."""
    return _read()


def _end() -> None:
    _is_ending.set()
    for ending in list(_endings):
        ending.end()


# Private, but no public hook runs before the executors are shut down: `atexit` is too late.
getattr(threading, "_register_atexit", lambda _: None)(_end)
