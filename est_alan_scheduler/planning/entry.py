"""Entry of a task in a registry: all that the registry knows beside the fields of the task."""

import gc
import weakref
from datetime import datetime
from typing import Any

from typing_extensions import override

from est_alan_scheduler.schedules.state import ScheduleState
from est_alan_scheduler.task import Task


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

    def __init__(self, task: Task, agenda: weakref.ref[Any]) -> None:
        super().__init__()
        self.task = task
        self.agenda: weakref.ref[Any] | None = agenda  # of the `Agenda`; None once the task was dropped
        self.order = 0  # of registration
        self.is_simple = False  # its task has a steady due moment, and no dependencies
        self.slot: datetime | None = None  # the one for which a tick last found it ready
        self.started = 0  # the number of its latest start, among all starts
        self.counters: Any = None  # of its runs, from the first one on: the recorder keeps them here
        self.accepts: Any = None  # the arguments that its function takes, once they are needed
        self.clear_place()

    def clear_place(self) -> None:
        """Take the entry off the agenda, whose own parts are made anew."""
        self.due: datetime | None = None  # the moment under which it is filed
        # The same, if the task need not be checked again when that has come: most tasks that are due in one tick lie
        # far apart in memory, and a second look at each of them makes a short run a tenth slower.
        self.sure_slot: datetime | None = None
        self.ready_at: datetime | None = None  # the very `now` of the tick that found it ready
        self.waits_for: str | None = None  # the id of a dependency that has not succeeded

    @property
    def is_dropped(self) -> bool:
        """Whether its registry no longer has the task, or has another entry of it."""
        return self.agenda is None

    @override
    def changed(self) -> None:
        agenda = None if self.agenda is None else self.agenda()
        if agenda is not None:
            agenda.note_task(self.task)

    def is_held(self) -> bool:
        """Tell whether the registry of this entry is alive and has the task in its store."""
        if not self._is_in_store():
            return False
        gc.collect()  # the parts of a registry refer to each other, so an unused one lives until a collection
        return self._is_in_store()

    def _is_in_store(self) -> bool:
        agenda = None if self.agenda is None else self.agenda()
        return agenda is not None and agenda.store.get(self.task.id) is self.task
