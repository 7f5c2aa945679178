"""Kinds of schedules: one table, from which all that is known of the schedule options is derived."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import describe
from est_alan_scheduler.calendar.zones import LOCAL
from est_alan_scheduler.schedules.due import next_run
from est_alan_scheduler.schedules.kinds.table import KINDS, options_of, read_schedule
from est_alan_scheduler.schedules.schedule import Kind
from est_alan_scheduler.task import ARMING, OPTION_NAMES, OPTIONS, SCHEDULING, Task
from tests.twin import Clock, ClockedRegistry

NOON = datetime(2026, 6, 1, 12)

VALUES: dict[str, tuple[Any, Any]] = {
    "every": ({"minutes": 5}, {"minutes": 7}),
    "at": ("13:00", "14:00"),
    "run_at": (NOON + timedelta(hours=1), NOON + timedelta(hours=2)),
    "cron": ("0 13 * * *", "0 14 * * *"),
    "after": (["a"], ["a", "b"]),
    "manual": (True, False),
    "timezone": ("Asia/Seoul", "America/New_York"),
    "start_at": (NOON + timedelta(days=1), NOON + timedelta(days=2)),
    "end_at": (NOON + timedelta(days=3), NOON + timedelta(minutes=1)),
    "exclude": ((date(2026, 6, 1),), (date(2026, 6, 1), date(2026, 6, 2))),
    "jitter": (60.0, 6_000.0),
    "misfire_grace": (60.0, 6_000.0),
    "run_immediately": (False, True),
    "on": ("mon-fri", "1,15"),
    "max_runs": (3, 1),
}
"""Two values of each field that a schedule is made of: another test says when one is missing."""


class Spied(dict[str, Any]):
    """Fields that note which of them are read."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


class Spy:
    """A task that notes which of its fields are read."""

    def __init__(self, task: Task) -> None:
        self.__dict__ = Spied(task.__dict__)

    def __getattribute__(self, name: str) -> Any:
        fields = super().__getattribute__("__dict__")
        if name == "__dict__":
            return fields
        return fields.get(name, Task.rare_defaults[name]) if name in Task.rare_defaults else fields[name]


def tasks() -> Iterator[Task]:
    for option in OPTIONS:
        around = {name: values[0] for name, values in VALUES.items() if name not in {*OPTIONS, "on"}}
        around |= {"on": VALUES["on"][0]} if option == "at" else {}
        yield Task(func=print, **{option: VALUES[option][0]})
        yield Task(func=print, **{option: VALUES[option][0]}, **around)


def test_each_option_of_a_task_has_its_kind_in_the_table() -> None:
    assert list(KINDS) == list(OPTIONS) == OPTION_NAMES.split(" / ")
    for kind in KINDS.values():
        assert issubclass(kind, Kind)
        for method in ("of", "describe"):
            assert method in vars(kind)


def test_each_option_makes_a_schedule_of_its_kind_in_words_and_moments() -> None:
    for task in tasks():
        schedule = read_schedule(task)
        assert schedule is not None
        (option,) = options_of(task)
        assert type(schedule.kind) is KINDS[option]
        assert describe(task).startswith(KINDS[option].describe(getattr(task, option), ""))
        next_run(task, NOON)
        assert OPTIONS[option].shortest_gap(task.__dict__) > 0
        assert KINDS[option].of(getattr(task, option), LOCAL).zone is LOCAL


def test_a_schedule_is_made_of_marked_fields_alone() -> None:
    read = set()
    for task in tasks():
        spy: Any = Spy(task)
        read_schedule(spy)
        read |= spy.__dict__.read
    assert read - {"id"} == SCHEDULING == VALUES.keys()


def test_marks_are_read_in_the_order_of_the_fields() -> None:
    assert list(OPTIONS) == [name for name in Task.model_fields if name in OPTIONS]
    assert {*OPTIONS, "timezone", "start_at", "on"} == ARMING


@pytest.mark.parametrize("name", sorted(VALUES))
def test_an_assignment_to_each_field_changes_the_schedule_that_is_kept(name: str) -> None:
    registry = ClockedRegistry(Clock(NOON))
    before, after = VALUES[name]
    option = {} if name in OPTIONS else {"at": "15:00"} if name == "on" else {"cron": "0 15 * * *"}
    fields: dict[str, Any] = {"func": print, name: before} | option
    task = registry.register(Task(**fields))
    registry.tick()
    assert task._entry.schedule is not None
    setattr(task, name, after)
    assert task._entry.schedule is None
    later = NOON + timedelta(hours=1)
    assert next_run(task, later) == next_run(task.model_copy(), later)
