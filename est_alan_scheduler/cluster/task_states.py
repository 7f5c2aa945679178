"""The states of rows, taken over into the fields of tasks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from est_alan_scheduler.backends.clock import from_instant
from est_alan_scheduler.backends.rows import State
from est_alan_scheduler.cluster.codecs import states
from est_alan_scheduler.cluster.codecs.states import fields_of
from est_alan_scheduler.cluster.lease import Lease
from est_alan_scheduler.cluster.task_records import ClaimState, KnownRow, TaskRecord, TaskRecords, is_same
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.schedules.state import keep_tried, tried
from est_alan_scheduler.task import Task, TaskStatus


@dataclass(eq=False)
class TaskStates:
    """The side of a replica that writes states into tasks. The registry's lock guards it, which the caller holds.

    What is replaced goes to `_replaced`, for the replica to free it without the lock: a `__del__` is user code.
    """

    _lease: Lease
    _records: TaskRecords
    _agenda: Agenda
    _replaced: list[Any]

    def take(self, state: State, now: datetime) -> None:
        """Take over the state of a task, if that is newer."""
        records = self._records
        task, record = dict.get(self._agenda.store, state.id), records.get(state.id)
        row = None if record is None else record.row
        if task is None or record is None or row is None or state.version <= row.version:
            return
        if self.runs_here(state):  # the local state is newer, except for requests of others
            row.version = state.version
            self._take_management(task, record, row, fields_of(state, task), now)
            return
        if record.run is not None:  # others have taken the task away: it is read when that run is over
            records.release(state.id)
            records.mark_stale([state.id])
            if state.version > row.newest_foreign_version:
                row.newest_foreign_version = state.version
                self._take_management(task, record, row, fields_of(state, task), now)
            return
        self.write(task, row, state)
        self._agenda.reread(task, now)

    def runs_here(self, state: State) -> bool:
        """Return whether a run is claimed here, perhaps by a claim whose answer is still to come."""
        if state.status is not TaskStatus.RUNNING or state.owner != self._lease.owner:
            return False
        return not self._records.is_claimed(state.id) or self._records.is_claimed(state.id, state.epoch)

    def _take_management(
        self, task: Task, record: TaskRecord, row: KnownRow, news: dict[str, Any], now: datetime
    ) -> None:
        """Take over what may be asked of a task whose run is claimed here."""
        self._records.changes.note(task.id)
        fields = task.__dict__
        if not row.fields:  # the task is new, and its id had another one before, which runs
            states.write(task, {name: news[name] for name in states.MANAGED})
            return
        if is_same(fields["paused"], row.fields["paused"]):  # or it was assigned here
            fields["paused"] = news["paused"]
        row.fields["paused"] = news["paused"]
        if record.state is ClaimState.HELD or record.run is None:
            is_requested = news["run_requested"] is not None
            row.request = {name: news[name] for name in states.REQUEST} if is_requested else None
            self._agenda.changes += 1  # it may not start any more
        else:
            own = states.read(fields, states.REQUEST)
            states.write(task, {name: news[name] for name in states.REQUEST if is_same(own[name], row.fields[name])})
            row.fields.update({name: news[name] for name in states.REQUEST})
            if fields["status"] is not TaskStatus.RUNNING:  # its run has ended, and the outcome is not written yet
                self._agenda.reread(task, now)

    def write(self, task: Task, row: KnownRow, state: State) -> None:
        """Write a state into the fields of a task, but for edits not pushed yet."""
        fields, news, message = task.__dict__, fields_of(state, task), task.__dict__["error_message"]
        own = states.read(fields, states.FIELDS)
        self._replaced.extend((fields["result"], fields["error"]))
        keep_tried(task, None if state.slot is None else from_instant(state.slot))
        former = row.initial or row.fields
        changes = {name: value for name, value in news.items() if not former or is_same(own[name], former[name])}
        row.fields = {}  # until all is written: after a Ctrl+C in between, no half of it counts as an edit
        states.write(task, changes)
        if fields["error_message"] != message:
            fields["error"] = None
        row.epoch, row.fields, row.initial = state.epoch, news, None
        row.version = state.version  # last: until then, the state is taken again
        self._records.set_running_elsewhere(task.id, state.status is TaskStatus.RUNNING)

    def keep_claim(self, task: Task, row: KnownRow, former: KnownRow | None, state: State) -> None:
        """Let an adopted task whose run was claimed here, and that is registered now, stand as before that claim.

        That run does not start: the tick has found another `Task` ready. The store gets back the state kept here.
        """
        if self.runs_here(state) and former is not None and former.knows_before_claim():
            before = former.before_claim()
            states.write(task, before)
            row.fields.update(before)
            row.request = former.request
            keep_tried(task, tried(self._agenda.store.get(task.id, task)))
            self._records.set_running_elsewhere(task.id, False)
