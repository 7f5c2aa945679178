"""The drawing of the timeline: everything lies within the box, whatever is drawn."""

import re
from datetime import datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.web.page.drawing.axis import SCALES, Axis
from est_alan_scheduler.web.page.drawing.timeline import (
    Band,
    Bar,
    Lane,
    SlotTick,
    axis_drawing,
    grid_drawing,
    lane_drawing,
    shift_text,
)

ZONES = ("Australia/Lord_Howe", "America/New_York", "Europe/Dublin", "Asia/Seoul")
NOON = datetime(2026, 3, 2, 12)
HOUR = timedelta(hours=1)
AXIS = Axis(NOON, NOON + HOUR, named("UTC"))


def percents(drawing: Markup) -> list[float]:
    return [float(text) for text in re.findall(r'(?:x|x1|x2|width)="([-\d.e]+)%"', drawing)]


def test_a_lane_is_a_link_with_bars_ticks_and_bands() -> None:
    lane = Lane(
        "task?id=a",
        [Bar(NOON, NOON + HOUR / 4, "failed", "boom")],
        [SlotTick(NOON + HOUR / 2, "moved", "half past")],
        [Band(NOON + 0.75 * HOUR, NOON + HOUR, "many")],
        "12 slots",
    )
    assert lane_drawing(lane, AXIS) == (
        '<svg class="lane" width="100%" height="28" aria-hidden="true"><a href="task?id=a" tabindex="-1">'
        '<rect class="band" x="75%" width="25%"><title>many</title></rect>'
        '<rect class="slot" x="50%"><title>half past</title></rect>'
        '<use href="#mark-moved" x="50%"><title>half past</title></use>'
        '<rect class="bar failed" x="0%" width="25%"><title>boom</title></rect>'
        '<use href="#mark-failed" x="0%"/>'
        '<text class="count" x="75%" y="25" dx="4">12 slots</text>'
        "</a></svg>"
    )


def test_a_time_whose_runs_are_not_known_lies_behind_all() -> None:
    lane = Lane("", [Bar(NOON + HOUR / 2, NOON + HOUR, "success", "")], gap=Band(NOON, NOON + HOUR / 2, "not kept"))
    assert re.findall(r'class="(gap|bar success)" x="([\d.]+)%" width="([\d.]+)%"', lane_drawing(lane, AXIS)) == [
        ("gap", "0", "50"),
        ("bar success", "50", "50"),
    ]


def test_a_run_of_no_time_can_be_seen() -> None:
    for at in (NOON, NOON + HOUR / 2, NOON + HOUR):
        (width,) = re.findall(r'width="([\d.]+)%"><', lane_drawing(Lane("", [Bar(at, at, "success", "")]), AXIS))
        assert float(width) == 0.1


def test_hostile_texts_are_texts() -> None:
    bad = '</title><script>"&'
    drawing = lane_drawing(Lane(bad, [Bar(NOON, NOON, "failed", bad)], [SlotTick(NOON, None, bad)]), AXIS)
    assert "<script>" not in drawing
    assert [one.text for one in ElementTree.fromstring(drawing).iter("title")] == [bad, bad]


def test_the_grid_has_the_past_now_and_changes_of_the_clock() -> None:
    start = datetime(2026, 3, 8, 6)
    axis = Axis(start, start + 2 * HOUR, named("America/New_York"))
    root = ElementTree.fromstring(
        grid_drawing(axis, SCALES["day"], start + HOUR / 2, lambda change: f"{change.wall:%H:%M}", start + 1.5 * HOUR)
    )
    found = [(one.get("class"), one.get("x") or one.get("x1"), one.get("width")) for one in root]
    assert found == [
        ("past", "0%", "25%"),
        ("unknown", "75%", "25%"),
        ("tick level0", "0%", None),
        ("tick level1", "50%", None),
        ("tick level0", "100%", None),
        ("change", "50%", None),
        ("now", "25%", None),
    ]
    assert [one.text for one in root.iter("title")] == ["03:00"]


def test_the_axis_has_labels_where_there_is_room() -> None:
    start = datetime(2026, 3, 8, 6)
    axis = Axis(start, start + 12 * HOUR, named("America/New_York"))
    drawing = axis_drawing(axis, SCALES["day"], start + 6 * HOUR, "now", lambda tick: f"{tick.wall:%H:%M}")
    found = [(one.get("class"), one.text) for one in ElementTree.fromstring(drawing)]
    assert found == [
        ("level1", "03:00"),
        ("level1", "06:00"),
        ("level1", "09:00"),
        ("level2", "12:00"),
        ("now", "now"),
        ("change", "+1 h"),
    ]


def test_labels_of_changes_do_not_cover_now() -> None:
    start = datetime(2026, 3, 8, 6)
    axis = Axis(start, start + 12 * HOUR, named("America/New_York"))
    drawing = axis_drawing(axis, SCALES["day"], start + HOUR, "now", lambda tick: "")
    assert "+1 h" not in drawing


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(60, "+1 h"), (-60, "\N{MINUS SIGN}1 h"), (30, "+30 min"), (-1440, "\N{MINUS SIGN}24 h"), (0.5, "+30 s")],
)
def test_a_shift_has_its_sign_and_its_unit(minutes: float, text: str) -> None:
    assert shift_text(timedelta(minutes=minutes)) == text


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))


@given(
    MOMENTS,
    st.timedeltas(timedelta(seconds=1), timedelta(days=12)),
    MOMENTS,
    st.lists(st.tuples(MOMENTS, MOMENTS, st.sampled_from(["success", "failed", "running"]), st.text())),
    st.sampled_from(ZONES),
    st.sampled_from(["day", "week"]),
)
def test_all_lies_within_the_box(
    start: datetime,
    length: timedelta,
    now: datetime,
    runs: list[tuple[datetime, datetime, str, str]],
    zone: str,
    span: str,
) -> None:
    axis, scale = Axis(start, start + length, named(zone)), SCALES[span]
    bars = [Bar(begin, end, outcome, title) for begin, end, outcome, title in runs]
    slots = [SlotTick(at, None, title) for at, _, _, title in runs]
    bands = [Band(begin, end, title) for begin, end, _, title in runs]
    for drawing in (
        lane_drawing(Lane("x", bars, slots, bands, "n"), axis),
        grid_drawing(axis, scale, now, str, now),
        axis_drawing(axis, scale, now, "now", str),
    ):
        assert all(0 <= percent <= 100 for percent in percents(drawing))
    for x, width in re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', lane_drawing(Lane("x", bars), axis)):
        assert float(x) + float(width) <= 100.011
