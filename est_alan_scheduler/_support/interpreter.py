"""The interpreter: whether it is ending, what has to end before it, and its monotonic clock."""

import atexit
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

_is_ending = threading.Event()
_has_ended = threading.Event()
_endings: "set[weakref.WeakMethod[Callable[[], None]]]" = set()


def is_ending() -> bool:
    """Return whether the main thread has ended: Python's executors take no more calls."""
    # Private, but it is set before all hooks of the end; what else notes it depends on their order.
    return _is_ending.is_set() or bool(getattr(threading, "_SHUTTING_DOWN", False))


def has_ended() -> bool:
    """Return whether the last thread that is no daemon has ended as well: nothing may start any more."""
    return _has_ended.is_set()


def note_end() -> None:
    """Note that nothing may start any more; for hooks of `atexit`, the latest of which runs first."""
    _has_ended.set()


def has_other_threads() -> bool:
    """Return whether the program goes on without its main thread, in a thread that is no daemon.

    Workers of executors, for which Python waits as well, do not count: most only make their last calls.
    """
    # Private, but they are known by nothing else. What is not imported has no workers.
    workers = {
        *getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", ()),
        *getattr(sys.modules.get("concurrent.futures.process"), "_threads_wakeups", ()),
    }
    return any(
        not thread.daemon and thread is not threading.main_thread() and thread not in workers
        for thread in threading.enumerate()
    )


def end_before(end: Callable[[], None]) -> None:
    """Call this method when the main thread ends, before the executors are shut down, if its object still exists."""
    _endings.add(weakref.WeakMethod(end, _endings.discard))


def monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Read the real monotonic clock, even in a test that freezes time: waiting for other threads takes real time."""
    return _read()


def _end() -> None:
    _is_ending.set()
    references = list(_endings)
    _endings.clear()  # when modules are torn down, the callback of a weak reference finds its own module empty
    for reference in references:
        end = reference()
        if end is not None:
            end()
    _endings.clear()  # a reference that dies while the interpreter clears its modules complains on stderr


def run_hooks_before_executors() -> None:
    """Let the hooks of this module run before those of Python's executors; for the modules that use these.

    Later hooks run earlier, and an executor registers its own when it is imported: that takes so long that only the
    programs which use one pay for it.
    """
    import concurrent.futures.process
    import concurrent.futures.thread  # noqa: F401

    _register_hooks()


def _register_hooks() -> None:
    atexit.register(note_end)
    # Private, but no public hook runs before the executors are shut down: `atexit` is too late.
    with suppress(RuntimeError):  # the program ends already
        getattr(threading, "_register_atexit", lambda _: None)(_end)


_register_hooks()
