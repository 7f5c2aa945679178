"""The dict behind `registry.store`: it reports each change of its keys."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import call
from typing import Any, SupportsIndex

from typing_extensions import override

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError, SchedulerError
from est_alan_scheduler._support.text import listed, short_repr
from est_alan_scheduler.fields.checks import near_miss
from est_alan_scheduler.planning.entry import Holder, check_unheld, own
from est_alan_scheduler.task import Task

_MOST_COMPARED = 10_000  # ids: a comparison with all of a large registry takes too long


class UnknownTaskError(SchedulerError, KeyError):
    """No task of that id is registered. `args[0]` is the id; the text suggests a similar one.

    With a backend, other instances may have the task; `reason` says why this one has not.
    """

    def __init__(self, task_id: object, known: Iterable[str] = (), reason: str | None = None) -> None:
        super().__init__(task_id)
        self._known = known
        self._text: str | None = None
        if reason is not None:
            self._text = f"task {short_repr(task_id)} of the backend can only be removed here: {reason}"

    @classmethod
    def of(cls, ids: Sequence[str], known: Iterable[str]) -> "UnknownTaskError":
        """Return the error about one unknown id, or about several, of which it has the first."""
        error = cls(ids[0], known)
        if len(ids) > 1:
            error._text = f"no tasks {listed(ids)} are registered"
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        state = {**self.__dict__, "_text": str(self), "_known": ()}  # without all ids of the registry
        return type(self), self.args, state

    def __str__(self) -> str:
        if self._text is None:  # not before it is read: the search takes time, and most of these errors are caught
            hint = near_miss(self.args[0], list(self._known)[:_MOST_COMPARED])
            self._text, self._known = f"no task {short_repr(self.args[0])} is registered{hint}", ()
        return self._text


class TaskDict(dict[str, Task]):
    """Tasks by id, in registration order: a dict that reports each edit to its holder.

    Raises `TypeError` for a value that is no Task, `ValueError` for one that is put in under another key than its id,
    or that belongs to another registry.
    """

    __slots__ = ("_holder",)

    def __init__(self, tasks: Mapping[str, Task], holder: Holder) -> None:
        self._holder = holder
        super().__init__(self._checked(tasks))
        for task in self.values():
            own(task, holder.reference)

    def __missing__(self, key: str) -> Task:
        raise UnknownTaskError(key, self)

    def __setitem__(self, key: str, task: Task) -> None:
        self._check(key, task)
        is_new = key not in self
        own(task, self._holder.reference)
        super().__setitem__(key, task)
        self._holder.note_key(key, is_new)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._holder.note_key(key, True)

    @override
    def pop(self, key: str, *default: Any) -> Any:
        task = super().pop(key, *default)
        self._holder.note_key(key, True)
        return task

    @override
    def popitem(self) -> tuple[str, Task]:
        key, task = super().popitem()
        self._holder.note_key(key, True)
        return key, task

    @override
    def clear(self) -> None:
        super().clear()
        self._holder.note_all()

    @override
    def setdefault(self, key: str, task: Any = None) -> Task:
        if key not in self:
            self[key] = task
        return self[key]

    @override
    def update(self, *others: Any, **named: Task) -> None:
        for key, task in self._checked(dict(*others, **named)).items():
            self[key] = task

    def __ior__(self, other: Mapping[str, Task] | Iterable[tuple[str, Task]]) -> "TaskDict":  # type: ignore[override,misc]  # dict has two overloads, one body serves both
        self.update(other)
        return self

    def sort(self, key: Callable[[Task], Any]) -> None:
        """Bring the tasks into another order, in place, and report nothing.

        Other threads read the dict without a lock, and no task is missing to them meanwhile: two calls of C code that a
        third one makes are one step to other threads.
        """
        ordered = {task.id: task for task in sorted(self.values(), key=key)}
        if list(ordered) != list(self):
            list(map(call, (partial(dict.clear, self), partial(dict.update, self, ordered))))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy reports nothing

    def _checked(self, tasks: Mapping[str, Task]) -> Mapping[str, Task]:
        for key, task in tasks.items():
            self._check(key, task)
        return tasks

    def _check(self, key: object, task: object) -> None:
        if not isinstance(task, Task):
            raise InvalidTypeError(f"store[{key!r}] must be a Task, got {task!r}")
        if key != task.id:
            raise InvalidValueError(f"store[{key!r}] must be the task of that id, got the task {task.id!r}")
        check_unheld(task, self._holder.reference)
