"""The records of a replica: what is known of each task's row, and the state of its claim."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from est_alan_scheduler._support.text import one_line, shorten
from est_alan_scheduler.backends.rows import Definition
from est_alan_scheduler.cluster.change_log import ChangeLog
from est_alan_scheduler.cluster.codecs.definitions import TaskDefinition
from est_alan_scheduler.cluster.codecs.states import CLAIMED, REQUEST, reader, write
from est_alan_scheduler.runs.observer import ClaimedRun
from est_alan_scheduler.task import Task, TaskStatus

_RUN_STATUS = TaskStatus.RUNNING
_BEGUN = (*CLAIMED, *REQUEST)
_read_begun = reader(*_BEGUN)


class ClaimState(Enum):
    """Where the right to run a task is, as far as this registry knows."""

    FREE = "free"
    """No instance runs it."""
    ELSEWHERE = "elsewhere"
    """Another instance runs it."""
    HELD = "held"
    """Claimed here. Its run has not started."""
    RUNNING = "running"
    """Its run has started here. Its outcome is not written yet."""
    RELEASED = "released"
    """Claimed here. Its run does not start any more, and the claim is still to be undone in the store."""


_FREE, _ELSEWHERE, _HELD = ClaimState.FREE, ClaimState.ELSEWHERE, ClaimState.HELD
_RUNNING, _RELEASED = ClaimState.RUNNING, ClaimState.RELEASED


@dataclass(slots=True, eq=False)
class KnownRow:
    """A task's row in the store, as it was last read or written here."""

    definition: TaskDefinition
    hash: str
    version: int = 0
    epoch: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    initial: dict[str, Any] | None = None
    """The fields that the constructor of a new task gave it, until another instance writes others."""
    request: dict[str, Any] | None = None
    """The fields of a request for a run that came after a run was claimed, and before that one starts."""
    newest_foreign_version: int = 0
    """Of a task that was taken away from its run here: the newest version that was read since."""

    def knows_before_claim(self) -> bool:
        """Return whether it is known how the task stood before a run of it that has not started was claimed."""
        return self.fields.get("status", _RUN_STATUS) is not _RUN_STATUS

    def before_claim(self) -> dict[str, Any]:
        """Return the fields that a claim overwrites, as they were before it."""
        return {name: self.fields[name] for name in _BEGUN}

    def note_unknown(self) -> None:
        """Note that the next version that is read counts, whichever it is."""
        self.version, self.fields = 0, {}


@dataclass(slots=True, eq=False)
class TaskRecord:
    """What a replica knows of one task id. Only `TaskRecords` changes it."""

    id: str
    row: KnownRow | None = None
    state: ClaimState = _FREE
    run: ClaimedRun | None = None
    """The run that is claimed here: HELD, RUNNING or RELEASED."""
    lease_since: int | None = None
    """Of a run that is HELD: since when the lease had lasted that it was claimed under. None: it must not start."""
    is_adopted: bool = False
    """Other instances have registered the task. This one has not."""


_UNKNOWN = TaskRecord("")  # stands for a record that is not there, in questions


class TaskRecords:
    """One record for each task id, and a few index sets, so that an idle tick has no task to look at.

    `lock`, the registry's, guards all of it: the caller of a method that changes something holds it, `mark_stale` and
    `take_stale` apart. A single question needs no lock.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self.lock = lock
        self._records: dict[str, TaskRecord] = {}
        self.elsewhere: set[str] = set()
        """The tasks that other instances run."""
        self._released: dict[str, int] = {}  # the epoch of each run that was claimed and does not start
        self.unresolved: dict[str, Definition | None] = {}
        """The tasks of the store that cannot be known here, with what is stored of them."""
        self.problems: dict[str, str] = {}
        """Why these tasks cannot be known here."""
        self.unreadable: set[str] = set()
        """Those of them of which the state, and not only the definition, makes no sense."""
        self._unlogged: dict[str, str] = {}  # those that the log does not know
        self._stale: set[str] = set()
        self.changes = ChangeLog()
        self.edit_log: deque[Task | tuple[str, bool] | None] = deque()
        """The notes of edits: the agenda adds to it, under the lock. What differs from the store has to get there."""

    def get(self, task_id: str) -> TaskRecord | None:
        """Return the record of a task id, if there is one."""
        return self._records.get(task_id)

    def row(self, task_id: str) -> KnownRow | None:
        """Return the row of a task, if it is known."""
        return self._records.get(task_id, _UNKNOWN).row

    def known_ids(self) -> list[str]:
        """Return the ids of all tasks whose rows are known."""
        return [task_id for task_id, record in list(self._records.items()) if record.row is not None]

    def registered(self) -> dict[str, dict[str, Any]]:
        """Return what code registered last of all tasks whose rows are known."""
        rows = [(task_id, record.row) for task_id, record in list(self._records.items())]
        return {task_id: row.definition.registered for task_id, row in rows if row is not None}

    def ids(self, *states: ClaimState) -> list[str]:
        """Return the ids of all tasks in these states. It reads every record."""
        return [task_id for task_id, record in list(self._records.items()) if record.state in states]

    def adopted_ids(self) -> list[str]:
        """Return the ids of all tasks that only other instances have registered. It reads every record."""
        return [task_id for task_id, record in list(self._records.items()) if record.is_adopted]

    def is_adopted(self, task_id: str) -> bool:
        """Return whether a task is here because other instances have registered it."""
        return self._records.get(task_id, _UNKNOWN).is_adopted

    def is_held(self, task_id: str) -> bool:
        """Return whether a run is claimed here and has not started."""
        return self._records.get(task_id, _UNKNOWN).state is _HELD

    def is_claimed(self, task_id: str, epoch: int | None = None) -> bool:
        """Return whether a run is claimed here, the one of this epoch if one is given, and its outcome not written."""
        run = self._records.get(task_id, _UNKNOWN).run
        return run is not None and (epoch is None or run.epoch == epoch)

    def hold(self, task_id: str, row: KnownRow, seen_version: int, run: ClaimedRun, lease_since: int | None) -> None:
        """Note a claim that was won for a decision on `row`, unless it is noted.

        It is released if the task was removed, or registered anew, meanwhile.
        """
        record = self._records.get(task_id) or self._add(task_id)
        if record.state not in (_FREE, _ELSEWHERE) and record.run is not None and record.run.epoch == run.epoch:
            return
        record.run, record.lease_since = run, lease_since
        if record.row is row and row.epoch < run.epoch:
            self._set_state(record, _HELD)
            row.epoch, row.version = run.epoch, max(row.version, seen_version + 1)  # each change is one version
        else:
            self._set_state(record, _RELEASED)

    def note_start(self, task: Task) -> None:
        """Note that the fields of a task say that its run has begun. They get the request that came meanwhile."""
        record = self._records.get(task.id, _UNKNOWN)
        if (row := record.row) is not None:
            if row.request is not None:
                write(task, row.request)
                row.request = None
            row.fields.update(_read_begun(task.__dict__))
        if record.state is _HELD:  # not before: a start that is cut off is released
            record.state = _RUNNING

    def undo_start(self, task_id: str, run: ClaimedRun, before: Mapping[str, Any]) -> None:
        """Note that a run which began has not taken place: it is held, and must not start any more."""
        record = self._records.get(task_id) or self._add(task_id)
        if record.row is not None:
            record.row.fields.update(before)
        record.run, record.lease_since = run, None
        self._set_state(record, _HELD)

    def release(self, task_id: str) -> None:
        """Let a run that is held not start any more."""
        record = self._records.get(task_id, _UNKNOWN)
        if record.state is _HELD:
            self._set_state(record, _RELEASED)

    def end_claim_by_status(self, task_id: str) -> None:
        """Note that a status was assigned: the task is no longer that of a run claimed here."""
        record = self._records.get(task_id)
        if record is not None:
            self.release(task_id)
            self._end_claim(record)

    def take_released(self) -> dict[str, int]:
        """Return the epochs of released runs, by task, for the caller to write them, or to `keep_released`."""
        released, self._released = self._released, {}
        return released

    def keep_released(self, released: Mapping[str, int]) -> None:
        """Take back what `take_released` returned: it could not be written."""
        self._released.update(released)

    def end(self, task_id: str, epoch: int) -> bool:
        """Note that the claim of this epoch is over; return False if the task has no such claim."""
        record = self._records.get(task_id, _UNKNOWN)
        if record.run is None or record.run.epoch != epoch:
            return False
        self._end_claim(record)
        return True

    def set_running_elsewhere(self, task_id: str, is_running: bool) -> None:
        """Note whether another instance runs a task. A claim that goes on here outlasts that."""
        self.changes.note(task_id)
        record = self._records.get(task_id)
        if record is not None and record.run is None:
            self._set_state(record, _ELSEWHERE if is_running else _FREE)

    def _end_claim(self, record: TaskRecord) -> None:
        record.run = None
        is_running = record.row is not None and record.row.fields.get("status") is _RUN_STATUS
        self._set_state(record, _ELSEWHERE if is_running else _FREE)
        self._drop_if_empty(record)

    def _set_state(self, record: TaskRecord, state: ClaimState) -> None:
        if record.state is _ELSEWHERE:
            self.elsewhere.discard(record.id)
        record.state = state
        if state is _ELSEWHERE:
            self.elsewhere.add(record.id)
        elif state is _RELEASED and record.run is not None:
            self._released[record.id] = record.run.epoch

    def set_row(self, task_id: str, row: KnownRow, is_adopted: bool) -> None:
        """Note the row of a task that is known from now on, and who has registered it."""
        record = self._records.get(task_id) or self._add(task_id)
        record.row, record.is_adopted = row, is_adopted

    def forget(self, task_id: str) -> None:
        """Forget a task's row any more. A claim that goes on is still known."""
        record = self._records.get(task_id)
        if record is None:
            return
        self.changes.note(task_id)
        record.row, record.is_adopted = None, False
        self.release(task_id)
        if record.run is None:
            self._set_state(record, _FREE)
        self._drop_if_empty(record)

    def _add(self, task_id: str) -> TaskRecord:
        record = self._records[task_id] = TaskRecord(task_id)
        return record

    def _drop_if_empty(self, record: TaskRecord) -> None:
        if record.row is None and record.run is None:
            self._records.pop(record.id, None)

    def set_problem(
        self, task_id: str, problem: str, definition: Definition | None, is_unreadable: bool = False
    ) -> None:
        """Note why a task of the store cannot be known here, and what is stored of it: its definition, or its row."""
        problem = one_line(shorten(problem))
        self.changes.note(task_id)
        if self.problems.get(task_id) != problem:
            self._unlogged[task_id] = problem
        self.problems[task_id], self.unresolved[task_id] = problem, definition
        (self.unreadable.add if is_unreadable else self.unreadable.discard)(task_id)

    def clear_problem(self, task_id: str) -> None:
        """Note that a task can be known here, or is gone."""
        for found in (self.problems, self._unlogged, self.unresolved):
            found.pop(task_id, None)
        self.unreadable.discard(task_id)

    def take_unlogged(self) -> list[tuple[str, str]]:
        """Return the problems that the log does not know, by task: each once."""
        with self.lock:
            unlogged, self._unlogged = self._unlogged, {}
        return list(unlogged.items())

    def mark_stale(self, ids: Iterable[str]) -> None:
        """Have the next fetch read these tasks."""
        self._stale.update(ids)

    def take_stale(self, taken: set[str]) -> None:
        """Move the tasks to be read to `taken`, for the caller to read them, or to mark them again."""
        taken.update(self._stale)
        self._stale.difference_update(taken)  # in place: other threads add to it

    def mark_edited(self, ids: Iterable[str]) -> None:
        """Note that tasks were edited here, perhaps."""
        self.edit_log.extend((task_id, True) for task_id in ids)

    def clear_after_fork(self, lock: threading.Lock) -> None:
        """Start over in a child process: the claims are the parent's, so their runs go on elsewhere."""
        self.lock = lock
        claimed = [record for record in self._records.values() if record.state is not _FREE]
        self._stale.update(record.id for record in claimed)
        for row in filter(None, map(self.row, self._stale)):
            row.note_unknown()
        self._released.clear()
        for record in claimed:
            if record.run is not None:
                record.run = None
                self._set_state(record, _FREE)
            self._drop_if_empty(record)


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values of a field are the same to a store."""
    return one is other or ((type(one) is type(other) or isinstance(one, datetime)) and bool(one == other))
