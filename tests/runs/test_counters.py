"""Statistics of runs."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Lateness, Retry, Statistics, Task, TaskRegistry
from est_alan_scheduler.runs.counters import RunCounters
from tests.frozen import START, Frozen, boom, work
from tests.ways import wait_until

pytestmark = pytest.mark.zone

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOTHING = Statistics(0, 0, 0, 0, 0, 0, None, Lateness(0, None, None))


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def test_all_counts_are_zero_before_the_first_run(registry: Frozen) -> None:
    registry.register(Task(id="a", at="23:00", func=work))
    assert (registry.statistics(), registry.statistics("a")) == (NOTHING, NOTHING)


def test_runs_failures_retries_and_misfires_are_counted(registry: Frozen) -> None:
    task = registry.register(Task(id="a", every={"hours": 1}, func=boom, retry=Retry(max_retries=1), misfire_grace=60))
    registry.tick()
    registry.tick_at(START + 2 * SECOND)  # the retry
    task.func = work
    registry.tick_at(START + HOUR)
    registry.tick_at(START + 2 * HOUR + 61 * SECOND)  # a misfire
    registry.tick_at(START + 3 * HOUR)
    counts = registry.statistics("a")
    assert (counts.runs, counts.successes, counts.failures, counts.retries, counts.misfires) == (4, 2, 2, 1, 1)
    assert registry.statistics() == counts


def test_ctrl_c_while_a_run_is_counted_does_not_record_the_run_twice(
    registry: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    with monkeypatch.context() as patch:
        patch.setattr(RunCounters, "count", interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
    assert ([run["status"] for run in task.history], registry.statistics("a").runs) == (["success"], 0)
    assert registry._parts.in_flight.thread.context.runs == []
    registry.tick_at(START + HOUR)
    assert registry.statistics("a").runs == registry.statistics().runs == 1


def test_lateness_and_duration_are_measured() -> None:
    with freeze_time(START) as frozen:
        registry = TaskRegistry()
        for late, seconds in ((1, 2), (4, 1)):
            due = datetime.now()
            frozen.tick(late)
            task_id = registry.register(Task(run_at=due, func=frozen.tick, args=(seconds,))).id
            registry.tick()
            assert registry.statistics(task_id).lateness == Lateness(1, late, late)
        counts = registry.statistics()
    assert (counts.last_duration, counts.lateness) == (1, Lateness(2, 2.5, 4))


@pytest.mark.parametrize("is_success", [True, False])
def test_an_uncounted_run_leaves_only_lateness_and_duration(is_success: bool) -> None:
    counters, total = RunCounters(), RunCounters()
    counters.count(2, 2.0, 1.0, is_success, total)
    for counts in (counters, total):
        counts.uncount(2, is_success)
        assert counts.statistics() == Statistics(0, 0, 0, 0, 0, 0, 2.0, Lateness(1, 1.0, 1.0))


def test_a_task_after_a_slow_one_in_the_same_tick_is_late() -> None:
    with freeze_time(START) as frozen:
        registry = TaskRegistry()
        registry.register(Task(id="a", run_at=START, func=frozen.tick, args=(7,)))
        registry.register(Task(id="b", run_at=START, func=work))
        registry.tick()
    assert [registry.statistics(task_id).lateness.max for task_id in "ab"] == [0, 7]


def test_a_slow_started_callback_adds_to_the_lateness() -> None:
    with freeze_time(START) as frozen:
        registry = TaskRegistry()
        registry.on("started", lambda event: frozen.tick(3))
        registry.register(Task(id="a", run_at=START, func=work))
        registry.tick()
    assert registry.statistics("a").lateness == Lateness(1, 3, 3)


@pytest.mark.parametrize("timeout", [None, 60])
@pytest.mark.parametrize("make", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_time_in_the_queue_of_a_pool_counts_as_lateness_and_not_as_duration(
    make: Callable[[int], Executor], timeout: float
) -> None:
    with make(1) as pool:
        registry = TaskRegistry(executor=pool, max_running=2)
        for task_id in "ab":
            registry.register(Task(id=task_id, run_at=datetime.now(), func=time.sleep, args=(0.05,), timeout=timeout))
        began = time.monotonic()
        registry.tick()
        wait_until(lambda: registry.statistics().runs == 2)
        elapsed = time.monotonic() - began
    counts = [registry.statistics(task_id) for task_id in "ab"]
    assert (counts[1].lateness.max or 0) >= 0.05
    assert sum(count.last_duration or 0 for count in counts) <= elapsed


def test_loading_a_result_from_another_process_does_not_count_as_duration() -> None:
    with ProcessPoolExecutor(1) as pool:
        registry = TaskRegistry(executor=pool)
        due = time.monotonic()
        registry.register(Task(id="a", run_at=datetime.now(), func=SlowToLoad))
        registry.tick()
        wait_until(lambda: registry.statistics().runs == 1)
    counts = registry.statistics("a")
    ended = due + (counts.lateness.max or 0) + (counts.last_duration or 0)
    assert ended <= _loaded_at.pop() + 0.01


_loaded_at: list[float] = []


def _load_slowly() -> None:
    _loaded_at.append(time.monotonic())
    time.sleep(0.04)


class SlowToLoad:
    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _load_slowly, ()


def test_lateness_of_a_retry_is_measured_from_its_due_moment() -> None:
    with freeze_time(START) as frozen:
        registry = TaskRegistry()
        registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1, delay=10, jitter=0)))
        registry.tick()
        frozen.tick(13)
        registry.tick()
    assert registry.statistics("a").lateness == Lateness(2, 1.5, 3)


def test_a_run_without_a_due_moment_has_no_lateness(registry: Frozen) -> None:
    registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.tick()
    registry.run_now("a")
    registry.tick_at(START + SECOND)
    assert registry.statistics("a").lateness == Lateness(0, None, None)


def test_totals_keep_the_runs_of_removed_tasks_and_a_new_task_starts_at_zero(registry: Frozen) -> None:
    ways: list[Callable[[], object]] = [lambda: registry.remove("a"), registry.store.clear, lambda: None]
    for remove in ways:
        registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.tick()
        assert registry.statistics("a").runs == 1
        remove()
    assert registry.statistics().runs == 3


def test_a_run_that_removes_its_own_task_counts_in_the_totals(registry: Frozen) -> None:
    registry.register(Task(id="a", every={"hours": 1}, func=lambda: registry.remove("a") and None))
    registry.tick()
    assert registry.statistics().runs == 1


def test_a_run_of_an_unregistered_task_counts_in_the_totals(registry: Frozen) -> None:
    registry._execute(Task(func=work))
    assert registry.statistics().runs == 1


def test_counts_survive_a_large_clock_step(registry: Frozen) -> None:
    registry.register(Task(id="a", every={"minutes": 1}, func=work))
    registry.tick()
    registry.tick_at(START - timedelta(days=40))
    assert registry.statistics("a").runs == 2


def test_statistics_of_an_unknown_id_is_a_key_error(registry: Frozen) -> None:
    registry.register(Task(id="nightly", at="23:00", func=work))
    with pytest.raises(KeyError) as caught:
        registry.statistics("nightl")
    assert str(caught.value) == "no task 'nightl' is registered (did you mean 'nightly'?)"


def test_a_run_of_a_task_just_put_into_the_store_is_counted(registry: Frozen) -> None:
    task = registry.store["a"] = Task(id="a", every={"hours": 1}, func=work)
    registry._execute(task)
    assert registry.statistics("a").runs == registry.statistics().runs == 1
