"""The starter of runs: in the thread that ticks, or by way of a runner."""

import time
from datetime import datetime
from functools import partial
from types import CoroutineType

from est_alan_scheduler._support.functions import is_coroutine_function
from est_alan_scheduler._support.signals import follows_interruption
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.executors.call import Call, InterpreterEndsError, Runner, Work
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.executors.current_run import current
from est_alan_scheduler.executors.invocation import await_coroutine, has_run, invoke
from est_alan_scheduler.fields.unknown_function import UnknownFunctionError
from est_alan_scheduler.planning.dependencies import acceptable, first_consumed, take_results
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.indexes.stand_ins import refuse_unknown_function
from est_alan_scheduler.planning.readiness import Condition
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.schedules.due import coming_attempt, due_moment
from est_alan_scheduler.schedules.missed import coalesced, coalesced_since_registration
from est_alan_scheduler.task import Task, TaskStatus

_RUNNING = TaskStatus.RUNNING  # looking up a member costs more than comparing it


class RunStarter:
    """Starts runs, one at a time: those that the tick of this thread has found ready, or by hand.

    `may_start` is asked, under the lock of `recorder`, about what a tick has found ready if anything has changed since.
    """

    def __init__(self, recorder: RunRecorder, capacity: Capacity, may_start: Condition) -> None:
        self._agenda = recorder.agenda
        self._recorder = recorder
        self._calls = recorder.in_flight.calls
        self._thread = recorder.in_flight.thread
        self._subscribers = recorder.subscribers
        self._capacity = capacity
        self._read_clock = recorder.read_clock
        self._may_start = may_start

    def run_inline(self, task: Task) -> None:
        """Run `task` in this thread and record the outcome, if it may start.

        Raises what `func` raised only if that is neither an `Exception` nor `SystemExit`, and what a signal handler
        raised meanwhile; `UnknownFunctionError` if no tick has found it ready, and its function is unknown here.
        """
        token = None
        try:
            try:
                run = self._start(task, None)
                if run is None:
                    return
                token = current.set(run)
                func, args, kwargs, _ = self._take_work(run)
                if run.timeout is None:
                    result = func(*args, **kwargs)
                    if result is not None:
                        if isinstance(result, CoroutineType):
                            result = await_coroutine(result)
                        has_run(result)
                else:
                    result = invoke(func, args, kwargs, run.timeout)
                self._recorder.finish(run, result, None)
            except (Exception, SystemExit) as error:
                if token is None and isinstance(error, UnknownFunctionError):
                    raise
                self._fail_inline(task, error)
                if follows_interruption(error):
                    raise
        except BaseException as error:  # also a Ctrl+C in the middle of a record
            self._fail_inline(task, error)
            raise
        finally:
            if token is not None:
                current.reset(token)

    def submit(self, task: Task, runner: Runner) -> None:
        """Start a run of `task` by way of `runner`, if it may start; the outcome is recorded when it comes."""
        run = None
        try:
            run = self._start(task, runner)
            if run is not None:
                func, args, kwargs, _ = self._take_work(run)
                run.call = Call(func, args, kwargs, run, run.timeout)
                pool = self._capacity.pool
                if runner is not pool and pool is not None and not is_coroutine_function(func):
                    runner = pool  # plain functions go to the pool, not to the loop's threads
                runner.start(run.call, partial(self._recorder.finish_call, run))
        except InterpreterEndsError:
            self._capacity.end()
            if run is not None:
                self._recorder.undo_start(run)
                if self._recorder.session is not None:
                    self._recorder.session.release([task.id])
        except BaseException as error:
            if run is None and isinstance(error, UnknownFunctionError):
                raise
            if run is None:  # a Ctrl+C, before the run got here
                run = self._calls.get(task.id)
            if run is not None and run.context is self._thread.context and run.began_for(task):
                self._fail_submitted(run, error)
            if not isinstance(error, Exception | SystemExit) or follows_interruption(error):
                raise

    def _start(self, task: Task, runner: Runner | None) -> Run | None:
        """Mark `task` as running and return its run, if it may start."""
        agenda, recorder, context = self._agenda, self._recorder, self._thread.context
        with recorder.lock:
            try:
                entry, now, began = context.entry, context.now, context.began
                if entry is not None and entry.task is task:
                    context.entry = None
                    if agenda.notes or agenda.changes != context.changes:
                        entry = self._decide_again(task, context)
                        if entry is None:
                            return None
                    elif entry.ready_at is not now or task.__dict__["status"] is _RUNNING:
                        return None  # another tick has found it ready since and has started it or will
                    due = entry.slot
                else:
                    now, began = self._read_clock(), time.monotonic()
                    refuse_unknown_function(task)
                    if task.status is _RUNNING:
                        return None
                    entry, due = self._obtain(task, now)
                if self._is_kept_back(task, runner, context):
                    if entry is not None:
                        agenda.file_anew(entry, now)
                    return None
                epoch, attempt = None, 1
                if recorder.session is not None:
                    claimed = recorder.session.claimed_run(task)
                    if claimed is None:
                        return None  # its claim is released
                    epoch, attempt, due = claimed
                elif task.__dict__["retry_at"] is not None:
                    lacks_input = first_consumed(task, agenda.store) is not None
                    attempt, due = coming_attempt(task, now, due, lacks_input)
                run = Run(task, now, began, due, attempt, epoch, entry, context, runner is not None)
                recorder.begin(run)
            except BaseException:  # the same as `with agenda`, faster
                agenda.note_all()
                raise
        return run

    def _decide_again(self, task: Task, context: ThreadContext) -> Entry | None:
        """Return the entry of what a tick has found ready if it is so after the changes since then."""
        agenda, now = self._agenda, context.now
        agenda.work_in(now)
        agenda.clock_guard.note_time(now, to_utc(now))  # the clock may have gone back since the tick began
        entry = agenda.entries.get(task.id)
        if entry is None or entry.task is not task or task.status is _RUNNING:
            return None
        if entry.started > context.starts:
            return None  # it has run since
        if not self._may_start(task, now):
            agenda.file_anew(entry, now)
            return None
        entry.slot = due_moment(task, now)
        return entry

    def _obtain(self, task: Task, now: datetime) -> tuple[Entry | None, datetime | None]:
        """Return the entry, if it has one, and the due moment, if it has come, of a task that is started by hand."""
        agenda = self._agenda
        agenda.work_in(now)
        utc = agenda.note_time(now)
        entry, due = agenda.entries.get(task.id), due_moment(task, now)
        is_registered = entry is not None and entry.task is task
        return entry if is_registered else None, due if due is not None and due <= utc else None

    def _is_kept_back(self, task: Task, runner: Runner | None, context: ThreadContext) -> bool:
        """Return whether this thread, its runner, or calls that go on keep `task` from starting."""
        if context.is_closed or (runner is not None and runner is not self._capacity.runner()):
            return True  # `configure` has replaced the runner a moment ago
        calls = self._calls
        return bool(calls) and (task.id in calls or self._capacity.available(runner) == 0)

    def _take_work(self, run: Run) -> Work:
        """Publish the start of `run`, and return what it is to call; the results of dependencies go with it."""
        if run.gave_up is not None:
            self._recorder.outbox.publish_gave_up(run.gave_up)
            run.delay()
        if self._subscribers.callbacks["started"]:
            self._subscribers.publish(Event("started", run.task.id, run.shown_slot(), run.attempt, run.started_at))
            run.delay()
        if run.follows is not None:
            self._note_skipped(run, run.follows)
        work: Work = run.work
        run.work = None
        func, args, kwargs, depends_on = work
        if not depends_on:
            return work
        names = acceptable(run.task, work)
        with self._recorder.lock:
            kwargs = {**kwargs, **take_results(run.task, depends_on, names, self._agenda.store)}
        return func, args, kwargs, depends_on

    def _note_skipped(self, run: Run, last: datetime) -> None:
        """Count and publish the slots since the last run, or since the registration, that coalesce into this one."""
        count = coalesced_since_registration if run.is_first else coalesced
        slots = count(run.task, last, run.now)
        if slots:
            self._recorder.count_skipped(run, slots)
            if self._subscribers.callbacks["skipped"]:
                start = run.shown_slot(), run.attempt, run.started_at
                self._subscribers.publish(Event("skipped", run.task.id, *start, skipped=slots))
        run.delay()

    def _fail_inline(self, task: Task, error: BaseException) -> None:
        """Record the run of `task` as failed, if it still goes on in this thread."""
        runs = self._thread.context.runs
        if runs and runs[-1].began_for(task):
            if runs[-1].has_begun:
                self._recorder.finish(runs[-1], error=error)
            else:
                self._recorder.drop(runs[-1])

    def _fail_submitted(self, run: Run, error: BaseException) -> None:
        """Record a run as failed that could not be submitted, or not for sure."""
        if not run.has_begun:
            self._recorder.drop(run)
            return
        call = run.call
        if call is not None:
            call.is_cancelled = True  # it may be queued already
        # A worker notes its thread before it reads `is_cancelled`: so either its call has begun, or it never will.
        has_begun = call is not None and call.thread is not None
        self._recorder.finish(run, error=error, has_ended=not has_begun)
        if not has_begun:
            run.call = None  # as when a call has ended
