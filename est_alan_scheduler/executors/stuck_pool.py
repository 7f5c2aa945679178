"""Pools of processes that are stuck because a worker was killed, and how they get to their end.

A worker that is killed while it sends a large result leaves half of it in the pipe. The manager thread of the pool (of
`concurrent.futures`) then waits for the other half for ever: it does not see that the worker is dead, no run ends, and
the program cannot end. A worker that is killed while it receives large arguments, or as soon as it has started, can
have the same effect.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from est_alan_scheduler._support.interpreter import monotonic

GRACE = 3.0
"""Seconds in which the manager thread notices that a worker has died. Unless it is stuck, it takes milliseconds."""
_BETWEEN_LOOKS = 1.0  # seconds
_MUCH = bytes(65_536)


class WorkerWatch:
    """Looks whether a worker has died, and the manager thread of its pool does not notice."""

    def __init__(self, manager_of: Callable[[], Any]) -> None:
        self._manager_of = manager_of
        self._next_look = 0.0
        self._dead: object = None
        self._dead_since = 0.0
        self._freed: object = None  # the manager thread that was freed last

    def look(self) -> bool:
        """Free the manager thread if it is stuck; return whether it was. Most calls only read the clock."""
        manager = self.find_stuck()
        if manager is not None:
            free(manager)
        return manager is not None

    def find_stuck(self) -> Any:
        """Return the manager thread if it is stuck, once; None if it is not."""
        now = monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + _BETWEEN_LOOKS
        manager = self._manager_of()
        dead = None if manager is None or manager is self._freed else _dead_worker(manager)
        if dead is not self._dead:
            self._dead, self._dead_since = dead, now
        if dead is None or now - self._dead_since < GRACE:
            return None
        self._dead, self._freed = None, manager
        return manager

    def seconds_to_look(self) -> float | None:
        """Return the seconds until a look may show that the manager thread is stuck; None unless a worker has died."""
        return None if self._dead is None else max(0.0, self._next_look - monotonic())


def manager_of(executor: Executor | None) -> Any:
    """Return the manager thread of a pool of processes; None without one, which is all that other executors have."""
    return getattr(executor, "_executor_manager_thread", None)  # private, but shown nowhere else


def shut_down(executor: Executor) -> None:
    """Shut down an executor, and wait for its end; free it meanwhile if it is stuck.

    In this thread: when the interpreter ends, it starts no more threads.
    """
    manager = manager_of(executor)
    executor.shutdown(wait=manager is None)
    watch = WorkerWatch(lambda: manager)
    while manager is not None and manager.is_alive():
        manager.join(_BETWEEN_LOOKS)
        if watch.find_stuck() is not None:
            _free(manager)


def free(manager: Any) -> None:
    """Kill the workers of a pool, and let its manager thread come to its end, which breaks the pool, if it is not."""
    thread = threading.Thread(target=_free, args=(manager,), name="est-alan-scheduler rescue", daemon=True)
    with contextlib.suppress(RuntimeError):  # the interpreter ends, and starts no more threads
        thread.start()


def _dead_worker(manager: Any) -> object:
    """Return a worker that was killed. One that ended with 0 has come to the end of its calls."""
    with contextlib.suppress(AttributeError, ValueError, RuntimeError):  # of another version of Python, or closed now
        if manager.is_alive():
            return next((worker for worker in list(manager.processes.values()) if worker.exitcode), None)
    return None


def _free(manager: Any) -> None:
    pipes = _Pipes(manager)
    try:
        while manager.is_alive():
            with contextlib.suppress(AttributeError, OSError, RuntimeError, ValueError):
                for worker in list(manager.processes.values()):
                    worker.kill()
            manager.join(0.001 if pipes.move() else 0.02)
    finally:
        pipes.close()


class _Pipes:
    """The ends of a pool's pipes that its workers had: results are written, calls are read.

    Closing them would not do: every process that was forked meanwhile holds them open. The descriptors are copies,
    because a number that the pool has closed may soon belong to another file. Without waiting for the other end: only
    the workers shared these ends, and they are dead.
    """

    def __init__(self, manager: Any) -> None:
        self._results = _own(lambda: manager.result_queue._writer)
        self._calls = _own(lambda: manager.call_queue._reader)

    def move(self) -> bool:
        """Write zeros, which are no result and so break the pool, and read what waits; return whether any went."""
        has_moved = False
        with contextlib.suppress(OSError):  # full, or closed at the other end
            while self._results is not None:
                has_moved |= os.write(self._results, _MUCH) > 0
        with contextlib.suppress(OSError):
            while self._calls is not None and os.read(self._calls, len(_MUCH)):
                has_moved = True
        return has_moved

    def close(self) -> None:
        for descriptor in (self._results, self._calls):
            if descriptor is not None:
                os.close(descriptor)


def _own(connection_of: Callable[[], Any]) -> int | None:
    """Return a copy of the descriptor of a connection that never waits; None if it is closed."""
    if os.name == "nt":  # connections have no descriptors there
        return None
    with contextlib.suppress(AttributeError, OSError):
        descriptor = os.dup(connection_of().fileno())
        os.set_blocking(descriptor, False)
        return descriptor
    return None
