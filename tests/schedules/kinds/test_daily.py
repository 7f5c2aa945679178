"""`at` with several times and with `on`: the slots, against an oracle that works out each of them by itself."""

from bisect import bisect_left, bisect_right
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.dates import read_dates
from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.schedules.kinds.daily import Daily
from tests import oracle
from tests.calendar.test_zones import ZONES

DAY, SECOND, TICK = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)
TIMES = ("00:00", "00:30", "01:59:59", "02:00", "02:30", "02:30:30", "03:00", "12:00", "23:00", "23:30", "23:59:59")
RULES = (None, "mon-fri", "sat,sun", "last", "1", "29-2", "last sun", "2nd sun mar,1st sun nov", "30 dec", "29 feb")
SPAN = 45  # days before and after a change of the clock that are looked at


@cache
def change_of(zone: ZoneInfo, before: datetime) -> tuple[datetime, datetime, datetime] | None:
    """Return a change near a moment: when it is, and the wall times before and after it."""
    for change in oracle.transitions(zone, before.year):
        if abs(change - before) <= 2 * DAY:
            return change, oracle.wall(zone, change - SECOND) + SECOND, oracle.wall(zone, change)
    return None


def instant_of(zone: ZoneInfo, wall: datetime) -> datetime | None:
    """Return when a wall time comes first, or at the end of a gap that skips it; None if its date does not exist."""
    offsets = {oracle.wall(zone, wall + hours * DAY / 2) - (wall + hours * DAY / 2) for hours in (-4, -2, 0, 2, 4)}
    came = [wall - offset for offset in offsets if oracle.wall(zone, wall - offset) == wall]
    if came:
        return min(came)
    found = change_of(zone, wall)
    assert found is not None
    change, old, new = found
    assert old <= wall < new
    return None if oracle.is_skipped(wall.date(), old, new) else change


def slots_of(zone: ZoneInfo, at: tuple[str, ...], on: str | None, middle: date) -> dict[datetime, set[date]]:
    """Return the slots around a date in order, each with the dates that it belongs to."""
    slots: dict[datetime, set[date]] = {}
    for number in range(-SPAN, SPAN + 1):
        day = middle + number * DAY
        if on is None or day in read_dates(on):
            for text in at:
                instant = instant_of(zone, datetime.combine(day, time.fromisoformat(text)))
                if instant is not None:
                    slots.setdefault(instant, set()).add(day)
    return dict(sorted(slots.items()))


@st.composite
def schedules(draw: Any) -> tuple[str, tuple[str, ...], str | None, datetime]:
    """Draw a zone, times, dates, and a moment near a change of the clock."""
    name = draw(st.sampled_from(ZONES) | st.sampled_from(sorted(available_timezones())))
    year = draw(st.integers(1971, 2036))
    changes = [change for change in oracle.transitions(ZoneInfo(name), year) if change.year == year]
    change = draw(st.sampled_from(changes)) if changes else datetime(year, 12, 30)
    at = tuple(sorted(draw(st.lists(st.sampled_from(TIMES), min_size=1, max_size=4, unique=True))))
    on = draw(st.sampled_from(RULES) | st.just(f"{change:%d %b}".lower().lstrip("0")))
    return name, at, on, change + draw(st.integers(-3 * 86_400, 3 * 86_400)) * SECOND


@given(schedules(), st.integers(-2 * 86_400, 2 * 86_400))
def test_each_time_has_one_slot_on_each_date_around_a_change_of_the_clock(
    drawn: tuple[str, tuple[str, ...], str | None, datetime], seconds: int
) -> None:
    name, at, on, moment = drawn
    zone, kind = ZoneInfo(name), Daily(at, named(name), on)
    found = slots_of(zone, at, on, moment.date())
    slots = list(found)
    begin, end = moment - (SPAN - 5) * DAY, moment + (SPAN - 5) * DAY
    for one in {moment, *slots[bisect_left(slots, moment - 2 * DAY) : bisect_right(slots, moment + 2 * DAY)]}:
        for asked in (one - TICK, one, one + TICK):
            later = slots[bisect_right(slots, asked) :]
            earlier = slots[: bisect_right(slots, asked)]
            after, latest = kind.after(asked), kind.latest(asked)
            assert after == (later[0] if later else after if after is None or after > end else None)
            assert latest == (earlier[-1] if earlier else latest if latest is None or latest < begin else None)
    for slot in slots[bisect_left(slots, moment - 2 * DAY) : bisect_right(slots, moment + 2 * DAY)]:
        assert set(kind.dates(slot)) == found[slot]
    last = moment + seconds * SECOND
    for run in (None, last):
        # A slot counts if no run covers it, and its date is not over.
        today = oracle.wall(zone, moment).date()
        counting = [slot for slot in slots if run is None or slot > run]
        counting = [slot for slot in counting if oracle.wall(zone, slot).date() >= today]
        uncovered = kind.uncovered(run, moment)
        assert uncovered == (counting[0] if counting else uncovered if uncovered and uncovered > end else None)
    if last <= moment:
        shown = [named(name).show(instant) for instant in (last, moment)]
        between = slots[bisect_right(slots, last) : bisect_right(slots, moment)]
        assert kind.may_have_let_pass(*shown) or len(between) <= 1
    gaps = [later - earlier for earlier, later in pairwise(slots)]
    assert kind.shortest <= min(gaps, default=kind.shortest)


@pytest.mark.parametrize(
    ("name", "at", "on", "after", "slots"),
    [
        # A gap: both times within it come at its end, as one slot.
        (
            "Europe/Berlin",
            ("02:00", "02:30", "03:30"),
            "sun",
            datetime(2026, 3, 28),
            "03-29 01:00, 03-29 01:30, 04-05 00:00",
        ),
        # A fold: 02:30 comes twice, and its slot is the first one.
        ("Europe/Berlin", ("02:30", "03:00"), "sun", datetime(2026, 10, 24), "10-25 00:30, 10-25 02:00, 11-01 01:30"),
        # A date that does not exist: 30 December 2011, a Friday.
        ("Pacific/Apia", ("09:00",), "fri", datetime(2011, 12, 23), "12-23 19:00, 01-05 19:00, 01-12 19:00"),
        # 23:30 on Saturday is pushed into Sunday.
        ("America/Nuuk", ("23:30",), "sat", datetime(2026, 3, 28), "03-29 01:00, 04-05 00:30, 04-12 00:30"),
    ],
)
def test_slots_across_changes_of_the_clock(
    name: str, at: tuple[str, ...], on: str, after: datetime, slots: str
) -> None:
    kind, found = Daily(at, named(name), on), []
    for _ in range(3):
        slot = kind.after(after)
        assert slot is not None
        found.append(f"{slot:%m-%d %H:%M}")
        after = slot
    assert ", ".join(found) == slots


def test_a_rule_without_dates_before_or_after_a_moment_has_no_slots_there() -> None:
    kind = Daily("09:00", named("UTC"), "29 feb")
    assert kind.after(datetime(9997, 1, 1)) is None
    assert kind.latest(datetime(3, 1, 1)) is None
    assert kind.uncovered(None, datetime(9997, 1, 1)) is None


def test_a_slot_that_a_gap_pushes_into_today_counts_today() -> None:
    nuuk = Daily(("12:00", "23:30"), named("America/Nuuk"), "sat,sun")
    pushed = datetime(2026, 3, 29, 1)  # 23:30 of Saturday comes at midnight
    assert nuuk.uncovered(None, pushed) == pushed
    assert nuuk.uncovered(pushed - DAY, pushed + SECOND) == pushed
    assert nuuk.uncovered(pushed, pushed + SECOND) == datetime(2026, 3, 29, 13)


@pytest.mark.parametrize(
    ("on", "last", "now", "may"),
    [
        (None, datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 17), False),
        (None, datetime(2026, 6, 1, 8), datetime(2026, 6, 1, 17), True),
        (None, datetime(2026, 6, 1, 17), datetime(2026, 6, 2, 9), False),
        (None, datetime(2026, 6, 1, 17), datetime(2026, 6, 2, 17), True),
        ("mon", datetime(2026, 6, 1, 17), datetime(2026, 6, 8, 9), False),
        ("mon", datetime(2026, 6, 1, 17), datetime(2026, 6, 8, 17), True),
        ("mon", datetime(2026, 6, 1, 9), datetime(2026, 6, 8, 9), True),
        ("mon", datetime(2026, 6, 2), datetime(2026, 6, 8), False),
        (None, datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 10, fold=1), True),
        ("mon", datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 10, fold=1), True),
        ("mon", datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 10, tzinfo=ZoneInfo("UTC")), True),
    ],
)
def test_several_slots_may_have_passed_if_there_are_two_or_the_clock_is_unclear(
    on: str | None, last: datetime, now: datetime, may: bool
) -> None:
    assert Daily(("09:00", "17:00"), named("UTC"), on).may_have_let_pass(last, now) is may


def test_slots_are_nearer_than_their_times_where_a_gap_lies_between() -> None:
    berlin = Daily(("01:59", "02:30"), named("Europe/Berlin"))
    first, second = datetime(2026, 3, 29, 0, 59), datetime(2026, 3, 29, 1)
    assert (berlin.after(first - SECOND), berlin.after(first)) == (first, second)
    assert berlin.shortest == SECOND <= second - first
    assert Daily(("03:00", "15:00")).shortest == timedelta(hours=8)
    assert Daily("03:00").shortest == timedelta(hours=20)
