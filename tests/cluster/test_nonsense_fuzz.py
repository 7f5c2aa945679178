"""A fuzz of rows: random values in every column of a thousand rows. No tick raises, and the other tasks run."""

import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Claim, InstanceRow, RunRow, State
from tests import jobs
from tests.backends.stores import LEASE, SHARED, Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, outlive_lease, reap, runs

pytestmark = [pytest.mark.pydantic, pytest.mark.parametrize("store", SHARED, indirect=True)]

ROWS = 1_000
RUNS = 200  # of them were running on instances that are dead
OWNERS = [f"dead {number}" for number in range(20)]
NUMBERS = {"version", "epoch", "first_run_at", "last_run_at", "last_success_at", "retry_at", "misfired_at", "slot"} | {
    "started",
    "finished",
    "since",
    "lease_until",
    "revision",
    "runs",
}
SMALL = {"attempt", "misfires", "run_requested", "consecutive_failures"}
FLAGS = {"paused", "removed", "late"}
COLUMNS = (*State._fields[1:], "token", "definition", "hash", "removed", "revision")


HEALTHY = {"a", "dead", "sink"}


class Nonsense:
    """Random values."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def number(self, bits: int = 64) -> int:
        edge = 2 ** self.random.choice((0, 1, 7, 31, 32, 52, 53, 62, 63))
        drawn = (self.random.getrandbits(bits), edge, 1_800_000_000_000_000, -62135596800000000, 253402300799999999)
        value = self.random.choice(drawn) + self.random.randint(-2, 2)
        largest = int(2 ** (bits - 1)) - 1
        return max(-largest - 1, min(value * self.random.choice((1, 1, -1)), largest))

    def bytes(self) -> bytes:
        return self.random.randbytes(self.random.choice((0, 1, 3, 40)))

    def text(self) -> str:
        return self.random.choice(
            (
                self.bytes().decode(errors="replace").replace("\0", " "),
                str(self.number()),
                self.random.choice(("running", "pending", "success", "failed", "true", "inf", "nan", "1e3", "0x10")),
                json.dumps(self.json(3)),
                self.definition(),
                "[" * 2_000,
                "\x1b[31m\n\u202e",
            )
        )

    def json(self, depth: int) -> Any:
        kind = self.random.randrange(7 if depth else 5)
        if kind < 5:
            return (None, self.number(), self.random.random() * 1e300, "x\n", True)[kind]
        items = [self.json(depth - 1) for _ in range(self.random.randrange(4))]
        return items if kind == 5 else {f"key {place}": item for place, item in enumerate(items)}

    def definition(self) -> str:
        """Return a definition of which a field or two are nonsense."""
        task: dict[str, Any] = {"every": MINUTE, "func": "tests.jobs:add", "args": [1, 2]}
        whole: dict[str, Any] = {"task": task, "armed": 0, "zone": None}
        names = [*sorted(set(Task.model_fields) - {"id"}), "x"]
        for _ in range(self.random.randrange(1, 3)):
            if self.random.random() < 0.3:
                whole[self.random.choice(("task", "armed", "zone", "other"))] = self.json(2)
            else:
                task[self.random.choice(names)] = self.json(2)
        return json.dumps(whole)

    def value(self, column: str, kind: str) -> Any:
        """Return a value that the column of such a store takes, whatever it means."""
        if kind == "sqlite":
            drawn = (
                self.number(),
                self.bytes(),
                self.text(),
                self.random.random() * 1e20,
                None,
                b"\xff" + self.bytes(),
            )
            return self.random.choice(drawn)
        if kind == "redis":
            return self.random.choice((self.bytes(), self.text(), str(self.number())))
        if column in FLAGS:
            return self.random.random() < 0.5
        return self.number() if column in NUMBERS else self.number(32) if column in SMALL else self.text()


def spoil_sql(store: Store, nonsense: Nonsense, ids: list[str]) -> None:
    def spoil(table: str, columns: tuple[str, ...], where: str, key: str) -> None:
        column = nonsense.random.choice(columns)
        value = nonsense.value(column, store.kind)
        kind = "CAST(:value AS TEXT)" if isinstance(value, bytes) and nonsense.random.random() < 0.5 else ":value"
        statement = f"UPDATE {store.name}_{table} SET {column} = {kind} WHERE {where} = :key"
        with suppress(IntegrityError):  # a column that must not be NULL
            connection.execute(text(statement), {"value": value, "key": key})

    backend: Any = store.open()
    with backend._engine.begin() as connection:
        for task_id in ids:
            for _ in range(nonsense.random.choice((1, 1, 3))):
                spoil("tasks", COLUMNS, "id", task_id)
        for task_id in ids[:RUNS:2]:
            spoil("runs", RunRow._fields[2:], "task_id", task_id)
        for owner in OWNERS[::2]:
            spoil("instances", InstanceRow._fields[1:], "owner", owner)
    if store.kind == "sqlite":
        columns = ", ".join(COLUMNS)
        for place in range(20):
            expression = "CAST(:value AS TEXT)" if place % 2 else ":value"
            copy = f"SELECT {expression}, {columns} FROM {store.name}_tasks WHERE id = :key"
            statement = f"INSERT INTO {store.name}_tasks (id, {columns}) {copy}"
            store.execute(statement, value=b"\xff\xfe%d" % place, key=ids[place])


def spoil_redis(store: Store, nonsense: Nonsense, ids: list[str]) -> None:
    client, draw = store.redis(), nonsense.random
    pipe = client.pipeline(transaction=False)

    def other_type(name: str) -> None:
        pipe.delete(store.key(name))
        draw.choice((pipe.rpush, pipe.set))(store.key(name), "x")

    for place, task_id in enumerate(ids):
        name = f"task:{task_id}"
        for _ in range(draw.choice((1, 1, 3))):
            column = draw.choice(COLUMNS[:-1])
            pipe.hset(store.key(name), column, nonsense.value(column, "redis"))
        if place % 10 == 0:
            pipe.hdel(store.key(name), *draw.sample(COLUMNS, 3))
        if place % 25 == 0:
            other_type(name)
        if place % 17 == 0:
            other_type(f"runs:{task_id}")
    for place, task_id in enumerate(ids[:RUNS]):
        column = draw.choice(RunRow._fields[2:])
        pipe.hset(store.key(f"run:{task_id}:1"), column, nonsense.value(column, "redis"))
        if place % 10 == 0:
            other_type(f"run:{task_id}:1")
        if place % 13 == 0:
            pipe.zadd(store.key(f"runs:{task_id}"), {nonsense.bytes() + b"\xff": nonsense.number()})
    for place, owner in enumerate(OWNERS):
        if place % 3 == 0:
            pipe.hset(store.key("leases"), owner, nonsense.text())
            pipe.hset(store.key("since"), owner, nonsense.text())
        pipe.sadd(store.key(f"open:{owner}"), nonsense.bytes(), b"\xff" * 30)
        if place % 4 == 0:
            other_type(f"open:{owner}")
        pipe.zadd(store.key("history"), {nonsense.bytes() + b"\xff": nonsense.number()})
        pipe.sadd(store.key("owners"), b"\xff" + nonsense.bytes())
    for place in range(20):
        raw = b"\xff\xfe%d" % place
        pipe.hset(store.key("task:").encode() + raw, mapping={"removed": "0", "version": place})
        pipe.zadd(store.key("revisions"), {raw: place + 1})
    pipe.execute(raise_on_error=False)


def prepare(old: TaskRegistry, backend: Backend, clock: Clock) -> list[str]:
    """Fill a store: healthy tasks, a thousand others, and runs of dead instances. Return the ids of the others."""
    ids = [f"{number:04} n" for number in range(ROWS)]
    for task_id in ("a", "dead", *ids):
        old.store[task_id] = adder(task_id)
    old.store["sink"] = adder("sink", func=jobs.echo, args=([1],), depends_on=["a"])
    old._session.edits.push()  # type: ignore[union-attr]  # it has one
    now, states = clock.now, backend.fetch(None, 0).states
    for place, owner in enumerate((*OWNERS, "gone")):
        backend.renew(owner, LEASE)
        running = ids[place : RUNS : len(OWNERS)] if owner in OWNERS else ["dead"]
        claims = [Claim(task_id, states[task_id].version, now, 1, now, now, now) for task_id in running]
        assert len(backend.claim(owner, owner, claims)) == len(claims)
    return ids


@pytest.mark.parametrize("seed", range(1))
def test_random_values_in_every_column_hinder_no_other_task(
    join: Join, store: Store, clock: Clock, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    old = join()
    backend = store.open(clock)
    ids = prepare(old, backend, clock)
    spoil = spoil_redis if store.kind == "redis" else spoil_sql
    spoil(store, Nonsense(seed), ids)
    caplog.clear()
    registry = join()
    for func in (jobs.add, jobs.echo):
        registry.expose(func)
    registry.tick()
    registry.tick()
    assert (runs(registry, "a"), runs(registry, "sink")) == (1, 1)
    old.tick()
    outlive_lease(registry, clock)
    outlive_lease(old, clock)
    reap(registry)
    registry.tick()
    assert [run["status"] for run in registry.history("dead")][:1] == ["failed"]
    assert (runs(registry, "a"), runs(registry, "dead")) == (2, 2)
    read_everything(registry)
    for each in (registry, old) * 3:  # a row that says it is removed was lost, for `old`, and is written again
        clock.advance(60)
        each.tick()
        others = sorted({*each.unresolved(), *each.store} - HEALTHY)
        for task_id in others[::50]:
            with suppress(KeyError):  # its row says that it is removed
                each.remove(task_id)
        backend.remove(others)
    before = runs(registry, "a")
    clock.advance(60)
    for each in (old, registry, join()):
        for func in (jobs.add, jobs.echo):
            each.expose(func)
        each.tick()
        each.tick()
        assert (set(each.store), each.unresolved()) == (HEALTHY, {})
    assert runs(registry, "a") == runs(registry, "sink") == before + 1
    others = [record.message for record in caplog.records if not re.match("Task |the stored run ", record.message)]
    assert others == []


def read_everything(registry: TaskRegistry) -> None:
    """Ask all that a registry answers."""
    answers: list[Callable[[], Any]] = [
        lambda: registry.history(limit=10_000),
        registry.instances,
        lambda: list(registry.upcoming(limit=2_000)),
        lambda: [registry.why_not(task_id) for task_id in {**registry.unresolved(), **registry.store}],
        registry.statistics,
        lambda: [task.model_dump_json() for task in registry],
    ]
    for answer in answers:
        answer()
