"""Pools: executors of the standard library or of others, as runners."""

import logging
import pickle
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

from est_alan_scheduler._support.errors import InvalidTypeError
from est_alan_scheduler._support.interpreter import end_before, is_ending, run_hooks_before_executors
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.signals import is_interruption
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.executors.call import DEFAULT_LIMIT, Call, InterpreterEndsError, Outcome
from est_alan_scheduler.executors.pickling import pack_call, unpack_outcome
from est_alan_scheduler.executors.start_mark import new_start_mark
from est_alan_scheduler.executors.stuck_pool import WorkerWatch, manager_of, shut_down
from est_alan_scheduler.executors.worker import make_call, make_call_and_report, make_packed_call

run_hooks_before_executors()

ExecutorSource = Executor | Callable[[], Executor]
"""An executor, or a factory that makes one."""

_REMEDY = (
    "and tasks fail until it is replaced; a factory is asked for a new one: executor=lambda: ProcessPoolExecutor(4)"
)


class Pool:
    """A `Runner` on any `concurrent.futures.Executor`.

    The pool owns an executor that a factory has made: the first tick makes it, a new one replaces it when it breaks,
    and `close` shuts it down. `_lock` guards which executor is the present one and which ones are closing. No factory
    and no executor is called under it.
    """

    limit = DEFAULT_LIMIT

    def __init__(self, source: ExecutorSource) -> None:
        if not isinstance(source, Executor) and not callable(source):
            is_url = isinstance(source, str) and "://" in source  # it may have a password
            got = f"a URL: write backend='{source.split(':')[0]}://…'" if is_url else short_repr(source)
            raise InvalidTypeError(
                f"executor must be a concurrent.futures.Executor, a function that makes one, or None, got {got}"
            )
        self._lock = threading.Lock()
        self._factory = None if isinstance(source, Executor) else source
        self._executor = source if isinstance(source, Executor) else None
        self._is_of_parent = False  # the executor was given, and its workers stayed with the parent of a forked child
        self._parents_executor: Executor | None = None
        self._has_failed = False  # the factory, in `prepare`
        self._closing: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._watch = WorkerWatch(lambda: manager_of(self._executor))
        self._set_limit()
        end_before(self.end)

    def prepare(self) -> None:
        """Make the executor if there is none yet, so that `limit` is known."""
        if self._executor is None and not self._has_failed:
            self._has_failed = True  # then only runs try again, because a run can fail and log the error
            try:
                self._obtain()
                self._has_failed = False
            except Exception as error:
                if is_interruption(error):
                    self._has_failed = False
                    raise

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Submit `call`, and pass its outcome to `done` in a thread of the executor; in a thread pool, in its worker.

        Raises the errors of the factory and of the executor. A broken executor or one that was shut down raises an
        error that names the remedy; one that refuses because the program ends raises `InterpreterEndsError`.
        """
        executor = self._obtain()
        try:
            future = self._submit(executor, call, done)
        except RuntimeError as error:  # broken, or shut down
            if is_ending():
                raise InterpreterEndsError from error
            if not isinstance(error, BrokenExecutor) and "shutdown" not in str(error):
                raise
            if self._factory is None:
                if isinstance(error, BrokenExecutor):
                    raise BrokenExecutor(f"the executor is broken, {_REMEDY} ({error})") from error
                raise RuntimeError(f"the executor was shut down, {_REMEDY} ({error})") from error
            self._discard(executor)
            future = self._submit(self._obtain(), call, done)
        call.future = future
        future.add_done_callback(partial(_pass_on, call, done))

    def look(self) -> None:
        """Break a pool of processes that is stuck because a worker was killed: its runs fail, and it is replaced."""
        if self._watch.look():
            then = "a new pool replaces it" if self._factory is not None else _REMEDY.removeprefix("and ")
            log(
                logging.ERROR,
                f"A worker process was killed, and the pool of processes was stuck: its runs fail, {then}",
            )

    def seconds_to_look(self) -> float | None:
        """Return the seconds until `look` may find something; None unless a worker has died."""
        return self._watch.seconds_to_look()

    def close(self, wait: bool) -> None:
        """Shut down the executor if a factory made it. The next call makes another one."""
        executor = self._executor
        if self._factory is not None and executor is not None:
            self._discard(executor, wait)

    def end(self) -> None:
        """Shut down a pool of processes at the end of the program, and wait for those that are being shut down.

        The interpreter waits for them anyway. But before Python 3.12 it also writes to a pipe of the pool, and prints
        "Bad file descriptor" if the pool is closing it.
        """
        with self._lock:
            executor, closing = self._executor, list(self._closing)
        if isinstance(executor, ProcessPoolExecutor) and not self._is_of_parent:
            shut_down(executor)
        for thread in closing:
            thread.join()

    def clear_after_fork(self) -> None:
        """Start anew in a forked child: the workers stayed with the parent."""
        self._lock = threading.Lock()
        if self._factory is None:
            self._is_of_parent = True
        else:
            # Kept, because its `__del__` would wait for locks that threads of the parent may have held.
            self._parents_executor, self._executor = self._executor, None

    def _obtain(self) -> Executor:
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

    def _discard(self, executor: Executor, wait: bool = False) -> None:
        """Shut down an executor, without `wait` in a thread, which `end` can wait for, unlike for `shutdown(False)`."""
        with self._lock:
            if self._executor is not executor:
                return  # another thread was faster
            self._executor = None
        if wait:
            shut_down(executor)
            return
        thread = threading.Thread(target=shut_down, args=(executor,), name="est-alan-scheduler shutdown", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, and starts no more threads
            executor.shutdown(wait=False)
        else:
            with self._lock:
                self._closing.add(thread)

    def _set_limit(self) -> None:
        workers = getattr(self._executor, "_max_workers", None)  # private, but the standard pools show it nowhere else
        self.limit = workers if isinstance(workers, int) else DEFAULT_LIMIT

    def _submit(self, executor: Executor, call: Call, done: Callable[[Outcome], None]) -> "Future[Any]":
        if type(executor) is ThreadPoolExecutor:  # a subclass may make its calls elsewhere
            return executor.submit(make_call_and_report, call, done)
        has_threads = isinstance(executor, ThreadPoolExecutor)
        call.shares_clock = has_threads or isinstance(executor, ProcessPoolExecutor)
        if call.timeout is not None and not has_threads:
            call.start_mark = new_start_mark() if call.shares_clock else None
            if call.start_mark is None:
                call.began_at = time.monotonic()  # its real start will never be known
        dumps = _dumps(executor)
        if dumps is None:
            return executor.submit(make_call, call)
        return executor.submit(make_packed_call, pack_call(call, dumps), dumps)


def _dumps(executor: Executor) -> Callable[[Any], bytes] | None:
    """Return the pickling function for an executor whose workers are other processes; None if that is not known."""
    if isinstance(executor, ProcessPoolExecutor):
        return pickle.dumps
    if type(executor).__module__.partition(".")[0] == "distributed":
        import cloudpickle  # Dask depends on it; it pickles lambdas as well

        return cloudpickle.dumps  # type: ignore[no-any-return]  # it ships no types
    return None


def _pass_on(call: Call, done: Callable[[Outcome], None], future: "Future[Any]") -> None:
    if call.start_mark is not None:
        call.start_mark.remove()
    if not call.is_reported:
        done(_outcome(future))


def _outcome(future: "Future[Any]") -> Outcome:
    if future.cancelled():
        return Outcome(error=RuntimeError("the executor was shut down before it made the call"))
    error = future.exception()
    if error is not None:  # an error of the executor: the function's own errors are in the outcome
        return Outcome(error=error)
    result = future.result()
    return unpack_outcome(result) if isinstance(result, bytes) else result
