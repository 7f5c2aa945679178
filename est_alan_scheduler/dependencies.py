"""What a task has to do with the tasks it depends on: circles, readiness, and the results it takes over."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from est_alan_scheduler.task import Task


class Accepts:
    """The keyword arguments that a function can take beside the positional ones it is given."""

    __slots__ = ("_any", "_names", "_taken")

    def __init__(self, func: Callable[..., Any], given: int) -> None:
        """Read the signature of `func`, `given` of whose positional arguments are taken. If it has none: no names."""
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


def results_for(task: Task, store: Mapping[str, Task]) -> dict[str, Any]:
    """Return the results of the dependencies of `task` by argument name, as far as its function can take them."""
    accepts = task._accepts
    if accepts is None:
        accepts = task._accepts = Accepts(task.func, len(task.args))
    results = {}
    for task_id in task.depends_on:
        name = argument_name(task_id)
        dependency = store.get(task_id)
        if dependency is not None and name in accepts and name not in task.kwargs:
            results[name] = dependency.result
    return results


def first_unmet(task: Task, store: Mapping[str, Task]) -> str | None:
    """Return the first id in `depends_on` that is not registered or has not succeeded yet."""
    for task_id in task.depends_on:
        dependency = store.get(task_id)
        if dependency is None or dependency.last_success_at is None:
            return task_id
    return None


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
