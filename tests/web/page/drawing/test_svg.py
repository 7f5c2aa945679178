"""SVG from Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from est_alan_scheduler.web.page.drawing.svg import element, joined, number
from tests.web.page.pages import Page


def test_an_element_has_its_attributes_and_contents() -> None:
    inner = element("path", d="M0 0", stroke_width=1.5)
    assert element("svg", inner, class_="sparkline", aria_label="Runs", hidden=None) == Markup(
        '<svg class="sparkline" aria-label="Runs"><path d="M0 0" stroke-width="1.5"/></svg>'
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_any_text_in_an_element_stays_a_text(text: str) -> None:
    page = Page(element("g", element("title", text), id=text))
    assert page.root.get("id") == text
    assert (page.one("title").text or "") == text
    assert len(list(page.root.iter())) == 2


def test_elements_stand_one_after_the_other() -> None:
    assert joined([element("a"), element("b")]) == Markup("<a/><b/>")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (-0.001, "0"), (1.0, "1"), (10.0, "10"), (1.5, "1.5"), (2 / 3, "0.67"), (-2.5, "-2.5")],
)
def test_a_number_is_short(value: float, expected: str) -> None:
    assert number(value) == expected
