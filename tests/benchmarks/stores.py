"""The cost of a claim and a finish in each backend, beside a floor: the same writes, bare, in the same run.

    python -m tests.benchmarks.stores            batches of 1,000 and of 1
    python -m tests.benchmarks.stores --quick    less of it

The floor compares nothing and returns nothing. Through the database's own client it writes into the same tables: a
claim in one transaction, a finish in another, as large as the batch. On Redis it writes the same keys. Servers come
from the test extra's wheels.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from est_alan_scheduler.backends import Backend
from tests.backends.stores import KINDS, Servers, Store, claim, define, success

_SIZE, _SIZE_QUICK = 1_000, 200
_ROUNDS, _ROUNDS_QUICK = 7, 3
_SINGLES = 100  # batches of one in a round


class Ours:
    """A backend, and the versions of its tasks."""

    def __init__(self, backend: Backend, size: int) -> None:
        self._backend = backend
        self._ids = [f"task {number:05}" for number in range(size)]
        define(backend, *self._ids)
        self._versions = dict.fromkeys(self._ids, 1)
        self._owner = uuid.uuid4().hex
        backend.renew(self._owner, 3_600)

    def run(self, number: int) -> None:
        """Claim and finish so many runs."""
        ids = self._ids[:number]
        claims = [claim(one, self._versions[one]) for one in ids]
        won = self._backend.claim(self._owner, uuid.uuid4().hex, claims)
        recorded = self._backend.finish(self._owner, [success(one, epoch) for one, epoch in won.items()])
        if len(recorded) != number:
            raise RuntimeError(f"{number} runs were asked for, {len(recorded)} were recorded")
        for one in ids:
            self._versions[one] += 2


_CLAIMED = (
    "epoch = epoch + 1, version = version + 1, status = 'running', owner = 'me', token = 'token', run_requested = 0,"
    " first_run_at = 50, last_run_at = 100, retry_at = NULL, attempt = 1, slot = 99"
)
_FINISHED = (
    "version = version + 1, status = 'success', owner = NULL, error_message = NULL, retry_at = NULL, attempt = 0,"
    " result = '[1]', last_success_at = 200"
)
_RUN = "(task_id, epoch, slot, attempt, owner, started, status, late)"
_ENDED = "finished = 200, status = 'success', result = '[1]', error = NULL, late = false"


class SqliteFloor:
    """Bare sqlite3 on the same tables, as safe: write-ahead log, every commit on the disk."""

    def __init__(self, store: Store, size: int) -> None:
        backend = store.open()
        define(backend, *(f"task {number:05}" for number in range(size)))
        self._name = store.name
        self._connection = sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)
        self._execute = self._connection.execute
        self._execute("PRAGMA synchronous = FULL")
        self._ids = [(f"task {number:05}",) for number in range(size)]

    def run(self, number: int) -> None:
        """Write the same as a claim and a finish of so many runs."""
        tasks, runs, many = f"{self._name}_tasks", f"{self._name}_runs", self._connection.executemany
        ids = self._ids[:number]
        self._execute("BEGIN IMMEDIATE")
        many(f"UPDATE {tasks} SET {_CLAIMED} WHERE id = ?", ids)
        insert = f"INSERT INTO {runs} {_RUN} SELECT id, epoch, 99, 1, 'me', 100, 'running', 0 FROM {tasks} WHERE id = ?"
        many(insert, ids)
        self._execute("COMMIT")
        self._execute("BEGIN IMMEDIATE")
        many(f"UPDATE {tasks} SET {_FINISHED} WHERE id = ?", ids)
        many(f"UPDATE {runs} SET {_ENDED} WHERE task_id = ? AND finished IS NULL", ids)
        self._execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class PostgresFloor:
    """Bare psycopg on the same tables: set-based updates, one statement and transaction a claim, one a finish."""

    def __init__(self, store: Store, size: int) -> None:
        import psycopg

        self._ids = [f"task {number:05}" for number in range(size)]
        define(store.open(), *self._ids)
        self._name = store.name
        self._connection = psycopg.connect(store.url.replace("+psycopg", ""), autocommit=True)
        self._execute: Any = self._connection.execute

    def run(self, number: int) -> None:
        """Write the same as a claim and a finish of so many runs."""
        tasks, runs, ids = f"{self._name}_tasks", f"{self._name}_runs", [self._ids[:number]]
        self._execute(
            f"WITH won AS (UPDATE {tasks} SET {_CLAIMED} WHERE id = ANY(%s) RETURNING id, epoch)"
            f" INSERT INTO {runs} {_RUN} SELECT id, epoch, 99, 1, 'me', 100, 'running', false FROM won",
            ids,
        )
        self._execute(
            f"WITH kept AS (UPDATE {tasks} SET {_FINISHED} WHERE id = ANY(%s) RETURNING id, epoch)"
            f" UPDATE {runs} r SET {_ENDED} FROM kept WHERE r.task_id = kept.id AND r.epoch = kept.epoch",
            ids,
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class RedisFloor:
    """Bare scripts: the same keys are written, nothing is compared."""

    _CLAIM = """
    for _, id in ipairs(cjson.decode(ARGV[1])) do
        local key = KEYS[1] .. id
        local epoch = redis.call('HINCRBY', key, 'epoch', 1)
        redis.call('HINCRBY', key, 'version', 1)
        redis.call('HSET', key, 'status', 'running', 'owner', 'me', 'token', 't', 'run_requested', '0', 'attempt', '1',
            'first_run_at', '1', 'last_run_at', '1', 'retry_at', '', 'slot', '1')
        redis.call('HSET', key .. epoch, 'slot', '1', 'attempt', '1', 'owner', 'me', 'started', '1', 'finished', '',
            'status', 'running', 'result', '', 'error', '', 'late', '0')
        redis.call('ZADD', key .. 'runs', epoch, epoch)
        redis.call('ZADD', KEYS[1] .. 'history', 1, id .. epoch)
        redis.call('SADD', KEYS[1] .. 'open', id .. epoch)
    end"""
    _FINISH = """
    for _, id in ipairs(cjson.decode(ARGV[1])) do
        local key = KEYS[1] .. id
        redis.call('HSET', key, 'status', 'success', 'owner', '', 'error_message', '', 'retry_at', '', 'attempt', '0',
            'result', '1', 'last_success_at', '2')
        redis.call('HINCRBY', key, 'version', 1)
        redis.call('HSET', key .. ARGV[2], 'finished', '2', 'status', 'success', 'result', '1', 'error', '')
        redis.call('SREM', KEYS[1] .. 'open', id .. ARGV[2])
    end"""

    def __init__(self, store: Store, size: int) -> None:
        import redis

        self._client = redis.Redis.from_url(store.url)
        self._ids = [f"task {number:05}" for number in range(size)]
        self._prefix = f"{{floor {uuid.uuid4().hex}}}:"
        self._scripts = [str(self._client.script_load(script)) for script in (self._CLAIM, self._FINISH)]
        self._epoch = 0

    def run(self, number: int) -> None:
        """Write the same as a claim and a finish of so many runs."""
        self._epoch += 1
        for digest in self._scripts:
            with self._client.pipeline(transaction=False) as pipe:
                for start in range(0, number, 500):
                    ids = json.dumps(self._ids[start : min(start + 500, number)])
                    pipe.evalsha(digest, 1, self._prefix, ids, str(self._epoch))
                pipe.execute()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


FLOORS: dict[str, Any] = {"sqlite": SqliteFloor, "postgres": PostgresFloor, "redis": RedisFloor}


def per_second(run: Callable[[int], None], batch: int, batches: int) -> float:
    """Return the runs per second."""
    began = time.perf_counter()
    for _ in range(batches):
        run(batch)
    return batch * batches / (time.perf_counter() - began)


def measure(kind: str, servers: Servers, size: int, rounds: int) -> None:
    """Print the figures of one backend."""
    with tempfile.TemporaryDirectory() as directory:
        store = servers.store(kind, Path(directory))
        ours = Ours(store.open(), size)
        beside = servers.store(kind, Path(directory) / "floor")
        Path(directory, "floor").mkdir()
        floor = FLOORS[kind](beside, size) if kind in FLOORS else None
        for batch, batches in ((size, 1), (1, _SINGLES)):
            figures: dict[str, list[float]] = {"ours": [], "floor": []}
            for _ in range(rounds):  # interleaved: other load on the machine hits both
                figures["ours"].append(per_second(ours.run, batch, batches))
                if floor is not None:
                    figures["floor"].append(per_second(floor.run, batch, batches))
            mine = median(figures["ours"])
            bare = median(figures["floor"]) if floor is not None else None
            cells = "-".rjust(12) * 2 if bare is None else f"{bare:>12,.0f}{mine / bare:>12.2f}"
            print(f"  {kind:<12}{batch:>8,}{mine:>12,.0f}{cells}", flush=True)
        if floor is not None:
            floor.close()
        store.close()
        beside.close()


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stores")
    parser.add_argument("--quick", action="store_true", help="smaller batches and fewer rounds")
    quick = parser.parse_args().quick
    size, rounds = (_SIZE_QUICK, _ROUNDS_QUICK) if quick else (_SIZE, _ROUNDS)
    print(f"runs claimed and finished per second, medians of {rounds} rounds; higher is better")
    print(f"  {'store':<12}{'batch':>8}{'ours':>12}{'floor':>12}{'ours/floor':>12}")
    servers = Servers()
    try:
        for kind in KINDS:
            measure(kind, servers, size, rounds)
    finally:
        servers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
