"""`max_runs`: so many runs in all, retries not counted."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry, describe, next_run, simulate
from tests import jobs
from tests.backends.stores import Clock as StoreClock
from tests.cluster.helpers import MINUTE, Join, adder, claim_and_die, outlive_lease, reap
from tests.frozen import SECOND, START, Frozen, run_times, work
from tests.runs.test_run_counts import RETRY, counts, register

HOURLY: list[dict[str, Any]] = [
    {"every": {"hours": 1}},
    {"every": {"hours": 1}, "start_at": START},
    {"every": {"hours": 1}, "timezone": "Asia/Seoul"},
    {"cron": "0 * * * *"},
    {"cron": "0 * * * *", "jitter": 60},
]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def tick_hourly(registry: Frozen, hours: int) -> None:
    for hour in range(hours):
        registry.tick_at(START + timedelta(hours=hour, minutes=1))


class TestRuns:
    @pytest.mark.parametrize("fields", HOURLY)
    def test_after_the_last_run_no_slot_is_due(self, registry: Frozen, fields: dict[str, Any]) -> None:
        task = registry.register(Task(id="a", func=work, max_runs=3, **fields))
        tick_hourly(registry, 8)
        assert (len(task.history), task.runs) == (3, 3)
        assert registry.why_not("a") == "has run 3 of 3 times"
        assert (registry.next_run("a"), registry.idle_seconds(), next_run(task, START)) == (None, None, None)
        assert list(registry.upcoming(limit=9)) == []

    def test_retries_belong_to_their_run(self, registry: Frozen) -> None:
        task = register(registry, False, True, False, True, retry=RETRY, max_runs=2)
        for seconds in (0, 5, 60, 65, 120):
            registry.tick_at(START + seconds * SECOND)
        assert (counts(task), run_times(task)) == ((2, 0), ["12:00:00", "12:00:05", "12:01:00", "12:01:05"])

    def test_the_retry_of_the_last_run_is_not_replaced_by_a_slot(self, registry: Frozen) -> None:
        task = register(registry, False, True, retry=Retry(max_retries=1, delay=90, max_delay=90, jitter=0), max_runs=1)
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert registry.next_run("a") == START + 90 * SECOND
        registry.tick_at(START + 90 * SECOND)
        assert (task.runs, run_times(task)) == (1, ["12:00:00", "12:01:30"])

    def test_a_requested_run_counts_and_one_beyond_the_limit_takes_place(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work, max_runs=2))
        registry.run_now("a")
        registry.tick()
        registry.run_now("a")
        registry.tick()
        tick_hourly(registry, 3)
        assert task.runs == 2
        registry.run_now("a")
        assert registry.next_run("a") == registry.now
        registry.tick()
        assert (task.runs, registry.why_not("a")) == (3, "has run 3 of 2 times")

    def test_an_update_of_the_limit_or_of_the_count_opens_the_task_again(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work, max_runs=1))
        tick_hourly(registry, 3)
        registry.update("a", max_runs=2)
        assert registry.next_run("a") == registry.now
        tick_hourly(registry, 3)
        assert task.runs == 2
        task.runs = 0
        registry.tick_at(START + timedelta(hours=5))
        assert task.runs == 1
        task.max_runs = None
        registry.tick_at(START + timedelta(hours=6))
        registry.tick_at(START + timedelta(hours=7))
        assert task.runs == 3

    def test_a_lower_limit_ends_it_at_once(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work))
        tick_hourly(registry, 3)
        registry.update("a", max_runs=2)
        assert registry.why_not("a") == "has run 3 of 2 times"
        tick_hourly(registry, 6)
        assert task.runs == 3

    @pytest.mark.parametrize("fields", [{"manual": True}, {"after": ["b"]}])
    def test_a_task_without_times_of_its_own_ends_as_well(self, registry: Frozen, fields: dict[str, Any]) -> None:
        registry.register(Task(id="b", every={"hours": 1}, func=work))
        task = registry.register(Task(id="a", func=work, max_runs=2, **fields))
        for number in range(5):
            if task.manual and number < 2:
                registry.run_now("a")
            registry.tick_at(START + timedelta(hours=number))
            registry.tick()
        assert (task.runs, registry.why_not("a")) == (2, "has run 2 of 2 times")
        assert registry.statistics("a").skipped == 0
        assert [run.task_id for run in registry.upcoming(limit=3)] == ["b"] * 3
        plan = simulate(registry, registry.now, registry.now + timedelta(hours=2))
        assert {run.task_id for run in plan} == {"b"}

    def test_missed_slots_coalesce_into_one_of_the_runs(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work, max_runs=2))
        registry.tick()
        registry.tick_at(START + timedelta(hours=7))
        assert task.runs == 2
        assert registry.statistics("a").skipped == 6

    def test_a_slot_that_misfires_uses_up_no_run(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work, max_runs=2, misfire_grace=10))
        registry.tick()
        registry.tick_at(START + timedelta(hours=1, minutes=30))
        registry.tick_at(START + timedelta(hours=2))
        registry.tick_at(START + timedelta(hours=3, minutes=30))
        assert (task.runs, task.misfires) == (2, 1)

    @pytest.mark.parametrize("value", [0, -1, True, 1.5, "3", 2**31])
    def test_it_is_a_whole_number_from_one(self, value: object) -> None:
        with pytest.raises(ValueError, match="max_runs"):
            Task.model_validate({"every": MINUTE, "func": work, "max_runs": value})


class TestPlans:
    @pytest.mark.parametrize("fields", HOURLY)
    def test_upcoming_and_simulate_stop_after_what_is_left(self, registry: Frozen, fields: dict[str, Any]) -> None:
        registry.register(Task(id="a", func=work, max_runs=3, **fields))
        end = START + timedelta(days=9)
        assert len(list(registry.upcoming(until=end))) == len(list(simulate(registry, START, end))) == 3
        tick_hourly(registry, 2)
        left = 3 - registry.store["a"].runs
        runs = list(registry.upcoming(until=end))
        assert (len(runs), runs) == (left, list(simulate(registry, registry.now, end)))

    def test_a_retry_that_waits_is_none_of_the_runs_to_come(self, registry: Frozen) -> None:
        register(registry, False, retry=RETRY, max_runs=2)
        registry.tick()
        at = [run.at - START for run in registry.upcoming(limit=9)]
        assert at == [5 * SECOND, 60 * SECOND]

    def test_a_requested_run_is_one_of_them(self, registry: Frozen) -> None:
        registry.register(Task(id="a", at="18:00", func=work, max_runs=2))
        registry.run_now("a")
        at = [run.at for run in registry.upcoming(limit=9)]
        assert at == [START, START.replace(hour=18)]

    def test_a_simulation_removes_nothing_from_the_registry(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"hours": 1}, func=work, max_runs=2, remove_when_done=True))
        assert len(list(simulate(registry, START, START + timedelta(days=1)))) == 2
        assert (list(registry.store), registry.store["a"].runs) == (["a"], 0)

    @pytest.mark.parametrize(("most", "words"), [(1, "every hour, at most once"), (3, "every hour, at most 3 times")])
    def test_describe_says_so(self, most: int, words: str) -> None:
        assert describe(Task(every={"hours": 1}, func=work, max_runs=most)) == words

    def test_json_and_copies_keep_it(self) -> None:
        task = Task(every={"hours": 1}, func=jobs.boom, max_runs=3, remove_when_done=True)
        for one in (Task.model_validate_json(task.model_dump_json()), task.model_copy()):
            assert (one.max_runs, one.remove_when_done) == (3, True)


class TestAcrossInstances:
    def test_all_instances_together_run_it_so_often(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder(max_runs=3))
        for number in range(8):
            (first, second)[number % 2].tick()
            clock.advance(60)
        later = join()
        later.expose(jobs.add)
        for each in (first, second, later):
            each.tick()
            assert each.why_not("a") == "has run 3 of 3 times"
        assert len(first.history("a")) == 3

    def test_a_restart_goes_on_with_the_count_and_an_update_reaches_all(self, join: Join, clock: StoreClock) -> None:
        first = join()
        first.register(adder(max_runs=1))
        first.tick()
        first.shutdown()
        clock.advance(60)
        again = join()
        again.register(adder(max_runs=1))
        again.tick()
        assert len(again.history("a")) == 1
        again.update("a", max_runs=2)
        other = join()
        other.expose(jobs.add)
        other.tick()
        again.tick()
        assert (len(again.history("a")), other.why_not("a")) == (2, "has run 2 of 2 times")

    def test_a_dead_run_was_one_of_them(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        claim_and_die(first, first.register(adder(max_runs=1)))
        outlive_lease(second, clock)
        reap(second)
        second.tick()
        assert second.why_not("a") == "has run 1 of 1 times"
        assert [run["status"] for run in second.history("a")] == ["failed"]


def test_a_registry_with_an_empty_plan_has_nothing_to_wait_for() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=work, max_runs=1))
    registry.tick()
    assert registry.idle_seconds() is None
    assert registry.store["a"].last_run_at is not None
    assert registry.store["a"].last_run_at <= datetime.now()
