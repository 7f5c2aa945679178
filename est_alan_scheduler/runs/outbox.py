"""The outbox: events of runs, published in order and once each, without the registry's lock."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial

from est_alan_scheduler._support.log import log
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event, EventName
from est_alan_scheduler.events.subscribers import Subscribers
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.arguments import call_fault
from est_alan_scheduler.planning.readiness import Notice
from est_alan_scheduler.planning.why_not import label
from est_alan_scheduler.runs.record import Record
from est_alan_scheduler.runs.run import Run
from est_alan_scheduler.schedules.due import may_retry, show
from est_alan_scheduler.schedules.state import tried
from est_alan_scheduler.task import Task, TaskStatus


class Outbox:
    """Events on their way to the subscribers, the log among them.

    With a backend an outcome waits until it is stored. A dead run waits until a tick has read how its task stands.
    Everything else is published at once. Subscribers are called without a lock, in the thread that publishes; whatever
    publishes raises what is neither an `Exception` nor `SystemExit` and comes from a subscriber. `lock` is the
    registry's; it guards what waits.
    """

    def __init__(self, lock: threading.Lock, agenda: Agenda) -> None:
        self.lock = lock
        self.subscribers = Subscribers(lambda callback: call_fault(callback, (None,), {}, ()))
        self._agenda = agenda
        self._outcomes: deque[Callable[[], None]] = deque()  # until they are stored
        self._dead_runs: list[Callable[[], None]] = []  # until their tasks are read
        # By task: the latest failed run that is to be retried, until that is published. The event `retrying` follows it
        # also if the retry has begun or ended meanwhile, `gave_up` if another run has replaced the retry.
        self.failures: dict[str, Run] = {}
        self.remove_if_done: Callable[[Task], object] = lambda _: None
        """Removes a task if it is done and its `remove_when_done` says so."""
        self.remove_noted: Callable[[], object] = lambda: None
        """Does so with the tasks that the agenda has noted for that."""

    # Published at once.

    def publish_notices(self, notices: Iterable[Notice]) -> None:
        """Log notices, and publish their events."""
        with ExitStack() as stack:  # it runs all callbacks, then raises
            for notice in reversed(list(notices)):
                if notice.event is not None:
                    stack.callback(self._remove_task_if_done, notice.event.task_id)
                    stack.callback(self.subscribers.publish, notice.event)
                stack.callback(log, logging.WARNING, notice.text)

    def publish_outcome(self, run: Run, record: Record) -> None:
        """Publish the outcome of a run, and its retry."""
        self._publish(run, record, self._event_of(run, record))

    def publish_gave_up(self, event: Event | None) -> None:
        """Publish that a run has failed for good although its retry waited, if that has happened."""
        if event is not None and self.subscribers.callbacks["gave_up"]:
            self.subscribers.publish(event)

    # What becomes of a retry that waits; the caller holds the lock.

    def gave_up(self, task: Task, now: datetime) -> Event | None:
        """Return the event of the last run of `task`, which has failed, for the case that its retry never comes."""
        if task.status is not TaskStatus.FAILED or task.id in self.failures:
            return None  # the outcome is still to be published, and the event with it
        line = task.history[-1] if task.history else {}
        if line.get("run_at") != task.last_run_at:  # of a run of another instance, there is none
            line = {}
        slot = tried(task)
        return Event(
            name="gave_up",
            task_id=task.id,
            slot=task.last_run_at if slot is None else show(task.timezone, slot, now),
            attempt=task.attempt,
            started_at=task.last_run_at,
            finished_at=line.get("finished_at"),
            error=task.error,
            error_message=task.error_message,
            consecutive_failures=task.consecutive_failures,
        )

    def note_next(self, run: Run) -> None:
        """Note that `run` begins, the retry that waits or what replaces that; the fields are those before it."""
        is_replaced = run.attempt == 1
        if is_replaced:
            run.gave_up = self.gave_up(run.task, run.now)
        failure = self.failures.get(run.task.id)
        if failure is not None:
            failure.is_retried, failure.is_replaced = not is_replaced, is_replaced

    # Published later.

    def add_outcome(self, run: Run, record: Record) -> bool:
        """Let an outcome wait until it is stored; return False if it was only to be logged, which is done at once."""
        event = self._event_of(run, record)
        if self.subscribers.is_only_logged(event) and "remove_when_done" not in run.task.__dict__:
            self._publish(run, record, event)
            return False
        with self.lock:
            self._outcomes.append(partial(self._publish, run, record, event))
        return True

    def flush(self, store_outcomes: Callable[[], bool]) -> None:
        """Publish the outcomes that wait, in order, once `store_outcomes` has stored them; if it cannot, they wait."""
        if not self._outcomes:
            return
        waiting = deque[Callable[[], None]]()
        try:
            with self.lock:  # what comes later may be about outcomes that this does not store
                waiting, self._outcomes = self._outcomes, waiting
            if store_outcomes():
                while waiting:
                    waiting.popleft()()
        finally:
            with self.lock:
                self._outcomes.extendleft(reversed(waiting))

    def add_dead_run(self, run: Run, record: Record) -> None:
        """Let a dead run wait until a tick has read how its task stands; the caller holds the lock."""
        self._dead_runs.append(partial(self.publish_outcome, run, record))

    def count_dead_runs(self) -> int:
        """Return how many dead runs wait; a tick asks before it reads how the tasks stand."""
        return len(self._dead_runs)

    def queue_dead_runs(self, number: int) -> None:
        """Let the first `number` dead runs be published with the outcomes: their tasks are read."""
        if number:
            with self.lock:
                read, left = self._dead_runs[:number], self._dead_runs[number:]
                self._dead_runs = left  # together with the next call: no signal handler runs in between
                self._outcomes.extend(read)

    def publish_all(self) -> None:
        """Publish whatever waits: nothing will be stored or read any more."""
        self.queue_dead_runs(self.count_dead_runs())
        with self.lock:
            waiting, self._outcomes = self._outcomes, deque()  # what is put off once more is lost
        while waiting:
            waiting.popleft()()

    def clear_after_fork(self, lock: threading.Lock) -> None:
        """Start over in a child process: what waits is for the parent to publish."""
        self.lock = lock
        self.subscribers.clear_after_fork()
        self._outcomes.clear()
        self._dead_runs.clear()

    def _event_of(self, run: Run, record: Record) -> Event:
        return Event(
            name="succeeded" if record.error is None else "failed",
            task_id=run.task.id,
            slot=run.shown_slot(),
            attempt=run.attempt,
            started_at=run.started_at,
            finished_at=record.line["finished_at"],
            duration=record.duration,
            result=record.result,
            error=record.error,
            error_message=record.line["error"],
            retry_at=record.retry_at if self._is_retried(run, record.retry_at) else None,
            consecutive_failures=run.failures or 0,
        )

    def defer(self, action: Callable[[], None]) -> None:
        """Defer an action, with the outcomes, until the store is back."""
        with self.lock:
            self._outcomes.append(action)

    def _publish(self, run: Run, record: Record, event: Event) -> None:
        try:
            self._publish_all_of(run, record, event)
        finally:
            if not run.is_dead:
                self._remove_task_if_done(run.task.id)

    def _remove_task_if_done(self, task_id: str | None) -> None:
        """Remove the task of that id if it is done and wants that."""
        task = None if task_id is None else dict.get(self._agenda.store, task_id)
        if task is not None and "remove_when_done" in task.__dict__:
            self.remove_if_done(task)

    def _publish_all_of(self, run: Run, record: Record, event: Event) -> None:
        """Publish an outcome, and the event that follows it."""
        try:
            if not run.is_dead:
                task = run.task
                self.subscribers.publish(event, label(task, None if record.error is None else task.name))
        finally:
            is_retried = False
            if record.retry_at is not None:
                with self.lock:
                    # As it stands when the failure has been published to all.
                    is_retried = not run.is_dead and self._is_retried(run, record.retry_at)
                    if self.failures.get(run.task.id) is run:
                        del self.failures[run.task.id]
                    if not is_retried and not run.is_dead:
                        self._drop_retry(run.task, record.retry_at)
        if run.is_dead:
            return
        if is_retried:
            self.subscribers.publish(replace(event, name="retrying", retry_at=record.retry_at))
        elif record.error is not None:
            self._publish_more(event, "gave_up")
        elif run.failures:
            self._publish_more(event, "recovered")

    def _drop_retry(self, task: Task, retry_at: datetime) -> None:
        """Let the retry of a run that is given up wait no longer: what replaces it would tell so once more."""
        is_registered = dict.get(self._agenda.store, task.id) is task
        if is_registered and task.retry_at is not None and to_utc(task.retry_at) == to_utc(retry_at):
            task.__dict__["retry_at"] = None
            self._agenda.note_task(task)

    def _publish_more(self, event: Event, name: EventName) -> None:
        if self.subscribers.callbacks[name]:
            self.subscribers.publish(replace(event, name=name, retry_at=None))

    def _is_retried(self, run: Run, retry_at: datetime | None) -> bool:
        """Return whether a failed run is retried, by the present state of its task, or has been already."""
        task = run.task
        if run.is_replaced:
            return False
        if run.is_retried or (task.attempt > run.attempt and tried(task) == run.slot):  # here, or by another instance
            return True
        is_registered = dict.get(self._agenda.store, task.id) is task
        if retry_at is not None and is_registered and self._has_run_elsewhere(run):
            return True  # the retry has waited; the instance that has replaced it publishes `gave_up`
        if retry_at is None or task.retry_at is None or to_utc(task.retry_at) != to_utc(retry_at):
            return False
        return is_registered and task.run_requested is None and may_retry(task)

    def _has_run_elsewhere(self, run: Run) -> bool:
        """Return whether another instance has begun a run of the task since `run`."""
        last = run.task.last_run_at
        return run.epoch is not None and last is not None and to_utc(last) > to_utc(run.started_at)
