"""Retry: the due moments, limits and fields of retries."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from pydantic import ValidationError

from est_alan_scheduler import CurrentRun, Retry, Task, TaskRegistry, TaskStatus, current_run
from est_alan_scheduler.schedules.due import due_retry
from tests import jobs
from tests.frozen import START, Frozen, work
from tests.messages import missing, only_error
from tests.ways import wait_until

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
THREE = Retry(max_retries=3, jitter=0)  # after 1, 2 and 4 seconds


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def failing(times: float, error: BaseException | None = None) -> Callable[[], str]:
    """Return a function that fails `times` times, then succeeds."""
    calls = 0

    def fail() -> str:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error or ValueError("boom")
        return "done"

    return fail


def failing_task(times: float = math.inf, **fields: Any) -> Task:
    given: dict[str, Any] = {"id": "a", "func": failing(times), "retry": THREE}
    return Task(**given | fields)


def attempts(registry: Frozen, task: Task, until: datetime) -> list[tuple[str, int]]:
    """Tick whenever the registry says so; return the time and the attempt number of each run."""
    registry.register(task)
    while registry.now <= until:
        registry.tick()
        idle = registry.idle_seconds()
        if idle is None:
            break
        registry.now += timedelta(seconds=idle)
    return [(f"{run['run_at']:%d %H:%M:%S}", run["attempt"]) for run in task.history]


class TestDueMoments:
    """The whole sequence of attempts, for each kind of schedule."""

    def test_attempts_of_an_every_task(self, registry: Frozen) -> None:
        assert attempts(registry, failing_task(every={"seconds": 20}), START + 50 * SECOND) == [
            ("01 12:00:00", 1),
            ("01 12:00:01", 2),
            ("01 12:00:03", 3),
            ("01 12:00:07", 4),
            ("01 12:00:20", 1),
            ("01 12:00:21", 2),
            ("01 12:00:23", 3),
            ("01 12:00:27", 4),
            ("01 12:00:40", 1),
            ("01 12:00:41", 2),
            ("01 12:00:43", 3),
            ("01 12:00:47", 4),
        ]

    def test_attempts_of_an_at_task(self, registry: Frozen) -> None:
        retry = Retry(max_retries=2, delay=3600, backoff=1, jitter=0)
        assert attempts(registry, failing_task(at="22:30", retry=retry), START + 2 * DAY) == [
            ("01 22:30:00", 1),
            ("01 23:30:00", 2),
            ("02 00:30:00", 3),
            ("02 22:30:00", 1),
            ("02 23:30:00", 2),
            ("03 00:30:00", 3),
        ]

    def test_attempts_of_a_cron_task(self, registry: Frozen) -> None:
        pytest.importorskip("cronsim")
        assert attempts(registry, failing_task(2, cron="*/5 * * * *"), START + 10 * MINUTE) == [
            ("01 12:05:00", 1),
            ("01 12:05:01", 2),
            ("01 12:05:03", 3),
            ("01 12:10:00", 1),
        ]

    def test_attempts_of_a_run_at_task(self, registry: Frozen) -> None:
        task = failing_task(run_at=START + HOUR)
        assert attempts(registry, task, START + DAY) == [
            ("01 13:00:00", 1),
            ("01 13:00:01", 2),
            ("01 13:00:03", 3),
            ("01 13:00:07", 4),
        ]
        assert (task.status, task.attempt, task.retry_at, registry.idle_seconds()) == (TaskStatus.FAILED, 4, None, None)

    def test_a_success_ends_the_retries(self, registry: Frozen) -> None:
        task = failing_task(2, run_at=START)
        assert attempts(registry, task, START + DAY) == [("01 12:00:00", 1), ("01 12:00:01", 2), ("01 12:00:03", 3)]
        assert (task.status, task.attempt, task.retry_at) == (TaskStatus.SUCCESS, 3, None)

    def test_a_slot_before_the_retry_takes_over_as_attempt_1(self, registry: Frozen) -> None:
        task = failing_task(every={"seconds": 10}, retry=Retry(max_retries=9, delay=4, backoff=2, jitter=0))
        assert attempts(registry, task, START + 25 * SECOND) == [
            ("01 12:00:00", 1),
            ("01 12:00:04", 2),
            ("01 12:00:10", 1),  # the second retry was due at 12:00:12
            ("01 12:00:14", 2),
            ("01 12:00:20", 1),
            ("01 12:00:24", 2),
        ]

    def test_delays_grow_by_backoff_up_to_max_delay(self, registry: Frozen) -> None:
        retry = Retry(max_retries=5, delay=10, backoff=3, max_delay=60, jitter=0)
        assert attempts(registry, failing_task(run_at=START, retry=retry), START + DAY) == [
            ("01 12:00:00", 1),
            ("01 12:00:10", 2),
            ("01 12:00:40", 3),
            ("01 12:01:40", 4),
            ("01 12:02:40", 5),
            ("01 12:03:40", 6),
        ]

    def test_a_retry_runs_after_end_at_and_on_excluded_dates(self, registry: Frozen) -> None:
        task = failing_task(2, at="23:59", end_at=START + 12 * HOUR, exclude=["2026-06-02"], retry=THREE)
        task.retry = Retry(max_retries=1, delay=60, jitter=0)
        assert attempts(registry, task, START + DAY) == [("01 23:59:00", 1), ("02 00:00:00", 2)]

    def test_a_retry_delay_is_elapsed_time_through_a_clock_change(
        self, registry: Frozen, set_zone: Callable[[str], None]
    ) -> None:
        set_zone("America/New_York")
        registry.now = datetime(2026, 3, 8, 1, 59, 59)
        task = failing_task(1, run_at=registry.now)
        registry.register(task)
        registry.tick()
        assert task.retry_at == datetime(2026, 3, 8, 3)

    def test_retry_at_is_in_the_zone_of_the_task(self, set_zone: Callable[[str], None]) -> None:
        set_zone("Australia/Lord_Howe")
        with freeze_time("2026-06-01 05:30:00") as frozen:
            registry = TaskRegistry()
            task = registry.register(failing_task(1, at="14:30", timezone="Asia/Seoul"))
            registry.tick()
            assert task.retry_at == datetime(2026, 6, 1, 14, 30, 1, tzinfo=ZoneInfo("Asia/Seoul"))
            assert registry.idle_seconds() == 1
            frozen.tick(1)
            registry.tick()
            assert [run["attempt"] for run in task.history] == [1, 2]


class TestOutcome:
    def test_current_run_has_the_attempt_number_and_the_slot_of_the_first_attempt(self, registry: Frozen) -> None:
        seen = []

        def look() -> None:
            seen.append(current_run())
            raise ValueError

        registry.register(Task(id="a", run_at=START - MINUTE, func=look, retry=THREE))
        for second in (0, 1, 3, 7):
            registry.tick_at(START + second * SECOND)
        assert seen == [CurrentRun("a", START - MINUTE, attempt) for attempt in (1, 2, 3, 4)]

    def test_a_retry_at_set_by_hand_retries_the_slot_of_the_last_run(self, registry: Frozen) -> None:
        seen = []

        def look() -> None:
            run = current_run()
            seen.append(run and (run.slot, run.attempt))
            if len(seen) == 1:
                raise ValueError

        task = registry.register(Task(id="a", every={"hours": 1}, func=look, retry=THREE))
        for moment in (START, START + SECOND, START + HOUR):
            registry.tick_at(moment)
        task.retry_at = START + HOUR + SECOND
        registry.tick_at(START + HOUR + SECOND)
        assert seen == [(START, 1), (START, 2), (START + HOUR, 1), (START + HOUR, 2)]

    @pytest.mark.parametrize("is_asked_for", [False, True], ids=["the first of every", "a run that was asked for"])
    def test_the_first_start_is_the_slot_of_a_run_without_one(self, registry: Frozen, is_asked_for: bool) -> None:
        seen = []

        def look() -> None:
            run = current_run()
            seen.append(run and (run.slot, run.attempt))
            raise ValueError

        fields: dict[str, Any] = {"run_at": START + HOUR} if is_asked_for else {"every": {"hours": 1}}
        registry.register(Task(id="a", func=look, retry=THREE, **fields))
        if is_asked_for:
            registry.run_now("a")
        for second in (0, 1, 3):
            registry.tick_at(START + second * SECOND)
        assert seen == [(START, 1), (START, 2), (START, 3)]

    @pytest.mark.parametrize(
        ("on", "error", "is_retried"),
        [
            ((Exception,), ValueError(), True),
            ((LookupError, OSError), KeyError(), True),
            ((LookupError, OSError), ValueError(), False),
            ((Exception,), SystemExit(1), False),
            (SystemExit, SystemExit(1), True),
        ],
    )
    def test_only_the_errors_in_on_are_retried(
        self, registry: Frozen, on: Any, error: BaseException, is_retried: bool
    ) -> None:
        task = registry.register(
            failing_task(run_at=START, func=failing(1, error), retry=Retry(max_retries=1, jitter=0, on=on))
        )
        registry.tick()
        assert task.retry_at == (START + SECOND if is_retried else None)

    def test_ctrl_c_is_not_retried_by_default(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START, func=failing(1, KeyboardInterrupt())))
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        assert (task.status, task.retry_at) == (TaskStatus.FAILED, None)

    def test_a_timeout_is_retried_as_a_timeout_error(self) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            task = registry.register(
                Task(
                    run_at=START,
                    func=lambda: frozen.tick(2),
                    timeout=1,
                    retry=Retry(max_retries=1, jitter=0, on=(TimeoutError,)),
                )
            )
            registry.tick()
            assert (task.error_message, task.retry_at) == (
                "TimeoutError: the run took longer than its timeout of 1 s",
                START + 3 * SECOND,
            )

    def test_after_the_last_retry_the_task_is_failed_until_its_next_slot(self, registry: Frozen) -> None:
        task = registry.register(failing_task(2, every={"minutes": 1}, retry=1))
        registry.tick()
        registry.tick_at(START + 2 * SECOND)
        assert (task.status, task.attempt, task.retry_at, registry.idle_seconds()) == (TaskStatus.FAILED, 2, None, 58)
        registry.tick_at(START + MINUTE)
        assert (task.status, task.attempt) == (TaskStatus.SUCCESS, 1)

    def test_a_retry_without_a_delay_is_due_in_the_next_tick(self, registry: Frozen) -> None:
        task = registry.register(failing_task(2, run_at=START, retry=Retry(delay=0)))
        registry.tick()
        assert (len(task.history), registry.idle_seconds()) == (1, 0)
        registry.tick()
        registry.tick()
        assert (task.status, len(task.history)) == (TaskStatus.SUCCESS, 3)

    def test_why_not_names_the_waiting_retry(self, registry: Frozen) -> None:
        registry.register(failing_task(run_at=START, retry=Retry(max_retries=3, delay=3, jitter=0)))
        registry.tick()
        expected = "retries (attempt 2 of 4) in 3 s at 2026-06-01 12:00:03, after ValueError: boom"
        assert registry.why_not("a") == expected
        registry.now += 3 * SECOND
        assert registry.why_not("a") == "due now, it runs with the next tick"

    def test_upcoming_lists_the_retry_and_the_slots_after_it(self, registry: Frozen) -> None:
        registry.register(failing_task(every={"seconds": 10}))
        registry.tick()
        moments = [run.at for run in registry.upcoming(limit=3)]
        assert moments == [START + SECOND, START + 10 * SECOND, START + 20 * SECOND]


class TestRetryWithOtherFields:
    def test_a_late_retry_is_not_a_misfire(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, at="12:00", misfire_grace=5))
        registry.tick()
        registry.tick_at(START + HOUR)
        assert ([run["attempt"] for run in task.history], task.misfires) == ([1, 2], 0)

    def test_a_slot_that_misfires_does_not_replace_the_retry(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, every={"hours": 1}, misfire_grace=5))
        registry.tick()
        registry.tick_at(START + HOUR + 6 * SECOND)
        assert ([run["attempt"] for run in task.history], task.misfires) == ([1, 2], 1)

    def test_a_retry_is_due_though_a_slot_has_misfired(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, every={"hours": 1}, misfire_grace=5))
        registry.tick()
        late = START + HOUR + 6 * SECOND
        assert [registry._should_run(task, moment) for moment in (START, START + SECOND, late)] == [False, True, True]

    def test_a_jittered_task_is_retried_after_its_delay(self, registry: Frozen) -> None:
        task = failing_task(1, at="13:00", jitter=600)
        moments = attempts(registry, task, START + 3 * HOUR)
        assert [attempt for _, attempt in moments] == [1, 2]
        assert task.history[1]["run_at"] == task.history[0]["finished_at"] + SECOND

    def test_a_later_run_at_replaces_the_retry(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        task.run_at = START + SECOND / 2
        registry.tick_at(START + SECOND)
        assert (task.attempt, len(task.history)) == (1, 2)

    def test_a_task_without_a_schedule_is_not_retried(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        task.run_at = None
        registry.tick_at(START + HOUR)
        assert len(task.history) == 1

    @pytest.mark.parametrize("field", ["retry", "retry_at"])
    def test_assigning_none_cancels_a_waiting_retry(self, registry: Frozen, field: str) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        setattr(task, field, None)
        registry.tick_at(START + HOUR)
        assert (len(task.history), registry.idle_seconds()) == (1, None)

    @pytest.mark.parametrize("max_retries", [0, 1])
    def test_a_lowered_max_retries_cancels_a_waiting_retry(self, registry: Frozen, max_retries: int) -> None:
        task = registry.register(failing_task(every={"hours": 1}))
        for second in (0, 1):
            registry.tick_at(START + second * SECOND)
        registry.update("a", retry=max_retries)
        assert due_retry(task) is None
        for second in (3, 7, 3600):
            registry.tick_at(START + second * SECOND)
        assert [run["attempt"] for run in task.history] == [1, 2, 1]

    def test_assigning_retry_at_moves_the_retry(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, run_at=START))
        registry.tick()
        task.retry_at = START + HOUR
        registry.tick_at(START + HOUR - SECOND)
        assert len(task.history) == 1
        registry.tick_at(START + HOUR)
        assert task.attempt == 2

    def test_execute_is_attempt_1_unless_the_retry_is_due(self, registry: Frozen) -> None:
        task = registry.register(failing_task(run_at=START))
        registry.tick()
        registry._execute(task)
        assert (task.attempt, task.retry_at) == (1, START + SECOND)
        registry.now = START + SECOND
        registry._execute(task)
        assert (task.attempt, task.retry_at) == (2, START + 3 * SECOND)

    def test_a_retry_waits_for_its_due_moment_after_the_clock_goes_back(self, registry: Frozen) -> None:
        task = registry.register(failing_task(1, run_at=START))
        registry.tick()
        registry.tick_at(START - HOUR)
        assert (len(task.history), registry.idle_seconds()) == (1, 3601)
        registry.tick_at(START + SECOND)
        assert (task.attempt, task.status) == (2, TaskStatus.SUCCESS)

    def test_a_retry_runs_once_after_the_clock_jumps_ahead(self, registry: Frozen) -> None:
        task = registry.register(failing_task(2, run_at=START))
        registry.tick()
        registry.tick_at(START + 30 * DAY)
        assert (task.attempt, task.retry_at) == (2, START + 30 * DAY + 2 * SECOND)

    def test_a_waiting_retry_holds_no_worker(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            task = registry.register(failing_task(1, run_at=datetime.now(), retry=Retry(delay=3600, max_delay=3600)))
            registry.tick()
            wait_until(lambda: bool(task.history))
            other = registry.register(Task(run_at=datetime.now(), func=work))
            registry.tick()
            wait_until(lambda: bool(other.history))
            assert (len(task.history), registry.pending()) == (1, ([], None))
            task.retry_at = datetime.now()
            registry.tick()
            wait_until(lambda: len(task.history) == 2)
        assert (task.status, task.attempt) == (TaskStatus.SUCCESS, 2)

    def test_a_run_interrupted_by_shutdown_is_retried(self, tmp_path: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            task = registry.register(
                Task(run_at=datetime.now(), func=jobs.hold, args=(str(tmp_path),), retry=Retry(delay=0))
            )
            registry.tick()
            assert registry.shutdown(0) is False
            assert (task.error_message, task.attempt) == ("RuntimeError: interrupted by shutdown", 1)
            registry.tick()
            assert len(task.history) == 1  # the old call still goes on
            jobs.release_unstarted(str(tmp_path))
            wait_until(lambda: registry.idle_seconds() == 0)
            registry.tick()
            wait_until(lambda: len(task.history) == 2)
        assert (task.status, task.attempt) == (TaskStatus.SUCCESS, 2)


class TestPolicy:
    def test_the_defaults_of_retry(self) -> None:
        assert Retry().model_dump() == {
            "max_retries": 3,
            "delay": 1.0,
            "backoff": 2.0,
            "max_delay": 60.0,
            "jitter": 0.1,
            "on": (Exception,),
        }

    def test_a_number_means_max_retries(self) -> None:
        assert failing_task(at="07:00", retry=5).retry == Retry(max_retries=5)

    def test_a_long_delay_needs_no_max_delay(self) -> None:
        assert Retry(delay=300).max_delay == 300

    @pytest.mark.parametrize(
        ("field", "value", "parts"),
        [
            ("max_retries", -1, ["whole number", "at least 0", "got -1"]),
            ("max_retries", True, ["whole number", "at least 0", "got True"]),
            ("max_retries", 1.5, ["whole number", "at least 0", "got 1.5"]),
            ("delay", -1, ["seconds", "from 0 to 1e+09", "got -1"]),
            ("delay", math.nan, ["seconds", "from 0 to 1e+09", "got nan"]),
            ("delay", "1", ["seconds", "from 0 to 1e+09", "got '1'"]),
            ("backoff", 0.5, ["from 1 to 1e+06", "got 0.5"]),
            ("max_delay", math.inf, ["seconds", "from 0 to 1e+09", "got inf"]),
            ("max_delay", 0.5, ["at least the delay of 1 s", "got 0.5"]),
            ("jitter", 2, ["from 0 to 1", "got 2"]),
            ("on", (int,), ["exception classes", "got (<class 'int'>,)"]),
            ("on", (), ["exception classes", "got ()"]),
            ("on", "ValueError", ["exception classes", "got 'ValueError'"]),
            ("max_retry", 1, ["did you mean 'max_retries'?", "delay, backoff, max_delay, jitter, on"]),
        ],
    )
    def test_an_invalid_retry_option_is_one_error(self, field: str, value: Any, parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            Retry(**{field: value})
        assert missing(only_error(caught), field, *parts) == []

    @pytest.mark.parametrize("value", [True, "3", 1.5])
    def test_a_retry_field_that_is_no_policy_and_no_number_is_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            failing_task(at="07:00", retry=value)
        assert missing(only_error(caught), "retry must be a Retry", "whole number", "None", f"got {value!r}") == []

    def test_jitter_is_the_same_for_a_task_slot_and_attempt(self) -> None:
        retry = Retry(max_retries=9, delay=10, backoff=1, jitter=0.5)
        delays = [retry.seconds_after(attempt, ValueError(), "a", START) for attempt in (1, 2, 3)]
        assert delays == pytest.approx([13.726578, 11.092273, 12.058655], abs=1e-6)
        others = {
            retry.seconds_after(1, ValueError(), task_id, START + day * DAY) for task_id in "ab" for day in range(5)
        }
        assert len(others) == 10
        assert all(10 <= delay < 15 for delay in others if delay is not None)

    def test_a_backoff_that_overflows_gives_max_delay(self) -> None:
        retry = Retry(max_retries=10_000, backoff=1e6, jitter=0)
        assert retry.seconds_after(10_000, ValueError(), "a", START) == 60

    def test_a_zero_delay_stays_zero_for_any_attempt(self) -> None:
        retry = Retry(max_retries=3000, delay=0)
        assert {retry.seconds_after(attempt, ValueError(), "a", START) for attempt in (1, 1024, 1025, 3000)} == {0.0}

    def test_a_retry_policy_survives_the_json_round_trip(self) -> None:
        task = Task(id="a", at="07:00", func=jobs.boom, retry=Retry(on=(ValueError, jobs.OddError)), retry_at=START)
        text = task.model_dump_json()
        assert '"on":["builtins:ValueError","tests.jobs:OddError"]' in text
        assert Task.model_validate_json(text) == task

    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("builtins:Nothing", ["has no attribute 'Nothing'", "module-level class", "'module:qualname'"]),
            ("ValueError", ["did you mean 'builtins:ValueError'?", "module-level class", "'module:qualname'"]),
            ("builtins:len", ["exception classes"]),
        ],
    )
    def test_a_json_name_that_is_no_exception_class_is_one_error(self, name: str, parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            Retry.model_validate_json(f'{{"on": ["{name}"]}}')
        assert missing(only_error(caught), "on", repr(name), *parts) == []

    def test_a_retry_policy_is_immutable(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Retry().delay = 5

    def test_a_task_that_never_ran_has_no_due_retry(self) -> None:
        assert due_retry(failing_task(at="07:00")) is None


class RaisingType(type):
    """A metaclass whose `isinstance` check raises."""

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("do not ask")


class RaisingError(Exception, metaclass=RaisingType):
    """An exception class with that metaclass."""


def test_a_failure_is_recorded_though_isinstance_with_the_class_in_on_raises(
    registry: Frozen, caplog: pytest.LogCaptureFixture
) -> None:
    task = registry.register(failing_task(every={"hours": 1}, retry=Retry(on=(RaisingError,))))
    registry.tick()
    assert (task.status, task.error_message, task.retry_at) == (TaskStatus.FAILED, "ValueError: boom", None)
    assert caplog.messages[0] == "Whether to retry task 'a' could not be told; it is not."


def test_a_task_with_a_surrogate_in_its_id_is_retried(registry: Frozen) -> None:
    task = registry.register(failing_task(id="\ud800", every={"hours": 1}, retry=Retry(jitter=0.1)))
    registry.tick()
    assert task.status is TaskStatus.FAILED
    assert task.retry_at is not None
