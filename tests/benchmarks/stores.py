"""What claiming and finishing a run costs in each backend, beside a floor: the same writes, bare, in the same run.

    python -m tests.benchmarks.stores            batches of 1,000 and of 1
    python -m tests.benchmarks.stores --quick    less of it

The floor compares nothing and returns nothing: through the database's own client, the writes of a claim in one
transaction, those of a finish in another, as large as the batch. Servers come from the test extra's wheels.
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
from tests.backends.stores import KINDS, Servers, claim, define, success

_SIZE, _SIZE_QUICK = 1_000, 200
_ROUNDS, _ROUNDS_QUICK = 7, 3
_SINGLES = 100  # batches of one in a round


class Ours:
    """A backend, and the versions that its tasks have."""

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


class SqliteFloor:
    """Bare sqlite3, as safe: write-ahead log, every commit on the disk."""

    def __init__(self, _url: str, size: int) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._connection = sqlite3.connect(f"{self._directory.name}/floor.db", isolation_level=None)
        self._execute = self._connection.execute
        self._execute("PRAGMA journal_mode = WAL")
        self._execute("PRAGMA synchronous = FULL")
        self._execute("CREATE TABLE tasks (id TEXT PRIMARY KEY, epoch, version, status, owner, result, last_run, last)")
        self._execute("CREATE TABLE runs (id TEXT, epoch, owner, started, finished, status, PRIMARY KEY (id, epoch))")
        self._ids = [(f"task {number:05}",) for number in range(size)]
        self._connection.executemany("INSERT INTO tasks VALUES (?, 0, 0, 'pending', NULL, NULL, 0, 0)", self._ids)
        self._epoch = 0

    def run(self, number: int) -> None:
        """Write what a claim and a finish of so many runs write."""
        ids = self._ids[:number]
        self._epoch += 1
        many = self._connection.executemany
        self._execute("BEGIN IMMEDIATE")
        claims = (
            "UPDATE tasks SET epoch = epoch + 1, version = version + 1, status = 'running', owner = 'me' WHERE id = ?"
        )
        many(claims, ids)
        many(f"INSERT INTO runs VALUES (?, {self._epoch}, 'me', 1, NULL, 'running')", ids)
        self._execute("COMMIT")
        self._execute("BEGIN IMMEDIATE")
        many("UPDATE tasks SET version = version + 1, status = 'success', owner = NULL, result = '1' WHERE id = ?", ids)
        many(f"UPDATE runs SET finished = 2, status = 'success' WHERE id = ? AND epoch = {self._epoch}", ids)
        self._execute("COMMIT")

    def close(self) -> None:
        """Remove the file."""
        self._connection.close()
        self._directory.cleanup()


class PostgresFloor:
    """Bare psycopg: set-based updates, one statement and one transaction for a claim, one for a finish."""

    def __init__(self, url: str, size: int) -> None:
        import psycopg

        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._execute: Any = self._connection.execute
        self._execute("DROP TABLE IF EXISTS floor_tasks, floor_runs")
        self._execute(
            "CREATE TABLE floor_tasks (id text PRIMARY KEY, epoch bigint, version bigint, status text, owner text,"
            " result text, last_run bigint) WITH (fillfactor = 50)"
        )
        self._execute(
            "CREATE TABLE floor_runs (id text, epoch bigint, owner text, started bigint, finished bigint, status text,"
            " PRIMARY KEY (id, epoch))"
        )
        self._ids = [f"task {number:05}" for number in range(size)]
        self._execute("INSERT INTO floor_tasks SELECT unnest(%s::text[]), 0, 0, 'pending', NULL, NULL, 0", [self._ids])

    def run(self, number: int) -> None:
        """Write what a claim and a finish of so many runs write."""
        ids = [self._ids[:number]]
        self._execute(
            "WITH won AS (UPDATE floor_tasks SET epoch = epoch + 1, version = version + 1, status = 'running',"
            " owner = 'me' WHERE id = ANY(%s) RETURNING id, epoch)"
            " INSERT INTO floor_runs SELECT id, epoch, 'me', 1, NULL, 'running' FROM won",
            ids,
        )
        self._execute(
            "WITH kept AS (UPDATE floor_tasks SET version = version + 1, status = 'success', owner = NULL, result = '1'"
            " WHERE id = ANY(%s) RETURNING id, epoch) UPDATE floor_runs r SET finished = 2, status = 'success'"
            " FROM kept WHERE r.id = kept.id AND r.epoch = kept.epoch",
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
            'first_run_at', '1', 'last_run_at', '1', 'retry_at', '')
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

    def __init__(self, url: str, size: int) -> None:
        import redis

        self._client = redis.Redis.from_url(url)
        self._ids = [f"task {number:05}" for number in range(size)]
        self._prefix = f"{{floor {uuid.uuid4().hex}}}:"
        self._scripts = [str(self._client.script_load(script)) for script in (self._CLAIM, self._FINISH)]
        self._epoch = 0

    def run(self, number: int) -> None:
        """Write what a claim and a finish of so many runs write."""
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


_FLOORS: dict[str, Any] = {"sqlite": SqliteFloor, "postgres": PostgresFloor, "redis": RedisFloor}


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
        floor = _FLOORS[kind](store.url, size) if kind in _FLOORS else None
        for batch, batches in ((size, 1), (1, _SINGLES)):
            figures: dict[str, list[float]] = {"ours": [], "floor": []}
            for _ in range(rounds):  # interleaved: what else the machine does hits both
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
