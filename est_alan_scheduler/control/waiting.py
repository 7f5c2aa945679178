"""The wait of a thread until a run of a task has ended, here or on another instance."""

import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from itertools import count
from threading import get_ident
from types import MappingProxyType
from typing import Any, NamedTuple

from est_alan_scheduler._support.errors import InvalidValueError, WaitTimeoutError, WrongStateError
from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.control.reports import Reports
from est_alan_scheduler.fields.checks import in_seconds
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import is_done
from est_alan_scheduler.task import Task, TaskStatus, id_of

_SHORTEST, _LONGEST = 0.02, 1.0  # seconds until the store is asked again: more each time
_MOST_REQUESTS = 1_000  # that a context remembers, and a registry


class Mark(NamedTuple):
    """How a task stood when a thread began to wait, or requested a run: the awaited run comes later."""

    starts: int
    """The number of the latest start in this registry."""
    epoch: int = 0
    """With a backend: that of the latest run, wherever it was claimed."""
    last_run_at: datetime | None = None
    """The start of that run. A claim that is released without a run restores it."""
    entry: Entry | None = None
    """That of the task, if the task leaves when it is done."""
    floor: datetime | None = None
    """The start, in UTC, of a run that goes on with another instance, and whose end is awaited."""


# The number of the run that this context requested last, by the number of the registry and the id of the task. A thread
# begins with an empty context, and `asyncio.to_thread` copies that of its coroutine. Numbers keep nothing alive.
_requests: ContextVar[Mapping[tuple[int, str], int]] = ContextVar(
    "est_alan_scheduler.requests", default=MappingProxyType({})
)
_numbers = count(1)


class Waits:
    """The waits of the threads of a program for the runs of a registry. The registry's lock guards what is looked at.

    A thread is woken whenever a run ends here. Apart from that, it looks from time to time: a run may end elsewhere.
    """

    def __init__(self, parts: Parts, reports: Reports) -> None:
        self._parts = parts
        self._reports = reports
        self._number = next(_numbers)
        self._marks: dict[int, Mark] = {}  # by the number of the request for a run that was not waited for
        self._has_warned = False

    def mark(self, task_id: str) -> Mark | None:
        """Return how a task stands; None if there is none."""
        with self._parts.lock:
            task = dict.get(self._parts.agenda.store, task_id)
            return None if task is None else self._mark(task)

    def note_request(self, task_id: str, mark: Mark) -> None:
        """Note that this context has requested a run, when the task stood at `mark`.

        Its next wait, and that of a copy of this context, is for that run, even if that has ended before.
        """
        number, key = next(_numbers), (self._number, task_id)
        with self._parts.lock:
            self._marks[number] = mark
            _limit(self._marks)
        requests = dict(_requests.get())
        requests.pop(key, None)
        requests[key] = number
        _limit(requests)
        _requests.set(requests)

    def _request(self, task_id: str) -> int | None:
        """Return the number of the run that this context has requested; None if it has not."""
        return _requests.get().get((self._number, task_id))

    def wait(self, which: str | Task, timeout: float | timedelta | None) -> Task:
        """Do what `TaskRegistry.wait` says."""
        task_id, seconds = id_of(which), _seconds(timeout)
        self._refuse_to_hold_up(task_id)
        parts, end, began, pause = self._parts, Wakeup(), monotonic(), _SHORTEST
        read_at = began + pause
        with parts.lock:
            parts.in_flight.ends.append(end)
        try:
            watch = self._begin(task_id)
            while True:
                end.wait(0)
                task = watch.ended()
                if task is not None:
                    with parts.lock:
                        self._marks.pop(self._request(task_id) or 0, None)
                    return task
                now = monotonic()
                if now >= read_at:
                    self._read(task_id)
                    self._warn_if_idle(task_id, now - began, watch.run)
                    pause = min(2 * pause, _LONGEST)
                    read_at = monotonic() + pause
                elif now >= began + seconds:
                    why = self._why(task_id)
                    raise WaitTimeoutError(f"no run of task {task_id!r} has ended in {seconds:g} s: {why}")
                else:
                    end.wait(min(began + seconds, read_at) - now)
        finally:
            with parts.lock:
                parts.in_flight.ends.remove(end)

    def _begin(self, task_id: str) -> "_Watch":
        self._read(task_id)
        requested = self._marks.get(self._request(task_id) or 0)
        parts = self._parts
        if requested is not None and requested.entry is not None:
            return _Watch(parts, task_id, requested, None)
        task = self._reports.task(task_id)
        with parts.lock:
            run = None if requested else _run_of(task_id, parts)
            mark = requested or self._mark(task)
            if run is None and requested is None and task.status is TaskStatus.RUNNING and task.last_run_at is not None:
                mark = mark._replace(epoch=mark.epoch - 1, last_run_at=None, floor=to_utc(task.last_run_at))
        return _Watch(parts, task_id, mark, run)

    def _mark(self, task: Task) -> Mark:
        parts = self._parts
        row = None if parts.session is None else parts.session.records.row(task.id)
        entry = parts.agenda.entries.get(task.id) if task.remove_when_done else None
        return Mark(parts.agenda.starts, 0 if row is None else row.epoch, task.last_run_at, entry)

    def _read(self, task_id: str) -> None:
        """Read how the task stands in the store, if there is one; in an outage, the wait goes on."""
        session = self._parts.session
        if session is not None and not session.outage.seconds_left():
            with suppress(ConnectionError):
                session.replica.refresh([task_id])

    def _why(self, task_id: str) -> str:
        try:
            return self._reports.why_not(task_id)
        except KeyError:
            return "it was removed"

    def _refuse_to_hold_up(self, task_id: str) -> None:
        """Raise `WrongStateError` in a thread whose wait would keep the run from starting or from ending."""
        parts, call = self._parts, self._parts.in_flight.calls.get(task_id)
        context = parts.in_flight.contexts.get(get_ident())
        is_own_call = call is not None and call.call is not None and call.call.thread == get_ident()
        runs = () if context is None else context.runs
        if is_own_call or any(run.task.id == task_id for run in runs):
            raise WrongStateError(f"wait({task_id!r}) in a run of this very task would wait for itself")
        is_in_tick = context is not None and context.now != datetime.min
        if runs or is_in_tick or get_ident() in parts.loop_threads.values():
            raise WrongStateError(
                f"wait({task_id!r}) would hold up the thread that ticks the registry: call it in another thread "
                f"(in a coroutine, await asyncio.to_thread(registry.wait, {task_id!r}))"
            )

    def _warn_if_idle(self, task_id: str, seconds: float, run: Run | None) -> None:
        """Log, once, that a run is awaited while no loop ticks the registry: another thread may do so by hand."""
        parts = self._parts
        if seconds >= _LONGEST and run is None and not parts.wakers and parts.session is None and not self._has_warned:
            self._has_warned = True
            log(
                logging.WARNING,
                f"wait({task_id!r}): no loop ticks this registry. Unless another thread calls tick(), the run never"
                " comes: start_scheduler(registry=…) runs a loop.",
            )


class _Watch:
    """What one wait has seen."""

    def __init__(self, parts: Parts, task_id: str, mark: Mark, run: Run | None) -> None:
        self._parts = parts
        self._id = task_id
        self._mark = mark
        self.run = run  # the awaited one, while it goes on here
        self._entry = mark.entry

    def ended(self) -> Task | None:
        """Return the task if the awaited run has ended, or none will come any more; None otherwise."""
        parts, mark = self._parts, self._mark
        with parts.lock:
            if self.run is None:
                run = _run_of(self._id, parts)
                self.run = run if run is not None and (run.entry is None or run.entry.started > mark.starts) else None
            if self.run is not None:
                return self.run.task if self.run.is_over else None
            task, entry = dict.get(parts.agenda.store, self._id), parts.agenda.entries.get(self._id) or self._entry
            self._entry = entry  # it still tells whether its task has run when that has left
            has_run = entry is not None and entry.task.status is not TaskStatus.RUNNING and entry.started > mark.starts
            if entry is not None and has_run and (task is None or entry.task is task):
                return entry.task
            if task is not None and self._has_run_elsewhere(task):
                return task
        if task is None:
            raise UnknownTaskError(self._id, parts.agenda.store, parts.unresolved().get(self._id))
        has_run = task.last_run_at is not None
        return task if has_run and is_done(task, parts.hooks._now()) else None

    def _has_run_elsewhere(self, task: Task) -> bool:
        """Return whether another instance has run a task since the mark, and it does not run now."""
        session, mark, last = self._parts.session, self._mark, task.last_run_at
        row = None if session is None else session.records.row(task.id)
        if row is None or last is None or row.epoch <= mark.epoch or task.status is TaskStatus.RUNNING:
            return False
        return to_utc(last) >= mark.floor if mark.floor is not None else last != mark.last_run_at


def _limit(requests: dict[Any, Any]) -> None:
    """Forget the earliest of too many requests."""
    while len(requests) > _MOST_REQUESTS:
        del requests[next(iter(requests))]


def _run_of(task_id: str, parts: Parts) -> Run | None:
    """Return the run of a task that goes on here; None if there is none."""
    return next((run for run in parts.in_flight.all() if run.task.id == task_id and not run.is_over), None)


def _seconds(timeout: object) -> float:
    """Return a timeout in seconds, as a number or a `timedelta`; None is for ever."""
    if timeout is None:
        return math.inf
    seconds = in_seconds(timeout)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        expected = "timeout must be a number of seconds of at least 0, a timedelta or None"
        raise InvalidValueError(f"{expected}, got {short_repr(timeout)}")
    return seconds
