"""Steps of the clock: which slots run, when it goes back and when it jumps ahead."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task, simulate
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.due import keep_schedule
from tests.frozen import Frozen
from tests.twin import Clock, ClockedRegistry

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

DAY = datetime(2026, 6, 1)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
YEAR = timedelta(days=365)
GRID: dict[str, Any] = {"every": {"minutes": 30}, "start_at": DAY}
CRON: dict[str, Any] = {"cron": "*/30 * * * *"}
HALF_HOURS = [pytest.param(GRID, id="every"), pytest.param(CRON, id="cron")]


@pytest.fixture
def registry() -> Frozen:
    registry = Frozen()
    registry.now = DAY + 11 * HOUR + 50 * MINUTE
    return registry


def register(registry: ClockedRegistry, **fields: Any) -> Task:
    if "cron" in fields:
        pytest.importorskip("cronsim")
    return registry.register(Task(func=list, **fields))


def tick_at(registry: Frozen, *times: str) -> None:
    for time in times:
        registry.tick_at(datetime.fromisoformat(f"{DAY:%Y-%m-%d} {time}"))


def times_of(task: Task) -> list[str]:
    return [f"{run['run_at']:%H:%M}" for run in task.history]


class TestTheClockGoesBack:
    @pytest.mark.parametrize("fields", HALF_HOURS)
    @pytest.mark.parametrize("limit", [0, 1, 100])
    def test_no_slot_runs_twice(self, registry: Frozen, fields: dict[str, Any], limit: int) -> None:
        task = register(registry, id="a", history_limit=limit, **fields)
        found = []
        registry.on("started", lambda event: found.append(f"{event.slot:%H:%M}"))
        tick_at(registry, "12:00", "12:30", "13:00", "11:45", "12:00", "12:30", "13:00", "13:30")
        assert found == ["12:00", "12:30", "13:00", "13:30"]
        assert len(task.history) == min(limit, 4)

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_slots_from_before_the_first_run_run(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, **fields)
        tick_at(registry, "12:00", "12:30", "10:45", "11:00", "11:30", "12:00", "12:30", "13:00")
        assert times_of(task) == ["12:00", "12:30", "11:00", "11:30", "13:00"]

    @pytest.mark.parametrize("fields", [*HALF_HOURS, pytest.param({"at": "12:30"}, id="at")])
    def test_a_clock_that_stood_a_year_ahead_costs_no_slot(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, **fields)
        tick_at(registry, "12:00", "12:30")
        for minutes in range(0, 60 * 60, 30):  # more runs than the history keeps
            registry.tick_at(DAY + YEAR + 14 * HOUR + minutes * MINUTE)
        runs = len(task.history)
        assert runs > 2
        for hours in range(15, 15 + 48):
            registry.tick_at(DAY + hours * HOUR)
        begun = [run["run_at"] for run in task.history if run["run_at"] < DAY + YEAR]
        expected = 47 if "at" not in fields else 2  # the slot of the hour is the one that the step ahead made up for
        assert len([moment for moment in begun if moment >= DAY + 15 * HOUR]) >= expected

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_of_coalesced_slots_the_first_and_the_latest_have_run(
        self, registry: Frozen, fields: dict[str, Any]
    ) -> None:
        task = register(registry, **fields)
        found = []
        registry.on("started", lambda event: found.append(f"{event.slot:%H:%M}"))
        tick_at(registry, "12:00", "14:10", "12:10", "12:30", "13:00", "13:30", "14:00", "14:30")
        assert found == ["12:00", "12:30", "13:00", "13:30", "14:30"]
        assert times_of(task) == ["12:00", "14:10", "13:00", "13:30", "14:30"]

    def test_a_daily_slot_that_passed_before_a_run_in_a_repeated_hour_runs(self) -> None:
        clock = Clock(datetime(2026, 10, 30, 5))
        registry = ClockedRegistry(clock)
        task = registry.register(Task(func=list, at="01:30", timezone="America/New_York"))

        def tick_at(*moments: tuple[int, int, int]) -> None:
            for day, hour, minute in moments:
                clock.utc = datetime(2026, 10, 1, hour, minute) + (day - 1) * timedelta(days=1)
                registry.tick()

        tick_at((29, 6, 0), (30, 6, 0))
        task.paused = True
        tick_at((31, 6, 0))
        task.paused = False
        tick_at((32, 6, 10), (31, 5, 0), (31, 5, 30))  # 01:10 for the second time; the clock goes back
        assert [f"{run['run_at']:%d %H:%M}" for run in task.history] == ["29 02:00", "30 02:00", "01 01:10", "31 01:30"]

    def test_run_at_runs_once(self, registry: Frozen) -> None:
        task = register(registry, run_at=DAY + 12 * HOUR)
        tick_at(registry, "12:00", "11:00", "12:00", "13:00")
        assert times_of(task) == ["12:00"]

    def test_a_run_at_that_a_wrong_clock_has_run_does_not_run_again(self, registry: Frozen) -> None:
        task = register(registry, run_at=DAY + 12 * HOUR)
        registry.tick_at(DAY + YEAR)
        tick_at(registry, "11:55", "12:00", "13:00")
        assert len(task.history) == 1

    def test_a_run_at_that_is_assigned_after_a_wrong_clock_runs(self, registry: Frozen) -> None:
        task = register(registry, run_at=DAY + 11 * HOUR)
        registry.tick_at(DAY + YEAR)
        tick_at(registry, "11:55")
        task.run_at = DAY + 13 * HOUR
        tick_at(registry, "12:30", "13:00", "13:30")
        assert times_of(task)[1:] == ["13:00"]

    @pytest.mark.parametrize("fields", [*HALF_HOURS, {"at": "12:30"}, {"run_at": DAY + 12 * HOUR + 30 * MINUTE}])
    def test_a_slot_that_was_skipped_ahead_holds_no_task_that_never_ran(
        self, registry: Frozen, fields: dict[str, Any]
    ) -> None:
        task = register(registry, misfire_grace=60, **fields)
        registry.tick_at(DAY + YEAR + 13 * HOUR + 10 * MINUTE)
        assert task.misfired_at is not None
        tick_at(registry, "12:10", "12:30")
        assert times_of(task) == ["12:30"]

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_skipped_slots_have_not_run(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, misfire_grace=60, **fields)
        tick_at(registry, "12:00", "13:10", "13:30", "12:10", "12:30", "13:00", "13:30", "14:00")
        assert (task.misfires, times_of(task)) == (1, ["12:00", "13:30", "12:30", "13:00", "14:00"])

    def test_a_slot_that_is_skipped_again_does_not_run(self, registry: Frozen) -> None:
        task = register(registry, at="12:30", misfire_grace=60)
        for days in (0, -40, 0):
            registry.tick_at(DAY + timedelta(days=days, hours=13))
        assert (task.misfired_at, task.history) == (DAY + timedelta(hours=12, minutes=30), [])

    def test_the_first_slot_of_a_new_task_moves_back_with_the_clock_within_a_day(self, registry: Frozen) -> None:
        task = register(registry, **CRON)
        tick_at(registry, "09:10", "09:30")
        assert times_of(task) == ["09:30"]

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_a_paused_task_makes_up_for_the_slots_since_then(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, **fields)
        tick_at(registry, "12:00", "12:30", "13:00", "10:40")
        task.paused = True
        tick_at(registry, "11:10", "13:10")
        task.paused = False
        tick_at(registry, "13:15", "13:30")
        assert times_of(task) == ["12:00", "12:30", "13:00", "13:15", "13:30"]

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_a_last_run_set_by_hand_lets_its_slots_run_again(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, **fields)
        tick_at(registry, "12:00", "12:30", "13:00")
        task.last_run_at = DAY + 12 * HOUR
        tick_at(registry, "13:01")
        assert times_of(task) == ["12:00", "12:30", "13:00", "13:01"]

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_another_schedule_has_its_own_slots(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, **fields)
        tick_at(registry, "12:00", "12:30", "13:00", "11:45")
        registry.update(task.id, cron=None, every={"minutes": 20}, start_at=DAY)
        tick_at(registry, "12:00", "12:20", "12:40", "13:00", "13:20")
        assert times_of(task) == ["12:00", "12:30", "13:00", "12:40", "13:20"]  # 12:20 has the run of 12:30

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_what_is_planned_leaves_out_what_has_been_run(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, id="a", **fields)
        tick_at(registry, "12:00", "12:30", "13:00", "10:45", "11:00")
        end = DAY + 14 * HOUR
        assert [f"{run.at:%H:%M}" for run in registry.upcoming(until=end)] == ["11:30", "13:30", "14:00"]
        assert [f"{run.at:%H:%M}" for run in simulate(registry, registry.now, end)] == ["11:30", "13:30", "14:00"]
        assert registry.why_not("a") == "due in 1800 s at 2026-06-01 11:30:00"
        assert times_of(task)[-1] == "11:00"

    def test_a_small_step_costs_no_rebuild(self, registry: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
        for fields in (GRID, CRON, {"at": "12:00"}, {"every": {"minutes": 1}}):
            register(registry, **fields)
        tick_at(registry, "11:50", "12:00", "12:30")
        monkeypatch.setattr(registry._agenda, "_rebuild", None)
        for step in (0.01, 0.5, 20.0):
            registry.now -= step * SECOND
            registry.tick()

    @pytest.mark.parametrize("fields", HALF_HOURS)
    def test_a_restart_knows_the_runs_of_the_history(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = register(registry, id="a", **fields)
        tick_at(registry, "12:00", "12:30", "13:00")
        other = Frozen()
        other.now = DAY + 11 * HOUR + 45 * MINUTE
        task = other.register(Task(id="a", func=list, last_run_at=task.last_run_at, history=task.history, **fields))
        tick_at(other, "12:00", "12:30", "13:00", "13:30")
        assert times_of(task) == ["12:00", "12:30", "13:00", "13:30"]

    def test_a_restart_knows_all_runs_of_a_full_history(self, registry: Frozen) -> None:
        task = register(registry, id="a", **GRID)
        for number in range(120):
            registry.tick_at(DAY + 12 * HOUR + number * 30 * MINUTE)
        other = Frozen()
        other.now = DAY + 22 * HOUR  # the twentieth run, and the first that the history has
        task = other.register(Task(id="a", func=list, last_run_at=task.last_run_at, history=task.history, **GRID))
        assert len(task.history) == 100
        for number in range(101):
            other.tick_at(DAY + 22 * HOUR + number * 30 * MINUTE)
        assert other.now == DAY + 72 * HOUR
        assert [run["run_at"] for run in task.history[-2:]] == [DAY + 71.5 * HOUR, DAY + 72 * HOUR]


steps = st.one_of(
    st.sampled_from([7 * MINUTE, 30 * MINUTE, HOUR]),
    st.sampled_from([7 * MINUTE, 30 * MINUTE, HOUR]),
    st.sampled_from([SECOND, 2 * HOUR, 26 * HOUR, YEAR]),
    st.sampled_from([SECOND, 11 * MINUTE, HOUR, 3 * HOUR, 26 * HOUR, YEAR]).map(lambda step: -step),
)
times = [{"at": "12:30"}, {"at": ("11:00", "12:30", "12:31"), "on": "mon,wed-sun"}]
schedules = st.sampled_from([GRID, CRON, *times] if find_spec("cronsim") else [GRID, *times])
zones = st.sampled_from([None, "Asia/Seoul", "America/New_York", "Australia/Lord_Howe"])
graces = st.sampled_from([None, 600])
days = st.sampled_from([DAY, datetime(2026, 3, 8), datetime(2026, 11, 1), datetime(2026, 4, 4)])


class Slots:
    """The slots of a schedule, as it gives them for a clock that only goes forward."""

    def __init__(self, fields: dict[str, Any], begin: datetime, end: datetime) -> None:
        clock = Clock(begin - timedelta(days=3))
        registry = ClockedRegistry(clock)
        registry.register(Task(id="a", func=list, **fields))
        found = [to_utc(run.at) for run in registry.upcoming(until=end.replace(tzinfo=UTC))]
        self.all = sorted(found)

    def latest(self, moment: datetime) -> datetime | None:
        place = bisect_right(self.all, moment)
        return self.all[place - 1] if place else None


@given(fields=schedules, zone=zones, day=days, limit=st.sampled_from([0, 2, 100]), moves=st.lists(steps, max_size=25))
def test_no_slot_starts_twice_and_none_is_skipped_once_the_clock_is_right(
    fields: dict[str, Any], zone: str | None, day: datetime, limit: int, moves: list[timedelta]
) -> None:
    clock = Clock(day + 11 * HOUR + 10 * MINUTE)  # more than a second after a slot
    registry = ClockedRegistry(clock)
    task = registry.register(Task(id="a", func=list, timezone=zone, history_limit=limit, **fields))
    starts: list[tuple[datetime, datetime]] = []
    registry.on("started", lambda event: starts.append((to_utc(event.slot or DAY), clock.utc)))
    for move in moves:
        clock.utc += move
        registry.tick()
    right = clock.utc
    for _ in range(40):
        clock.utc += 15 * MINUTE
        registry.tick()
    seen: dict[datetime, datetime] = {}
    for slot, moment in starts:
        assert slot not in seen, (slot, moment)
        seen[slot] = moment
    every = Slots(fields | {"timezone": zone}, right, clock.utc)
    for slot in every.all:
        if right < slot <= clock.utc:
            covering = [moment for found, moment in starts if found == slot or every.latest(moment) == slot]
            assert covering, (slot, task)


@given(
    fields=schedules, zone=zones, day=days, moves=st.lists(st.tuples(steps, st.booleans()), max_size=25), grace=graces
)
def test_no_slot_starts_twice_though_the_program_starts_anew(
    fields: dict[str, Any], zone: str | None, day: datetime, moves: list[tuple[timedelta, bool]], grace: float | None
) -> None:
    clock = Clock(day + 11 * HOUR + 10 * MINUTE)
    options: dict[str, Any] = {"id": "a", "func": list, "timezone": zone, "misfire_grace": grace, **fields}
    started: list[datetime] = []

    def begin(**past: Any) -> tuple[ClockedRegistry, Task]:
        registry = ClockedRegistry(clock)
        registry.on("started", lambda event: started.append(to_utc(event.slot or DAY)))
        return registry, registry.register(Task(**options, **past))

    registry, task = begin()
    for step, is_new in moves:
        if is_new:
            # Of a run that made up for several slots, the history tells the latest, and not the first.
            schedule = keep_schedule(task)
            assert schedule is not None
            started[:] = [schedule.latest(to_utc(run["run_at"])) or DAY for run in task.history]
            registry, task = begin(last_run_at=task.last_run_at, history=task.history, misfired_at=task.misfired_at)
        known, count = set(started), len(started)
        clock.utc += step
        registry.tick()
        assert known.isdisjoint(started[count:])


def test_a_clock_that_goes_back_leaves_the_slots_since_the_registration_to_a_task_that_has_waited() -> None:
    pytest.importorskip("cronsim")
    clock = Clock(datetime(2026, 6, 1, 12))
    registry = ClockedRegistry(clock)
    task = registry.register(Task(id="a", cron="30 * * * *", timezone="UTC", func=list, depends_on=["b"]))
    registry.register(
        Task(id="c", every={"hours": 1}, func=list)
    )  # its runs lie ahead of the time to which it goes back
    for hour in (20, 13):
        clock.utc = datetime(2026, 6, 1, hour)
        registry.tick()
    registry.register(Task(id="b", run_at=datetime(2026, 6, 1), timezone="UTC", func=list))
    registry.tick()
    registry.tick()
    assert task.status == "success"


def test_an_interrupt_in_the_middle_of_a_change_lets_the_next_tick_file_all_tasks_anew() -> None:
    registry = ClockedRegistry(Clock(datetime(2026, 6, 1, 12)))
    task = registry.register(Task(id="a", every={"hours": 1}, func=list))

    def cut_off() -> None:
        with registry._agenda as agenda:
            agenda.drop(task.id)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    registry.tick()
    assert task.status == "success"
