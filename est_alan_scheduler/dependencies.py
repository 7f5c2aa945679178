"""What a task has to do with the tasks it depends on: circles, readiness, and the results it takes over."""

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from est_alan_scheduler.local_time import to_utc
from est_alan_scheduler.run import Work
from est_alan_scheduler.task import Task


class Accepts:
    """The keyword arguments that a function can take beside the positional ones it is given."""

    __slots__ = ("_any", "_names", "_taken", "func", "given")

    def __init__(self, func: Callable[..., Any], given: int) -> None:
        """Read the signature of `func`, `given` of whose positional arguments are taken. If it has none: no names."""
        self.func = func
        self.given = given
        try:
            parameters = list(inspect.signature(func).parameters.values())
        except (TypeError, ValueError):  # some builtins
            parameters = []
        by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        bound = func.keywords if isinstance(func, functools.partial) else {}
        self._taken = {*by_position[:given], *bound}
        self._names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        self._any = any(p.kind is p.VAR_KEYWORD for p in parameters)

    def __contains__(self, name: str) -> bool:
        return name not in self._taken and (self._any or name in self._names)


def argument_name(task_id: str) -> str:
    """Return the name of the keyword argument that carries the result of a dependency."""
    return f"dep_{task_id}"


def results_for(task: Task, work: Work, store: Mapping[str, Task]) -> dict[str, Any]:
    """Return the results of the dependencies of `task` by argument name, as far as its function can take them."""
    func, args, kwargs, depends_on = work
    accepts = task._accepts
    if accepts is None or accepts.func is not func or accepts.given != len(args):
        accepts = task._accepts = Accepts(func, len(args))
    results = {}
    for task_id in depends_on:
        name = argument_name(task_id)
        dependency = store.get(task_id)
        if dependency is not None and name in accepts and name not in kwargs:
            results[name] = dependency.result
    return results


def first_unmet(task: Task, store: Mapping[str, Task]) -> str | None:
    """Return the first id in `depends_on` that is not registered or has not succeeded, be it ever or since then."""
    since = succeeded_since(task)
    for task_id in task.depends_on:
        dependency = store.get(task_id)
        if dependency is None or not has_succeeded(dependency, since):
            return task_id
    return None


def succeeded_since(task: Task) -> datetime | None:
    """Return the moment after which the dependencies of `task` must have succeeded; None if ever is enough.

    With `depends_on_mode="fresh"` that is its last start: a success at that very moment has been made use of. A retry
    goes on with what the attempt before it had.
    """
    return task.last_run_at if task.depends_on_mode == "fresh" and task.retry_at is None else None


def has_succeeded(dependency: Task, since: datetime | None) -> bool:
    """Tell whether a task has succeeded, `since` a moment if there is one."""
    success = dependency.last_success_at
    return success is not None and (since is None or to_utc(success) > to_utc(since))


def find_circle(task: Task, store: Mapping[str, Task]) -> list[str] | None:
    """Return the ids along a circle of dependencies through `task`, from its id to its id; None if there is none."""
    paths = [[task.id, dependency] for dependency in reversed(task.depends_on)]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        last = path[-1]
        if last == task.id:
            return path
        if last not in seen and last in store:
            seen.add(last)
            paths.extend([*path, dependency] for dependency in reversed(store[last].depends_on))
    return None
