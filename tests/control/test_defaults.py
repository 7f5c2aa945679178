"""Defaults of a registry: the fields that its tasks leave open."""

import re
from datetime import date
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry, describe
from est_alan_scheduler.control.defaults import ALLOWED
from tests.frozen import START, Frozen, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


def registry_with(**defaults: Any) -> Frozen:
    registry = Frozen()
    registry.configure(defaults=defaults)
    return registry


def test_a_task_gets_the_defaults_of_what_it_does_not_say() -> None:
    registry = registry_with(
        timezone="Asia/Seoul", misfire_grace=300, retry=3, tags=["nightly"], exclude=["2026-12-25"]
    )
    task = registry.register(Task(id="a", at="07:00", func=work, misfire_grace=60))
    assert (task.timezone, task.misfire_grace, task.retry, task.tags) == (
        "Asia/Seoul",
        60,
        Retry(max_retries=3),
        ("nightly",),
    )
    assert task.exclude == (date(2026, 12, 25),)
    assert describe(task) == "at 07:00 Asia/Seoul, except on 2026-12-25"
    assert task.model_fields_set == {"id", "at", "func", "misfire_grace"}


def test_a_value_that_is_the_default_of_the_field_counts_if_it_is_given() -> None:
    registry = registry_with(timezone="Asia/Seoul", run_immediately=False)
    task = registry.register(Task(id="a", every={"hours": 1}, func=work, timezone=None, run_immediately=True))
    assert (task.timezone, task.run_immediately) == (None, True)
    registry.tick()
    assert len(task.history) == 1


def test_the_schedule_follows_the_defaults() -> None:
    registry = registry_with(run_immediately=False)
    registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.tick()
    assert registry.idle_seconds() == 3600


def test_each_way_to_register_applies_them() -> None:
    registry = registry_with(timeout=5)
    registry.task(id="a", every={"hours": 1})(work)
    registry.store["b"] = Task(id="b", every={"hours": 1}, func=work)
    assert [task.timeout for task in registry] == [5, None]  # the dict is the registry's state: what it gets counts


@pytest.mark.parametrize("option", [{"after": ["b"]}, {"manual": True}])
def test_what_means_nothing_for_a_task_is_left_out(option: dict[str, Any]) -> None:
    limits: dict[str, Any] = {"start_at": START, "end_at": START, "exclude": ["2026-12-25"], "jitter": 5}
    registry = registry_with(timezone="Asia/Seoul", misfire_grace=300, run_immediately=False, timeout=5, **limits)
    task = registry.register(Task(id="a", func=work, **option))
    assert (task.timezone, task.misfire_grace, task.jitter, task.exclude, task.timeout) == (None, None, None, (), 5)
    assert task.run_immediately is ("manual" in option)


def test_excluded_dates_are_left_out_for_a_single_moment() -> None:
    registry = registry_with(exclude=["2026-12-25"])
    assert registry.register(Task(id="a", func=work, run_at=START)).exclude == ()


def test_tasks_that_are_registered_stay_as_they_are() -> None:
    registry = registry_with(timeout=5)
    first = registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.configure(defaults={"timeout": 6})
    second = registry.register(Task(id="b", every={"hours": 1}, func=work))
    registry.configure(defaults=None)
    third = registry.register(Task(id="c", every={"hours": 1}, func=work))
    assert [task.timeout for task in (first, second, third)] == [5, 6, None]
    assert registry.update("a", at="07:00", every=None).timeout == 5


def test_other_options_leave_them() -> None:
    registry = registry_with(timeout=5)
    registry.configure(max_running=3)
    assert registry.defaults == {"timeout": 5}
    registry.defaults["timeout"] = 6
    assert registry.defaults == {"timeout": 5}
    assert TaskRegistry(defaults={"retry": 2}).defaults == {"retry": Retry(max_retries=2)}
    assert TaskRegistry().defaults == {}


def test_a_task_that_is_refused_stays_as_it_was() -> None:
    registry = registry_with(timeout=5, tags=["x"])
    held = registry.register(Task(id="a", every={"hours": 1}, func=work))
    for task in (Task(id="a", every={"hours": 1}, func=work), Task(id="b", func=work)):
        before = dict(task.__dict__)
        with pytest.raises(ValueError, match=r"already registered|exactly one"):
            registry.register(task)
        assert (task.__dict__, task.timeout, task.tags) == (before, None, ())
    registry.configure(defaults={"timeout": 6})
    with pytest.raises(ValueError, match="already registered"):
        registry.register(held)
    other = registry_with(timeout=7)
    with pytest.raises(ValueError, match="belongs to another registry"):
        other.register(held)
    assert held.timeout == 5


def test_a_task_that_moves_to_another_registry_gets_its_defaults() -> None:
    registry = registry_with(timeout=5)
    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.remove("a")
    assert registry_with(timeout=6).register(task).timeout == 6


def test_a_task_that_moves_leaves_the_defaults_of_its_former_registry_there() -> None:
    limits: dict[str, Any] = {"timezone": "Asia/Seoul", "jitter": 60, "tags": ["x"], "run_immediately": False}
    for other in (TaskRegistry(), registry_with(timeout=6)):
        registry = registry_with(timeout=5, retry=2, **limits)
        task = registry.register(Task(id="a", every={"hours": 1}, func=work, retry=1))
        registry.remove("a")
        assert (task.timeout, task.timezone) == (5, "Asia/Seoul")  # its recorded moments stay in their zone
        other.register(task)
        assert (task.timezone, task.jitter, task.tags, task.run_immediately) == (None, None, (), True)
        assert (task.timeout, task.retry) == (other.defaults.get("timeout"), Retry(max_retries=1))
        assert task.model_fields_set == {"id", "every", "func", "retry"}


def test_a_task_that_cannot_move_keeps_its_values() -> None:
    registry = registry_with(timeout=5)
    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.remove("a")
    other = TaskRegistry()
    other.register(Task(id="a", every={"hours": 1}, func=work))
    with pytest.raises(ValueError, match="already registered"):
        other.register(task)
    assert (task.timeout, "timeout" in task.model_fields_set) == (5, False)


LIMITS: dict[str, Any] = {"timezone": "Asia/Seoul", "misfire_grace": 60, "exclude": ["2026-12-25"], "jitter": 5}


@pytest.mark.parametrize("without", [{"after": ["x"]}, {"manual": True}])
def test_a_default_is_not_held_against_a_task_that_has_no_times_any_more(without: dict[str, Any]) -> None:
    registry = registry_with(**LIMITS, timeout=5, run_immediately=False)
    task = registry.register(Task(id="a", every={"minutes": 1}, func=work))
    registry.update("a", every=None, **without)
    assert (task.timezone, task.misfire_grace, task.exclude, task.jitter, task.timeout) == (None, None, (), None, 5)
    assert task.run_immediately is ("manual" in without)
    registry.update("a", timeout=6)


@pytest.mark.parametrize("without", [{"after": ["x"]}, {"manual": True}])
def test_a_task_that_has_times_again_gets_the_defaults_again(without: dict[str, Any]) -> None:
    registry = registry_with(**LIMITS, run_immediately=False)
    registry.register(Task(id="a", func=work, **without))
    with_times: dict[str, Any] = {"at": "07:00", **{name: False if name == "manual" else None for name in without}}
    for _ in range(2):
        task = registry.update("a", misfire_grace=30, **with_times)
        assert (task.timezone, task.misfire_grace, task.jitter, task.run_immediately) == ("Asia/Seoul", 30, 5, False)
        assert task.exclude == (date(2026, 12, 25),)
        assert "timezone" not in task.model_fields_set
        registry.update("a", at=None, misfire_grace=None, **without)
        assert task.timezone is None
        assert not task.exclude


def test_a_default_is_filled_in_again_only_where_it_has_meant_nothing() -> None:
    registry = registry_with(timezone="Asia/Seoul")
    registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.configure(defaults={"timezone": "UTC", "timeout": 5})
    assert registry.update("a", every=None, at="07:00").timezone == "Asia/Seoul"
    registry.update("a", at=None, manual=True)
    task = registry.update("a", manual=False, at="07:00")
    assert (task.timezone, task.timeout) == ("UTC", None)


def test_what_the_task_or_the_change_says_is_still_held_against_it() -> None:
    registry = registry_with(timezone="Asia/Seoul", misfire_grace=60)
    registry.register(Task(id="a", every={"hours": 1}, func=work, timezone="UTC"))
    said: list[tuple[dict[str, Any], str]] = [
        ({}, "timezone"),
        ({"timezone": None, "misfire_grace": 60}, "misfire_grace"),
    ]
    for changes, name in said:
        with pytest.raises(ValueError, match=f": {name} would mean nothing, leave it out"):
            registry.update("a", every=None, after=["x"], **changes)
    task = registry["a"]
    assert (task.every, task.timezone, task.misfire_grace) == ({"hours": 1}, "UTC", 60)


def test_a_task_that_says_a_default_itself_may_lose_it() -> None:
    """As one does that was read from JSON or from a backend: it says all that it has."""
    registry = registry_with(timezone="Asia/Seoul")
    registry.register(Task(id="a", every={"hours": 1}, func=work, timezone="Asia/Seoul"))
    assert registry.update("a", every=None, after=["x"]).timezone is None
    assert registry.update("a", every={"hours": 1}, after=None).timezone == "Asia/Seoul"


def test_a_default_that_contradicts_a_change_is_an_error() -> None:
    registry = registry_with(jitter=60)
    registry.register(Task(id="a", manual=True, func=work))
    with pytest.raises(ValueError, match="does not fit the defaults of the registry: jitter must be"):
        registry.update("a", manual=False, every={"seconds": 10})
    assert (registry["a"].manual, registry["a"].jitter) == (True, None)


@pytest.mark.parametrize(
    ("fields", "defaults", "text"),
    [
        (
            {"every": {"seconds": 10}},
            {"jitter": 60},
            "task 'a' does not fit the defaults of the registry: jitter must be less than the 10 s between slots, got "
            "60; give it a value of its own, or None",
        ),
        (
            {"at": "07:00", "start_at": "2027-01-01"},
            {"end_at": "2026-12-31"},
            "task 'a' does not fit the defaults of the registry: end_at must not lie before start_at, got 2026-12-31 "
            "00:00:00 and 2027-01-01 00:00:00; give it a value of its own, or None",
        ),
    ],
)
def test_a_default_that_contradicts_a_task_is_an_error(
    fields: dict[str, Any], defaults: dict[str, Any], text: str
) -> None:
    registry = registry_with(**defaults)
    with pytest.raises(ValueError, match=re.escape(text)):
        registry.register(Task(id="a", func=work, **fields))
    given: dict[str, Any] = fields | dict.fromkeys(defaults)
    registry.register(Task(id="a", func=work, **given))


@pytest.mark.parametrize(
    ("defaults", "error", "text"),
    [
        ({"timezon": "UTC"}, ValueError, "defaults cannot have 'timezon': no such default (did you mean 'timezone'?);"),
        (
            {"func": print},
            ValueError,
            "defaults cannot have 'func': each task has its own; defaults can be: timezone, ",
        ),
        ({"every": {"hours": 1}}, ValueError, "defaults cannot have 'every': each task has its own"),
        ({"status": "failed"}, ValueError, "defaults cannot have 'status': each task has its own"),
        ({1: 2}, ValueError, "defaults cannot have 1: no such default"),
        ({"misfire_grace": -1}, ValueError, "defaults: misfire_grace: misfire_grace must be a number of seconds"),
        ({"timeout": 0, "retry": "x"}, ValueError, "defaults: timeout: timeout must be"),
        ({"start_at": "2027-01-01", "end_at": "2026-01-01"}, ValueError, "end_at must not lie before start_at"),
        ([("timeout", 5)], TypeError, "defaults must be a dict of fields of tasks such as {'timezone': 'Asia/Seoul'}"),
    ],
)
def test_impossible_defaults_are_refused_at_once(defaults: Any, error: type[Exception], text: str) -> None:
    registry = registry_with(timeout=5)
    with pytest.raises(error, match=re.escape(text)):
        registry.configure(defaults=defaults)
    with pytest.raises(error, match=re.escape(text)):
        TaskRegistry(defaults=defaults)
    assert registry.defaults == {"timeout": 5}


def test_each_default_is_a_field_that_is_neither_state_nor_schedule() -> None:
    assert set(ALLOWED) < Task.model_fields.keys()
