"""Management of tasks while they are scheduled: registered, changed, paused, removed, here and in a backend."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from operator import attrgetter, is_
from typing import Any

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.codecs.versions import check_version, is_unchanged
from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.control.defaults import refitted
from est_alan_scheduler.control.done_tasks import DoneTasks, sync_lock
from est_alan_scheduler.control.replacement import as_managed, new_definition, put_in_place
from est_alan_scheduler.control.waiting import Waits
from est_alan_scheduler.events.event import Event, EventName
from est_alan_scheduler.planning.entry import check_unheld
from est_alan_scheduler.planning.registration import (
    CALLED,
    INPUTS,
    call_refusal,
    check,
    check_results,
    refusal,
    refusal_of_change,
    refusal_of_requested,
    with_arguments,
)
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.schedules.state import arm, armed
from est_alan_scheduler.task import Task, id_of

_read_called = attrgetter("func", "args", "kwargs", "depends_on", "after", "run_arguments")
_TRIES = 5  # to change a task that others change at the same moment


class Management:
    """Registers, changes, pauses and removes the tasks of a registry, from any thread, and publishes each event.

    With a backend, all of it takes effect for all instances. If the store is out of reach,
    `BackendUnavailableError` leaves everything as it was. The registry's lock guards the tasks and whether all are
    paused. The store is never asked under it.
    """

    def __init__(self, parts: Parts, waits: Waits) -> None:
        self._parts = parts
        self._waits = waits
        self._agenda = parts.agenda
        self._done_tasks = DoneTasks(parts, self.publish)

    def register(self, task: Task, replace: bool = False) -> Task:
        """Do what `TaskRegistry.register` says."""
        check(task, is_new=not self._parts.is_observer)  # which runs none, and may name a function of other instances
        uncallable = call_refusal(task)
        if uncallable is not None:
            raise InvalidValueError(uncallable)
        check_unheld(task, self._agenda.reference)
        if replace and self._replace(task):
            return task
        parts, agenda, session = self._parts, self._agenda, self._parts.session
        with parts.lock, agenda:
            now = parts.hooks._now()
            agenda.work_in(now)
            agenda.note_time(now)
            is_adopted = session is not None and session.records.is_adopted(task.id)
            refused = None
            if session is None or (task.id in agenda.store and not is_adopted):  # else it is asked after reading
                refused = refusal(task, agenda.store, agenda.dependents, is_adopted)
            if refused is None and session is None:
                dict.__setitem__(agenda.store, task.id, task)
                arm(task, None)  # its slots count from now on
                agenda.add(task, now)
                parts.readiness.forget(task.id)
        if refused is not None:
            if replace and not is_adopted and task.id in agenda.store:
                return self.register(task, replace)  # another thread has registered one meanwhile
            raise InvalidValueError(refused)
        if session is not None:
            session.registrations.join([task], self._refuse, self._put_in)
        self.publish("registered", task.id)
        return task

    def _refuse(self, task: Task, is_adopted: bool) -> None:
        """Raise `ValueError` for a task that does not fit the others of the backend; the caller holds the lock."""
        refused = refusal(task, self._agenda.store, self._agenda.dependents, is_adopted)
        if refused is not None:
            raise InvalidValueError(refused)

    def _put_in(self, task: Task) -> None:
        """Put a task that the backend knows into the store; the caller holds the lock."""
        agenda, now = self._agenda, self._parts.hooks._now()
        agenda.drop(task.id)
        dict.__setitem__(agenda.store, task.id, task)
        agenda.add(task, now)
        self._parts.readiness.forget(task.id)

    def update(self, which: str | Task, changes: Mapping[str, Any], if_version: str | None = None) -> Task:
        """Do what `TaskRegistry.update` says."""
        task_id = id_of(which)
        if if_version is None:
            self.catch_up(task_id)
        for _ in range(_TRIES):
            before, seen = self._of_version(task_id, if_version)
            values = before._validated(changes)
            implicit = refitted(before, values, self._parts.defaults)
            task = self._try_update(before, values | implicit, implicit=implicit, seen=seen)
            if task is not None:
                break
        else:
            raise self._overtaken(task_id)
        self.publish("updated", task_id)
        self._done_tasks.remove_noted()
        return task

    def _replace(self, task: Task) -> bool:
        """Let a task take the place of the one of its id; return False if this program has registered none."""
        session, store, given = self._parts.session, self._agenda.store, dict(task.__dict__)
        self.catch_up(task.id)
        tries = _TRIES
        while tries:
            former = dict.get(store, task.id)
            if former is task:
                return True
            if former is None or (session is not None and session.records.is_adopted(task.id)):
                return False
            with as_managed(self._parts, task, former) as is_code:
                values, own = new_definition(task, former), set(former.model_fields_set)
                try:
                    if self._try_update(former, values, task, is_code=is_code) is not None:
                        break
                finally:
                    former.model_fields_set.difference_update(values.keys() - own)
            if dict.get(store, task.id) is former:  # otherwise another thread has replaced it: that one made progress
                tries -= 1
        else:
            raise WrongStateError(f"task {task.id!r} was not replaced: others changed it {_TRIES} times meanwhile")
        del given  # without the lock: the `__del__` of a result that `task` has lost is user code
        self.publish("updated", task.id)
        return True

    def _try_update(
        self,
        before: Task,
        values: dict[str, Any],
        successor: Task | None = None,
        implicit: Iterable[str] = (),
        seen: Mapping[str, Any] | None = None,
        is_code: bool = False,
    ) -> Task | None:
        """Give a task these valid values, and return it; None if others have changed it first in the backend.

        With a successor that has these values, leave the task as it was, and put the successor in its place; with
        `is_code`, they are what code says from now on. The fields `implicit` do not count as set by the task. With the
        fields `seen` of a version, None also unless the task still has them, here and in the backend.
        """
        parts, agenda, session = self._parts, self._agenda, self._parts.session
        called = _read_called(before)
        changed = before.model_copy(update=values)
        uncallable = call_refusal(changed)
        if uncallable is None and not CALLED.isdisjoint(values):
            uncallable = refusal_of_requested(changed)
        if session is not None:
            session.registrations.check(changed)
        replaced = refused = since = None
        with sync_lock(session):
            stored = None if session is None or seen is None else session.edits.seen(before.id)
            with parts.lock, agenda:
                task = dict.get(agenda.store, before.id)
                if successor is not None and task is not before:
                    return None
                if task is not None and not all(map(is_, called, _read_called(task))):
                    return None  # assigned meanwhile
                if task is not None and not is_unchanged(task, seen):
                    return None
                if task is not None:
                    if not INPUTS.isdisjoint(values):
                        agenda.work_in(parts.hooks._now())  # `dependents` have to be complete
                    refused = refusal_of_change(task, values, agenda.store, agenda.dependents) or uncallable
                    if refused is None and stored is None:
                        since = armed(task)
                        replaced = task._store(values)
                        if successor is not None and session is None:
                            put_in_place(parts, successor, task, values, replaced)
                        task.__pydantic_fields_set__.difference_update(implicit)
            if task is None:
                raise self._unknown(before.id)
            if refused is not None:
                raise InvalidValueError(refused)
            if session is not None and stored is not None:
                replaced = session.edits.manage_if(stored, task, changed, values, implicit)
                is_done = replaced is not None
            else:
                is_done = session is None or session.edits.write_now(task, replaced or {}, since, is_code)
            if successor is not None and session is not None and is_done:
                with parts.lock, agenda:
                    is_done = put_in_place(parts, successor, task, values, replaced or {})
        del replaced  # without the lock: the `__del__` of an argument is user code
        return task if is_done else None

    def set_paused(self, which: str | Task, value: bool, if_version: str | None) -> Task:
        """Pause a task, or resume it, unless that is so already; return the task."""
        task_id = id_of(which)
        event: EventName = "paused" if value else "resumed"
        if if_version is None:
            self.catch_up(task_id)
            return self._set(task_id, {"paused": value}, event)
        for _ in range(_TRIES):
            task, seen = self._of_version(task_id, if_version)
            if task.paused is value:
                return task
            if self._pause_if(task, value, seen):
                self.publish(event, task_id)
                return task
        raise self._overtaken(task_id)

    def _pause_if(self, task: Task, value: bool, seen: Mapping[str, Any] | None) -> bool:
        """Pause a task, or resume it; False if it does not have the fields that were `seen`, here or in the backend."""
        session = self._parts.session
        with sync_lock(session):
            stored = None if session is None else session.edits.seen(task.id)
            with self._parts.lock, self._agenda:
                if dict.get(self._agenda.store, task.id) is not task or not is_unchanged(task, seen):
                    return False
                if stored is None:
                    task._store({"paused": value})
            if session is None or stored is None:
                return True
            return session.edits.manage_if(stored, task, task, {"paused": value}) is not None

    def _of_version(self, task_id: str, if_version: str | None) -> tuple[Task, Mapping[str, Any] | None]:
        """Return a task, and the fields that its version stands for, read anew; None of these if any version will do.

        Raises `ConflictError` if it has another version.
        """
        if if_version is not None and self._parts.session is not None:
            self._parts.session.edits.push()  # what was assigned here is part of the version
            self.catch_up(task_id)
        task = dict.get(self._agenda.store, task_id)
        if task is None:
            raise self._unknown(task_id)
        return task, check_version(task, if_version, self._parts.functions)

    def run_now(self, which: str | Task, force: bool, args: Any, kwargs: Any) -> Task:
        """Do what `TaskRegistry.run_now` says."""
        task_id = id_of(which)
        self.catch_up(task_id)
        task = dict.get(self._agenda.store, task_id)
        if task is None:
            raise self._unknown(task_id)
        arguments = None
        if args is not None or kwargs is not None:
            given = {"args": task.args if args is None else args, "kwargs": task.kwargs if kwargs is None else kwargs}
            arguments = self._checked_arguments(task, given)
        elif task.manual and (uncallable := call_refusal(task, is_run=True)) is not None:
            raise InvalidValueError(f"{uncallable} Give run_now the args or kwargs of this run.")
        # A plain request does not weaken a forced one; of the arguments, the latest ones count.
        request = "force" if force or task.run_requested == "force" else "ready"
        return self._set(task_id, {"run_requested": request, "run_arguments": arguments}, None)

    def _checked_arguments(self, task: Task, given: dict[str, Any]) -> dict[str, Any]:
        """Return arguments for one run as the task keeps them; ValueError if it cannot run with them."""
        arguments: dict[str, Any] = task._validated({"run_arguments": given})["run_arguments"]
        called = with_arguments(task, arguments)
        check_results(called)
        uncallable = call_refusal(called, is_run=True)
        if uncallable is not None:
            raise InvalidValueError(uncallable)
        if self._parts.session is not None:
            self._parts.session.registrations.check(called)
        return arguments

    def _set(self, task_id: str, values: dict[str, Any], event: EventName | None) -> Task:
        """Set fields of a task that need no more checks, unless it has these values."""
        mark = self._waits.mark(task_id) if "run_requested" in values else None
        session, replaced = self._parts.session, None
        with self._parts.lock, self._agenda:
            task = dict.get(self._agenda.store, task_id)
            is_changed = task is not None and not all(
                _is_same(getattr(task, name), value) for name, value in values.items()
            )
            if task is not None and is_changed and session is None:
                replaced = task._store(values)
        del replaced  # without the lock: the `__del__` of an argument is user code
        if task is None or (session is not None and is_changed and not session.edits.manage(task, values)):
            raise self._unknown(task_id)
        if mark is not None:
            self._waits.note_request(task_id, mark)
        if is_changed:
            self.publish(event, task_id)
        return task

    def remove(self, which: str | Task, if_version: str | None = None) -> Task | None:
        """Do what `TaskRegistry.remove` says."""
        task_id = id_of(which)
        if if_version is None:
            return self._remove([task_id]).get(task_id)
        for _ in range(_TRIES):
            task, seen = self._of_version(task_id, if_version)
            if self._remove([task_id], seen):
                return task
        raise self._overtaken(task_id)

    def prune(self, ids: Iterable[str | Task]) -> None:
        """Do what `TaskRegistry.prune` says."""
        if isinstance(ids, str | Task):
            one = short_repr(id_of(ids))
            raise InvalidTypeError(f"ids must be several ids, got the one of task {one}: prune([{one}])")
        wanted = list(dict.fromkeys(map(id_of, ids)))
        if wanted:
            self._remove(wanted)

    def clear(self) -> None:
        """Do what `TaskRegistry.clear` says."""
        session, is_done = self._parts.session, False
        while not is_done:
            ids = [key for key in list(self._agenda.store) if session is None or not session.records.is_adopted(key)]
            with suppress(UnknownTaskError):  # another thread has removed one of them meanwhile
                self._remove(ids)
                is_done = True

    def _remove(self, ids: list[str], seen: Mapping[str, Any] | None = None) -> dict[str, Task]:
        """Remove tasks in one step, or none if one is unknown; return those of them that are resolved.

        None either if a single task does not have the fields any more that were `seen`, here or in the backend.
        """
        parts, store, session = self._parts, self._agenda.store, self._parts.session
        removed: dict[str, Task] | None = {}
        with sync_lock(session):
            self.catch_up(*ids)
            unresolved = parts.unresolved()
            unknown = [task_id for task_id in ids if task_id not in store and task_id not in unresolved]
            if session is not None and not unknown:
                if seen is not None and not is_unchanged(store[ids[0]], seen):
                    return {}
                stored = None if seen is None else session.edits.seen(ids[0])
                removed = session.replica.remove(ids, None if stored is None else {ids[0]: stored})
            with parts.lock, self._agenda as agenda:
                is_other = seen is not None and session is None and not is_unchanged(store[ids[0]], seen)
                if removed is None or is_other:
                    return {}
                agenda.work_in(parts.hooks._now())
                if session is None:  # other threads may have removed one meanwhile
                    unknown = [task_id for task_id in ids if task_id not in agenda.store]
                for task_id in () if unknown else ids:
                    task = dict.pop(agenda.store, task_id, None)
                    if task is not None:
                        removed[task_id] = task
                        agenda.drop(task_id)
        if unknown:
            raise UnknownTaskError.of(unknown, store)
        for task_id in ids:
            self.publish("removed", task_id)
        self._done_tasks.remove_noted()
        return removed

    def set_all_paused(self, value: bool) -> None:
        """Let nothing start any more, or let it start again."""
        parts, session = self._parts, self._parts.session
        is_changed = session is not None and session.replica.pause_all(value)
        with parts.lock:
            by_itself = value and session is None
            is_changed = is_changed or (by_itself is value and parts.is_paused_here is not value)
            parts.is_paused_here = by_itself
            self._agenda.changes += 1  # a tick in progress has to decide again
        if is_changed:
            self.publish("paused" if value else "resumed", None)

    def catch_up(self, *ids: str) -> None:
        """Read the states of tasks in the backend before a change: others may have changed them since the last tick."""
        if self._parts.session is not None:
            self._parts.session.replica.refresh(ids)

    def publish(self, event: EventName | None, task_id: str | None) -> None:
        """Publish a change, if it is an event, and then wake the loops: something may be due."""
        try:
            if event is not None:
                self._parts.recorder.subscribers.publish(Event(event, task_id))
        finally:
            self._parts.wake()

    def _overtaken(self, task_id: str) -> WrongStateError:
        return WrongStateError(f"task {task_id!r} was not changed: others changed it {_TRIES} times meanwhile")

    def _unknown(self, task_id: str) -> UnknownTaskError:
        return UnknownTaskError(task_id, self._agenda.store, self._parts.unresolved().get(task_id))


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same, without user code that compares them."""
    return one is other or (isinstance(other, str) and isinstance(one, str) and one == other)
