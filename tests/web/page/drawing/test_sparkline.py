"""The last runs of a task as bars."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from est_alan_scheduler.web.page.drawing.sparkline import HEIGHT, WIDTH, Bar, sparkline
from tests.web.page.pages import Page

bars = st.lists(st.builds(Bar, st.sampled_from(["success", "failed", "running"]), st.floats(-1e9, 1e9)), max_size=60)


def test_a_sparkline_has_a_bar_for_each_run_with_the_newest_at_the_right_end() -> None:
    drawn = sparkline([Bar("success", 1.0), Bar("failed", 0.0), Bar("success", 2.0)], "3 runs, 1 failed")
    assert drawn == Markup(
        '<svg class="sparkline" role="img" aria-label="3 runs, 1 failed" viewBox="0 0 120 22" width="120" height="22"'
        ' stroke-width="3"><path class="success" d="M110 22v-12.5M118 22v-22"/><path class="failed" d="M114 22v-3"/>'
        "</svg>"
    )


def test_runs_that_took_no_time_are_low_bars() -> None:
    assert heights(sparkline([Bar("success", 0.0)] * 2, "")) == [3, 3]


def test_only_the_last_thirty_runs_count_for_the_bars_and_their_heights() -> None:
    drawn = sparkline([Bar("failed", 1_000.0), *[Bar("success", 1.0)] * 30], "")
    assert 'class="failed"' not in drawn
    assert heights(drawn) == [22] * 30


def test_no_runs_are_an_empty_drawing() -> None:
    assert Page(sparkline([], "no runs")).all("path") == []


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_any_label_stays_a_text(label: str) -> None:
    page = Page(sparkline([Bar("success", 1.0)], label))
    assert page.root.get("aria-label") == label
    assert [element.tag for element in page.root.iter()] == ["svg", "path"]


@given(bars)
def test_all_bars_are_inside_of_the_drawing_and_apart(runs: list[Bar]) -> None:
    drawn = sparkline(runs, "runs")
    places = sorted(float(x) for x in re.findall(r"M([\d.]+) 22", drawn))
    assert len(places) == min(len(runs), 30)
    assert all(1.5 <= x <= WIDTH - 1.5 for x in places)
    assert all(later - x > 3 for x, later in pairwise(places))
    assert all(0 < height <= HEIGHT for height in heights(drawn))


def heights(drawn: Markup) -> list[float]:
    return [float(height) for height in re.findall(r"v-([\d.]+)", drawn)]
