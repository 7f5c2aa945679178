"""Retries: their due moments, and what a run that fails comes to."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from est_alan_scheduler import CurrentRun, Retry, Task, TaskRegistry, TaskStatus, current_run
from tests.fields.helpers import THREE, attempts, failing, failing_task
from tests.frozen import START, Frozen

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


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
    assert caplog.messages[0] == "Whether to retry task 'a' could not be decided; it is not retried."


def test_a_task_with_a_surrogate_in_its_id_is_retried(registry: Frozen) -> None:
    task = registry.register(failing_task(id="\ud800", every={"hours": 1}, retry=Retry(jitter=0.1)))
    registry.tick()
    assert task.status is TaskStatus.FAILED
    assert task.retry_at is not None


def test_fields_without_names_say_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"^the fields of a Retry are given by name: Retry\(max_retries=3, delay=1\)$"):
        Retry(3)  # type: ignore[call-arg]  # the slip is the test
