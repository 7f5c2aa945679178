"""Done tasks: those with `remove_when_done` leave the registry when they will never run again."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.events.event import EventName
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.schedules.due import is_done
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import ClusterSession


class DoneTasks:
    """Removes tasks that are done, as the outbox asks for it after each outcome and misfire. From any thread.

    Beside that, those that the agenda has noted: they are new or were changed, or a task that depended on them is gone
    or does so no more. A task that others depend on stays. With a backend, the task leaves it for all instances; the
    one that has recorded the last outcome removes it, or, if it died before that, one that takes the task in.
    """

    def __init__(self, parts: Parts, publish: Callable[[EventName | None, str | None], None]) -> None:
        self._parts = parts
        self._publish = publish
        parts.recorder.outbox.remove_if_done = self.remove_if_done
        parts.recorder.outbox.remove_noted = self.remove_noted

    def remove_if_done(self, task: Task) -> None:
        """Remove `task` if it is done and wants that; while the store is out of reach, when that is over."""
        if self._remove_one(task):
            self.remove_noted()

    def remove_noted(self) -> None:
        """Remove those of the noted tasks that are done, and those that only they have kept."""
        agenda = self._parts.agenda
        while True:
            with self._parts.lock, agenda:
                agenda.work_in(self._parts.hooks._now())
                task_id = agenda.dependents.take_candidate()
            if task_id is None:
                return
            task = dict.get(agenda.store, task_id)
            if task is not None:
                self._remove_one(task)

    def _remove_one(self, task: Task) -> bool:
        """Remove `task`, if it may leave, and publish that; return whether it has left."""
        if "remove_when_done" not in task.__dict__ or is_unknown(task.func):  # that is for an instance that runs it
            return False
        parts, session, removed = self._parts, self._parts.session, list[Task]()
        with parts.lock, parts.agenda as agenda:
            may_leave = self._may_leave(task)
            if may_leave and session is None:
                dict.__delitem__(agenda.store, task.id)
                agenda.drop(task.id)
                removed.append(task)
        if may_leave and session and not session.ask(partial(self._remove_shared, task, session, removed)):
            parts.recorder.outbox.defer(partial(self.remove_if_done, task))
        if removed:
            self._publish_gave_up(task)
            self._publish("removed", task.id)
        return bool(removed)

    def _remove_shared(self, task: Task, session: "ClusterSession", removed: list[Task]) -> None:
        with sync_lock(session):
            session.replica.refresh([task.id])  # others may have changed or removed it
            with self._parts.lock, self._parts.agenda:
                may_leave = self._may_leave(task)
            if may_leave:
                session.replica.remove([task.id])
                removed.append(task)

    def _publish_gave_up(self, task: Task) -> None:
        """Publish that the last run has failed for good if its retry waited, and `retry` forbids it by now."""
        outbox = self._parts.recorder.outbox
        with self._parts.lock:
            event = None if task.retry_at is None else outbox.gave_up(task, self._parts.hooks._now())
        outbox.publish_gave_up(event)

    def _may_leave(self, task: Task) -> bool:
        """Return whether a task of the registry is done, and no other one depends on it; the caller holds the lock."""
        agenda, now = self._parts.agenda, self._parts.hooks._now()
        agenda.work_in(now)
        if dict.get(agenda.store, task.id) is not task or not task.remove_when_done or not is_done(task, now):
            return False
        return not agenda.dependents.of(task.id)


def sync_lock(session: "ClusterSession | None") -> AbstractContextManager[Any]:
    """Return what lets this thread alone change what the backend has of the tasks."""
    return nullcontext() if session is None else session.replica.sync_lock
