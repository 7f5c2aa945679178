"""Fresh input: the successes of its dependencies that a task has consumed."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Event, Retry, Task
from tests import jobs
from tests.frozen import SECOND, START, Frozen
from tests.messages import missing, only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

HOUR = timedelta(hours=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def source(registry: Frozen, **fields: Any) -> Task:
    """Register a task that returns 1, 2, 3, and so on."""
    numbers = count(1)
    options: dict[str, Any] = {"id": "source", "every": {"seconds": 1}, "func": lambda: next(numbers)}
    return registry.register(Task(**options | fields))


def consumer(registry: Frozen, failures: int = 0, **fields: Any) -> list[int]:
    """Register a task that needs fresh input and fails at first; return the inputs of its calls."""
    given: list[int] = []

    def consume(dep_source: int) -> None:
        given.append(dep_source)
        if len(given) <= failures:
            raise ValueError("boom")

    options: dict[str, Any] = {
        "id": "consumer",
        "every": {"seconds": 1},
        "depends_on": ["source"],
        "depends_on_mode": "fresh",
    }
    registry.register(Task(**{"func": consume} | options | fields))
    return given


class TestFreshInput:
    def test_a_forced_run_before_any_success_consumes_nothing(self, registry: Frozen) -> None:
        source(registry, every={"hours": 1}, start_at=START + HOUR)
        given: list[int | None] = []
        consumer(registry, func=lambda dep_source=None: given.append(dep_source))
        registry.run_now("consumer", force=True)
        registry.tick()
        assert given == [None]
        assert registry.store["consumer"].consumed == {}
        registry.run_now("source")
        registry.tick()
        registry.tick_at(START + SECOND)
        assert given == [None, 1]

    def test_a_consumer_due_in_the_same_tick_gets_no_result_twice(self, registry: Frozen) -> None:
        numbers = count(1)

        def produce() -> int:
            registry.now += SECOND / 100  # the success comes after the start of the tick
            return next(numbers)

        source(registry, func=produce)
        given = consumer(registry)
        for second in range(7):
            registry.tick_at(START + second * SECOND)
        assert given == [2, 4, 6]  # the newest, each time

    def test_a_consumer_registered_first_gets_each_result_once(self, registry: Frozen) -> None:
        given = consumer(registry)
        source(registry)
        for second in range(6):
            registry.tick_at(START + second * SECOND)
        assert given == [1, 2, 3, 4, 5]

    def test_a_success_after_the_clock_goes_back_is_fresh(self, registry: Frozen) -> None:
        source(registry, every={"minutes": 1})
        given = consumer(registry)
        registry.tick()
        registry.tick()
        for _ in range(2):
            registry.now -= HOUR
            registry.tick()
            registry.tick()
            registry.tick()
        assert given == [1, 2, 3]

    def test_consumed_names_the_success_whose_result_was_passed(self, registry: Frozen) -> None:
        task = source(registry, every={"hours": 1})
        given = consumer(registry)
        registry.tick()

        def produce(event: Event) -> None:
            if event.task_id == "consumer":
                registry.now += SECOND / 2
                registry._execute(task)

        off = registry.on("started", produce)
        registry.tick()
        off()
        registry.tick_at(START + 2 * SECOND)
        assert (given, registry.store["consumer"].consumed) == ([2], {"source": START + SECOND / 2})

    def test_fresh_mode_needs_a_new_success_of_each_dependency(self, registry: Frozen) -> None:
        source(registry, every={"seconds": 10})
        registry.register(Task(id="other", every={"hours": 1}, func=jobs.process_id))
        given = consumer(registry, depends_on=["source", "other"])
        registry.tick()
        registry.tick()
        registry.tick_at(START + 10 * SECOND)
        registry.tick()
        assert given == [1]
        assert registry.why_not("consumer") == (
            "waits for 'other' to succeed anew: its success of 2026-06-01 12:00:00 has been made use of"
        )
        registry.run_now("other")
        registry.tick()
        registry.tick()
        assert given == [1, 2]

    def test_a_failed_run_consumes_its_input(self, registry: Frozen) -> None:
        source(registry, every={"hours": 1})
        given = consumer(registry, failures=1)
        for second in range(5):
            registry.tick_at(START + second * SECOND)
        assert given == [1]

    def test_a_success_of_a_re_registered_dependency_is_fresh(self, registry: Frozen) -> None:
        source(registry)
        given = consumer(registry)
        registry.tick()
        registry.tick()
        registry.remove("source")
        registry.now += SECOND
        source(registry)
        registry.tick()
        registry.tick()
        assert given == [1, 1]

    def test_a_success_consumed_before_the_mode_became_fresh_is_not_fresh(self, registry: Frozen) -> None:
        source(registry, every={"hours": 1})
        given = consumer(registry, depends_on_mode="ever")
        registry.tick()
        for second in range(3):
            registry.tick_at(START + second * SECOND)
        registry.update("consumer", depends_on_mode="fresh")
        registry.tick_at(START + 3 * SECOND)
        assert given == [1, 1, 1]
        for second in range(2):
            registry.tick_at(START + HOUR + second * SECOND)
        assert given == [1, 1, 1, 2]

    @pytest.mark.parametrize("zone", [None, "Asia/Seoul"])
    def test_consumed_survives_the_json_round_trip(self, zone: str | None) -> None:
        registry = Frozen()
        task = Task(id="source", every={"hours": 1}, func=jobs.process_id, timezone=zone)
        fields: dict[str, Any] = {"depends_on": ["source"], "depends_on_mode": "fresh"}
        registry.register(task)
        registry.register(Task(id="consumer", every={"seconds": 1}, func=jobs.echo, args=(1,), **fields))
        registry.tick()
        registry.tick()
        loaded = [Task.model_validate_json(task.model_dump_json()) for task in registry]
        assert [task.consumed for task in loaded] == [None, {"source": task.last_success_at}]
        other = Frozen()
        for task in loaded:
            other.register(task)
        other.tick_at(START + SECOND)
        assert len(other.store["consumer"].history) == 1
        other.tick_at(START + HOUR)
        other.tick()
        assert len(other.store["consumer"].history) == 2

    @pytest.mark.parametrize(
        ("value", "parts"),
        [
            ([], ["must be a dict", "moments by task id", "None", "got []"]),
            ({"a": 5}, ["must be a datetime", "ISO 8601", "got 5"]),
        ],
    )
    def test_an_invalid_consumed_value_is_one_error(self, value: Any, parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            Task(func=jobs.boom, consumed=value)
        assert missing(only_error(caught), "consumed", *parts) == []


class TestFreshInputAndRetry:
    """A retry uses the input of the failed run; every other run needs fresh input."""

    RETRY = Retry(max_retries=3, delay=4, backoff=1, jitter=0)

    def test_a_retry_needs_no_fresh_input(self, registry: Frozen) -> None:
        source(registry, every={"hours": 1})
        given = consumer(registry, failures=2, every={"minutes": 1}, retry=self.RETRY)
        for second in range(20):
            registry.tick_at(START + second * SECOND)
        assert [(run["run_at"], run["attempt"]) for run in registry.store["consumer"].history] == [
            (START + second * SECOND, attempt) for second, attempt in ((1, 1), (5, 2), (9, 3))
        ]
        assert given == [1, 1, 1]

    def test_a_slot_before_the_retry_waits_for_fresh_input_and_the_retry_runs(self, registry: Frozen) -> None:
        source(registry, every={"hours": 1})
        given = consumer(registry, failures=1, retry=self.RETRY)
        registry.tick()
        registry.tick()
        registry.tick_at(START + SECOND)
        assert (given, registry.idle_seconds()) == ([1], 3)
        assert registry.why_not("consumer") == (
            "waits for 'source' to succeed anew: its success of 2026-06-01 12:00:00 has been made use of"
        )
        registry.tick_at(START + 4 * SECOND)
        registry.tick_at(START + 5 * SECOND)
        assert (given, [run["attempt"] for run in registry.store["consumer"].history]) == ([1, 1], [1, 2])

    def test_a_slot_with_fresh_input_takes_over_from_the_retry(self, registry: Frozen) -> None:
        source(registry, every={"seconds": 2})
        given = consumer(registry, failures=1, retry=self.RETRY)
        registry.tick()
        registry.tick()
        for second in (1, 2, 2):
            registry.tick_at(START + second * SECOND)
        assert (given, [run["attempt"] for run in registry.store["consumer"].history]) == ([1, 2], [1, 1])

    @pytest.mark.parametrize("change", [{"run_requested": "ready"}, {"retry": None}, {"retry": 0}, {"retry_at": None}])
    def test_a_run_that_replaces_the_retry_needs_fresh_input(self, registry: Frozen, change: dict[str, Any]) -> None:
        source(registry, every={"hours": 1})
        given = consumer(registry, failures=1, retry=self.RETRY)
        registry.tick()
        registry.tick()
        registry.update("consumer", **change)
        for second in range(1, 9):
            registry.tick_at(START + second * SECOND)
        assert given == [1]
        registry.run_now("source")
        registry.tick()
        registry.tick()
        assert (given, registry.store["consumer"].attempt) == ([1, 2], 1)
