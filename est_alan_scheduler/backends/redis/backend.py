"""The backend on Redis and Valkey: every operation is one atomic script for up to 500 tasks."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError, RedisError
from typing_extensions import override

from est_alan_scheduler._support.errors import InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import error_text
from est_alan_scheduler.backends.address import Address
from est_alan_scheduler.backends.backend import DEFAULT_NAME, Backend, BackendUnavailableError, ValueRefusedError
from est_alan_scheduler.backends.checks import (
    FORMER_SCHEMAS,
    SCHEMA,
    check_fields,
    check_ids,
    check_name,
    check_schema,
    check_upgrade,
)
from est_alan_scheduler.backends.clock import KEPT
from est_alan_scheduler.backends.reading import add_task, newest, to_id, to_instances, to_states
from est_alan_scheduler.backends.redis import management, removal, scripts
from est_alan_scheduler.backends.redis.client import make_client
from est_alan_scheduler.backends.redis.errors import store_error
from est_alan_scheduler.backends.redis.fields import (
    RUN_MEMBER,
    can_send,
    integer,
    loaded,
    number,
    quoted,
    read_runs,
    read_state,
    sent,
)
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

_BATCH = 500  # tasks a script: the server serves no other client meanwhile
_MOST_SEEN = 2_000  # runs that a script looks through
_PAUSE = 30_000_000  # microseconds until a tombstone is looked at again whose task has a run in flight


class RedisBackend(Backend):
    """State in Redis (5 or later) or Valkey; the store's clock is the server's. Thread-safe, because its client is.

    The server's settings decide how safe a write is: with `appendfsync always` as safe as on the SQL backends; a
    fail-over may lose the last writes. A server that may evict keys without a time to live is refused.
    """

    hint = "check that the server runs, and the host, port, user and password in the URL"

    def __init__(self, address: Address, name: str = DEFAULT_NAME, clock: Callable[[], int] | None = None) -> None:
        super().__init__(address.shown, clock)
        self._prefix = f"{{{check_name(name)}}}:"
        self._client: Any = make_client(address)

    @override
    def open(self) -> None:
        try:
            with self._trusting():
                self._client.ping()
        except ValueRefusedError as error:
            raise InvalidValueError(f"{error}; correct the number of the database, or the options") from error.__cause__
        try:
            with self._trusting():
                self._prepare()
        except ValueRefusedError as error:
            raise WrongStateError(
                f"{error}; give the backend another name, these keys are of others"
            ) from error.__cause__

    def _prepare(self) -> None:
        policy = self._client.info("memory").get("maxmemory_policy", "noeviction")
        if str(policy).startswith("allkeys"):
            raise WrongStateError(
                f"{self.url} may drop any key when memory runs out (maxmemory-policy {policy}), and the state of"
                " tasks with it: set maxmemory-policy noeviction"
            )
        (found,) = self._call(scripts.OPEN, [(str(SCHEMA),)])
        if found in [str(schema).encode() for schema in FORMER_SCHEMAS]:
            check_upgrade(self.may_upgrade, int(found), self.url)
            self._upgrade()
            (found,) = self._call(scripts.OPEN, [(str(SCHEMA),)])
        check_schema(int(found) if found.isdigit() else found, self.url)

    @contextmanager
    def _trusting(self) -> Iterator[None]:
        """Turn what the client raises into the errors of a backend: it trusts the answers of a server to be right."""
        try:
            with self._guard():
                yield
        except Exception as error:
            if isinstance(error, BackendUnavailableError | WrongStateError):
                raise
            text = f"{self.url} does not answer as Redis does ({error_text(error)}): give the URL of Redis or Valkey"
            raise WrongStateError(text) from error

    def _upgrade(self) -> None:
        """Bring the keys of a former schema up to date, in batches that may be repeated."""
        with self._guard():
            lists = [self._client.zrange(self._prefix + name, 0, -1) for name in ("revisions", "removed")]
        self._each(removal.UPGRADE, [to_id(raw) for ids in lists for raw in ids])
        with self._guard():
            self._client.hset(self._prefix + "meta", "schema", SCHEMA)

    @override
    def close(self) -> None:
        self._client.close()
        self._client.connection_pool.disconnect()

    @override
    def fetch(self, ids: Collection[str] | None, seen: int, known: Mapping[str, int] | None = None) -> Snapshot:
        """Fetch in one round trip, and one more for every 500 changed definitions, or if the ids are not given."""
        if ids is None:
            with self._guard():
                found = self._client.zrange(self._prefix + "revisions", 0, -1)
            ids = list(map(to_id, found))
        rows = [[task_id, ""] for task_id in ids]
        rows += [[task_id, str(version)] for task_id, version in (known or {}).items()]
        snapshot, removed, more = self._fetch_page(Snapshot(0, seen, {}, {}, {}), str(seen), _batches(rows) or [[]])
        while more:
            snapshot, removed, more = self._fetch_page(snapshot, removed, [[]])
        if snapshot.is_complete:  # a task that was asked for and removed meanwhile is not in it
            for found in (snapshot.definitions, snapshot.states):
                for task_id in [task_id for task_id in found if snapshot.definitions.get(task_id) is None]:
                    del found[task_id]
        return snapshot

    def _fetch_page(
        self, snapshot: Snapshot, removed_seen: str, batches: Sequence[Sequence[Any]]
    ) -> tuple[Snapshot, str, bool]:
        """Add states, and the next changes since the snapshot's revision, removals since another one.

        Return also the latter for the next page, and whether there is one.
        """
        began, seen = self.clock.begin(), str(snapshot.revision)
        # Changes come with the last batch only: a task that was removed during an earlier one is among them.
        last = len(batches) - 1
        calls = [(seen, removed_seen, _BATCH * (n == last), sent(one)) for n, one in enumerate(batches)]
        replies = [loaded(reply) for reply in self._call(scripts.FETCH, calls)]
        now, revision, removed_seen, begins, more, changes, _, paused, born = replies[-1]
        self.clock.note(int(now), began)
        if begins:
            snapshot.definitions.clear()
            snapshot.unreadable.clear()
            snapshot = snapshot._replace(is_complete=True)
        for reply in replies:
            for task_id, state in reply[6]:
                add_task(snapshot, task_id, read_state(task_id, state), None)
        for task_id, (removed, definition, checksum), state in changes:
            if removed == "1":
                snapshot.definitions[task_id] = None
                snapshot.states.pop(task_id, None)
            else:
                add_task(snapshot, task_id, read_state(task_id, state), (definition, checksum))
        snapshot = snapshot._replace(now=int(now), revision=int(revision), paused=paused, born=int(born))
        return snapshot, removed_seen, bool(more)

    @override
    def define(self, definitions: Sequence[Definition]) -> dict[str, State]:
        check_ids(definitions)
        rows = [[*one[:3], str(int(one.paused)), *([] if one[4] is None else [one[4]])] for one in definitions]
        return self._states(management.DEFINE, rows)

    @override
    def change(self, changes: Sequence[Change]) -> dict[str, State]:
        rows = []
        for task_id, definition, seen_hash, seen_paused, paused, run_requested, run_arguments in changes:
            fields = [] if definition is None else ["definition", definition.json, "hash", definition.hash]
            fields += [] if paused is None else ["paused", str(int(paused))]
            fields += [] if run_requested is None else ["run_requested", str(run_requested)]
            if run_arguments is not None:
                fields += ["run_arguments", "" if run_arguments == "null" else run_arguments]
            rows.append([task_id, fields, seen_hash or "", "" if seen_paused is None else str(int(seen_paused))])
        return self._states(management.CHANGE, rows)

    @override
    def remove(self, ids: Collection[str], seen: Mapping[str, Seen] | None = None) -> set[str]:
        rows = []
        for task_id in filter(can_send, ids):
            was = None if seen is None else seen.get(task_id)
            rows.append([task_id] if was is None else [task_id, was.hash, str(int(was.paused))])
        return set(self._each(removal.REMOVE, rows, str(KEPT)))

    @override
    def drop_tombstones(self, limit: int = 1_000) -> int:
        batch = (str(min(limit, _BATCH)), str(HIGHEST), str(_PAUSE))
        return int(self._call(removal.DROP_TOMBSTONES, [batch])[0])

    @override
    def pause_all(self, paused: bool) -> bool:
        return self._call(scripts.PAUSE_ALL, [(str(int(paused)),)]) == [1]

    @override
    def assign(self, assignments: Sequence[Assignment]) -> dict[str, int]:
        check_fields(assignments)
        rows = []
        for assignment in assignments:
            columns = assignment.to_columns()
            if "error_message" in columns:
                columns["error_message"] = quoted(columns["error_message"])
            fields = [part for name, value in columns.items() for part in (name, number(value))]
            fields += ["owner", "", "token", ""] if "status" in columns else []
            rows.append([assignment.id, str(assignment.seen_version), fields])
        return {task_id: int(version) for task_id, version in self._each(scripts.ASSIGN, rows)}

    @override
    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        rows = [[number(value) for value in claim] for claim in claims]
        return {task_id: int(epoch) for task_id, epoch in self._each(scripts.CLAIM, rows, owner, token)}

    @override
    def finish(self, owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        rows = []
        for outcome in outcomes:
            columns = outcome.to_columns()
            row = [number(value) for value in columns]
            row[5:7] = quoted(columns[5]), quoted(columns[6])  # the result as history shows it, and the error
            rows.append(row)
        return {(task_id, int(epoch)) for task_id, epoch in self._each(scripts.FINISH, rows, owner)}

    @override
    def renew(self, owner: str, lease: float) -> Renewal:
        began = self.clock.begin()
        (reply,) = self._call(scripts.RENEW, [(owner, str(round(lease * 1_000_000)), str(KEPT))])
        renewal = Renewal(*map(int, reply))
        self.clock.note(renewal.now, began)
        return renewal

    @override
    def instances(self) -> list[InstanceRow]:
        (found,) = self._call(scripts.INSTANCES, [()])
        rows = ([to_id(owner), *(integer(raw and to_id(raw)) for raw in moments)] for owner, *moments in found)
        return sorted(to_instances(rows), key=lambda row: (row.since, row.owner))

    @override
    def leave(self, owner: str) -> None:
        self._call(scripts.LEAVE, [(owner,)])

    @override
    def find_dead_runs(self, limit: int = 1_000) -> list[RunRow]:
        (reply,) = self._call(scripts.FIND_DEAD_RUNS, [(str(limit),)])
        found = [(task_id, int(epoch), owner, values) for task_id, epoch, owner, values in loaded(reply)]
        return sorted(read_runs([(*row[:2], row[3]) for row in found], [row[2] for row in found]))

    @override
    def reap(self, outcomes: Sequence[DeadRunOutcome]) -> set[tuple[str, int]]:
        rows = [
            [one.id, str(one.epoch), one.owner, quoted(storable(one.error)), *map(number, one[3:])] for one in outcomes
        ]
        return {(task_id, int(epoch)) for task_id, epoch in self._each(scripts.REAP, rows)}

    @override
    def history(
        self,
        task_id: str | None = None,
        status: TaskStatus | None = None,
        since: int | None = None,
        limit: int = 100,
        before: RunKey | None = None,
    ) -> list[RunRow]:
        found: dict[RunKey, RunRow] = {}
        for keys in self._keys_of_runs(task_id, status, since, limit, before):
            found.update(
                (run.key, run)
                for run in self._runs(keys)
                if (status is None or run.status == status)
                and (since is None or run.started >= since)
                and (before is None or run.key < before)
            )
            if len(found) >= limit:
                break
        return [found[key] for key in sorted(found)[-limit:]] if limit > 0 else []

    @override
    def past(self, limits: Mapping[str, int]) -> dict[str, list[RunRow]]:
        return newest(self._runs(self._epochs(limits)), limits)

    def _epochs(self, ids: Collection[str]) -> list[tuple[str, int]]:
        return [(task_id, int(epoch)) for task_id, epoch in self._each(scripts.EPOCHS, list(ids))]

    def _keys_of_runs(
        self, task_id: str | None, status: TaskStatus | None, since: int | None, limit: int, before: RunKey | None
    ) -> Iterator[list[tuple[str, int]]]:
        """Yield batches of task ids and epochs, the latest start first; those of a single task are one batch."""
        if task_id is not None:
            yield self._epochs([task_id])
            return
        if status is TaskStatus.RUNNING:
            yield _keys(self._open_runs())
            return
        size, place = min(max(limit, 100), 1_000), 0 if before is None else self._place_after(before)
        wanted = "" if status is None else status.value
        while True:  # by place, which costs the same wherever that is
            call = str(place), str(place + size - 1), wanted
            ((number, last, members),) = self._call(scripts.LATEST_RUNS, [call])
            yield _keys(members)
            if number < size or (since is not None and float(last) < since):
                return
            place, size = place + size, _MOST_SEEN

    def _open_runs(self) -> list[bytes]:
        """Return the runs without an outcome, as in the history."""
        with self._guard():
            owners = self._client.smembers(self._prefix + "owners")
            with self._client.pipeline(transaction=False) as pipe:
                for owner in owners:
                    pipe.smembers(self._prefix.encode() + b"open:" + owner)
                found = pipe.execute(raise_on_error=False)  # a key of nonsense may have another type
        return [member for members in found if isinstance(members, set) for member in members]

    def _place_after(self, run: RunKey) -> int:
        """Return the place in the history behind a run; if that is gone, of the first run that started no later."""
        key, member = self._prefix + "history", f"{run.task_id}\0{run.epoch:016}"
        with self._guard():
            if self._client.zscore(key, member) == run.started:
                place = self._client.zrevrank(key, member)
                if place is not None:
                    return int(place) + 1
            return int(self._client.zcount(key, f"({run.started}", "+inf"))

    def _runs(self, keys: Sequence[tuple[str, int]]) -> list[RunRow]:
        found = self._each(scripts.RUNS, [[task_id, str(epoch)] for task_id, epoch in keys])
        return read_runs((task_id, int(epoch), values) for task_id, epoch, values in found)

    def _states(self, script: str, rows: Sequence[Any]) -> dict[str, State]:
        return to_states(read_state(task_id, values) for task_id, values in self._each(script, rows))

    def _each(self, script: str, rows: Sequence[Any], *arguments: str) -> list[Any]:
        """Call a script for each batch of rows, and return its answers as one list."""
        replies = self._call(script, [(*arguments, sent(batch)) for batch in _batches(rows)])
        return [row for reply in replies for row in loaded(reply)]

    def _call(self, script: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a script with each of these arguments, in one round trip."""
        script = scripts.PRELUDE + script
        digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
        now = "" if self.clock.replacement is None else str(self.clock.replacement())
        with self._guard():
            for _ in range(2):
                with self._client.pipeline(transaction=False) as pipe:
                    for arguments in calls:
                        pipe.evalsha(digest, 1, self._prefix, now, *arguments)
                    replies = pipe.execute(raise_on_error=False)  # an error that it raises does not begin with its code
                errors = [reply for reply in replies if isinstance(reply, RedisError)]
                if not errors:
                    return list(replies)
                if not isinstance(errors[0], NoScriptError):
                    raise errors[0]
                self._client.script_load(script)  # a new server, or one whose scripts were flushed
        raise BackendUnavailableError(f"{self.url}: it forgets scripts at once")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn the errors of the client into those of a backend; after an outage the next call connects anew."""
        try:
            yield
        except RedisError as error:
            failure = store_error(self.url, error)
            if not isinstance(failure, ValueRefusedError):  # the server may have become a replica of another one
                self._client.connection_pool.disconnect(inuse_connections=False)
            raise failure from error
        except BaseException:  # a Ctrl+C: the answer that it has cut off must not be taken for that of the next call
            self._client.connection_pool.disconnect(inuse_connections=False)
            raise


def _keys(members: Sequence[bytes]) -> list[tuple[str, int]]:
    """Return the task ids and epochs of members of the history, those of nonsense left out."""
    return [(to_id(member[:-17]), int(member[-16:])) for member in members if RUN_MEMBER.fullmatch(member)]


def _batches(rows: Sequence[Any]) -> list[Any]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
