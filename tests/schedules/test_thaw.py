"""Moments that a registry has read from a frozen clock, once the clock goes on."""

import copy
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Task, TaskRegistry, next_run, simulate
from est_alan_scheduler.backends import MemoryBackend
from tests.frozen import boom, work

START = "2020-01-01 12:00"
ZONES = (None, "Asia/Seoul")
OPTIONS: dict[str, dict[str, Any]] = {
    "at": {"at": "07:00"},
    "at on": {"at": "07:00", "on": "weekdays"},
    "cron": {"cron": "0 7 * * *"},
    "every": {"every": {"hours": 1}},
    "window": {"every": {"hours": 1}, "start_at": "2020-01-01 00:00", "jitter": 5, "exclude": ["2020-01-04"]},
    "grace": {"at": "07:00", "misfire_grace": 60},
    "run_at": {"run_at": "2020-01-01 07:00"},
}
LOOKS: dict[str, Callable[[TaskRegistry], object]] = {
    "why_not": lambda registry: registry.why_not("a"),
    "next_run": lambda registry: registry.next_run("a"),
    "next_run of the task": lambda registry: next_run(registry["a"], datetime.now()),
    "upcoming": lambda registry: list(registry.upcoming(limit=3)),
    "simulate": lambda registry: list(simulate(registry, datetime.now(), datetime.now() + timedelta(days=2)))[:3],
    "tick": lambda registry: registry.tick(),
    "idle": lambda registry: registry.idle_seconds(),
    "table": lambda registry: registry.table(),
    "repr": lambda registry: repr(registry["a"]),
    "JSON": lambda registry: Task.model_validate_json(registry["a"].model_dump_json()),
    "copies": lambda registry: (registry["a"].model_copy(), copy.deepcopy(registry["a"])),
    "pickle": lambda registry: pickle.loads(pickle.dumps(registry["a"])),
    "history": lambda registry: registry.history("a", since=datetime(2020, 1, 1)),
    "update": lambda registry: registry.update("a", description="later", misfire_grace=5),
    "zone": lambda registry: registry.update("a", timezone="Europe/Berlin"),
    "replace": lambda registry: registry.register(Task(id="a", at="08:00", func=work), replace=True),
    "configure": lambda registry: registry.configure(backend=MemoryBackend()),
}


@pytest.mark.zone
@pytest.mark.parametrize("history", ["new", "has run", "has failed"])
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("option", OPTIONS)
def test_a_task_of_frozen_time_is_looked_at_and_run_later(option: str, zone: str | None, history: str) -> None:
    broken = {}
    for name, look in LOOKS.items():
        with freeze_time(START, tz_offset=3):
            registry = TaskRegistry()
            func = boom if history == "has failed" else work
            fields = {"func": func, "run_immediately": history != "new", "timezone": zone, **OPTIONS[option]}
            registry.register(Task(id="a", **fields))
            registry.tick()
        try:
            look(registry)
        except IndexError as error:  # what freezegun raises once its clock is gone
            broken[name] = error
    assert broken == {}


def test_the_moment_of_registration_is_a_time_of_this_machine_later() -> None:
    with freeze_time("2999-01-01 12:00"):
        registry = TaskRegistry()
        registry.register(Task(id="a", at="07:00", timezone="Asia/Seoul", run_immediately=False, func=work))
    seoul = ZoneInfo("Asia/Seoul")
    registered = datetime(2999, 1, 1, 12).astimezone(seoul)
    seven = datetime(registered.year, registered.month, registered.day, 7, tzinfo=seoul)
    due = seven if seven > registered else seven + timedelta(days=1)
    assert registry.why_not("a").partition(" s at ")[2] == str(due)
