"""Entry of a task in a registry: all that the registry knows beside the fields of the task."""

import gc
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from typing_extensions import override

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler.schedules.state import ScheduleState
from est_alan_scheduler.task import Task


class Holder(Protocol):
    """The agenda that tasks belong to. It notes each change, lock-free: the caller may hold the registry's lock."""

    reference: "weakref.ref[Holder]"
    read_clock: Callable[[], datetime] | None

    @property
    def store(self) -> Mapping[str, Task]:
        """All tasks of the registry."""

    def note_task(self, task: Task) -> None:
        """Note that a field of `task` was assigned."""

    def note_key(self, key: str, moved: bool) -> None:
        """Note that a key of the store was edited; `moved`: its place in the order is new or gone."""

    def note_all(self) -> None:
        """Note that any key of the store may have been edited."""


class Entry(ScheduleState):
    """A task's place on the agenda: filed under a moment, found ready by a tick, waiting for a dependency, or none."""

    __slots__ = (
        "accepts",
        "agenda",
        "counters",
        "due",
        "is_simple",
        "order",
        "ready_at",
        "slot",
        "started",
        "sure_slot",
        "task",
        "waits_for",
    )

    due: datetime | None  # the moment under which it is filed
    # The same, if the task need not be checked again when that has come: most tasks that are due in one tick lie far
    # apart in memory, and a second look at each of them makes a short run a tenth slower.
    sure_slot: datetime | None
    ready_at: datetime | None  # the very `now` of the tick that found it ready
    waits_for: str | None  # the id of a dependency that has not succeeded

    def __init__(self, task: Task, agenda: weakref.ref[Holder]) -> None:
        # In line: each registration makes an entry.
        self.schedule = self.armed = self.coverage = self.tried = self.void = self.worked_out = None
        self.task = task
        self.agenda: weakref.ref[Holder] | None = agenda  # None once the task was dropped
        self.order = 0  # of registration
        self.is_simple = False  # its task has a steady due moment, and no dependencies
        self.slot: datetime | None = None  # the one for which a tick last found it ready
        self.started = 0  # the number of its latest start, among all starts
        self.counters: Any = None  # of its runs, from the first one on: the recorder keeps them here
        self.accepts: Any = None  # the arguments that its function takes, once they are needed
        self.due = self.sure_slot = self.ready_at = self.waits_for = None

    def clear_place(self) -> None:
        """Take the entry off the agenda, whose own parts are made anew."""
        self.due = self.sure_slot = self.ready_at = self.waits_for = None

    @property
    def is_dropped(self) -> bool:
        """Whether its registry no longer has the task, or has another entry of it."""
        return self.agenda is None

    @override
    def changed(self) -> None:
        agenda = None if self.agenda is None else self.agenda()
        if agenda is not None:
            agenda.note_task(self.task)

    @override
    def read_clock(self) -> datetime | None:
        agenda = None if self.agenda is None else self.agenda()
        return None if agenda is None or agenda.read_clock is None else agenda.read_clock()

    def drop(self) -> None:
        """Note that the registry no longer has the task; its own state is left with it."""
        self.agenda = None
        if self.task._entry is self:
            left = ScheduleState()  # not this entry: the two would keep each other from being freed at once
            left.armed, left.coverage, left.tried, left.void = self.armed, self.coverage, self.tried, self.void
            _set_entry(self.task, left)

    def is_owned(self) -> bool:
        """Return whether the registry of this entry is alive and has the task in its store."""
        if not self._is_in_store():
            return False
        gc.collect()  # the parts of a registry refer to each other, so an unused one lives until a collection
        return self._is_in_store()

    def _is_in_store(self) -> bool:
        agenda = None if self.agenda is None else self.agenda()
        return agenda is not None and agenda.store.get(self.task.id) is self.task


_set_entry = Task.__dict__["_entry"].__set__  # an assignment would pass through the validation of fields


def own(task: Task, agenda: "weakref.ref[Holder]") -> Entry:
    """Return the entry of a task in the registry of an agenda, a new one if there is none.

    A task that is taken out of a store and put back keeps the start of its slots, what is known of its runs, and the
    slot of its retry.
    """
    former = task._entry
    if isinstance(former, Entry) and former.agenda is agenda:
        return former
    entry = Entry(task, agenda)
    if former is not None:
        entry.armed, entry.coverage, entry.tried, entry.void = former.armed, former.coverage, former.tried, former.void
    _set_entry(task, entry)
    return entry


def check_unheld(task: Task, agenda: "weakref.ref[Holder]") -> None:
    """Raise `ValueError` if a task belongs to another registry than that of an agenda."""
    entry = task._entry
    if isinstance(entry, Entry) and entry.agenda is not agenda and entry.is_owned():
        raise InvalidValueError(
            f"task {task.id!r} belongs to another registry: remove it there, or register a copy, task.model_copy()"
        )
