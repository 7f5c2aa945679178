"""The same outcomes inline, in threads, in processes, on an event loop and on a cluster."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from est_alan_scheduler import CurrentRun, Retry, Task, TaskStatus
from tests import jobs
from tests.ways import WAYS, Way, logged, wait_until, without_seconds

# Python 3.12 and later warn about a fork of a process that has threads, which forked workers need.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

HOUR = {"hours": 1}


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, Way]]:
    ways: dict[str, Way] = {}
    yield ways
    for way in ways.values():
        way.end()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, made: dict[str, Way]) -> Way:
    return made.get(request.param) or made.setdefault(request.param, WAYS[request.param]())


@pytest.fixture(params=[name for name in WAYS if name != "inline"])
def concurrent_way(request: pytest.FixtureRequest, made: dict[str, Way]) -> Way:
    """Return a way that runs several tasks at once."""
    return made.get(request.param) or made.setdefault(request.param, WAYS[request.param]())


def has_run(*tasks: Task) -> bool:
    return all(task.history for task in tasks)


def lines_about(task: Task, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of a task; that of an earlier test may still come."""
    return [line for line in caplog.messages if line.startswith(f"Task {task.id!r}")]


def test_an_outcome_is_recorded(way: Way) -> None:
    registry = way.registry()
    task = registry.register(Task(every=HOUR, func=jobs.add, args=(1,), kwargs={"y": 2}))
    with way.running(registry):
        wait_until(lambda: has_run(task))
    assert (task.status, task.result, task.error, task.error_message) == (TaskStatus.SUCCESS, 3, None, None)
    assert task.last_run_at is not None
    assert task.last_success_at is not None
    assert task.history == [
        {
            "run_at": task.last_run_at,
            "finished_at": task.last_success_at,
            "status": "success",
            "result": "3",
            "error": None,
            "attempt": 1,
        }
    ]
    assert task.first_run_at == task.last_run_at <= task.last_success_at


@pytest.mark.parametrize(
    ("func", "kind", "message"),
    [
        (jobs.boom, ValueError, "ValueError: boom"),
        (jobs.exit_with_3, SystemExit, "SystemExit: 3"),
    ],
)
def test_a_failure_is_recorded_and_logged_with_the_traceback(
    way: Way, func: Callable[[], None], kind: type[BaseException], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry = way.registry()
    task = registry.register(Task(id="a", every=HOUR, func=func, result="before"))
    with way.running(registry):
        wait_until(lambda: has_run(task) and bool(lines_about(task, caplog)))  # the log comes after the record
    assert (task.status, task.result, task.error_message) == (TaskStatus.FAILED, "before", message)
    assert type(task.error) is kind
    assert task.history[0]["error"] == message
    assert without_seconds(lines_about(task, caplog)) == [f"Task 'a' ({func.__name__}) failed after N s: {message}"]
    assert f"in {func.__name__}" in caplog.text


def test_an_error_that_cannot_be_pickled_is_recorded_by_its_message(way: Way) -> None:
    registry = way.registry()
    task = registry.register(Task(every=HOUR, func=jobs.fail_oddly))
    with way.running(registry):
        wait_until(lambda: has_run(task))
    assert task.error_message == "OddError: this and that"


@pytest.mark.parametrize(
    ("on", "is_retried"), [(jobs.OddError, True), (Exception, True), (ValueError, False), (SystemExit, False)]
)
def test_an_error_that_cannot_be_pickled_is_retried_by_its_class(
    way: Way, on: type[BaseException], is_retried: bool
) -> None:
    registry = way.registry()
    task = registry.register(Task(every=HOUR, func=jobs.fail_oddly, retry=Retry(delay=600, on=(on,))))
    with way.running(registry):
        wait_until(lambda: has_run(task))
    assert (task.retry_at is not None) is is_retried


@pytest.mark.parametrize("name", ["spawned processes", "forked processes", "dask"])
def test_an_argument_or_result_that_cannot_be_pickled_fails_the_run_with_the_reason(
    name: str, made: dict[str, Way]
) -> None:
    way = made.get(name) or made.setdefault(name, WAYS[name]())
    registry = way.registry()
    there = registry.register(Task(every=HOUR, func=jobs.echo, args=(threading.Lock(),)))
    back = registry.register(Task(every=HOUR, func=jobs.make_lock))
    with way.running(registry):
        wait_until(lambda: has_run(there, back))
    reason = r"cannot be pickled.*: TypeError: cannot pickle '_thread.lock' object"
    assert re.fullmatch(rf"PicklingError: args \(<unlocked .*>,\) {reason}", str(there.error_message))
    assert re.fullmatch(rf"PicklingError: the result <unlocked .*> {reason}", str(back.error_message))


# In threads only: a process pool cannot cancel calls it has passed on, and a cluster may be slow to.
def test_a_call_still_queued_at_shutdown_never_begins(made: dict[str, Way], tmp_path: Path) -> None:
    concurrent_way = made.get("threads") or made.setdefault("threads", WAYS["threads"]())
    registry = concurrent_way.registry(max_running=4)
    folder = str(tmp_path)
    for number in range(4):
        registry.register(Task(id=str(number), every=HOUR, func=jobs.hold, args=(folder, str(number))))
    with concurrent_way.running(registry, stop_timeout=0.03):
        wait_until(lambda: sum(jobs.count(folder, "started", str(number)) for number in range(4)) >= 2)
    begun = [jobs.count(folder, "started", str(number)) for number in range(4)]
    for number in range(4):
        jobs.release_unstarted(folder, str(number))
    wait_until(lambda: not any(registry.why_not(task.id).startswith("its run") for task in registry))
    assert [jobs.count(folder, "started", str(number)) for number in range(4)] == begun
    assert {task.error_message for task in registry} == {"RuntimeError: interrupted by shutdown"}


def test_a_dependent_starts_as_soon_as_its_dependencies_have_succeeded(way: Way) -> None:
    registry = way.registry()
    last = registry.register(Task(every=HOUR, func=jobs.add, args=(0, 0), depends_on=["second"]))
    second = registry.register(Task(id="second", every=HOUR, func=jobs.take, depends_on=["source"]))
    registry.register(Task(id="source", every=HOUR, func=jobs.add, args=(1, 2)))
    with way.running(registry):
        wait_until(lambda: has_run(second, last))
    assert (second.result, last.result) == ([3], 0)


def test_a_coroutine_function_is_awaited(way: Way) -> None:
    registry = way.registry()
    task = registry.register(Task(id="a", every=HOUR, func=jobs.current_run_async))
    with way.running(registry):
        wait_until(lambda: has_run(task))
    assert task.result == CurrentRun("a", task.last_run_at, 1)  # type: ignore[arg-type]  # it has run


def test_current_run_names_the_task_the_slot_and_the_attempt(way: Way) -> None:
    registry = way.registry()
    slot = datetime.now().replace(microsecond=0) - timedelta(hours=2)
    task = registry.register(Task(id="a", run_at=slot, func=jobs.get_current_run))
    with way.running(registry):
        wait_until(lambda: has_run(task))
    assert task.result == CurrentRun("a", slot, 1)


def test_a_task_never_overlaps_with_itself_and_its_history_is_in_order(way: Way) -> None:
    registry = way.registry()
    task = registry.register(Task(every={"milliseconds": 1}, func=jobs.add, args=(1, 2), history_limit=20))
    with way.running(registry):
        wait_until(lambda: len(task.history) >= 20)
    moments = [run[key] for run in task.history for key in ("run_at", "finished_at")]
    assert moments == sorted(moments)
    assert {run["status"] for run in task.history} == {"success"}


def test_a_slow_task_does_not_delay_other_tasks(concurrent_way: Way, tmp_path: Path) -> None:
    registry = concurrent_way.registry()
    slow = registry.register(Task(every={"milliseconds": 1}, func=jobs.hold, args=(str(tmp_path),)))
    quick = registry.register(Task(every={"milliseconds": 1}, func=jobs.add, args=(1, 2)))
    with concurrent_way.running(registry):
        wait_until(lambda: len(quick.history) >= 5)
        assert (slow.status, slow.history) == (TaskStatus.RUNNING, [])
        assert registry.why_not(slow.id) == f"running since {slow.last_run_at}"
        slow.run_at, slow.every = datetime(2020, 1, 1), None
        jobs.release_unstarted(str(tmp_path))
        wait_until(lambda: has_run(slow))
    assert (slow.result, jobs.count(str(tmp_path), "started")) == ("hold", 1)


def test_max_running_keeps_further_tasks_due_and_starts_the_oldest_slots_first(
    concurrent_way: Way, tmp_path: Path
) -> None:
    registry = concurrent_way.registry(max_running=2)
    names = ["3", "1", "4", "0", "2"]  # the older the slot, the lower the number
    tasks = {
        name: registry.register(
            Task(run_at=datetime(2026, 1, 1, 0, 0, int(name)), func=jobs.hold, args=(str(tmp_path), name))
        )
        for name in names
    }
    with concurrent_way.running(registry):
        for latest in range(1, 5):
            expected = ["success"] * (latest - 1) + ["running"] * 2 + ["pending"] * (4 - latest)
            wait_until(lambda expected=expected: [tasks[str(n)].status.value for n in range(5)] == expected)  # type: ignore[misc]  # of a lambda with a default
            if latest < 4:
                reason = registry.why_not(tasks["4"].id)
                assert reason == "due now, but as many runs are in flight as max_running allows"
            jobs.release_unstarted(str(tmp_path), str(latest - 1))
        jobs.release_unstarted(str(tmp_path), "4")
        wait_until(lambda: has_run(*tasks.values()))


def test_a_run_past_its_timeout_is_recorded_at_once_and_not_started_again_before_its_call_ends(
    concurrent_way: Way, tmp_path: Path
) -> None:
    registry = concurrent_way.registry(max_running=1)
    task = registry.register(
        Task(every={"milliseconds": 1}, func=jobs.hold, args=(str(tmp_path),), timeout=0.05, result="before")
    )
    other = registry.register(Task(run_at=datetime.now() + timedelta(milliseconds=30), func=jobs.add, args=(1, 2)))
    with concurrent_way.running(registry):
        wait_until(lambda: has_run(task))
        message = "TimeoutError: the run took longer than its timeout of 0.05 s"
        assert (task.status, task.error_message, task.result) == (TaskStatus.FAILED, message, "before")
        assert type(task.error) is TimeoutError
        expected = f"its run of {task.last_run_at} is recorded as failed ({message}), but that call still goes on"
        assert registry.why_not(task.id) == expected
        time.sleep(0.03)
        assert (len(task.history), other.status) == (1, TaskStatus.PENDING)  # it still counts in max_running
        task.timeout = None
        jobs.release_unstarted(str(tmp_path))
        wait_until(lambda: len(task.history) >= 2 and has_run(other))
        task.every = HOUR
    assert (task.history[0]["status"], task.history[1]["status"]) == ("failed", "success")


def test_a_run_that_outlives_shutdown_is_recorded_as_interrupted(
    way: Way, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = way.registry()
    task = registry.register(Task(id="a", every={"milliseconds": 1}, func=jobs.hold, args=(str(tmp_path),)))
    with way.running(registry, stop_timeout=0.03):
        wait_until(lambda: jobs.count(str(tmp_path), "started") == 1)
    assert (task.status, task.error_message) == (TaskStatus.FAILED, "RuntimeError: interrupted by shutdown")
    expected = [
        "Interrupted by shutdown while they ran: 'a'",
        "Task 'a' (hold) failed after N s: RuntimeError: interrupted by shutdown",
    ]
    assert without_seconds(logged(caplog)) == expected
    jobs.release_unstarted(str(tmp_path))
    wait_until(lambda: jobs.count(str(tmp_path), "ended") == 1 and not registry.why_not("a").startswith("its run"))
    assert (len(task.history), task.result) == (1, None)
