"""Pools of processes that the standard library would wait for for ever, because a worker was killed."""

import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, start_scheduler
from est_alan_scheduler.executors import call as call_module
from est_alan_scheduler.executors import stuck_pool
from est_alan_scheduler.executors.start_mark import StartMark
from est_alan_scheduler.executors.stuck_pool import WorkerWatch
from tests import jobs
from tests.executors import dying
from tests.executors.helpers import HOUR, run_program
from tests.ways import logged, wait_until, without_seconds

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="needs signals and pipes"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # some pools fork, and the test has threads
]
METHODS = ["fork", "spawn", "forkserver"]
STUCK = "A worker process was killed, and the pool of processes was stuck: its runs fail, "
REMEDY = "tasks fail until it is replaced; a factory is asked for a new one: executor=lambda: ProcessPoolExecutor(4)"
BROKEN = "BrokenProcessPool: A process in the process pool was terminated abruptly"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_pool, "GRACE", 0.2)
    monkeypatch.setattr(stuck_pool, "_BETWEEN_LOOKS", 0.02)


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in logged(caplog) if line.startswith("A worker process")]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_is_killed_while_it_sends_fails_its_run_and_a_factory_replaces_the_pool(
    method: str, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    registry = TaskRegistry(executor=partial(dying.pool, method, workers))
    killer = registry.register(Task(id="killer", every=HOUR, func=dying.die_while_sending))
    with start_scheduler(interval=0.02, registry=registry):
        wait_until(lambda: bool(killer.history))
        others = [registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2))) for _ in range(3)]
        wait_until(lambda: all(task.history for task in others))
    assert killer.error_message is not None
    assert killer.error_message.startswith(BROKEN)
    assert [task.result for task in others] == [3, 3, 3]
    assert lines_of(caplog) == [STUCK + "a new pool replaces it"]


def test_an_executor_that_was_given_is_broken_and_one_line_names_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    with dying.pool("spawn", 1) as executor:  # its end waits for the pool
        registry = TaskRegistry(executor=executor)
        killer = registry.register(Task(id="killer", every=HOUR, func=dying.die_while_sending))
        with start_scheduler(interval=0.02, registry=registry):
            wait_until(lambda: bool(killer.history))
            after = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
            wait_until(lambda: bool(after.history))
    assert after.error_message is not None
    assert after.error_message.startswith("BrokenExecutor: the executor is broken, and tasks fail until it is replaced")
    assert lines_of(caplog) == [STUCK + REMEDY]


@pytest.mark.slow
@pytest.mark.parametrize("dies", [dying.die_while_receiving, dying.die_at_the_start])
@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_is_killed_before_its_call_does_not_stop_the_registry(
    method: str, dies: Any, tmp_path: Path
) -> None:
    registry = TaskRegistry(executor=partial(dying.pool, method, 2, dies, str(tmp_path)))
    large = [registry.register(Task(every=HOUR, func=len, args=(bytes(dying.LARGE),))) for _ in range(2)]
    with start_scheduler(interval=0.02, registry=registry):
        wait_until(lambda: all(task.history for task in large))
        after = registry.register(Task(every=HOUR, func=len, args=(bytes(dying.LARGE),)))
        wait_until(lambda: TaskStatus.SUCCESS is after.status or bool(after.history and registry.run_now(after.id)))
    assert (tmp_path / "first").exists()


def test_a_call_that_has_ended_but_cannot_send_has_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "_TIME_TO_ARRIVE", 0.02)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pid_file = tmp_path / "pid"
    with dying.pool("spawn", 1) as executor:
        registry = TaskRegistry(executor=executor)
        task = registry.register(Task(every=HOUR, func=dying.stop_while_sending, args=(str(pid_file),), timeout=0.02))
        registry.tick()
        wait_until(lambda: registry.pending()[0] == [])
        assert task.error_message == "TimeoutError: the run took longer than its timeout of 0.02 s"
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        with start_scheduler(interval=0.02, registry=registry):
            wait_until(lambda: registry.why_not(task.id).startswith("due in"))
    assert list(tmp_path.iterdir()) == [pid_file]


def test_shutdown_ends_a_stuck_pool() -> None:
    registry = TaskRegistry(executor=partial(dying.pool, "spawn", 1))
    task = registry.register(Task(every=HOUR, func=dying.die_while_sending))
    registry.tick()
    assert registry.shutdown() is True
    assert task.error_message is not None
    assert task.error_message.startswith(BROKEN)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["make", "make()"])
def test_a_program_with_a_stuck_pool_ends(source: str, tmp_path: Path) -> None:
    script = f"""
        import sys, time
        from functools import partial
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from est_alan_scheduler import Task, TaskRegistry, start_scheduler
        from tests.executors import dying

        make = partial(dying.pool, "fork", 2)
        registry = TaskRegistry(executor={source})
        task = registry.register(Task(id="a", every={{"hours": 1}}, func=dying.die_while_sending))
        start_scheduler(registry=registry)
        pool = registry._parts.capacity.pool
        while not (pool._executor and any(one.exitcode for one in [*(pool._executor._processes or {{}}).values()])):
            time.sleep(0.01)
        print("over")
    """
    code, out, err = run_program(script, tmp_path)
    assert (code, out) == (0, "over\n")
    assert without_seconds(err.splitlines()[:1]) == [
        "Task 'a' (die_while_sending) failed after N s: BrokenProcessPool: A process in the process pool was terminated"
        " abruptly while the future was running or pending."
    ]


class TestWatch:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [100.0]
        monkeypatch.setattr(stuck_pool, "monotonic", lambda: now[0])
        monkeypatch.setattr(stuck_pool, "free", lambda _: None)
        return now

    def look_at(self, clock: list[float], exit_codes: list[int | None], is_alive: bool = True) -> list[bool]:
        workers = {number: SimpleNamespace(exitcode=code) for number, code in enumerate(exit_codes)}
        manager = SimpleNamespace(processes=workers, is_alive=lambda: is_alive)
        watch, answers = WorkerWatch(lambda: manager), []
        for _ in range(30):
            answers.append(watch.look())
            clock[0] += 0.03
        return answers

    def test_a_dead_worker_that_is_not_noticed_is_found_once(self, clock: list[float]) -> None:
        assert self.look_at(clock, [None, -9]).count(True) == 1

    @pytest.mark.parametrize("exit_codes", [[], [None, None], [None, 0]])
    def test_a_worker_that_lives_or_has_ended_by_itself_is_no_fault(
        self, clock: list[float], exit_codes: list[int | None]
    ) -> None:
        assert True not in self.look_at(clock, exit_codes)

    def test_a_manager_thread_that_has_ended_is_not_stuck(self, clock: list[float]) -> None:
        assert True not in self.look_at(clock, [-9], is_alive=False)

    def test_a_death_that_is_noticed_in_time_is_no_fault(self, clock: list[float]) -> None:
        workers = {1: SimpleNamespace(exitcode=-9)}
        manager = SimpleNamespace(processes=workers, is_alive=lambda: True)
        watch = WorkerWatch(lambda: manager)
        assert watch.look() is False
        assert watch.seconds_to_look() == pytest.approx(0.02)
        clock[0] += 0.1
        workers.clear()
        assert watch.look() is False
        assert watch.seconds_to_look() is None
        workers[2] = SimpleNamespace(exitcode=1)
        clock[0] += 0.3
        assert watch.look() is False


class TestMark:
    def test_it_shows_the_start_and_the_end(self, tmp_path: Path) -> None:
        mark = StartMark(str(tmp_path))
        assert mark.read() == (None, None)
        mark.write(1.5)
        assert mark.read() == (1.5, None)
        mark.write_end(2.25)
        assert mark.read() == (1.5, 2.25)
        mark.remove()
        mark.write_end(3.0)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("text", "moments"), [("", (None, None)), ("1.", (None, None)), ("1.5 2", (1.5, None))])
    def test_what_is_half_written_is_not_read(self, tmp_path: Path, text: str, moments: Any) -> None:
        mark = StartMark(str(tmp_path))
        mark.write(1.0)
        next(tmp_path.iterdir()).write_text(text)
        assert mark.read() == moments

    def test_the_worker_removes_it_if_the_parent_process_has_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mark = StartMark(str(tmp_path))
        mark.write(1.5)
        monkeypatch.setattr(multiprocessing, "parent_process", lambda: SimpleNamespace(is_alive=lambda: False))
        mark.write_end(2.25)
        assert list(tmp_path.iterdir()) == []
