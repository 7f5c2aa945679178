"""The axis of time: true to elapsed time, with ticks at wall times, across changes of the clock."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.web.page.drawing.axis import SCALES, Axis

ZONES = ("Australia/Lord_Howe", "America/New_York", "Europe/Dublin", "Asia/Seoul", "America/Havana", "Pacific/Apia")
HOUR = timedelta(hours=1)


def axis(start: str, hours: float, zone: str) -> Axis:
    begin = named(zone).to_utc(datetime.fromisoformat(start))
    return Axis(begin, begin + hours * HOUR, named(zone))


def walls(axis: Axis, span: str, level: int = 1) -> list[str]:
    return [f"{tick.wall:%d %H:%M}" for tick in axis.ticks(SCALES[span]) if tick.level >= level]


def test_an_hour_has_labels_every_ten_minutes_and_half_hours_where_there_is_little_room() -> None:
    hour = axis("2026-03-01 12:03", 1, "Asia/Seoul")
    assert walls(hour, "hour") == ["01 12:10", "01 12:20", "01 12:30", "01 12:40", "01 12:50", "01 13:00"]
    assert walls(hour, "hour", 2) == ["01 12:30", "01 13:00"]
    assert len(walls(hour, "hour", 0)) == 12


def test_a_day_has_labels_every_three_hours() -> None:
    day = axis("2026-03-01 20:30", 12, "UTC")
    assert walls(day, "day") == ["01 21:00", "02 00:00", "02 03:00", "02 06:00"]
    assert walls(day, "day", 2) == ["02 00:00"]
    assert [f"{tick.wall:%d %H:%M}" for tick in day.ticks(SCALES["day"]) if tick.is_day] == ["02 00:00"]


def test_a_week_has_a_label_for_each_day_and_for_every_third_one_where_there_is_little_room() -> None:
    week = axis("2026-03-01 12:00", 24 * 4, "UTC")
    assert walls(week, "week") == ["02 00:00", "03 00:00", "04 00:00", "05 00:00"]
    assert walls(week, "week", 2) == ["02 00:00", "05 00:00"]


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Europe/Dublin", "2026-03-29", 23),
        ("Europe/Dublin", "2026-10-25", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Seoul", "2026-03-08", 24),
    ],
)
def test_a_day_is_as_long_as_it_lasts(zone: str, date: str, hours: float) -> None:
    days = [tick for tick in axis(date, 30, zone).ticks(SCALES["day"]) if tick.is_day]
    assert days[1].at - days[0].at == hours * HOUR


def test_a_skipped_hour_has_no_tick() -> None:
    ticks = axis("2026-03-08 00:00", 4, "America/New_York").ticks(SCALES["day"])
    assert [f"{tick.wall:%H:%M}" for tick in ticks] == ["00:00", "01:00", "03:00", "04:00", "05:00"]


def test_a_repeated_hour_has_two_ticks() -> None:
    ticks = axis("2026-11-01 00:00", 4, "America/New_York").ticks(SCALES["day"])
    assert [f"{tick.wall:%H:%M}" for tick in ticks] == ["00:00", "01:00", "01:00", "02:00", "03:00"]


def test_a_day_that_begins_late_begins_where_it_begins() -> None:
    days = [tick for tick in axis("2026-03-07 12:00", 24, "America/Havana").ticks(SCALES["day"]) if tick.is_day]
    assert [f"{tick.wall:%d %H:%M}" for tick in days] == ["08 01:00"]  # 00:00 to 01:00 is skipped


def test_a_date_that_does_not_exist_has_no_tick() -> None:
    days = [tick for tick in axis("2011-12-29 00:00", 72, "Pacific/Apia").ticks(SCALES["week"]) if tick.is_day]
    assert [f"{tick.wall:%d}" for tick in days] == ["29", "31", "01", "02"]


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("America/New_York", "2026-03-01", [("2026-03-08 07:00", HOUR, "03:00")]),
        ("America/New_York", "2026-10-27", [("2026-11-01 06:00", -HOUR, "01:00")]),
        ("Australia/Lord_Howe", "2026-10-01", [("2026-10-03 15:30", HOUR / 2, "02:30")]),
        ("Asia/Seoul", "2026-03-01", []),
    ],
)
def test_changes_of_the_clock(zone: str, start: str, expected: list[tuple[str, timedelta, str]]) -> None:
    changes = axis(start, 24 * 10, zone).changes()
    assert [(f"{one.at:%Y-%m-%d %H:%M}", one.shift, f"{one.wall:%H:%M}") for one in changes] == expected


@given(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 20)),
    st.sampled_from(ZONES),
    st.sampled_from(sorted(SCALES)),
    st.integers(1, 14 * 24 * 60),
)
def test_ticks_and_changes_lie_on_the_axis_in_order(start: datetime, zone: str, span: str, minutes: int) -> None:
    if span == "hour":
        minutes %= 120
    drawn = Axis(start, start + timedelta(minutes=minutes + 1), named(zone))
    for found in (drawn.ticks(SCALES[span]), drawn.changes()):
        moments = [one.at for one in found]
        assert moments == sorted(set(moments))
        assert all(drawn.contains(at) and 0 <= drawn.place(at) <= 100 for at in moments)


@given(st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)), st.sampled_from(ZONES))
def test_a_tick_is_at_the_wall_time_that_it_shows(start: datetime, zone: str) -> None:
    drawn = Axis(start, start + timedelta(days=2), named(zone))
    for tick in drawn.ticks(SCALES["day"]):
        assert named(zone).from_utc(tick.at).replace(fold=0) == tick.wall
    assert sum(tick.is_day for tick in drawn.ticks(SCALES["day"])) in (1, 2, 3)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2001, 1, 1)), st.datetimes())
def test_every_moment_has_a_place(start: datetime, at: datetime) -> None:
    assert 0 <= Axis(start, start + HOUR, named("UTC")).place(at) <= 100
