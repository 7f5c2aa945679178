"""The executor of a registry: calls go in, outcomes come out, and what broke is replaced if there is a factory."""

import contextlib
import os
import pickle
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from est_alan_scheduler._support.interpreter import is_ending
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.executors.call import Call, Outcome
from est_alan_scheduler.executors.worker import pack, remove, unpack, work, work_and_tell, work_packed

ExecutorSource = Executor | Callable[[], Executor]
"""An executor, or what makes one."""

_REMEDY = (
    "and tasks fail until it is replaced; a factory has that done by itself: executor=lambda: ProcessPoolExecutor(4)"
)

DEFAULT_LIMIT = 32
"""How many runs at a time where an executor does not tell how many workers it has."""


class InterpreterEndsError(RuntimeError):
    """No call can be made any more: the program is at its end, and a daemon thread still ticks."""


class Pool:
    """A runner (see `execution`) on any `concurrent.futures.Executor`.

    An executor that a factory made is ours: it is made with the first tick, replaced when it broke, shut down by
    `close`. `_lock` guards which executor is the present one; no factory and no executor is called under it.
    """

    limit = DEFAULT_LIMIT

    def __init__(self, source: ExecutorSource) -> None:
        if not isinstance(source, Executor) and not callable(source):
            raise TypeError(
                "executor must be a concurrent.futures.Executor, a function that makes one, or None, "
                f"got {short_repr(source)}"
            )
        self._lock = threading.Lock()
        self._factory = None if isinstance(source, Executor) else source
        self._executor = source if isinstance(source, Executor) else None
        self._is_of_parent = False
        self._has_failed = False  # the factory, when it was tried ahead of need
        self._parents: Executor | None = None
        self._set_limit()

    def prepare(self) -> None:
        """Make the executor, if that is still to be done, so that `limit` is known."""
        if self._executor is None and not self._has_failed:
            self._has_failed = True  # do not try with every tick: the run that needs it will, and fail, and say so
            with contextlib.suppress(Exception):
                self._present()
                self._has_failed = False

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Submit `call`; `done` gets its outcome in whatever thread the executor uses; in a thread pool, its worker.

        Raises what the factory or the executor raises; `BrokenExecutor` that says what to do if that is the trouble;
        `InterpreterEndsError`.
        """
        executor = self._present()
        try:
            future = self._submit(executor, call, done)
        except RuntimeError as error:  # broken, or shut down
            if is_ending():
                self.limit = 0
                raise InterpreterEndsError from error
            if not isinstance(error, BrokenExecutor) and "shutdown" not in str(error):
                raise
            if self._factory is None:
                if isinstance(error, BrokenExecutor):
                    raise BrokenExecutor(f"the executor is broken, {_REMEDY} ({error})") from error
                raise RuntimeError(f"the executor was shut down, {_REMEDY} ({error})") from error
            self._discard(executor)
            future = self._submit(self._present(), call, done)
        call.future = future
        future.add_done_callback(partial(_pass_on, call, done))

    def close(self, wait: bool) -> None:
        """Shut down the executor if it is ours. The next call would make another one."""
        with self._lock:
            executor = self._executor
            if self._factory is None or executor is None:
                return
            self._executor = None
        executor.shutdown(wait=wait)

    def forget(self) -> None:
        """Start over in a forked child: the workers stayed with the parent."""
        self._lock = threading.Lock()
        if self._factory is None:
            self._is_of_parent = True
        else:
            # Its end would wait for locks that threads of the parent may have held.
            self._parents, self._executor = self._executor, None

    def _present(self) -> Executor:
        if self._is_of_parent:
            raise RuntimeError(f"the executor belongs to the process that this one was forked from, {_REMEDY}")
        executor = self._executor
        if executor is not None:
            return executor
        made = self._factory() if self._factory is not None else None
        if not isinstance(made, Executor):
            raise TypeError(f"the executor factory must return a concurrent.futures.Executor, got {short_repr(made)}")
        with self._lock:
            if self._executor is None:
                self._executor = made
            executor = self._executor
        if executor is not made:  # another tick was faster
            made.shutdown(wait=False)
        self._set_limit()
        return executor

    def _discard(self, executor: Executor) -> None:
        with self._lock:
            if self._executor is executor:
                self._executor = None
        executor.shutdown(wait=False)

    def _set_limit(self) -> None:
        workers = getattr(self._executor, "_max_workers", None)  # the one place where the standard pools tell
        self.limit = workers if isinstance(workers, int) else DEFAULT_LIMIT

    def _submit(self, executor: Executor, call: Call, done: Callable[[Outcome], None]) -> "Future[Any]":
        if type(executor) is ThreadPoolExecutor:  # not a kind of it: that may send its calls elsewhere
            return executor.submit(work_and_tell, call, done)
        is_thread = isinstance(executor, ThreadPoolExecutor)
        call.is_near = is_thread or isinstance(executor, ProcessPoolExecutor)
        if call.timeout is not None and not is_thread:
            if call.is_near:
                call.mark = _mark()
            if call.mark is None:
                call.began_at = time.monotonic()  # nobody will tell
        dumps = _dumps(executor)
        return executor.submit(work, call) if dumps is None else executor.submit(work_packed, pack(call, dumps), dumps)


def _dumps(executor: Executor) -> Callable[[Any], bytes] | None:
    """Return what pickles for an executor whose workers are known to be elsewhere; None for any other."""
    if isinstance(executor, ProcessPoolExecutor):
        return pickle.dumps
    if type(executor).__module__.partition(".")[0] == "distributed":
        import cloudpickle  # comes with it, and knows lambdas

        return cloudpickle.dumps  # type: ignore[no-any-return]  # it ships no types
    return None


def _mark() -> str | None:
    """Return the path of a file in which a worker may note when its call begins; None if there is no place for it."""
    try:
        directory = tempfile.gettempdir()
    except OSError:
        return None
    return str(Path(directory) / f"est-alan-scheduler-{uuid4().hex}") if os.access(directory, os.W_OK) else None


def _pass_on(call: Call, done: Callable[[Outcome], None], future: "Future[Any]") -> None:
    if call.mark is not None:
        remove(call.mark)
    if not call.is_reported:
        done(_outcome(future))


def _outcome(future: "Future[Any]") -> Outcome:
    if future.cancelled():
        return Outcome(error=RuntimeError("the executor was shut down before it made the call"))
    error = future.exception()
    if error is not None:  # of the executor: those of the function are part of the outcome
        return Outcome(error=error)
    result = future.result()
    return unpack(result) if isinstance(result, bytes) else result
