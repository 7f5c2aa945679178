"""What is edited in a registry, on its way to the store."""

import logging
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError
from est_alan_scheduler.backends.rows import Assignment, Change, Definition
from est_alan_scheduler.cluster.definition_codec import describe
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.cluster.replica import Replica, Row, is_same
from est_alan_scheduler.cluster.state_codec import FIELDS, MANAGED, stored
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.schedules.state import arm
from est_alan_scheduler.task import Task

if TYPE_CHECKING:
    from est_alan_scheduler.runs.recorder import RunRecorder


class Edits:
    """Fields that were assigned, tasks that were put in or taken out: noticed by the agenda, and written from here.

    The registry's lock guards it; the backend is never asked under that. Whatever asks it may raise
    `BackendUnavailableError`.
    """

    def __init__(
        self, backend: Backend, recorder: "RunRecorder", agenda: Agenda, names: FunctionNames, replica: Replica
    ) -> None:
        self._backend = backend
        self._recorder = recorder
        self._agenda = agenda
        self._names = names
        self._replica = replica
        self.edit_log: deque[Task | tuple[str, bool] | None] = deque()
        """What was edited: the agenda adds to it, under the lock."""
        self._removed: set[str] = set()

    def check(self, task: Task) -> None:
        """Raise `ValueError` for a task that cannot be shared."""
        describe(task, self._names, None)

    def manage(self, task: Task, field: str, value: Any) -> bool:
        """Set a field for all instances; return whether the task is still there."""
        if task.id not in self._replica.rows:
            self.push()
        states = self._backend.change([Change(task.id, **stored({field: value}))])
        with self._recorder.lock:
            for state in states.values():
                self._replica.take_state(state)
            if not states:
                self._replica.stale.add(task.id)
        return bool(states)

    def publish(self, task: Task, replaced: dict[str, Any], armed: datetime | None) -> bool:
        """Write an edit of a task at once; return False if others have edited it first, and theirs stands here now.

        If the store is out of reach, the edit is taken back, `armed` with it: since when its slots count.
        """
        try:
            if task.id not in self.push():
                return True
            self._replica.refresh()
        except BackendUnavailableError:
            with self._recorder.lock:  # or a tick could count its slots from now on
                edit = task._store(replaced)
                arm(task, armed)
            del edit  # without the lock: the `__del__` of an argument is user code
            raise
        return False

    def push(self) -> set[str]:
        """Write what was edited here; return the ids of what others have edited first."""
        with self._replica.sync_lock:
            return self._push()

    def _push(self) -> set[str]:
        lost: set[str] = set()
        with self._recorder.lock:
            now = self._replica.now()
            self._agenda.work_in(now)
            self._listen()
            touched = [task for task in map(self._agenda.store.get, self._replica.dirty) if task is not None]
            unknown = [task for task in touched if task.id not in self._replica.rows]
            new = [task for task in unknown if task.id not in self._replica.mine]
            removed, self._removed = self._removed, set()
            edits = [(task, row, _edited(task, row)) for task in touched if (row := self._replica.rows.get(task.id))]
            self._replica.dirty.clear()
            self._replica.dirty.update(dict.fromkeys(task.id for task in unknown if task.id in self._replica.mine))
        try:
            if removed:
                self._backend.remove(removed)
            if new:
                self._share(new)
            self._assign([(task, row, edit) for task, row, edit in edits if edit], lost)
            self._change([edit for edit in edits if edit[1].said is None or edit[0].id not in lost], lost)
            if new:
                lost |= self._push()  # how they stand, or others could take them for blank
        except BaseException:
            with self._recorder.lock:
                self._replica.dirty.update(dict.fromkeys(task.id for task in touched))
                self._removed |= removed
            raise
        if edits:
            with self._recorder.lock:
                for task, row, _ in edits:
                    row.said = row.said if task.id in lost else None
                self._replica.stale |= lost
                self._replica.dirty.update(dict.fromkeys(lost))
        return lost

    def _listen(self) -> None:
        edit_log, store = self.edit_log, self._agenda.store
        while edit_log:
            note = edit_log.popleft()
            if isinstance(note, Task):
                self._replica.dirty[note.id] = None
            elif note is not None:
                self._replica.dirty[note[0]] = None
            else:
                self._replica.dirty.update(dict.fromkeys(store))
                self._replica.dirty.update(dict.fromkeys(self._replica.rows))
        for task_id in [task_id for task_id in self._replica.dirty if task_id not in store]:
            del self._replica.dirty[task_id]
            if task_id in self._replica.rows:
                self._removed.add(task_id)
                self._replica.forget(task_id)

    def _share(self, tasks: list[Task]) -> None:
        """Share tasks that were put into the store of the registry by hand, or that the store has lost."""
        try:
            self._replica.join(tasks)
        except ValueError as error:
            if len(tasks) == 1:
                self._replica.unresolved[tasks[0].id] = str(error), None
                return
            for task in tasks:
                self._share([task])
            return
        with self._recorder.lock:
            for task in tasks:
                self._agenda.reread(task, self._replica.now())

    def _assign(self, edits: list[tuple[Task, Row, dict[str, Any]]], lost: set[str]) -> None:
        assigned = {task.id: (row, {k: v for k, v in edit.items() if k not in MANAGED}) for task, row, edit in edits}
        # Of a new task also what is no assignment: it is only written if nobody else has been here.
        wanted = [
            Assignment(task_id, row.version, self._stored(task_id, edit))
            for task_id, (row, edit) in assigned.items()
            if edit or row.said is not None
        ]
        versions = self._backend.assign(wanted) if wanted else {}
        with self._recorder.lock:
            for assignment in wanted:
                row, edit = assigned[assignment.id]
                if assignment.id not in versions:
                    lost.add(assignment.id)
                    continue
                row.version = versions[assignment.id]
                row.fields.update(edit)
                if "status" in edit:
                    self._replica.mine.pop(assignment.id, None)
                    self._replica.release(assignment.id)

    def _stored(self, task_id: str, edit: dict[str, Any]) -> dict[str, Any]:
        """Return fields as a store keeps them; with those that make a retry, what it is for."""
        fields = stored(edit)
        if "retry_at" in edit and task_id not in self._replica.mine:
            fields["slot"] = self._replica.tried(task_id)
        return fields

    def _change(self, edits: list[tuple[Task, Row, dict[str, Any]]], lost: set[str]) -> None:
        changes, described = [], {}
        for task, row, edit in edits:
            change = Change(task.id, **stored({name: edit[name] for name in MANAGED if name in edit}))
            try:
                own = describe(task, self._names, None)
            except ValueError as error:
                log(logging.ERROR, f"Task {task.id!r} stays as it was for other instances: {error}")
                own = row.described
            if own.hash() != row.hash:
                is_same = own.has_schedule_of(row.described)
                own = own._replace(armed=row.described.armed if is_same else self._backend.now())
                described[task.id] = own
                definition = Definition(task.id, own.text(), own.hash())
                change = change._replace(definition=definition, seen_hash=row.hash)
            if change != Change(task.id):
                changes.append(change)
        states = self._backend.change(changes) if changes else {}
        with self._recorder.lock:
            for change in changes:
                kept = self._replica.rows.get(change.id)
                state = states.get(change.id)
                if state is None or kept is None:
                    lost.add(change.id)
                    continue
                if change.definition is not None:
                    kept.described, kept.hash = described[change.id], change.definition.hash
                self._replica.take_state(state)


def _edited(task: Task, row: Row) -> dict[str, Any]:
    """Return the fields of a task's state that differ from what is known to stand in the store."""
    fields = task.__dict__
    return {name: fields[name] for name in FIELDS if row.fields and not is_same(fields[name], row.fields[name])}
