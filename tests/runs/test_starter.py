"""The start of a run, and the conditions that prevent it."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler.executors.call import Call, InterpreterEndsError, Outcome
from est_alan_scheduler.executors.capacity import Capacity
from est_alan_scheduler.executors.worker import make_call
from est_alan_scheduler.fields.retry import Retry
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.runs.starter import RunStarter
from est_alan_scheduler.task import Task, TaskStatus

NOON, EARLIER = datetime(2026, 6, 1, 12), datetime(2026, 6, 1, 11)


class ManualRunner:
    """A runner that makes one call per `step`."""

    limit = 1

    def __init__(self) -> None:
        self.calls: list[tuple[Call, Callable[[Outcome], None]]] = []

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.calls.append((call, done))

    def step(self) -> None:
        call, done = self.calls.pop(0)
        done(make_call(call))


class StarterSetup:
    """A starter, with an agenda, a recorder and a capacity."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.recorder = RunRecorder(threading.Lock(), self.agenda, lambda: NOON, lambda: None)
        self.capacity = Capacity(self, self.recorder.in_flight.calls)
        self.asked: list[str] = []
        self.starter = RunStarter(self.recorder, self.capacity, self._may_start)
        self.context = self.recorder.in_flight.thread.context

    def put(self, task_id: str, func: Callable[..., Any], **fields: Any) -> Task:
        task = self.agenda.store[task_id] = Task(id=task_id, every={"seconds": 1}, func=func, **fields)
        self.agenda.work_in(NOON)
        return task

    def find_ready(self, task: Task) -> None:
        """Prepare the entry and the thread context as a tick does before it starts a ready task."""
        (entry,) = self.agenda.heap.take(self.agenda.note_time(NOON), None)
        assert entry.task is task
        entry.ready_at = self.context.now = NOON
        self.context.entry = entry
        self.context.changes, self.context.starts = self.agenda.changes, self.agenda.starts

    def _may_start(self, task: Task, now: datetime) -> bool:
        self.asked.append(task.id)
        return False


@pytest.fixture
def setup() -> StarterSetup:
    return StarterSetup()


def test_a_run_by_hand_is_executed_and_recorded(setup: StarterSetup) -> None:
    task = setup.put("a", lambda: task.status)
    setup.starter.run_inline(task)
    assert (task.status, task.result, task.last_run_at) == (TaskStatus.SUCCESS, TaskStatus.RUNNING, NOON)
    assert (setup.asked, setup.context.runs) == ([], [])


def test_a_running_task_is_not_started_again(setup: StarterSetup) -> None:
    task = setup.put("a", print, status=TaskStatus.RUNNING)
    setup.starter.run_inline(task)
    assert (task.history, task.last_run_at) == ([], None)


def test_readiness_is_checked_again_only_after_a_change(setup: StarterSetup) -> None:
    task = setup.put("a", lambda: 1)
    setup.find_ready(task)
    task.args = ()
    setup.starter.run_inline(task)
    assert (setup.asked, task.history) == (["a"], [])
    setup.find_ready(task)
    setup.starter.run_inline(task)
    assert (setup.asked, task.result) == (["a"], 1)


def test_results_of_dependencies_are_passed_beside_the_arguments(setup: StarterSetup) -> None:
    setup.put("a", print, result=2, last_success_at=NOON)
    task = setup.put("b", lambda x, dep_a: (x, dep_a), kwargs={"x": 1}, depends_on=["a"])
    setup.starter.run_inline(task)
    assert task.result == (1, 2)


def test_an_exception_is_recorded_and_an_interruption_is_also_raised(setup: StarterSetup) -> None:
    def leave(error: BaseException) -> None:
        raise error

    task = setup.put("a", leave, args=(ValueError("boom"),))
    setup.starter.run_inline(task)
    assert task.error_message == "ValueError: boom"
    task.args = (KeyboardInterrupt(),)
    with pytest.raises(KeyboardInterrupt):
        setup.starter.run_inline(task)
    assert (task.status, task.error_message) == (TaskStatus.FAILED, "KeyboardInterrupt")


def test_a_submitted_run_is_recorded_when_its_outcome_arrives(
    setup: StarterSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ManualRunner()
    monkeypatch.setattr(setup.capacity, "runner", lambda: later)
    tasks = [setup.put("a", lambda: 1), setup.put("b", lambda: 2)]
    for task in tasks:
        setup.starter.submit(task, later)
    assert [task.status for task in tasks] == [TaskStatus.RUNNING, TaskStatus.PENDING]  # the capacity is one
    later.step()
    assert ([task.result for task in tasks], later.calls, setup.recorder.in_flight.all()) == ([1, None], [], [])


def test_a_replaced_runner_gets_no_call(setup: StarterSetup) -> None:
    task, later = setup.put("a", print), ManualRunner()
    setup.starter.submit(task, later)
    assert (later.calls, task.status) == ([], TaskStatus.PENDING)


class EndingRunner(ManualRunner):
    """A runner that starts no call any more, because the program ends; something else happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def start(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self._meanwhile()
        raise InterpreterEndsError


def due_after_an_end(setup: StarterSetup, task: Task, meanwhile: Callable[[], object]) -> list[Task]:
    """Start `task` while the program ends, and return the tasks that are due then."""
    runner: Any = EndingRunner(meanwhile)
    setup.capacity.runner = lambda: runner  # type: ignore[method-assign]  # there is no pool
    setup.find_ready(task)
    setup.starter.submit(task, runner)
    assert setup.recorder.in_flight.all() == []
    setup.agenda.work_in(NOON)
    return [entry.task for entry in setup.agenda.heap.take(setup.agenda.note_time(NOON), None)]


def test_a_start_undone_at_the_end_of_the_program_leaves_the_task_as_it_was(setup: StarterSetup) -> None:
    before = {"status": TaskStatus.FAILED, "attempt": 2, "last_run_at": EARLIER, "first_run_at": EARLIER}
    task = setup.put("a", print, retry_at=EARLIER, retry=Retry(max_retries=3), **before)
    assert due_after_an_end(setup, task, lambda: None) == [task]
    assert {name: getattr(task, name) for name in before} == before
    assert (task.retry_at, task.history) == (EARLIER, [])


def test_an_undone_start_counts_no_run_and_keeps_the_arguments(setup: StarterSetup) -> None:
    task = setup.put("a", print, run_arguments={"args": [1]})
    seen = list[Any]()
    due_after_an_end(setup, task, lambda: seen.append((task.runs, task.run_arguments)))
    assert (seen, task.runs, task.run_arguments) == ([(1, None)], 0, {"args": [1], "kwargs": {}})


def test_an_undone_start_of_a_task_that_was_removed_meanwhile_is_not_due(setup: StarterSetup) -> None:
    task = setup.put("a", print)
    assert due_after_an_end(setup, task, lambda: setup.agenda.store.pop("a")) == []


def test_an_undone_start_of_a_task_that_was_replaced_meanwhile_lets_the_other_one_run(setup: StarterSetup) -> None:
    task = setup.put("a", print)

    def replace() -> None:
        setup.put("a", repr)
        (entry,) = setup.agenda.heap.take(setup.agenda.note_time(NOON), None)
        setup.agenda.take_off(entry)  # as a tick does while a call of that id goes on

    assert due_after_an_end(setup, task, replace) == [setup.agenda.store["a"]]
    assert (task.status, setup.agenda.store["a"] is task) == (TaskStatus.PENDING, False)
