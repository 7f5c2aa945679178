"""Wall time to UTC and back, in zones that change their clocks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.local_time import first_instant, from_utc, to_utc, to_wall
from est_alan_scheduler.calendar.zones import LOCAL

ZONES = (
    "UTC",
    "Asia/Seoul",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "America/Nuuk",
    "Pacific/Apia",
)


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("America/New_York", datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 17)),
        ("America/New_York", datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 16)),
        ("America/New_York", datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 1, 5, 30)),
        ("America/New_York", datetime(2026, 11, 1, 1, 30, fold=1), datetime(2026, 11, 1, 6, 30)),
        ("Australia/Lord_Howe", datetime(2026, 1, 1, 11), datetime(2026, 1, 1)),
        ("Asia/Seoul", datetime(2026, 1, 1, 9), datetime(2026, 1, 1)),
    ],
)
def test_wall_time_and_utc_convert_both_ways(
    set_zone: Callable[[str], None], zone: str, wall: datetime, utc: datetime
) -> None:
    set_zone(zone)
    assert to_utc(wall) == utc
    back = from_utc(utc)
    assert (back, back.fold) == (wall, wall.fold)


@pytest.mark.parametrize("zone", ZONES)
def test_conversions_agree_with_zoneinfo(set_zone: Callable[[str], None], zone: str) -> None:
    set_zone(zone)
    local = ZoneInfo(zone)

    @given(st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)))
    def agree(utc: datetime) -> None:
        wall = utc.replace(tzinfo=UTC).astimezone(local).replace(tzinfo=None)
        assert (from_utc(utc), from_utc(utc).fold) == (wall, wall.fold)
        assert to_utc(wall) == utc

    agree()


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("America/New_York", datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 7)),  # 02:00 to 03:00 is skipped
        ("America/New_York", datetime(2026, 3, 8, 2), datetime(2026, 3, 8, 7)),
        ("America/New_York", datetime(2026, 3, 8, 3), datetime(2026, 3, 8, 7)),
        ("America/New_York", datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 1, 5, 30)),  # comes twice
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, 15), datetime(2026, 10, 3, 15, 30)),  # half an hour is skipped
        ("America/Nuuk", datetime(2025, 3, 29, 23, 30), datetime(2025, 3, 30, 1)),  # the gap ends at midnight
        ("Pacific/Apia", datetime(2011, 12, 30, 12), None),  # a whole day is skipped
        ("Pacific/Apia", datetime(2011, 12, 31), datetime(2011, 12, 30, 10)),
    ],
)
def test_a_wall_time_has_one_first_instant_or_none(
    set_zone: Callable[[str], None], zone: str, wall: datetime, utc: datetime | None
) -> None:
    set_zone(zone)
    assert first_instant(wall) == utc


def test_conversions_follow_a_change_of_the_machine_zone(set_zone: Callable[[str], None]) -> None:
    noon = datetime(2026, 1, 1, 12)
    set_zone("Asia/Seoul")
    assert to_utc(noon) == datetime(2026, 1, 1, 3)
    set_zone("America/New_York")
    assert to_utc(noon) == datetime(2026, 1, 1, 17)


def test_an_aware_moment_converts_to_local_time(set_zone: Callable[[str], None]) -> None:
    set_zone("Asia/Seoul")
    aware = datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert to_wall(aware) == datetime(2026, 1, 1, 12)
    assert to_utc(aware) == datetime(2026, 1, 1, 3)


def test_an_aware_moment_agrees_with_a_frozen_clock(set_zone: Callable[[str], None]) -> None:
    set_zone("Asia/Seoul")
    with freeze_time("2026-01-01 12:00"):
        assert to_wall(datetime(2026, 1, 1, 12, tzinfo=UTC)) == datetime.now()


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
def test_the_ends_of_the_calendar_convert_without_overflow(set_zone: Callable[[str], None], zone: str) -> None:
    set_zone(zone)
    for end in (datetime.min, datetime.max):
        assert abs(to_utc(end) - end) < timedelta(days=1)
        assert abs(to_wall(end.replace(tzinfo=UTC)) - end) < timedelta(days=1)


def test_the_cache_of_offsets_is_bounded(set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")
    for days in range(10_000):
        moment = datetime(1990, 1, 1) + timedelta(days=days)
        assert to_utc(moment) == moment
    assert 0 < len(LOCAL._days) <= 4096
