"""The runs in flight: those that a thread makes itself, and the calls that were submitted to a runner."""

import math
import threading
import time
from collections.abc import Collection
from operator import itemgetter
from threading import get_ident

from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.runs.run import Run, ThreadContext


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
        self.deadlines: dict[Run, float] = {}  # of calls with a timeout; asked without the lock whether there are any
        self._earliest = math.inf  # no deadline is earlier, so that a tick need not look at each
        self.ends: list[Wakeup] = []  # called whenever a run has ended

    def begin_call(self, run: Run) -> None:
        """Add a run whose call is to be submitted."""
        self.calls[run.task.id] = run
        if run.timeout is not None:
            deadline = time.monotonic() + run.timeout
            self._earliest = min(self._earliest, deadline) if self.deadlines else deadline
            self.deadlines[run] = deadline

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
            self.deadlines.pop(run, None)
        if self.ends:
            self.wake()
        return was_call

    def wake(self) -> None:
        """Wake the threads that wait for the ends of runs."""
        for end in self.ends:
            end.call()

    def abandon(self, runs: list[Run]) -> None:
        """Wait for these runs no longer, and let their threads start no others."""
        for run in runs:
            self.deadlines.pop(run, None)
            if not run.is_call:
                self.calls.setdefault(run.task.id, run)
                run.context.is_closed = True

    def expired(self) -> list[Run]:
        """Return the runs that have exceeded their timeouts."""
        now, expired = time.monotonic(), list[Run]()
        if now < self._earliest:
            return expired
        for run, deadline in sorted(self.deadlines.items(), key=itemgetter(1)):
            if deadline <= now and run.timeout is not None:
                # A call cannot begin before its run does.
                self.deadlines[run] = now + run.timeout if run.call is None else run.call.deadline(run.timeout)
                if self.deadlines[run] <= now:
                    del self.deadlines[run]
                    expired.append(run)
        self._earliest = min(self.deadlines.values(), default=math.inf)
        return expired

    def seconds_to_deadline(self) -> float | None:
        """Return the seconds until a run may exceed its timeout; None if none can."""
        return max(0.0, self._earliest - time.monotonic()) if self.deadlines else None

    def started_by(self, contexts: Collection[ThreadContext] | None) -> list[Run]:
        """Return the runs that are not recorded yet, of these contexts or of all, except those of this thread."""
        return [
            run
            for run in self.all()
            if not run.is_over and (contexts is None or run.context in contexts) and not self._is_of_this_thread(run)
        ]

    def all(self) -> list[Run]:
        """Return the runs whose calls go on."""
        runs = [run for context in list(self.contexts.values()) for run in context.runs]
        return list(dict.fromkeys((*runs, *self.calls.values())))

    def clear_after_fork(self) -> list[Run]:
        """Start over in a child process: return the runs that stayed with the parent, the latest first."""
        here = get_ident()
        left = [run for thread, context in self.contexts.items() if thread != here for run in context.runs]
        left += self.calls.values()
        for thread in [thread for thread in self.contexts if thread != here]:
            self.contexts[thread].runs.clear()
            del self.contexts[thread]
        self.calls.clear()
        self.deadlines.clear()
        self.wake()  # the thread that forked, from a signal handler: the runs that it waits for are gone
        return left[::-1]

    def _is_of_this_thread(self, run: Run) -> bool:
        if run.is_call:
            return run.call is not None and run.call.thread == get_ident()
        return run.context is self.thread.context
