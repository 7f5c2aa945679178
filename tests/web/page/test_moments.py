"""Moments and durations as the page shows them."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.web.page.moments import NOTHING, exact_text, lasting, moment, since, weekday
from est_alan_scheduler.web.page.words.language import TRANSLATIONS, Language

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
    ("seconds", "text"),
    [
        (None, NOTHING),
        (0, "0 ms"),
        (0.000194, "0.194 ms"),
        (0.0123, "12.3 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1 s"),
        (12.34, "12.3 s"),
        (59.97, "1 min"),
        (90, "1 min 30 s"),
        (3_599.6, "1 h"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (1_234 * 86_400 + 7_200, "1,234 d 2 h"),
    ],
)
def test_a_duration_has_the_two_greatest_units(seconds: float | None, text: str) -> None:
    assert lasting(seconds, str) == text


def test_a_duration_is_in_korean_for_koreans() -> None:
    assert lasting(90, TRANSLATIONS["ko"].gettext) == "1분 30초"


@pytest.mark.parametrize(("language", "words"), [("en", ["Sun", "Mon"]), ("ko", ["일", "월"])])
def test_a_date_has_the_day_of_its_week(language: Language, words: list[str]) -> None:
    gettext = TRANSLATIONS[language].gettext
    assert [weekday(date(2026, 11, day), gettext) for day in (29, 30)] == words
