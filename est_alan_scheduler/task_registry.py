"""The registry: the face of all that is done with tasks."""

import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.connect import DEFAULT_LEASE
from est_alan_scheduler.control.configuration import KEEP, REGISTRY_OPTIONS, Parts
from est_alan_scheduler.control.defaults import filled
from est_alan_scheduler.control.loop_side import LoopSide
from est_alan_scheduler.control.management import Management
from est_alan_scheduler.control.queries import RegistryQueries
from est_alan_scheduler.control.tick import run_tick
from est_alan_scheduler.events.event import EventName
from est_alan_scheduler.events.subscribers import KEEP_OPEN, Callback, check_callback, check_event
from est_alan_scheduler.fields.checks import refuse_unknown
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.planning.dependencies import first_stale, first_unmet
from est_alan_scheduler.planning.readiness import Condition
from est_alan_scheduler.planning.registration import check
from est_alan_scheduler.schedules.due import is_due
from est_alan_scheduler.task import Task

_Func = TypeVar("_Func", bound=Callable[..., Any])
_Callback = TypeVar("_Callback", bound=Callback)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.session import ClusterSession
    from est_alan_scheduler.executors.pool import ExecutorSource
    from est_alan_scheduler.fields.given import TaskChanges, TaskOptions


class TaskRegistry(RegistryQueries):
    """The tasks of a program. Each `tick` runs those that are due and ready.

    `executor` makes the calls: None for the ticking thread itself, one run after the other; any
    `concurrent.futures.Executor`; or a function that returns one, so that a broken one can be replaced. `max_running`
    limits the runs in flight in an executor or an event loop. Its default is the number of workers of the executor, 32
    if that is unknown. Further tasks stay due, the oldest slots first.

    `backend` keeps the state of the tasks, shared by all instances on it: None for this registry alone; a URL,
    `sqlite:///tasks.db`, `postgresql+psycopg://…`, `redis://…`; or a `Backend`. With one, each task needs a stable id
    and a function that other processes find by name. `lease` is the number of seconds for which a dead instance still
    counts as alive. After that, its runs are recorded as failed.

    `defaults` are values of fields, `{"timezone": "Asia/Seoul", "misfire_grace": 300}`, for each task that `register`
    takes from then on and that does not say otherwise; None, given, says so, too. A default that means nothing for a
    task (limits of slots, for one that has none) is left out.

    `observe`: the registry shows and manages the tasks of `backend`, and starts none: for a page or a command. It takes
    no lease, starts no thread, and is not one of `instances()`. What it shows is as `refresh` or a change has last read
    it. Its events are those of its own changes.

    `_lock`, a plain lock, guards the agenda, the runs in flight and the record of a run. It is held for moments, and
    never while user code is called (`func`, a `repr`, a logging handler). The store and the fields of tasks may be
    edited from any thread without it: an edit is noted, and the next tick works it in. Use such edits in a signal
    handler or a finalizer (`__del__`, `weakref.finalize`) as well. Python may run these between any two lines, also
    while this thread holds the lock, and a method that takes the lock would wait for itself.
    """

    def __init__(
        self,
        executor: "ExecutorSource | None" = None,
        max_running: int | None = None,
        backend: "str | Backend | None" = None,
        lease: float | timedelta = DEFAULT_LEASE,
        defaults: Mapping[str, Any] | None = None,
        observe: bool = False,
        **others: Never,
    ) -> None:
        refuse_unknown("TaskRegistry()", others, REGISTRY_OPTIONS)
        super().__init__(parts := Parts(self))
        self._agenda, self._recorder, self._functions = parts.agenda, parts.recorder, parts.functions
        self._management = Management(parts, self._waits)
        self._loop_side = LoopSide(parts)
        parts.configure(executor, max_running, backend, lease, defaults, observe)
        _registries.add(self)

    @property
    def _lock(self) -> Lock:
        return self._recorder.lock

    @property
    def _session(self) -> "ClusterSession | None":
        return self._parts.session

    # Configuration.

    def configure(
        self,
        executor: "ExecutorSource | None" = KEEP,
        max_running: int | None = KEEP,
        backend: "str | Backend | None" = KEEP,
        lease: float | timedelta = KEEP,
        defaults: Mapping[str, Any] | None = KEEP,
        observe: bool = KEEP,
        **others: Never,
    ) -> None:
        """Change these options, as the constructor takes them; the others stay.

        The former executor is shut down if it came from a factory, the former backend is closed if it came from a URL.
        Raises `TypeError` or `ValueError` for an invalid value, or for a task that the backend cannot take;
        `ImportError` if the backend needs an extra; `BackendUnavailableError` (a `ConnectionError`) if it does not
        answer; `RuntimeError` while a run is in flight. Nothing is changed then.
        """
        refuse_unknown("TaskRegistry()", others, REGISTRY_OPTIONS)
        self._parts.configure(executor, max_running, backend, lease, defaults, observe)

    def shutdown(self, timeout: float | timedelta | None = None, **others: Never) -> bool:
        """Wait until the runs in flight have ended, at most `timeout` (seconds); return whether they have.

        A run that has not ended is recorded as FAILED, "interrupted by shutdown", and its outcome is dropped. An
        executor that came from a factory is shut down, unless a loop still needs it. A later tick starts a new one.
        Raises `RuntimeError` in the thread of an event loop whose coroutines it would wait for.
        """
        refuse_unknown("shutdown", others)
        return self._loop_side.shutdown(timeout)

    def pending(self) -> tuple[list[Task], float | None]:
        """Return the tasks whose runs are in flight, and the seconds until any run may take longer than its timeout.

        A run that has taken too long is recorded first.
        """
        runs, seconds = self._loop_side.pending()
        return [run.task for run in runs], seconds

    # The tasks. A task stands for its id. An id that is not a text raises a `TypeError` that says so.

    def register(self, task: Task, *, replace: bool = False, **fields: Never) -> Task:
        """Register `task` and return it. It may be due with the next tick.

        With `replace`, it takes the place of a task of its id, whose state and history it gets: `status`, `result`, a
        pause, the counts. A run in flight goes on to its end, and is recorded in the new task. As after `update`, the
        grid of `every` stays. Without such a task, it is registered as usual. The replaced object stays as it was, for
        a return; if it ran, it has the status of its last outcome.
        With a backend, a task that is as code registered it last takes over what `update` or an assignment has changed
        since, also with `replace`. If it differs, it wins, and one line of the log names the fields. So the way back to
        the code is an `update`, or a change of the code.
        Raises `ValueError`, and registers nothing, unless the task has exactly one of `every`, `at`, `run_at`, `cron`,
        `after`, `manual`; if its id is taken; if another registry has the task; if it closes a dependency cycle; if a
        `dep_<id>` argument collides with a key of `kwargs`; if `func` is a generator function, a call of which does no
        work; if a field would mean nothing: `after` and `manual` have no times that others could limit.
        """
        if fields:
            check(fields)
        if replace is not False and replace is not True:
            raise InvalidTypeError(f"replace must be True or False, got {short_repr(replace)}")
        # One that has been in a registry may have defaults of that.
        if self._parts.defaults or getattr(task, "_entry", None) is not None:
            with filled(task, self._parts.defaults, self._agenda):
                return self._management.register(task, replace)
        return self._management.register(task, replace)

    def update(
        self, task_id: str | Task, /, *, if_version: str | None = None, **changes: "Unpack[TaskChanges]"
    ) -> Task:
        """Change fields of the task of that id in one step, and return the task.

        No tick sees a part of the change, and a run in flight goes on as it began. With a backend, the change outlasts
        restarts of the program, until `register` gets something else than before. The changed task has to be one that
        `register` takes. Raises `pydantic.ValidationError` or `ValueError` that names the fault; `UnknownTaskError` (a
        `KeyError`) if there is no such task; `ConflictError` (a `RuntimeError`) if `if_version` is given, and `version`
        returns another one by now; with a backend, `BackendUnavailableError`, and `RuntimeError` if other instances
        change the task again and again. Nothing is changed then.
        """
        return self._management.update(task_id, changes, if_version)

    def pause(self, task_id: str | Task, *, if_version: str | None = None) -> Task:
        """Pause the task of that id until `resume`, and return it; `KeyError` if there is none.

        It has no due moments then. A run in flight goes on, and `run_now` still works. `if_version` as in `update`.
        """
        return self._management.set_paused(task_id, True, if_version)

    def resume(self, task_id: str | Task, *, if_version: str | None = None) -> Task:
        """Undo `pause`, and return the task; `KeyError` if there is none. One run makes up for all missed slots.

        `if_version` as in `update`.
        """
        return self._management.set_paused(task_id, False, if_version)

    def run_now(
        self,
        task_id: str | Task,
        force: bool = False,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> Task:
        """Request a run of the task of that id with the next tick, and return the task; `KeyError` if there is none.

        The run waits for the dependencies, unless `force` is true, and for the end of a run in flight. It takes place
        also if the task is paused. Later slots stay as they are, a `run_at` and the grid of `every` among them. A
        retry that waits is dropped. If the run fails, its retry waits for the dependencies also after `force`.
        `args` and `kwargs` replace those of the task for this run and its retries. A request before that run has
        started replaces them: one without any lets the run have those of the task again. Until then, a change of `func`
        that they do not fit is refused. `register` lets arguments of a manual task be missing, because this gives them.
        Raises `TypeError` unless `force` is a bool, `ValueError` for arguments that the function cannot be called with.
        """
        if not isinstance(force, bool):
            said = short_repr(force)
            raise InvalidTypeError(
                f"force must be True or False, got {said}: write args=[{said}] for an argument of the function"
            )
        return self._management.run_now(task_id, force, args, kwargs)

    def pause_all(self) -> None:
        """Start no run until `resume_all`, whatever is registered or requested meanwhile. Runs in flight go on.

        With a backend, this holds for all instances within a tick or two, also for those that join or restart later. A
        registry that was paused before it joined stays paused by itself, without the others.
        Raises `BackendUnavailableError`. Nothing is changed then.
        """
        self._management.set_all_paused(True)

    def resume_all(self) -> None:
        """Undo `pause_all`, with a backend for all instances. Tasks that were paused one by one stay paused.

        Raises `BackendUnavailableError`. Nothing is changed then.
        """
        self._management.set_all_paused(False)

    def task(self, *bare: Never, replace: bool = False, **fields: "Unpack[TaskOptions]") -> Callable[[_Func], _Func]:
        """Register the decorated function as `func` of a task with these fields; it stays callable as it is.

        Without an `id`, its name is the id of the task.
        """
        if bare:
            raise InvalidTypeError("the fields of a task are given by name: @registry.task(every={'minutes': 5})")

        def decorate(func: _Func) -> _Func:
            name = getattr(func, "__name__", "<")  # that of a lambda tells nothing
            given: TaskOptions = fields if "id" in fields or "<" in name else {**fields, "id": name}
            self.register(Task(func=func, **given), replace=replace)
            return func

        return decorate

    def remove(self, task_id: str | Task, *, if_version: str | None = None) -> Task | None:
        """Remove the task of that id and return it; `UnknownTaskError`, a `KeyError`, if there is none.

        A run in flight ends as usual. Tasks that depend on it wait until the id is registered again and has succeeded.
        A task of the backend that is `unresolved` here is removed as well. The answer is None then. `if_version` as in
        `update`.
        """
        return self._management.remove(task_id, if_version)

    def prune(self, ids: Iterable[str | Task]) -> None:
        """Remove the tasks of these ids in one step: those of the backend, for example, that the code has no more.

        Raises `UnknownTaskError`, a `KeyError`, if there is no such task for one of them or more, `TypeError` for an id
        that is not a text, `BackendUnavailableError`. Nothing is removed then.
        """
        self._management.prune(ids)

    def clear(self) -> None:
        """Remove all tasks in one step, for a notebook that begins anew. Counts, callbacks and `pause_all` stay.

        With a backend, the tasks that this program has registered are removed, for all instances. Those that only
        other programs have registered stay: `prune(registry)` removes these, too. Raises `BackendUnavailableError`.
        """
        self._management.clear()

    # With a backend.

    def expose(self, func: _Func, name: str | None = None) -> _Func:
        """Give `func` a name for tasks of a backend and for the API, by default `"module:qualname"`, and return it.

        Needed for a function of the main program, a lambda, a bound method, and a function of tasks that only other
        instances register. Raises `ValueError` if the function has no name by itself and gets none, or if another
        function has that name here.
        """
        self._functions.expose(func, name)
        return func

    # Events and counts.

    @overload
    def on(self, *events: EventName) -> Callable[[_Callback], _Callback]: ...

    @overload
    def on(self, *events: *tuple[*tuple[EventName, ...], Callback]) -> Callable[[], None]: ...

    @overload
    def on(self, *events: EventName, callback: Callback) -> Callable[[], None]: ...

    def on(self, *events: Any, callback: Any = KEEP_OPEN) -> Any:  # type: ignore[misc]  # mypy and unpacked tuples
        """Subscribe a callback to one event or several: `on("failed", "gave_up", callback)`.

        Return a function that ends the subscription. As a decorator, `@registry.on("failed")`, it returns the function
        that it decorates. EVENTS has all names.

        The callback gets an `Event`, in the thread in which it happens, without a lock: `started` before the call of
        the function, the outcome of a run once it is recorded, with a backend in the store. It may use the registry in
        any way. A slow callback holds that thread up and is logged: when it returns, and after 5 seconds also while it
        hangs. What it raises is logged. Edits of `store` or of the fields of a task are no events.
        Raises `ValueError` for an unknown event, `TypeError` unless `callback` is a plain function.
        """
        return self._recorder.subscribers.on(*events, callback=callback)

    def off(self, event: EventName, callback: Callback) -> None:
        """End the latest subscription of this very callback; `ValueError` if there is none."""
        check_event(event)
        check_callback(callback)
        if not self._recorder.subscribers.remove(event, callback):
            raise InvalidValueError(f"{short_repr(callback)} is not called on the event {event!r}")

    # The tick.

    def tick(self) -> None:
        """Run, one by one in registration order, the tasks that are due and ready now.

        The clock is read once, and the decision is made on the present state: a task whose dependency succeeds in
        this tick runs in the next one. With an executor the tasks are started, and their outcomes are recorded as they
        come. An error of a task is recorded. It is raised again only if it comes from a call in this thread and is an
        interruption: what a signal handler raised, or neither an `Exception` nor `SystemExit` (Ctrl+C, a cancellation).
        The next tick runs the tasks that it cut off.
        """
        run_tick(self._parts)

    def idle_seconds(self) -> float | None:
        """Return the seconds until a tick may have something to do, 0 if it may now; None if nothing is planned.

        While the runs in flight leave no capacity, only the timeout of one of them gives a tick something to do.
        """
        return self._loop_side.idle_seconds()

    def _now(self) -> datetime:
        """Return the time, by the clock of the backend if there is one. The clock is read nowhere else."""
        session = self._parts.session
        return datetime.now() if session is None else session.replica.now()

    def _should_run(self, task: Task, now: datetime) -> bool:
        """Return whether `task` has a slot up to `now` that no run has covered: the time condition alone."""
        return is_due(task, now)

    def _deps_ready(self, task: Task) -> bool:
        """Return whether every id in `depends_on` and `after` is registered and has succeeded at least once."""
        return first_unmet(task, self.store) is None

    def _stricter(self) -> Condition | None:
        """Return the time condition if a subclass may refuse a task that is due and ready; None otherwise."""
        is_plain = (
            getattr(self._should_run, "__func__", None) is TaskRegistry._should_run
            and getattr(self._deps_ready, "__func__", None) is TaskRegistry._deps_ready
        )
        return None if is_plain else self._should_run

    def _may_go_ahead(self, task: Task, now: datetime) -> bool:
        """Return whether `task`, if it is due at `now`, is ready: by its dependencies, or by a forced run."""
        if task.run_requested == "force":
            return True
        return self._deps_ready(task) and first_stale(task, self.store, now) is None

    def _may_still_start(self, task: Task, now: datetime) -> bool:
        """Return whether `task`, which a tick has found ready, may start at `now` also after a change since."""
        may_start = not self.is_paused and not is_unknown(task.func)
        return may_start and self._should_run(task, now) and self._may_go_ahead(task, now)

    # A run.

    def _execute(self, task: Task) -> None:
        """Run `task` and record the outcome, unless it is running, or may not start any more in its tick.

        With an executor, start the run: its outcome is recorded when it comes.
        Raises an interruption that came in this thread, as `tick` does; other errors of `func` are recorded only.
        """
        parts = self._parts
        session, runner = parts.session, parts.capacity.runner()
        if session is not None and not session.ensure_claimed(task):
            return
        if runner is None:
            parts.starter.run_inline(task)
        else:
            parts.starter.submit(task, runner)


_registries: "weakref.WeakSet[TaskRegistry]" = weakref.WeakSet()


def _start_over_after_fork() -> None:
    for registry in list(_registries):
        registry._parts.start_over_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_over_after_fork)
