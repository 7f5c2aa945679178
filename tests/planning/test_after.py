"""`after`: a task that runs as soon as others have succeeded anew."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import PlannedRun, Retry, Task, describe, simulate
from est_alan_scheduler.task import TaskStatus
from tests import jobs
from tests.frozen import SECOND, START, Frozen, boom, run_times, work
from tests.messages import only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

HOUR = timedelta(hours=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def source(registry: Frozen, task_id: str = "source", **fields: Any) -> Task:
    """Register a task that returns 1, 2, 3, and so on."""
    numbers = count(1)
    options: dict[str, Any] = {"id": task_id, "every": {"hours": 1}, "func": lambda: next(numbers)}
    return registry.register(Task(**options | fields))


def follower(registry: Frozen, failures: int = 0, **fields: Any) -> list[int | None]:
    """Register a task that runs after "source" and fails at first; return the inputs of its calls."""
    given: list[int | None] = []

    def consume(dep_source: int | None = None) -> None:
        given.append(dep_source)
        if len(given) <= failures:
            raise ValueError("boom")

    options: dict[str, Any] = {"id": "follower", "after": ["source"], "func": consume}
    registry.register(Task(**options | fields))
    return given


def settle(registry: Frozen, now: Any = None) -> None:
    """Tick until nothing more is due."""
    registry.now = now or registry.now
    for _ in range(9):
        registry.tick()
    assert registry.idle_seconds() != 0


class TestRuns:
    def test_each_success_of_the_other_task_lets_it_run_once(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry)
        for hour in range(4):
            settle(registry, START + hour * HOUR)
        assert given == [1, 2, 3, 4]
        assert run_times(registry.store["follower"]) == ["12:00:00", "13:00:00", "14:00:00", "15:00:00"]

    def test_it_runs_in_the_tick_after_the_success_and_the_loop_does_not_wait(self, registry: Frozen) -> None:
        given = follower(registry)
        source(registry)
        registry.tick()
        assert (given, registry.idle_seconds()) == ([], 0)
        settle(registry)
        assert (given, registry.idle_seconds()) == ([1], 3600)

    def test_it_needs_a_new_success_of_every_task_named(self, registry: Frozen) -> None:
        source(registry)
        source(registry, "other", every={"hours": 3})
        given = follower(registry, after=["source", "other"])
        for hour in range(7):
            settle(registry, START + hour * HOUR)
        assert given == [1, 4, 7]

    def test_a_failure_of_the_other_task_lets_nothing_run(self, registry: Frozen) -> None:
        source(registry, func=boom)
        given = follower(registry)
        settle(registry)
        assert given == []
        assert registry.why_not("follower") == "waits for 'source', which has not succeeded"

    def test_a_success_during_its_run_lets_it_run_again(self, registry: Frozen) -> None:
        task = source(registry)
        given: list[int] = []

        def consume(dep_source: int) -> None:
            given.append(dep_source)
            registry.now += SECOND
            if len(given) == 1:
                registry._execute(task)

        follower(registry, func=consume)
        settle(registry)
        assert given == [1, 2]

    def test_tasks_are_taken_for_their_ids(self, registry: Frozen) -> None:
        named: list[Any] = [source(registry, "extract"), "x", "extract"]
        assert Task(id="load", func=print, after=named).after == ["extract", "x"]

    def test_results_of_dependencies_come_along(self, registry: Frozen) -> None:
        source(registry)
        source(registry, "config", every={"days": 1}, func=lambda: "c")
        given: list[Any] = []
        follower(registry, depends_on=["config"], func=lambda **results: given.append(results))
        settle(registry)
        settle(registry, START + HOUR)
        assert given == [{"dep_config": "c", "dep_source": 1}, {"dep_config": "c", "dep_source": 2}]

    def test_a_chain_runs_through_in_one_go(self, registry: Frozen) -> None:
        log: list[str] = []
        registry.register(Task(id="a", at="12:00", func=lambda: log.append("a")))
        for one, other in ("ab", "bc", "cd"):
            registry.register(Task(id=other, after=[one], func=lambda name=other: log.append(name)))
        settle(registry)
        assert log == ["a", "b", "c", "d"]

    def test_a_success_after_the_clock_goes_back_is_new(self, registry: Frozen) -> None:
        source(registry, every={"minutes": 1})
        given = follower(registry)
        settle(registry)
        for _ in range(2):
            settle(registry, registry.now - HOUR)
        assert given == [1, 2, 3]

    def test_a_waiting_task_is_not_looked_at(self, registry: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
        source(registry, every={"hours": 1})
        follower(registry)
        settle(registry)
        asked: list[Task] = []
        monkeypatch.setattr(registry._parts.readiness, "_may_go_ahead", lambda task, _: asked.append(task))
        for minute in range(50):
            registry.tick_at(START + minute * 60 * SECOND)
        assert asked == []


class TestFirstRun:
    @pytest.mark.parametrize(("run_immediately", "runs"), [(True, 1), (False, 0)])
    def test_a_success_from_before_its_registration_counts_unless_it_waits(
        self, registry: Frozen, run_immediately: bool, runs: int
    ) -> None:
        source(registry)
        settle(registry)
        registry.now += SECOND
        given = follower(registry, run_immediately=run_immediately)
        settle(registry)
        assert len(given) == runs
        settle(registry, START + HOUR)
        assert given[runs:] == [2]

    def test_a_success_at_the_moment_of_its_registration_counts(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry, run_immediately=False)
        settle(registry)
        assert given == [1]

    def test_a_task_that_has_run_otherwise_needs_a_success_since_then(self, registry: Frozen) -> None:
        source(registry, every={"hours": 6})
        given = follower(registry, after=None, at="13:00", func=work)
        settle(registry)
        settle(registry, START + HOUR)
        registry.update("follower", at=None, after=["source"])
        settle(registry, START + 2 * HOUR)
        assert (given, registry.why_not("follower")) == ([], "waits for a new success of 'source'")
        settle(registry, START + 6 * HOUR)
        assert run_times(registry.store["follower"]) == ["13:00:00", "18:00:00"]

    def test_consumed_successes_survive_the_json_round_trip(self, registry: Frozen) -> None:
        registry.register(Task(id="source", every={"hours": 1}, func=jobs.process_id))
        registry.register(Task(id="follower", after=["source"], func=jobs.echo, args=(1,)))
        settle(registry)
        loaded = [Task.model_validate_json(task.model_dump_json()) for task in registry]
        other = Frozen()
        for task in loaded:
            other.register(task)
        settle(other)
        assert (loaded[1].after, len(loaded[1].history)) == (["source"], 1)
        settle(other, START + HOUR)
        assert len(other.store["follower"].history) == 2


class TestManagement:
    def test_a_retry_needs_nothing_new(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry, failures=2, retry=Retry(max_retries=2, delay=10, jitter=0))
        settle(registry)
        assert registry.why_not("follower") == (
            "retries (attempt 2 of 3) in 10 s at 2026-06-01 12:00:10, after ValueError: boom"
        )
        for seconds in (9, 10, 30, 40):
            settle(registry, START + seconds * SECOND)
        assert (given, [run["attempt"] for run in registry.store["follower"].history]) == ([1, 1, 1], [1, 2, 3])

    def test_a_new_success_replaces_the_retry(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry, failures=1, retry=Retry(max_retries=2, delay=7200))
        settle(registry)
        settle(registry, START + HOUR)
        settle(registry, START + 3 * HOUR / 2)
        assert (given, [run["attempt"] for run in registry.store["follower"].history]) == ([1, 2], [1, 1])

    def test_a_failed_run_without_a_retry_waits_for_a_new_success(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry, failures=1)
        settle(registry)
        settle(registry, START + HOUR)
        assert given == [1, 2]

    def test_run_now_needs_a_success_but_no_new_one(self, registry: Frozen) -> None:
        source(registry, at="13:00", every=None)
        given = follower(registry)
        registry.run_now("follower")
        settle(registry)
        assert (given, registry.why_not("follower")) == ([], "waits for 'source', which has not succeeded")
        settle(registry, START + HOUR)
        registry.run_now("follower")
        settle(registry, START + 2 * HOUR)
        assert given == [1, 1]

    def test_a_forced_run_needs_no_success(self, registry: Frozen) -> None:
        source(registry, at="13:00", every=None)
        given = follower(registry)
        registry.run_now("follower", force=True)
        settle(registry)
        settle(registry, START + HOUR)
        assert given == [None, 1]

    def test_successes_during_a_pause_are_made_up_for_by_one_run(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry)
        registry.pause("follower")
        for hour in range(3):
            settle(registry, START + hour * HOUR)
        assert registry.why_not("follower") == "paused: resume('follower') lets it run"
        registry.resume("follower")
        settle(registry)
        assert given == [3]

    @pytest.mark.parametrize("other", [{"every": {"hours": 1}}, {"at": "13:00"}, {"manual": True}])
    def test_update_leads_to_other_options_and_back(self, registry: Frozen, other: dict[str, Any]) -> None:
        source(registry)
        given = follower(registry)
        settle(registry)
        changes: dict[str, Any] = {"after": None, **other}
        registry.update("follower", **changes)
        runs = 1 if "manual" in other else 2
        settle(registry, START + HOUR + SECOND)
        assert len(given) == runs
        registry.update("follower", after=["source"], every=None, at=None, manual=False)
        settle(registry, START + 2 * HOUR)
        assert given[-1] == 3

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"timezone": "Asia/Seoul"}, "timezone would mean nothing, leave it out"),
            ({"exclude": ["2026-06-02"], "jitter": 1}, "exclude and jitter would mean nothing, leave them out"),
            ({"misfire_grace": 1}, "misfire_grace would mean nothing, leave it out"),
            ({"start_at": START, "end_at": START}, "start_at and end_at would mean nothing, leave them out"),
        ],
    )
    def test_limits_of_slots_are_refused(self, registry: Frozen, fields: dict[str, Any], text: str) -> None:
        message = f"task 'follower' runs after 'source' and has no times of its own: {text}"
        with pytest.raises(ValueError, match="no times") as caught:
            follower(registry, **fields)
        assert (str(caught.value), len(registry)) == (message, 0)
        follower(registry)
        with pytest.raises(ValueError, match="no times") as caught:
            registry.update("follower", **fields)
        assert str(caught.value) == message

    def test_limits_that_are_assigned_mean_nothing(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry)
        registry.store["follower"].end_at = START - HOUR
        settle(registry)
        assert given == [1]

    def test_a_cycle_through_after_and_depends_on_is_refused(self, registry: Frozen) -> None:
        registry.register(Task(id="a", after=["b"], func=work))
        registry.register(Task(id="b", every={"hours": 1}, depends_on=["c"], func=work))
        with pytest.raises(ValueError, match="itself") as caught:
            registry.register(Task(id="c", after=["x", "a"], func=work))
        assert str(caught.value) == "Task 'c' would depend on itself: c -> a -> b -> c"
        registry.register(Task(id="c", after=["x"], func=work))
        with pytest.raises(ValueError, match="itself") as caught:
            registry.update("c", after=["a"])
        assert str(caught.value) == "Task 'c' would depend on itself: c -> a -> b -> c"
        with pytest.raises(ValueError, match="itself") as caught:
            registry.register(Task(id="d", after=["d"], func=work))
        assert str(caught.value) == "Task 'd' would depend on itself: d -> d"

    def test_a_task_that_another_one_comes_after_closes_the_cycle(self, registry: Frozen) -> None:
        registry.register(Task(id="a", after=["b"], func=work))
        with pytest.raises(ValueError, match="itself: b -> a -> b"):
            registry.register(Task(id="b", every={"hours": 1}, depends_on=["a"], func=work))

    def test_a_result_that_collides_with_kwargs_is_refused(self, registry: Frozen) -> None:
        with pytest.raises(ValueError, match="where the result of 'source' would go"):
            follower(registry, kwargs={"dep_source": 1})

    def test_results_with_one_name_are_refused(self, registry: Frozen) -> None:
        text = "task 'b' takes the results of 'x y' and 'x-y', which would both go to 'dep_x_y'."
        with pytest.raises(ValueError, match="both go") as caught:
            registry.register(Task(id="b", depends_on=["x y"], after=["x-y"], func=work))
        assert str(caught.value) == text

    def test_a_result_that_the_function_asks_for_has_to_come(self, registry: Frozen) -> None:
        def consume(dep_source: int, dep_other: int) -> None:
            pass

        with pytest.raises(ValueError, match="dep_other"):
            follower(registry, func=consume)
        follower(registry, func=consume, depends_on=["other"])

    def test_the_number_of_its_runs_may_be_limited(self, registry: Frozen) -> None:
        source(registry)
        given = follower(registry, max_runs=2)
        for hour in range(4):
            settle(registry, START + hour * HOUR)
        assert given == [1, 2]


class TestReports:
    def test_why_not_names_what_it_waits_for(self, registry: Frozen) -> None:
        source(registry)
        source(registry, "other")
        follower(registry, after=["source", "other"])
        settle(registry)
        assert registry.why_not("follower") == "waits for a new success of 'source' and 'other'"
        registry.run_now("other")
        registry.tick_at(START + SECOND)
        assert registry.why_not("follower") == "waits for a new success of 'source'"
        registry.remove("source")
        assert registry.why_not("follower") == "waits for 'source', which is not registered"
        source(registry)
        registry.tick_at(START + 2 * SECOND)
        assert registry.why_not("follower") == "due now, it runs with the next tick"

    @pytest.mark.parametrize(
        ("ids", "text"),
        [(["a"], "after 'a'"), (["a", "b"], "after 'a' and 'b'"), (["a", "b", "c"], "after 'a', 'b' and 'c'")],
    )
    def test_describe_names_the_tasks(self, ids: list[str], text: str) -> None:
        assert describe(Task(func=print, after=ids)) == text

    def test_it_has_no_planned_runs(self, registry: Frozen) -> None:
        task = source(registry)
        follower(registry)
        assert [run.task_id for run in registry.upcoming(limit=3)] == ["source"] * 3
        settle(registry)
        registry.run_now("follower")
        assert next(registry.upcoming(limit=3)) == PlannedRun(START, "follower")
        assert task.status is TaskStatus.SUCCESS

    def test_a_planned_retry_is_a_planned_run(self, registry: Frozen) -> None:
        source(registry)
        follower(registry, failures=1, retry=Retry(max_retries=1, delay=10, jitter=0))
        settle(registry)
        assert next(registry.upcoming()) == PlannedRun(START + 10 * SECOND, "follower")

    def test_a_simulation_has_its_runs(self, registry: Frozen) -> None:
        source(registry)
        follower(registry)
        registry.register(Task(id="last", after=["follower"], func=work))
        settle(registry)
        runs = [(run.at, run.task_id) for run in simulate(registry, START + SECOND, START + 2 * HOUR)]
        ids = ("source", "follower", "last")
        assert runs == [(START + hour * HOUR, task_id) for hour in (1, 2) for task_id in ids]

    @pytest.mark.parametrize("value", ["source", [], [1], [""], {"a": 1}, 5])
    def test_another_value_is_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            Task(func=print, after=value)
        assert "after must be a list of at least one task id, such as ['extract'], or task" in only_error(caught)


def test_a_copy_without_what_it_runs_after_may_be_copied_again() -> None:
    copy = Task(id="b", after=["a"], func=print).model_copy(update={"after": None, "manual": True})
    assert (copy.model_copy().after, copy.model_copy().manual) == (None, True)
