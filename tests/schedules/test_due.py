"""Due moments of `every`, `at` and `run_at`."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.schedules import due as timing
from est_alan_scheduler.schedules.due import due_moment, first_run, is_due, keep_schedule
from est_alan_scheduler.schedules.kinds.table import read_schedule
from est_alan_scheduler.schedules.schedule import AT_ONCE
from est_alan_scheduler.task import Task
from tests.frozen import START, Frozen
from tests.ways import is_interrupted

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

NOON = datetime(2026, 6, 1, 12)
SECOND = timedelta(seconds=1)


def task_with(**fields: Any) -> Task:
    return Task(func=print, **fields)


def local_due(task: Task, now: datetime) -> datetime | None:
    """Return the next due moment in local time."""
    moment = due_moment(task, now)
    return None if moment is None else from_utc(moment)


def starts(task: Task, walls: Iterable[tuple[datetime, datetime]]) -> list[datetime]:
    """Return the UTC moments at which a clock that shows these wall times finds the task due."""
    found = []
    for utc, now in walls:
        if is_due(task, now):
            found.append(utc)
            task.__dict__.update(first_run_at=first_run(task, now), last_run_at=now)
    return found


class TestEvery:
    def test_a_new_task_is_due_at_once_at_any_clock_time(self) -> None:
        task = task_with(every={"seconds": 10})
        assert due_moment(task, NOON) == AT_ONCE
        assert is_due(task, datetime(1990, 1, 1))

    def test_slots_lie_on_a_grid_from_the_first_run(self) -> None:
        task = task_with(every={"seconds": 10}, first_run_at=NOON, last_run_at=NOON + 13 * SECOND)
        assert local_due(task, NOON + 13 * SECOND) == NOON + 20 * SECOND
        assert not is_due(task, NOON + 19.999 * SECOND)
        assert is_due(task, NOON + 20 * SECOND)

    def test_a_run_on_the_grid_covers_its_slot(self) -> None:
        task = task_with(every={"seconds": 10}, first_run_at=NOON, last_run_at=NOON + 20 * SECOND)
        assert local_due(task, NOON + 20 * SECOND) == NOON + 30 * SECOND

    def test_missed_slots_coalesce_into_one_run(self) -> None:
        task = task_with(every={"seconds": 10}, first_run_at=NOON, last_run_at=NOON)
        late = NOON + 57 * SECOND
        assert is_due(task, late)
        task.__dict__["last_run_at"] = late
        assert local_due(task, late) == NOON + 60 * SECOND

    @pytest.mark.parametrize("how", ["constructor", "assignment"])
    def test_a_last_run_set_by_hand_moves_the_grid(self, how: str) -> None:
        by_hand = NOON + 3 * SECOND
        task = task_with(every={"seconds": 10}, last_run_at=by_hand if how == "constructor" else None)
        if how == "assignment":
            task.first_run_at = NOON
            task.last_run_at = by_hand
        assert local_due(task, NOON) == NOON + 13 * SECOND
        assert first_run(task, NOON + 14 * SECOND) == by_hand

    def test_a_task_made_with_a_first_and_a_last_run_keeps_the_grid_of_the_first(self) -> None:
        task = task_with(every={"minutes": 1}, first_run_at=NOON, last_run_at=NOON + 90 * SECOND)
        assert local_due(task, NOON + 95 * SECOND) == NOON + 120 * SECOND

    def test_a_new_interval_keeps_the_origin_of_the_grid(self) -> None:
        task = task_with(every={"seconds": 10}, first_run_at=NOON, last_run_at=NOON + 20 * SECOND)
        now = NOON + 20 * SECOND
        assert local_due(task, now) == NOON + 30 * SECOND
        task.every = {"seconds": 15}
        assert local_due(task, now) == NOON + 30 * SECOND
        task.every = {"seconds": 50}
        assert local_due(task, now) == NOON + 50 * SECOND

    def test_a_last_run_more_than_an_interval_ahead_starts_a_new_grid(self) -> None:
        task = task_with(every={"seconds": 10}, first_run_at=NOON, last_run_at=NOON + 20 * SECOND)
        now = NOON + 9 * SECOND
        assert due_moment(task, now) == AT_ONCE
        assert first_run(task, now) == now

    def test_a_clock_step_back_within_one_interval_keeps_the_next_slot(self) -> None:
        task = task_with(every={"seconds": 10}, first_run_at=NOON, last_run_at=NOON + 20 * SECOND)
        now = NOON + 10 * SECOND
        assert local_due(task, now) == NOON + 30 * SECOND
        assert first_run(task, now) == NOON

    def test_a_slot_beyond_the_calendar_never_comes(self) -> None:
        task = task_with(every={"days": 999_999_999}, last_run_at=NOON)
        assert due_moment(task, NOON) is None
        assert not is_due(task, NOON)

    def test_a_task_last_run_at_the_minimum_datetime_is_due(self) -> None:
        assert is_due(task_with(every={"days": 1}, last_run_at=datetime.min), NOON)

    @given(
        step=st.timedeltas(timedelta(milliseconds=1), timedelta(days=9)),
        last=st.timedeltas(timedelta(0), timedelta(days=400)),
    )
    def test_the_next_slot_is_the_first_on_the_grid_after_the_last_run(self, step: timedelta, last: timedelta) -> None:
        task = task_with(every=step, first_run_at=NOON, last_run_at=NOON + last)
        moment = due_moment(task, NOON + last)
        assert moment is not None
        origin = to_utc(NOON)
        assert (moment - origin) % step == timedelta(0)
        assert timedelta(0) < moment - to_utc(NOON + last) <= step

    @given(st.lists(st.timedeltas(timedelta(milliseconds=1), timedelta(seconds=35)), max_size=30))
    def test_a_kept_slot_and_a_fresh_task_give_the_same_due_moment(self, moves: list[timedelta]) -> None:
        kept = task_with(every={"seconds": 10})
        now = NOON
        for move in moves:
            now += move
            fresh = kept.model_copy()
            assert due_moment(kept, now) == due_moment(fresh, now)
            if is_due(kept, now):
                kept.__dict__.update(first_run_at=first_run(kept, now), last_run_at=now)


class TestAt:
    def test_the_slot_of_today_is_due_at_its_time(self) -> None:
        task = task_with(at="14:30")
        assert local_due(task, NOON) == datetime(2026, 6, 1, 14, 30)
        assert [is_due(task, datetime(2026, 6, 1, 14, minute)) for minute in (29, 30)] == [False, True]

    def test_the_slot_of_today_is_still_due_later_the_same_day(self) -> None:
        assert is_due(task_with(at="07:00"), datetime(2026, 6, 1, 23, 59))

    def test_the_slot_of_yesterday_is_not_due_today(self) -> None:
        assert not is_due(task_with(at="23:59", last_run_at=datetime(2026, 5, 1)), datetime(2026, 6, 1, 0, 1))

    def test_at_has_one_slot_a_day(self) -> None:
        task = task_with(at="14:30", last_run_at=datetime(2026, 6, 1, 14, 30))
        assert local_due(task, datetime(2026, 6, 1, 14, 31)) == datetime(2026, 6, 2, 14, 30)

    def test_a_run_before_the_slot_does_not_cover_it(self) -> None:
        task = task_with(at="14:30", last_run_at=datetime(2026, 6, 1, 14, 29))
        assert is_due(task, datetime(2026, 6, 1, 14, 30))

    @pytest.mark.parametrize("days", [1, 2, 10])
    def test_no_slot_of_at_comes_twice_after_the_clock_goes_back(self, days: int) -> None:
        runs = [datetime(2026, 6, day, 14, 30) for day in range(1, 21)]
        task = task_with(at="14:30", last_run_at=runs[-1], history=[{"run_at": run} for run in runs])
        now = datetime(2026, 6, 20, 15) - timedelta(days=days)
        assert local_due(task, now) == datetime(2026, 6, 21, 14, 30)

    def test_a_slot_of_at_that_no_run_has_covered_comes_after_the_clock_goes_back(self) -> None:
        runs = [datetime(2026, 6, 10, 14, 30), datetime(2027, 6, 20, 14, 30)]
        task = task_with(at="14:30", last_run_at=runs[-1], history=[{"run_at": run} for run in runs])
        assert local_due(task, datetime(2026, 6, 10, 14)) == datetime(2026, 6, 11, 14, 30)
        assert local_due(task, datetime(2027, 6, 19, 15)) == datetime(2027, 6, 21, 14, 30)


class TestRunAt:
    def test_run_at_is_due_once(self) -> None:
        task = task_with(run_at=NOON)
        assert [is_due(task, NOON - SECOND), is_due(task, NOON), is_due(task, NOON + SECOND)] == [False, True, True]
        task.last_run_at = NOON
        assert due_moment(task, NOON + SECOND) is None

    def test_a_run_at_in_the_past_is_due(self) -> None:
        assert is_due(task_with(run_at=datetime(1999, 1, 1)), NOON)

    def test_a_later_run_at_makes_the_task_due_again(self) -> None:
        task = task_with(run_at=NOON, last_run_at=NOON)
        task.run_at = NOON + SECOND
        assert local_due(task, NOON) == NOON + SECOND

    def test_an_aware_run_at_is_due_at_its_instant(self, set_zone: Callable[[str], None]) -> None:
        set_zone("Asia/Seoul")
        task = task_with(run_at=datetime(2026, 6, 1, 3, tzinfo=UTC))
        assert [is_due(task, NOON - SECOND), is_due(task, NOON)] == [False, True]

    def test_a_run_at_inside_a_gap_is_due_right_after_the_gap(self, set_zone: Callable[[str], None]) -> None:
        set_zone("America/New_York")
        task = task_with(run_at=datetime(2026, 3, 8, 2, 30))
        assert local_due(task, datetime(2026, 3, 8)) == datetime(2026, 3, 8, 3, 0)

    @pytest.mark.parametrize(("fold", "utc"), [(0, datetime(2026, 11, 1, 5, 30)), (1, datetime(2026, 11, 1, 6, 30))])
    def test_fold_chooses_between_the_two_occurrences_of_a_run_at(
        self, set_zone: Callable[[str], None], fold: int, utc: datetime
    ) -> None:
        set_zone("America/New_York")
        task = task_with(run_at=datetime(2026, 11, 1, 1, 30, fold=fold))
        assert due_moment(task, datetime(2026, 11, 1)) == utc

    @pytest.mark.parametrize("run_at", [datetime.min, datetime.max])
    def test_run_at_may_be_the_minimum_or_maximum_datetime(self, run_at: datetime) -> None:
        assert is_due(task_with(run_at=run_at), NOON) == (run_at == datetime.min)


@pytest.mark.parametrize("fields", [{}, {"every": {"seconds": 1}, "at": "07:00"}, {"at": "07:00", "run_at": NOON}])
def test_a_task_without_exactly_one_schedule_option_is_never_due(fields: dict[str, Any]) -> None:
    assert not is_due(task_with(**fields), NOON)


TRANSITIONS = [
    ("America/New_York", datetime(2026, 3, 8, 7)),
    ("America/New_York", datetime(2026, 11, 1, 6)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30)),
    ("Africa/Casablanca", datetime(2026, 2, 15, 2)),
    ("Africa/Casablanca", datetime(2026, 3, 22, 2)),
    ("America/St_Johns", datetime(2009, 11, 1, 2, 31)),  # at 00:01 back to the day before
    ("America/Nuuk", datetime(2025, 3, 30, 1)),  # a gap that ends at midnight
    ("Pacific/Apia", datetime(2011, 12, 30, 10)),  # a date that does not exist
]


class TestKeptSchedule:
    def test_a_schedule_assigned_while_another_thread_reads_the_old_one_takes_effect(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read_late(task: Task) -> Any:
            schedule = read_schedule(task)
            monkeypatch.undo()
            task.every = {"minutes": 5}
            return schedule

        registry = Frozen()
        task = registry.register(task_with(id="a", every={"hours": 2}))
        registry.tick()
        task.every = {"hours": 2}
        monkeypatch.setattr(timing, "read_schedule", read_late)
        registry.why_not("a")
        registry.tick_at(START + timedelta(minutes=5))
        assert (keep_schedule(task), len(task.history)) == (read_schedule(task), 2)

    def test_ctrl_c_at_any_moment_of_an_assignment_leaves_fields_and_kept_schedule_equal(self) -> None:
        for moment in range(5000):
            task = task_with(every={"hours": 2})
            keep_schedule(task)
            if not is_interrupted(partial(task._store, {"every": {"minutes": 5}}), moment):
                break
            assert keep_schedule(task) == read_schedule(task), moment
        assert 0 < moment < 4999


@pytest.mark.parametrize(("zone", "change"), TRANSITIONS)
class TestClockChange:
    """Both transitions of the naive local time of several zones, in steps of five minutes, with `--full` of one."""

    def test_every_keeps_its_elapsed_spacing_through_a_clock_change(
        self, set_zone: Callable[[str], None], zone: str, change: datetime
    ) -> None:
        set_zone(zone)
        begin, hours = change - timedelta(hours=5), timedelta(hours=10)
        walls = wall_times(zone, begin, begin + hours)[::5]
        for minutes in (20, 45, 60, 90):
            task = task_with(every={"minutes": minutes})
            step = timedelta(minutes=minutes)
            expected = [begin + number * step for number in range(-(-hours // step))]
            assert starts(task, walls) == expected

    @pytest.mark.parametrize("at", ["00:00", "01:30", "02:00", "02:15", "23:30"])
    def test_at_is_due_exactly_once_on_every_date_that_exists(
        self, set_zone: Callable[[str], None], zone: str, change: datetime, at: str, is_full: bool
    ) -> None:
        set_zone(zone)
        begin = to_utc(from_utc(change - timedelta(hours=36)).replace(hour=12, minute=0))
        walls = wall_times(zone, begin, begin + timedelta(days=3))[:: 1 if is_full else 5]
        task = task_with(at=at, last_run_at=from_utc(begin))
        assert starts(task, walls) == first_occurrences(at, walls)


@cache
def wall_times(zone: str, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return each minute in UTC with its wall time in the zone, which has to be that of the process."""
    assert os.environ["TZ"] == zone
    minutes = (end - begin) // timedelta(minutes=1)
    return [(utc, from_utc(utc)) for utc in (begin + number * timedelta(minutes=1) for number in range(minutes))]


def first_occurrences(at: str, walls: list[tuple[datetime, datetime]]) -> list[datetime]:
    """Return the first occurrence of `at` on each date, or the end of its gap, by a scan of every minute."""
    hour, minute = map(int, at.split(":"))
    found: dict[object, datetime] = {}
    dates = {wall.date() for _, wall in walls}
    for day in sorted(dates):
        wanted = datetime(day.year, day.month, day.day, hour, minute)
        exact = [utc for utc, wall in walls if wall == wanted]
        if exact:
            found[day] = exact[0]
            continue
        jumps = [late[0] for early, late in pairwise(walls) if early[1] < wanted < late[1]]
        if jumps:
            found[day] = jumps[0]
    return sorted(moment for moment in found.values() if moment > walls[0][0])
