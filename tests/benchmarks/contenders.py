"""Contenders: this library, and two floors below which no scheduler in Python can go.

All contenders have the same few methods, so that `measures` knows none of them. The timed part has no layer of this
harness in between: loops over tasks are inside `add`, and `run_due` is the contender's own bound method.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from random import Random
from typing import Any, ClassVar

from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

ROUNDS_PER_PERIOD = 10
"""In each round of dispatching, one task in so many is due."""

# The period is long, so that hardly any task falls due through the duration of the measurement itself.
PERIOD = timedelta(seconds=10_000)
ROUND = PERIOD / ROUNDS_PER_PERIOD
LEAD = timedelta(minutes=15)
"""How long after `fill` nothing is due, unless `advance` makes it so."""


def noop() -> None:
    """Do nothing: the run of every task."""


def spread(number: int) -> list[timedelta]:
    """Return `number` offsets evenly over a period, in random order: an equal share is due in every round."""
    offsets = [PERIOD * index / number for index in range(number)]
    Random(0).shuffle(offsets)  # the same order for every contender
    return offsets


class Contender(ABC):
    """A scheduler, made anew for each measurement."""

    name: ClassVar[str]
    run_due: Callable[[], object]
    """One pass: run what is due."""

    @abstractmethod
    def add(self, number: int) -> None:
        """Construct and register hourly tasks, as its users do."""

    @abstractmethod
    def fill(self, number: int) -> None:
        """Add tasks that run once a period, spread over it; none is due for `LEAD`."""

    @abstractmethod
    def advance(self) -> None:
        """Make the next share of the tasks of `fill` due."""

    @abstractmethod
    def count_due(self) -> int:
        """Return how many tasks are due."""


class _Clock:
    """The real clock plus a shift: a wait for a round takes no time, and a reading costs as much as always."""

    def __init__(self) -> None:
        self.shift = timedelta(0)
        self._next: datetime | None = None

    def advance(self, base: datetime) -> None:
        """Go to the end of the next round since `base`."""
        self._next = (self._next or base) + ROUND
        self.shift = self._next - datetime.now()


class _ShiftedRegistry(TaskRegistry):
    def __init__(self) -> None:
        super().__init__()
        self.clock = _Clock()

    def _now(self) -> datetime:
        return datetime.now() + self.clock.shift


class Ours(Contender):
    """This library. Each run records status, times, result and history."""

    name = "ours"

    def __init__(self) -> None:
        self.registry = _ShiftedRegistry()
        self.run_due = self.registry.tick
        self._base = datetime.now() + LEAD

    def add(self, number: int) -> None:
        registry = self.registry
        for _ in range(number):
            registry.register(Task(every={"seconds": 3600}, func=noop))

    def fill(self, number: int) -> None:
        every: dict[str, int | float] = {"seconds": int(PERIOD.total_seconds())}
        last = self._base - PERIOD
        for offset in spread(number):
            self.registry.register(Task(every=every, func=noop, last_run_at=last + offset))

    def advance(self) -> None:
        self.registry.clock.advance(self._base)

    def count_due(self) -> int:
        now = self.registry._now()
        return sum(self.registry._should_run(task, now) for task in self.registry)


class _Heap(Contender):
    """A heap of tuples that begin with the moment at which they are due."""

    def __init__(self) -> None:
        self.clock = _Clock()
        self.run_due = self._run_due
        self._heap: list[Any] = []
        self._serial = count()
        self._base = datetime.now() + LEAD

    def advance(self) -> None:
        self.clock.advance(self._base)

    def count_due(self) -> int:
        now = datetime.now() + self.clock.shift
        return sum(item[0] <= now for item in self._heap)

    @abstractmethod
    def _run_due(self) -> None: ...


class Floor(_Heap):
    """A heap of tuples: pop, call, push. No status, no result, no history, no lock, no edits, no errors caught.

    All tuples share `args` and `kwargs`, which keeps the floor as low as it can be.
    """

    name = "floor"

    def add(self, number: int) -> None:
        heap, serial, args, kwargs, step = self._heap, self._serial, (), dict[str, Any](), timedelta(hours=1)
        for _ in range(number):
            heappush(heap, (datetime.now(), next(serial), noop, args, kwargs, step))

    def fill(self, number: int) -> None:
        args, kwargs = (), dict[str, Any]()
        self._heap += [
            (self._base + offset, next(self._serial), noop, args, kwargs, PERIOD) for offset in spread(number)
        ]
        heapify(self._heap)

    def _run_due(self) -> None:
        heap, serial = self._heap, self._serial
        now = datetime.now() + self.clock.shift
        while heap and heap[0][0] <= now:
            due, _, func, args, kwargs, step = heappop(heap)
            func(*args, **kwargs)
            heappush(heap, (due + step, next(serial), func, args, kwargs, step))


class RecordingFloor(_Heap):
    """The floor with a heap of tasks instead of tuples; a run writes the fields of its `Task`, and nothing else.

    Still no lock, no edits, no dependencies, no errors caught, no second check before a start.
    """

    name = "floor that records"

    def __init__(self) -> None:
        super().__init__()
        self._store: dict[str, Task] = {}

    def add(self, number: int) -> None:
        heap, serial, store = self._heap, self._serial, self._store
        for _ in range(number):
            task = Task(every={"seconds": 3600}, func=noop)
            store[task.id] = task
            heappush(heap, (datetime.now(), next(serial), task))

    def fill(self, number: int) -> None:
        every: dict[str, int | float] = {"seconds": int(PERIOD.total_seconds())}
        for offset in spread(number):
            task = Task(every=every, func=noop)
            self._store[task.id] = task
            self._heap.append((self._base + offset, next(self._serial), task))
        heapify(self._heap)

    def _run_due(self) -> None:
        heap, serial = self._heap, self._serial
        now = datetime.now() + self.clock.shift
        while heap and heap[0][0] <= now:
            due, _, task = heappop(heap)
            fields = task.__dict__
            fields["status"] = TaskStatus.RUNNING
            if fields["first_run_at"] is None:
                fields["first_run_at"] = now
            fields["last_run_at"] = now
            result = fields["func"](*fields["args"], **fields["kwargs"])
            finished_at = datetime.now()
            fields["status"], fields["last_success_at"], fields["result"] = TaskStatus.SUCCESS, finished_at, result
            fields["error"] = fields["error_message"] = None
            history = fields["history"]
            history.append(
                {"run_at": now, "finished_at": finished_at, "status": "success", "result": repr(result), "error": None}
            )
            if len(history) > fields["history_limit"]:
                del history[0]
            heappush(heap, (due + timedelta(**fields["every"]), next(serial), task))
