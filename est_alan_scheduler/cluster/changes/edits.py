"""Edits: tasks that were registered, changed or removed in a registry, on their way to the store."""

import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from est_alan_scheduler._support.log import log
from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError, ValueRefusedError
from est_alan_scheduler.backends.refusals import write_apart
from est_alan_scheduler.backends.rows import Assignment, Change, Definition, Seen, escaped
from est_alan_scheduler.cluster.changes.registrations import Registrations, log_new_code
from est_alan_scheduler.cluster.codecs.definitions import TaskDefinition, build, encode, is_equal, is_of_edit
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.states import FIELDS, MANAGED, change_of, read, stored
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.task_records import KnownRow, TaskRecords, is_same
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.schedules.state import arm
from est_alan_scheduler.task import Task

_ASSIGNED = frozenset(FIELDS) - set(MANAGED)
_Edit = tuple[Task, KnownRow, dict[str, Any]]  # the last: fields that differ from the row


@dataclass(eq=False)
class Edits:
    """The edits of a registry: `push` writes all that the agenda has noticed; the others write one change at once.

    The registry's lock guards them; the backend is never asked under it. A method that asks it may raise
    `BackendUnavailableError`.
    """

    _backend: Backend
    _records: TaskRecords
    _replica: Replica
    _agenda: Agenda
    _names: FunctionNames
    _removed: set[str] = field(default_factory=set)
    _by_code: set[str] = field(default_factory=set)  # the tasks whose next definition is what code says

    def __post_init__(self) -> None:
        self.registrations = Registrations(self._backend, self._records, self._replica, self._agenda, self._names)

    def manage(self, task: Task, values: dict[str, Any]) -> bool:
        """Set fields for all instances; return whether the task is still there."""
        if self._records.row(task.id) is None:
            self.push()
        states = self._backend.change([change_of(task.id, values)])
        with self._records.lock, self._agenda:
            for state in states.values():
                self._replica.take_state(state)
            if not states:
                self._records.mark_stale([task.id])
        return bool(states)

    def seen(self, task_id: str) -> Seen | None:
        """Return what the store had of a task when it was last read or written here; None if that is not known."""
        row = self._records.row(task_id)
        return Seen(row.hash, row.fields["paused"]) if row is not None and row.fields else None

    def manage_if(
        self, seen: Seen, task: Task, changed: Task, values: dict[str, Any], implicit: Iterable[str] = ()
    ) -> dict[str, Any] | None:
        """Give a task values for all instances, if the store still has of it what was seen; `changed` has them already.

        Return the values that they replace, for the caller to free; None, and nothing is changed, if the store has not.
        The fields `implicit` do not count as set by the task. The caller holds `sync_lock`.
        """
        records, row = self._records, self._records.row(task.id)
        if row is None:
            return None
        own, edit = self._changed_definition(changed, row), uuid4().hex
        news = row.definition if own is None else own
        change = change_of(task.id, {name: values[name] for name in MANAGED if name in values})
        is_change = own is not None or change != Change(task.id)
        definition = Definition(task.id, news.text(edit), row.hash if own is None else own.hash())
        change = change._replace(definition=definition, seen_hash=seen.hash, seen_paused=seen.paused)
        states = self._backend.change([change]) if is_change else {}
        if is_change and not states:
            found = self._replica.read_news(task.id)
            is_made = found is not None and is_of_edit(found.json, edit)  # the answer to the first attempt was lost
            self._replica.refresh([task.id])
            if not is_made:
                return None
            values = {name: value for name, value in values.items() if name in _ASSIGNED}  # the others were read
        with records.lock, self._agenda:
            replaced = task._store(values)
            task.__pydantic_fields_set__.difference_update(implicit)
            if states:
                row.definition, row.hash = news, definition.hash
            for state in states.values():
                self._replica.take_state(state)
        if not _ASSIGNED.isdisjoint(values):
            with suppress(BackendUnavailableError):  # as of any other assignment, the next tick writes them
                self.push()
        return replaced

    def write_now(self, task: Task, replaced: dict[str, Any], armed: datetime | None, is_code: bool = False) -> bool:
        """Write an edit of a task at once; return False if another instance was first, and its edit stands here now.

        If the store is out of reach, the edit is undone, and so is the moment since when its slots count, `armed`. With
        `is_code`, the task is as code has registered it now.
        """
        before = self._records.row(task.id)
        former = None if before is None else before.definition
        try:
            if is_code:
                self._by_code.add(task.id)
            if task.id not in self.push():
                after = self._records.row(task.id)
                if is_code and former is not None and after is not None:
                    log_new_code(task.id, former, after.definition)
                return True
            self._replica.refresh()
        except BackendUnavailableError:
            with self._records.lock:  # or a tick could count its slots from now on
                edit = task._store(replaced)
                arm(task, armed)
            del edit  # without the lock: the `__del__` of an argument is user code
            raise
        finally:
            self._by_code.discard(task.id)
        return False

    def push(self) -> set[str]:
        """Write what was edited here; return the ids of tasks that other instances have edited first."""
        with self._replica.sync_lock:
            return self._push()

    def _push(self) -> set[str]:
        edited, removed = dict[str, None](), set[str]()
        try:
            return self._write(edited, removed)
        except BaseException:  # also a Ctrl+C
            with self._records.lock:
                self._records.mark_edited(edited)
                self._removed |= removed
            raise

    def _write(self, edited: dict[str, None], removed: set[str]) -> set[str]:
        """Write what was edited; `edited` and `removed` get the ids that are taken for that."""
        records, outdated = self._records, set[str]()
        with records.lock, self._agenda:
            self._agenda.work_in(self._replica.now())
            new, edits = self._take(edited, removed)
        if removed:
            self._backend.remove(removed)
        if new:
            self._share(new)
        self._assign([edit for edit in edits if edit[2]], outdated)
        self._change([edit for edit in edits if edit[1].initial is None or edit[0].id not in outdated], outdated)
        if new:
            outdated |= self._push()  # their states, or other instances could take them for blank
        if edits:
            with records.lock:
                for task, row, _ in edits:
                    row.initial = row.initial if task.id in outdated else None
                records.mark_stale(outdated)
                records.mark_edited(outdated)
        return outdated

    def _take(self, edited: dict[str, None], removed: set[str]) -> tuple[list[Task], list[_Edit]]:
        """Return the tasks that the store does not have, and those that may differ from it."""
        records = self._records
        touched = self._collect(edited)
        unknown = [task for task in touched if records.row(task.id) is None]
        new = [task for task in unknown if not records.is_claimed(task.id)]
        new.sort(key=lambda task: self._agenda.entries[task.id].order)
        records.mark_edited(task.id for task in unknown if records.is_claimed(task.id))
        removed.update(self._removed)
        self._removed = set()
        return new, [(task, row, _edited(task, row)) for task in touched if (row := records.row(task.id))]

    def _collect(self, edited: dict[str, None]) -> list[Task]:
        """Return the tasks that may differ from the store, and note those that are gone; `edited` gets their ids."""
        records, store = self._records, self._agenda.store
        while records.edit_log:
            note = records.edit_log[0]
            if note is None:
                edited.update(dict.fromkeys((*store, *records.known_ids())))
            else:
                task_id = note.id if isinstance(note, Task) else note[0]
                edited[task_id] = None
                if note == (task_id, False) and records.is_adopted(task_id):
                    self._replica.let_join(task_id)  # another task was put in its place by hand
            records.edit_log.popleft()  # not before: a Ctrl+C in between must not lose it
        touched = []
        for task_id in edited:
            task = store.get(task_id)
            if task is not None:
                touched.append(task)
            elif (row := records.row(task_id)) is not None and row.hash and task_id not in records.problems:
                self._removed.add(task_id)  # not if a Ctrl+C has left it half taken over, or half set aside
                self._replica.order.forget(task_id)
                records.forget(task_id)
        return touched

    def _share(self, tasks: list[Task]) -> None:
        """Share tasks that were put into the store of the registry by hand, or that the backend has outdated."""
        try:
            self.registrations.join(tasks)
        except ValueError as error:
            if len(tasks) == 1:
                with self._records.lock:
                    self._records.set_problem(tasks[0].id, str(error), None)
                return
            for task in tasks:
                self._share([task])
            return
        with self._records.lock, self._agenda:
            self._replica.order.is_outdated = True  # others may have been read meanwhile
            for task in tasks:
                self._agenda.reread(task, self._replica.now())

    def _assign(self, edits: list[_Edit], outdated: set[str]) -> None:
        """Write assigned fields, and of a new task also the others: only if no other instance has written any."""
        assigned = {task.id: (row, {k: v for k, v in edit.items() if k not in MANAGED}) for task, row, edit in edits}
        wanted = [
            Assignment(task_id, row.version, self._stored(task_id, edit))
            for task_id, (row, edit) in assigned.items()
            if edit or row.initial is not None
        ]
        backend, refused = self._backend, set[str]()

        def note(assignment: Assignment, error: ValueRefusedError, is_written: bool) -> None:
            refused.add(assignment.id)
            level, remedy = (logging.WARNING, "its escaped text") if is_written else (logging.ERROR, "nothing")
            name = f"{', '.join(assignment.fields)} of task {assignment.id!r}"
            log(level, f"The store refuses the assigned {name}, and {remedy} is written: {error}")

        versions = write_apart(backend, backend.assign, wanted, _plainer, note) if wanted else {}
        with self._records.lock:
            for assignment in wanted:
                row, edit = assigned[assignment.id]
                if assignment.id in versions:
                    if "status" in edit:
                        self._records.end_claim_by_status(assignment.id)
                    row.version = versions[assignment.id]
                    row.fields.update(edit)
                else:
                    outdated.add(assignment.id)
                if assignment.id in refused:  # what the store has is to be read
                    row.note_unknown()
                    row.initial = None
                    self._records.mark_stale([assignment.id])

    def _stored(self, task_id: str, edit: dict[str, Any]) -> dict[str, Any]:
        """Return fields as a store keeps them; a retry with its slot."""
        fields = stored(edit)
        if "retry_at" in edit and not self._records.is_claimed(task_id):
            fields["slot"] = self._replica.tried(task_id)
        return fields

    def _change(self, edits: list[_Edit], outdated: set[str]) -> None:
        """Write changed definitions, pauses and requests to run."""
        changes, definitions = [], {}
        for task, row, edit in edits:
            change = change_of(task.id, {name: edit[name] for name in MANAGED if name in edit})
            own = self._changed_definition(task, row)
            if own is not None:
                definitions[task.id] = own
                definition = Definition(task.id, own.text(), own.hash())
                change = change._replace(definition=definition, seen_hash=row.hash)
            if change != Change(task.id):
                changes.append(change)
        states = self._backend.change(changes) if changes else {}
        with self._records.lock, self._agenda:
            for change in changes:
                kept, state = self._records.row(change.id), states.get(change.id)
                if state is None or kept is None:
                    outdated.add(change.id)
                    continue
                if change.definition is not None:
                    kept.definition, kept.hash = definitions[change.id], change.definition.hash
                self._replica.take_state(state)

    def _changed_definition(self, task: Task, row: KnownRow) -> TaskDefinition | None:
        """Return the definition of a task if it is not that of its row any more; None if it cannot be shared."""
        try:
            own = encode(task, self._names)
        except ValueError as error:
            log(logging.ERROR, f"Task {task.id!r} stays as it was for other instances: {error}")
            return None
        is_code, fields = task.id in self._by_code, own.task
        if not is_code:
            own = own.on(row.definition.registered)
        if own.hash() == row.hash:
            return None
        if not (is_code and row.definition.code is not None) and self._is_as_built(task.id, fields, row.definition):
            return None
        is_armed = own.has_schedule_of(row.definition)
        armed = row.definition.armed if is_armed else self._backend.now()
        return own._replace(armed=armed, place=row.definition.place)

    def _is_as_built(self, task_id: str, fields: dict[str, Any], definition: TaskDefinition) -> bool:
        """Return whether a task is what its row makes here: other versions of pydantic may write the same otherwise."""
        try:
            return is_equal(fields, encode(build(task_id, definition, self._names), self._names).task)
        except (ValueError, ImportError):  # it makes no sense here
            return False


def _plainer(assignment: Assignment) -> list[Assignment]:
    """Return an assignment with an error message that every encoding has."""
    message = assignment.fields.get("error_message")
    if message is None:
        return []
    return [assignment._replace(fields={**assignment.fields, "error_message": escaped(message)})]


def _edited(task: Task, row: KnownRow) -> dict[str, Any]:
    """Return the fields of a task's state that differ from the row."""
    if not row.fields:
        return {}
    edit = {name: value for name, value in read(task.__dict__, FIELDS).items() if not is_same(value, row.fields[name])}
    if edit.get("run_arguments"):  # as the store will return them, or they would differ from it again and again
        edit["run_arguments"] = json.loads(stored(edit)["run_arguments"])
        task.__dict__["run_arguments"] = edit["run_arguments"]
    return edit
