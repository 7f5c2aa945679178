"""Runs that are put together where they are too near to be drawn apart."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.web.page.drawing.axis import Axis
from est_alan_scheduler.web.page.timeline.bars import end_of, grouped, worst
from est_alan_scheduler.web.page.timeline.past import PastRun

NOON = datetime(2026, 3, 2, 12)
HOUR = timedelta(hours=1)
AXIS = Axis(NOON, NOON + HOUR, named("UTC"))


def run(start: float, length: float | None = 0.0, status: str = "success") -> PastRun:
    begin = NOON + start * HOUR
    return PastRun("a", begin, None if length is None else begin + length * HOUR, status, None)


def test_runs_apart_are_alone_and_those_of_one_pixel_are_together() -> None:
    runs = [run(0.5), run(0.0), run(0.0001), run(0.5005)]
    assert [[one.start for one in group] for group in grouped(runs, AXIS, 10)] == [
        [NOON, NOON + 0.0001 * HOUR],
        [NOON + 0.5 * HOUR, NOON + 0.5005 * HOUR],
    ]


def test_those_that_have_begun_before_are_at_the_left_if_they_reach_into_the_time() -> None:
    runs = [run(-1, 0.5), run(-0.5, 1), run(-2, None, "running"), run(1.5)]
    assert grouped(runs, AXIS, 10) == [[runs[2], runs[1]]]


def test_the_worst_outcome_counts() -> None:
    assert worst([run(0), run(0, 0, "failed"), run(0, None, "running")]) == "failed"
    assert worst([run(0), run(0, None, "running")]) == "running"
    assert worst([run(0)]) == "success"


def test_one_in_flight_lasts_until_now() -> None:
    assert end_of([run(0, 0.25), run(0.1, None, "running")], NOON + HOUR) == NOON + HOUR
    assert end_of([run(0, 0.25), run(0.1, 0)], NOON + HOUR) == NOON + 0.25 * HOUR


@given(st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(0, 1))), st.integers(1, 50))
def test_all_runs_of_the_time_are_in_one_group_each_in_order(runs: list[tuple[float, float]], most: int) -> None:
    given_runs = [run(start, length) for start, length in runs]
    groups = grouped(given_runs, AXIS, most)
    shown = [one for one in given_runs if one.start <= AXIS.end and (one.end or NOON) >= AXIS.start]
    assert [one for group in groups for one in group] == sorted(shown, key=lambda one: one.start)
    assert len(groups) <= most
