"""Limits of a schedule: zone, start, end, excluded dates, jitter."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from est_alan_scheduler import Task, TaskRegistry, simulate
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.schedules.due import next_run
from tests.frozen import Frozen
from tests.messages import missing, only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

NOON = datetime(2026, 6, 1, 12)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SEOUL = ZoneInfo("Asia/Seoul")


def task_with(**fields: Any) -> Task:
    return Task(func=list, **fields)


def runs(registry: Frozen, task: Task, step: timedelta, number: int) -> list[datetime]:
    """Return the run times of the task over `number` ticks, one every `step` from noon on."""
    registry.register(task)
    for count in range(number):
        registry.tick_at(NOON + count * step)
    return [run["run_at"] for run in task.history]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class TestZone:
    def test_a_zoned_task_runs_at_its_own_wall_time_and_records_it(self) -> None:
        # Frozen time is UTC wherever the machine is.
        with freeze_time("2026-06-01 05:29:59") as frozen:
            registry = TaskRegistry()
            at = registry.register(
                task_with(at="14:30", timezone="Asia/Seoul", last_run_at="2026-05-31T14:30:00+09:00")
            )
            once = registry.register(task_with(run_at="2026-06-01T14:30", timezone=SEOUL))
            naive = registry.register(task_with(run_at="2026-06-01T05:30"))
            registry.tick()
            assert [task.history for task in registry] == [[], [], []]
            frozen.tick(1)
            registry.tick()
            expected = datetime(2026, 6, 1, 14, 30, tzinfo=SEOUL)
            assert [task.last_run_at for task in (at, once)] == [expected, expected]
            assert [task.last_run_at.tzinfo for task in (at, once) if task.last_run_at] == [SEOUL, SEOUL]
            assert (at.last_success_at, at.history[0]["run_at"]) == (expected, expected)
            assert naive.last_run_at == datetime(2026, 6, 1, 5, 30)
            assert registry.why_not(at.id) == "due in 86400 s at 2026-06-02 14:30:00+09:00"
            frozen.tick(DAY)
            registry.tick()
            assert [len(task.history) for task in registry] == [2, 1, 1]

    def test_a_zoned_cron_task_runs_at_its_next_slot(self) -> None:
        pytest.importorskip("cronsim")
        with freeze_time("2026-06-01 05:00:00") as frozen:
            registry = TaskRegistry()
            task = registry.register(task_with(cron="30 14 * * *", timezone="Asia/Seoul"))
            registry.tick()
            assert (task.history, registry.idle_seconds()) == ([], 1800)
            frozen.tick(1800)
            registry.tick()
            assert task.last_run_at == datetime(2026, 6, 1, 14, 30, tzinfo=SEOUL)

    def test_every_measures_elapsed_time_in_a_zone(self) -> None:
        with freeze_time("2026-03-28 23:30:00") as frozen:  # Berlin's clock goes forward at 01:00 UTC
            registry = TaskRegistry()
            task = registry.register(task_with(every={"hours": 1}, timezone="Europe/Berlin"))
            for _ in range(4):
                registry.tick()
                frozen.tick(3600)
            hours = [f"{run['run_at']:%H:%M%z}" for run in task.history]
            assert hours == ["00:30+0100", "01:30+0100", "03:30+0200", "04:30+0200"]

    def test_frozen_time_that_crosses_a_clock_change_of_the_machine_misses_no_zoned_slot(
        self, set_zone: Callable[[str], None]
    ) -> None:
        set_zone("America/New_York")  # its clock goes forward at 02:00; frozen time does not
        with freeze_time("2026-03-08 00:00") as frozen:
            registry = TaskRegistry()
            task = registry.register(task_with(id="a", at="14:30", timezone="Asia/Seoul", misfire_grace=100))
            registry.tick()
            frozen.tick(5 * HOUR + 30 * MINUTE)
            registry.tick()
            assert [run["run_at"] for run in task.history] == [datetime(2026, 3, 8, 14, 30, tzinfo=SEOUL)]

    def test_a_daily_slot_runs_once_though_the_clock_goes_back_over_midnight(self) -> None:
        with freeze_time("2026-06-01 15:10:00") as frozen:  # ten minutes past midnight in Seoul
            registry = TaskRegistry()
            task = registry.register(task_with(at="23:00", timezone="Asia/Seoul"))
            registry.tick()
            frozen.move_to("2026-06-01 14:50:00")  # the day before in Seoul
            registry.tick()
            assert task.last_run_at == datetime(2026, 6, 1, 23, 50, tzinfo=SEOUL)

    @pytest.mark.parametrize(
        ("value", "parts"),
        [
            ("Asia/Soul", ["'Asia/Soul' is unknown", "did you mean 'Asia/Seoul'?"]),
            ("Utc", ["'Utc' is unknown", "did you mean 'UTC'?"]),
            ("KST", ["'KST' is unknown", "abbreviations", "'Asia/Seoul'"]),
            ("../etc", ["'../etc' is unknown"]),
            (9, ["name such as 'Asia/Seoul'", "'+08:00'", "ZoneInfo", "datetime.timezone", "got 9"]),
            ("", ["name such as 'Asia/Seoul'", "ZoneInfo", "got ''"]),
        ],
    )
    def test_an_unknown_zone_is_one_error_with_the_nearest_name(self, value: Any, parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            task_with(at="07:00", timezone=value)
        assert missing(only_error(caught), "timezone", *parts) == []


class TestStartAndEnd:
    def test_start_at_is_the_origin_of_the_grid(self, registry: Frozen) -> None:
        task = task_with(every={"hours": 1}, start_at="2026-05-31T00:00")
        found = runs(registry, task, timedelta(minutes=17), 12)
        assert [f"{moment:%H:%M}" for moment in found] == ["12:00", "13:08", "14:16", "15:07"]
        assert next_run(task, NOON + 10 * SECOND) == NOON + HOUR

    def test_nothing_runs_before_start_at_and_a_slot_at_start_at_runs(self, registry: Frozen) -> None:
        later = registry.register(task_with(every={"hours": 1}, start_at=NOON + HOUR))
        now = registry.register(task_with(every={"hours": 1}, start_at=NOON))
        registry.tick_at(NOON)
        registry.tick_at(NOON + HOUR - SECOND)
        assert (len(later.history), len(now.history)) == (0, 1)
        registry.tick_at(NOON + HOUR)
        assert (len(later.history), len(now.history)) == (1, 2)

    def test_nothing_runs_after_end_at(self, registry: Frozen) -> None:
        task = task_with(every={"hours": 1}, end_at=NOON + 2 * HOUR)
        assert runs(registry, task, HOUR, 5) == [NOON, NOON + HOUR, NOON + 2 * HOUR]
        assert registry.why_not(task.id) == "never due again: no slot is left within start_at, end_at and exclude"
        assert next_run(task, NOON + 2 * HOUR) is None

    def test_a_slot_that_jitter_moves_past_end_at_does_not_run(self, registry: Frozen) -> None:
        fields: dict[str, Any] = {"every": {"hours": 1}, "start_at": NOON, "jitter": 3000}
        jittered = next_run(task_with(id="a", **fields), NOON + MINUTE)
        assert jittered is not None
        for end, number in ((jittered, 1), (jittered - SECOND, 0)):
            task = task_with(id="a", end_at=end, **fields)
            registry = Frozen()
            assert len(runs(registry, task, MINUTE, 180)) == number
            assert registry.why_not("a") == "never due again: no slot is left within start_at, end_at and exclude"

    def test_an_end_at_before_start_at_is_refused(self) -> None:
        with pytest.raises(ValidationError) as caught:
            task_with(at="12:00", start_at=NOON, end_at=NOON - DAY)
        parts = ["end_at", "before start_at", "2026-05-31 12:00:00", "2026-06-01 12:00:00"]
        assert missing(only_error(caught), *parts) == []

    def test_start_at_and_end_at_limit_at_and_run_at(self, registry: Frozen) -> None:
        at = registry.register(task_with(at="11:00", start_at=NOON))
        once = registry.register(task_with(run_at=NOON, end_at=NOON - SECOND))
        registry.tick_at(NOON)
        assert (at.history, once.history) == ([], [])
        registry.tick_at(NOON + DAY)
        assert (len(at.history), once.history) == (1, [])


class TestExclude:
    def test_excluded_dates_have_no_slots(self, registry: Frozen) -> None:
        task = task_with(at="11:00", exclude=["2026-06-02", date(2026, 6, 4)])
        assert task.exclude == (date(2026, 6, 2), date(2026, 6, 4))
        assert [moment.day for moment in runs(registry, task, DAY, 6)] == [1, 3, 5, 6]

    def test_every_skips_a_whole_excluded_date_in_one_step(self, registry: Frozen) -> None:
        task = task_with(every={"seconds": 1}, exclude=[date(2026, 6, 1)], timezone="UTC")
        assert next_run(task, datetime(2026, 6, 1, 12, tzinfo=UTC)) == datetime(2026, 6, 2, tzinfo=UTC)

    def test_a_first_run_on_an_excluded_date_comes_right_after_that_date(self, registry: Frozen) -> None:
        task = registry.register(task_with(id="a", every={"hours": 5}, exclude=["2026-06-01"]))
        registry.tick_at(NOON)
        assert registry.why_not("a") == "due in 43200 s at 2026-06-02 00:00:00"
        registry.tick_at(NOON + 12 * HOUR + 30 * MINUTE)
        assert [run["run_at"] for run in task.history] == [NOON + 12 * HOUR + 30 * MINUTE]

    def test_exclude_accepts_none_and_the_keys_of_a_dict(self) -> None:
        assert task_with(exclude=None).exclude == ()
        assert task_with(exclude={date(2026, 12, 25): "Christmas"}).exclude == (date(2026, 12, 25),)

    def test_exclude_applies_to_the_nominal_date_of_a_slot(self) -> None:
        # Nuuk's gap at midnight pushes the slot of the 28th into the 29th.
        task = task_with(at="23:30", timezone="America/Nuuk", exclude=["2026-03-28"])
        found = next_run(task, datetime(2026, 3, 28, 12, tzinfo=UTC))
        assert found == datetime(2026, 3, 29, 23, 30, tzinfo=ZoneInfo("America/Nuuk"))

    @pytest.mark.parametrize("value", ["2026-06-02", [5], ["2026-02-30"], [datetime(2026, 6, 2)]])
    def test_exclude_accepts_only_dates(self, value: Any) -> None:
        with pytest.raises(ValidationError, match="exclude must"):
            task_with(at="11:00", exclude=value)


class TestJitter:
    def test_jitter_is_the_same_for_a_task_and_slot_everywhere(self, registry: Frozen) -> None:
        noon = NOON.replace(tzinfo=UTC)
        task = task_with(id="a", every={"minutes": 1}, start_at=noon, jitter=30, timezone="UTC")
        expected = [noon + timedelta(seconds=seconds) for seconds in (7.091663, 70.796933, 147.055913)]
        found, after = [], noon
        for _ in range(3):
            moment = next_run(task, after)
            assert moment is not None
            found.append(moment)
            after = moment
        assert found == expected

    def test_jitter_differs_by_task_and_slot(self) -> None:
        moments = {next_run(task_with(at="11:00", jitter=60), NOON + day * DAY) for day in range(20)}
        assert len({moment.second for moment in moments if moment is not None}) > 5

    def test_jitter_never_reaches_the_next_slot_even_at_a_clock_change(self) -> None:
        pytest.importorskip("cronsim")
        for number in range(300):
            task = task_with(id=str(number), cron="0 2,4 * * *", timezone="Europe/Berlin", jitter=7100)
            moments, after = [], datetime(2026, 3, 28, tzinfo=UTC)
            for _ in range(6):
                moment = next_run(task, after)
                assert moment is not None
                moments.append(moment)
                after = moment
            assert len({(at.date(), at.hour >= 4) for at in moments}) == 6, moments

    def test_the_first_run_has_no_jitter(self, registry: Frozen) -> None:
        task = registry.register(task_with(id="a", every={"minutes": 1}, jitter=50))
        registry.tick_at(NOON)
        following = next_run(task, NOON)
        assert following is not None
        assert following > NOON + MINUTE
        assert str(following) in registry.why_not("a")

    def test_jittered_runs_start_at_the_moments_that_upcoming_lists(self, registry: Frozen) -> None:
        task = registry.register(task_with(id="a", every={"minutes": 1}, start_at=NOON, jitter=50))
        planned = [run.at for run in registry.upcoming(until=NOON + 319 * SECOND)]
        for second in range(320):
            registry.tick_at(NOON + second * SECOND)
        late = [run["run_at"] - moment for run, moment in zip(task.history, planned, strict=True)]
        assert len(late) >= 5
        assert all(timedelta(0) <= delay < SECOND for delay in late)

    @pytest.mark.parametrize(
        ("fields", "interval"),
        [
            ({"every": {"seconds": 30}}, "30"),
            ({"at": "07:00"}, "75600"),
            ({"at": ["07:00", "07:30", "23:00"]}, "1800"),
            ({"at": ["00:10", "23:50"]}, "1200"),
            ({"at": ["09:00", "18:00"], "on": "sat"}, "32400"),
            ({"cron": "*/5 * * * *"}, "300"),
        ],
    )
    def test_jitter_must_be_less_than_the_interval(self, fields: dict[str, Any], interval: str) -> None:
        if "cron" in fields:
            pytest.importorskip("cronsim")
        with pytest.raises(ValidationError) as caught:
            task_with(**fields, jitter=80_000)
        assert missing(only_error(caught), "jitter", f"less than the {interval} s", "got 80000") == []

    def test_an_interval_cannot_be_made_shorter_than_the_jitter(self) -> None:
        task = task_with(every={"seconds": 30}, jitter=20)
        with pytest.raises(ValueError, match="jitter must be less than the 10 s between slots, got 20"):
            task.every = {"seconds": 10}
        assert task.every == {"seconds": 30}


zones = st.sampled_from([None, "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "America/Nuuk"])
kinds = st.one_of(
    st.fixed_dictionaries(
        {"every": st.sampled_from([{"minutes": 7}, {"hours": 5}]), "jitter": st.sampled_from([None, 300])}
    ),
    st.fixed_dictionaries(
        {"at": st.sampled_from(["00:00", "02:30", "23:45"]), "jitter": st.sampled_from([None, 3000])}
    ),
    st.fixed_dictionaries(
        {
            "at": st.sampled_from(["02:30", ("00:00", "01:00", "02:30", "23:45")]),
            "on": st.sampled_from(["sat-mon", "8", "2nd sun", "last"]),
            "jitter": st.sampled_from([None, 890]),
        }
    ),
    st.fixed_dictionaries(
        {
            "cron": st.sampled_from(["*/20 * * * *", "30 2 * * *", "15,45 1-3 * * sun"]),
            "jitter": st.sampled_from([None, 1000]),
        }
    ),
)
limits = st.fixed_dictionaries(
    {
        "start_at": st.sampled_from([None, datetime(2026, 3, 8, 1, 30)]),
        "end_at": st.sampled_from([None, datetime(2026, 3, 10, 4)]),
        "exclude": st.sampled_from([(), ("2026-03-08",), ("2026-03-07", "2026-03-09")]),
    }
)


@given(kind=kinds, limit=limits, zone=zones, hours=st.integers(0, 100))
def test_next_run_is_strictly_increasing_within_the_limits(
    kind: dict[str, Any], limit: dict[str, Any], zone: str | None, hours: int
) -> None:
    if "cron" in kind:
        pytest.importorskip("cronsim")
    task = task_with(**kind, **limit, timezone=zone, first_run_at=datetime(2026, 3, 1))
    moments, after = [], datetime(2026, 3, 6) + hours * HOUR
    for _ in range(10):
        moment = next_run(task, after)
        if moment is None:
            break
        moments.append(moment)
        after = moment
    instants = [moment.timestamp() for moment in moments]
    assert all(earlier < later for earlier, later in pairwise(instants))
    for moment in moments:
        assert (moment.tzinfo is None) == (zone is None)
        wall = moment.replace(tzinfo=None)
        assert limit["start_at"] is None or wall >= limit["start_at"]
        assert limit["end_at"] is None or wall <= limit["end_at"]


def test_a_machine_in_any_zone_runs_a_zoned_task_at_the_same_instant(set_zone: Callable[[str], None]) -> None:
    instants = set()
    for machine in ("UTC", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe"):
        set_zone(machine)
        task = task_with(at="14:30", timezone="Asia/Seoul")
        instants.add(next_run(task, datetime(2026, 6, 1, 5, 0, tzinfo=UTC)))
    assert instants == {datetime(2026, 6, 1, 14, 30, tzinfo=SEOUL)}


class TestFirstSlot:
    """First slot of a schedule that does not run at once."""

    @pytest.fixture(autouse=True)
    def needs_cronsim(self) -> None:
        pytest.importorskip("cronsim")

    def test_the_first_cron_slot_is_the_next_after_registration_and_is_caught_up_if_missed(
        self, registry: Frozen
    ) -> None:
        registry.now = NOON
        task = registry.register(task_with(id="a", cron="0 * * * *"))
        task.jitter = 5
        registry.tick_at(NOON + HOUR + MINUTE)
        assert [run["run_at"] for run in task.history] == [NOON + HOUR + MINUTE]

    def test_the_first_slot_of_an_assigned_schedule_follows_the_assignment(self, registry: Frozen) -> None:
        registry.now = NOON
        task = registry.register(task_with(id="a", at="23:00"))
        registry.tick_at(NOON + 2 * HOUR)
        task.at, task.cron = None, "0 * * * *"
        registry.tick_at(NOON + 2 * HOUR + MINUTE)
        assert (task.history, registry.why_not("a")) == ([], "due in 3540 s at 2026-06-01 15:00:00")

    def test_the_first_slot_moves_back_with_the_clock(self, registry: Frozen) -> None:
        registry.now = NOON + 365 * DAY
        registry.register(task_with(id="a", cron="0 * * * *"))
        registry.tick_at(NOON)
        assert registry.why_not("a") == "due in 3600 s at 2026-06-01 13:00:00"

    def test_asking_whether_an_unregistered_task_is_due_does_not_start_its_schedule(self, registry: Frozen) -> None:
        task = task_with(id="a", cron="0 * * * *")
        assert not registry._should_run(task, NOON)
        registry.now = NOON + HOUR
        registry.register(task)
        assert registry.why_not("a") == "due in 3600 s at 2026-06-01 14:00:00"


class TestEndsOfTheCalendar:
    @pytest.mark.parametrize(
        "fields",
        [
            {"run_at": datetime.max, "jitter": 60},
            {"run_at": datetime.max, "timezone": "Asia/Seoul"},
            {"run_at": datetime.max, "timezone": "America/New_York"},
            {"at": "12:00", "timezone": "Asia/Seoul", "last_run_at": datetime.max.replace(tzinfo=UTC)},
            {"at": "12:00", "id": "\ud800", "jitter": 60},
        ],
    )
    def test_a_schedule_at_the_end_of_the_calendar_raises_no_error(
        self, registry: Frozen, fields: dict[str, Any]
    ) -> None:
        task = registry.register(task_with(**fields))
        registry.tick_at(NOON)
        assert registry.why_not(task.id).startswith("due in")
        moments = [to_utc(run.at) for run in registry.upcoming(limit=3)]
        assert moments == sorted(set(moments)) != []  # none twice

    def test_jitter_beyond_the_end_of_the_calendar_is_left_out(self) -> None:
        slot = datetime.max.replace(tzinfo=UTC)
        assert next_run(task_with(run_at=slot, timezone="UTC", jitter=60), NOON) == slot
        early = slot - timedelta(seconds=61)
        moment = next_run(task_with(run_at=early, timezone="UTC", jitter=60), NOON)
        assert moment is not None
        assert early < moment < slot

    @pytest.mark.parametrize("zone", [None, "UTC", "Asia/Seoul", "America/New_York"])
    @pytest.mark.parametrize(
        "fields", [{"every": {"hours": 1}}, {"at": "12:00"}, {"cron": "0 12 * * *"}, {"run_at": datetime(2026, 6, 1)}]
    )
    def test_the_next_run_after_the_ends_of_the_calendar_is_the_first_of_all_and_none(
        self, zone: str | None, fields: dict[str, Any]
    ) -> None:
        if "cron" in fields:
            pytest.importorskip("cronsim")
        task = task_with(timezone=zone, **fields)
        for tz in (None, UTC, SEOUL, ZoneInfo("America/New_York")):
            moment = next_run(task, datetime.min.replace(tzinfo=tz))
            assert moment is not None
            assert moment.year == (2026 if "run_at" in fields else 1)
            late = next_run(task, datetime.max.replace(tzinfo=tz))
            # Some hours of UTC are left after the last moment of a wall clock ahead of it.
            assert late is None or (late.year, tz) in ((9999, None), (9999, SEOUL))

    @pytest.mark.parametrize("zone", [None, "Asia/Seoul", "America/New_York"])
    @pytest.mark.parametrize("now", [datetime.min, datetime.max])
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"start_at": datetime.min},
            {"end_at": datetime.max},
            {"exclude": [date.min, date.max]},
            {"misfire_grace": 5, "last_run_at": datetime.min},
            {"misfire_grace": 5, "last_run_at": datetime.max, "misfired_at": datetime.max},
            {"jitter": 60},
        ],
    )
    def test_a_registry_at_the_ends_of_the_calendar_raises_no_error(
        self, registry: Frozen, now: datetime, zone: str | None, fields: dict[str, Any]
    ) -> None:
        pytest.importorskip("cronsim")
        registry.now = now
        kinds: list[dict[str, Any]] = [
            {"every": {"hours": 1}},
            {"at": "00:30"},
            {"at": "23:30"},
            {"at": ["00:30", "23:30"], "on": "1,last"},
            {"at": "00:30", "on": "29 feb"},
            {"cron": "*/5 * * * *"},
            {"run_at": datetime.max},
        ]
        for number, kind in enumerate(kinds):
            registry.register(task_with(id=str(number), timezone=zone, **kind, **fields))
        for task in list(registry):
            assert describe(task)
            assert registry.why_not(task.id)
        assert list(registry.upcoming(limit=3)) is not None
        assert list(islice(simulate(registry, now, max(now, datetime(1, 1, 1, 1))), 5)) is not None
        registry.tick()
        assert registry.idle_seconds() is None or registry.why_not("0")

    @pytest.mark.parametrize(("zone", "now"), [("America/New_York", datetime.min), ("Asia/Seoul", datetime.max)])
    def test_a_simulation_ends_though_no_wall_clock_shows_the_next_moment(
        self, registry: Frozen, set_zone: Callable[[str], None], zone: str, now: datetime
    ) -> None:
        set_zone(zone)
        kinds: list[dict[str, Any]] = [{"every": {"hours": 1}}, {"at": "23:30"}, {"at": "00:30", "on": "mon-sun"}]
        for number, fields in enumerate(kinds):
            registry.register(task_with(id=str(number), **fields))
        begin = now if now == datetime.min else now - DAY
        assert len(list(simulate(registry, begin, begin + DAY))) < 40
