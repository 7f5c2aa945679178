"""The interpreter: whether it is ending, and its monotonic clock."""

import threading
import time
from collections.abc import Callable

# Imported first, because their own hooks have to be registered before ours: later hooks run earlier.
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor  # noqa: F401

_is_ending = threading.Event()


def is_ending() -> bool:
    """Return whether the main thread has ended: executors take no more calls, and only daemon threads go on."""
    return _is_ending.is_set()


def monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Read the real monotonic clock, even in a test that freezes time: waiting for other threads takes real time."""
    return _read()


# Private, but no public hook runs before the executors are shut down: `atexit` is too late.
getattr(threading, "_register_atexit", lambda _: None)(_is_ending.set)
