"""The registry: the face of all that is done with tasks."""

import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.connect import DEFAULT_LEASE
from est_alan_scheduler.control.configuration import KEEP, Configuration
from est_alan_scheduler.control.loop_side import LoopSide
from est_alan_scheduler.control.management import Management
from est_alan_scheduler.control.parts import Parts
from est_alan_scheduler.control.reports import Reports
from est_alan_scheduler.control.tick import Tick
from est_alan_scheduler.events.subscribers import Callback, check_subscription
from est_alan_scheduler.executors.pool import ExecutorSource
from est_alan_scheduler.planning.dependencies import first_unmet, first_used_up
from est_alan_scheduler.planning.readiness import Condition
from est_alan_scheduler.planning.task_dict import TaskDict
from est_alan_scheduler.runs.counters import Statistics
from est_alan_scheduler.schedules.due import is_due
from est_alan_scheduler.schedules.upcoming import PlannedRun
from est_alan_scheduler.task import Task, TaskStatus

_Func = TypeVar("_Func", bound=Callable[..., Any])

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.session import ClusterSession, Instance


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
        self._parts = parts = Parts(self)
        self._agenda, self._recorder, self._functions = parts.agenda, parts.recorder, parts.functions
        self._management = Management(parts)
        self._configuration = Configuration(parts, self._management)
        self._reports = Reports(parts, self._management)
        self._loop_side = LoopSide(parts, self._management)
        self._configuration.configure(executor, max_running, backend, lease)
        _registries.add(self)

    @property
    def _lock(self) -> Lock:
        return self._recorder.lock

    @property
    def _session(self) -> "ClusterSession | None":
        return self._parts.session

    # What runs the tasks.

    @property
    def executor(self) -> ExecutorSource | None:
        """What runs the tasks, as it was given: see `configure`."""
        return self._parts.capacity.executor

    @property
    def max_running(self) -> int | None:
        """How many runs may be under way at a time, as it was given: see `configure`."""
        return self._parts.capacity.max_running

    @property
    def backend(self) -> "str | Backend | None":
        """Where the state of the tasks lives, as it was given: see `configure`."""
        return self._configuration.backend

    def configure(
        self,
        executor: ExecutorSource | None = KEEP,
        max_running: int | None = KEEP,
        backend: "str | Backend | None" = KEEP,
        lease: float = KEEP,
    ) -> None:
        """Change `executor`, `max_running`, `backend` or `lease`, as the constructor takes them; others stay.

        Raises `TypeError` or `ValueError` for what cannot be one, or for a task that a backend cannot take;
        `ImportError` if a backend needs an extra; `BackendUnavailableError` (a `ConnectionError`) if it does not
        answer; `RuntimeError` while a run is under way; and changes nothing then. An executor that came from a factory
        is shut down, a backend that came from a URL is closed.
        """
        self._configuration.configure(executor, max_running, backend, lease)

    def shutdown(self, timeout: float | None = None) -> bool:
        """Wait until the runs in flight have ended, at most `timeout` seconds; return whether they have.

        Those that have not are recorded as FAILED, "interrupted by shutdown", and their outcomes are dropped. An
        executor that came from a factory is shut down, unless a loop still needs it. The next tick of the registry
        starts it all over. Raises `RuntimeError` in the thread of an event loop whose coroutines it would wait for.
        """
        return self._loop_side.shutdown(timeout)

    def pending(self) -> tuple[list[Task], float | None]:
        """Return the tasks whose runs are in flight, and the seconds until any run may take longer than its timeout.

        A run that has taken too long is recorded first.
        """
        runs, seconds = self._loop_side.pending()
        return [run.task for run in runs], seconds

    # The tasks. An id that is no text is a `TypeError` that says so.

    @property
    def store(self) -> TaskDict:
        """All tasks by id, in registration order. It may be edited directly, or replaced by another mapping."""
        return self._agenda.store

    @store.setter
    def store(self, tasks: Mapping[str, Task]) -> None:
        self._agenda.store = TaskDict(tasks, self._agenda.note_key, self._agenda.note_all)
        self._agenda.note_all()

    def register(self, task: Task) -> Task:
        """Take in `task` and return it. Its first slot may come with the next tick.

        Raises `ValueError`, and registers nothing, unless the task has exactly one of `every`, `at`, `run_at`, `cron`;
        if its id is taken; if it closes a cycle of dependencies; if a `dep_<id>` argument collides with a key of
        `kwargs`.
        """
        return self._management.register(task)

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
        return self._reports.why_not(task_id)

    def upcoming(self, *, until: datetime | None = None, limit: int | None = None) -> Iterator[PlannedRun]:
        """Return what will run when, over all tasks, in order and lazily: up to `until`, at most `limit` of them.

        It is about slots: what is due runs now, then at each slot. Dependencies, failures and the time that runs take
        are left out of it; `simulate` takes dependencies into account. `until` is naive local time, or aware.
        Raises `TypeError` or `ValueError` for what cannot be a limit.
        """
        return self._reports.upcoming(until, limit)

    # With a backend.

    def expose(self, func: _Func, name: str | None = None) -> _Func:
        """Let tasks of a backend run `func` here by its name, by default `"module:qualname"`, and return it.

        That is what a function of the main program, a lambda or a bound method needs, and a function of tasks that
        only others register. Raises `ValueError` if it has no name by itself and gets none, or if that is the name of
        another function here.
        """
        self._functions.expose(func, name)
        return func

    def unresolved(self) -> dict[str, str]:
        """Return, by id, why tasks of the backend do not run here: an unknown function, a row that makes no sense."""
        return self._management.unresolved()

    def instances(self) -> "list[Instance]":
        """Return who ticks the tasks of the backend, the oldest first: all whose lease is alive.

        Raises `BackendUnavailableError`. Empty without a backend.
        """
        session = self._session
        return [] if session is None else session.instances()

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
        return self._reports.history(task_id, status, since, limit)

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
        return self._recorder.subscribers.subscribe(event, callback)

    def off(self, event: str, callback: Callback) -> None:
        """Take back what `on` did with this very callback, once; `ValueError` if there is nothing to take back."""
        check_subscription(event, callback)
        if not self._recorder.subscribers.remove(event, callback):
            raise ValueError(f"{short_repr(callback)} is not called on the event {event!r}")

    def statistics(self, task_id: str | None = None) -> Statistics:
        """Return what the runs of a task come to since it was registered, by default those of all tasks ever.

        They are those that this registry has recorded: with a backend, none that ran elsewhere, unless they were lost.
        Raises `UnknownTaskError`, a `KeyError`, if there is no such task.
        """
        return self._reports.statistics(task_id)

    # The clockwork.

    def tick(self) -> None:
        """Run, one by one in registration order, the tasks that are due and ready now.

        The clock is read once, and what to run is decided on the state as it stands: a task whose dependency succeeds
        in this tick runs in the next one. With an executor the tasks are started, and their outcomes are recorded as
        they come. What a task raises is recorded. Only what is neither an `Exception` nor `SystemExit` (Ctrl+C, a
        cancellation) and comes out of a call in this thread is raised again; the next tick runs what it cut off.
        """
        self._recorder.expire()
        Tick(self._parts, self._management).run()

    def idle_seconds(self) -> float | None:
        """Return the seconds until there is something to do, 0 if there may be now; None if nothing is planned.

        As long as as many runs are under way as may be, only the timeout of one is something to do.
        """
        return self._loop_side.idle_seconds()

    def _now(self) -> datetime:
        """Read the clock, that of the backend if there is one: the only place."""
        session = self._parts.session
        return datetime.now() if session is None else session.replica.now()

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
        session, runner = self._parts.session, self._parts.capacity.runner()
        if session is not None and not session.obtain(task):
            return
        if runner is None:
            self._parts.starter.run_here(task)
        else:
            self._parts.starter.hand_over(task, runner)


_registries: "weakref.WeakSet[TaskRegistry]" = weakref.WeakSet()


def _start_over_after_fork() -> None:
    for registry in list(_registries):
        registry._configuration.start_over_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_over_after_fork)
