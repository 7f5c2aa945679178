"""The record of runs: how each began, what came of it, and what goes on beyond that."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler._support.log import is_enabled, log
from est_alan_scheduler._support.text import error_text, short_repr
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.events.subscribers import Subscribers
from est_alan_scheduler.executors.call import Outcome
from est_alan_scheduler.executors.invocation import timeout_error
from est_alan_scheduler.executors.pickling import error_with_traceback
from est_alan_scheduler.fields.serialization import round_trip
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.runs.counters import RunCounters
from est_alan_scheduler.runs.in_flight import RunsInFlight
from est_alan_scheduler.runs.observer import RunObserver
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.schedules.due import first_run, may_retry, next_retry, record
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.schedules.state import keep_tried, tried
from est_alan_scheduler.task import RECORDED, TaskStatus

# Looking up a member of an enum takes longer than comparing it.
_RUNNING, _SUCCESS, _FAILED = TaskStatus.RUNNING, TaskStatus.SUCCESS, TaskStatus.FAILED
_SUCCESS_TEXT, _FAILED_TEXT = _SUCCESS.value, _FAILED.value

_LONGEST_WAIT = 3600.0  # seconds; then look again


class RunRecorder:
    """Where a registry notes its runs: in the tasks themselves, and in `in_flight` while they last.

    An outcome is recorded once. What a call comes to after that (it took longer than its timeout, or the program could
    not wait for it any longer) is dropped, but its task does not start again before it has ended.
    `lock` is the registry's; no user code runs under it.
    """

    def __init__(
        self, lock: threading.Lock, agenda: Agenda, read_clock: Callable[[], datetime], wake: Callable[[], None]
    ) -> None:
        self.lock = lock
        self.in_flight = RunsInFlight()
        self._thread = self.in_flight.thread
        self._agenda = agenda
        self._read_clock = read_clock
        self._wake = wake
        self.session: RunObserver | None = None  # with a backend: told of each run that was claimed there
        self.subscribers = Subscribers()
        self.counters = RunCounters()  # of all runs, those of tasks that are gone included
        self._pending_failures: dict[str, Run] = {}  # by task: the latest that failed, until all have been told of it

    def begin(self, run: Run) -> None:
        """Note under the lock that `run` starts."""
        task, now = run.task, run.started_at
        if run.entry is not None:
            self._agenda.start(run.entry)
        if run.is_call:
            self.in_flight.begin_call(run)
        else:
            run.context.runs.append(run)
        fields = task.__dict__
        first = first_run(task, run.now)
        fields["first_run_at"] = now if first is run.now else first
        fields["last_run_at"] = now
        fields["attempt"] = run.attempt
        fields["retry_at"] = fields["run_requested"] = None
        fields["status"] = _RUNNING
        if run.attempt > 1 and task.id in self._pending_failures:
            self._pending_failures[task.id].is_retried = True
        if run.epoch is not None and self.session is not None:
            self.session.began(run)

    def undo_start(self, run: Run) -> None:
        """Undo `begin`: the call was not made."""
        fields = run.task.__dict__
        with self.lock, self._agenda as agenda:
            fields.update(run.before_fields())
            run.is_over = True
            if self.in_flight.end(run):
                self._file_successor(run, run.now)
            if run.entry is not None and not run.entry.is_dropped:
                agenda.file(run.entry, run.now)
            if run.epoch is not None and self.session is not None:
                self.session.start_undone(run)
        run.call = None

    def finish(
        self,
        run: Run,
        result: Any,
        error: BaseException | None,
        has_ended: bool = True,
        publishes: bool = True,
    ) -> bool:
        """Record the outcome of `run`, unless it has one, and announce it; return whether it was recorded.

        `has_ended` tells whether the call has, too.
        """
        ended = time.monotonic()
        agenda, in_flight, task = self._agenda, self.in_flight, run.task
        fields = task.__dict__
        runs = self._thread.context.runs
        if has_ended and runs and runs[-1] is not run and run in runs:
            self.close(runs.index(run) + 1)  # what was started within it
        clock = self._read_clock()
        stored = None
        if run.epoch is not None and error is None:
            result, stored = round_trip(result)  # what a dependent elsewhere would see
        now, slot = run.now, _kept_slot(run)
        zone = run.started_at.tzinfo
        finished_at = clock if zone is None else record(run.zone, clock)
        if error is None:
            status, word, text, message, retry_at = _SUCCESS, _SUCCESS_TEXT, short_repr(result), None, None
        else:
            status, word, text, message = _FAILED, _FAILED_TEXT, None, error_text(error)
            try:
                retry_at = next_retry(task, run.attempt, slot, error, clock, run.zone)
            except Exception as failure:  # of a class in `retry.on`: the outcome has to be recorded all the same
                log(logging.ERROR, f"Whether to retry task {task.id!r} could not be told; it is not.", failure)
                retry_at = None
            run.retry_at = retry_at
        call = run.call
        if call is not None and call.began_at is not None:
            if run.late is not None:
                run.late += call.began_at - run.began
            run.began = call.began_at
        run.duration = ended - run.began if call is None or call.seconds is None else call.seconds
        line = {
            "run_at": run.started_at,
            "finished_at": finished_at,
            "status": word,
            "result": text,
            "error": message,
            "attempt": run.attempt,
        }
        # Let go of without the lock: the `__del__` of an old result is user code.
        replaced = trimmed = None
        with self.lock:
            try:
                if run.is_over:
                    if has_ended and in_flight.end(run):
                        entry = agenda.entries.get(task.id)
                        if entry is not None:
                            agenda.file_anew(entry, clock)  # no tick could take it while the call went on
                    return False
                replaced = fields["result"], fields["error"]
                fields["error"] = error
                fields["error_message"] = message
                if error is None:
                    fields["result"] = result
                    if agenda.wanted_fresh and task.id in agenda.wanted_fresh:
                        agenda.changes += 1  # after a step back of the clock, to the moment of a success that was used
                    fields["last_success_at"] = finished_at
                    if agenda.waiting:
                        agenda.wake(task.id, now)
                else:
                    fields["retry_at"] = retry_at
                    if retry_at is not None:
                        self._pending_failures[task.id] = run
                keep_tried(task, slot)
                if (zone is not None or fields["timezone"] is not None) and fields["timezone"] != run.zone:
                    task.keep_moments(RECORDED)  # its zone has changed since the run began
                fields["status"] = status
                if run.epoch is not None and self.session is not None:
                    self.session.ended(run, clock, stored, text)
                history = fields["history"]
                if run.line is not None and history and history[-1] is run.line:
                    history.pop()  # of an attempt that was cut off
                run.line = line
                history.append(line)
                surplus = len(history) - fields["history_limit"]
                if surplus > 0:
                    trimmed = history[:surplus]
                    del history[:surplus]
                # Before it is counted: what a Ctrl+C cuts off from here on is not recorded once more.
                run.is_over = True
                entry = run.entry
                if entry is None or entry.is_dropped:  # it may have been registered anew, or the agenda rebuilt
                    entry = agenda.entries.get(task.id)
                if entry is not None and entry.task is task:
                    agenda.file(entry, now)
                    counters = entry.counters
                    if counters is None:
                        counters = entry.counters = RunCounters()
                else:
                    counters = RunCounters()
                run.counters = counters
                counters.count(run.attempt, run.duration, run.late, error is None, self.counters)
                if has_ended and in_flight.end(run):
                    self._file_successor(run, clock)
            except BaseException:
                agenda.note_all()
                raise
        del replaced, trimmed
        owner = task._entry
        if owner is not None and owner.agenda is not agenda.reference:  # it was registered elsewhere meanwhile
            owner.changed()
        if publishes and (error is not None or self.subscribers.publishes_successes or is_enabled(logging.INFO)):
            self.publish(run, result, error)
        return True

    def _file_successor(self, run: Run, now: datetime) -> None:
        """File the task that was registered under the id of one that is gone: no tick could take it while that ran."""
        entry = self._agenda.entries.get(run.task.id)
        if entry is not None and entry.task is not run.task:
            self._agenda.file_anew(entry, now)

    def publish(self, run: Run, result: Any, error: BaseException | None) -> None:
        """Tell the subscribers, the log among them, of the outcome of `run` and of its retry: once that is recorded.

        With a backend, once it is in the store, unless only the log is to be told.

        Raises what is neither an `Exception` nor `SystemExit` and comes from a subscriber.
        """
        event = self._outcome(run, result, error)
        if run.epoch is None or self.session is None or self.subscribers.is_only_logged(event):
            self._publish_outcome(run, event)
        else:
            self.session.publish(partial(self._publish_outcome, run, event))

    def _outcome(self, run: Run, result: Any, error: BaseException | None) -> Event:
        line = run.line or {}
        return Event(
            name="succeeded" if error is None else "failed",
            task_id=run.task.id,
            slot=run.shown_slot(),
            attempt=run.attempt,
            started_at=run.started_at,
            finished_at=line["finished_at"],
            duration=run.duration,
            result=result,
            error=error,
            error_message=line["error"],
            retry_at=run.retry_at if self._is_retried(run) else None,
        )

    def record_dead_run(self, run: Run, line: dict[str, Any]) -> None:
        """Note a run that another instance has lost, and that was recorded as failed from here.

        The caller holds the lock; `publish_dead_run` has to follow.
        """
        task, history = run.task, run.task.__dict__["history"]
        run.line = line
        history.append(line)
        del history[: max(len(history) - task.history_limit, 0)]
        entry = self._agenda.entries.get(task.id)
        if entry is not None and entry.task is task:
            entry.counters = entry.counters or RunCounters()
            entry.counters.count_dead_run(run.attempt)
        self.counters.count_dead_run(run.attempt)

    def publish_dead_run(self, run: Run) -> None:
        """Tell the subscribers of a run that was taken over, and of its retry."""
        self._publish_outcome(run, self._outcome(run, None, RuntimeError((run.line or {})["error"])))

    def mark_dead(self, run: Run, line: dict[str, Any] | None, is_success: bool) -> None:
        """Note that others had recorded `run` as failed before its outcome came: they count it, and tell of it.

        `line` is what the history has of it, if it still has. The caller holds the lock.
        """
        run.is_lost = True
        if run.line is not None and line is not None:
            run.line.update(line)
        for counters in (run.counters, self.counters):
            if counters is not None:
                counters.uncount(run.attempt, is_success)

    def _publish_outcome(self, run: Run, event: Event) -> None:
        try:
            if not run.is_lost:
                self.subscribers.publish(event)
        finally:
            is_retried = False
            if run.retry_at is not None:
                with self.lock:
                    # As it stands when all have been told of the failure.
                    is_retried = not run.is_lost and self._is_retried(run)
                    if self._pending_failures.get(run.task.id) is run:
                        del self._pending_failures[run.task.id]
        if is_retried:
            self.subscribers.publish(event._replace(name="retrying", retry_at=run.retry_at))

    def _is_retried(self, run: Run) -> bool:
        """Tell whether a failed run is tried again, as it stands now, or has been already."""
        task = run.task
        if run.is_retried or (task.attempt > run.attempt and tried(task) == _kept_slot(run)):  # here, or elsewhere
            return True
        if run.retry_at is None or task.retry_at is None or to_utc(task.retry_at) != to_utc(run.retry_at):
            return False
        is_registered = dict.get(self._agenda.store, task.id) is task
        return is_registered and task.run_requested is None and may_retry(task)

    def publish_start(self, run: Run) -> None:
        """Tell the subscribers that `run` has started; its call begins, and its time counts, when they know."""
        self.subscribers.publish(
            Event("started", run.task.id, slot=run.shown_slot(), attempt=run.attempt, started_at=run.started_at)
        )
        began = time.monotonic()
        if run.late is not None:
            run.late += began - run.began
        run.began = began

    def count_misfire(self, entry: Entry) -> None:
        """Count a misfire, under the lock."""
        entry.counters = entry.counters or RunCounters()
        entry.counters.misfires += 1
        self.counters.misfires += 1

    def fail(self, run: Run, error: BaseException, has_ended: bool = True, publishes: bool = True) -> bool:
        """Record `run` as failed, unless its outcome is recorded, and announce it; return whether it was recorded."""
        return self.finish(run, None, error, has_ended, publishes)

    def complete(self, run: Run, outcome: Outcome) -> None:
        """Record what became of a call. From any thread."""
        error = error_with_traceback(outcome)
        call = run.call
        if call is not None:
            call.seconds = outcome.seconds
            if call.shares_clock and outcome.began_at is not None:
                call.began_at = outcome.began_at
        if run.is_over:
            log(logging.INFO, f"The call of task {run.task.id!r} that was given up has ended; its outcome is dropped.")
        try:
            is_news = self.finish(run, None if error else outcome.result, error, publishes=False)
        except BaseException:  # of a `repr`; nobody above could do anything about it
            error = RuntimeError("its outcome could not be recorded: the repr of it raised")
            is_news = self.finish(run, None, error, publishes=False)
        run.call = None  # it holds the run, and both hold the arguments
        self._wake()
        if is_news and (error is not None or self.subscribers.publishes_successes or is_enabled(logging.INFO)):
            try:
                self.publish(run, outcome.result, error)
            except BaseException as interruption:
                if threading.current_thread() is threading.main_thread():
                    raise
                # A worker of a pool would die of it, and nobody would hear of that.
                log(logging.ERROR, "A callback was interrupted.", interruption)

    def expire(self) -> None:
        """Record the runs that have taken longer than their timeout, though their calls go on."""
        if not self.in_flight.has_deadlines():
            return
        with self.lock:
            expired = self.in_flight.expired()
        for run in expired:
            if run.timeout is not None:
                self.fail(run, timeout_error(run.timeout), has_ended=False)

    def close(self, depth: int) -> None:
        """Record the runs of this thread above `depth` as failed: a second interruption cut their record off."""
        runs = self._thread.context.runs
        while len(runs) > depth:
            self.fail(runs[-1], RuntimeError("interrupted while its outcome was being recorded"))

    def shutdown(self, timeout: float | None, starters: Collection[ThreadContext] | None) -> bool:
        """Do what `TaskRegistry.shutdown` says, but for the executor."""
        left = self._await_ends(timeout, starters)
        if left:
            ids = ", ".join(repr(run.task.id) for run in left)
            log(logging.WARNING, f"Interrupted by shutdown while they ran: {ids}")
        for run in left:
            self.finish(run, None, RuntimeError("interrupted by shutdown"), has_ended=False)
            call = run.call
            if call is not None:
                call.cancel()
        return not left

    def pending(self, starters: Collection[ThreadContext] | None) -> tuple[list[Run], float | None]:
        """Do what `TaskRegistry.pending` says."""
        self.expire()
        with self.lock:
            return self.in_flight.started_by(starters), self.in_flight.seconds_to_deadline()

    def _await_ends(self, timeout: float | None, starters: Collection[ThreadContext] | None) -> list[Run]:
        """Wait for runs to end; return those that have not in time, their threads closed for new ones."""
        give_up_at = math.inf if timeout is None else monotonic() + timeout
        end = Wakeup()
        with self.lock:
            self.in_flight.ends.append(end)
        try:
            while True:
                end.wait(0)
                runs, deadline = self.pending(starters)
                _refuse_to_block_an_event_loop(runs, timeout)
                pause = give_up_at - monotonic()
                if not runs or pause <= 0:
                    break
                end.wait(min(pause, _LONGEST_WAIT if deadline is None else deadline))
        finally:
            with self.lock:
                self.in_flight.ends.remove(end)
        with self.lock:
            left = self.in_flight.started_by(starters)
            self.in_flight.abandon(left)
        return left


def _kept_slot(run: Run) -> datetime:
    """Return the slot of a run, or what stands for it, also in a backend: its start."""
    return to_utc(run.started_at) if run.slot is None or run.slot is AT_ONCE else run.slot


def _refuse_to_block_an_event_loop(runs: list[Run], timeout: float | None) -> None:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if timeout != 0 and any(run.call is not None and run.call.loop is running for run in runs):
        raise RuntimeError(
            "shutdown() would wait for coroutines in the thread of their own event loop: cancel run_scheduler() instead"
        )
