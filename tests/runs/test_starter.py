"""How a run starts, and what keeps it from it."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler.executors.call import Call, Outcome
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.executors.worker import make_call
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.starter import RunStarter
from est_alan_scheduler.task import Task, TaskStatus

NOON = datetime(2026, 6, 1, 12)


class Later:
    """A runner that makes its calls when it is told to."""

    limit = 1

    def __init__(self) -> None:
        self.calls: list[tuple[Call, Callable[[Outcome], None]]] = []

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.calls.append((call, done))

    def step(self) -> None:
        call, done = self.calls.pop(0)
        done(make_call(call))


class Site:
    """A starter with all that it works on."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.recorder = RunRecorder(threading.Lock(), self.agenda, lambda: NOON, lambda: None)
        self.capacity = Capacity(self, self.recorder.in_flight.calls)
        self.asked: list[str] = []
        self.starter = RunStarter(self.agenda, self.recorder, self.capacity, lambda: NOON, self._may_start)
        self.turn = self.recorder.in_flight.thread.context

    def put(self, task_id: str, func: Callable[..., Any], **fields: Any) -> Task:
        task = self.agenda.store[task_id] = Task(id=task_id, every={"seconds": 1}, func=func, **fields)
        self.agenda.work_in(NOON)
        return task

    def find_ready(self, task: Task) -> None:
        """Do what a tick does before it starts what it has found ready."""
        (entry,) = self.agenda.take(self.agenda.see(NOON), None)
        assert entry.task is task
        entry.ready_at = self.turn.now = NOON
        self.turn.entry = entry
        self.turn.changes, self.turn.starts = self.agenda.changes, self.agenda.starts

    def _may_start(self, task: Task, now: datetime) -> bool:
        self.asked.append(task.id)
        return False


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_run_by_hand_is_made_here_and_recorded(site: Site) -> None:
    task = site.put("a", lambda: task.status)
    site.starter.run_here(task)
    assert (task.status, task.result, task.last_run_at) == (TaskStatus.SUCCESS, TaskStatus.RUNNING, NOON)
    assert (site.asked, site.turn.runs) == ([], [])


def test_a_task_that_is_running_is_not_started(site: Site) -> None:
    task = site.put("a", print, status=TaskStatus.RUNNING)
    site.starter.run_here(task)
    assert (task.history, task.last_run_at) == ([], None)


def test_what_a_tick_found_ready_is_asked_again_only_after_a_change(site: Site) -> None:
    task = site.put("a", lambda: 1)
    site.find_ready(task)
    task.args = ()
    site.starter.run_here(task)
    assert (site.asked, task.history) == (["a"], [])
    site.find_ready(task)
    site.starter.run_here(task)
    assert (site.asked, task.result) == (["a"], 1)


def test_results_of_dependencies_go_with_the_arguments(site: Site) -> None:
    site.put("a", print, result=2, last_success_at=NOON)
    task = site.put("b", lambda x, dep_a: (x, dep_a), kwargs={"x": 1}, depends_on=["a"])
    site.starter.run_here(task)
    assert task.result == (1, 2)


def test_an_error_is_recorded_and_an_interruption_raised_as_well(site: Site) -> None:
    def leave(error: BaseException) -> None:
        raise error

    task = site.put("a", leave, args=(ValueError("boom"),))
    site.starter.run_here(task)
    assert task.error_message == "ValueError: boom"
    task.args = (KeyboardInterrupt(),)
    with pytest.raises(KeyboardInterrupt):
        site.starter.run_here(task)
    assert (task.status, task.error_message) == (TaskStatus.FAILED, "KeyboardInterrupt")


def test_what_is_handed_over_is_recorded_when_its_outcome_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Later()
    monkeypatch.setattr(site.capacity, "runner", lambda: later)
    tasks = [site.put("a", lambda: 1), site.put("b", lambda: 2)]
    for task in tasks:
        site.starter.hand_over(task, later)
    assert [task.status for task in tasks] == [TaskStatus.RUNNING, TaskStatus.PENDING]  # there is room for one
    later.step()
    assert ([task.result for task in tasks], later.calls, site.recorder.in_flight.all()) == ([1, None], [], [])


def test_a_runner_that_was_replaced_meanwhile_gets_nothing(site: Site) -> None:
    task, later = site.put("a", print), Later()
    site.starter.hand_over(task, later)
    assert (later.calls, task.status) == ([], TaskStatus.PENDING)
