"""Excluded dates where the clock is changed around midnight, against a scan of every minute."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import combinations, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from est_alan_scheduler import Task
from est_alan_scheduler.calendar.zones import LOCAL
from est_alan_scheduler.schedules.due import due_moment, misfire, next_run

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# Clock changes around midnight, in UTC.
CHANGES = [
    ("America/Nuuk", datetime(2026, 3, 29, 1)),  # a gap from 23:00 to midnight
    ("Asia/Pyongyang", datetime(2018, 5, 4, 15)),  # from 23:30 to midnight
    ("Asia/Riyadh", datetime(1947, 3, 13, 20, 53, 8)),  # from 23:59:60 of its mean time, by seconds
    ("America/Santiago", datetime(2026, 9, 6, 4)),  # from midnight to 01:00
    ("America/Nuuk", datetime(2026, 10, 25, 1)),  # from midnight back to 23:00
    ("America/St_Johns", datetime(2009, 11, 1, 2, 31)),  # from 00:01 back to 23:01
    ("Antarctica/Casey", datetime(2010, 3, 4, 15)),  # from 02:00 back to 23:00
    ("America/Havana", datetime(2026, 11, 1, 5)),  # from 01:00 back to midnight
    ("Pacific/Apia", datetime(2011, 12, 30, 10)),  # a date that does not exist
    ("Pacific/Kwajalein", datetime(1993, 8, 21, 12)),  # another one
    ("America/New_York", datetime(2026, 3, 8, 7)),
]
TIMES = [["23:30"], ["00:00"], ["00:30"], ["23:00", "00:00"], ["00:30", "23:45"], ["01:15"]]


Walls = list[tuple[datetime, datetime]]


@cache
def walls_of(zone: str, change: datetime) -> Walls:
    """Return each minute of some days around a change, in UTC and as its wall time, seconds left out."""
    begin, offset = change.replace(second=0) - 2 * DAY, ZoneInfo(zone)
    walls = []
    for number in range(4 * 24 * 60):
        utc = begin + number * MINUTE
        wall = utc.replace(tzinfo=UTC).astimezone(offset).replace(tzinfo=None)
        walls.append((utc - timedelta(seconds=wall.second), wall.replace(second=0)))
    return walls


@cache
def first_instant(zone: str, change: datetime, wanted: datetime) -> datetime | None:
    """Return when a wall time first comes, or when the clock jumps over it."""
    walls = walls_of(zone, change)
    exact = [utc for utc, wall in walls if wall == wanted]
    jumps = [late[0] for early, late in pairwise(walls) if early[1] < wanted < late[1]]
    return next(iter(exact or jumps), None)


def expected_slots(zone: str, change: datetime, times: list[str], excluded: tuple[date, ...]) -> list[datetime]:
    """Return when each of some times of day first comes on each date that exists and is not excluded."""
    dates = {wall.date() for _, wall in walls_of(zone, change)} - set(excluded)
    walls = [datetime.fromisoformat(f"{day} {time}") for day in dates for time in times]
    return sorted({found for wall in walls if (found := first_instant(zone, change, wall))})


def slots(task: Task, begin: datetime, end: datetime) -> list[datetime]:
    """Return the slots between two moments, as `next_run` gives them."""
    found, after = list[datetime](), begin.replace(tzinfo=UTC)
    while (moment := next_run(task, after)) is not None and moment.astimezone(UTC).replace(tzinfo=None) < end:
        found.append(moment.astimezone(UTC).replace(tzinfo=None))
        after = moment
    return found


def as_fields(times: list[str]) -> list[dict[str, Any]]:
    """Return the schedules with these times of day: by `at` if there is one, and by `cron`."""
    hours, minutes = zip(*((int(time[:2]), int(time[3:])) for time in times), strict=True)
    fields: list[dict[str, Any]] = [{"at": times}, {"at": times, "on": "mon-sun"}]
    if len(set(minutes)) == 1:
        fields.append({"cron": f"{minutes[0]} {','.join(map(str, hours))} * * *"})
    return fields


def exclusions(walls: Walls) -> list[tuple[date, ...]]:
    """Return choices of excluded dates around the middle."""
    dates = sorted({wall.date() for _, wall in walls})[1:-1]
    return [(), *((day,) for day in dates), *combinations(dates, 2)]


@pytest.fixture(autouse=True)
def needs_cronsim() -> None:
    pytest.importorskip("cronsim")


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize("times", TIMES, ids="-".join)
def test_the_date_of_a_slot_is_that_of_the_wall_time_asked_for(zone: str, change: datetime, times: list[str]) -> None:
    walls = walls_of(zone, change)
    begin, end = walls[0][0] + DAY, walls[-1][0] - DAY
    for excluded in exclusions(walls):
        expected = [slot for slot in expected_slots(zone, change, times, excluded) if begin < slot < end]
        for fields in as_fields(times):
            task = Task(func=list, timezone=zone, exclude=excluded, **fields)
            assert slots(task, begin, end) == expected, (fields, excluded)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize("fields", [{"every": {"minutes": 20}}, {"cron": "*/20 * * * *"}], ids=str)
def test_elapsed_time_has_slots_at_every_moment_that_is_not_on_an_excluded_date(
    zone: str, change: datetime, fields: dict[str, Any]
) -> None:
    walls = walls_of(zone, change)
    begin, end = walls[0][0] + DAY, walls[-1][0] - DAY
    if "every" in fields:
        fields = {**fields, "start_at": begin.replace(tzinfo=UTC) - DAY}
    all_slots = slots(Task(func=list, timezone=zone, **fields), begin, end)
    assert len(all_slots) > 100
    for excluded in exclusions(walls):
        task = Task(func=list, timezone=zone, exclude=excluded, **fields)
        shown = ((slot, slot.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()) for slot in all_slots)
        assert slots(task, begin, end) == [slot for slot, day in shown if day not in excluded], excluded


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(
    "fields",
    [
        {"at": "23:30"},
        {"at": "00:30"},
        {"at": ["00:30", "12:00", "23:30"], "on": "1-31"},
        {"cron": "0 23,0 * * *"},
        {"cron": "*/20 * * * *"},
        {"every": {"minutes": 20}},
    ],
    ids=str,
)
def test_the_latest_slot_before_a_moment_is_on_no_excluded_date(
    set_zone: Callable[[str], None], zone: str, change: datetime, fields: dict[str, Any]
) -> None:
    set_zone("UTC")
    walls = walls_of(zone, change)
    begin, end = walls[0][0] + DAY, walls[-1][0] - DAY
    if "every" in fields:
        fields = {**fields, "start_at": begin.replace(tzinfo=UTC) - DAY}
    for excluded in exclusions(walls):
        since = begin.replace(tzinfo=UTC)
        task = Task(func=list, timezone=zone, exclude=excluded, misfire_grace=1, last_run_at=since, **fields)
        expected = slots(task, begin, end)
        for now in (
            begin + number * 47 * MINUTE + timedelta(seconds=40) for number in range((end - begin) // MINUTE // 47)
        ):
            come = [slot for slot in expected if slot <= now]
            if "at" in fields and (not come or due_moment(task, now) != come[0]):
                continue  # a slot of `at` counts on its day only
            missed = misfire(task, now)
            found = None if missed is None else missed.slot.astimezone(UTC).replace(tzinfo=None)
            assert found == (come[-1] if come else None), (now, excluded)


@pytest.mark.parametrize(("zone", "change"), CHANGES[5:7])
def test_a_first_run_comes_when_an_excluded_date_is_left_though_it_comes_back(
    set_zone: Callable[[str], None], zone: str, change: datetime
) -> None:
    set_zone(zone)
    now = LOCAL.from_utc(change - timedelta(seconds=30))  # on a date that is left by the change, for the day before
    task = Task(func=list, every={"hours": 1}, exclude=(now.date(),))
    assert due_moment(task, now) == change


def test_the_jitter_of_a_first_run_that_an_excluded_date_delays_is_the_same_whenever_it_is_planned() -> None:
    noon = datetime(2026, 6, 1, 12)
    task = Task(id="a", func=list, every={"minutes": 7}, exclude=(noon.date(),), jitter=50)
    planned = {due_moment(task, noon + timedelta(seconds=30) * number) for number in range(14)}
    assert len(planned) == 1


@pytest.mark.parametrize("limit", ["start_at", "end_at"])
def test_limits_within_a_gap_over_midnight_count_alike_for_at_and_cron(limit: str) -> None:
    # The gap from 23:00 to midnight ends at 01:00 UTC: so do all slots and limits within it.
    gap = datetime(2026, 3, 29, 1)
    for minute in range(0, 60, 10):
        found = {}
        for name, value in (("at", "23:30"), ("cron", "30 23 * * *")):
            fields: dict[str, Any] = {name: value, limit: datetime(2026, 3, 28, 23, minute)}
            found[name] = slots(Task(func=list, timezone="America/Nuuk", **fields), gap - 2 * DAY, gap + DAY)
        assert found["at"] == found["cron"]
        assert gap in found["at"]
