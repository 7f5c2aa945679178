"""The runs in flight: those that a thread makes itself, and the calls that were submitted to a runner."""

import threading
import time
import weakref
from collections.abc import Collection
from heapq import heapify, heappop, heappush
from itertools import count
from threading import get_ident

from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.runs.run import Run, ThreadContext

_SPARE_DEADLINES = 64


class CurrentThread(threading.local):
    """This thread's context."""

    def __init__(self, contexts: dict[int, ThreadContext]) -> None:
        self.context = contexts[get_ident()] = ThreadContext()


class RunsInFlight:
    """The runs of a registry that have started and not ended. The registry's lock guards them, but for `thread`."""

    def __init__(self) -> None:
        self.contexts: dict[int, ThreadContext] = {}  # by thread
        self.calls: dict[str, Run] = {}  # submitted, or abandoned while they went on; by the id of the task
        self.thread = CurrentThread(self.contexts)
        # A heap. Its items do not keep runs alive: the last reference to one must not go under the lock, because the
        # `__del__` of an argument is user code.
        self._deadlines: list[tuple[float, int, weakref.ref[Run]]] = []
        self._serial = count()
        self.ends: list[Wakeup] = []  # called whenever a run has ended

    def begin_call(self, run: Run) -> None:
        """Add a run whose call is to be submitted."""
        self.calls[run.task.id] = run
        if run.timeout is not None:
            if len(self._deadlines) > _SPARE_DEADLINES + 2 * len(self.calls):
                self._deadlines = [item for item in self._deadlines if not _is_over(item[-1])]
                heapify(self._deadlines)
            self._set_deadline(run, time.monotonic() + run.timeout)

    def end(self, run: Run) -> bool:
        """Remove a run whose call has ended; return whether its task could not start because of that call."""
        was_call = False
        if not run.is_call:
            runs = run.context.runs
            if runs and runs[-1] is run:
                runs.pop()
        if self.calls and self.calls.get(run.task.id) is run:
            del self.calls[run.task.id]
            was_call = True
        if self.ends:
            for end in self.ends:
                end.call()
        return was_call

    def abandon(self, runs: list[Run]) -> None:
        """Wait for these runs no longer, and let their threads start no others."""
        for run in runs:
            if not run.is_call:
                self.calls.setdefault(run.task.id, run)
                run.context.is_closed = True

    def expired(self) -> list[Run]:
        """Return the runs that have exceeded their timeouts."""
        now = time.monotonic()
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now:
            run = heappop(self._deadlines)[-1]()
            if run is None or run.is_over or run.timeout is None:
                continue
            began = None if run.call is None else run.call.began()
            deadline = (now if began is None else began) + run.timeout  # a call cannot begin before its run does
            if deadline <= now:
                expired.append(run)
            else:
                self._set_deadline(run, deadline)
        return expired

    def seconds_to_deadline(self) -> float | None:
        """Return the seconds until a run may exceed its timeout; None if none can."""
        while self._deadlines and _is_over(self._deadlines[0][-1]):
            heappop(self._deadlines)
        return max(0.0, self._deadlines[0][0] - time.monotonic()) if self._deadlines else None

    def started_by(self, contexts: Collection[ThreadContext] | None) -> list[Run]:
        """Return the runs that are not recorded yet, of these contexts or of all, except those of this thread."""
        here = get_ident()
        runs = [
            run
            for context in list(self.contexts.values())
            if context is not self.thread.context
            for run in context.runs
        ]
        runs += [run for run in self.calls.values() if run.call is None or run.call.thread != here]
        return [run for run in runs if not run.is_over and (contexts is None or run.context in contexts)]

    def all(self) -> list[Run]:
        """Return the runs whose calls go on."""
        runs = {id(run): run for context in list(self.contexts.values()) for run in context.runs}
        return list((runs | {id(run): run for run in self.calls.values()}).values())

    def has_deadlines(self) -> bool:
        """Tell, without the lock, whether any run has a timeout."""
        return bool(self._deadlines)

    def clear_after_fork(self) -> list[Run]:
        """Start over in a child process: return the runs that stayed with the parent, the latest first."""
        here = get_ident()
        left = [run for thread, context in self.contexts.items() if thread != here for run in context.runs]
        left += self.calls.values()
        for thread in [thread for thread in self.contexts if thread != here]:
            self.contexts[thread].runs.clear()
            del self.contexts[thread]
        self.calls.clear()
        self._deadlines.clear()
        for end in self.ends:  # of the thread that forked, from a signal handler: the runs that it waits for are gone
            end.call()
        return left[::-1]

    def _set_deadline(self, run: Run, deadline: float) -> None:
        heappush(self._deadlines, (deadline, next(self._serial), weakref.ref(run)))


def _is_over(reference: "weakref.ref[Run]") -> bool:
    run = reference()
    return run is None or run.is_over
