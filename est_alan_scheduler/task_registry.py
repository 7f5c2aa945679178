"""The registry: it takes tasks in, decides on each tick which are due and ready, runs them, records what came of it."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, TypeVar

from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.cluster.connect import DEFAULT_LEASE, check_lease, join
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.control.management import Management
from est_alan_scheduler.control.tick import SplitTick
from est_alan_scheduler.events.subscribers import Callback, check_subscription
from est_alan_scheduler.executors.call import Runner
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.executors.pool import ExecutorSource, Pool
from est_alan_scheduler.fields.checks import check_count, check_task_id
from est_alan_scheduler.planning.agenda import Agenda, Entry
from est_alan_scheduler.planning.dependencies import first_unmet, first_used_up
from est_alan_scheduler.planning.readiness import Condition, Decision, Notice, Readiness
from est_alan_scheduler.planning.registration import check, refusal
from est_alan_scheduler.planning.task_dict import TaskDict, UnknownTaskError
from est_alan_scheduler.planning.why_not import explain
from est_alan_scheduler.runs.counters import RunCounters, Statistics
from est_alan_scheduler.runs.history import latest_runs
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.run import ThreadContext
from est_alan_scheduler.runs.starter import RunStarter
from est_alan_scheduler.schedules.due import is_due
from est_alan_scheduler.schedules.upcoming import PlannedRun, upcoming
from est_alan_scheduler.task import Task, TaskStatus

_Func = TypeVar("_Func", bound=Callable[..., Any])

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.session import ClusterSession, Instance

_KEEP: Any = object()


class TaskRegistry:
    """Tasks, and what to do about them on each `tick`.

    `executor` is what runs them: None for the ticking thread itself, one run after the other; any
    `concurrent.futures.Executor`; or a function that makes one, so that one that broke can be replaced. `max_running`
    is how many runs may be under way at a time in an executor or an event loop, by default as many as the executor
    has workers, 32 if it does not tell: further tasks stay due, the oldest slots first.

    `backend` is where the state of the tasks lives, shared with all who use the same: None for this registry alone; a
    URL, `sqlite:///tasks.db`, `postgresql+psycopg://…`, `redis://…`; or a `Backend`. Tasks need a stable id and a
    function that others find by name, then. `lease` is for how many seconds an instance that has died is taken to be
    alive: its runs are taken over after that.

    `_lock`, a plain lock, guards the agenda, the runs under way and the record of a run. It is held for moments, and
    never while user code is called (`func`, a `repr`, a logging handler). Needing no lock, the store and the fields of
    tasks may be edited from any thread: an edit is noted, and the next tick works it in. That is also how to change
    things from a signal handler or a finalizer (`__del__`, `weakref.finalize`), which Python may run between any two
    lines, also of ours: a method that wants the lock would wait for itself there.
    """

    def __init__(
        self,
        executor: ExecutorSource | None = None,
        max_running: int | None = None,
        backend: "str | Backend | None" = None,
        lease: float = DEFAULT_LEASE,
    ) -> None:
        self._lock = threading.Lock()
        self._agenda = Agenda()
        self._recorder = RunRecorder(self._lock, self._agenda, self._now, self._wake)
        self._in_flight = self._recorder.in_flight
        self._thread = self._in_flight.thread
        self._subscribers = self._recorder.subscribers
        self._readiness = Readiness(
            self._agenda, self._in_flight.calls, self._recorder.count_misfire, self._may_go_ahead
        )
        self._capacity = Capacity(self, self._in_flight.calls)
        self._management = Management(self._agenda, self._recorder, self._now, self._wake)
        self._starter = RunStarter(self._agenda, self._recorder, self._capacity, self._now, self._may_still_start)
        self._wakers: tuple[Callable[[], None], ...] = ()
        self._names = FunctionNames()
        self._session: ClusterSession | None = None
        self._backend: str | Backend | None = None
        self._lease = DEFAULT_LEASE
        self.configure(executor, max_running, backend, lease)
        _registries.add(self)

    # What runs the tasks.

    @property
    def executor(self) -> ExecutorSource | None:
        """What runs the tasks, as it was given: see `configure`."""
        return self._capacity.executor

    @property
    def max_running(self) -> int | None:
        """How many runs may be under way at a time, as it was given: see `configure`."""
        return self._capacity.max_running

    @property
    def backend(self) -> "str | Backend | None":
        """Where the state of the tasks lives, as it was given: see `configure`."""
        return self._backend

    def configure(
        self,
        executor: ExecutorSource | None = _KEEP,
        max_running: int | None = _KEEP,
        backend: "str | Backend | None" = _KEEP,
        lease: float = _KEEP,
    ) -> None:
        """Change `executor`, `max_running`, `backend` or `lease`, as the constructor takes them; others stay.

        Raises `TypeError` or `ValueError` for what cannot be one, or for a task that a backend cannot take;
        `ImportError` if a backend needs an extra; `BackendUnavailableError` (a `ConnectionError`) if it does not
        answer; `RuntimeError` while a run is under way; and changes nothing then. An executor that came from a factory
        is shut down, a backend that came from a URL is closed.
        """
        capacity = self._capacity
        executor = capacity.executor if executor is _KEEP else executor
        max_running = capacity.max_running if max_running is _KEEP else max_running
        if max_running is not None:
            check_count("max_running", max_running, 1, ", or None")
        backend = self._backend if backend is _KEEP else backend
        lease = self._lease if lease is _KEEP else lease
        check_lease(lease)
        pool = capacity.pool
        if executor is not capacity.executor:
            pool = None if executor is None else Pool(executor)
        if backend != self._backend or (self._session is not None and lease != self._lease):
            self._move(backend, lease)
        with self._lock:
            ids = [run.task.id for run in self._in_flight.all()]
            if not ids:
                replaced = capacity.replace(executor, pool, max_running)
        _refuse_while_running(ids)
        if replaced is not None:
            replaced.close(wait=False)
        self._lease = lease

    def _move(self, backend: "str | Backend | None", lease: float) -> None:
        """Let the state of the tasks live elsewhere."""
        _refuse_while_running([run.task.id for run in self._in_flight.all()])
        session, former = None, self._session
        if backend is not None:
            opened = former.backend if former is not None and backend == self._backend else None
            if former is not None:
                former.replica.abandon()  # what others have registered comes back with their backend
            try:
                session = join(backend, opened, lease, self._recorder, self._agenda, self._names, self._wake)
            except BaseException:
                if former is not None:
                    former.replica.look_anew()
                    with suppress(ConnectionError):  # then the next tick brings them back
                        former.replica.refresh()
                raise
        if former is not None:
            former.replica.abandon()
            former.leave()
        with self._lock:
            if backend != self._backend:
                self._management.keep_paused()  # also by itself from now on
            self._session = self._recorder.session = self._management.session = session
            self._backend = backend
            self._agenda.edit_log = None if session is None else session.edits.edit_log
            self._agenda.note_all()

    def shutdown(self, timeout: float | None = None, starters: Collection[ThreadContext] | None = None) -> bool:
        """Wait until the runs under way have ended, at most `timeout` seconds; return whether they have.

        Those that have not are recorded as FAILED, "interrupted by shutdown", and what becomes of them is dropped.
        With `starters`, only what was started by threads that `starter` told these. An executor that came from a
        factory is shut down, unless a loop still needs it. Whoever ticks the registry again starts it all over.
        Raises `RuntimeError` in the thread of an event loop whose coroutines it would wait for.
        """
        is_clean = self._recorder.shutdown(timeout, starters)
        if self._capacity.pool is not None and not self._wakers:
            self._capacity.pool.close(wait=timeout is None and not self._in_flight.calls)
        if self._session is not None and not self._wakers:
            self._session.push()
            self._session.leave()
        return is_clean

    def starter(self) -> ThreadContext:
        """Return what tells the runs that this thread starts from those of others."""
        return self._thread.context

    def pending(self, starters: Collection[ThreadContext] | None = None) -> tuple[list[Task], float | None]:
        """Return the tasks whose runs are under way, and the seconds until any run may take longer than its timeout.

        With `starters`, only the tasks of these (see `shutdown`). What has taken too long is recorded first.
        """
        runs, seconds = self._recorder.pending(starters)
        return [run.task for run in runs], seconds

    # The tasks. An id that is no text is a `TypeError` that says so.

    @property
    def store(self) -> TaskDict:
        """All tasks by id, in registration order. It may be edited directly, or replaced by another mapping."""
        return self._agenda.store

    @store.setter
    def store(self, tasks: Mapping[str, Task]) -> None:
        self._agenda.store = TaskDict(tasks, self._agenda)
        self._agenda.note_all()

    def register(self, task: Task) -> Task:
        """Take in `task` and return it. Its first slot may come with the next tick.

        Raises `ValueError`, and registers nothing, unless the task has exactly one of `every`, `at`, `run_at`, `cron`;
        if its id is taken; if another registry has the task; if it closes a cycle of dependencies; if a `dep_<id>`
        argument collides with a key of `kwargs`.
        """
        check(task)
        self._agenda.check(task)
        session = self._session
        with self._lock, self._agenda as agenda:
            now = self._now()
            agenda.work_in(now)
            agenda.see(now)
            is_adopted = session is not None and session.replica.is_adopted(task.id)
            refused = refusal(task, self.store, agenda.wanted, is_adopted)
            if refused is None and session is None:
                dict.__setitem__(self.store, task.id, task)
                agenda.add(task, now)
                self._readiness.forget(task.id)
        if refused is not None:
            raise ValueError(refused)
        if session is not None:
            session.replica.join([task], self._refuse_shared, self._put_in)
        self._management.publish("registered", task.id)
        return task

    def _refuse_shared(self, task: Task, is_adopted: bool) -> None:
        """Raise `ValueError` for a task that does not fit in with those of the backend; the caller holds the lock."""
        refused = refusal(task, self.store, self._agenda.wanted, is_adopted)
        if refused is not None:
            raise ValueError(refused)

    def _put_in(self, task: Task) -> None:
        """Put a task into the store that the backend knows; the caller holds the lock."""
        agenda, now = self._agenda, self._now()
        agenda.drop(task.id)
        dict.__setitem__(self.store, task.id, task)
        agenda.add(task, now)
        self._readiness.forget(task.id)

    def update(self, task_id: str, /, **changes: Any) -> Task:
        """Change fields of the task of that id, and return it: all of them in one step, or none.

        No tick sees a part of it, and a run under way goes on as it began. The result has to be what `register` takes.
        Raises `pydantic.ValidationError` or `ValueError` that says what is wrong with it, `UnknownTaskError` (a
        `KeyError`) if there is no such task, with a backend `BackendUnavailableError`, and `RuntimeError` if others
        change the task again and again; and changes nothing then.
        """
        return self._management.update(task_id, changes)

    def pause(self, task_id: str) -> Task:
        """Let the task of that id have no due moments until `resume`, and return it; `KeyError` if there is none.

        A run under way goes on, and `run_now` still works.
        """
        return self._management.set(task_id, "paused", True, "paused")

    def resume(self, task_id: str) -> Task:
        """Undo `pause`, and return the task; `KeyError` if there is none. One run makes up for all that was missed."""
        return self._management.set(task_id, "paused", False, "resumed")

    def run_now(self, task_id: str, force: bool = False) -> Task:
        """Have the task of that id run with the next tick, due or not, and return it; `KeyError` if there is none.

        As soon as its dependencies allow it, or whatever they say with `force`; after the run under way, if there is
        one; also if it is paused. Later slots stay as they are, a `run_at` and the grid of `every` among them; a retry
        that waits is dropped. If it fails, a retry of it waits for the dependencies also after `force`. Raises
        `TypeError` unless `force` is a bool.
        """
        if not isinstance(force, bool):
            raise TypeError(f"force must be True or False, got {short_repr(force)}")
        return self._management.set(task_id, "run_requested", "force" if force else "ready")

    def pause_all(self) -> None:
        """Start nothing until `resume_all`, whatever is registered or asked for meanwhile. Runs under way go on.

        With a backend, all who share it start nothing, within a tick or two, nor does who joins later or restarts. Who
        joins while it is paused by itself stays so, without the others. Raises `BackendUnavailableError`, and changes
        nothing then.
        """
        self._management.set_all_paused(True)

    def resume_all(self) -> None:
        """Undo `pause_all`, with a backend for all who share it; tasks that are paused each on their own stay so.

        Raises `BackendUnavailableError`, and changes nothing then.
        """
        self._management.set_all_paused(False)

    @property
    def is_paused(self) -> bool:
        """Whether `pause_all` is in force, with a backend as far as this registry has seen it."""
        return self._management.is_paused

    def task(self, **fields: Any) -> Callable[[_Func], _Func]:
        """Register the decorated function as `func` of a task with these fields; it stays callable as it is."""

        def decorate(func: _Func) -> _Func:
            self.register(Task(func=func, **fields))
            return func

        return decorate

    def get(self, task_id: str) -> Task | None:
        """Return the task of that id, None if there is none."""
        return self.store.get(task_id)

    def remove(self, task_id: str) -> Task | None:
        """Take out the task of that id and return it; `UnknownTaskError`, a `KeyError`, if there is none.

        A run of it that is under way ends as usual. Tasks that depend on it wait until the id is registered again and
        has succeeded. One of the backend that is `unresolved` here is taken out as well: None, if there is no `Task`.
        """
        return self._management.remove(task_id)

    def __len__(self) -> int:
        return len(self.store)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self.store

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self.store.values()))

    def why_not(self, task_id: str) -> str:
        """Return in one sentence why the task is not running now; `KeyError` with the id if there is none."""
        check_task_id(task_id)
        session = self._session
        if session is not None and task_id in session.replica.unresolved:
            return f"cannot run here: {session.replica.unresolved[task_id][0]}"
        task = self.store[task_id]
        if session is not None and session.outage.seconds_left():
            return "nothing starts until the store, which is out of reach, is back"
        run = self._in_flight.calls.get(task_id)
        calls = sum(run.is_call for run in list(self._in_flight.calls.values()))
        is_full = calls > 0 and calls >= self._capacity.limit()
        return explain(
            task,
            self.store,
            self._now(),
            called=None if run is None else run.task,
            is_outcome_dropped=run is not None and run.is_over,
            is_full=is_full,
            are_all_paused=self.is_paused,
        )

    def upcoming(self, *, until: datetime | None = None, limit: int | None = None) -> Iterator[PlannedRun]:
        """Return what will run when, over all tasks, in order and lazily: up to `until`, at most `limit` of them.

        It is about slots: what is due runs now, then at each slot. Dependencies, failures and the time that runs take
        are left out of it; `simulate` takes dependencies into account. `until` is naive local time, or aware.
        Raises `TypeError` or `ValueError` for what cannot be a limit.
        """
        if until is not None and not isinstance(until, datetime):
            raise TypeError(f"until must be a datetime or None, got {short_repr(until)}")
        if limit is not None:
            check_count("limit", limit, 0, ", or None")
        if self.is_paused:
            return iter(())
        end = None if until is None else to_utc(until)
        with self._lock, self._agenda as agenda:
            now = self._now()
            agenda.work_in(now)
            utc = agenda.see(now)
            tasks = {entry.order: entry.task for entry in agenda.entries.values()}
            # None before now: so the first of what is overdue comes before the rest has been asked.
            bounds = [(max(entry.due or utc, utc), entry.order) for entry in agenda.entries.values()]
        runs = islice(upcoming(tasks, bounds, now), limit)
        return runs if end is None else takewhile(lambda run: to_utc(run.at) <= end, runs)

    # With a backend.

    def expose(self, func: _Func, name: str | None = None) -> _Func:
        """Let tasks of a backend run `func` here by its name, by default `"module:qualname"`, and return it.

        That is what a function of the main program, a lambda or a bound method needs, and a function of tasks that
        only others register. Raises `ValueError` if it has no name by itself and gets none, or if that is the name of
        another function here.
        """
        self._names.expose(func, name)
        return func

    def unresolved(self) -> dict[str, str]:
        """Return, by id, why tasks of the backend do not run here: an unknown function, a row that makes no sense."""
        return self._management.unresolved()

    def instances(self) -> "list[Instance]":
        """Return who ticks the tasks of the backend, the oldest first: all whose lease is alive.

        Raises `BackendUnavailableError`. Empty without a backend.
        """
        return [] if self._session is None else self._session.instances()

    def history(
        self,
        task_id: str | None = None,
        status: TaskStatus | str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Return the latest runs, at most `limit`, oldest first: dicts as in `Task.history`, and `task_id`.

        An id that nobody has registered has none: it may be that of a task that is gone, whose runs a backend keeps.
        `status`: only with this outcome; `since`: started then or later, in naive local time, or aware. From a backend
        they come with `epoch`, `slot`, `owner`, `late`, and runs under way with them. Raises `TypeError` or
        `ValueError` for what cannot be an id, a status, a moment or a limit, `BackendUnavailableError`.
        """
        check_count("limit", limit, 0)
        if task_id is not None:
            check_task_id(task_id, " or None")
        if since is not None and not isinstance(since, datetime):
            raise TypeError(f"since must be a datetime or None, got {short_repr(since)}")
        wanted = None if status is None else TaskStatus(status)
        if self._session is not None:
            return self._session.history(task_id, wanted, since, limit)
        with self._lock:
            pasts = [
                (task.id, list(task.history))
                for task in list(self.store.values())
                if task_id is None or task.id == task_id
            ]
        return latest_runs(pasts, wanted, since, limit)

    # What happens.

    def on(self, event: str, callback: Callback) -> Callable[[], None]:
        """Have `callback` called with an `Event` whenever that happens (see EVENTS); return what takes that back.

        It is called in the thread in which it happens, without a lock: `started` before the call of the function, the
        outcome of a run once it is recorded, with a backend in the store. So it may do anything to the registry, but
        what takes long holds that thread up, and the log tells of it: when it returns, and after 5 seconds also while
        it hangs. What it raises is logged. Editing `store` or the fields of a task is no event.
        Raises `ValueError` for an event that there is not, `TypeError` for what is no plain function.
        """
        check_subscription(event, callback)
        return self._subscribers.subscribe(event, callback)

    def off(self, event: str, callback: Callback) -> None:
        """Take back what `on` did with this very callback, once; `ValueError` if there is nothing to take back."""
        check_subscription(event, callback)
        if not self._subscribers.remove(event, callback):
            raise ValueError(f"{short_repr(callback)} is not called on the event {event!r}")

    def statistics(self, task_id: str | None = None) -> Statistics:
        """Return what the runs of a task come to since it was registered, by default those of all tasks ever.

        They are those that this registry has recorded: with a backend, none that ran elsewhere, unless they were lost.
        Raises `UnknownTaskError`, a `KeyError`, if there is no such task.
        """
        if task_id is not None:
            check_task_id(task_id, " or None")
        with self._lock, self._agenda as agenda:
            agenda.work_in(self._now())
            entry = agenda.entries.get(task_id) if task_id is not None else None
            counters = (
                self._recorder.counters
                if task_id is None
                else None
                if entry is None
                else entry.counters or RunCounters()
            )
            counts = None if counters is None else counters.statistics()
        if counts is None:
            raise UnknownTaskError(task_id, self.store)
        return counts

    # The clockwork.

    def tick(self) -> None:
        """Run, one by one in registration order, the tasks that are due and ready now.

        The clock is read once, and what to run is decided on the state as it stands: a task whose dependency succeeds
        in this tick runs in the next one. With an executor the tasks are started, and their outcomes are recorded as
        they come. What a task raises is recorded. Only what is neither an `Exception` nor `SystemExit` (Ctrl+C, a
        cancellation) and comes out of a call in this thread is raised again; the next tick runs what it cut off.
        """
        self._recorder.expire()
        runner, session = self._select_runner(), self._session
        if session is None:
            decision = self._decide(runner)
            if decision is not None:
                self._start_ready(decision, decision.ready, None)
        elif session.prepare(self._capacity.available(runner), self.is_paused):
            session.publish_stored()
            decision, is_inline = self._decide(runner), runner is None
            if decision is not None:
                claimed = session.claimed(decision.ready, decision.now, is_inline)
                self._start_ready(decision, claimed, partial(session.close, claimed, is_inline=is_inline))

    def split_tick(self) -> SplitTick | None:
        """Return a tick of this thread in two halves; None without a backend, or if `tick` was overridden."""
        session = self._session
        if session is None or getattr(self.tick, "__func__", None) is not TaskRegistry.tick:
            return None
        runner = self._select_runner()
        prepare = partial(session.prepare, self._capacity.available(runner), self.is_paused)
        return SplitTick(session, self._recorder, prepare, partial(self._decide, runner), self._start_ready)

    def _select_runner(self) -> Runner | None:
        """Return who makes the calls of a tick in this thread."""
        capacity = self._capacity
        if capacity.pool is not None:
            capacity.pool.prepare()
        return capacity.runner()

    def _decide(self, runner: Runner | None) -> Decision | None:
        """Decide what to start, on the state as it stands; `_start_ready` has to follow, unless it is nothing: None."""
        notices: list[Notice] = []
        with self._lock, self._agenda as agenda:
            now = self._now()  # under the lock, so that no tick takes the time of an earlier one for a step back
            began = time.monotonic()
            agenda.work_in(now)
            available = 0 if self.is_paused else self._capacity.available(runner)
            ready = self._readiness.take(now, available, self._stricter(), notices)
            changes, starts = agenda.changes, agenda.starts
            dropped = agenda.take_dropped()
        del dropped
        return Decision(ready, notices, now, began, changes, starts) if ready or notices else None

    def _start_ready(
        self, decision: Decision, entries: Iterable[Entry], end: Callable[[list[Entry]], None] | None
    ) -> None:
        """Start `entries`, of what was decided on; `end` is told of all of that in the end."""
        ready, notices, now, began, changes, starts = decision
        agenda, context = self._agenda, self._thread.context
        outer, depth = (context.entry, context.now, context.began, context.changes, context.starts), len(context.runs)
        context.is_closed = context.is_closed and depth > 0
        try:
            if notices:
                self._publish_notices(notices)
            context.now, context.began, context.changes, context.starts = now, began, changes, starts
            for entry in entries:
                context.entry = entry
                self._execute(entry.task)
        finally:
            context.entry, context.now, context.began, context.changes, context.starts = outer
            self._recorder.close(depth)
            if end is not None:
                end(ready)
            with self._lock, agenda:
                agenda.close(ready, now)

    def idle_seconds(self) -> float | None:
        """Return the seconds until there is something to do, 0 if there may be now; None if nothing is planned.

        As long as as many runs are under way as may be, only the timeout of one is something to do.
        """
        moment = deadline = None
        outage = 0.0 if self._session is None else self._session.outage.seconds_left()
        if not self.is_paused and self._capacity.available(self._capacity.runner()) != 0:
            with self._lock, self._agenda as agenda:
                now = self._now()
                agenda.work_in(now)
                utc = agenda.see(now)
                moment = agenda.next_moment()
        if self._in_flight.has_deadlines():
            with self._lock:
                deadline = self._in_flight.seconds_to_deadline()
        if moment is None:
            return deadline
        idle = max(outage, (moment - utc).total_seconds())
        return idle if deadline is None else min(idle, deadline)

    def add_waker(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever a task is registered or a call has ended: it is for a loop that waits."""
        with self._lock:
            self._wakers = (*self._wakers, wake)

    def remove_waker(self, wake: Callable[[], None]) -> None:
        """Take back what `add_waker` did."""
        with self._lock:
            self._wakers = tuple(other for other in self._wakers if other != wake)

    def _wake(self) -> None:
        for wake in self._wakers:
            wake()

    def _now(self) -> datetime:
        """Read the clock, that of the backend if there is one: the only place."""
        return datetime.now() if self._session is None else self._session.replica.now()

    def _should_run(self, task: Task, now: datetime) -> bool:
        """Tell whether a slot of `task` has come by `now` that no run has covered: the time condition alone."""
        return is_due(task, now)

    def _deps_ready(self, task: Task) -> bool:
        """Tell whether every id in `depends_on` is registered and has succeeded at least once."""
        return not task.depends_on or first_unmet(task, self.store) is None

    def _stricter(self) -> Condition | None:
        """Return the time condition if a subclass asks for more than schedule and dependencies do, None if not."""
        is_plain = (
            getattr(self._should_run, "__func__", None) is TaskRegistry._should_run
            and getattr(self._deps_ready, "__func__", None) is TaskRegistry._deps_ready
        )
        return None if is_plain else self._should_run

    def _may_go_ahead(self, task: Task, now: datetime) -> bool:
        """Tell whether its dependencies, or who asked for a run, let `task`, if it is due at `now`, start."""
        if task.run_requested == "force":
            return True
        return self._deps_ready(task) and first_used_up(task, self.store, now) is None

    def _may_still_start(self, task: Task, now: datetime) -> bool:
        """Tell whether `task`, which a tick has found ready, may start at `now` all the same after a change."""
        return not self.is_paused and self._should_run(task, now) and self._may_go_ahead(task, now)

    # A run.

    def _execute(self, task: Task) -> None:
        """Run `task` and record the outcome, unless it is running, or its tick finds that it may not start any more.

        With an executor: start it, the outcome is recorded when it comes.
        Raises what `func` raised only if that is neither an `Exception` nor `SystemExit`, and came in this thread.
        """
        runner = self._capacity.runner()
        if self._session is not None and not self._session.obtain(task):
            return
        if runner is None:
            self._starter.run_here(task)
        else:
            self._starter.hand_over(task, runner)

    def _publish_notices(self, notices: list[Notice]) -> None:
        with ExitStack() as stack:  # which goes on with the others when one raises, and raises that at the end
            for notice in reversed(notices):
                if notice.event is not None:
                    stack.callback(self._subscribers.publish, notice.event)
                stack.callback(log, logging.WARNING, notice.text)

    def _start_over_after_fork(self) -> None:
        """In a child process: the other threads are gone, with the locks they held and the runs they were in."""
        self._lock = self._recorder.lock = threading.Lock()
        if self._session is not None:
            self._session.start_over_after_fork()
        self._subscribers.clear_after_fork()
        self._wakers = ()
        for run in self._in_flight.clear_after_fork():
            if not run.is_over:
                run.task.__dict__["status"] = run.before[0]
        if self._capacity.pool is not None:
            self._capacity.pool.forget()
        self._agenda.note_all()


def _refuse_while_running(ids: list[str]) -> None:
    if ids:
        raise RuntimeError(f"a registry cannot be configured while tasks run: {', '.join(map(repr, ids))}")


_registries: "weakref.WeakSet[TaskRegistry]" = weakref.WeakSet()


def _start_over_after_fork() -> None:
    for registry in list(_registries):
        registry._start_over_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_over_after_fork)
