"""Parts of SVG."""

import pytest
from markupsafe import Markup

from est_alan_scheduler.web.page.drawing.svg import joined, number


def test_elements_stand_one_after_the_other() -> None:
    assert joined([Markup("<a/>"), Markup("<b/>")]) == Markup("<a/><b/>")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (-0.001, "0"), (1.0, "1"), (10.0, "10"), (1.5, "1.5"), (2 / 3, "0.67"), (-2.5, "-2.5")],
)
def test_a_number_is_short(value: float, expected: str) -> None:
    assert number(value) == expected
