"""The event `skipped`: how many slots a run makes up for beside its own."""

from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Retry, Task, TaskRegistry
from tests import jobs
from tests.backends.stores import Clock as StoreClock
from tests.cluster.helpers import Join, adder
from tests.events.helpers import record_events
from tests.frozen import SECOND, START, Frozen, work
from tests.runs.test_run_counts import register


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class TestSkipped:
    def test_a_run_tells_how_many_slots_it_makes_up_for(self, registry: Frozen) -> None:
        events = list[Event]()
        registry.on("started", "skipped", events.append)
        registry.register(Task(id="a", every={"minutes": 1}, func=work))
        registry.tick()
        later = START + timedelta(minutes=5, seconds=30)
        registry.tick_at(later)
        slot = START + timedelta(minutes=1)
        assert events[1:] == [
            Event("started", "a", slot, 1, later),
            Event("skipped", "a", slot, 1, later, skipped=4),
        ]
        assert registry.statistics("a").skipped == registry.statistics().skipped == 4

    @pytest.mark.parametrize(
        ("fields", "later", "slots"),
        [
            ({"cron": "0 * * * *"}, timedelta(days=5), 5 * 24 - 1),
            ({"cron": "0 * * * *"}, timedelta(hours=1), 0),
            ({"every": {"hours": 1}, "run_immediately": False}, timedelta(days=5, seconds=1), 5 * 24 - 1),
            ({"every": {"hours": 1}, "run_immediately": False}, timedelta(hours=1.5), 0),
            ({"every": {"hours": 1}, "run_immediately": False, "max_runs": 9}, timedelta(hours=2), 1),
            ({"every": {"hours": 1}, "start_at": START + timedelta(days=1)}, timedelta(days=2), 24),
            ({"every": {"hours": 1}, "start_at": START}, timedelta(hours=2), 2),
            ({"every": {"hours": 1}, "start_at": START - timedelta(hours=9)}, timedelta(hours=2), 2),
            ({"every": {"hours": 1}, "end_at": START + timedelta(days=9)}, timedelta(days=5), 0),
            ({"every": {"hours": 1}}, timedelta(days=5), 0),
            ({"at": "13:00"}, timedelta(days=4, hours=2), 4),
            ({"at": "11:00"}, timedelta(0), 0),
            ({"run_at": START}, timedelta(days=5), 0),
            ({"manual": True}, timedelta(days=5), 0),
        ],
    )
    def test_a_first_run_makes_up_for_the_slots_since_its_registration(
        self, registry: Frozen, fields: dict[str, Any], later: timedelta, slots: int
    ) -> None:
        skipped = list[int | None]()
        registry.on("skipped", lambda event: skipped.append(event.skipped))
        registry.register(Task(id="a", func=work, **fields))
        registry.tick_at(START + later)
        assert skipped == ([slots] if slots else [])
        assert registry.statistics("a").skipped == slots

    def test_slots_that_have_misfired_before_the_first_run_are_not_skipped_too(self, registry: Frozen) -> None:
        registry.register(Task(id="a", cron="0 * * * *", func=work, misfire_grace=10))
        registry.tick_at(START + timedelta(hours=5, minutes=30))
        registry.tick_at(START + timedelta(hours=6))
        assert (registry.statistics().misfires, registry.statistics().skipped) == (1, 0)

    def test_prompt_runs_and_requests_skip_nothing(self, registry: Frozen) -> None:
        names = record_events(registry)
        registry.register(Task(id="a", every={"minutes": 1}, func=work))
        registry.tick()
        registry.tick_at(START + 119 * SECOND)
        registry.run_now("a")
        registry.tick_at(START + 119 * SECOND)
        registry.tick_at(START + 120 * SECOND)
        assert "skipped a" not in names
        assert registry.statistics().skipped == 0

    def test_they_are_counted_without_a_subscriber(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"minutes": 1}, func=work))
        registry.tick()
        registry.tick_at(START + timedelta(days=365))
        assert registry.statistics().skipped == 365 * 24 * 60 - 1

    def test_slots_that_misfire_are_not_skipped_too(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"minutes": 1}, func=work, misfire_grace=10))
        registry.tick()
        registry.tick_at(START + timedelta(minutes=5, seconds=30))
        registry.tick_at(START + timedelta(minutes=6))
        assert (registry.statistics().misfires, registry.statistics().skipped) == (1, 0)

    def test_a_retry_skips_nothing(self, registry: Frozen) -> None:
        register(registry, False, True, retry=Retry(max_retries=1, delay=5, jitter=0))
        registry.tick()
        registry.tick_at(START + 30 * SECOND)
        assert registry.statistics().skipped == 0

    def test_days_that_nothing_ran_on_are_skipped(self, registry: Frozen) -> None:
        registry.register(Task(id="a", at="12:00", func=work))
        registry.tick()
        registry.tick_at(START + timedelta(days=4))
        assert registry.statistics().skipped == 3

    def test_the_time_of_a_callback_does_not_count_for_the_run(self) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            registry.on("skipped", lambda event: frozen.tick(2))
            registry.register(Task(id="a", every={"minutes": 1}, func=frozen.tick, args=(1,)))
            registry.tick()
            frozen.tick(600)
            registry.tick()
            assert registry.statistics().last_duration == 1

    def test_a_first_run_counts_from_the_registration_by_any_instance(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder(run_immediately=False))
        clock.advance(300)
        second.tick()
        assert (second["a"].runs, second.statistics().skipped) == (1, 4)

    def test_only_the_instance_that_runs_publishes_it(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        noted, others = record_events(first), record_events(second)
        first.register(adder())
        first.tick()
        clock.advance(300)
        second.tick()
        first.tick()
        assert (noted.count("skipped a"), others.count("skipped a")) == (0, 1)
        assert (first.statistics().skipped, second.statistics().skipped) == (0, 4)
