"""A registry among threads, signals and forks."""

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest

from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from tests.frozen import boom, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


class TestThreads:
    @pytest.mark.slow
    def test_sixteen_threads_use_one_registry_at_once(self) -> None:
        registry = TaskRegistry()
        overlaps: list[int] = []
        inside: set[int] = set()
        numbers = count()

        def run(number: int) -> None:
            if number in inside:
                overlaps.append(number)
            inside.add(number)
            time.sleep(0)
            inside.discard(number)

        def live(seed: int) -> int:
            random = Random(seed)
            done = 0
            while time.monotonic() < end:
                task_id = str(random.randrange(40))
                try:
                    match random.randrange(5):
                        case 0:
                            every, args = {"milliseconds": 2}, (next(numbers),)
                            registry.register(Task(id=task_id, every=every, func=run, args=args))
                        case 1:
                            registry.remove(task_id)
                        case 2:
                            registry.store[task_id].every = {"milliseconds": random.randrange(1, 9)}
                        case 3:
                            registry.store[task_id].depends_on = [str(random.randrange(40))]
                        case _:
                            registry.tick()
                except (KeyError, ValueError):
                    continue
                done += 1
            return done

        end = time.monotonic() + 2
        with ThreadPoolExecutor(16) as pool:
            done = list(pool.map(live, range(16)))
        assert min(done) > 0
        assert overlaps == []
        assert [task.status for task in registry if task.status is TaskStatus.RUNNING] == []
        assert not registry._lock.locked()

    @pytest.mark.slow
    def test_two_loops_run_no_slot_twice(self) -> None:
        registry = TaskRegistry()
        starts: list[float] = []
        task = registry.register(Task(every={"milliseconds": 20}, func=lambda: starts.append(time.monotonic())))

        def loop() -> None:
            while time.monotonic() < end:
                registry.tick()

        end = time.monotonic() + 1
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(loop) for _ in range(4)]:
                future.result()
        assert task.first_run_at is not None
        slots = [(run["run_at"] - task.first_run_at) // timedelta(milliseconds=20) for run in task.history]
        assert len(set(slots)) == len(slots) == len(task.history)
        assert len(starts) == len(task.history)

    def test_a_second_loop_runs_the_tasks_that_the_first_has_not_started(self) -> None:
        registry = TaskRegistry()
        started, proceed = threading.Event(), threading.Event()

        def block() -> None:
            started.set()
            assert proceed.wait(10)

        blocking = registry.register(Task(every={"days": 1}, func=block))
        other = registry.register(Task(every={"days": 1}, func=work))
        thread = threading.Thread(target=registry.tick)
        thread.start()
        assert started.wait(10)
        assert registry.idle_seconds() == 0
        registry.tick()
        assert (blocking.status, len(other.history)) == (TaskStatus.RUNNING, 1)
        proceed.set()
        thread.join(10)
        assert (blocking.status, len(other.history)) == (TaskStatus.SUCCESS, 1)


def interrupt_at_any_moment() -> None:
    """Tick while interval timers raise KeyboardInterrupt at random moments."""
    registry = TaskRegistry()
    for number in range(20):
        registry.register(Task(id=str(number), every={"microseconds": 1}, func=work if number % 3 else boom))
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    logging.getLogger("est_alan_scheduler").setLevel(logging.CRITICAL)  # some fail, and thousands of lines would say so
    random = Random(1)
    interrupted = 0
    gc.disable()  # a Ctrl+C during a callback of the garbage collector is lost
    for _ in range(1500):
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.0006))
            for _ in range(10):
                registry.tick()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        assert [task.id for task in registry if task.status is TaskStatus.RUNNING] == []
        assert not registry._lock.locked()
        assert registry._parts.in_flight.thread.context.runs == []
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert interrupted > 100
    runs = {task.id: len(task.history) for task in registry}
    registry.tick()
    registry.tick()
    assert all(len(task.history) > runs[task.id] or runs[task.id] == 100 for task in registry)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_ctrl_c_at_any_moment_leaves_no_task_running() -> None:
    # A process without coverage: under a tracer, Ctrl+C may hit between a lock and its `with` block.
    code = (
        "import logging; logging.getLogger('est_alan_scheduler').setLevel(logging.CRITICAL);"
        "from tests.test_task_registry_threads import interrupt_at_any_moment; interrupt_at_any_moment()"
    )
    untraced = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=root, env=untraced
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the test forks a process that has threads
def test_a_forked_child_starts_with_clean_locks_and_no_task_running() -> None:
    registry = TaskRegistry()
    started, proceed = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        assert proceed.wait(10)

    running = registry.register(Task(every={"days": 1}, func=block))
    thread = threading.Thread(target=registry.tick)
    thread.start()
    assert started.wait(10)
    with registry._lock:
        child = os.fork()
        if child == 0:
            other = registry.register(Task(every={"days": 1}, func=work))
            registry.tick()
            clean = running.status is TaskStatus.PENDING and other.status is TaskStatus.SUCCESS
            os._exit(0 if clean else 1)
    proceed.set()
    thread.join(10)
    assert os.waitpid(child, 0)[1] == 0
    assert running.status is TaskStatus.SUCCESS
