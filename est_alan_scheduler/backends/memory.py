"""The backend without a store: what the others do, in its plainest form."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from est_alan_scheduler.backends.backend import Backend, check_fields, check_ids, renewed_since, stored_fields
from est_alan_scheduler.backends.clock import host_now
from est_alan_scheduler.backends.rows import (
    Assignment,
    Change,
    Claim,
    DeadRun,
    Definition,
    InstanceRow,
    Renewal,
    RunOutcome,
    RunRow,
    Snapshot,
    State,
    newest,
    storable,
    to_definition,
    to_state,
    to_states,
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


class MemoryBackend(Backend):
    """State in this process, lost with it: for tests, and for registries that share a list of tasks in one process.

    `_lock` guards all of it.
    """

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__("memory", clock)
        self._lock = threading.Lock()
        self._revision = 0
        self._born = self._read_clock()
        self._is_paused = False
        self._rows: dict[str, _Row] = {}
        self._runs: dict[str, dict[int, RunRow]] = {}
        self._instances: dict[str, InstanceRow] = {}

    def open(self) -> None:
        """Do nothing: it is there."""

    def close(self) -> None:
        """Do nothing: it stays."""

    def fetch(
        self, ids: Collection[str] | None, seen_revision: int, known: Mapping[str, int] | None = None
    ) -> Snapshot:
        """Return the time, the revision, what changed since another one, and the states of tasks."""
        with self._lock:
            seen = seen_revision if seen_revision <= self._revision else 0
            known = known or {}
            snapshot = Snapshot(self._read_clock(), self._revision, {}, {}, {}, self._is_paused, self._born)
            for task_id, row in self._rows.items():
                is_news = row.revision > seen
                if is_news and row.removed:
                    snapshot.definitions[task_id] = None
                is_asked = ids is None or task_id in ids or known.get(task_id, row.state.version) != row.state.version
                if row.removed or not (is_news or is_asked):
                    continue
                try:
                    state = to_state(row.state)
                    if is_news:
                        snapshot.definitions[task_id] = to_definition(task_id, row.definition, row.hash)
                    snapshot.states[task_id] = state
                except ValueError as error:
                    snapshot.unreadable[task_id] = str(error)
            return snapshot

    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        """Write definitions whose hash is new, and return the state of all."""
        check_ids(definitions)
        with self._lock:
            revision = self._revision + 1
            for task_id, text, checksum, paused in definitions:
                row = self._rows.get(task_id)
                if row is None:
                    state = _blank(task_id, 1, 0)._replace(paused=paused)
                    self._rows[task_id] = _Row(state, text, checksum, revision)
                elif row.removed or row.hash != checksum:
                    state = _next(row.state, paused=paused if row.removed else row.state.paused)
                    self._rows[task_id] = _Row(state, text, checksum, revision, token=row.token)
                else:
                    continue
                self._revision = revision
            return to_states(self._rows[definition.id].state for definition in definitions)

    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        """Change what tasks are, and return the states of those that were changed."""
        changed = []
        with self._lock:
            revision = self._revision + 1
            for task_id, definition, seen_hash, paused, run_requested in changes:
                row = self._rows.get(task_id)
                if row is None or row.removed or (seen_hash is not None and row.hash != seen_hash):
                    continue
                if definition is not None:
                    row.definition, row.hash = definition.json, definition.hash
                old = row.state
                row.state = _next(
                    old,
                    paused=old.paused if paused is None else paused,
                    run_requested=old.run_requested if run_requested is None else run_requested,
                )
                row.revision = self._revision = revision
                changed.append(row.state)
        return to_states(changed)

    def remove(self, ids: Collection[str]) -> None:
        """Remove tasks and their finished runs; what stays is the epoch."""
        with self._lock:
            revision = self._revision + 1
            for task_id in ids:
                row = self._rows.get(task_id)
                if row is None or row.removed:
                    continue
                state = _blank(task_id, row.state.version + 1, row.state.epoch)
                self._rows[task_id] = _Row(state, "", "", revision, removed=True)
                self._revision = revision
                runs = self._runs.get(task_id, {})
                for epoch in [epoch for epoch, run in runs.items() if run.finished is not None]:
                    del runs[epoch]

    def pause_all(self, paused: bool) -> bool:
        """Let no claim be won any more, or be won again; return whether that is a change."""
        with self._lock:
            is_change = self._is_paused is not paused
            self._is_paused = paused
            self._revision += is_change
        return is_change

    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        """Write fields into rows that still have the version seen, and return their new versions."""
        for assignment in assignments:
            check_fields(assignment)
        versions = {}
        with self._lock:
            for task_id, seen_version, fields in assignments:
                row = self._rows.get(task_id)
                if row is None or row.removed or row.state.version != seen_version:
                    continue
                row.state = _next(row.state, **stored_fields(fields))
                if "status" in fields:
                    row.state, row.token = row.state._replace(owner=None), None
                versions[task_id] = row.state.version
        return versions

    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        """Start runs of tasks that still have the version seen, and return the epochs of those won."""
        won = {}
        with self._lock:
            may_win = self._is_alive(owner, self._read_clock()) and not self._is_paused
            for claim in claims:
                row = self._rows.get(claim.id)
                if row is None:
                    continue
                state = row.state
                if state.status == TaskStatus.RUNNING:
                    if row.token == token and state.owner == owner:  # asked again
                        won[claim.id] = state.epoch
                    continue
                if row.removed or state.version != claim.seen_version or not may_win:
                    continue
                row.token = token
                row.state = _next(
                    state,
                    epoch=state.epoch + 1,
                    status=TaskStatus.RUNNING,
                    first_run_at=claim.first_run_at,
                    last_run_at=claim.last_run_at,
                    retry_at=claim.retry_at,
                    attempt=claim.attempt,
                    slot=claim.slot,
                    run_requested=0,
                    owner=owner,
                )
                epoch = won[claim.id] = row.state.epoch
                self._runs.setdefault(claim.id, {})[epoch] = RunRow(
                    claim.id,
                    epoch,
                    claim.slot,
                    claim.attempt,
                    owner,
                    claim.started,
                    None,
                    TaskStatus.RUNNING,
                    None,
                    None,
                    late=False,
                )
        return won

    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        """Record how runs ended, and return those that still had their tasks."""
        recorded = set()
        with self._lock:
            for outcome in outcomes:
                task_id, epoch = outcome.id, outcome.epoch
                row = self._rows.get(task_id)
                runs = self._runs.get(task_id, {})
                run = runs.get(epoch)
                is_kept = row is not None and _fence(row.state) == (epoch, owner, TaskStatus.RUNNING)
                if row is not None and is_kept:
                    _end(row, outcome)
                if run is not None and run.owner == owner:
                    is_first = run.finished is None
                    if is_first or run.late:
                        runs[epoch] = run._replace(
                            finished=outcome.finished,
                            status=outcome.status if is_first else run.status,
                            result=storable(outcome.result_text),
                            error=storable(outcome.error) if is_first else run.error,
                            late=not is_kept,
                        )
                    if is_kept or not runs[epoch].late:
                        recorded.add((task_id, epoch))
                for old in [old for old, run in runs.items() if old <= outcome.prune_to and run.finished is not None]:
                    del runs[old]
        return recorded

    def renew(self, owner: str, lease: float) -> Renewal:
        """Let the lease of an owner last for so many seconds from now."""
        with self._lock:
            now = self._read_clock()
            until = now + round(lease * 1_000_000)
            since = renewed_since(self._instances.get(owner), now)
            self._instances[owner] = InstanceRow(owner, since, until)
            return Renewal(now, until, since)

    def instances(self) -> list[InstanceRow]:
        """Return all whose lease is alive, the oldest first."""
        with self._lock:
            now = self._read_clock()
            alive = [instance for instance in self._instances.values() if instance.lease_until > now]
        return sorted(alive, key=lambda instance: (instance.since, instance.owner))

    def leave(self, owner: str) -> None:
        """Give a lease back."""
        with self._lock:
            self._instances.pop(owner, None)

    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        """Return runs without an outcome whose owner has no live lease."""
        with self._lock:
            now = self._read_clock()
            runs = [
                run
                for of_task in self._runs.values()
                for run in of_task.values()
                if run.finished is None and not self._is_alive(run.owner, now)
            ]
        return sorted(runs, key=lambda run: (run.task_id, run.epoch))[:limit]

    def reap(self, dead_runs: Sequence[DeadRun]) -> set[tuple[str, int]]:
        """Record lost runs as FAILED, and return those that were."""
        reaped = set()
        with self._lock:
            now = self._read_clock()
            for dead_run in dead_runs:
                task_id, epoch, owner, retry_at, attempt = dead_run
                run = self._runs.get(task_id, {}).get(epoch)
                if run is None or run.finished is not None or run.owner != owner or self._is_alive(owner, now):
                    continue
                reaped.add((task_id, epoch))
                self._runs[task_id][epoch] = run._replace(
                    finished=now, status=TaskStatus.FAILED, error=dead_run.error, late=True
                )
                row = self._rows[task_id]
                if _fence(row.state) == (epoch, owner, TaskStatus.RUNNING):
                    row.state = _next(
                        row.state,
                        status=TaskStatus.FAILED,
                        retry_at=retry_at,
                        attempt=attempt,
                        error_message=dead_run.error,
                        owner=None,
                    )
            for owner in {dead_run.owner for dead_run in dead_runs}:
                if not self._is_alive(owner, now):
                    self._instances.pop(owner, None)
        return reaped

    def history(
        self, task_id: str | None = None, status: TaskStatus | None = None, since: int | None = None, limit: int = 100
    ) -> list[RunRow]:
        """Return the latest runs, the oldest of them first."""
        with self._lock:
            tasks = self._runs.values() if task_id is None else [self._runs.get(task_id, {})]
            runs = [
                run
                for of_task in tasks
                for run in of_task.values()
                if (status is None or run.status == status) and (since is None or run.started >= since)
            ]
        return sorted(runs, key=lambda run: (run.started, run.task_id, run.epoch))[-limit:] if limit > 0 else []

    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        """Return, of each of these tasks, its newest finished runs."""
        with self._lock:
            return newest((run for task_id in limits for run in self._runs.get(task_id, {}).values()), limits)

    def _read_clock(self) -> int:
        began = self.clock.begin()
        now = host_now() if self.clock.replacement is None else self.clock.replacement()
        self.clock.note(now, began)
        return now

    def _is_alive(self, owner: str, now: int) -> bool:
        instance = self._instances.get(owner)
        return instance is not None and instance.lease_until > now


def _blank(task_id: str, version: int, epoch: int) -> State:
    return State(
        task_id,
        version,
        epoch,
        TaskStatus.PENDING,
        first_run_at=None,
        last_run_at=None,
        last_success_at=None,
        retry_at=None,
        attempt=0,
        result=None,
        error_message=None,
        misfires=0,
        misfired_at=None,
        paused=False,
        run_requested=0,
        owner=None,
    )


def _next(state: State, **fields: Any) -> State:
    """Return the next version of a state."""
    return state._replace(version=state.version + 1, **fields)


def _fence(state: State) -> tuple[int, str | None, TaskStatus]:
    return state.epoch, state.owner, state.status


def _end(row: _Row, outcome: RunOutcome) -> None:
    succeeded = outcome.status == TaskStatus.SUCCESS
    state = row.state
    row.state = _next(
        state,
        status=outcome.status,
        result=outcome.result if succeeded else state.result,
        error_message=storable(outcome.error),
        last_success_at=outcome.last_success_at if succeeded else state.last_success_at,
        retry_at=outcome.retry_at,
        attempt=outcome.attempt,
        consumed=state.consumed if outcome.consumed is None else outcome.consumed,
        owner=None,
    )
