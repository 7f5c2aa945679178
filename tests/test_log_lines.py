"""Each known way of failing, with hostile texts in every name and message: one event is one line of the log."""

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry, start_scheduler
from est_alan_scheduler._support.text import error_text, one_line
from est_alan_scheduler.backends import BackendUnavailableError, MemoryBackend
from est_alan_scheduler.backends.reading import log_unreadable_run
from est_alan_scheduler.events import slow_callbacks, subscribers
from est_alan_scheduler.fields.unknown_function import UnknownFunction
from tests.backends.stores import Clock
from tests.cluster.helpers import OPERATIONS, Flaky, adder, claim_and_die, outlive_lease, reap
from tests.executors.helpers import spawn
from tests.frozen import START, Frozen, work
from tests.ways import wait_until

FORGED = "forged"
HOSTILE = f"\n{FORGED} 2026-06-01 12:00:00 ERROR\r{FORGED}\x85{FORGED}\u2028{FORGED}\u2029\x1b[2J\x9b1m\u202e\u2066\x08"
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that has no control character in a line."""
    assert not _UNSAFE.search(text), text
    return text.removesuffix("\n").split("\n")


class HostileError(Exception):
    """An error with a hostile name and text."""


HostileError.__name__ = HostileError.__qualname__ = HOSTILE


def fail(*_: object) -> None:
    try:
        raise KeyError(HOSTILE)
    except KeyError:
        raise HostileError(HOSTILE) from None


def fail_in_a_group() -> None:
    raise ExceptionGroup(HOSTILE, [HostileError(HOSTILE), ValueError(HOSTILE)])


class HostileCallback:
    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def __call__(self, event: object) -> None:
        self._call()

    def __repr__(self) -> str:
        return HOSTILE


class HostileValue:
    def __repr__(self) -> str:
        raise HostileError(HOSTILE)

    def __reduce__(self) -> Any:
        raise HostileError(HOSTILE)


def return_hostile_value() -> object:
    return HostileValue()


class _HostileClass(type):
    def __subclasscheck__(cls, other: type) -> bool:
        raise HostileError(HOSTILE)

    __instancecheck__ = __subclasscheck__


class UndecidedError(Exception, metaclass=_HostileClass):
    pass


def run_once(**fields: Any) -> Frozen:
    registry = Frozen()
    registry.register(Task(**{"id": HOSTILE, "run_at": START, "func": fail, **fields}))
    registry.tick()
    return registry


def call_back(call: Callable[[], object]) -> None:
    registry = Frozen()
    registry.on("registered", HostileCallback(call))
    registry.register(Task(id=HOSTILE, run_at=START, func=work))


def hang() -> None:
    call_back(lambda: wait_until(lambda: any("has not returned" in line for line in _collected)))


def run_in_a_process(func: Callable[[], object]) -> None:
    with spawn() as executor:
        registry = TaskRegistry(executor=executor)
        registry.register(Task(id=HOSTILE, run_at=START, func=func))
        registry.tick()
        registry.shutdown()


def interrupt_by_shutdown() -> None:
    registry = TaskRegistry(executor=_Never())
    registry.register(Task(id=HOSTILE, run_at=START, func=work))
    registry.tick()
    registry.shutdown(0)


class _Never(Executor):
    """An executor that makes no call."""

    def submit(self, *_: Any, **__: Any) -> Any:
        return Future()


class BadTick(TaskRegistry):
    def tick(self) -> Any:
        fail()


def fail_in_a_loop() -> None:
    thread = start_scheduler(interval=0.001, registry=BadTick())
    wait_until(lambda: bool(_collected))
    thread.stop()


class Hostile(Flaky):
    """A store whose operations fail with the error that the test sets."""

    error: BaseException | None = None

    def __init__(self) -> None:
        super().__init__(Clock())

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        error = object.__getattribute__(self, "error")
        if error is None or name not in OPERATIONS:
            return found
        return partial(_raise, error)


def _raise(error: BaseException, *_: Any, **__: Any) -> Any:
    raise error


def use_a_store(error: BaseException, use: Callable[[TaskRegistry], object]) -> None:
    backend = Hostile()
    registry = TaskRegistry(backend=backend, lease=600)
    registry.expose(fail, HOSTILE)
    registry.register(adder(HOSTILE))
    registry.tick()
    backend.error = error
    try:
        use(registry)
    finally:
        backend.error = None
        registry.shutdown(0)


def beat(registry: TaskRegistry) -> None:
    session: Any = registry._session
    session.lease.is_due = lambda: True
    session.heartbeat()


def shut_down(registry: TaskRegistry) -> None:
    registry.store[HOSTILE].last_run_at = START
    registry.shutdown(0)


def read_rows_of_nonsense() -> None:
    clock = Clock()
    backend = MemoryBackend(clock)
    first = TaskRegistry(backend=backend, lease=600)
    first.expose(fail, HOSTILE)
    first.register(adder(HOSTILE))
    backend._rows[HOSTILE].state = backend._rows[HOSTILE].state._replace(result=HOSTILE)
    second = TaskRegistry(backend=backend, lease=600)
    second.tick()
    assert second.unresolved().keys() == {HOSTILE}
    first.shutdown(0)
    second.shutdown(0)


def adopt_an_unknown_function() -> None:
    backend = MemoryBackend(Clock())
    first, second = (TaskRegistry(backend=backend, lease=600) for _ in range(2))
    first.expose(fail, HOSTILE)
    first.register(Task(id=HOSTILE, at="07:00", func=fail))
    second.tick()
    assert second[HOSTILE].func == UnknownFunction(HOSTILE)
    first.shutdown(0)
    second.shutdown(0)


def end_late() -> None:
    clock = Clock()
    first, second = (TaskRegistry(backend=MemoryBackend(clock), lease=600) for _ in range(2))
    first.shutdown(0)
    first = TaskRegistry(backend=second.backend, lease=600)
    first.register(adder(HOSTILE))
    claim_and_die(first, first.store[HOSTILE])
    outlive_lease(first, clock)
    reap(second)
    for registry in (second, first):
        registry.tick()
        registry.shutdown(0)


WAYS: dict[str, tuple[Callable[[], object], str]] = {
    "a task fails": (run_once, "Task "),
    "a task fails with a group": (partial(run_once, func=fail_in_a_group), "Task "),
    "a retry follows": (partial(run_once, retry=Retry(max_retries=1)), "Task "),
    "retry.on fails": (partial(run_once, retry=Retry(max_retries=1, on=(UndecidedError,))), "Whether to retry "),
    "a callback fails": (partial(call_back, fail), "The callback "),
    "a callback hangs": (hang, "The callback "),
    "a process fails": (partial(run_in_a_process, fail), "Task "),
    "a result cannot be pickled": (partial(run_in_a_process, return_hostile_value), "Task "),
    "a shutdown interrupts": (interrupt_by_shutdown, "Interrupted by shutdown"),
    "a tick fails": (fail_in_a_loop, "A tick failed"),
    "a run is unreadable": (partial(log_unreadable_run, HOSTILE, 1, ValueError(HOSTILE)), "the stored run 1 "),
    "a row is unreadable": (read_rows_of_nonsense, "Task "),
    "a function is unknown": (adopt_an_unknown_function, "Tasks of the store run on other instances only"),
    "a store is out of reach": (
        partial(use_a_store, BackendUnavailableError(HOSTILE), lambda registry: registry.tick()),
        "The store is out of reach",
    ),
    "a lease cannot be renewed": (partial(use_a_store, HostileError(HOSTILE), beat), "The lease "),
    "an edit cannot be written": (partial(use_a_store, HostileError(HOSTILE), shut_down), "What was edited "),
    "the end cannot be written": (partial(use_a_store, BackendUnavailableError(HOSTILE), shut_down), "The store is "),
    "a dead run is reaped": (end_late, "Task "),
}

_collected: list[str] = []


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect what a handler of an application writes."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _collected.append(self.format(record))

    monkeypatch.setattr(slow_callbacks, "PATIENCE", 0.01)
    monkeypatch.setattr(subscribers, "watch", slow_callbacks.CallbackWatch())
    _collected.clear()
    logger, handler = logging.getLogger("est_alan_scheduler"), Collector()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield _collected
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.mark.parametrize("way", WAYS)
def test_one_event_is_one_line(way: str, collected: list[str]) -> None:
    fail_so, begins = WAYS[way]
    fail_so()
    first_lines = []
    for text in collected:
        first, *traceback = lines_of(text)
        first_lines.append(first)
        assert [line for line in traceback if line.startswith(FORGED)] == []
    assert any(line.startswith(begins) and FORGED in "\n".join(collected) for line in first_lines), first_lines


def test_what_a_program_asks_for_stays_as_it_is() -> None:
    task = run_once().store[HOSTILE]
    assert task.error_message == error_text(HostileError(HOSTILE))
    assert task.history[-1]["error"] == task.error_message


def test_the_repr_of_a_task_is_one_line() -> None:
    (line,) = lines_of(repr(run_once().store[HOSTILE]))
    assert line.startswith(f"<Task '{one_line(HOSTILE)}': ")
