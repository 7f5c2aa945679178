"""Changes of plan: what is done to tasks while they are scheduled, here and in a backend."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from est_alan_scheduler.events.event import Event
from est_alan_scheduler.fields.checks import check_task_id
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.registration import refusal_of_change
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.runs.recorder import RunBook
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import Ledger

_TRIES = 5  # to change a task that others change at the same moment


class Management:
    """Changes, pauses and removes the tasks of a registry, from any thread, and tells the subscribers.

    With a backend it does so there, for all instances, and `BackendUnavailableError` leaves everything as it was.
    The registry's lock guards the tasks and whether all are paused; the backend is never asked under it.
    """

    def __init__(
        self, agenda: Agenda, book: RunBook, read_clock: Callable[[], datetime], wake: Callable[[], None]
    ) -> None:
        self._agenda = agenda
        self._book = book
        self._read_clock = read_clock
        self._wake = wake
        self.ledger: Ledger | None = None  # with a backend
        self._is_paused = False  # all of it, by this registry alone

    def update(self, task_id: str, changes: Mapping[str, Any]) -> Task:
        """Do what `TaskRegistry.update` says."""
        check_task_id(task_id)
        self.catch_up(task_id)
        agenda, ledger = self._agenda, self.ledger
        for _ in range(_TRIES):
            before = agenda.store.get(task_id)
            if before is None:
                raise self._unknown(task_id)
            values = before._validated(changes)
            if ledger is not None:
                ledger.edits.check(before.model_copy(update=values))
            replaced = refused = armed = None
            with _turn(ledger):
                with self._book.lock, agenda:
                    task = dict.get(agenda.store, task_id)
                    if task is not None:
                        refused = refusal_of_change(task, values, agenda.store)
                        if refused is None:
                            armed = task._armed
                            replaced = task._store(values)
                if task is None:
                    raise self._unknown(task_id)
                if refused is not None:
                    raise ValueError(refused)
                if ledger is None or ledger.edits.publish(task, replaced or {}, armed):
                    break
        else:
            raise RuntimeError(f"task {task_id!r} was not changed: others changed it {_TRIES} times meanwhile")
        del replaced  # without the lock: the `__del__` of an argument is user code
        self.announce("updated", task.id)
        return task

    def set(self, task_id: str, field: str, value: Any, event: str | None = None) -> Task:
        """Set a field that needs no check, unless it has that value or `"force"`; return the task."""
        check_task_id(task_id)
        self.catch_up(task_id)
        ledger = self.ledger
        with self._book.lock, self._agenda:
            task = dict.get(self._agenda.store, task_id)
            is_changed = task is not None and task.__dict__[field] not in (value, "force")
            if task is not None and is_changed and ledger is None:
                task._store({field: value})
        if task is None or (ledger is not None and is_changed and not ledger.edits.manage(task, field, value)):
            raise self._unknown(task_id)
        if is_changed:
            self.announce(event, task_id)
        return task

    def remove(self, task_id: str) -> Task | None:
        """Do what `TaskRegistry.remove` says."""
        check_task_id(task_id)
        store, ledger = self._agenda.store, self.ledger
        with _turn(ledger):
            self.catch_up(task_id)
            is_shared = task_id in self.unresolved()
            if ledger is not None and (is_shared or task_id in store):
                ledger.tasks.remove(task_id)
            with self._book.lock, self._agenda as agenda:
                agenda.work_in(self._read_clock())
                task = dict.get(agenda.store, task_id)
                if task is not None:
                    dict.__delitem__(agenda.store, task_id)
                    agenda.drop(task_id)
        if task is None and not is_shared:
            raise UnknownTaskError(task_id, store)
        self.announce("removed", task_id)
        return task

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to start, with a backend as far as it has been seen."""
        ledger = self.ledger
        return self._is_paused or (ledger is not None and ledger.tasks.is_paused)

    def set_all_paused(self, value: bool) -> None:
        """Let nothing start any more, or let it start again."""
        ledger = self.ledger
        is_changed = ledger is not None and ledger.tasks.pause_all(value)
        with self._book.lock:
            by_itself = value and ledger is None
            is_changed = is_changed or (by_itself is value and self._is_paused is not value)
            self._is_paused = by_itself
            self._agenda.changes += 1  # a tick under way has to look again
        if is_changed:
            self.announce("paused" if value else "resumed", None)

    def keep_paused(self) -> None:
        """Note that what is paused stays so without its backend; the caller holds the lock."""
        self._is_paused = self.is_paused

    def unresolved(self) -> dict[str, str]:
        """Do what `TaskRegistry.unresolved` says."""
        ledger = self.ledger
        if ledger is None:
            return {}
        return {task_id: reason for task_id, (reason, _) in list(ledger.tasks.unresolved.items())}

    def catch_up(self, task_id: str) -> None:
        """Know how a task stands in the backend, before it is changed: others may have done so since the last tick."""
        if self.ledger is not None:
            self.ledger.tasks.refresh([task_id])

    def announce(self, event: str | None, task_id: str | None) -> None:
        """Tell the subscribers what was done, if that is an event, and then the loop: it may start what comes of it."""
        try:
            if event is not None and self._book.events.callbacks[event]:
                self._book.events.tell(Event(event, task_id))
        finally:
            self._wake()

    def _unknown(self, task_id: str) -> UnknownTaskError:
        return UnknownTaskError(task_id, self._agenda.store, self.unresolved().get(task_id))


def _turn(ledger: "Ledger | None") -> AbstractContextManager[Any]:
    """Return what lets this thread alone change what the backend has of the tasks."""
    return nullcontext() if ledger is None else ledger.tasks.turn
