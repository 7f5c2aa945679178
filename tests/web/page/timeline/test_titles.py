"""The texts of the timeline."""

from datetime import datetime, timedelta

import pytest

from est_alan_scheduler import Task
from est_alan_scheduler.calendar.zones import named
from est_alan_scheduler.web.api.models import SlotModel
from est_alan_scheduler.web.page.drawing.axis import Change, Tick
from est_alan_scheduler.web.page.timeline.past import PastRun
from est_alan_scheduler.web.page.timeline.plan import Plan
from est_alan_scheduler.web.page.timeline.titles import Titles
from est_alan_scheduler.web.page.words.language import TRANSLATIONS
from tests import jobs

NOON = datetime(2026, 3, 2, 12)
SECOND = timedelta(seconds=1)
TITLES = Titles(TRANSLATIONS["en"], named("Asia/Seoul"))
TASK = Task(id="a", name="Fetch\nthe orders of all shops of the world", func=jobs.process_id, manual=True)
NAME = "\u2068Fetch the orders of all shops…\u2069"


def run(start: int, status: str = "success", seconds: int | None = 2, error: str | None = None) -> PastRun:
    begin = NOON + start * SECOND
    return PastRun("a", begin, None if seconds is None else begin + seconds * SECOND, status, error)


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([run(0)], "03-02 21:00:00 · success · 2 s"),
        ([run(0, "failed", 2, "no\nluck")], "03-02 21:00:00 · failed · 2 s · no luck"),
        ([run(0, "running", None)], "03-02 21:00:00 · running · 1 min"),
        ([run(0), run(5)], "03-02 21:00:00 – 03-02 21:00:05 · 2 runs · success"),
        ([run(0), run(5, "failed", 1, "x" * 99)], f"03-02 21:00:00 – 03-02 21:00:05 · 2 runs · 1 failed · {'x' * 79}…"),
    ],
)
def test_a_bar_says_when_how_often_how_long_and_what_went_wrong(runs: list[PastRun], text: str) -> None:
    assert TITLES.runs(TASK, runs, NOON + 60 * SECOND) == f"{NAME} · {text}"


@pytest.mark.parametrize(
    ("failed", "late", "text"),
    [
        (0, 0, "No trouble: nothing has failed, nothing is late"),
        (1, 0, "Trouble: 1 failed"),
        (1_200, 2, "Trouble: 1,200 failed, 2 late"),
    ],
)
def test_the_trouble_of_all_tasks_is_one_sentence(failed: int, late: int, text: str) -> None:
    assert TITLES.trouble(failed, late) == text


@pytest.mark.parametrize(
    ("mark", "text"), [(None, ""), ("repeated", " · the clock shows its time twice on this date: it counts once")]
)
def test_a_slot_says_when_it_is_and_what_a_clock_change_does_to_it(mark: str | None, text: str) -> None:
    slot = SlotModel(at=NOON.astimezone(named("UTC").show(NOON).tzinfo), mark=mark)  # type: ignore[arg-type]
    assert TITLES.slot(TASK, slot).endswith(text)


@pytest.mark.parametrize(("number", "text"), [(None, "more than 600 slots"), (1, "1 slot"), (12_096, "12,096 slots")])
def test_a_band_says_how_many_slots_it_has(number: int | None, text: str) -> None:
    plan = Plan(spans=[(NOON, NOON)], number=number)
    assert TITLES.band(TASK, "every 5 seconds", plan) == f"{NAME} · every 5 seconds · {text}"
    assert TITLES.note("every 5 seconds", plan) == f"every 5 seconds, {text}"


def test_a_lane_in_words_has_its_runs_failures_and_slots() -> None:
    assert TITLES.summary([run(0), run(9, "failed")], Plan(number=0)) == "2 runs, 1 failed, 0 slots"


@pytest.mark.parametrize(("is_day", "text"), [(True, "Mon 03-02"), (False, "21:00")])
def test_a_tick_is_a_date_where_one_begins(is_day: bool, text: str) -> None:
    assert TITLES.tick(Tick(NOON, datetime(2026, 3, 2, 21), is_day, 2)) == text


@pytest.mark.parametrize(("hours", "words"), [(1, "forward"), (-1, "back")])
def test_a_change_of_the_clock_is_a_sentence(hours: int, words: str) -> None:
    change = Change(NOON, timedelta(hours=hours), datetime(2026, 3, 2, 22))
    assert TITLES.change(change) == f"The clock goes {words} by 1 h, to 2026-03-02 22:00."
