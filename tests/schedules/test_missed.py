"""The number of slots that a run makes up for."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task
from est_alan_scheduler.schedules.due import keep_schedule
from est_alan_scheduler.schedules.missed import MOST_COUNTED, coalesced
from tests.frozen import work

NOON = datetime(2026, 6, 1, 12)
MINUTE = timedelta(minutes=1)


def task(**fields: Any) -> Task:
    return Task(id="a", func=work, **fields)


@pytest.mark.parametrize(
    ("fields", "later", "slots"),
    [
        ({"every": {"minutes": 10}}, timedelta(minutes=10), 0),
        ({"every": {"minutes": 10}}, timedelta(minutes=59), 4),
        ({"every": {"minutes": 10}, "exclude": ["2026-06-02"]}, timedelta(days=2), 144 - 1),
        ({"every": {"minutes": 10}, "end_at": "2026-06-01T12:30"}, timedelta(days=2), 2),
        ({"every": {"minutes": 10}, "start_at": "2026-06-01T13:05"}, timedelta(hours=2), 5),
        ({"every": {"minutes": 10}, "jitter": 30, "timezone": "Asia/Seoul"}, timedelta(hours=1), 5),
        ({"at": "11:00"}, timedelta(days=3), 2),
        ({"run_at": "2026-06-01T13:00"}, timedelta(days=3), 0),
        ({"manual": True}, timedelta(days=3), 0),
        ({"after": ["b"]}, timedelta(days=3), 0),
        ({"at": ["11:00", "13:00"], "on": "mon-fri"}, timedelta(days=7), 9),
        ({"every": {"minutes": 10}, "max_runs": 9}, timedelta(hours=1), 5),
        ({"cron": "* * * * *"}, timedelta(days=365), 365 * 1440 - 1),
        ({"cron": "*/10 * * * * *"}, timedelta(minutes=2, seconds=5), 11),
        ({"cron": "0 9-17 * * 1-5"}, timedelta(days=7), 44),
        ({"cron": "*/5 9-17 * * *"}, timedelta(days=365), MOST_COUNTED),
    ],
)
def test_the_slots_since_the_last_run_count_but_for_its_own(
    fields: dict[str, Any], later: timedelta, slots: int
) -> None:
    assert coalesced(task(first_run_at=NOON, last_run_at=NOON, **fields), NOON, NOON + later) == slots


def test_nothing_is_made_up_for_once_the_clock_went_back() -> None:
    assert coalesced(task(every={"minutes": 1}, last_run_at=NOON), NOON, NOON - timedelta(hours=1)) == 0


def test_a_task_without_a_schedule_makes_up_for_nothing() -> None:
    one = task(every={"minutes": 1})
    one.every = None
    assert coalesced(one, NOON, NOON + timedelta(days=1)) == 0


SCHEDULES = st.sampled_from(
    [
        {"every": {"minutes": 7}},
        {"every": {"hours": 5}},
        {"cron": "* * * * *"},
        {"cron": "*/7 * * * *"},
        {"cron": "13 * * * *"},
        {"cron": "*/20 */2 * * * *"},
        {"cron": "0,30 2 * * *"},
        {"cron": "5 0-23 * * *"},
    ]
)
ZONES = st.sampled_from([None, "Europe/Berlin", "America/New_York", "Asia/Seoul", "Asia/Kathmandu"])


@pytest.mark.zone
@given(
    fields=SCHEDULES,
    zone=ZONES,
    start=st.datetimes(datetime(2026, 3, 7), datetime(2026, 3, 30))
    | st.datetimes(datetime(2026, 10, 24), datetime(2026, 11, 2)),
    later=st.timedeltas(timedelta(0), timedelta(hours=9)),
)
def test_a_number_that_is_worked_out_is_that_of_the_slots(
    fields: dict[str, Any], zone: str | None, start: datetime, later: timedelta
) -> None:
    one = task(**fields, timezone=zone, first_run_at=start, last_run_at=start)
    schedule = keep_schedule(one)
    assert schedule is not None
    base, here = schedule.instant(start), schedule.instant(start) + later
    grid = schedule.grid_of(one, here)
    number, slot = 0, grid.after(base)
    while slot is not None and slot <= here:
        number, slot = number + 1, grid.after(slot)
    assert grid.number(base, here) in (None, number)
