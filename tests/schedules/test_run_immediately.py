"""`run_immediately=False`: no run for what was before the registration."""

from datetime import date, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, next_run, simulate
from est_alan_scheduler.calendar.local_time import to_utc
from tests.frozen import SECOND, START, Frozen, run_times, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def waiting(registry: Frozen, **fields: Any) -> Task:
    given: dict[str, Any] = {"id": "a", "func": work, "run_immediately": False} | fields
    return registry.register(Task(**given))


def first_run(registry: Frozen, until: datetime = START + 3 * DAY) -> datetime | None:
    """Tick at each due moment; return that of the first run."""
    task = registry.store["a"]
    planned = next(iter(registry.upcoming(until=until)), None)
    simulated = next(simulate(registry, registry.now, until), None)
    while not task.history:
        registry.tick()
        idle = registry.idle_seconds()
        if task.history or idle is None or registry.now > until:
            break
        registry.now += timedelta(seconds=idle)
    at = task.last_run_at
    assert [run and run.at for run in (planned, simulated)] == [at, at]
    return at


class TestEvery:
    def test_the_first_run_is_one_interval_after_registration(self, registry: Frozen) -> None:
        task = waiting(registry, every={"minutes": 10})
        assert registry.why_not("a") == "due in 600 s at 2026-06-01 12:10:00"
        assert [next_run(task, START + shift) for shift in (-HOUR, 0 * MINUTE)] == [START + 10 * MINUTE] * 2
        for minute in range(0, 31, 5):
            registry.tick_at(START + minute * MINUTE)
        assert run_times(task) == ["12:10:00", "12:20:00", "12:30:00"]

    def test_a_late_first_run_begins_the_grid(self, registry: Frozen) -> None:
        task = waiting(registry, every={"minutes": 10})
        for minute in (34, 40, 44, 54):
            registry.tick_at(START + minute * MINUTE)
        assert run_times(task) == ["12:34:00", "12:44:00", "12:54:00"]

    def test_the_interval_counts_from_registration_not_from_the_first_tick(self, registry: Frozen) -> None:
        waiting(registry, every={"minutes": 10})
        registry.now += 4 * MINUTE
        assert first_run(registry) == START + 10 * MINUTE

    @pytest.mark.parametrize("zone", [None, "America/New_York"])
    def test_a_zone_changes_nothing(self, registry: Frozen, zone: str | None) -> None:
        waiting(registry, every={"hours": 5}, timezone=zone)
        at = first_run(registry)
        assert at is not None
        assert to_utc(at) == to_utc(START + 5 * HOUR)

    def test_an_excluded_date_has_no_first_run(self, registry: Frozen) -> None:
        waiting(registry, every={"hours": 5}, exclude=[date(2026, 6, 1)])
        assert first_run(registry) == START + 15 * HOUR  # the first step after midnight

    def test_the_first_run_has_its_jitter(self, registry: Frozen) -> None:
        task = waiting(registry, every={"minutes": 10}, jitter=60)
        at = first_run(registry)
        assert at is not None
        assert START + 10 * MINUTE < at < START + 11 * MINUTE
        assert task.first_run_at == at

    def test_no_first_run_after_the_end(self, registry: Frozen) -> None:
        waiting(registry, every={"minutes": 10}, end_at=START + 9 * MINUTE)
        assert first_run(registry) is None

    def test_start_at_is_the_first_slot_as_ever(self, registry: Frozen) -> None:
        waiting(registry, every={"minutes": 10}, start_at=START + MINUTE)
        assert first_run(registry) == START + MINUTE

    def test_a_start_in_the_past_has_its_next_slot(self, registry: Frozen) -> None:
        waiting(registry, every={"minutes": 10}, start_at=START - 3 * MINUTE)
        assert first_run(registry) == START + 7 * MINUTE

    def test_a_first_slot_that_comes_too_late_is_skipped(self, registry: Frozen) -> None:
        task = waiting(registry, every={"minutes": 10}, misfire_grace=60)
        for minute in (12, 20, 30):
            registry.tick_at(START + minute * MINUTE)
        assert (task.misfires, task.misfired_at, run_times(task)) == (1, START + 10 * MINUTE, ["12:20:00", "12:30:00"])

    def test_another_interval_counts_from_its_assignment(self, registry: Frozen) -> None:
        waiting(registry, every={"minutes": 10})
        registry.now += 4 * MINUTE
        registry.update("a", every={"minutes": 20})
        assert first_run(registry) == START + 24 * MINUTE

    def test_the_clock_that_goes_back_costs_no_silence(self, registry: Frozen) -> None:
        registry.now += 400 * DAY
        waiting(registry, every={"minutes": 10})
        registry.tick()
        registry.tick_at(START)
        assert first_run(registry) == START + 10 * MINUTE

    def test_run_now_does_not_wait(self, registry: Frozen) -> None:
        task = waiting(registry, every={"minutes": 10}, retry=Retry(max_retries=1))
        registry.run_now("a")
        registry.tick()
        registry.tick_at(START + 10 * MINUTE)
        assert run_times(task) == ["12:00:00", "12:10:00"]

    def test_the_default_runs_at_once(self, registry: Frozen) -> None:
        waiting(registry, every={"minutes": 10}, run_immediately=True)
        assert first_run(registry) == START


class TestFixedSlots:
    @pytest.mark.parametrize(("at", "day"), [("11:59", 1), ("12:00", 1), ("12:01", 0), ("00:00", 1)])
    def test_a_time_of_day_that_has_passed_waits_for_tomorrow(self, registry: Frozen, at: str, day: int) -> None:
        waiting(registry, at=at)
        hour, minute = map(int, at.split(":"))
        assert first_run(registry) == (START + day * DAY).replace(hour=hour, minute=minute)

    def test_a_slot_since_its_registration_still_counts_later_that_day(self, registry: Frozen) -> None:
        waiting(registry, at="12:30")
        registry.now += 5 * HOUR
        assert first_run(registry) == START + 5 * HOUR

    @pytest.mark.parametrize(("seconds", "at"), [(-1, None), (0, None), (1, START + SECOND)])
    def test_a_moment_that_has_passed_never_comes(self, registry: Frozen, seconds: int, at: datetime | None) -> None:
        waiting(registry, run_at=START + seconds * SECOND)
        assert first_run(registry) == at
        if at is None:
            assert registry.why_not("a") == (
                f"never due: run_at, {START + seconds * SECOND}, had passed when it was registered, and "
                "run_immediately is False"
            )

    @pytest.mark.skipif(find_spec("cronsim") is None, reason="needs the extra cron")
    @pytest.mark.parametrize("run_immediately", [True, False])
    def test_cron_waits_anyway(self, registry: Frozen, run_immediately: bool) -> None:
        waiting(registry, cron="0 * * * *", run_immediately=run_immediately)
        assert first_run(registry) == START + HOUR

    def test_a_task_that_has_run_is_like_any_other(self, registry: Frozen) -> None:
        waiting(registry, at="11:00", last_run_at=START - DAY)
        registry.tick()
        assert run_times(registry.store["a"]) == ["12:00:00"]

    def test_it_means_nothing_for_a_manual_task(self, registry: Frozen) -> None:
        with pytest.raises(ValueError, match="run_immediately would mean nothing"):
            waiting(registry, manual=True)
