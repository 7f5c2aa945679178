"""The runs of a registry: how each is made and recorded."""

import logging
import time

import pytest

from est_alan_scheduler.task import Task, TaskStatus
from tests.frozen import SECOND, START, Frozen, boom, work
from tests.ways import without_seconds

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class TestRun:
    def test_a_success_is_recorded(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=work, error=ValueError("old"), error_message="old"))
        registry.tick()
        assert task.model_dump(include={"status", "result", "error", "error_message"}) == {
            "status": TaskStatus.SUCCESS,
            "result": "done",
            "error": None,
            "error_message": None,
        }
        assert (task.first_run_at, task.last_run_at, task.last_success_at) == (START, START, START)
        assert task.history == [
            {
                "run_at": START,
                "finished_at": START,
                "status": "success",
                "result": "'done'",
                "error": None,
                "attempt": 1,
            }
        ]

    def test_a_failure_is_recorded_and_leaves_the_result_alone(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=boom, result="old"))
        registry.tick()
        assert (task.status, task.result, task.error_message) == (TaskStatus.FAILED, "old", "ValueError: boom")
        assert isinstance(task.error, ValueError)
        assert task.last_success_at is None
        assert task.history == [
            {
                "run_at": START,
                "finished_at": START,
                "status": "failed",
                "result": None,
                "error": "ValueError: boom",
                "attempt": 1,
            }
        ]

    def test_a_failure_is_logged_with_its_traceback(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        registry.register(Task(id="a", every={"seconds": 1}, func=boom))
        registry.tick()
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("est_alan_scheduler", "ERROR")
        assert without_seconds([record.getMessage()]) == ["Task 'a' (boom) failed after N s: ValueError: boom"]
        assert record.exc_info is not None

    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), StopIteration()])
    def test_the_tick_goes_on_after_an_error(self, registry: Frozen, error: BaseException) -> None:
        def fail() -> None:
            raise error

        tasks = [registry.register(Task(every={"seconds": 1}, func=func)) for func in (fail, work)]
        registry.tick()
        assert [task.status for task in tasks] == [TaskStatus.FAILED, TaskStatus.SUCCESS]

    def test_an_interruption_is_recorded_and_raised_and_the_other_tasks_stay_due(self, registry: Frozen) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        tasks = [
            registry.register(Task(id=str(number), every={"seconds": 1}, func=interrupt if number == 2 else work))
            for number in range(5)
        ]
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        assert [len(task.history) for task in tasks] == [1, 1, 1, 0, 0]
        assert (tasks[2].status, tasks[2].error_message) == (TaskStatus.FAILED, "KeyboardInterrupt")
        assert registry.idle_seconds() == 0
        registry.tick()
        assert [len(task.history) for task in tasks] == [1, 1, 1, 1, 1]

    @pytest.mark.parametrize("is_failing", [False, True])
    def test_an_inline_run_past_its_timeout_has_failed_when_it_returns(
        self, registry: Frozen, is_failing: bool
    ) -> None:
        def sleep() -> None:
            time.sleep(0.02)
            if is_failing:
                raise ValueError("late, too")

        task = registry.register(Task(every={"hours": 1}, func=sleep, timeout=0.01, result="before"))
        registry.tick()
        message = "TimeoutError: the run took longer than its timeout of 0.01 s"
        assert (task.status, task.error_message, task.result) == (TaskStatus.FAILED, message, "before")

    def test_a_second_interruption_during_recording_leaves_no_task_running(self, registry: Frozen) -> None:
        class Twice(KeyboardInterrupt):
            def __str__(self) -> str:
                raise KeyboardInterrupt

        def interrupt() -> None:
            raise Twice

        task = registry.register(Task(every={"seconds": 1}, func=interrupt))
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        message = "RuntimeError: interrupted while its outcome was being recorded"
        assert (task.status, task.error_message, registry._parts.in_flight.thread.context.runs) == (
            TaskStatus.FAILED,
            message,
            [],
        )

    def test_ticks_nested_beyond_the_stack_leave_no_task_running(self, registry: Frozen) -> None:
        tasks = [registry.register(Task(every={"hours": 1}, func=registry.tick)) for _ in range(300)]
        registry.tick()
        assert {task.status for task in tasks} <= {TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.PENDING}
        assert registry._parts.in_flight.thread.context.runs == []

    def test_history_keeps_the_newest_runs(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=work, history_limit=3))
        for second in range(5):
            registry.tick_at(START + second * SECOND)
        assert [run["run_at"] for run in task.history] == [START + second * SECOND for second in (2, 3, 4)]
        task.history_limit = 0
        registry.tick_at(START + 5 * SECOND)
        assert task.history == []

    def test_a_result_in_the_history_is_bounded(self, registry: Frozen) -> None:
        task = registry.register(Task(every={"seconds": 1}, func=lambda: "x" * 5_000_000))
        registry.tick()
        assert task.history[0]["result"] == "'" + 999 * "x" + "…"

    def test_a_run_whose_result_has_a_failing_repr_is_a_success(self, registry: Frozen) -> None:
        class Shy:
            def __repr__(self) -> str:
                raise RuntimeError

        task = registry.register(Task(every={"seconds": 1}, func=Shy))
        registry.tick()
        assert task.history[0]["result"] == "<Shy whose repr failed with RuntimeError>"

    def test_an_error_with_a_failing_str_is_recorded(self, registry: Frozen) -> None:
        class MuteError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        def fail() -> None:
            raise MuteError

        task = registry.register(Task(every={"seconds": 1}, func=fail))
        registry.tick()
        assert task.error_message == "MuteError: <its str failed with RuntimeError>"

    def test_a_logging_handler_that_raises_does_not_prevent_a_run(self, registry: Frozen) -> None:
        class Bad(logging.Handler):
            def handle(self, record: logging.LogRecord) -> bool:
                raise RuntimeError

        tasks = [registry.register(Task(every={"seconds": 1}, func=func)) for func in (boom, work)]
        logger = logging.getLogger("est_alan_scheduler")
        handler = Bad()
        logger.addHandler(handler)
        try:
            registry.tick()
        finally:
            logger.removeHandler(handler)
        assert [task.status for task in tasks] == [TaskStatus.FAILED, TaskStatus.SUCCESS]

    def test_execute_runs_a_task_that_is_not_due(self, registry: Frozen) -> None:
        task = registry.register(Task(run_at=START + SECOND, func=work))
        registry._execute(task)
        assert (task.status, task.last_run_at) == (TaskStatus.SUCCESS, START)
        registry.tick_at(START + SECOND)
        assert len(task.history) == 2

    def test_execute_runs_a_task_that_is_not_registered(self, registry: Frozen) -> None:
        task = Task(func=work)
        registry._execute(task)
        assert (task.status, task.result) == (TaskStatus.SUCCESS, "done")

    def test_execute_does_not_start_a_running_task(self, registry: Frozen) -> None:
        task = Task(func=work, status=TaskStatus.RUNNING)
        registry._execute(task)
        assert (task.status, task.history) == (TaskStatus.RUNNING, [])

    def test_tick_starts_each_run_through_execute(self, registry: Frozen) -> None:
        started: list[Task] = []
        registry._execute = started.append  # type: ignore[assignment, method-assign]  # a test may
        tasks = [registry.register(Task(every={"seconds": 1}, func=work)) for _ in range(3)]
        registry.tick()
        assert started == tasks
        registry.tick()
        assert started == tasks + tasks

    def test_the_old_result_is_dropped_without_holding_the_lock(self, registry: Frozen) -> None:
        locked: list[bool] = []

        class Result:
            def __del__(self) -> None:
                locked.append(registry._lock.locked())

        registry.register(Task(every={"seconds": 1}, func=Result, history_limit=1))
        registry.tick()
        registry.tick_at(START + SECOND)
        assert locked == [False]

    def test_a_deleted_task_is_dropped_without_holding_the_lock(self, registry: Frozen) -> None:
        locked: list[bool] = []

        class Argument:
            def __del__(self) -> None:
                locked.append(registry._lock.locked())

        registry.register(Task(id="a", at="23:00", func=print, args=(Argument(),)))
        del registry.store["a"]
        registry.tick()
        assert locked == [False]
