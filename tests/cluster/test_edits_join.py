"""Tasks that join their rows: after a restart, and beside other instances that have them."""

from datetime import timedelta

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, at, runs
from tests.jobs import boom

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

_DEFINED = {"every", "run_at", "func", "args", "retry"}


class TestRestart:
    def test_a_restart_finds_all_tasks_as_before(self, join: Join, clock: Clock) -> None:
        first = join()
        before = [
            first.register(adder()),
            first.register(adder("once", every=None, run_at=at(clock))),
            first.register(adder("bad", func=boom, args=(), retry=2)),
            first.register(adder("idle", paused=True)),
        ]
        first.tick()
        clock.advance(30)
        first.tick()
        first.shutdown()
        second = join()
        after = [second.register(Task(**task.model_dump(include=_DEFINED | {"id"}))) for task in before]
        exclude = {"error"}  # its words are there
        assert [task.model_dump(exclude=exclude) for task in after] == [t.model_dump(exclude=exclude) for t in before]
        assert (before[2].attempt, before[3].paused, before[1].last_run_at) == (
            2,
            True,
            at(clock) - timedelta(seconds=30),
        )
        second.tick()
        assert [runs(second, task.id) for task in after] == [1, 1, 2, 0]
        clock.advance(29)
        second.tick()
        assert runs(second, "a") == 1
        clock.advance(1)  # the grid goes on
        second.tick()
        assert runs(second, "a") == 2

    def test_a_slot_missed_while_nothing_ran_obeys_the_grace(self, join: Join, clock: Clock) -> None:
        join().register(adder(misfire_grace=5))
        first = join()
        first.register(adder(misfire_grace=5))
        first.tick()
        first.shutdown()
        clock.advance(90)
        second = join()
        task = second.register(adder(misfire_grace=5))
        second.tick()
        second.tick()
        assert (task.misfires, runs(second, "a")) == (1, 1)
        third = join()
        again = third.register(adder(misfire_grace=5))
        assert (again.misfires, again.misfired_at) == (1, task.misfired_at)

    def test_a_schedule_changed_between_restarts_takes_effect_and_the_state_stays(
        self, join: Join, clock: Clock
    ) -> None:
        first = join()
        first.register(adder())
        first.tick()
        first.shutdown()
        second = join()
        task = second.register(adder(every={"seconds": 10}))
        assert (task.status, task.first_run_at) == (TaskStatus.SUCCESS, at(clock))
        clock.advance(10)
        second.tick()
        assert runs(second, "a") == 2

    def test_a_cron_task_that_has_never_run_counts_from_its_first_registration(self, join: Join, clock: Clock) -> None:
        pytest.importorskip("cronsim")
        first = join()
        first.register(adder(every=None, cron="* * * * *"))
        first.tick()
        first.shutdown()
        clock.advance(120)
        second = join()
        second.register(adder(every=None, cron="* * * * *"))
        second.tick()
        assert runs(second, "a") == 1

    def test_the_state_given_to_a_constructor_goes_into_a_new_row(self, join: Join, clock: Clock) -> None:
        registry = join()
        registry.register(adder(last_run_at=at(clock) - timedelta(seconds=30)))
        registry.tick()
        assert runs(registry, "a") == 0
        registry.shutdown()
        assert join().register(adder()).last_run_at == at(clock) - timedelta(seconds=30)

    def test_a_task_that_was_removed_starts_over_as_it_is_registered(self, join: Join, clock: Clock) -> None:
        registry = join()
        last = at(clock) - timedelta(seconds=30)
        for epochs in (0, 1):
            registry.register(adder(last_run_at=last, paused=True))
            registry.tick()
            task = registry.store["a"]
            assert (task.paused, task.last_run_at, task.history[epochs:]) == (True, last, [])
            registry.run_now("a")
            registry.tick()
            registry.remove("a")

    def test_the_epoch_of_a_removed_task_goes_on_with_the_next_task_of_its_id(
        self, alone: TaskRegistry, clock: Clock
    ) -> None:
        alone.register(adder())
        alone.tick()
        alone.remove("a")
        task = alone.register(adder())
        assert (task.status, task.last_run_at, task.history) == (TaskStatus.PENDING, None, [])
        alone.tick()
        assert [run["epoch"] for run in alone.history("a")] == [2]


class TestTaskOfOthers:
    @pytest.mark.parametrize("seconds", [61, 0])
    def test_the_last_run_of_a_new_task_is_that_of_the_instance_that_ticks_first(
        self, join: Join, clock: Clock, seconds: int
    ) -> None:
        first, second = join(), join()
        tasks = [first.register(adder(last_run_at=at(clock) - timedelta(seconds=61)))]
        tasks.append(second.register(adder(last_run_at=at(clock) - timedelta(seconds=seconds), result=7)))
        for _ in range(3):
            first.tick()
            second.tick()
        assert runs(first, "a") == 1
        assert [(task.last_run_at, task.result) for task in tasks] == [(at(clock), 3)] * 2

    def test_a_resumed_task_is_not_paused_anew_by_an_instance_that_registered_it_as_paused(self, join: Join) -> None:
        first, second = join(), join()
        tasks = [registry.register(adder(paused=True)) for registry in (first, second)]
        first.tick()
        first.resume("a")
        second.tick()
        first.tick()
        assert ([task.paused for task in tasks], runs(first, "a")) == ([False, False], 1)

    def test_a_task_registered_as_paused_is_paused_on_all_instances_at_once(self, join: Join) -> None:
        first, second = join(), join()
        task = first.register(adder(paused=True))
        second.expose(jobs.add)
        second.tick()
        first.tick()
        assert (task.paused, second.store["a"].paused, runs(second, "a")) == (True, True, 0)

    def test_a_task_of_another_instance_can_be_registered_here_too(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        first.register(adder("other"))
        first.register(adder())
        second.register(adder("other"))
        second.tick()
        mine = second.register(adder())
        clock.advance(60)
        second.tick()
        assert (second.store["a"] is mine, mine.result) == (True, 3)
        with pytest.raises(ValueError, match=r"^Task with id 'a' already registered\. Write replace=True"):
            second.register(adder())

    def test_a_task_of_another_instance_can_be_registered_here_while_it_runs_here(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()

        def register() -> str:
            if not registered:
                registered.append(second.register(Task(id="a", every=MINUTE, func=register)))
            return "done"

        registered: list[Task] = []
        first.expose(register, "register")
        second.expose(register, "register")
        first.register(Task(id="a", every=MINUTE, func=register))
        second.tick()
        second.tick()
        (task,) = registered
        assert (task.status, task.result, second.store["a"] is task) == (TaskStatus.SUCCESS, "done", True)
        clock.advance(60)
        second.tick()
        assert [run["status"] for run in second.history("a")] == ["success", "success"]


class TestJoin:
    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_the_past_of_a_thousand_tasks_takes_a_handful_of_round_trips(
        self, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = [str(number) for number in range(1_000)]
        backend = store.open(clock)

        def start() -> TaskRegistry:
            registry = TaskRegistry()
            for task_id in ids:
                registry.register(adder(task_id, history_limit=1 if task_id == "1" else 100))
            registry.configure(backend=backend, lease=600)
            return registry

        first = start()
        for _ in range(2):
            first.tick()
            clock.advance(60)
        first.shutdown()
        with store.round_trips(monkeypatch) as trips:
            second = start()
        assert len(trips) <= 12
        assert [len(second.store[task_id].history) for task_id in ids] == [2, 1, *[2] * 998]
        second.shutdown(0)
