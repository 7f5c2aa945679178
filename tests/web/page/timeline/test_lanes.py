"""The tasks that the timeline shows, and their order."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web.page.timeline import lanes
from est_alan_scheduler.web.page.timeline.lanes import Chosen, chosen
from tests import jobs

NOON = datetime(2026, 3, 2, 12)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def put(registry: TaskRegistry, task_id: str, func: Any = jobs.process_id, **fields: Any) -> Task:
    return registry.register(Task(id=task_id, func=func, **fields))


def look(registry: TaskRegistry, hours: float = 1, **options: Any) -> Chosen:
    now = datetime.now()
    return chosen(registry, now - HOUR * hours / 2, now + HOUR * hours, **options)


def ids(found: Chosen) -> list[str]:
    return [task.id for task in found.tasks]


@pytest.fixture
def mixed(registry: TaskRegistry, noon: Any) -> TaskRegistry:
    """Return tasks of every kind, ten minutes after a tick."""
    put(registry, "daily", at="18:00")
    put(registry, "manual", manual=True)
    put(registry, "hourly", every={"hours": 1})
    put(registry, "broken", func=jobs.boom, every={"hours": 2}, tags=["red"])
    registry.tick()
    put(registry, "busy", manual=True).status = "running"
    put(registry, "overdue", run_at=NOON + MINUTE, tags=["red"])
    noon.tick(600)
    return registry


@pytest.mark.parametrize("most", [5_000, 6])
def test_trouble_comes_first_then_what_runs_then_what_comes_next(
    mixed: TaskRegistry, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(lanes, "_MOST_ASKED", most)
    assert ids(look(mixed)) == ["overdue", "broken", "busy", "hourly", "daily", "manual"]


def test_a_trouble_has_its_moment_its_number_and_its_error(mixed: TaskRegistry) -> None:
    found = [(one.task.id, one.kind, one.at, one.number, one.error) for one in look(mixed).troubles]
    assert found == [
        ("overdue", "late", NOON + MINUTE, 1, None),
        ("broken", "failed", NOON, 1, "ValueError: boom"),
    ]


def test_a_failure_counts_after_a_success_too_but_not_before_the_time_that_is_shown(
    registry: TaskRegistry, noon: Any
) -> None:
    divisors = [0, 0, 1]
    func = registry.expose(lambda: 1 / divisors.pop(0), "tests.divide")
    task = put(registry, "flaky", func=func, every={"minutes": 5})
    while divisors:
        registry.tick()
        noon.tick(300)
    assert task.status == "success"
    (trouble,) = look(registry).troubles
    assert (trouble.at, trouble.number) == (NOON + 5 * MINUTE, 2)
    noon.tick(3600)
    assert [one.kind for one in look(registry).troubles] == ["late"]


def test_the_latest_failure_comes_first(registry: TaskRegistry, noon: Any) -> None:
    for minutes in range(3):
        put(registry, f"after-{minutes}", func=jobs.boom, run_at=NOON + minutes * MINUTE)
    for _ in range(3):
        registry.tick()
        noon.tick(60)
    assert [one.task.id for one in look(registry).troubles] == ["after-2", "after-1", "after-0"]


def test_a_failure_after_the_time_that_is_shown_does_not_count(registry: TaskRegistry) -> None:
    put(registry, "broken", func=jobs.boom, run_at=NOON)
    registry.tick()
    assert chosen(registry, NOON - 2 * HOUR, NOON - HOUR).troubles == []


def test_only_the_tasks_with_trouble_can_be_asked_for(mixed: TaskRegistry) -> None:
    found = look(mixed, only_trouble=True)
    assert (ids(found), found.after) == (["overdue", "broken"], 0)


def test_a_text_and_a_tag_narrow_the_tasks(mixed: TaskRegistry) -> None:
    assert ids(look(mixed, text="ily")) == ["daily"]
    found = look(mixed, tag="red")
    assert (ids(found), [one.task.id for one in found.troubles]) == (["overdue", "broken"], ["overdue", "broken"])
    assert ids(look(mixed, text="nothing")) == []


def test_a_time_that_is_over_shows_no_late_task(mixed: TaskRegistry) -> None:
    found = chosen(mixed, NOON - 2 * HOUR, NOON + 5 * MINUTE)
    assert [(one.task.id, one.kind) for one in found.troubles] == [("broken", "failed")]


def test_while_all_tasks_are_paused_none_is_late(mixed: TaskRegistry) -> None:
    mixed.pause_all()
    assert [one.kind for one in look(mixed).troubles] == ["failed"]


@pytest.mark.parametrize("most", [5_000, 10])
def test_each_task_is_on_one_page(registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(lanes, "_MOST_ASKED", most)
    for number in range(95):
        put(registry, f"task-{number:02}", run_at=NOON + (number + 1) * MINUTE)
    pages = [look(registry, page=page) for page in (1, 2, 3, 4)]
    assert [(len(page.tasks), page.before, page.after) for page in pages] == [
        (40, 0, 55),
        (40, 40, 15),
        (15, 80, 0),
        (0, 95, 0),
    ]
    assert [task_id for page in pages for task_id in ids(page)] == sorted(registry.store)


def test_one_busy_task_does_not_hide_the_others(registry: TaskRegistry) -> None:
    put(registry, "busy", every={"seconds": 1})
    put(registry, "yearly", cron="0 0 1 1 *")
    put(registry, "manual", manual=True)
    assert ids(look(registry)) == ["busy", "yearly", "manual"]
