"""The slots of a task, with the marks of clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from est_alan_scheduler import Task
from est_alan_scheduler.web.slots import marked_slots
from tests import jobs

NEW_YORK = "America/New_York"


def marks(task: Task, *slots: datetime, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> list[str | None]:
    return [slot.mark for slot in marked_slots(task, slots, now)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(NEW_YORK))


@pytest.mark.parametrize(
    ("times", "slot", "mark"),
    [
        ("02:30", "2026-03-08 03:00", "moved"),
        (["02:30", "03:00"], "2026-03-08 03:00", "merged"),
        ("01:30", "2026-11-01 01:30", "repeated"),
        ("01:30", "2026-11-02 01:30", None),
    ],
)
def test_what_a_clock_change_does_to_a_slot(times: str | list[str], slot: str, mark: str | None) -> None:
    task = Task(func=jobs.process_id, at=times, timezone=NEW_YORK)
    assert marks(task, at(slot)) == [mark]


@pytest.mark.parametrize(
    ("moment", "slot", "mark"),
    [
        ("2026-03-08 02:30", "2026-03-08 03:00", "moved"),
        ("2026-03-08 03:00", "2026-03-08 03:00", None),
        ("2026-11-01 01:30", "2026-11-01 01:30", "repeated"),
        ("2026-11-01 01:30-05:00", "2026-11-01 01:30", None),
        ("2026-11-02 01:30", "2026-11-02 01:30", None),
    ],
)
def test_a_single_moment_has_the_marks_of_a_daily_time(moment: str, slot: str, mark: str | None) -> None:
    task = Task(func=jobs.process_id, run_at=datetime.fromisoformat(moment), timezone=NEW_YORK)
    assert marks(task, at(slot)) == [mark]


def test_a_single_moment_on_a_date_that_is_skipped_is_moved() -> None:
    zone = "Pacific/Apia"
    task = Task(func=jobs.process_id, run_at=datetime(2011, 12, 30, 10), timezone=zone)
    slot = datetime(2011, 12, 31, 10, tzinfo=ZoneInfo(zone))
    assert marks(task, slot, now=datetime(2011, 1, 1)) == ["moved"]


def test_a_slot_that_is_due_has_no_mark() -> None:
    task = Task(func=jobs.process_id, at="02:30", timezone=NEW_YORK)
    slot = at("2026-03-08 03:00")
    assert marks(task, slot, now=slot) == [None]


def test_elapsed_time_has_no_marks() -> None:
    task = Task(func=jobs.process_id, every={"minutes": 30}, timezone=NEW_YORK)
    assert marks(task, at("2026-03-08 03:00"), at("2026-11-01 01:30")) == [None, None]


def test_the_slots_keep_their_order_and_moments() -> None:
    task = Task(func=jobs.process_id, at="02:30", timezone=NEW_YORK)
    slots = [at("2026-03-07 02:30"), at("2026-03-08 03:00"), at("2026-03-09 02:30")]
    found = marked_slots(task, slots, datetime(2026, 3, 1, tzinfo=UTC))
    assert [(one.at, one.mark) for one in found] == list(zip(slots, [None, "moved", None], strict=True))
