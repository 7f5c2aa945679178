"""How a run starts: its task is marked as running, and its function called here or handed over."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import CoroutineType
from typing import Any

from est_alan_scheduler._support.functions import is_coroutine_function
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.executors.call import Call, Work
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.executors.current_run import current
from est_alan_scheduler.executors.invocation import await_coroutine, invoke
from est_alan_scheduler.executors.pool import InterpreterEndsError
from est_alan_scheduler.executors.runner import Runner
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.dependencies import acceptable, first_consumed, take_results
from est_alan_scheduler.planning.readiness import Condition
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import coming_attempt, due_moment
from est_alan_scheduler.schedules.schedule import AT_ONCE, in_utc
from est_alan_scheduler.task import Task, TaskStatus

_RUNNING = TaskStatus.RUNNING  # looking up a member costs more than comparing it


class RunStarter:
    """Starts runs, one at a time, on behalf of the tick that this thread is in, or by hand.

    `may_start` is asked, under the lock of `recorder`, about what a tick has found ready if anything has changed since.
    """

    def __init__(
        self,
        agenda: Agenda,
        recorder: RunRecorder,
        capacity: Capacity,
        read_clock: Callable[[], datetime],
        may_start: Condition,
    ) -> None:
        self._agenda = agenda
        self._recorder = recorder
        self._calls = recorder.in_flight.calls
        self._thread = recorder.in_flight.thread
        self._subscribers = recorder.subscribers
        self._capacity = capacity
        self._read_clock = read_clock
        self._may_start = may_start

    def run_here(self, task: Task) -> None:
        """Run `task` in this thread and record the outcome, if it may start.

        Raises what `func` raised only if that is neither an `Exception` nor `SystemExit`.
        """
        token = None
        try:
            try:
                run = self._start(task, None)
                if run is None:
                    return
                token = current.set(run)
                if self._subscribers.callbacks["started"]:
                    self._recorder.publish_start(run)
                work, run.work = run.work, None
                func, args, kwargs, depends_on = work
                if depends_on:
                    kwargs = self._with_results(task, work)
                if run.timeout is None:
                    result = func(*args, **kwargs)
                    if isinstance(result, CoroutineType):
                        result = await_coroutine(result)
                else:
                    result = invoke(func, args, kwargs, run.timeout)
                self._recorder.finish(run, result, None)
            except (Exception, SystemExit) as error:
                self._fail(task, error)
        except BaseException as error:  # also a Ctrl+C in the middle of a record
            self._fail(task, error)
            raise
        finally:
            if token is not None:
                current.reset(token)

    def hand_over(self, task: Task, runner: Runner) -> None:
        """Start a run of `task` by way of `runner`, if it may start; the outcome is recorded when it comes."""
        run = None
        try:
            run = self._start(task, runner)
            if run is not None:
                if self._subscribers.callbacks["started"]:
                    self._recorder.publish_start(run)
                pool = self._capacity.pool
                work, run.work = run.work, None
                func, args, kwargs, depends_on = work
                if depends_on:
                    kwargs = self._with_results(task, work)
                run.call = Call(func, args, kwargs, run.public(), run.timeout)
                if runner is not pool and pool is not None and not is_coroutine_function(func):
                    runner = pool  # for what an event loop would put in a thread
                runner.start(run.call, partial(self._recorder.complete, run))
        except InterpreterEndsError:
            if run is not None:
                self._recorder.undo_start(run)
                if self._recorder.session is not None:
                    self._recorder.session.release([task.id])
        except BaseException as error:
            if run is None:  # a Ctrl+C, before the run got here
                run = self._calls.get(task.id)
            if run is not None and run.context is self._thread.context and run.task is task:
                call = run.call
                if call is not None:
                    call.is_cancelled = True  # it may be queued already
                # A worker that looks at that after it has told its thread: so either it has begun, or never will.
                has_begun = call is not None and call.thread is not None
                self._recorder.fail(run, error, has_ended=not has_begun)
                if not has_begun:
                    run.call = None  # as when a call has ended
            if not isinstance(error, Exception | SystemExit):
                raise

    def _start(self, task: Task, runner: Runner | None) -> Run | None:
        """Mark `task` as running and return its run, if it may start."""
        agenda, recorder, context, calls, fields = (
            self._agenda,
            self._recorder,
            self._thread.context,
            self._calls,
            task.__dict__,
        )
        entry = context.entry
        if entry is not None and entry.task is task:
            context.entry, now, began, slot = None, context.now, context.began, entry.slot
        else:
            entry = slot = None
        with recorder.lock:
            try:
                if entry is None:
                    now, began = self._read_clock(), time.monotonic()
                    if fields["status"] is _RUNNING:
                        return None
                    agenda.work_in(now)
                    utc = agenda.see(now)
                    entry = agenda.entries.get(task.id)
                    slot = due_moment(task, now)
                    if slot is not None and slot > utc:
                        slot = None
                elif agenda.notes or agenda.changes != context.changes:
                    agenda.work_in(now)
                    agenda.clock_guard.see(now, to_utc(now))  # the clock may have gone back since the tick began
                    entry = agenda.entries.get(task.id)
                    if entry is None or entry.task is not task or fields["status"] is _RUNNING:
                        return None
                    if entry.started > context.starts:
                        return None  # it has run since
                    if not self._may_start(task, now):
                        agenda.file_anew(entry, now)
                        return None
                    slot = due_moment(task, now)
                elif entry.ready_at is not now or fields["status"] is _RUNNING:
                    return None  # another tick has found it ready since and has started it or will, or another registry
                if entry is not None and entry.task is not task:
                    entry = None  # not the registered task of that id
                is_replaced = (
                    runner is not None and runner is not self._capacity.runner()
                )  # by `configure`, a moment ago
                if context.is_closed or is_replaced or (calls and self._is_kept_back(task, runner)):
                    if entry is not None:
                        agenda.file_anew(entry, now)
                    return None
                epoch, attempt = None, 1
                if recorder.session is not None:
                    claimed = recorder.session.start(task)
                    if claimed is None:
                        return None  # it has lost its claim
                    epoch, attempt, slot = claimed
                elif fields["retry_at"] is not None:
                    lacks_input = first_consumed(task, agenda.store) is not None
                    attempt, slot = coming_attempt(task, now, slot, lacks_input)
                run = Run(task, now, slot, entry, context, runner is not None, attempt)
                run.epoch = epoch
                if slot is not None and slot is not AT_ONCE:
                    run.late = (in_utc(now) - slot).total_seconds() + run.began - began
                recorder.begin(run)
            except BaseException:  # as `with agenda` does, without its cost
                agenda.note_all()
                raise
        return run

    def _is_kept_back(self, task: Task, runner: Runner | None) -> bool:
        """Tell whether calls that go on keep `task` from starting."""
        return task.id in self._calls or self._capacity.available(runner) == 0

    def _with_results(self, task: Task, work: Work) -> dict[str, Any]:
        """Return the keyword arguments of a run, the results of the dependencies among them."""
        _, _, kwargs, depends_on = work
        names = acceptable(task, work)
        with self._recorder.lock:
            return {**kwargs, **take_results(task, depends_on, names, self._agenda.store)}

    def _fail(self, task: Task, error: BaseException) -> None:
        """Record the run of `task` as failed, if it is still under way in this thread."""
        runs = self._thread.context.runs
        if runs and runs[-1].task is task:
            self._recorder.fail(runs[-1], error)
