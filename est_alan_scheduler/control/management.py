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
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.schedules.state import armed
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import ClusterSession

_TRIES = 5  # to change a task that others change at the same moment


class Management:
    """Changes, pauses and removes the tasks of a registry, from any thread, and tells the subscribers.

    With a backend it does so there, for all instances, and `BackendUnavailableError` leaves everything as it was.
    The registry's lock guards the tasks and whether all are paused; the backend is never asked under it.
    """

    def __init__(
        self, agenda: Agenda, recorder: RunRecorder, read_clock: Callable[[], datetime], wake: Callable[[], None]
    ) -> None:
        self._agenda = agenda
        self._recorder = recorder
        self._read_clock = read_clock
        self._wake = wake
        self.session: ClusterSession | None = None  # with a backend
        self._is_paused = False  # all of it, by this registry alone

    def update(self, task_id: str, changes: Mapping[str, Any]) -> Task:
        """Do what `TaskRegistry.update` says."""
        check_task_id(task_id)
        self.catch_up(task_id)
        agenda, session = self._agenda, self.session
        for _ in range(_TRIES):
            before = agenda.store.get(task_id)
            if before is None:
                raise self._unknown(task_id)
            values = before._validated(changes)
            if session is not None:
                session.edits.check(before.model_copy(update=values))
            replaced = refused = since = None
            with _sync_lock(session):
                with self._recorder.lock, agenda:
                    task = dict.get(agenda.store, task_id)
                    if task is not None:
                        refused = refusal_of_change(task, values, agenda.store)
                        if refused is None:
                            since = armed(task)
                            replaced = task._store(values)
                if task is None:
                    raise self._unknown(task_id)
                if refused is not None:
                    raise ValueError(refused)
                if session is None or session.edits.publish(task, replaced or {}, since):
                    break
        else:
            raise RuntimeError(f"task {task_id!r} was not changed: others changed it {_TRIES} times meanwhile")
        del replaced  # without the lock: the `__del__` of an argument is user code
        self.publish("updated", task.id)
        return task

    def set(self, task_id: str, field: str, value: Any, event: str | None = None) -> Task:
        """Set a field that needs no check, unless it has that value or `"force"`; return the task."""
        check_task_id(task_id)
        self.catch_up(task_id)
        session = self.session
        with self._recorder.lock, self._agenda:
            task = dict.get(self._agenda.store, task_id)
            is_changed = task is not None and task.__dict__[field] not in (value, "force")
            if task is not None and is_changed and session is None:
                task._store({field: value})
        if task is None or (session is not None and is_changed and not session.edits.manage(task, field, value)):
            raise self._unknown(task_id)
        if is_changed:
            self.publish(event, task_id)
        return task

    def remove(self, task_id: str) -> Task | None:
        """Do what `TaskRegistry.remove` says."""
        check_task_id(task_id)
        store, session = self._agenda.store, self.session
        with _sync_lock(session):
            self.catch_up(task_id)
            is_shared = task_id in self.unresolved()
            if session is not None and (is_shared or task_id in store):
                session.replica.remove(task_id)
            with self._recorder.lock, self._agenda as agenda:
                agenda.work_in(self._read_clock())
                task = dict.get(agenda.store, task_id)
                if task is not None:
                    dict.__delitem__(agenda.store, task_id)
                    agenda.drop(task_id)
        if task is None and not is_shared:
            raise UnknownTaskError(task_id, store)
        self.publish("removed", task_id)
        return task

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to start, with a backend as far as it has been seen."""
        session = self.session
        return self._is_paused or (session is not None and session.replica.is_paused)

    def set_all_paused(self, value: bool) -> None:
        """Let nothing start any more, or let it start again."""
        session = self.session
        is_changed = session is not None and session.replica.pause_all(value)
        with self._recorder.lock:
            by_itself = value and session is None
            is_changed = is_changed or (by_itself is value and self._is_paused is not value)
            self._is_paused = by_itself
            self._agenda.changes += 1  # a tick under way has to look again
        if is_changed:
            self.publish("paused" if value else "resumed", None)

    def keep_paused(self) -> None:
        """Note that what is paused stays so without its backend; the caller holds the lock."""
        self._is_paused = self.is_paused

    def unresolved(self) -> dict[str, str]:
        """Do what `TaskRegistry.unresolved` says."""
        session = self.session
        if session is None:
            return {}
        return {task_id: reason for task_id, (reason, _) in list(session.replica.unresolved.items())}

    def catch_up(self, task_id: str) -> None:
        """Know how a task stands in the backend, before it is changed: others may have done so since the last tick."""
        if self.session is not None:
            self.session.replica.refresh([task_id])

    def publish(self, event: str | None, task_id: str | None) -> None:
        """Tell the subscribers what was done, if that is an event, and then the loop: it may start what comes of it."""
        try:
            if event is not None and self._recorder.subscribers.callbacks[event]:
                self._recorder.subscribers.publish(Event(event, task_id))
        finally:
            self._wake()

    def _unknown(self, task_id: str) -> UnknownTaskError:
        return UnknownTaskError(task_id, self._agenda.store, self.unresolved().get(task_id))


def _sync_lock(session: "ClusterSession | None") -> AbstractContextManager[Any]:
    """Return what lets this thread alone change what the backend has of the tasks."""
    return nullcontext() if session is None else session.replica.sync_lock
