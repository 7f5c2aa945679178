"""The registry: it takes tasks in, decides on each tick which are due and ready, runs them, records what came of it."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from threading import get_ident
from types import CoroutineType
from typing import Any, TypeVar

from est_alan_scheduler.agenda import Agenda, Entry
from est_alan_scheduler.dependencies import argument_name, find_circle, first_unmet, results_for
from est_alan_scheduler.explanation import describe_options, explain
from est_alan_scheduler.local_time import to_utc
from est_alan_scheduler.log import log
from est_alan_scheduler.portable import error_text, short_repr
from est_alan_scheduler.store import Store
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.timing import first_run, is_due, read_schedule

_Func = TypeVar("_Func", bound=Callable[..., Any])
_Run = tuple[Task, datetime, TaskStatus, Entry | None]  # the task, its start, its status before, its entry

# Looking up a member of an enum takes longer than comparing it.
_RUNNING, _SUCCESS, _FAILED = TaskStatus.RUNNING, TaskStatus.SUCCESS, TaskStatus.FAILED
_SUCCESS_TEXT, _FAILED_TEXT = _SUCCESS.value, _FAILED.value

_order = attrgetter("order")


class _Here(threading.local):
    """What this thread is doing: whose turn it is in its tick, what that tick has decided on, the runs it is in."""

    entry: Entry | None = None
    now = datetime.min
    changes = 0
    starts = 0

    def __init__(self, runs_by_thread: dict[int, list[_Run]]) -> None:
        self.runs: list[_Run] = []  # nested, if a task ticks or executes another one
        runs_by_thread[get_ident()] = self.runs


class TaskRegistry:
    """Tasks, and what to do about them on each `tick`.

    `_lock`, a plain lock, guards the agenda, the runs under way and the record of a run. It is held for moments, and
    never while user code runs (`func`, a `repr`, a logging handler, a `__del__`). Needing no lock, the store and the
    fields of tasks may be edited from any thread: an edit is noted, and the next tick works it in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agenda = Agenda()
        self._runs: dict[int, list[_Run]] = {}  # under way, by thread
        self._here = _Here(self._runs)
        self._wakers: tuple[Callable[[], None], ...] = ()  # called when a task is registered
        self._warned: set[str] = set()  # missing dependencies that the log has told of
        _registries.add(self)

    # The tasks.

    @property
    def store(self) -> Store:
        """All tasks by id, in registration order. It may be edited directly, or replaced by another mapping."""
        return self._agenda.store

    @store.setter
    def store(self, tasks: Mapping[str, Task]) -> None:
        self._agenda.store = Store(tasks, self._agenda.note_key, self._agenda.note_all)
        self._agenda.note_all()

    def register(self, task: Task) -> Task:
        """Take in `task` and return it. Its first slot may come with the next tick.

        Raises `ValueError`, and registers nothing, unless the task has exactly one of `every`, `at`, `run_at`; if its
        id is taken; if it closes a circle of dependencies; if a `dep_<id>` argument collides with a key of `kwargs`.
        """
        _check(task)
        with self._lock, self._agenda as agenda:
            now = self._now()
            agenda.work_in(now)
            agenda.see(now)
            refusal = self._refuse(task)
            if refusal is None:
                dict.__setitem__(self.store, task.id, task)
                agenda.add(task, now)
                self._warned.discard(task.id)
        if refusal is not None:
            raise ValueError(refusal)
        for wake in self._wakers:
            wake()
        return task

    def task(self, **fields: Any) -> Callable[[_Func], _Func]:
        """Register the decorated function as `func` of a task with these fields; it stays callable as it is."""

        def decorate(func: _Func) -> _Func:
            self.register(Task(func=func, **fields))
            return func

        return decorate

    def get(self, task_id: str) -> Task | None:
        """Return the task of that id, None if there is none."""
        return self.store.get(task_id)

    def remove(self, task_id: str) -> Task:
        """Take out the task of that id and return it; `KeyError` with the id if there is none.

        A run of it that is under way ends as usual. Tasks that depend on it wait until the id is registered again and
        has succeeded.
        """
        with self._lock, self._agenda as agenda:
            agenda.work_in(self._now())
            task = dict.get(self.store, task_id)
            if task is not None:
                dict.__delitem__(self.store, task_id)
                agenda.drop(task_id)
        if task is None:
            raise KeyError(task_id)
        return task

    def __len__(self) -> int:
        return len(self.store)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self.store

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self.store.values()))

    def why_not(self, task_id: str) -> str:
        """Return in one sentence why the task is not running now; `KeyError` with the id if there is none."""
        return explain(self.store[task_id], self.store, self._now())

    # The clockwork.

    def tick(self) -> None:
        """Run, one by one in registration order, the tasks that are due and ready now.

        The clock is read once, and what to run is decided on the state as it stands: a task whose dependency succeeds
        in this tick runs in the next one. What a task raises is recorded. Only what is neither an `Exception` nor
        `SystemExit` (Ctrl+C, a cancellation) is raised again; the next tick runs the tasks that it cut off.
        """
        with self._lock, self._agenda as agenda:
            now = self._now()  # under the lock, so that no tick takes the time of an earlier one for a step back
            agenda.work_in(now)
            ready, missing = self._decide(now)
            changes, starts = agenda.changes, agenda.starts
            dropped = agenda.take_dropped()
        del dropped
        if missing:
            self._warn_of(missing)
        if not ready:
            return
        here = self._here
        outer, depth = (here.entry, here.now, here.changes, here.starts), len(here.runs)
        try:
            here.now, here.changes, here.starts = now, changes, starts
            for entry in ready:
                here.entry = entry
                self._execute(entry.task)
        finally:
            here.entry, here.now, here.changes, here.starts = outer
            self._close_runs(depth)
            with self._lock, agenda:
                agenda.close(ready, now)

    def idle_seconds(self) -> float | None:
        """Return the seconds until a task may be due, 0 if one may be due now; None if none is planned."""
        with self._lock, self._agenda as agenda:
            now = self._now()
            agenda.work_in(now)
            utc = agenda.see(now)
            moment = agenda.next_moment()
        return None if moment is None else max(0.0, (moment - utc).total_seconds())

    def add_waker(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever a task is registered: it is for a loop that waits."""
        with self._lock:
            self._wakers = (*self._wakers, wake)

    def remove_waker(self, wake: Callable[[], None]) -> None:
        """Take back what `add_waker` did."""
        with self._lock:
            self._wakers = tuple(other for other in self._wakers if other != wake)

    def _now(self) -> datetime:
        """Read the clock: the only place."""
        return datetime.now()

    def _should_run(self, task: Task, now: datetime) -> bool:
        """Tell whether a slot of `task` has come by `now` that no run has covered: the time condition alone."""
        return is_due(task, now)

    def _deps_ready(self, task: Task) -> bool:
        """Tell whether every id in `depends_on` is registered and has succeeded at least once."""
        return not task.depends_on or first_unmet(task, self.store) is None

    def _refuse(self, task: Task) -> str | None:
        """Return why the store cannot take `task`, None if it can."""
        if task.id in self.store:
            return f"Task with id {task.id!r} already registered."
        # Nobody is led back to an id that nobody depends on.
        may_close = task.id in self._agenda.wanted or task.id in task.depends_on
        circle = find_circle(task, self.store) if may_close else None
        return f"Task {task.id!r} would depend on itself: {' -> '.join(circle)}" if circle else None

    def _decide(self, now: datetime) -> tuple[list[Entry], list[str]]:
        """Return what to start, and the ids of dependencies that turned out to be missing."""
        agenda = self._agenda
        ready: list[Entry] = []
        missing = []
        for entry in agenda.take(agenda.see(now)):
            task = entry.task
            if task.__dict__["status"] is _RUNNING:
                agenda.take_off(entry)
            elif not self._should_run(task, now):
                # A due moment is a lower bound; only a subclass can refuse a task that is due.
                if is_due(task, now):
                    agenda.hold(entry)
                else:
                    agenda.file_anew(entry, now)
            elif not self._deps_ready(task):
                dependency = first_unmet(task, self.store)
                if dependency is None:
                    agenda.hold(entry)
                    continue
                agenda.wait(entry, dependency)
                if dependency not in self.store:
                    missing.append(dependency)
            else:
                entry.ready_at = now
                ready.append(entry)
        if ready:
            ready.sort(key=_order)
            agenda.batches.append(ready)
        return ready, missing

    # A run.

    def _execute(self, task: Task) -> None:
        """Run `task` and record the outcome, unless it is running, or its tick finds that it may not start any more.

        Raises what `func` raised only if that is neither an `Exception` nor `SystemExit`.
        """
        try:
            try:
                if not self._start(task):
                    return
                fields = task.__dict__
                if fields["depends_on"]:
                    result = fields["func"](*task.args, **task.kwargs, **results_for(task, self.store))
                else:
                    result = fields["func"](*fields["args"], **fields["kwargs"])
                if isinstance(result, CoroutineType):
                    result.close()
                    raise TypeError("func is a coroutine function, which nothing awaits here: wrap it in asyncio.run")
                self._finish(task, result, None)
            except (Exception, SystemExit) as error:
                self._fail(task, error)
        except BaseException as error:  # also a Ctrl+C in the middle of a record
            self._fail(task, error)
            raise

    def _start(self, task: Task) -> bool:
        """Mark `task` as running, if it may start."""
        agenda, here, fields = self._agenda, self._here, task.__dict__
        entry = here.entry
        if entry is not None and entry.task is task:
            here.entry, now = None, here.now
        else:
            entry = None
        with self._lock:
            try:
                if entry is None:
                    now = self._now()
                    if fields["status"] is _RUNNING:
                        return False
                    agenda.see(now)
                    entry = agenda.entries.get(task.id)
                elif agenda.notes or agenda.changes != here.changes:
                    agenda.work_in(now)
                    agenda.horizon.see(now, to_utc(now))  # the clock may have gone back since the tick began
                    entry = agenda.entries.get(task.id)
                    if entry is None or entry.task is not task or fields["status"] is _RUNNING:
                        return False
                    if entry.started > here.starts:
                        return False  # it has run since
                    if not (self._should_run(task, now) and self._deps_ready(task)):
                        agenda.file_anew(entry, now)
                        return False
                elif entry.ready_at is not now:
                    return False  # another tick has found it ready since: it has started it, or will
                if entry is not None and entry.task is not task:
                    entry = None  # not the registered task of that id
                if entry is not None:
                    agenda.start(entry)
                here.runs.append((task, now, fields["status"], entry))
                fields["first_run_at"] = first_run(task, now)
                fields["last_run_at"] = now
                fields["status"] = _RUNNING
            except BaseException:  # as `with agenda` does, without its cost
                agenda.note_all()
                raise
        return True

    def _finish(self, task: Task, result: Any, error: BaseException | None) -> None:
        """Record the outcome of the run of `task` that is under way in this thread."""
        agenda, runs, fields = self._agenda, self._here.runs, task.__dict__
        finished_at = self._now()
        if error is None:
            status, word, text, message = _SUCCESS, _SUCCESS_TEXT, short_repr(result), None
        else:
            status, word, text, message = _FAILED, _FAILED_TEXT, None, error_text(error)
        if runs[-1][0] is not task:
            self._close_runs(1 + max(depth for depth, run in enumerate(runs) if run[0] is task))
        _, now, _, entry = runs[-1]
        run = {"run_at": now, "finished_at": finished_at, "status": word, "result": text, "error": message}
        # Let go of without the lock: the `__del__` of an old result is user code.
        replaced = fields["result"], fields["error"]
        trimmed = None
        with self._lock:
            try:
                fields["error"] = error
                fields["error_message"] = message
                if error is None:
                    fields["result"] = result
                    fields["last_success_at"] = finished_at
                    if agenda.waiting:
                        agenda.wake(task.id, now)
                fields["status"] = status
                history = fields["history"]
                history.append(run)
                surplus = len(history) - fields["history_limit"]
                if surplus > 0:
                    trimmed = history[:surplus]
                    del history[:surplus]
                if entry is None or entry.is_dropped:  # it may have been registered anew, or the agenda rebuilt
                    entry = agenda.entries.get(task.id)
                if entry is not None and entry.task is task:
                    agenda.file(entry, now)
                runs.pop()
            except BaseException:
                agenda.note_all()
                raise
        del replaced, trimmed
        if task._watchers is not agenda.watchers:  # it is registered elsewhere, too
            for told in task._watchers:
                told(task)

    def _fail(self, task: Task, error: BaseException) -> None:
        """Record the run of `task` as failed, if it is still under way in this thread."""
        runs = self._here.runs
        if not runs or runs[-1][0] is not task:
            return
        if task.history and task.history[-1].get("run_at") is runs[-1][1]:
            task.history.pop()  # half a record
        self._finish(task, None, error)
        log(logging.ERROR, f"Task {task.id!r} failed: {task.error_message}", error)

    def _close_runs(self, depth: int) -> None:
        """Record the runs of this thread above `depth` as failed: a second interruption cut their record off."""
        runs = self._here.runs
        while len(runs) > depth:
            self._fail(runs[-1][0], RuntimeError("interrupted while its outcome was being recorded"))

    def _warn_of(self, missing: list[str]) -> None:
        for task_id in missing:
            if task_id not in self._warned:
                self._warned.add(task_id)
                log(logging.WARNING, f"Task {task_id!r} is not registered, but others depend on it and wait.")

    def _start_over_after_fork(self) -> None:
        """In a child process: the other threads are gone, with the locks they held and the runs they were in."""
        self._lock = threading.Lock()
        self._wakers = ()
        for thread in [thread for thread in self._runs if thread != get_ident()]:
            for task, _, status_before, _ in reversed(self._runs.pop(thread)):
                task.__dict__["status"] = status_before
        self._agenda.note_all()


def _check(task: Task) -> None:
    if not isinstance(task, Task):
        raise TypeError(f"only a Task can be registered, got {short_repr(task)}")
    if read_schedule(task) is None:
        raise ValueError(
            f"Task must specify exactly one of every / at / run_at, {describe_options(task)} (task {task.id!r})."
        )
    for task_id in task.depends_on:
        name = argument_name(task_id)
        if name in task.kwargs:
            raise ValueError(f"kwargs of task {task.id!r} hold {name!r}, where the result of {task_id!r} would go.")


_registries: "weakref.WeakSet[TaskRegistry]" = weakref.WeakSet()


def _start_over_after_fork() -> None:
    for registry in list(_registries):
        registry._start_over_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_over_after_fork)
