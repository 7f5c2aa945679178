"""Moments as the page shows them."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.web.page.moments import exact_text, lasting, moment, since

pytestmark = pytest.mark.zone
SEOUL = ZoneInfo("Asia/Seoul")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 29, 14, 30, 5, 999_999, SEOUL), "2026-11-29 14:30:05 +09:00 Asia/Seoul"),
        (
            datetime(2026, 11, 29, 14, 30, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            "2026-11-29 14:30:00 -03:30",
        ),
        (
            datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=ZoneInfo("Europe/Berlin")),
            "2026-10-25 02:30:00 +02:00 Europe/Berlin",
        ),
        (
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
            "2026-10-25 02:30:00 +01:00 Europe/Berlin",
        ),
    ],
)
def test_moment_is_exact_with_its_offset_and_zone(at: datetime, text: str) -> None:
    assert exact_text(at) == text


def test_naive_moment_is_local_time(set_zone: Callable[[str], None]) -> None:
    set_zone("Asia/Seoul")
    html = moment(datetime(2026, 11, 29, 14, 30, 5))
    exact = "2026-11-29 14:30:05 +09:00"
    assert html == f'<time datetime="2026-11-29T05:30:05.000+00:00" data-exact="{exact}">{exact}</time>'


def test_moment_that_there_is_not_is_a_dash() -> None:
    assert moment(None) == since(None) == '<span class="none">–</span>'


zones = st.sampled_from([None, SEOUL, ZoneInfo("America/New_York"), timezone(timedelta(hours=14)), timezone.min])


@given(at=st.datetimes(timezones=zones))
def test_every_moment_can_be_shown(at: datetime) -> None:
    assert moment(at).startswith("<time datetime=")
    assert " data-since>" in since(at)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"),
        (0.0126, "12.6 ms"),
        (1.5, "1.5 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min"),
        (61, "1 min 1 s"),
        (3_599.6, "1 h"),
        (7_260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (10**9, "11,574 d 1 h"),
    ],
)
def test_duration_has_its_two_greatest_units(number: float | None, text: str) -> None:
    assert lasting(number, str) == text
