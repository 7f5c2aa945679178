"""Replacement of a registered task: its definition is new, its past stays."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from sys import getsizeof
from typing import Any

import pytest
from pydantic import Field, PrivateAttr

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus
from est_alan_scheduler.cluster.codecs.definitions import DEFINING
from tests import jobs
from tests.frozen import START, Frozen, boom, run_times, work

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.pydantic


@pytest.fixture
def memory() -> Frozen:
    return Frozen()


def hourly(task_id: str = "a", **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": {"hours": 1}, "func": work, **fields})


def noted(registry: TaskRegistry) -> list[Event]:
    events: list[Event] = []
    for name in ("registered", "updated", "removed", "succeeded", "failed", "retrying"):
        registry.on(name, events.append)
    return events


@pytest.mark.zone
class TestInMemory:
    def test_a_new_id_is_registered(self, memory: Frozen) -> None:
        events, task = noted(memory), hourly()
        assert memory.register(task, replace=True) is task
        assert ([event.name for event in events], memory["a"] is task) == (["registered"], True)

    def test_the_past_stays_and_the_definition_is_new(self, memory: Frozen) -> None:
        former = memory.register(hourly(retry=2, tags=["x"], description="old"))
        other = memory.register(hourly("b"))
        memory.tick()
        events, new = noted(memory), hourly(func=boom, every={"minutes": 30}, args=(), name="New")
        assert memory.register(new, replace=True) is new
        assert (new.status, new.result, new.last_run_at, new.first_run_at) == (TaskStatus.SUCCESS, "done", START, START)
        assert (new.func, new.retry, new.tags, new.name, new.description) == (boom, None, (), "New", None)
        assert (run_times(new), memory.statistics("a").runs) == (["12:00:00"], 1)
        assert (list(memory), former in memory, [event.name for event in events]) == ([new, other], False, ["updated"])
        assert memory.next_run("a") == START + timedelta(minutes=30)
        memory.tick_at(START + timedelta(minutes=30))
        assert (run_times(new), run_times(former), new.error_message) == (
            ["12:00:00", "12:30:00"],
            ["12:00:00"],
            "ValueError: boom",
        )

    def test_the_replaced_task_may_be_registered_elsewhere(self, memory: Frozen) -> None:
        former = memory.register(hourly())
        memory.register(hourly(), replace=True)
        TaskRegistry().register(former)

    def test_without_replace_the_id_is_taken(self, memory: Frozen) -> None:
        memory.register(hourly())
        with pytest.raises(ValueError, match=r"Task with id 'a' already registered\."):
            memory.register(hourly())

    def test_the_same_task_again_changes_nothing(self, memory: Frozen) -> None:
        task = memory.register(hourly())
        memory.tick()
        events = noted(memory)
        assert memory.register(task, replace=True) is task
        assert (events, memory.next_run("a"), list(memory)) == ([], START + HOUR, [task])

    def test_replace_is_a_bool(self, memory: Frozen) -> None:
        wrong: Any = "yes"
        with pytest.raises(TypeError, match="replace must be True or False, got 'yes'"):
            memory.register(hourly(), replace=wrong)

    def test_an_unchanged_schedule_keeps_its_slots_and_a_new_one_begins_now(self, memory: Frozen) -> None:
        memory.register(hourly("same", every=None, cron="0 13 * * *"))
        memory.register(hourly("new", every=None, cron="0 13 * * *"))
        memory.now += 90 * timedelta(minutes=1)
        memory.register(hourly("same", every=None, cron="0 13 * * *", func=boom), replace=True)
        memory.register(hourly("new", every=None, cron="15 13 * * *"), replace=True)
        assert [memory.next_run(task_id) for task_id in ("same", "new")] == [
            memory.now,
            START + 25 * HOUR + timedelta(minutes=15),
        ]

    @pytest.mark.parametrize("said", [None, True, False])
    def test_a_pause_stays_unless_the_new_task_says_otherwise(self, memory: Frozen, said: bool | None) -> None:
        memory.register(hourly())
        memory.pause("a")
        fields: dict[str, Any] = {} if said is None else {"paused": said}
        new = memory.register(hourly(**fields), replace=True)
        assert new.paused is (said is not False)

    def test_a_requested_run_and_a_retry_stay(self, memory: Frozen) -> None:
        retry = Retry(max_retries=1, delay=60, jitter=0)
        memory.register(hourly("r", func=boom, retry=retry))
        memory.register(hourly())
        memory.tick()
        memory.run_now("a")
        memory.register(hourly(), replace=True)
        new = memory.register(hourly("r", retry=retry), replace=True)
        assert (memory.next_run("a"), memory.next_run("r")) == (START, START + timedelta(minutes=1))
        memory.tick_at(START + timedelta(minutes=1))
        assert [run["attempt"] for run in new.history] == [1, 2]

    @pytest.mark.parametrize(
        ("new", "message"),
        [
            ({"every": None}, "Task must specify exactly one of"),
            ({"depends_on": ["b"]}, "Task 'a' would depend on itself: a -> b -> a"),
            ({"depends_on": ["c"], "kwargs": {"dep_c": 1}}, "kwargs of task 'a' hold 'dep_c'"),
        ],
    )
    def test_a_refused_replacement_changes_nothing(self, memory: Frozen, new: dict[str, Any], message: str) -> None:
        former = memory.register(hourly())
        memory.register(hourly("b", depends_on=["a"]))
        memory.tick()
        before, events = former.model_dump(), noted(memory)
        with pytest.raises(ValueError, match=message):
            memory.register(hourly(**new), replace=True)
        assert (former.model_dump(), former in memory, events) == (before, True, [])
        memory.tick_at(START + HOUR)
        assert run_times(former) == ["12:00:00", "13:00:00"]

    def test_a_task_of_another_registry_is_refused(self, memory: Frozen) -> None:
        memory.register(hourly())
        theirs = TaskRegistry()
        task = theirs.register(hourly())
        with pytest.raises(ValueError, match="belongs to another registry"):
            memory.register(task, replace=True)

    def test_a_schedule_may_be_replaced_by_one_of_another_kind(self, memory: Frozen) -> None:
        memory.register(hourly("first"))
        memory.tick()
        memory.register(hourly())
        memory.tick_at(START + timedelta(minutes=1))
        new = memory.register(Task(id="a", after=["first"], func=work), replace=True)
        memory.tick()
        assert run_times(new) == ["12:01:00"]
        memory.tick_at(START + HOUR)
        memory.tick()
        assert run_times(new) == ["12:01:00", "13:00:00"]
        with pytest.raises(ValueError, match="first -> a -> first"):
            memory.register(hourly("first", depends_on=["a"]), replace=True)
        manual = memory.register(Task(id="a", manual=True, func=work), replace=True)
        memory.tick_at(START + 2 * HOUR)
        assert (len(manual.history), manual.runs) == (2, 2)

    def test_the_defaults_of_a_registry_fill_the_new_task(self) -> None:
        registry = TaskRegistry(defaults={"timeout": 5})
        registry.register(hourly())
        assert registry.register(hourly(name="New"), replace=True).timeout == 5

    def test_dependents_see_the_replaced_task(self, memory: Frozen) -> None:
        memory.register(hourly())
        dependent = memory.register(hourly("b", func=jobs.echo, kwargs={"value": 1}, depends_on=["a"]))
        memory.register(hourly("a", every=None, run_at=START + HOUR), replace=True)
        memory.tick()
        assert dependent.history == []
        memory.tick_at(START + HOUR)
        memory.tick()
        assert dependent.result == 1

    @pytest.mark.parametrize("outcome", ["done", "boom"])
    def test_an_inline_run_that_replaces_its_own_task_goes_on_to_its_end(self, memory: Frozen, outcome: str) -> None:
        def change() -> str:
            memory.register(hourly(retry=Retry(max_retries=1, delay=60, jitter=0)), replace=True)
            memory.register(hourly(retry=Retry(max_retries=1, delay=60, jitter=0), name="third"), replace=True)
            assert memory["a"].status is TaskStatus.RUNNING
            memory.tick()
            if outcome == "boom":
                boom()
            return work()

        memory.register(hourly(func=change))
        events = noted(memory)
        memory.tick()
        new = memory["a"]
        is_done = outcome == "done"
        assert (new.name, new.status, new.result, new.error_message) == (
            ("third", TaskStatus.SUCCESS, "done", None)
            if is_done
            else ("third", TaskStatus.FAILED, None, "ValueError: boom")
        )
        assert (run_times(new), memory.statistics("a").runs, memory._parts.in_flight.all()) == (["12:00:00"], 1, [])
        assert [event.name for event in events] == ["updated", "updated"] + (
            ["succeeded"] if is_done else ["failed", "retrying"]
        )
        assert memory.next_run("a") == START + (HOUR if is_done else timedelta(minutes=1))

    def test_a_call_in_an_executor_goes_on_to_its_end(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def wait() -> str:
            begun.set()
            go_on.wait(10)
            return "former"

        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            registry.register(hourly(func=wait))
            registry.tick()
            begun.wait(10)
            new = registry.register(hourly(func=work), replace=True)
            registry.run_now("a")
            registry.tick()
            assert (new.status, new.history) == (TaskStatus.RUNNING, [])
            go_on.set()
            registry.shutdown()
            assert (new.status, new.result, len(new.history)) == (TaskStatus.SUCCESS, "former", 1)
            registry.tick()
            registry.shutdown()
            assert (new.result, len(new.history)) == ("done", 2)

    def test_many_threads_may_replace_a_task_that_runs(self, memory: Frozen) -> None:
        memory.register(hourly(every={"microseconds": 1}))
        with ThreadPoolExecutor(4) as pool:
            futures = [
                pool.submit(memory.register, hourly(every={"microseconds": 1}), replace=True) for _ in range(100)
            ]
            for number, future in enumerate(futures, 1):
                memory.now += HOUR
                while len(memory["a"].history) < number:  # an exchange within a tick leaves the run to the next one
                    memory.tick()
                future.result()
        (task,) = memory
        assert (len(task.history), memory.statistics("a").runs, task.runs) == (100, 100, 100)

    def test_the_decorator_replaces_too(self, memory: Frozen) -> None:
        memory.register(hourly())

        @memory.task(id="a", every={"hours": 1}, replace=True)
        def again() -> None: ...

        assert memory["a"].func is again


def definition(task: Task) -> dict[str, Any]:
    return {name: value for name, value in task.model_dump().items() if name in DEFINING}


class Owned(Task):
    """A task with a field that is no state, and none of `Task`."""

    owner: str = "me"
    note: str = Field("", repr=False)
    _seen: int = PrivateAttr(1)


def owned(**fields: Any) -> Owned:
    return Owned(**{"id": "a", "every": {"hours": 1}, "func": work, **fields})


@pytest.mark.zone
class TestFormerTask:
    def test_its_definition_stays_and_may_be_registered_again(self, memory: Frozen) -> None:
        one, two = memory.register(hourly(tags=["x"])), hourly(every={"hours": 2}, func=boom, timeout=5, paused=True)
        memory.tick()
        before, said, events = one.model_dump(), set(one.model_fields_set), noted(memory)
        memory.register(two, replace=True)
        assert (one.model_dump(), one.model_fields_set) == (before, said)
        assert (two.func, two.every, two.paused) == (boom, {"hours": 2}, True)
        memory.register(one, replace=True)
        assert (one.func, one.every, one.tags, one.timeout, one.paused) == (work, {"hours": 1}, ("x",), None, True)
        assert (memory["a"] is one, two.func, [event.name for event in events]) == (True, boom, ["updated", "updated"])
        memory.resume("a")
        memory.tick_at(START + HOUR)
        assert (run_times(one), run_times(two)) == (["12:00:00", "13:00:00"], ["12:00:00"])

    def test_its_moments_stay_in_its_zone(self, memory: Frozen) -> None:
        former = memory.register(hourly(timezone="Asia/Seoul"))
        memory.tick()
        before = former.model_dump_json()
        new = memory.register(hourly(timezone="America/New_York"), replace=True)
        assert former.model_dump_json() == before
        assert (new.last_run_at, str(new.last_run_at.tzinfo)) == (former.last_run_at, "America/New_York")  # type: ignore[union-attr]

    @pytest.mark.parametrize("past", ["none", "success", "failure"])
    def test_one_that_runs_gets_the_status_of_its_last_outcome(self, memory: Frozen, past: str) -> None:
        statuses = list[TaskStatus]()

        def change() -> None:
            if len(memory["a"].history) == (past != "none"):
                former = memory["a"]
                memory.register(hourly(), replace=True)
                statuses.append(former.status)
            elif past == "failure":
                boom()

        memory.register(hourly(func=change))
        memory.tick()
        memory.tick_at(START + HOUR)
        expected = {"none": TaskStatus.PENDING, "success": TaskStatus.SUCCESS, "failure": TaskStatus.FAILED}
        assert statuses == [expected[past]]

    def test_registered_again_in_its_own_run_it_gets_the_outcome(self, memory: Frozen) -> None:
        def change() -> str:
            memory.register(hourly(), replace=True)
            memory.register(former, replace=True)
            return "own"

        former = memory.register(hourly(func=change))
        memory.tick()
        assert (former.status, former.result, run_times(former)) == (TaskStatus.SUCCESS, "own", ["12:00:00"])
        assert (memory["a"] is former, memory._parts.in_flight.all()) == (True, [])

    def test_elsewhere_it_has_slots_of_its_own(self, memory: Frozen) -> None:
        former = memory.register(hourly(every=None, at="13:00"))
        memory.tick_at(START + HOUR)
        memory.register(hourly(every=None, at="14:00"), replace=True)
        memory.tick_at(START + 2 * HOUR)
        other = Frozen()
        other.now = memory.now
        other.register(former)
        assert other.next_run("a") == START + 25 * HOUR

    def test_elsewhere_it_does_not_have_the_defaults_of_its_registry(self) -> None:
        registry = TaskRegistry(defaults={"timeout": 5})
        former = registry.register(hourly())
        registry.register(hourly(), replace=True)
        assert TaskRegistry().register(former).timeout is None

    def test_it_stays_alone_while_many_threads_replace_it(self, memory: Frozen) -> None:
        tasks = [memory.register(hourly(tags=["0"]))] + [hourly(tags=[str(number)]) for number in range(1, 100)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda task: memory.register(task, replace=True), tasks))
        assert [task.tags for task in tasks] == [(str(number),) for number in range(100)]


@pytest.mark.zone
class TestSubclass:
    def test_fields_that_are_no_state_come_from_the_new_task(self, memory: Frozen) -> None:
        former = owned(owner="old")
        memory.register(former)
        memory.tick()
        new = owned(func=boom, owner="new")
        memory.register(new, replace=True)
        assert (new.owner, former.owner, new.result, definition(former)["func"]) == ("new", "old", "done", work)

    def test_a_task_may_be_replaced_by_one_of_a_subclass(self, memory: Frozen) -> None:
        memory.register(hourly())
        memory.tick()
        new = owned()
        memory.register(new, replace=True)
        assert (new.owner, new._seen, new.model_dump()["owner"], new.result) == ("me", 1, "me", "done")
        new.owner = "x"
        assert Owned.model_validate_json(new.model_dump_json()).owner == "x"
        plain = memory.register(hourly(), replace=True)
        assert (plain.result, set(plain.model_dump()), new.owner) == ("done", set(Task.model_fields), "x")

    def test_no_task_takes_more_memory_than_a_new_one(self, memory: Frozen) -> None:
        memory.register(hourly())
        memory.tick()
        memory.register(new := hourly(), replace=True)
        assert getsizeof(new.__dict__) <= getsizeof(hourly().__dict__)


@pytest.mark.zone
class TestClear:
    def test_all_tasks_are_removed(self, memory: Frozen) -> None:
        memory.register(hourly())
        memory.register(hourly("b"))
        memory.tick()
        events = noted(memory)
        memory.clear()
        assert ([(event.name, event.task_id) for event in events], len(memory)) == (
            [("removed", "a"), ("removed", "b")],
            0,
        )
        memory.clear()
        memory.register(hourly())
        memory.tick()
        assert (memory["a"].status, memory.statistics().runs) == (TaskStatus.SUCCESS, 3)
