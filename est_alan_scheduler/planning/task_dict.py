"""The dict behind `registry.store`: it reports each change of its keys."""
# ruff: noqa: D102  # the methods do what those of a dict do

from collections.abc import Callable, Iterable, Mapping
from typing import Any, SupportsIndex

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields.checks import near_miss
from est_alan_scheduler.task import Task

_MOST_COMPARED = 10_000  # ids: comparing a text with many others takes its time


class UnknownTaskError(KeyError):
    """No task of that id is registered. `args[0]` is the id; the text suggests one that is nearly the same.

    With a backend it may be there for others, and `reason` says why it is not here.
    """

    def __init__(self, task_id: object, known: Iterable[str] = (), reason: str | None = None) -> None:
        super().__init__(task_id)
        self._known = known
        self._text: str | None = None
        if reason is not None:
            self._text = f"task {short_repr(task_id)} of the backend can only be removed here: {reason}"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {**self.__dict__, "_text": str(self), "_known": ()}  # which was all that is registered
        return type(self), self.args, state

    def __str__(self) -> str:
        if self._text is None:  # only now: most are caught, and it takes time
            hint = near_miss(self.args[0], list(self._known)[:_MOST_COMPARED])
            self._text, self._known = f"no task {short_repr(self.args[0])} is registered{hint}", ()
        return self._text


class TaskDict(dict[str, Task]):
    """Tasks by id, in registration order: a dict whose every way of editing reports what it did.

    `changed(id, moved)` after each key, where `moved` says that its place in the order is new or gone; `cleared()`
    after all. They are called on the editing thread, perhaps by code that holds the registry's lock, so they must
    neither block nor raise.
    Raises `TypeError` for a value that is no Task, `ValueError` for one that is put in under another key than its id.
    """

    __slots__ = ("_changed", "_cleared")

    def __init__(
        self, tasks: Mapping[str, Task], changed: Callable[[str, bool], None], cleared: Callable[[], None]
    ) -> None:
        super().__init__(_checked(tasks))
        self._changed = changed
        self._cleared = cleared

    def __missing__(self, key: str) -> Task:
        raise UnknownTaskError(key, self)

    def __setitem__(self, key: str, task: Task) -> None:
        _check(key, task)
        is_new = key not in self
        super().__setitem__(key, task)
        self._changed(key, is_new)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._changed(key, True)

    def pop(self, key: str, *default: Any) -> Any:
        task = super().pop(key, *default)
        self._changed(key, True)
        return task

    def popitem(self) -> tuple[str, Task]:
        key, task = super().popitem()
        self._changed(key, True)
        return key, task

    def clear(self) -> None:
        super().clear()
        self._cleared()

    def setdefault(self, key: str, task: Any = None) -> Task:
        if key not in self:
            self[key] = task
        return self[key]

    def update(self, *others: Any, **named: Task) -> None:
        for key, task in _checked(dict(*others, **named)).items():
            self[key] = task

    def __ior__(self, other: Mapping[str, Task] | Iterable[tuple[str, Task]]) -> "TaskDict":  # type: ignore[override,misc]  # dict has two overloads, one body serves both
        self.update(other)
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy reports to nobody


def _checked(tasks: Mapping[str, Task]) -> Mapping[str, Task]:
    for key, task in tasks.items():
        _check(key, task)
    return tasks


def _check(key: object, task: object) -> None:
    if not isinstance(task, Task):
        raise TypeError(f"store[{key!r}] must be a Task, got {task!r}")
    if key != task.id:
        raise ValueError(f"store[{key!r}] must be the task of that id, got the task {task.id!r}")
