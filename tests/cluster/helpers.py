"""Helpers of the tests of registries with a backend: tasks, dead instances, and a store that goes out of reach."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from est_alan_scheduler import Event, Task, TaskRegistry
from est_alan_scheduler.backends import Backend, BackendUnavailableError, MemoryBackend
from est_alan_scheduler.backends.clock import from_instant
from est_alan_scheduler.calendar.local_time import from_utc
from est_alan_scheduler.cluster.task_records import ClaimState
from tests import jobs
from tests.backends.stores import Clock

MINUTE = {"minutes": 1}
LAMBDA = lambda: None  # noqa: E731  # named as if it were a function
NO_IDS = ("x\0", "x\ud800")  # no store can hold them
NOT_HELD = "it has a NUL or half a surrogate pair"
OPERATIONS = frozenset(Backend.__abstractmethods__) - {"open", "close"}
Join = Callable[..., TaskRegistry]


def at(clock: Clock) -> datetime:
    return from_utc(from_instant(clock.now))


def adder(task_id: str = "a", **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": MINUTE, "func": jobs.add, "args": (1, 2), **fields})


def runs(registry: TaskRegistry, task_id: str) -> int:
    return len(registry.history(task_id))


def noop() -> None:
    pass


def take(dep_source: Any) -> Any:
    return dep_source


def events_of(registry: TaskRegistry) -> list[Event]:
    """Return a list that gets the outcomes that the registry publishes from now on."""
    events: list[Event] = []
    for name in ("succeeded", "failed", "retrying"):
        registry.on(name, events.append)
    return events


def claim_and_die(registry: TaskRegistry, task: Task) -> None:
    """Claim a task, as a tick does, and end there, as if the process was killed."""
    session = registry._session
    assert session is not None
    session.ensure_claimed(task)
    record = session.records.get(task.id)
    assert record is not None
    record.state = ClaimState.RUNNING  # or the end of the test would release it
    session._heartbeat.stop(60)


def outlive_lease(registry: TaskRegistry, clock: Clock) -> None:
    """Let the store's clock go on beyond the lease of an instance that does not renew it."""
    assert registry._session is not None
    registry._session._heartbeat.stop(60)
    clock.advance(700)


def reap(registry: TaskRegistry) -> None:
    session = registry._session
    assert session is not None
    session.lease.renew()
    session.outage.healthy_since = -session.lease.seconds  # for a whole lease, even if the machine has just booted
    session.reaper.reap()


class Flaky(MemoryBackend):
    """A store that a test can put out of reach: before an operation, or after it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.fails_before: set[str] = set()
        self.fails_after: set[str] = set()
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def ask(*arguments: Any, **named: Any) -> Any:
            self.asked.append(name)
            if name in self.fails_before:
                raise BackendUnavailableError("memory: out of reach")
            answer = found(*arguments, **named)
            if name in self.fails_after:
                raise BackendUnavailableError("memory: no answer")
            return answer

        return ask


def end_pause(registry: TaskRegistry) -> None:
    """Let a registry ask the store again that was out of reach."""
    session = registry._session
    assert session is not None
    session.outage._until = 0.0


def spawn(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
