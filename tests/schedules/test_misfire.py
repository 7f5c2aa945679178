"""Misfires: slots that are skipped because they are too late."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Task
from tests.frozen import Frozen
from tests.messages import missing, only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

NOON = datetime(2026, 6, 1, 12)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def task_with(**fields: Any) -> Task:
    return Task(func=list, **fields)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class TestMisfire:
    def test_a_misfire_is_skipped_logged_and_counted(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        task = registry.register(task_with(id="a", at="11:00", misfire_grace=60))
        registry.tick_at(NOON)
        assert (task.history, task.misfires, task.misfired_at) == ([], 1, NOON - HOUR)
        late = (
            "Task 'a' skipped its slot of 2026-06-01 11:00:00: it was 3600 s late, more than its misfire_grace of 60 s."
        )
        assert caplog.messages == [late]
        assert registry.why_not("a") == (
            "due in 82800 s at 2026-06-02 11:00:00 "
            "(its slot of 2026-06-01 11:00:00 came later than misfire_grace allows, and was skipped)"
        )
        registry.tick_at(NOON + SECOND)
        assert task.misfires == 1
        registry.tick_at(NOON + DAY - HOUR + 60 * SECOND)
        assert (len(task.history), task.misfires) == (1, 1)
        assert registry.why_not("a").endswith("2026-06-03 11:00:00")

    def test_why_not_names_a_misfire_before_the_tick_that_skips_it(self, registry: Frozen) -> None:
        task = registry.register(task_with(at="11:00", misfire_grace=60))
        expected = "its slot of 2026-06-01 11:00:00 is 3600 s late, more than misfire_grace, and will be skipped"
        assert registry.why_not(task.id) == expected

    def test_why_not_names_the_misfire_when_no_slot_is_left(self, registry: Frozen) -> None:
        registry.register(task_with(id="a", at="11:00", misfire_grace=60, end_at=NOON))
        registry.tick_at(NOON)
        assert registry.why_not("a") == (
            "never due again: no slot is left within start_at, end_at and exclude "
            "(its slot of 2026-06-01 11:00:00 came later than misfire_grace allows, and was skipped)"
        )

    def test_no_misfire_is_counted_while_the_task_waits_for_a_dependency(self, registry: Frozen) -> None:
        task = registry.register(task_with(id="a", every={"minutes": 1}, misfire_grace=1, depends_on=["b"]))
        task.last_run_at = NOON
        for minutes in range(1, 9):
            registry.tick_at(NOON + minutes * MINUTE + 10 * SECOND)
        assert task.misfires == 0
        registry.register(task_with(id="b", run_at=NOON))
        registry.tick()
        registry.tick()
        assert (task.misfires, task.misfired_at) == (1, NOON + 8 * MINUTE)

    def test_every_runs_normally_after_the_clock_goes_back_before_a_misfire(self, registry: Frozen) -> None:
        task = registry.register(task_with(every={"seconds": 10}, misfire_grace=1))
        for moment in (NOON, NOON + 25 * SECOND):
            registry.tick_at(moment)
        assert task.misfires == 1
        for step in range(5):
            registry.tick_at(NOON - HOUR + step * SECOND)
        assert [run["run_at"] for run in task.history] == [NOON, NOON - HOUR]

    def test_missed_slots_coalesce_into_one_run_if_the_latest_is_within_the_grace(self, registry: Frozen) -> None:
        task = registry.register(
            task_with(every={"minutes": 1}, first_run_at=NOON - DAY, last_run_at=NOON - DAY, misfire_grace=10)
        )
        registry.tick_at(NOON + 9 * SECOND)
        assert (len(task.history), task.misfires) == (1, 0)
        registry.tick_at(NOON + 100 * SECOND)  # 40 seconds after the latest slot
        assert (len(task.history), task.misfires, task.misfired_at) == (1, 1, NOON + 60 * SECOND)
        registry.tick_at(NOON + 120 * SECOND)
        assert (len(task.history), task.misfires) == (2, 1)

    def test_a_run_at_that_misfires_never_runs(self, registry: Frozen) -> None:
        task = registry.register(task_with(run_at=NOON - HOUR, misfire_grace=60))
        registry.tick_at(NOON)
        assert (task.history, task.misfires) == ([], 1)
        assert registry.why_not(task.id) == (
            "never due again: its slot of 2026-06-01 11:00:00 came later than misfire_grace allows, and was skipped"
        )

    def test_a_million_missed_slots_count_as_one_misfire(self, registry: Frozen) -> None:
        task = registry.register(
            task_with(every={"milliseconds": 100}, last_run_at=NOON - 11 * DAY, misfire_grace=0.01, end_at=NOON - HOUR)
        )
        registry.tick_at(NOON)
        assert (task.history, task.misfires, task.misfired_at) == ([], 1, NOON - HOUR)

    def test_excluded_slots_are_not_misfires(self, registry: Frozen) -> None:
        task = registry.register(
            task_with(at="11:00", misfire_grace=60, exclude=["2026-06-01"], last_run_at=NOON - DAY - HOUR)
        )
        registry.tick_at(NOON)
        assert (task.misfires, task.misfired_at) == (0, None)

    @pytest.mark.parametrize("field", ["misfire_grace", "jitter", "timeout"])
    @pytest.mark.parametrize("value", [timedelta(0), timedelta(seconds=-1), timedelta(days=20_000)])
    def test_a_timedelta_must_be_greater_than_0_and_no_longer_than_seconds_may_be(
        self, field: str, value: timedelta
    ) -> None:
        with pytest.raises(ValidationError) as caught:
            task_with(every={"hours": 1}, **{field: value})
        assert missing(only_error(caught), field, "a timedelta", f"got {value!r}") == []

    @pytest.mark.parametrize("field", ["misfire_grace", "jitter", "timeout"])
    def test_seconds_may_be_given_as_a_timedelta(self, registry: Frozen, field: str) -> None:
        task = task_with(id="a", every={"hours": 1}, **{field: timedelta(minutes=1, milliseconds=500)})
        assert repr(getattr(task, field)) == "60.5"
        assert getattr(Task.model_validate_json(task.model_dump_json()), field) == 60.5
        registry.register(task)
        change: Any = {field: timedelta(seconds=30)}
        registry.update("a", **change)
        assert repr(getattr(task, field)) == "30.0"
        setattr(task, field, timedelta(seconds=40))
        assert repr(getattr(task, field)) == "40.0"

    @pytest.mark.parametrize("field", ["misfire_grace", "jitter", "timeout"])
    def test_a_number_of_seconds_must_be_greater_than_0(self, field: str) -> None:
        with pytest.raises(ValidationError) as caught:
            task_with(every={"hours": 1}, **{field: 0})
        assert missing(only_error(caught), field, "seconds", "greater than 0", "None", "got 0") == []


def test_a_misfire_is_logged_as_a_warning(registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
    registry.register(task_with(at="11:00", misfire_grace=60))
    registry.tick_at(NOON)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
