"""A program that a signal handler's exception cuts off at some moment, and what has to be true when it has gone on."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from datetime import timedelta
from typing import Any

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus, current_run
from est_alan_scheduler.backends import Backend
from est_alan_scheduler.cluster.task_records import ClaimState
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, at
from tests.interrupts import Interrupter, Interruption
from tests.ways import PATIENCE, wait_until

EVERY_MINUTE = {"plain": 1, "retried": 2, "dependent": 1, "managed": 1, "of the other": 1}
"""The tasks that stay, and how often each is called in a minute."""
LEAVES = ("once", *EVERY_MINUTE)

_Call = tuple[str | None, object, int | None]  # the id of the task, the slot, the attempt
_calls: list[_Call] = []


def note() -> None:
    run = current_run()
    assert run is not None
    _calls.append((run.task_id, run.slot, run.attempt))


def note_dependent(dep_plain: object) -> object:
    note()
    return dep_plain


def fail_first() -> None:
    note()
    if _calls[-1][2] == 1:
        raise ValueError("the first attempt fails")


class Program:
    """Two registries on one store. This thread uses the first, and is interrupted. The second only manages at first."""

    def __init__(self, store: Store, interrupter: Interrupter, executor: Executor | None = None) -> None:
        _calls.clear()
        self._interrupter = interrupter
        self._kept: BaseException | None = None
        self._clock = Clock()
        self.here = TaskRegistry(backend=_open(store, self._clock), lease=600, executor=executor)
        self.there = TaskRegistry(backend=_open(store, self._clock), lease=600)
        for registry in (self.here, self.there):
            heartbeat: Any = _session(registry)._heartbeat
            heartbeat.start = lambda: None  # the test makes its beats, or no two programs would be alike
            for func in (note, note_dependent, fail_first):
                registry.expose(func)
        self._heard: Counter[_Call] = Counter()
        for name in ("succeeded", "failed"):
            self.here.on(name, lambda event: self._heard.update([(event.task_id, event.slot, event.attempt)]))

    def run(self) -> None:
        """Do all that a program does with its registry; each call may be the one that is interrupted."""
        here, there, do = self.here, self.there, self._do
        for task in (
            _task("plain"),
            _task("retried", func=fail_first, retry=Retry(max_retries=1, delay=1, jitter=0)),
            _task("dependent", func=note_dependent, depends_on=["plain"]),
            _task("managed"),
            _task("once", every=None, run_at=at(self._clock) - timedelta(hours=1)),
            _task("removed"),
        ):
            here.register(task)
        there._management.catch_up("plain")
        do(here.tick)
        do(here.tick)
        self._clock.advance(1)
        do(here.tick)
        there.update("managed", history_limit=30)
        there.register(_task("of the other"))
        there.remove("removed")
        there.pause("plain")
        there.resume("plain")
        self._clock.advance(29)
        do(here.tick)
        do(lambda: here.update("managed", every={"seconds": 60}, misfire_grace=600))
        do(lambda: here.register(_task("late")))
        do(lambda: here.run_now("plain"))
        do(here.tick)
        do(lambda: here.remove("late"))
        do(lambda: here.pause("managed"))
        do(lambda: here.resume("managed"))
        self._clock.advance(31)
        do(here.tick)
        do(here.tick)
        here.store["plain"].history_limit = 50
        do(here.tick)
        do(lambda: here.shutdown(5))
        do(here.tick)

    def _do(self, call: Callable[[], object]) -> None:
        try:
            with suppress(KeyError), self._interrupter.watching():  # it may lack a task that an earlier call has put in
                call()
        except Interruption as error:
            self._kept = error  # as an interactive interpreter does, so that its frames are not freed
        self._settle()

    def _settle(self) -> None:
        wait_until(lambda: not self.here.pending()[0])

    def _tick(self, registry: TaskRegistry) -> None:
        for _ in range(3):
            registry.tick()
            self._settle()
        self._clock.advance(1)
        registry.tick()
        self._settle()

    def check(self) -> None:
        """Let the program go on, and raise `AssertionError` unless all is as if it had not been interrupted."""
        here = self.here
        self._tick(here)
        for task_id in ("late", "removed"):
            with suppress(KeyError):
                here.remove(task_id)
        here.resume("managed")
        self._tick(here)
        self._check_that_others_can_write()
        for _ in range(2):
            self._check_minute(here)
        self._check_records()
        self._check_replicas()
        repeated = {call for counts in (Counter(_calls), self._heard) for call, count in counts.items() if count > 1}
        assert not repeated, f"called or published twice: {repeated}"
        open_runs = [run for run in here.history(limit=1_000) if run["status"] is TaskStatus.RUNNING]
        assert not open_runs, f"never ended: {open_runs}"
        here.shutdown(5)
        self._check_minute(self.there)

    def _check_that_others_can_write(self) -> None:
        """Let another thread do what the heartbeat does, and use the other registry."""
        session, done = _session(self.here), list[str]()
        assert not self.here._lock.locked()

        def work() -> None:
            session.heartbeat()
            done.append("heartbeat")
            session.lease.renew()
            done.append("renewal")
            with session.replica.sync_lock:
                done.append("sync")
            self.there.pause("managed")
            self.there.resume("managed")
            done.append("other registry")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert done == ["heartbeat", "renewal", "sync", "other registry"]

    def _check_minute(self, registry: TaskRegistry) -> None:
        self._clock.advance(60)
        called = len(_calls)
        self._tick(registry)
        runs = dict(Counter(str(task_id) for task_id, _, _ in _calls[called:]))
        reasons = {task_id: registry.why_not(task_id) for task_id in EVERY_MINUTE}
        assert runs == EVERY_MINUTE, reasons
        if registry is self.here:  # a thread of an executor publishes later than it records
            wait_until(lambda: all(self._heard[call] for call in _calls[called:]))

    def _check_records(self) -> None:
        """Nothing is claimed, nothing waits, here and in the store."""
        session = _session(self.here)
        assert session.records.ids(*set(ClaimState) - {ClaimState.FREE}) == []
        assert (len(session.completer), session.claims._unanswered) == (0, {})
        states = session.backend.fetch(None, 0).states
        assert [state.id for state in states.values() if state.status is TaskStatus.RUNNING] == []

    def _check_replicas(self) -> None:
        """Both registries know the same tasks, in the same state."""
        for registry in (self.here, self.there):
            _session(registry).replica.refresh(LEAVES)
        assert sorted(self.here.store) == sorted(self.there.store) == sorted(LEAVES)
        for task_id in LEAVES:
            one, other = (_known(registry, task_id) for registry in (self.here, self.there))
            assert one == other, {name: (one[name], other[name]) for name in one if one[name] != other[name]}

    def close(self) -> None:
        for registry in (self.here, self.there):
            registry.shutdown(0)


def _task(task_id: str, **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": MINUTE, "func": note, **fields})


def _session(registry: TaskRegistry) -> Any:
    return registry._session


def _known(registry: TaskRegistry, task_id: str) -> dict[str, Any]:
    """Return what a registry knows of a task, but for what only the registry that ran it has."""
    row, fields = _session(registry).records.row(task_id), dict(registry.store[task_id].__dict__)
    for name in ("history", "error"):
        del fields[name]
    return fields | {"version": row.version, "epoch": row.epoch, "hash": row.hash}


def _open(store: Store, clock: Clock) -> Backend:
    backend: Any = store.open(clock)
    if store.kind == "sqlite":  # hundreds of programs would mostly wait for the disk
        from sqlalchemy import event

        event.listen(backend._engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        backend._engine.dispose()
    opened: Backend = backend
    return opened
