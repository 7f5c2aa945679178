"""What a tick starts, and what it puts back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.planning.agenda import Agenda, Entry
from est_alan_scheduler.planning.dependencies import first_unmet
from est_alan_scheduler.planning.readiness import Condition, Notice, Readiness
from est_alan_scheduler.task import Task, TaskStatus

NOON = datetime(2026, 6, 1, 12)
MISSING = Notice("Task 'x' is not registered, but others depend on it and wait.")


class Desk:
    """An agenda, who takes from it, and what that notices."""

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
        """Return the ids of what is to be started, and file it again, as a tick does that starts nothing."""
        self.agenda.work_in(now)
        ready = self.readiness.take(now, available, stricter, self.notices)
        self.agenda.close(ready, now)
        return "".join(entry.task.id for entry in ready)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_is_due_is_taken_in_the_order_of_registration(desk: Desk) -> None:
    desk.put("b", run_at=NOON)
    desk.put("a", run_at=NOON - timedelta(hours=1))
    desk.put("c", run_at=NOON + timedelta(seconds=1))
    desk.put("d", run_at=NOON, status=TaskStatus.RUNNING)
    assert (desk.take(), desk.take(now=NOON + timedelta(seconds=1)), desk.notices) == ("ba", "bac", [])


def test_where_room_is_short_the_oldest_slots_come_first(desk: Desk) -> None:
    for minute, task_id in enumerate("cab"):
        desk.put(task_id, run_at=NOON - timedelta(minutes=minute))
    assert [desk.take(available) for available in (0, 1, 2, 3, None)] == ["", "b", "ab", "cab", "cab"]


def test_what_waits_for_a_dependency_is_taken_once_that_has_succeeded(desk: Desk) -> None:
    dependency = desk.put("a", run_at=NOON + timedelta(days=1))
    desk.put("b", depends_on=["a"])
    assert (desk.take(), sorted(desk.agenda.waiting)) == ("", ["a"])
    dependency.last_success_at = NOON
    assert (desk.take(), desk.notices) == ("b", [])


def test_a_dependency_that_is_missing_is_noticed_once_until_it_has_been_there(desk: Desk) -> None:
    for task_id in "ab":
        desk.put(task_id, depends_on=["x"])
    desk.take()
    desk.put("a", depends_on=["x"])
    desk.take()
    assert desk.notices == [MISSING]
    desk.readiness.forget("x")
    desk.put("a", depends_on=["x"])
    desk.take()
    assert desk.notices == [MISSING, MISSING]


def test_a_slot_that_came_too_late_is_noted_and_noticed(desk: Desk) -> None:
    slot = NOON - timedelta(minutes=1)
    task = desk.put("a", run_at=slot, misfire_grace=10)
    text = f"Task 'a' skipped its slot of {slot}: it was 60 s late, more than its misfire_grace of 10 s."
    assert (desk.take(), desk.notices) == ("", [Notice(text, Event("misfired", "a", slot))])
    assert (task.misfires, task.misfired_at, desk.take()) == (1, slot, "")


def test_a_stricter_condition_has_the_last_word_and_is_asked_each_time(desk: Desk) -> None:
    desk.put("a")
    desk.put("b", last_run_at=NOON - timedelta(minutes=1))
    desk.put("c", last_run_at=NOON - timedelta(minutes=1))
    assert [desk.take(stricter=lambda task, _: task.id == "b") for _ in range(2)] == ["b", "b"]
    assert desk.take() == "abc"


def test_what_was_set_aside_and_has_changed_is_taken_once(desk: Desk) -> None:
    task = desk.put("a", run_at=NOON)
    desk.agenda.work_in(NOON)
    assert desk.agenda.set_aside(to_utc(NOON), None) == [task]
    desk.agenda.reread(task, NOON)
    assert desk.take() == "a"
