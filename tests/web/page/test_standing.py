"""The one word that the page shows for the status of a task."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task
from est_alan_scheduler.web.page.standing import STANDINGS, standing
from tests.frozen import START, Frozen, boom, work

SECOND = timedelta(seconds=1)
DUE = START  # a task that is due every minute and ran a minute ago


def due(**fields: Any) -> Task:
    """Return a registered task whose next slot is at `DUE`."""
    minute = timedelta(minutes=1)
    values: dict[str, Any] = {"every": {"minutes": 1}, "func": work, "last_run_at": DUE - minute, "status": "success"}
    return Frozen().register(Task(**(values | fields)))


@pytest.mark.parametrize("status", ["pending", "success", "failed"])
def test_a_task_that_is_not_due_stands_as_its_status_says(status: str) -> None:
    assert standing(due(status=status), DUE - SECOND) == status


@pytest.mark.parametrize(("seconds", "expected"), [(0, "success"), (10, "success"), (10.001, "late"), (86_400, "late")])
def test_a_task_is_late_once_it_has_been_due_for_more_than_ten_seconds(seconds: float, expected: str) -> None:
    assert standing(due(), DUE + timedelta(seconds=seconds)) == expected


def test_lateness_counts_from_the_first_slot_that_did_not_start() -> None:
    task = due(every={"seconds": 4}, last_run_at=DUE)
    assert standing(task, DUE + 14 * SECOND) == "success"
    assert standing(task, DUE + 15 * SECOND) == "late"


def test_a_retry_is_to_come_until_it_is_late() -> None:
    task = due(every={"hours": 1}, status="failed", retry=Retry(max_retries=2), attempt=1, retry_at=DUE)
    assert standing(task, DUE - SECOND) == "retrying"
    assert standing(task, DUE + 10 * SECOND) == "retrying"
    assert standing(task, DUE + 11 * SECOND) == "late"


def test_a_retry_that_the_task_no_longer_allows_is_none() -> None:
    task = due(every={"hours": 1}, status="failed", attempt=1, retry_at=DUE)
    assert standing(task, DUE + 11 * SECOND) == "failed"


@pytest.mark.parametrize("status", ["pending", "success", "failed", "running"])
def test_running_hides_all_and_paused_hides_all_but_that(status: str) -> None:
    values: dict[str, Any] = {"status": status, "retry": 2, "attempt": 1, "retry_at": DUE}
    expected = "running" if status == "running" else "paused"
    assert standing(due(paused=True, **values), DUE + 60 * SECOND) == expected


def test_a_late_task_is_late_whatever_its_last_outcome_is() -> None:
    later = DUE + 11 * SECOND
    assert [standing(due(status=status), later) for status in ("pending", "success", "failed")] == ["late"] * 3


@pytest.mark.parametrize("seconds", [-1, 60])
@pytest.mark.parametrize("status", ["pending", "success", "failed", "running"])
def test_while_all_are_paused_each_task_that_does_not_run_is_paused(status: str, seconds: int) -> None:
    task = due(status=status, retry=2, attempt=1, retry_at=DUE)
    expected = "running" if status == "running" else "paused"
    assert standing(task, DUE + seconds * SECOND, is_paused_all=True) == expected


def test_a_run_without_a_moment_of_its_own_is_not_late() -> None:
    registry = Frozen()
    first = registry.register(Task(every={"minutes": 1}, func=work))
    manual = registry.register(Task(manual=True, func=work))
    following = registry.register(Task(after=[first.id], func=work))
    registry.run_now(manual)
    later = START + timedelta(days=1)
    assert [standing(task, later) for task in (first, manual, following)] == ["pending"] * 3


def test_a_slot_that_will_be_skipped_does_not_make_a_task_late() -> None:
    task = due(every={"hours": 1}, last_run_at=DUE - timedelta(hours=1), misfire_grace=30)
    assert standing(task, DUE + 30 * SECOND) == "late"
    assert standing(task, DUE + 31 * SECOND) == "success"


def test_a_task_without_a_schedule_or_with_two_stands_as_its_status_says() -> None:
    task = due()
    task.every = None
    assert standing(task, DUE + 60 * SECOND) == "success"
    task.every, task.at = {"minutes": 1}, "09:00"
    assert standing(task, DUE + 60 * SECOND) == "success"


def test_a_zone_of_the_task_is_counted_in(set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")
    task = due(every=None, at="09:00", timezone="Asia/Seoul", last_run_at=None)
    slot = datetime(2026, 6, 2)  # 09:00 in Seoul
    assert standing(task, slot - SECOND) == "success"
    assert standing(task, slot + 11 * SECOND) == "late"


def test_a_task_that_no_registry_has_stands_as_well() -> None:
    task = Task(every={"minutes": 1}, func=boom, last_run_at=DUE - timedelta(minutes=1), status="failed")
    assert [standing(task, DUE), standing(task, DUE + 11 * SECOND)] == ["failed", "late"]


def test_every_standing_is_in_the_list() -> None:
    assert set(STANDINGS) == {"pending", "running", "success", "failed", "paused", "retrying", "late"}
