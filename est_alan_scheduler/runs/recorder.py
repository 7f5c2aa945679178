"""The recorder: how each run began, and what came of it, in the fields of its task."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from est_alan_scheduler._support.log import is_enabled, log
from est_alan_scheduler._support.signals import is_interruption
from est_alan_scheduler.executors.call import Outcome
from est_alan_scheduler.executors.invocation import timeout_error
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.runs.counters import RunCounters
from est_alan_scheduler.runs.in_flight import RunsInFlight
from est_alan_scheduler.runs.observer import RunObserver
from est_alan_scheduler.runs.outbox import Outbox
from est_alan_scheduler.runs.record import Record, build_record, dead_run_record
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import first_run
from est_alan_scheduler.schedules.state import keep_tried
from est_alan_scheduler.task import MOST_FAILURES, RECORDED, Task, TaskStatus

_RUNNING = TaskStatus.RUNNING  # looking up a member costs more than comparing it


class RunRecorder:
    """Records the runs of a registry: in their tasks, in the counters, and in `in_flight` while they last.

    An outcome is recorded once. What a call comes to after that (it took longer than its timeout, or the program could
    not wait for it any longer) is dropped, but its task does not start again before the call has ended.
    `lock` is the registry's; no user code runs under it.
    """

    def __init__(
        self, lock: threading.Lock, agenda: Agenda, read_clock: Callable[[], datetime], wake: Callable[[], None]
    ) -> None:
        self.lock = lock
        self.in_flight = RunsInFlight()
        self.outbox = Outbox(lock, agenda)
        self.subscribers = self.outbox.subscribers
        self.counters = RunCounters()  # of all runs, those of tasks that are gone included
        self.session: RunObserver | None = None  # with a backend
        self.agenda = agenda
        self.read_clock = read_clock
        self._wake = wake

    # The start of a run.

    def begin(self, run: Run) -> None:
        """Record under the lock that `run` starts."""
        task, now = run.task, run.started_at
        first = first_run(task, run.now)
        if run.entry is not None:
            self.agenda.start(run.entry)
        if run.is_call:
            self.in_flight.begin_call(run)
        else:
            run.context.runs.append(run)
        fields = task.__dict__
        if fields["retry_at"] is not None:
            self.outbox.note_next(run)
        # In one step: no signal handler runs before the next call.
        fields["first_run_at"] = now if first is run.now else first
        if run.entry is not None:
            schedule = run.entry.schedule
            last = fields["last_run_at"]
            if schedule is None or schedule.is_fixed:
                is_late = self.agenda.note_run(run.entry, run.now, run.due if run.attempt == 1 else None, now)
            else:
                is_late = run.late is None or run.late >= schedule.gap
            if is_late and run.attempt == 1:
                run.follows = last
                if last is None and schedule is not None and (schedule.is_fixed or schedule.waits_for_slot):
                    run.follows, run.is_first = run.since_registration(schedule), True
        fields["last_run_at"] = now
        fields["attempt"] = run.attempt
        if run.attempt == 1:
            fields["runs"] += 1
            if "run_arguments" in fields and fields["run_requested"] is None:
                fields.pop("run_arguments", None)  # if another thread has not done so meanwhile
        fields["retry_at"] = fields["run_requested"] = None
        fields["status"] = _RUNNING
        run.has_begun = True
        if run.epoch is not None and self.session is not None:
            self.session.run_began(run)

    def undo_start(self, run: Run) -> None:
        """Undo `begin`: the call was not made."""
        fields = run.task.__dict__
        with self.lock, self.agenda as agenda:
            fields.update(run.before_fields())
            run.task._leave_out(fields, ("run_arguments",))
            if run.entry is not None:
                run.entry.forget_runs()  # with them, this one
            run.is_over = True
            if self.in_flight.end(run):
                self._file_successor(run, run.now)
            if run.entry is not None and not run.entry.is_dropped:
                agenda.file(run.entry, run.now)
            if run.epoch is not None and self.session is not None:
                self.session.start_undone(run)
        run.call = None

    def drop(self, run: Run) -> None:
        """Forget a run whose `begin` a Ctrl+C has cut off: it has not begun."""
        with self.lock, self.agenda:
            self.in_flight.end(run)
            run.is_over = True

    # Its end.

    def finish(
        self,
        run: Run,
        result: Any = None,
        error: BaseException | None = None,
        has_ended: bool = True,
        publishes: bool = True,
    ) -> Record | None:
        """Record the outcome of `run`, unless it has one, and publish it; return it if it is to be published.

        `has_ended`: the call has, too; it does not go on beyond its timeout or a shutdown.
        """
        ended = time.monotonic()
        if has_ended and not run.is_call:
            runs = run.context.runs
            if runs and runs[-1] is not run and run in runs:
                self.fail_above(runs.index(run) + 1)  # what was started within it
        record: Record = build_record(run, result, error, self.read_clock(), ended)
        agenda = self.agenda
        replaced = None  # released without the lock: the `__del__` of an old result is user code
        with self.lock:
            try:
                is_first = not run.is_over
                if is_first:
                    record = run.record = run.record or record  # the former, if a Ctrl+C has cut off its writing
                    replaced = self._apply(run, record)
                    run.record = None
                if not has_ended:
                    self.in_flight.wake()
                elif self.in_flight.end(run):
                    self._file_successor(run, record.clock, is_first)
            except BaseException:
                agenda.note_all()
                raise
        del replaced
        if not is_first:
            return None
        if run.is_plain and not self.subscribers.publishes_successes and not is_enabled(logging.INFO):
            return None
        if publishes:
            self._publish(run, record)
        return record

    def finish_call(self, run: Run, outcome: Outcome) -> None:
        """Record and publish the outcome of a call. From any thread."""
        error, call = outcome.error_with_traceback(), run.call
        if call is not None:
            call.seconds = outcome.seconds
            if call.shares_clock and outcome.began_at is not None:
                call.began_at = outcome.began_at
        if run.is_over:
            log(
                logging.INFO,
                f"The call of task {run.task.id!r} ended after its run was recorded as failed; its outcome is dropped.",
            )
        interruption = None
        try:
            record = self.finish(run, None if error else outcome.result, error, publishes=False)
        except BaseException as failure:  # of a `repr`: no caller can handle it
            if is_interruption(failure):
                interruption = failure
            error = RuntimeError("its outcome could not be recorded: the repr of it raised")
            record = self.finish(run, error=interruption or error, publishes=False)
        run.call = None  # it holds the run, and both hold the arguments
        self._wake()
        if record is not None:
            try:
                self._publish(run, record)
            except BaseException as failure:
                if threading.current_thread() is threading.main_thread():
                    raise
                # A worker of a pool would die of it, and the error would not be logged.
                log(logging.ERROR, "A callback was interrupted.", failure)
        if interruption is not None:
            raise interruption

    def expire(self) -> None:
        """Record the runs that have taken longer than their timeout, though their calls go on."""
        if not self.in_flight.deadlines:
            return
        with self.lock:
            expired = self.in_flight.expired()
        for run in expired:
            if run.timeout is not None:
                self.finish(run, error=timeout_error(run.timeout), has_ended=False)

    def fail_above(self, depth: int) -> None:
        """Record the runs of this thread above `depth` as failed: a second interruption cut their record off."""
        runs = self.in_flight.thread.context.runs
        while len(runs) > depth:
            self.finish(runs[-1], error=RuntimeError("interrupted while its outcome was being recorded"))

    # Dead runs and misfires.

    def record_dead_run(self, run: Run, line: dict[str, Any], retry_at: datetime | None) -> None:
        """Record a run that ended with another instance, and have it published; the caller holds the lock."""
        task, history = run.task, run.task.history
        history.append(line)
        del history[: max(len(history) - task.history_limit, 0)]
        entry = self.agenda.entries.get(task.id)
        if entry is not None and entry.task is task:
            entry.counters = entry.counters or RunCounters()
            entry.counters.count_dead_run(run.attempt)
        self.counters.count_dead_run(run.attempt)
        if retry_at is not None:
            self.outbox.failures[task.id] = run
        self.outbox.add_dead_run(run, dead_run_record(line, retry_at))

    def mark_dead(self, run: Run, line: dict[str, Any] | None, is_success: bool) -> None:
        """Note that others had recorded `run` as dead before its outcome came: they count it, and publish it.

        `line` is what the history has of it, if it still has. The caller holds the lock.
        """
        run.is_dead = True
        if run.line is not None and line is not None:
            run.line.update(line)
        for counters in (run.counters, self.counters):
            if counters is not None:
                counters.uncount(run.attempt, is_success)

    def count_skipped(self, run: Run, slots: int) -> None:
        """Count slots that coalesced into a run."""
        with self.lock:
            entry = self._present_entry(run.task)
            if entry is not None:
                entry.counters = entry.counters or RunCounters()
                entry.counters.skipped += slots
            self.counters.skipped += slots

    def count_misfire(self, entry: Entry) -> None:
        """Count a misfire, under the lock."""
        entry.counters = entry.counters or RunCounters()
        entry.counters.misfires += 1
        self.counters.misfires += 1

    def clear_after_fork(self) -> None:
        """Start over in a child process: another thread of the parent may have held the lock."""
        self.lock = threading.Lock()
        self.outbox.clear_after_fork(self.lock)

    def _apply(self, run: Run, record: Record) -> object:
        """Write a record into the task of `run`, and count it; return what that has replaced."""
        task, agenda = run.task, self.agenda
        fields = task.__dict__
        status, result, stored_result, error, retry_at, clock, duration, late, line = record
        entry = run.entry
        if entry is None or entry.agenda is None:
            entry = self._present_entry(task)
        former_result, former_error = fields["result"], fields["error"]
        fields["error"] = error
        fields["error_message"] = line["error"]
        if error is None:
            fields["result"] = result
            if agenda.wanted_fresh and task.id in agenda.wanted_fresh:
                agenda.changes += 1  # after the clock went back, a new success may have the moment of a consumed one
            if "consecutive_failures" in fields:
                run.failures = task.consecutive_failures
                fields.pop("consecutive_failures", None)
                run.is_plain = False
            elif "remove_when_done" in fields:
                run.is_plain = False
            fields["last_success_at"] = line["finished_at"]
            if agenda.waiting:
                agenda.file_dependents(task.id, run.now)
        else:
            run.is_plain = False
            fields["retry_at"] = retry_at
            if run.failures is None:  # not once more, if a Ctrl+C has cut off this record
                run.failures = min(task.consecutive_failures + 1, MOST_FAILURES)
            fields["consecutive_failures"] = run.failures
            if retry_at is not None:
                self.outbox.failures[task.id] = run
        if entry is None:
            keep_tried(task, run.slot)
        else:
            entry.tried = run.slot
        if fields["timezone"] != run.zone:
            task.keep_moments(RECORDED)  # its zone has changed since the run began
        fields["status"] = status
        history, trimmed = fields["history"], None
        if run.line is not None and history and history[-1] is run.line:
            history.pop()  # the line of an attempt whose record a Ctrl+C cut off
        run.line = line
        history.append(line)
        surplus = len(history) - fields["history_limit"]
        if surplus > 0:
            trimmed = history[:surplus]
            del history[:surplus]
        # Before it is counted: what a Ctrl+C cuts off from here on is not recorded once more.
        if run.epoch is not None and self.session is not None:
            self.session.run_ended(run, clock, stored_result, line["result"])
        run.is_over = True
        if entry is None:
            counters = RunCounters()
            if task._entry is not None:  # another registry has it by now
                task._entry.changed()
        else:
            agenda.file(entry, run.now)
            counters = entry.counters = entry.counters or RunCounters()
        run.counters = counters
        counters.count(run.attempt, duration, late, error is None, self.counters)
        return former_result, former_error, trimmed

    def _present_entry(self, task: Task) -> Entry | None:
        """Return the entry of a task that may have been registered anew, or whose agenda may have been rebuilt."""
        entry = self.agenda.entries.get(task.id)
        return entry if entry is not None and entry.task is task else None

    def _publish(self, run: Run, record: Record) -> None:
        """Publish an outcome; with a backend once it is stored, unless it is only to be logged."""
        if run.epoch is None or self.session is None:
            self.outbox.publish_outcome(run, record)
        elif self.outbox.add_outcome(run, record):
            self.session.publish_stored()

    def _file_successor(self, run: Run, now: datetime, is_filed: bool = True) -> None:
        """File the task of that id: no tick could take it while the call went on. `is_filed`: that of `run` is."""
        entry = self.agenda.entries.get(run.task.id)
        if entry is not None and not (is_filed and entry.task is run.task):
            self.agenda.file_anew(entry, now)
