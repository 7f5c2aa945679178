"""Moments and durations as the page shows them."""

import pytest

from est_alan_scheduler.web.page.moments import NOTHING, lasting
from est_alan_scheduler.web.page.words.language import TRANSLATIONS


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


def test_a_duration_in_korean() -> None:
    assert lasting(90, TRANSLATIONS["ko"].gettext) == "1분 30초"
