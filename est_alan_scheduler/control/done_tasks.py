"""Done tasks: those with `remove_when_done` leave the registry when they will never run again."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.events.event import EventName
from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.schedules.due import is_done
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.cluster.session import ClusterSession


class DoneTasks:
    """Removes tasks that are done, as the outbox asks for it after each outcome and misfire. From any thread.

    A task that others depend on stays until they are gone. With a backend, the task leaves it for all instances; the
    one that has recorded the last outcome removes it.
    """

    def __init__(self, parts: Parts, publish: Callable[[EventName | None, str | None], None]) -> None:
        self._parts = parts
        self._publish = publish
        parts.recorder.outbox.remove_if_done = self.remove_if_done

    def remove_if_done(self, task: Task) -> None:
        """Remove `task` if it is done and wants that; while the store is out of reach, when that is over."""
        if "remove_when_done" not in task.__dict__:
            return
        session, removed = self._parts.session, list[Task]()
        if session is None:
            self._remove(task, removed)
        elif not session.ask(lambda: self._remove_shared(task, session, removed)):
            self._parts.recorder.outbox.put_off(partial(self.remove_if_done, task))
        if removed:
            self._give_up(task)
            self._publish("removed", task.id)
            for task_id in inputs(task):
                dependency = dict.get(self._parts.agenda.store, task_id)
                if dependency is not None:
                    self.remove_if_done(dependency)

    def _remove(self, task: Task, removed: list[Task]) -> None:
        with self._parts.lock, self._parts.agenda as agenda:
            if self._may_leave(task):
                dict.__delitem__(agenda.store, task.id)
                agenda.drop(task.id)
                removed.append(task)

    def _remove_shared(self, task: Task, session: "ClusterSession", removed: list[Task]) -> None:
        with sync_lock(session):
            session.replica.refresh([task.id])  # others may have changed or removed it
            with self._parts.lock, self._parts.agenda:
                may_leave = self._may_leave(task)
            if may_leave:
                session.replica.remove([task.id])
                removed.append(task)

    def _give_up(self, task: Task) -> None:
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
        is_wanted = task.id in agenda.wanted  # or was once
        return not (is_wanted and any(task.id in inputs(other) for other in agenda.store.values()))


def sync_lock(session: "ClusterSession | None") -> AbstractContextManager[Any]:
    """Return what lets this thread alone change what the backend has of the tasks."""
    return nullcontext() if session is None else session.replica.sync_lock
