"""The events that follow an outcome: `gave_up`, `recovered`."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, current_run
from tests import jobs
from tests.backends.stores import Clock as StoreClock
from tests.cluster.helpers import Flaky, Join, adder, claim_and_die, end_pause, outlive_lease, reap
from tests.frozen import SECOND, START, Frozen, work
from tests.runs.test_run_counts import RETRY, register

FOLLOW_UPS = ("succeeded", "failed", "retrying", "gave_up", "recovered")
SLOW_RETRY = Retry(max_retries=1, delay=600)
Noted = list[tuple[str, int | None, int | None]]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def note(registry: TaskRegistry, *names: Any) -> Noted:
    """Return a list that gets the name, the attempt and the failures in a row of each of these events."""
    noted: Noted = []
    registry.on(
        *(names or FOLLOW_UPS), lambda event: noted.append((event.name, event.attempt, event.consecutive_failures))
    )
    return noted


class TestOutcomes:
    def test_a_failure_without_a_retry_gives_up(self, registry: Frozen) -> None:
        noted = note(registry)
        register(registry, False, False)
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert noted == [("failed", 1, 1), ("gave_up", 1, 1), ("failed", 1, 2), ("gave_up", 1, 2)]

    def test_only_the_last_attempt_gives_up(self, registry: Frozen) -> None:
        noted = note(registry)
        register(registry, False, False, retry=RETRY)
        registry.tick()
        registry.tick_at(START + 5 * SECOND)
        assert noted == [("failed", 1, 1), ("retrying", 1, 1), ("failed", 2, 2), ("gave_up", 2, 2)]

    def test_a_success_after_failures_recovers_once(self, registry: Frozen) -> None:
        noted = note(registry)
        register(registry, False, False, True, True)
        for minute in range(4):
            registry.tick_at(START + 60 * minute * SECOND)
        assert noted[4:] == [("succeeded", 1, 2), ("recovered", 1, 2), ("succeeded", 1, 0)]

    def test_a_success_of_a_retry_recovers(self, registry: Frozen) -> None:
        noted = note(registry)
        register(registry, False, True, retry=RETRY)
        registry.tick()
        registry.tick_at(START + 5 * SECOND)
        assert noted == [("failed", 1, 1), ("retrying", 1, 1), ("succeeded", 2, 1), ("recovered", 2, 1)]

    @pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
    def test_recovered_and_gave_up_need_no_other_subscriber(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture, level: int
    ) -> None:
        caplog.set_level(level, "est_alan_scheduler")
        noted = note(registry, "gave_up", "recovered")
        register(registry, False, True)
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert noted == [("gave_up", 1, 1), ("recovered", 1, 1)]

    def test_the_events_have_what_the_outcome_has(self, registry: Frozen) -> None:
        events = list[Event]()
        registry.on("failed", "gave_up", "succeeded", "recovered", events.append)
        register(registry, False, True)
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        for outcome, follow_up in (events[:2], events[2:]):
            assert replace(outcome, name=follow_up.name) == follow_up
        assert (str(events[1].error), events[3].slot) == ("boom", START + 60 * SECOND)

    @pytest.mark.parametrize(
        "react",
        [
            lambda registry: registry.update("a", retry=None),
            lambda registry: registry.run_now("a"),
            lambda registry: registry.remove("a"),
        ],
    )
    def test_a_retry_that_a_callback_cancels_is_given_up(
        self, registry: Frozen, react: Callable[[TaskRegistry], Any]
    ) -> None:
        register(registry, False, retry=RETRY)
        registry.on("failed", lambda event: react(registry))
        noted = note(registry, "retrying", "gave_up")
        registry.tick()
        assert noted == [("gave_up", 1, 1)]

    @pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
    def test_a_retry_that_waits_is_given_up_when_a_slot_replaces_it(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture, level: int
    ) -> None:
        caplog.set_level(level, "est_alan_scheduler")
        noted = note(registry, *FOLLOW_UPS, "started")
        register(registry, False, True, retry=SLOW_RETRY)
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert [name for name, _, _ in noted] == [
            *("started", "failed", "retrying", "gave_up", "started", "succeeded", "recovered")
        ]
        assert noted[3] == ("gave_up", 1, 1)

    def test_each_failure_in_a_row_is_given_up_once(self, registry: Frozen) -> None:
        noted = note(registry, "gave_up")
        register(registry, *[False] * 5, retry=10)
        for minute in range(5):
            registry.tick_at(START + 60 * minute * SECOND)
        assert noted == [("gave_up", 1, number) for number in range(1, 5)]

    def test_the_event_is_that_of_the_failed_run(self, registry: Frozen) -> None:
        events = list[Event]()
        registry.on("retrying", "gave_up", events.append)
        register(registry, False, True, retry=SLOW_RETRY)
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert events[1] == replace(events[0], name="gave_up", retry_at=None, duration=None)

    @pytest.mark.parametrize(
        "act",
        [
            lambda registry: registry.run_now("a"),
            lambda registry: registry._execute(registry["a"]),
            lambda registry: registry.update("a", retry=None, every={"seconds": 1}),
        ],
    )
    def test_so_it_is_with_a_request_or_a_run_by_hand(
        self, registry: Frozen, act: Callable[[TaskRegistry], Any]
    ) -> None:
        noted = note(registry, "retrying", "gave_up")
        register(registry, False, True, True, retry=SLOW_RETRY)
        registry.tick()
        act(registry)
        registry.tick_at(START + 30 * SECOND)
        assert noted == [("retrying", 1, 1), ("gave_up", 1, 1)]

    def test_so_it_is_with_a_success_of_a_task_that_it_runs_after(self, registry: Frozen) -> None:
        noted = note(registry, "gave_up")
        registry.register(Task(id="b", every={"minutes": 1}, func=work))
        register(registry, False, True, every=None, after=["b"], retry=SLOW_RETRY)
        for seconds in (0, 1, 60, 61):
            registry.tick_at(START + seconds * SECOND)
        assert noted == [("gave_up", 1, 1)]

    @pytest.mark.parametrize(
        "react", [lambda registry: registry.update("a", retry=None), lambda registry: registry.run_now("a")]
    )
    def test_a_retry_that_a_callback_cancels_is_given_up_once(
        self, registry: Frozen, react: Callable[[TaskRegistry], Any]
    ) -> None:
        register(registry, False, True, True, retry=SLOW_RETRY)
        noted = note(registry, "retrying", "gave_up")
        registry.on("failed", lambda event: react(registry))
        registry.tick()
        registry.tick_at(START + 60 * SECOND)
        assert noted == [("gave_up", 1, 1)]

    def test_a_retry_that_a_run_within_the_callback_replaces_is_given_up_once(self, registry: Frozen) -> None:
        register(registry, False, True, retry=SLOW_RETRY)
        noted = note(registry, "retrying", "gave_up")
        registry.on("failed", lambda event: registry.tick_at(START + 60 * SECOND))
        registry.tick()
        assert noted == [("gave_up", 1, 1)]

    def test_a_retry_that_begins_is_not_given_up(self, registry: Frozen) -> None:
        noted = note(registry, "gave_up")
        register(registry, False, True, retry=RETRY)
        registry.tick()
        registry.tick_at(START + 5 * SECOND)
        assert noted == []

    def test_a_moment_that_was_assigned_to_a_task_that_has_not_failed_is_no_retry(self, registry: Frozen) -> None:
        noted = note(registry, "gave_up")
        task = register(registry, True, True, retry=SLOW_RETRY)
        registry.tick()
        task.retry_at = START + 600 * SECOND
        registry.tick_at(START + 60 * SECOND)
        assert noted == []

    def test_the_time_of_a_callback_does_not_count_for_the_run_that_replaces_a_retry(self) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            registry.on("gave_up", lambda event: frozen.tick(2))
            register(registry, False, True, retry=SLOW_RETRY)
            registry.tick()
            frozen.tick(60)
            registry.tick()
            assert registry.statistics().last_duration == 0


class TestAcrossInstances:
    def test_each_is_published_once_where_the_outcome_was_recorded(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        noted, others = note(first), note(second)
        second.expose(jobs.boom)
        first.register(adder(func=jobs.boom, args=()))
        first.tick()
        second.tick()
        clock.advance(60)
        second.expose(current_run)
        second.update("a", func=current_run)
        second.tick()
        first.tick()
        assert noted == [("failed", 1, 1), ("gave_up", 1, 1)]
        assert others == [("succeeded", 1, 1), ("recovered", 1, 1)]

    def test_the_instance_whose_run_replaces_a_retry_gives_it_up(self, join: Join, clock: StoreClock) -> None:
        first, second, events = join(), join(), list[Event]()
        second.expose(jobs.boom)
        first.register(adder(func=jobs.boom, args=(), retry=SLOW_RETRY))
        noted, others = note(first), note(second)
        second.on("gave_up", events.append)
        first.tick()
        second.tick()
        clock.advance(60)
        second.tick()
        first.tick()
        assert noted == [("failed", 1, 1), ("retrying", 1, 1)]
        assert others == [("gave_up", 1, 1), ("failed", 1, 2), ("retrying", 1, 2)]
        run = first["a"].history[0]
        assert (events[0].error_message, events[0].started_at) == (run["error"], run["run_at"])

    def test_a_retry_that_is_replaced_before_its_failure_is_published_is_given_up_once(
        self, join: Join, clock: StoreClock
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        noted, others = note(first), note(second)
        claim_and_die(first, first.register(adder(retry=SLOW_RETRY)))
        outlive_lease(second, clock)
        reap(second)
        third = join()
        third.expose(jobs.add)
        third_noted = note(third)
        third.tick()
        second.tick()
        assert (noted, others) == ([], [("failed", 1, 1), ("retrying", 1, 1)])
        assert third_noted == [("gave_up", 1, 1), ("succeeded", 1, 1), ("recovered", 1, 1)]

    def test_a_reaped_run_whose_retry_is_replaced_here_is_given_up_once(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        noted = note(second)
        claim_and_die(first, first.register(adder(retry=SLOW_RETRY)))
        outlive_lease(second, clock)
        reap(second)
        second.tick()
        assert sorted(noted[:3]) == [("failed", 1, 1), ("gave_up", 1, 1), ("retrying", 1, 1)]
        assert noted[3:] == [("succeeded", 1, 1), ("recovered", 1, 1)]

    def test_they_wait_until_the_outcome_is_stored(self, clock: StoreClock) -> None:
        flaky = Flaky(clock)
        shared = TaskRegistry(backend=flaky, lease=600)
        noted = note(shared, "gave_up")

        def fail() -> None:
            flaky.fails_before.add("finish")
            raise ValueError

        shared.expose(fail, "fail")
        shared.register(adder(func=fail, args=()))
        shared.tick()
        assert noted == []
        flaky.fails_before.clear()
        end_pause(shared)
        shared.tick()
        assert noted == [("gave_up", 1, 1)]
        shared.shutdown(0)

    def test_a_dead_run_gives_up_where_it_is_reaped(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        noted = note(second)
        claim_and_die(first, first.register(adder(every={"hours": 1})))
        outlive_lease(second, clock)
        reap(second)
        second.tick()
        assert noted == [("failed", 1, 1), ("gave_up", 1, 1)]
