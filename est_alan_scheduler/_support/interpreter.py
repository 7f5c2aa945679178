"""The interpreter around us: whether it ends, and its clock for waits."""

import threading
import time
from collections.abc import Callable

# Needed before the hooks that they register themselves: those registered later run first.
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor  # noqa: F401

_is_ending = threading.Event()


def is_ending() -> bool:
    """Tell whether the main thread has come to its end: executors take no more calls, and only daemon threads go on."""
    return _is_ending.is_set()


def monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Read the monotonic clock, also in a test that has frozen time: to wait for other threads takes real time."""
    return _read()


# Private, but there is nothing else that comes before the executors are shut down: `atexit` is too late.
getattr(threading, "_register_atexit", lambda _: None)(_is_ending.set)
