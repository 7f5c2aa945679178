"""The backend in memory: the contract in its plainest form."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.checks import check_fields, check_ids
from est_alan_scheduler.backends.clock import KEPT
from est_alan_scheduler.backends.reading import add_task, newest, to_states
from est_alan_scheduler.backends.rows import (
    HIGHEST,
    Assignment,
    Change,
    Claim,
    DeadRunOutcome,
    Definition,
    InstanceRow,
    Renewal,
    RunKey,
    RunOutcome,
    RunRow,
    Seen,
    Snapshot,
    State,
    storable,
)
from est_alan_scheduler.task import TaskStatus


@dataclass
class _Row:
    state: State
    definition: str
    hash: str
    revision: int
    removed: bool = False
    token: str | None = None
    kept_until: int = 0  # a tombstone: when the leases of the time of the removal end

    def next(self, **fields: Any) -> State:
        """Return the next version of the state."""
        return self.state._replace(version=self.state.version + 1, **fields)

    def is_as_seen(self, seen_hash: str | None, seen_paused: bool | None) -> bool:
        return seen_hash in (None, self.hash) and seen_paused in (None, self.state.paused)

    def is_run_by(self, owner: str, epoch: int) -> bool:
        return (self.state.epoch, self.state.owner, self.state.status) == (epoch, owner, TaskStatus.RUNNING)


class MemoryBackend(Backend):
    """State in this process, lost with it: for tests, and for registries that share a list of tasks in one process.

    `_lock` guards all of it. Each row is written in one step: by assignments without a call in between, where no signal
    handler runs, so that a Ctrl+C leaves no half of a row.
    """

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__("memory", clock)
        self._lock = threading.Lock()
        self._revision = 0
        self._dropped_revision = self._dropped_version = 0  # the highest of all tombstones that were dropped
        self._born = self._read_clock()
        self._is_paused = False
        self._rows: dict[str, _Row] = {}
        self._runs: dict[str, dict[int, RunRow]] = {}
        self._instances: dict[str, InstanceRow] = {}

    @override
    def open(self) -> None:
        pass

    @override
    def close(self) -> None:
        pass

    @override
    def fetch(self, ids: Collection[str] | None, seen: int, known: Mapping[str, int] | None = None) -> Snapshot:
        with self._lock:
            seen, known = seen if self._dropped_revision <= seen <= self._revision else 0, known or {}
            snapshot = Snapshot(self._read_clock(), self._revision, {}, {}, {}, self._is_paused, self._born, seen == 0)
            for task_id, row in self._rows.items():
                version, is_changed = row.state.version, row.revision > seen
                if row.removed:
                    if is_changed and seen:
                        snapshot.definitions[task_id] = None
                elif is_changed or ids is None or task_id in ids or known.get(task_id, version) != version:
                    add_task(snapshot, task_id, row.state, (row.definition, row.hash) if is_changed else None)
            return snapshot

    @override
    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        check_ids(definitions)
        left = set[str]()
        with self._lock:
            revision = self._revision + 1
            for definition in definitions:
                task_id, text, checksum, paused, _ = definition
                row = self._rows.get(task_id)
                found = "" if row is None or row.removed else row.hash
                if definition.yields_to(found):
                    left.add(task_id)
                elif row is None:
                    last = self._dropped_version
                    row = _Row(State(task_id, last + 1, last, paused=paused), text, checksum, revision)
                    self._rows[task_id], self._revision = row, revision
                elif row.removed or row.hash != checksum:
                    row.state = row.next(paused=paused if row.removed else row.state.paused)
                    row.definition, row.hash, row.revision, row.removed = text, checksum, revision, False
                    self._revision = revision
            ids = [definition.id for definition in definitions if definition.id not in left]
            return to_states(self._rows[task_id].state for task_id in ids)

    @override
    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        changed = []
        with self._lock:
            revision = self._revision + 1
            for task_id, definition, seen_hash, seen_paused, *values in changes:
                row = self._row(task_id)
                if row is None or not row.is_as_seen(seen_hash, seen_paused):
                    continue
                columns = dict(zip(Change._fields[4:], values, strict=True))
                columns = {name: value for name, value in columns.items() if value is not None}
                if columns.get("run_arguments") == "null":
                    columns["run_arguments"] = None
                state = row.next(**columns)
                if definition is not None:
                    row.definition, row.hash = definition.json, definition.hash
                row.state, row.revision, self._revision = state, revision, revision
                changed.append(state)
        return to_states(changed)

    @override
    def remove(self, ids: Collection[str], seen: Mapping[str, Seen] | None = None) -> set[str]:
        left, seen = set[str](), seen or {}
        with self._lock:
            revision, longest = self._revision + 1, self._read_clock() + KEPT
            ends = [row.lease_until for row in self._instances.values() if row.lease_until <= longest]
            for task_id in ids:
                row = self._row(task_id)
                if row is not None and task_id in seen and not row.is_as_seen(*seen[task_id]):
                    left.add(task_id)
                elif row is not None:
                    state = State(task_id, row.state.version + 1, row.state.epoch)
                    tombstone = _Row(state, "", "", revision, removed=True, kept_until=max(ends, default=0))
                    self._rows[task_id], self._revision = tombstone, revision
                    self._prune(task_id, row.state.epoch)
        return left

    @override
    def drop_tombstones(self, limit: int = 1_000) -> int:
        with self._lock:
            now = self._read_clock()
            old = [row for row in self._rows.values() if row.removed and row.kept_until <= now]
            usual = [row for row in old if max(row.state[1:3]) <= HIGHEST]
            dropped = [row for row in usual if not self._is_running(row.state.id)][:limit]
            for row in dropped:  # first the marks: a Ctrl+C must not leave a task dropped that they do not cover
                self._dropped_revision = max(self._dropped_revision, row.revision)
                self._dropped_version = max(self._dropped_version, *row.state[1:3])
                del self._rows[row.state.id]
                if not self._runs.get(row.state.id):
                    self._runs.pop(row.state.id, None)
        return len(dropped)

    def _is_running(self, task_id: str) -> bool:
        return any(run.finished is None for run in self._runs.get(task_id, {}).values())

    @override
    def pause_all(self, paused: bool) -> bool:
        with self._lock:
            is_change = self._is_paused is not paused
            self._is_paused = paused
            self._revision += is_change
        return is_change

    @override
    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        check_fields(assignments)
        versions = {}
        with self._lock:
            for assignment in assignments:
                row = self._row(assignment.id)
                if row is not None and row.state.version == assignment.seen_version:
                    state = row.next(**assignment.to_columns())
                    if "status" in assignment.fields:
                        state = state._replace(owner=None)
                        row.token = None
                    row.state = state
                    versions[assignment.id] = state.version
        return versions

    @override
    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        won = {}
        with self._lock:
            is_open = self._is_alive(owner, self._read_clock()) and not self._is_paused
            for claim in claims:
                task_id, seen_version, slot, attempt, started, *others = claim
                row = self._row(task_id)
                if row is None:
                    continue
                state = row.state
                if state.status == TaskStatus.RUNNING:
                    if row.token == token and state.owner == owner:  # a repetition
                        won[task_id] = state.epoch
                elif is_open and state.version == seen_version:
                    epoch = won[task_id] = state.epoch + 1
                    fields = dict(zip(Claim._fields[5:], others, strict=True)) | {"slot": slot, "attempt": attempt}
                    if attempt == 1 and not state.run_requested:
                        fields["run_arguments"] = None
                    state = row.next(epoch=epoch, status=TaskStatus.RUNNING, owner=owner, run_requested=0, **fields)
                    runs = self._runs.setdefault(task_id, {})
                    run = RunRow(task_id, epoch, slot, attempt, owner, started)
                    row.state, row.token, runs[epoch] = state, token, run
        return won

    @override
    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        recorded = set()
        with self._lock:
            for outcome in outcomes:
                row = self._rows.get(outcome.id)
                is_kept = row is not None and row.is_run_by(owner, outcome.epoch)
                if self._end_run(owner, outcome, row if is_kept else None):
                    recorded.add((outcome.id, outcome.epoch))
                self._prune(outcome.id, outcome.prune_to if is_kept else min(outcome.prune_to, outcome.epoch - 1))
        return recorded

    def _end_run(self, owner: str, outcome: RunOutcome, row: _Row | None) -> bool:
        """Record the end of a run; return whether it has ended in time, now or when first recorded.

        `row` is that of its task, None if it has lost that.
        """
        runs = self._runs.get(outcome.id, {})
        run, state = runs.get(outcome.epoch), None if row is None else _end(row, outcome)
        if run is None and outcome.leaves_no_run:
            return self._tells_of(outcome)
        if run is None or run.owner != owner:
            return False
        if run.finished is None:
            run = run._replace(status=outcome.status, error=storable(outcome.error))
        elif not run.late:
            return True
        run = run._replace(finished=outcome.finished, result=storable(outcome.result_text), late=row is None)
        if row is not None and state is not None:
            row.state = state
        runs[outcome.epoch] = run
        return row is not None

    def _tells_of(self, outcome: RunOutcome) -> bool:
        """Return whether the row of a task says that this outcome, of which no run is kept, was recorded."""
        row = self._rows.get(outcome.id)
        if row is None or row.state.epoch != outcome.epoch or row.state.owner is not None:
            return False
        state = row.state
        return outcome.is_told_by(state.status, state.error_message, state.retry_at, state.last_success_at)

    @override
    def renew(self, owner: str, lease: float) -> Renewal:
        with self._lock:
            now = self._read_clock()
            row = self._instances[owner] = InstanceRow.renewed(owner, self._instances.get(owner), now, lease)
            return Renewal(now, row.lease_until, row.since)

    @override
    def instances(self) -> list[InstanceRow]:
        with self._lock:
            now = self._read_clock()
            alive = [row for row in self._instances.values() if row.lease_until > now]
        return sorted(alive, key=lambda row: (row.since, row.owner))

    @override
    def leave(self, owner: str) -> None:
        with self._lock:
            self._instances.pop(owner, None)

    @override
    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        with self._lock:
            now = self._read_clock()
            runs = [run for run in self._all_runs() if run.finished is None and not self._is_alive(run.owner, now)]
        return sorted(runs, key=lambda run: (run.task_id, run.epoch))[:limit]

    @override
    def reap(self, outcomes: Sequence[DeadRunOutcome]) -> set[tuple[str, int]]:
        reaped = set()
        with self._lock:
            now = self._read_clock()
            for outcome in outcomes:
                task_id, epoch, owner, *outcome_fields = outcome
                run = self._runs.get(task_id, {}).get(epoch)
                if run is None or run.finished is not None or run.owner != owner or self._is_alive(owner, now):
                    continue
                failed, error, row = TaskStatus.FAILED, outcome.error, self._row(task_id)
                state, runs = None, self._runs[task_id]
                if row is not None and row.is_run_by(owner, epoch):
                    fields = dict(zip(DeadRunOutcome._fields[3:], outcome_fields, strict=True))
                    state = row.next(status=failed, error_message=error, owner=None, **fields)
                run = run._replace(finished=now, status=failed, error=error, late=True)
                if row is not None and state is not None:
                    row.state = state
                runs[epoch] = run
                reaped.add((task_id, epoch))
            for owner in {outcome.owner for outcome in outcomes}:
                if not self._is_alive(owner, now):
                    self._instances.pop(owner, None)
        return reaped

    @override
    def history(
        self,
        task_id: str | None = None,
        status: TaskStatus | None = None,
        since: int | None = None,
        limit: int = 100,
        before: RunKey | None = None,
    ) -> list[RunRow]:
        with self._lock:
            runs = [
                run
                for run in (self._all_runs() if task_id is None else self._runs.get(task_id, {}).values())
                if (status is None or run.status == status)
                and (since is None or run.started >= since)
                and (before is None or run.key < before)
            ]
        return sorted(runs, key=lambda run: run.key)[-limit:] if limit > 0 else []

    @override
    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        with self._lock:
            return newest((run for task_id in limits for run in self._runs.get(task_id, {}).values()), limits)

    def _row(self, task_id: str) -> _Row | None:
        """Return the row of a task that is not removed."""
        row = self._rows.get(task_id)
        return None if row is None or row.removed else row

    def _all_runs(self) -> Iterator[RunRow]:
        for of_task in self._runs.values():
            yield from of_task.values()

    def _prune(self, task_id: str, last: int) -> None:
        """Delete a task's finished runs up to that epoch."""
        runs = self._runs.get(task_id, {})
        for epoch in [epoch for epoch, run in runs.items() if epoch <= last and run.finished is not None]:
            del runs[epoch]

    def _read_clock(self) -> int:
        began, now = self.clock.begin(), self.clock.host()
        self.clock.note(now, began)
        return now

    def _is_alive(self, owner: str, now: int) -> bool:
        instance = self._instances.get(owner)
        return instance is not None and instance.lease_until > now


def _end(row: _Row, outcome: RunOutcome) -> State:
    """Return the state of a task at the end of its run."""
    fields: dict[str, Any] = {"status": outcome.status, "error_message": storable(outcome.error), "owner": None}
    fields["consecutive_failures"] = outcome.consecutive_failures
    if outcome.status == TaskStatus.SUCCESS:
        fields |= {"result": outcome.result, "last_success_at": outcome.last_success_at}
    if outcome.consumed is not None:
        fields["consumed"] = outcome.consumed
    return row.next(retry_at=outcome.retry_at, attempt=outcome.attempt, **fields)
