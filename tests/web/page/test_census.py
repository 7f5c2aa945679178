"""The census of the tasks of a registry."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web.page import census
from est_alan_scheduler.web.page.census import Census, Counts
from est_alan_scheduler.web.page.standing import STANDINGS, standing
from tests.frozen import START, Frozen, boom, work

SECOND = timedelta(seconds=1)


def counts_of(found: Census) -> dict[str, int]:
    return {one: found.count(one) for one in STANDINGS if found.count(one)}


def test_tasks_are_counted_by_their_standing() -> None:
    registry = Frozen()
    registry.register(Task(id="fine", func=work, every={"hours": 1}, tags=("a", "b")))
    registry.register(Task(id="bad", func=boom, every={"hours": 1}, tags=("b",)))
    registry.register(Task(id="again", func=boom, every={"hours": 1}, retry=2))
    registry.tick()
    registry.register(Task(id="new", func=work, at="23:00"))
    registry.register(Task(id="off", func=work, every={"hours": 1}, paused=True))
    registry.register(Task(id="busy", func=work, every={"hours": 1}, status="running"))
    registry.now = START + 11 * SECOND
    registry.register(Task(id="late", func=work, every={"seconds": 5}, last_run_at=START - 5 * SECOND))
    found = Counts(registry).census()
    assert {one: set(ids) for one, ids in found.members.items()} == {
        "failed": {"bad"},
        "late": {"late"},
        "retrying": {"again"},
        "running": {"busy"},
        "paused": {"off"},
        "pending": {"new"},
        "success": {"fine"},
    }
    assert (found.total, found.tags) == (7, ["a", "b"])


moments = st.integers(0, 400).map(lambda seconds: START - timedelta(seconds=seconds))
definitions = st.fixed_dictionaries(
    {
        "every": st.integers(1, 300).map(lambda seconds: {"seconds": seconds}),
        "status": st.sampled_from(["pending", "running", "success", "failed"]),
        "paused": st.booleans(),
        "last_run_at": st.none() | moments,
        "retry": st.none() | st.just(3),
        "retry_at": st.none() | moments,
        "misfire_grace": st.none() | st.just(20),
    }
)


@given(st.lists(definitions, max_size=6), st.booleans())
def test_each_task_is_counted_as_it_stands(given_tasks: list[dict[str, Any]], is_paused: bool) -> None:
    registry = Frozen()
    for fields in given_tasks:
        registry.register(Task(func=work, attempt=1, **fields))
    if is_paused:
        registry.pause_all()
    registry.now = START + 30 * SECOND
    found = Counts(registry).census()
    for task in registry:
        assert [one for one in STANDINGS if task.id in found.members[one]] == [
            standing(task, registry.now, registry.is_paused)
        ]


def test_few_tasks_are_counted_anew_each_time() -> None:
    registry = TaskRegistry()
    counts = Counts(registry)
    assert counts_of(counts.census()) == {}
    registry.register(Task(func=work, manual=True))
    assert counts_of(counts.census()) == {"pending": 1}


def test_many_tasks_are_counted_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_FEW", 1)
    clock = iter([10.0, 10.01, 10.99, 11.0, 11.1, 12.9, 13.0, 13.01])
    monkeypatch.setattr(census, "monotonic", lambda: next(clock))
    registry = TaskRegistry()
    counts = Counts(registry)
    totals = []
    for _ in range(5):
        registry.register(Task(func=work, manual=True))
        registry.register(Task(func=work, manual=True))
        totals.append(counts.census().total)
    # At 10.0; kept at 10.99; at 11.0, which takes 0.1 s, and so holds for twenty times that; kept at 12.9; at 13.0.
    assert totals == [2, 2, 6, 6, 10]


def test_a_pause_of_all_is_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_FEW", 1)
    monkeypatch.setattr(census, "monotonic", lambda: 10.0)
    registry = TaskRegistry()
    for _ in range(2):
        registry.register(Task(func=work, manual=True))
    registry.register(Task(func=work, manual=True, status="running"))
    counts, found = Counts(registry), list[dict[str, int]]()
    found.append(counts_of(counts.census()))
    registry.pause_all()
    found.append(counts_of(counts.census()))
    registry.resume_all()
    found.append(counts_of(counts.census()))
    assert found == [{"running": 1, "pending": 2}, {"running": 1, "paused": 2}, {"running": 1, "pending": 2}]


def test_the_tags_that_most_tasks_have_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_MOST_TAGS", 2)
    registry = TaskRegistry()
    for tags in [("a", "z"), ("z", "m"), ("m", "z"), ("b",)]:
        registry.register(Task(func=work, manual=True, tags=tags))
    assert Counts(registry).census().tags == ["m", "z"]
