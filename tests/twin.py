"""Two registries under the same operations: the real one, and one that scans its whole store in each tick."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from est_alan_scheduler._support.errors import WrongStateError
from est_alan_scheduler.calendar.local_time import from_utc
from est_alan_scheduler.events.event import Event, EventName
from est_alan_scheduler.fields.unknown_function import UnknownFunction, is_unknown
from est_alan_scheduler.planning.readiness import Notice
from est_alan_scheduler.schedules.due import misfire
from est_alan_scheduler.task import OPTIONS, Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

Operation = tuple[Any, ...]
IDS = ("a", "b", "c", "d")
_DEEPEST = 10  # depth of nested ticks: the two registries may reach the end of the stack at different moments


class Clock:
    """A clock set by hand in UTC and read as local time."""

    def __init__(self, utc: datetime) -> None:
        self.utc = utc

    def read(self) -> datetime:
        return from_utc(self.utc)


class ClockedRegistry(TaskRegistry):
    """A registry with a clock set by hand."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def _now(self) -> datetime:
        return self.clock.read()


class ScanningRegistry(ClockedRegistry):
    """The plain form of the tick law: check every task of the store."""

    _start_at: datetime | None = None

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._started: list[Task] = []

    def scan(self, now: datetime | None = None) -> list[Task]:
        now = now or self._now()
        return [task for task in self.store.values() if self._may_start(task, now)]

    def tick(self) -> None:
        now = self._now()
        self._read_changes(now)
        earlier = len(self._started)
        skipped = [event for task in self.store.values() if (event := self._skip(task, now))]
        due = self.scan(now)
        self._recorder.outbox.publish_notices([Notice("skipped", event) for event in skipped])
        for task in due:
            self._read_changes(now)
            has_run_since = any(started is task for started in self._started[earlier:])
            if self.store.get(task.id) is task and not has_run_since and self._may_start(task, now):
                self._start_at = now
                self._execute(task)

    def _execute(self, task: Task) -> None:
        self._started.append(task)
        super()._execute(task)

    def _read_changes(self, now: datetime) -> None:
        """Record when the schedules of new tasks begin, as any registry does."""
        with self._lock:
            self._agenda.work_in(now)
            self._agenda.note_time(now)

    def _may_start(self, task: Task, now: datetime) -> bool:
        return self._is_free(task, now) and self._should_run(task, now)

    def _is_free(self, task: Task, now: datetime) -> bool:
        is_idle = not self.is_paused and task.status is not TaskStatus.RUNNING
        return is_idle and not is_unknown(task.func) and self._may_go_ahead(task, now)

    def _skip(self, task: Task, now: datetime) -> Event | None:
        missed = misfire(task, now) if self._is_free(task, now) else None
        if missed is None:
            return None
        task.misfired_at = missed.slot
        task.misfires += 1
        with self._lock, self._agenda as agenda:
            agenda.work_in(now)
            self._recorder.count_misfire(agenda.entries[task.id])
        return Event("misfired", task.id, missed.slot)

    def _now(self) -> datetime:
        now, self._start_at = self._start_at, None
        return now or super()._now()


class World:
    """One registry, and a log of its runs."""

    def __init__(self, make: Callable[[Clock], ClockedRegistry], utc: datetime) -> None:
        self.clock = Clock(utc)
        self.registry = make(self.clock)
        self.log: list[str] = []
        self._depth = 0
        self.published = Counter[str]()
        for name in ("succeeded", "failed", "misfired"):
            self.registry.on(name, lambda event: self.published.update([event.name]))

    def do(self, operation: Operation) -> str:
        """Apply an operation; return the error it raised, or an empty string."""
        name, *arguments = operation
        try:
            getattr(self, name)(*arguments)
        except (ValueError, KeyError, KeyboardInterrupt, WrongStateError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def state(self) -> list[Any]:
        """Return the state that the tick law covers, in registration order."""
        tasks = [
            task.model_dump(exclude={"func", "error", "history"}) | {"runs": [run["attempt"] for run in task.history]}
            for task in self.registry
        ]
        counts = self.registry.statistics()
        assert (counts.successes, counts.failures) == (self.published["succeeded"], self.published["failed"])
        assert counts.misfires == self.published["misfired"]
        return [self.log, tasks, [self.registry.statistics(task.id).runs for task in self.registry]]

    # The operations.

    def advance(self, step: timedelta) -> None:
        self.clock.utc += step

    def tick(self) -> None:
        self.registry.tick()

    def execute(self, task_id: str) -> None:
        self.registry._execute(self.registry.store[task_id])

    def register(self, task_id: str, fields: dict[str, Any], behaviour: Operation) -> None:
        self.registry.register(self._task(task_id, fields, behaviour))

    def replace(self, task_id: str, fields: dict[str, Any], behaviour: Operation) -> None:
        self.registry.register(self._task(task_id, fields, behaviour), replace=True)

    def remove(self, task_id: str) -> None:
        self.registry.remove(task_id)

    def subscribe(self, name: EventName, behaviour: Operation) -> None:
        """Apply a behaviour on each event, except on events that the behaviour itself causes."""
        is_reacting = False

        def react(event: Event) -> None:
            nonlocal is_reacting
            if is_reacting:
                return
            is_reacting = True
            try:
                self._behave(f"{event.name} {event.task_id} {event.slot} {event.attempt}", behaviour)
            finally:
                is_reacting = False

        self.registry.on(name, react)

    def manage(self, method: str, *arguments: Any) -> None:
        getattr(self.registry, method)(*arguments)

    def update(self, task_id: str, changes: dict[str, Any]) -> None:
        if "run_at" in changes:
            changes = changes | {"run_at": from_utc(self.clock.utc + changes["run_at"])}
        schedule = {name: Task.model_fields[name].default for name in (*OPTIONS, "on")}
        self.registry.update(task_id, **(schedule | changes if not schedule.keys().isdisjoint(changes) else changes))

    def put(self, task_id: str, fields: dict[str, Any], behaviour: Operation) -> None:
        self.registry.store[task_id] = self._task(task_id, fields, behaviour)

    def forget(self, task_id: str) -> None:
        """Let the function of a task be unknown."""
        self.registry.store[task_id].func = UnknownFunction(f"app:{task_id}")

    def learn(self, task_id: str, behaviour: Operation) -> None:
        """Let the function of a task be known, again or otherwise."""
        self.registry.store[task_id].func = lambda: self._behave(task_id, behaviour)

    def put_back(self, task_id: str) -> None:
        self.registry.store[task_id] = self.registry.store.pop(task_id)

    def edit(self, method: str, *arguments: Any) -> None:
        getattr(self.registry.store, method)(*arguments)

    def replace_store(self) -> None:
        self.registry.store = dict(reversed(self.registry.store.items()))

    def assign(self, task_id: str, field: str, value: Any) -> None:
        if isinstance(value, timedelta) and field != "every":
            value = from_utc(self.clock.utc + value)
        setattr(self.registry.store[task_id], field, value)

    def _task(self, task_id: str, fields: dict[str, Any], behaviour: Operation) -> Task:
        if "run_at" in fields:
            fields = fields | {"run_at": from_utc(self.clock.utc + fields["run_at"])}
        return Task(id=task_id, func=lambda: self._behave(task_id, behaviour), **fields)

    def _behave(self, task_id: str, behaviour: Operation) -> None:
        self.log.append(task_id)
        if behaviour == ("fail",):
            raise RuntimeError("on purpose")
        if behaviour == ("interrupt",):
            raise KeyboardInterrupt
        if behaviour != ("work",) and len(self.log) < 10_000 and self._depth < _DEEPEST:
            self._depth += 1
            try:
                self.do(behaviour)
            finally:
                self._depth -= 1
