"""The drawing of the timeline: an axis, a grid of lines behind the lanes, and for each lane its runs and its slots.

Places are percents of the width, so that a drawing fits any width and its texts stay readable. Heights, colours and
patterns come from the style sheet, by classes; the shapes `#mark-…` are in the page once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from est_alan_scheduler.web.page.drawing.axis import Axis, Change, Scale, Tick
from est_alan_scheduler.web.page.drawing.svg import joined, number

LANE_HEIGHT = 28
AXIS_HEIGHT = 40
_EDGE, _DAY_EDGE = 2.5, 6.0
"""Percent: a label, or a longer one of a date, has no room nearer to an end of the axis."""
_THIN = 0.1
"""Percent: the least width, for a rectangle of none is not drawn."""
_NEAR = 9.0
"""Percent: labels nearer to each other would overlap."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A run, or several of them that are too near to each other to be drawn apart. Moments are naive UTC."""

    start: datetime
    end: datetime
    outcome: str
    title: str


@dataclass(frozen=True, slots=True)
class SlotTick:
    """A slot to come."""

    at: datetime
    mark: str | None
    """What a change of the clock does to it: `moved`, `merged`, `repeated`."""
    title: str


@dataclass(frozen=True, slots=True)
class Band:
    """A time with more slots than can be drawn apart."""

    start: datetime
    end: datetime
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The runs and the slots of a task."""

    href: str
    bars: Sequence[Bar] = ()
    slots: Sequence[SlotTick] = ()
    bands: Sequence[Band] = ()
    note: str = ""
    """A few words below the bands: how many slots they have."""
    gap: Band | None = None
    """The time whose runs are not known."""


def shift_text(shift: timedelta) -> str:
    """Return how far a clock goes forward: `+1 h`, with a minus sign if it goes back."""
    sign = "\N{MINUS SIGN}" if shift < timedelta(0) else "+"
    minutes, seconds = divmod(round(abs(shift).total_seconds()), 60)
    if seconds:
        return f"{sign}{minutes * 60 + seconds} s"
    return f"{sign}{minutes} min" if minutes % 60 else f"{sign}{minutes // 60} h"


def lane_drawing(lane: Lane, axis: Axis) -> Markup:
    """Return the lane of a task, in one link to its page."""
    parts = [] if lane.gap is None else [_band(lane.gap, axis, "gap")]
    parts += [_band(band, axis) for band in lane.bands]
    parts += [_slot(slot, axis) for slot in lane.slots]
    parts += [_bar(bar, axis) for bar in lane.bars]
    if lane.note and lane.bands:
        x = min(axis.place(lane.bands[0].start), 75.0)  # as long as it is, it has room
        parts.append(Markup('<text class="count" x="{}%" y="25" dx="4">{}</text>').format(number(x), lane.note))
    return Markup(
        '<svg class="lane" width="100%" height="{}" aria-hidden="true"><a href="{}" tabindex="-1">{}</a></svg>'
    ).format(LANE_HEIGHT, lane.href, joined(parts))


def _bar(bar: Bar, axis: Axis) -> Markup:
    x = min(axis.place(bar.start), 100 - _THIN)
    width = max(axis.place(bar.end) - x, _THIN)
    drawn = Markup('<rect class="bar {}" x="{}%" width="{}%"><title>{}</title></rect>').format(
        bar.outcome, number(x), number(width), bar.title
    )
    if bar.outcome == "failed":
        drawn += Markup('<use href="#mark-failed" x="{}%"/>').format(number(x))
    return drawn


def _slot(slot: SlotTick, axis: Axis) -> Markup:
    x = number(axis.place(slot.at))
    drawn = Markup('<rect class="slot" x="{}%"><title>{}</title></rect>').format(x, slot.title)
    if slot.mark is not None:
        drawn += Markup('<use href="#mark-{}" x="{}%"><title>{}</title></use>').format(slot.mark, x, slot.title)
    return drawn


def _band(band: Band, axis: Axis, name: str = "band") -> Markup:
    x = min(axis.place(band.start), 100 - _THIN)
    return Markup('<rect class="{}" x="{}%" width="{}%"><title>{}</title></rect>').format(
        name, number(x), number(max(axis.place(band.end) - x, _THIN)), band.title
    )


def grid_drawing(
    axis: Axis,
    scale: Scale,
    now: datetime,
    change_title: Callable[[Change], str],
    unknown_from: datetime | None = None,
    unknown_title: str = "",
) -> Markup:
    """Return what is behind the lanes: the past, the lines of the axis, now, changes of the clock.

    From `unknown_from` on nothing is known of what comes.
    """
    parts = [_area("past", axis, axis.start, now)] if now > axis.start else []
    if unknown_from is not None and unknown_from < axis.end:
        parts.append(_area("unknown", axis, max(unknown_from, axis.start), axis.end, unknown_title))
    parts += [_line(_tick_class(tick), axis.place(tick.at)) for tick in axis.ticks(scale)]
    parts += [_line("change", axis.place(change.at), change_title(change)) for change in axis.changes()]
    if axis.contains(now):
        parts.append(_line("now", axis.place(now)))
    return Markup('<svg class="grid" width="100%" height="100%" aria-hidden="true">{}</svg>').format(joined(parts))


def _tick_class(tick: Tick) -> str:
    return "tick day" if tick.is_day else f"tick level{tick.level}"


def _line(name: str, place: float, title: str = "") -> Markup:
    told = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<line class="{}" x1="{x}%" x2="{x}%" y1="0" y2="100%">{}</line>').format(name, told, x=number(place))


def _area(name: str, axis: Axis, start: datetime, end: datetime, title: str = "") -> Markup:
    x = axis.place(start)
    told = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<rect class="{}" x="{}%" y="0" width="{}%" height="100%">{}</rect>').format(
        name, number(x), number(axis.place(end) - x), told
    )


def axis_drawing(axis: Axis, scale: Scale, now: datetime, now_label: str, tick_label: Callable[[Tick], str]) -> Markup:
    """Return the labels of the axis: the wall times above; below them now, and changes of the clock."""
    labels = [
        _text(_label_class(tick), axis.place(tick.at), 15, tick_label(tick))
        for tick in _with_room(axis, axis.ticks(scale))
    ]
    below = [(axis.place(now), "now", now_label)] if axis.contains(now) else []
    below += [(axis.place(change.at), "change", shift_text(change.shift)) for change in axis.changes()]
    drawn: list[float] = []
    for place, name, text in below:
        if all(abs(place - other) >= _NEAR for other in drawn):
            labels.append(_text(name, place, 33, text))
            drawn.append(place)
    return Markup('<svg class="axis" width="100%" height="{}" aria-hidden="true">{}</svg>').format(
        AXIS_HEIGHT, joined(labels)
    )


def _with_room(axis: Axis, ticks: Iterable[Tick]) -> list[Tick]:
    return [
        tick
        for tick in ticks
        if tick.level and abs(axis.place(tick.at) - 50) <= 50 - (_DAY_EDGE if tick.is_day else _EDGE)
    ]


def _label_class(tick: Tick) -> str:
    return f"level{tick.level}" + (" day" if tick.is_day else "")


def _text(name: str, place: float, y: int, text: str) -> Markup:
    anchor = "start" if place < _EDGE else "end" if place > 100 - _EDGE else "middle"
    return Markup('<text class="{}" x="{}%" y="{}" text-anchor="{}">{}</text>').format(
        name, number(place), y, anchor, text
    )
