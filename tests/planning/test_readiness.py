"""Readiness: the tasks that a tick starts, and those it files again."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.dependencies import first_unmet
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.readiness import Condition, Notice, Readiness
from est_alan_scheduler.task import Task, TaskStatus

NOON = datetime(2026, 6, 1, 12)
MISSING = Notice("Task 'x' is not registered, but others depend on it and wait, 'a' among them.")


class Planner:
    """An agenda, the readiness that takes from it, and the notices it collects."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.misfires: list[Entry] = []
        self.readiness = Readiness(
            self.agenda, (), self.misfires.append, lambda task, _: first_unmet(task, self.agenda.store) is None
        )
        self.notices: list[Notice] = []

    def put(self, task_id: str, **fields: Any) -> Task:
        given: dict[str, Any] = fields if "run_at" in fields else {"every": {"seconds": 1}} | fields
        task = self.agenda.store[task_id] = Task(id=task_id, func=print, **given)
        return task

    def take(self, available: int | None = None, stricter: Condition | None = None, now: datetime = NOON) -> str:
        """Return the ids of the tasks to start, and file them again, like a tick that starts nothing."""
        self.agenda.work_in(now)
        ready = self.readiness.take(now, available, stricter, self.notices)
        self.agenda.close(ready, now)
        return "".join(entry.task.id for entry in ready)


@pytest.fixture
def planner() -> Planner:
    return Planner()


def test_due_tasks_are_taken_in_registration_order(planner: Planner) -> None:
    planner.put("b", run_at=NOON)
    planner.put("a", run_at=NOON - timedelta(hours=1))
    planner.put("c", run_at=NOON + timedelta(seconds=1))
    planner.put("d", run_at=NOON, status=TaskStatus.RUNNING)
    assert (planner.take(), planner.take(now=NOON + timedelta(seconds=1)), planner.notices) == ("ba", "bac", [])


def test_the_oldest_slots_are_taken_first_when_capacity_is_short(planner: Planner) -> None:
    for minute, task_id in enumerate("cab"):
        planner.put(task_id, run_at=NOON - timedelta(minutes=minute))
    assert [planner.take(available) for available in (0, 1, 2, 3, None)] == ["", "b", "ab", "cab", "cab"]


def test_no_task_is_looked_at_without_capacity(planner: Planner) -> None:
    tasks = [planner.put(task_id, misfire_grace=1, last_run_at=NOON - timedelta(minutes=1)) for task_id in "ab"]
    planner.agenda.work_in(NOON)
    assert planner.agenda.hold_due(to_utc(NOON), None) == tasks
    asked: list[Task] = []

    def note(task: Task, _: datetime) -> bool:
        asked.append(task)
        return False

    assert planner.take(0, stricter=note) == ""
    assert (asked, planner.misfires, planner.notices) == ([], [], [])
    assert planner.take() == "ab"


def test_a_waiting_task_is_taken_once_its_dependency_has_succeeded(planner: Planner) -> None:
    dependency = planner.put("a", run_at=NOON + timedelta(days=1))
    planner.put("b", depends_on=["a"])
    assert (planner.take(), sorted(planner.agenda.waiting)) == ("", ["a"])
    dependency.last_success_at = NOON
    assert (planner.take(), planner.notices) == ("b", [])


def test_a_missing_dependency_is_reported_once_until_it_has_been_registered(planner: Planner) -> None:
    for task_id in "ab":
        planner.put(task_id, depends_on=["x"])
    planner.take()
    planner.put("a", depends_on=["x"])
    planner.take()
    assert planner.notices == [MISSING]
    planner.readiness.forget("x")
    planner.put("a", depends_on=["x"])
    planner.take()
    assert planner.notices == [MISSING, MISSING]


def test_a_task_without_exactly_one_schedule_option_is_reported_once_in_each_state(planner: Planner) -> None:
    def said(found: str) -> Notice:
        text = "exactly one of every / at / run_at / cron / after / manual must be set, got"
        return Notice(f"Task 'a' is never due: {text} {found}.")

    task, other = planner.put("a"), planner.put("b")
    task.at = "09:00"
    assert planner.take(0) == ""
    task.description = task.name = None
    other.at, other.every = "09:00", None
    planner.take()
    planner.agenda.note_all()
    planner.take()
    assert planner.notices == [said("every and at")]
    task.every = task.at = None
    planner.take()
    assert planner.notices[1:] == [said("none of them")]
    task.every = {"seconds": 1}
    planner.take()
    task.every = None
    planner.take()
    assert planner.notices[2:] == [said("none of them")]
    del planner.agenda.store["a"]
    planner.take()
    planner.put("c", at="09:00")
    planner.take()
    assert len(planner.notices) == 4
    assert planner.agenda.unscheduled.logged.keys() == {"c"}


def test_a_misfire_is_recorded_and_reported(planner: Planner) -> None:
    slot = NOON - timedelta(minutes=1)
    task = planner.put("a", run_at=slot, misfire_grace=10)
    text = f"Task 'a' skipped its slot of {slot}: it was 60 s late, more than its misfire_grace of 10 s."
    assert (planner.take(), planner.notices) == ("", [Notice(text, Event("misfired", "a", slot))])
    assert (task.misfires, task.misfired_at, planner.take()) == (1, slot, "")


def test_a_stricter_condition_is_checked_in_every_tick(planner: Planner) -> None:
    planner.put("a")
    planner.put("b", last_run_at=NOON - timedelta(minutes=1))
    planner.put("c", last_run_at=NOON - timedelta(minutes=1))
    assert [planner.take(stricter=lambda task, _: task.id == "b") for _ in range(2)] == ["b", "b"]
    assert planner.take() == "abc"


def test_a_task_set_aside_and_changed_is_taken_once(planner: Planner) -> None:
    task = planner.put("a", run_at=NOON)
    planner.agenda.work_in(NOON)
    assert planner.agenda.hold_due(to_utc(NOON), None) == [task]
    planner.agenda.reread(task, NOON)
    assert planner.take() == "a"
