"""The interpreter: whether it is ending, what has to end before it, and its monotonic clock."""

import threading
import time
import weakref
from collections.abc import Callable

# Imported first, because their own hooks have to be registered before ours: later hooks run earlier.
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor  # noqa: F401

_is_ending = threading.Event()
_endings: "set[weakref.WeakMethod[Callable[[], None]]]" = set()


def is_ending() -> bool:
    """Return whether the main thread has ended: executors take no more calls, and only daemon threads go on."""
    return _is_ending.is_set()


def end_before(end: Callable[[], None]) -> None:
    """Call this method when the main thread ends, before the executors are shut down, if its object still exists."""
    _endings.add(weakref.WeakMethod(end, _endings.discard))


def monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Read the real monotonic clock, even in a test that freezes time: waiting for other threads takes real time."""
    return _read()


def _end() -> None:
    _is_ending.set()
    for reference in list(_endings):
        end = reference()
        if end is not None:
            end()


# Private, but no public hook runs before the executors are shut down: `atexit` is too late.
getattr(threading, "_register_atexit", lambda _: None)(_end)
