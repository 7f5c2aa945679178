"""Dependencies of a task: cycles, successes that are missing, and results that it takes over."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.executors.call import Work
from est_alan_scheduler.fields.checks import near_miss
from est_alan_scheduler.planning.arguments import Accepts, argument_name
from est_alan_scheduler.schedules.due import is_retry_due
from est_alan_scheduler.schedules.state import armed
from est_alan_scheduler.task import Task

_MOST_COMPARED = 200  # ids, because the caller may hold the lock
_SHOWN = 10  # ids at each end of a long cycle


def inputs(task: Task) -> list[str]:
    """Return the ids of the tasks whose results `task` takes over: those in `depends_on`, then those in `after`."""
    fields = task.__dict__
    depends_on: list[str] = fields["depends_on"]
    after = fields.get("after")
    return depends_on if after is None else list(dict.fromkeys((*depends_on, *after)))


def acceptable(task: Task, work: Work) -> dict[str, str]:
    """Return the ids of the dependencies whose results the function of `task` can take, each with its argument."""
    func, args, kwargs, depends_on = work
    entry = task._entry
    accepts = None if entry is None else entry.accepts
    if accepts is None or accepts.func is not func or accepts.given != len(args):
        accepts = Accepts(func, len(args))
        if entry is not None:
            entry.accepts = accepts
    names = {task_id: argument_name(task_id) for task_id in depends_on}
    return {task_id: name for task_id, name in names.items() if name in accepts and name not in kwargs}


def take_results(
    task: Task, depends_on: Iterable[str], names: Mapping[str, str], store: Mapping[str, Task]
) -> dict[str, Any]:
    """Return the results of dependencies by argument, and note in `task` from which successes they are.

    The caller holds the lock: a result and its success belong together.
    """
    results, successes = {}, {}
    for task_id in depends_on:
        fields = store[task_id].__dict__ if task_id in store else {}
        if fields and task_id in names:
            results[names[task_id]] = fields["result"]
        if fields and fields["last_success_at"] is not None:
            successes[task_id] = fields["last_success_at"]
    task.__dict__["consumed"] = successes  # in every mode: "fresh" may be assigned later
    return results


def first_unmet(task: Task, store: Mapping[str, Task]) -> str | None:
    """Return the first of its `inputs` that is not registered or has never succeeded; None if there is none."""
    for task_id in inputs(task):
        dependency = store.get(task_id)
        if dependency is None or dependency.last_success_at is None:
            return task_id
    return None


def missing_text(task: Task, task_id: str, store: Mapping[str, Task]) -> str:
    """Return that an id is not registered, and in a registry of moderate size which similar one may be meant."""
    known = [other for other in list(store) if other != task.id] if len(store) <= _MOST_COMPARED else []
    return f"is not registered{near_miss(task_id, known)}"


def first_consumed(task: Task, store: Mapping[str, Task]) -> str | None:
    """Return the first id that has not succeeded anew since `task` took its result; None if all have.

    A success at another time is a new one, also at an earlier time: the clock may have been set back. Of `depends_on`,
    only with `depends_on_mode` "fresh".
    """
    if task.depends_on_mode == "fresh" and task.consumed is not None:
        for task_id in task.depends_on:
            if _is_consumed(task, task_id, store):
                return task_id
    return next(iter(lacking(task, store)), None)


def lacking(task: Task, store: Mapping[str, Task]) -> list[str]:
    """Return the ids in `after` that have not succeeded anew since `task` last started.

    If it has never started, any success counts, unless `run_immediately` is False: then one since its registration.
    None is lacking for a run that was requested.
    """
    after = task.__dict__.get("after")
    if after is None or task.run_requested is not None:
        return []
    return [task_id for task_id in after if _is_consumed(task, task_id, store) or _is_too_old(task, task_id, store)]


def _is_consumed(task: Task, task_id: str, store: Mapping[str, Task]) -> bool:
    """Return whether a run of `task` has used the last success of another one."""
    success, consumed = _success(task_id, store), (task.consumed or {}).get(task_id)
    return success is not None and consumed is not None and to_utc(success) == to_utc(consumed)


def _is_too_old(task: Task, task_id: str, store: Mapping[str, Task]) -> bool:
    """Return whether the last success of a task of which `task` has used none lies before what it has to follow.

    That is a run before the task was named in `after`, or the registration.
    """
    success = _success(task_id, store)
    if success is None or task_id in (task.consumed or ()):
        return False
    since = task.last_run_at
    if since is None and not task.run_immediately:
        since = armed(task)
    return since is not None and to_utc(success) < to_utc(since)


def _success(task_id: str, store: Mapping[str, Task]) -> datetime | None:
    dependency = store.get(task_id)
    return None if dependency is None else dependency.last_success_at


def first_stale(task: Task, store: Mapping[str, Task], now: datetime) -> str | None:
    """Return the first id that has to succeed anew before `task`, due at `now`, may run; None if there is none.

    A retry needs nothing new: it uses the results of the attempt before it.
    """
    return None if is_retry_due(task, now) else first_consumed(task, store)


def find_cycle(task: Task, store: Mapping[str, Task]) -> list[str] | None:
    """Return the ids along a shortest cycle of dependencies through `task`, from its id to its id; None without one.

    Each task is looked at once, and no path is copied: the caller may hold the lock.
    """
    dependents: dict[str, str] = {}  # of each id reached, the nearer one to `task`
    queue = deque([task])
    while queue:
        current = queue.popleft()
        for task_id in inputs(current):
            if task_id == task.id:
                cycle = [task_id, current.id]
                while cycle[-1] != task.id:
                    cycle.append(dependents[cycle[-1]])
                return cycle[::-1]
            dependency = store.get(task_id)
            if dependency is not None and task_id not in dependents:
                dependents[task_id] = current.id
                queue.append(dependency)
    return None


def cycle_text(cycle: list[str]) -> str:
    """Return the ids along a cycle in one line; of a long one, both ends."""
    left_out = len(cycle) - 2 * _SHOWN
    if left_out <= 1:
        return " -> ".join(cycle)
    return " -> ".join([*cycle[:_SHOWN], f"({left_out} more)", *cycle[-_SHOWN:]])
