"""Time zones, against an oracle that scans every half minute."""

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.schedules.kinds.daily import Daily
from tests import oracle

# A gap that ends at midnight, a skipped date, a fold over midnight, offsets with seconds, a change by two hours, half
# an hour, a second change for Ramadan, a repeated day, and an ordinary zone.
ZONES = (
    "America/Nuuk",
    "Pacific/Apia",
    "America/St_Johns",
    "Africa/Monrovia",
    "Antarctica/Troll",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Kwajalein",
    "Europe/Berlin",
)


@pytest.mark.parametrize("name", ZONES)
def test_each_time_of_day_has_one_slot_a_date_around_each_clock_change(name: str, is_full: bool) -> None:
    zone = ZoneInfo(name)
    changes = oracle.transitions(zone)
    assert changes
    first, last = (3, 2) if is_full else (1, 1)  # all of them: python -m tests.oracle
    for change in [*changes[:first], *changes[-last:]]:
        problems = [oracle.check(name, at, instant) for at, instant in oracle.cases(zone, change)]
        assert [problem for problem in problems if problem is not None] == []


@given(name=st.sampled_from(sorted(available_timezones())), pick=st.integers(0, 10_000), data=st.data())
def test_a_time_of_day_has_one_slot_a_date_around_any_clock_change_of_any_zone(
    name: str, pick: int, data: st.DataObject
) -> None:
    zone = ZoneInfo(name)
    year = data.draw(st.integers(1970, 2037))
    changes = [change for change in oracle.transitions(zone, year) if change.year == year]
    if changes:
        cases = list(oracle.cases(zone, changes[pick % len(changes)]))
        assert oracle.check(name, *cases[pick % len(cases)]) is None


def test_a_date_that_the_zone_skips_has_no_slot() -> None:
    apia = named("Pacific/Apia")
    assert apia.first_instant(datetime(2011, 12, 30, 12)) is None
    slot = Daily("12:00", apia).after(datetime(2011, 12, 29, 22))  # noon of the 29th
    assert slot == datetime(2011, 12, 30, 22)  # noon of the 31st


def test_a_slot_that_a_gap_pushes_past_midnight_belongs_to_its_own_date() -> None:
    nuuk = Daily("23:30", named("America/Nuuk"))
    slot = nuuk.after(datetime(2026, 3, 28, 12))
    assert slot == datetime(2026, 3, 29, 1)
    assert named("America/Nuuk").from_utc(slot) == datetime(2026, 3, 29)
    assert (nuuk.dates(slot), nuuk.latest(slot)) == ([datetime(2026, 3, 28).date()], slot)
    assert nuuk.after(slot) == datetime(2026, 3, 30, 0, 30)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)), st.sampled_from(ZONES))
def test_an_instant_survives_conversion_to_wall_time_and_back(utc: datetime, name: str) -> None:
    zone = named(name)
    assert zone.to_utc(zone.from_utc(utc)) == utc
    assert zone.instant(zone.show(utc)) == utc
