"""Tables of a registry: for `print`, and for a notebook."""

import re

import pytest

from est_alan_scheduler import Task, TaskRegistry
from tests.frozen import START, Frozen, boom, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    registry = Frozen()
    registry.register(Task(id="매일 백업", every={"minutes": 5}, func=work))
    registry.register(Task(id="report", at="07:00", func=boom, depends_on=["load"]))
    registry.register(Task(id="once", run_at=START, func=boom))
    return registry


def next_runs(registry: TaskRegistry) -> list[str]:
    return [re.split("  +", line)[2] for line in registry.table().splitlines()[1:]]


def test_a_table_is_aligned_also_with_wide_characters(registry: Frozen) -> None:
    registry.tick()
    registry.pause("report")
    assert registry.table().splitlines() == [
        "id         schedule                     next run             last run             status",
        "매일 백업  every 5 minutes              2026-06-01 12:05:00  2026-06-01 12:00:00  success",
        "report     at 07:00                     paused               -                    pending",
        "once       once at 2026-06-01 12:00:00  -                    2026-06-01 12:00:00  failed",
    ]


def test_a_task_that_is_due_tells_what_it_waits_for(registry: Frozen) -> None:
    assert next_runs(registry) == ["now", "waits for load", "now"]


def test_tasks_without_slots_show_what_they_run_after(registry: Frozen) -> None:
    registry.clear()
    registry.register(Task(id="m", manual=True, func=work))
    registry.register(Task(id="a", after=["m"], func=work))
    assert registry.table().splitlines()[1:] == [
        "m   by run_now only  -         -         pending",
        "a   after 'm'        -         -         pending",
    ]


def test_a_paused_registry_shows_that_nothing_runs(registry: Frozen) -> None:
    registry.pause_all()
    assert next_runs(registry) == ["paused"] * 3


def test_columns_are_of_bounded_width() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="x" * 1_000, every={"hours": 1}, func=work, exclude=["2026-01-01"] * 50))
    assert max(map(len, registry.table().splitlines())) <= 160


def test_an_empty_registry_has_a_header_only() -> None:
    assert TaskRegistry().table() == "id  schedule  next run  last run  status"


def test_the_repr_counts_tasks_by_status(registry: Frozen) -> None:
    assert repr(TaskRegistry()) == "<TaskRegistry: 0 tasks>"
    registry.tick()
    registry.pause("report")
    assert repr(registry) == "<Frozen: 3 tasks (1 pending, 1 success, 1 failed, 1 paused)>"
    registry.pause_all()
    registry.remove("once")
    assert repr(registry) == "<Frozen: 2 tasks (1 pending, 1 success, 1 paused, all paused)>"


def test_a_notebook_shows_a_table_of_bounded_length() -> None:
    registry = Frozen()
    for number in range(150):
        registry.register(Task(id=f"<{number}>", every={"hours": 1}, func=work))
    shown = registry._repr_html_()
    assert shown.startswith("<table><caption>Frozen: 150 tasks (150 pending), the first 100 of them:</caption>")
    assert (shown.count("<tr>"), shown.count("&lt;"), "<0>" in shown) == (101, 100, False)


def test_no_lock_is_needed_to_show_a_registry(registry: Frozen) -> None:
    with registry._lock:
        assert (registry.table() != "", repr(registry) != "", registry._repr_html_() != "") == (True, True, True)
