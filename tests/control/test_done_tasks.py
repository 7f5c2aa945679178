"""`remove_when_done`: a task that will never run again leaves the registry, after its outcome is published."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.control.waiting import Waits
from tests import jobs
from tests.backends.stores import Clock as StoreClock
from tests.cluster.helpers import Flaky, Join, adder, at, claim_and_die, end_pause, outlive_lease, reap
from tests.events.helpers import record_events
from tests.frozen import SECOND, START, Frozen, boom, work
from tests.runs.test_run_counts import RETRY, register
from tests.ways import wait_until

HOUR = timedelta(hours=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def done(**fields: Any) -> Task:
    return Task(**{"id": "a", "func": work, "run_at": START, "remove_when_done": True, **fields})


class TestRemoval:
    def test_a_task_leaves_after_its_outcome_is_published(self, registry: Frozen) -> None:
        names = record_events(registry)
        task = registry.register(done())
        registry.tick()
        assert names == ["registered a", "started a", "succeeded a", "removed a"]
        assert (len(registry), task.result) == (0, "done")

    def test_it_needs_no_subscriber(self, registry: Frozen) -> None:
        registry.register(done())
        registry.register(done(id="b", func=boom))
        registry.tick()
        assert len(registry) == 0

    def test_a_failure_without_a_retry_is_done_as_well(self, registry: Frozen) -> None:
        names = record_events(registry)
        registry.register(done(func=boom))
        registry.tick()
        assert names[2:] == ["failed a", "gave_up a", "removed a"]

    def test_a_retry_that_waits_keeps_it_even_while_it_is_paused(self, registry: Frozen) -> None:
        names = record_events(registry)
        register(registry, False, True, every=None, run_at=START, retry=RETRY, remove_when_done=True)
        registry.on("failed", lambda event: registry.pause("a"))
        registry.tick()
        assert list(registry.store) == ["a"]
        registry.resume("a")
        registry.tick_at(START + 5 * SECOND)
        assert names[-3:] == ["succeeded a", "recovered a", "removed a"]

    @pytest.mark.parametrize(
        ("fields", "hours"),
        [({"every": {"hours": 1}, "max_runs": 3}, 3), ({"every": {"hours": 1}, "end_at": START + 2.5 * HOUR}, 3)],
    )
    def test_it_leaves_after_the_last_slot(self, registry: Frozen, fields: dict[str, Any], hours: int) -> None:
        task = registry.register(done(run_at=None, **fields))
        for hour in range(hours):
            assert list(registry.store) == ["a"]
            registry.tick_at(START + hour * HOUR)
        assert (len(registry), task.runs) == (0, hours)

    def test_it_leaves_when_its_last_slot_misfires(self, registry: Frozen) -> None:
        names = record_events(registry)
        registry.register(done(run_at=START - HOUR, misfire_grace=60))
        registry.tick()
        assert names[1:] == ["misfired a", "removed a"]
        assert len(registry) == 0

    def test_one_that_goes_on_stays(self, registry: Frozen) -> None:
        registry.register(done(run_at=None, every={"hours": 1}))
        registry.tick()
        assert list(registry.store) == ["a"]

    @pytest.mark.parametrize("fields", [{"manual": True}, {"after": ["b"]}])
    def test_one_without_times_of_its_own_stays_until_its_runs_are_used_up(
        self, registry: Frozen, fields: dict[str, Any]
    ) -> None:
        registry.register(Task(id="b", every={"hours": 1}, func=work))
        registry.register(done(run_at=None, max_runs=2, **fields))
        for number in range(2):
            assert "a" in registry.store
            registry.run_now("a", force=True)
            registry.tick_at(START + number * HOUR)
        assert "a" not in registry.store

    def test_one_without_the_mark_stays(self, registry: Frozen) -> None:
        registry.register(done(remove_when_done=False))
        registry.tick()
        assert list(registry.store) == ["a"]

    @pytest.mark.parametrize(
        "react",
        [
            lambda registry: registry.run_now("a"),
            lambda registry: registry.update("a", run_at=START + HOUR),
            lambda registry: registry.update("a", remove_when_done=False),
        ],
    )
    def test_a_callback_may_keep_it(self, registry: Frozen, react: Callable[[TaskRegistry], Any]) -> None:
        registry.register(done())
        registry.on("succeeded", lambda event: react(registry))
        registry.tick()
        assert list(registry.store) == ["a"]

    def test_an_interruption_by_a_callback_does_not_keep_it(self, registry: Frozen) -> None:
        def interrupt(_event: object) -> None:
            raise KeyboardInterrupt

        registry.register(done())
        registry.on("succeeded", interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        assert len(registry) == 0

    def test_an_update_that_ends_the_plan_removes_it(self, registry: Frozen) -> None:
        names = record_events(registry)
        registry.register(done(run_at=None, every={"hours": 1}))
        registry.tick()
        registry.update("a", max_runs=1)
        assert (names[-2:], len(registry)) == (["updated a", "removed a"], 0)

    def test_a_retry_that_waits_is_given_up_when_it_leaves(self, registry: Frozen) -> None:
        names = record_events(registry)
        register(registry, False, every=None, run_at=START, retry=RETRY, remove_when_done=True)
        registry.tick()
        registry.update("a", retry=None)
        assert names[2:] == ["failed a", "retrying a", "updated a", "gave_up a", "removed a"]

    def test_a_retry_that_a_callback_cancels_is_given_up_once(self, registry: Frozen) -> None:
        names = record_events(registry)
        register(registry, False, every=None, run_at=START, retry=RETRY, remove_when_done=True)
        registry.on("failed", lambda event: registry.update("a", retry=None))
        registry.tick()
        assert names[2:] == ["failed a", "updated a", "removed a", "gave_up a"]

    def test_a_task_of_that_id_that_was_registered_meanwhile_stays(self, registry: Frozen) -> None:
        def replace() -> None:
            registry.remove("a")
            registry.register(done(run_at=START + HOUR))

        registry.register(done(func=replace))
        registry.tick()
        assert [task.run_at for task in registry] == [START + HOUR]

    def test_it_leaves_an_executor_too(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            registry = TaskRegistry(executor=pool)
            removed = threading.Event()
            registry.on("removed", lambda event: removed.set())
            registry.register(done())
            registry.tick()
            wait_until(removed.is_set)
            assert len(registry) == 0

    def test_a_thread_that_waits_for_it_gets_it(self, registry: Frozen) -> None:
        task = registry.register(done())
        waits = Waits(registry._parts, registry._reports)
        watch = waits._begin("a")
        assert watch.ended() is None
        registry.tick()
        assert (watch.ended(), len(registry)) == (task, 0)


class TestDependents:
    def test_a_task_stays_until_those_that_depend_on_it_are_gone(self, registry: Frozen) -> None:
        names = record_events(registry)
        registry.register(done(id="b", depends_on=["a"]))
        registry.register(done())
        registry.tick()
        assert list(registry.store) == ["b", "a"]
        registry.tick()
        assert [name for name in names if "removed" in name] == ["removed b", "removed a"]
        assert len(registry) == 0

    def test_so_it_is_with_those_that_run_after_it(self, registry: Frozen) -> None:
        registry.register(done(id="b", run_at=None, after=["a"], max_runs=1))
        registry.register(done())
        registry.tick()
        assert list(registry.store) == ["b", "a"]
        registry.tick()
        assert len(registry) == 0

    def test_one_that_is_needed_on_and_on_stays(self, registry: Frozen) -> None:
        registry.register(Task(id="b", every={"hours": 1}, func=work, depends_on=["a"]))
        registry.register(done())
        for hour in range(3):
            registry.tick_at(START + hour * HOUR)
            registry.tick()
        assert (list(registry.store), registry.store["b"].runs) == (["b", "a"], 3)

    @pytest.mark.parametrize(
        "free",
        [
            lambda registry: registry.remove("b"),
            lambda registry: registry.prune(["b"]),
            lambda registry: registry.update("b", depends_on=[]),
            lambda registry: registry.update("b", depends_on=["c"]),
        ],
    )
    def test_it_leaves_when_the_last_one_is_removed_or_depends_on_it_no_longer(
        self, registry: Frozen, free: Callable[[TaskRegistry], Any]
    ) -> None:
        names = record_events(registry)
        for task_id in ("b", "other"):
            registry.register(Task(id=task_id, every={"hours": 1}, func=work, depends_on=["a"]))
        registry.register(done())
        registry.tick()
        registry.remove("other")
        assert "a" in registry
        free(registry)
        assert ("a" in registry, names.count("removed a")) == (False, 1)

    @pytest.mark.parametrize("edit", [lambda store: store["b"]._assign("depends_on", []), lambda store: store.pop("b")])
    def test_so_it_is_after_an_edit(self, registry: Frozen, edit: Callable[[Any], Any]) -> None:
        registry.register(Task(id="b", every={"hours": 1}, func=work, depends_on=["a"]))
        registry.register(done())
        registry.tick()
        edit(registry.store)
        registry.tick()
        assert "a" not in registry

    def test_a_long_chain_leaves_at_once(self, registry: Frozen) -> None:
        for number in range(3_000):
            registry.register(done(id=str(number), depends_on=[str(number - 1)] if number else []))
        for number in range(3_000):
            registry.store[str(number)].last_success_at = registry.store[str(number)].last_run_at = START
        registry.tick()
        assert len(registry) == 0

    def test_a_removal_costs_no_more_with_many_tasks(self, registry: Frozen) -> None:
        looked_at = list[str]()
        of = type(registry._agenda.dependents).of

        def count(self: Any, task_id: str) -> list[Task]:
            found = of(self, task_id)
            looked_at.extend(task.id for task in found)
            return found

        for number in range(100):
            registry.register(done(id=f"a{number}"))
            registry.register(done(id=f"b{number}", depends_on=[f"a{number}"]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(registry._agenda.dependents), "of", count)
            registry.tick()
            registry.tick()
        assert len(registry) == 0
        assert len(looked_at) == 200  # each `a` when it has run, and because it was new


class TestNoted:
    """Tasks that are done without an outcome at that moment."""

    def test_one_whose_mark_is_assigned_later_leaves_with_the_next_tick(self, registry: Frozen) -> None:
        names = record_events(registry)
        task = registry.register(done(remove_when_done=False))
        registry.tick()
        task.remove_when_done = True
        registry.tick()
        assert (names[-1], len(registry)) == ("removed a", 0)

    def test_one_that_is_registered_done_leaves_with_the_next_tick(self, registry: Frozen) -> None:
        names = record_events(registry)
        registry.register(done(last_run_at=START, last_success_at=START))
        registry.register(done(id="b", run_at=None, every={"hours": 1}, end_at=START - HOUR))
        registry.register(done(id="c", run_at=START + HOUR))
        registry.tick()
        assert names[-2:] == ["removed a", "removed b"]
        assert list(registry.store) == ["c"]

    def test_one_that_takes_the_place_of_a_done_one_leaves(self, registry: Frozen) -> None:
        registry.register(done(remove_when_done=False))
        registry.tick()
        registry.register(done(), replace=True)
        registry.tick()
        assert len(registry) == 0


class TestAcrossInstances:
    @pytest.mark.parametrize("registers", [True, False])
    def test_one_whose_instance_died_before_the_removal_leaves_with_the_next_one(
        self, join: Join, clock: StoreClock, registers: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = join()
        monkeypatch.setattr(first._recorder.outbox, "remove_if_done", lambda task: None)
        task = adder(every=None, run_at=at(clock) + HOUR, remove_when_done=True)
        first.register(task.model_copy())
        first.tick()
        clock.advance(3_600)
        first.tick()
        assert first["a"].runs == 1
        second = join()
        names = record_events(second)
        second.expose(jobs.add)
        if registers:
            second.register(task)
        second.tick()
        assert (len(second), names[-1], len(names), list(join().store)) == (0, "removed a", 1 + registers, [])

    def test_one_whose_end_passes_while_nothing_is_up_leaves(self, join: Join, clock: StoreClock) -> None:
        first = join()
        first.register(adder(end_at=at(clock) + HOUR, remove_when_done=True))
        first.tick()
        first.shutdown()
        clock.advance(7_200)
        second = join()
        second.expose(jobs.add)
        second.tick()  # the run for the slots that were missed
        second.tick()
        assert list(join().store) == []

    def test_one_that_is_freed_by_another_instance_leaves_once(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        second.expose(jobs.take_result)
        names, others = record_events(first), record_events(second)
        first.register(adder("b", depends_on=["a"], func=jobs.take_result))
        first.register(adder(every=None, run_at=at(clock), remove_when_done=True))
        first.tick()
        second.tick()
        second.remove("b")
        first.tick()
        second.tick()
        assert (len(first), len(second)) == (0, 0)
        assert (names + others).count("removed a") == 1

    def test_one_that_others_own_stays_after_its_outcome_until_it_is_published(
        self, join: Join, clock: StoreClock
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder(every=None, run_at=at(clock) + HOUR, remove_when_done=True))
        second.tick()
        clock.advance(3_600)
        first.on("succeeded", lambda event: second.tick())
        names, others = record_events(first), record_events(second)
        first.tick()
        assert (names[-1], "removed a" in others) == ("removed a", False)

    def test_it_leaves_the_store_and_is_told_once(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        names, others = record_events(first), record_events(second)
        first.register(adder(every=None, run_at=at(clock) + HOUR, remove_when_done=True))
        first.tick()
        second.tick()
        clock.advance(3_600)
        second.tick()
        first.tick()
        assert (len(first), len(second), list(join().store)) == (0, 0, [])
        assert [name for name in names + others if "removed" in name] == ["removed a"]
        assert others[-2:] == ["succeeded a", "removed a"]

    def test_max_runs_and_retries_count_for_all(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        for each in (first, second):
            each.expose(jobs.boom)
        first.register(adder(func=jobs.boom, args=(), max_runs=2, retry=RETRY, remove_when_done=True))
        for registry, seconds in ((first, 0), (second, 5), (first, 55)):
            clock.advance(seconds)
            registry.tick()
            second.tick()
            assert list(second.store) == ["a"]
        clock.advance(5)
        second.tick()
        first.tick()
        assert (len(first), len(second)) == (0, 0)

    def test_the_instance_that_reaps_the_last_run_removes_it(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        names = record_events(second)
        claim_and_die(first, first.register(adder(every=None, run_at=at(clock), remove_when_done=True)))
        outlive_lease(second, clock)
        reap(second)
        second.tick()
        assert names[-3:] == ["failed a", "gave_up a", "removed a"]
        assert len(second) == 0

    def test_in_an_outage_it_leaves_when_the_store_is_back(self, clock: StoreClock) -> None:
        flaky = Flaky(clock)
        registry = TaskRegistry(backend=flaky, lease=600)
        names = record_events(registry)
        registry.register(adder(every=None, run_at=at(clock), remove_when_done=True))
        flaky.fails_before.add("remove")
        registry.tick()
        assert (list(registry.store), "removed a" in names) == (["a"], False)
        flaky.fails_before.clear()
        end_pause(registry)
        registry.tick()
        assert (len(registry), flaky.fetch(None, 0).states) == (0, {})
        assert [name for name in names if "removed" in name] == ["removed a"]
        registry.shutdown(0)

    def test_a_shutdown_in_an_outage_ends(self, clock: StoreClock) -> None:
        flaky = Flaky(clock)
        registry = TaskRegistry(backend=flaky, lease=600)
        registry.register(adder(every=None, run_at=at(clock), remove_when_done=True))
        flaky.fails_before.update(("remove", "fetch"))
        registry.tick()
        assert registry.shutdown(0)

    def test_one_that_another_instance_opens_again_meanwhile_stays(self, join: Join, clock: StoreClock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder(every=None, cron="* * * * *", max_runs=1, remove_when_done=True))
        second.tick()  # it knows the task
        clock.advance(60)
        first.on("succeeded", lambda event: second.update("a", max_runs=2))
        first.tick()
        second.tick()
        assert list(first.store) == list(second.store) == ["a"]
