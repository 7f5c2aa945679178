"""The summary of a task: what `repr` and a notebook show of it."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus
from tests.frozen import START, Frozen, boom, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def test_a_task_that_is_not_registered_shows_its_id_schedule_and_status() -> None:
    task = Task(id="a", every={"minutes": 5}, func=work)
    assert repr(task) == str(task) == f"{task}" == "<Task 'a': every 5 minutes, pending>"


def test_a_registered_task_shows_its_next_and_last_run(registry: Frozen) -> None:
    task = registry.register(Task(id="a", every={"minutes": 5}, func=work))
    assert repr(task) == "<Task 'a': every 5 minutes, pending, next run now>"
    registry.tick()
    assert repr(task) == (
        "<Task 'a': every 5 minutes, success, next run 2026-06-01 12:05:00, last run 2026-06-01 12:00:00>"
    )
    registry.pause("a")
    assert repr(task) == "<Task 'a': every 5 minutes, success, next run paused, last run 2026-06-01 12:00:00>"
    registry.remove("a")
    assert "last run 2026-06-01 12:00:00" in repr(task)


def test_a_failed_task_shows_its_error_and_its_retry(registry: Frozen) -> None:
    task = registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1, delay=60, jitter=0)))
    registry.tick()
    assert repr(task) == (
        "<Task 'a': once at 2026-06-01 12:00:00, failed, next run 2026-06-01 12:01:00,"
        " last run 2026-06-01 12:00:00, error ValueError: boom>"
    )


def test_name_description_and_tags_are_shown_if_they_are_given() -> None:
    task = Task(id="a", at="07:00", func=work, name="Nightly", description="Makes the report.", tags=["x", "y"])
    assert repr(task) == "<Task 'a' 'Nightly': at 07:00, pending, description Makes the report., tags x, y>"


def test_moments_of_a_task_with_a_zone_show_its_offset(registry: Frozen, set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")
    task = registry.register(Task(id="a", at="23:30", timezone="Asia/Seoul", func=work))
    assert repr(task) == "<Task 'a': at 23:30 Asia/Seoul, pending, next run 2026-06-01 23:30:00+09:00>"


def test_the_clock_of_a_registry_may_be_frozen() -> None:
    with freeze_time("2026-06-01 12:00:00") as frozen:
        registry = TaskRegistry()
        task = registry.register(Task(id="a", run_at="2026-06-01T13:00:00", func=work))
        assert "next run 2026-06-01 13:00:00" in repr(task)
        frozen.move_to("2026-06-01 13:00:00")
        assert "next run now" in repr(task)


class HostileText(str):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __len__ = __format__ = __str__  # type: ignore[assignment]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": HostileText("a")},
        {"id": "x" * 100_000},
        {"id": "a\n\x1b[31m\u202e\ud800"},
        {"error_message": "m\n" * 100_000},
        {"exclude": [date(2026, 1, 1)] * 10_000},
        {"tags": ["t" * 500] * 500},
        {"description": "\ud800" * 5_000, "name": "\0" * 5_000},
    ],
)
def test_hostile_values_make_neither_an_error_nor_a_long_or_second_line(fields: dict[str, Any]) -> None:
    task = Task(**{"id": "a", "every": {"hours": 1}, "func": work, **fields})
    for text in (repr(task), task._repr_html_()):
        assert len(text) < 5_000
        assert text.isprintable()
        text.encode()


def test_a_task_in_the_making_or_spoiled_is_shown_all_the_same() -> None:
    assert repr(Task.__new__(Task)) == "<Task '?': ?, ?>"
    task = Task(id="a", every={"hours": 1}, func=work)
    task.__dict__.update(every={"hours": object()}, last_run_at="never", status="odd")
    assert repr(task) == "<Task 'a': ?, ?, last run ?>"


def test_no_lock_is_held_and_none_is_needed(registry: Frozen) -> None:
    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    with registry._lock:
        assert "next run now" in repr(task)


def test_a_notebook_shows_a_small_escaped_table(registry: Frozen) -> None:
    task = registry.register(Task(id="<a>", every={"hours": 1}, func=work))
    assert task._repr_html_() == (
        "<table><tr><th>id</th><td>&lt;a&gt;</td></tr><tr><th>schedule</th><td>every hour</td></tr>"
        "<tr><th>status</th><td>pending</td></tr><tr><th>next run</th><td>now</td></tr></table>"
    )


def test_a_class_of_its_own_shows_its_name() -> None:
    class Job(Task):
        pass

    assert repr(Job(id="a", every={"hours": 1}, func=work, status=TaskStatus.FAILED)) == "<Job 'a': every hour, failed>"
