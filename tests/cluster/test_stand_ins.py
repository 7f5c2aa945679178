"""Stand-ins: each task of a backend is there for everyone, and runs only where its function is known."""

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus, describe, simulate
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.control.tick import SplitTick
from est_alan_scheduler.fields.serialization import function_name
from est_alan_scheduler.fields.unknown_function import UnknownFunction, UnknownFunctionError
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, at, claim_and_die, noop, outlive_lease, reap, runs, take

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

ADD = "tests.jobs:add"
UNKNOWN = f"runs on other instances only: its function '{ADD}' is unknown here: register or expose it"


@pytest.fixture
def worker(join: Join) -> TaskRegistry:
    """An instance that runs the tasks."""
    return join()


@pytest.fixture
def here(join: Join, worker: TaskRegistry) -> TaskRegistry:
    """An instance that knows no function, on a store with the task "a"."""
    worker.register(adder())
    here = join()
    here.tick()
    return here


def see(*registries: TaskRegistry) -> None:
    for registry in registries:
        registry.tick()


class TestLook:
    def test_a_task_is_there_and_nothing_is_unresolved(self, here: TaskRegistry) -> None:
        task = here["a"]
        assert (here.get("a"), list(here), here.select(text="A"), "a" in here) == (task, [task], [task], True)
        assert (here.unresolved(), here.known_functions(), task.args) == ({}, [], (1, 2))

    def test_its_function_is_a_stand_in_that_carries_the_name(self, here: TaskRegistry) -> None:
        task = here["a"]
        assert isinstance(task.func, UnknownFunction)
        assert (task.func.name, function_name(task.func), task.func.__name__, task.name) == (ADD, ADD, "add", "add")
        assert json.loads(task.model_dump_json())["func"] == ADD
        assert Task.model_validate_json(task.model_dump_json()).func is jobs.add
        for one in (task.model_copy(), copy.deepcopy(task), pickle.loads(pickle.dumps(task))):  # our own
            assert one.func == task.func
        with pytest.raises(UnknownFunctionError, match=f"^function '{ADD}' is unknown here: register or expose it$"):
            task.func()

    def test_it_is_shown_with_its_times(self, here: TaskRegistry, clock: Clock) -> None:
        assert describe(here["a"]) == "every minute"
        assert here.next_run("a") == at(clock)
        times = [at(clock) + timedelta(minutes=n) for n in range(2)]
        assert [(run.at, run.task_id) for run in here.upcoming(limit=2)] == [(time, "a") for time in times]
        planned = simulate(here, at(clock), timedelta(minutes=1))
        assert [(run.at, run.task_id) for run in planned] == [(time, "a") for time in times]
        assert here.table().splitlines()[1].split() == ["a", "every", "minute", "now", "-", "pending"]
        assert here.statistics("a").runs == 0

    def test_what_it_comes_to_elsewhere_is_seen(self, worker: TaskRegistry, here: TaskRegistry, clock: Clock) -> None:
        for count in (1, 2, 3):
            see(worker, here)
            task = here["a"]
            assert (task.status, task.result, task.last_run_at, task.runs) == (TaskStatus.SUCCESS, 3, at(clock), count)
            assert (len(here.history("a")), here.next_run("a")) == (count, at(clock) + timedelta(minutes=1))
            clock.advance(60)

    def test_that_it_runs_elsewhere_is_seen(self, worker: TaskRegistry, here: TaskRegistry, clock: Clock) -> None:
        seen = []

        def look() -> None:
            here.tick()
            seen.append((here["b"].status, here.why_not("b")))

        worker.expose(look, "look")
        worker.register(adder("b", func=look, args=()))
        see(here, worker, here)
        unknown = UNKNOWN.replace(ADD, "look")
        assert seen == [(TaskStatus.RUNNING, f"{unknown}; running since {at(clock)}")]
        assert here["b"].status is TaskStatus.SUCCESS

    def test_known_functions_are_those_of_tasks_and_those_exposed(self, here: TaskRegistry) -> None:
        here.expose(jobs.echo)
        here.expose(LookupError, "error")
        here.register(adder("b", func=noop, args=()))
        assert here.known_functions() == ["error", "tests.cluster.helpers:noop", "tests.jobs:echo"]

    def test_known_functions_without_a_backend_are_those_that_another_process_would_find(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(every=MINUTE, func=lambda: None))
        registry.register(Task(every=MINUTE, func=noop))
        registry.expose(lambda: None, "nothing")
        assert registry.known_functions() == ["nothing", "tests.cluster.helpers:noop"]


class TestWhyNot:
    def test_says_that_others_run_it_and_what_else_holds_it(
        self, worker: TaskRegistry, here: TaskRegistry, clock: Clock
    ) -> None:
        assert here.why_not("a") == f"{UNKNOWN}; due now"
        see(worker, here)
        when = f"due in 60 s at {at(clock) + timedelta(minutes=1)}"
        assert here.why_not("a") == f"{UNKNOWN}; {when}"
        worker.register(adder("b", depends_on=["c"]))
        here.tick()
        missing = "waits for 'c', which is not registered"
        assert here.why_not("b").startswith(f"{UNKNOWN}; {missing}")
        here.pause("a")
        assert here.why_not("a") == f"{UNKNOWN}; paused: resume('a') lets it run"
        here.pause_all()
        assert here.why_not("a") == f"{UNKNOWN}; all tasks are paused: resume_all() lets them run"


class TestManagement:
    def test_pause_resume_and_run_now_take_effect_where_it_runs(
        self, worker: TaskRegistry, here: TaskRegistry, clock: Clock
    ) -> None:
        assert here.pause("a").paused
        see(worker)
        assert (worker["a"].paused, runs(here, "a")) == (True, 0)
        here.resume("a")
        see(worker, here)
        assert (worker["a"].paused, here["a"].status) == (False, TaskStatus.SUCCESS)
        here.run_now("a", args=(40, 2))  # they cannot be compared with a signature
        see(worker, here)
        assert (here["a"].result, runs(here, "a")) == (42, 2)
        here.run_now("a", kwargs={"z": 1})
        see(worker, here)
        assert here["a"].error_message == "TypeError: add() got an unexpected keyword argument 'z'"

    def test_wait_sees_its_run(self, worker: TaskRegistry, here: TaskRegistry) -> None:
        here.run_now("a", args=(40, 2))
        see(worker)
        assert here.wait("a", timeout=10).result == 42

    def test_update_changes_schedule_and_limits_and_leaves_the_name_as_it_is(
        self, worker: TaskRegistry, here: TaskRegistry, clock: Clock
    ) -> None:
        see(worker, here)
        task = here.update("a", every={"hours": 2}, timeout=5, args=(3, 4), max_runs=7, retry=Retry(max_retries=2))
        assert function_name(task.func) == ADD
        see(worker)
        assert (worker["a"].every, worker["a"].args, worker["a"].func) == ({"hours": 2}, (3, 4), jobs.add)
        clock.advance(7200)
        see(worker, here)
        assert (here["a"].result, here["a"].runs) == (7, 2)

    def test_an_assigned_field_reaches_the_others(self, worker: TaskRegistry, here: TaskRegistry) -> None:
        here["a"].args = (5, 6)
        see(here, worker, here)
        assert (here["a"].result, worker["a"].func) == (11, jobs.add)

    def test_update_may_give_it_a_function_that_is_known_here(self, worker: TaskRegistry, here: TaskRegistry) -> None:
        here.update("a", func=jobs.echo, args=(9,))
        see(here, worker)
        assert (here["a"].result, worker["a"].result) == (9, 9)
        assert (function_name(worker["a"].func), worker.known_functions()) == ("tests.jobs:echo", [ADD])
        with pytest.raises(ValueError, match="lacks the argument 'y'"):
            here.update("a", func=jobs.add)

    def test_the_stand_in_of_another_task_is_refused_as_a_function(
        self, worker: TaskRegistry, here: TaskRegistry
    ) -> None:
        worker.register(adder("b", func=jobs.echo, args=(1,)))
        here.tick()
        func = here["b"].func
        text = "task '{}' cannot be registered: its function 'tests.jobs:echo' is unknown here: register or expose it"
        with pytest.raises(ValueError, match=text.format("a")):
            here.update("a", func=func, args=(1,))
        with pytest.raises(ValueError, match=text.format("c")):
            here.register(Task(id="c", every=MINUTE, func=func))
        with pytest.raises(ValueError, match=text.format("b")):
            here.register(here["b"].model_copy(), replace=True)
        assert here.update("b", func=UnknownFunction("tests.jobs:echo"), args=(2,)).args == (2,)
        with pytest.raises(ValueError, match="only a function can be exposed, got <unknown function 'tests"):
            here.expose(func)

    def test_remove_and_prune(self, worker: TaskRegistry, here: TaskRegistry) -> None:
        worker.register(adder("b"))
        here.tick()
        events: list[Event] = []
        here.on("removed", events.append)
        task = here["a"]
        assert here.remove("a") is task
        here.prune(["b"])
        see(worker)
        assert (list(here), list(worker), events) == ([], [], [Event("removed", "a"), Event("removed", "b")])

    def test_clear_leaves_it(self, here: TaskRegistry) -> None:
        here.clear()
        assert list(here.store) == ["a"]

    def test_registering_it_adopts_it(self, worker: TaskRegistry, here: TaskRegistry, clock: Clock) -> None:
        see(worker, here)
        task = here.register(adder())
        assert (here["a"], task.result, task.runs, [run["status"] for run in task.history]) == (task, 3, 1, ["success"])
        clock.advance(60)
        see(here)
        assert (runs(here, "a"), task.runs) == (2, 2)


class TestNoRuns:
    def test_it_is_never_claimed_here(self, join: Join, here: TaskRegistry) -> None:
        here.run_now("a", force=True)
        split = SplitTick(here._parts, here._session)  # type: ignore[arg-type]  # it has one
        split.plan()
        split.start()
        see(here, here)
        assert (runs(here, "a"), here["a"].status, here.idle_seconds()) == (0, TaskStatus.PENDING, None)

    def test_execute_by_hand_says_why_it_cannot_run(self, here: TaskRegistry) -> None:
        with pytest.raises(RuntimeError, match=f"^task 'a' cannot run here: its function '{ADD}' is unknown here"):
            here._execute(here["a"])
        assert (runs(here, "a"), here["a"].status) == (0, TaskStatus.PENDING)

    def test_a_function_that_becomes_unknown_after_the_claim_does_not_run(
        self, join: Join, worker: TaskRegistry, clock: Clock
    ) -> None:
        def forget() -> None:
            worker["b"].func = UnknownFunction("elsewhere")

        worker.expose(forget, "forget")
        for task_id, func in (("a", forget), ("b", noop)):
            worker.register(adder(task_id, func=func, args=()))
        session = worker._session
        assert session is not None
        session.claims.inline_batch = 2  # both are claimed before the first one runs
        see(worker, worker)
        assert (runs(worker, "a"), worker["b"].runs, worker["b"].status) == (1, 0, TaskStatus.PENDING)
        other = join()
        other.expose(noop, "elsewhere")
        see(other, worker)
        ended = [run["status"] for run in worker.history("b") if not run["late"]]  # the claim was released
        assert (worker["b"].status, worker["b"].runs, ended) == (TaskStatus.SUCCESS, 1, ["success"])

    def test_many_that_are_due_keep_no_task_from_running_here(self, join: Join, worker: TaskRegistry) -> None:
        worker.pause_all()
        for number in range(20):
            worker.register(adder(f"{number}"))
        worker.resume_all()
        with ThreadPoolExecutor(1) as executor:
            here = join(max_running=1, executor=executor)
            here.register(adder("mine", func=jobs.echo, args=(1,)))
            here.tick()
        here.tick()
        assert (here["mine"].result, here.statistics().runs) == (1, 1)

    def test_its_misfire_is_for_an_instance_that_could_run_it(
        self, worker: TaskRegistry, here: TaskRegistry, clock: Clock
    ) -> None:
        worker.update("a", misfire_grace=10)
        events: list[Event] = []
        here.on("misfired", events.append)
        see(worker, here)
        clock.advance(100)
        see(here, here)
        assert (here["a"].misfires, events) == (0, [])
        assert "is 40 s late, more than misfire_grace, and will be skipped" in here.why_not("a")
        see(worker, worker, here)  # the second one writes it
        assert (here["a"].misfires, runs(here, "a")) == (1, 1)

    def test_that_it_is_done_is_for_an_instance_that_could_run_it(
        self, join: Join, worker: TaskRegistry, clock: Clock
    ) -> None:
        worker.register(adder("b", max_runs=1, remove_when_done=True, paused=True, consumed=None))
        here = join()
        here.register(adder("mine", func=noop, args=()))
        here["b"].runs = 1
        see(here, here)
        assert (here["b"].runs, "b" in here) == (1, True)
        see(worker, here)
        assert "b" not in here

    def test_a_dead_run_of_it_is_reaped_here_and_retried_elsewhere(
        self, join: Join, worker: TaskRegistry, clock: Clock
    ) -> None:
        task = worker.register(adder(retry=Retry(max_retries=1, delay=5, jitter=0)))
        here = join()
        here.tick()
        claim_and_die(worker, task)
        outlive_lease(worker, clock)
        reap(here)
        here.tick()
        assert (here["a"].status, here["a"].retry_at) == (TaskStatus.FAILED, at(clock) + timedelta(seconds=5))
        clock.advance(5)
        other = join()
        other.expose(jobs.add)
        see(other, here)
        assert (here["a"].result, [run["status"] for run in here.history("a")]) == (3, ["failed", "success"])


class TestDependencies:
    def test_a_task_that_depends_on_it_runs_when_it_has_succeeded_elsewhere(
        self, worker: TaskRegistry, here: TaskRegistry, clock: Clock
    ) -> None:
        worker.register(adder("source"))
        sink = here.register(adder("sink", func=take, args=(), depends_on=["source"]))
        after = here.register(adder("follower", func=noop, every=None, args=(), after=["source"]))
        see(here)
        assert here.why_not("sink") == "waits for 'source' (add), which has not succeeded".replace(" (add)", "")
        assert (sink.runs, after.runs) == (0, 0)
        for count in (1, 2):
            see(worker, here, here)
            assert (sink.result, after.runs) == (3, count)
            clock.advance(60)

    def test_it_runs_elsewhere_when_a_task_that_runs_here_has_succeeded(
        self, worker: TaskRegistry, here: TaskRegistry
    ) -> None:
        worker.register(adder("sink", func=take, args=(), depends_on=["source"]))
        here.register(adder("source", func=jobs.echo, args=(8,)))
        see(worker, here, worker, here)
        assert here["sink"].result == 8


class TestFunctionsThatBecomeKnown:
    def test_it_runs_here_with_the_next_tick(self, here: TaskRegistry) -> None:
        here.expose(jobs.add)
        see(here)
        assert (here["a"].func, here["a"].result, runs(here, "a")) == (jobs.add, 3, 1)
        assert here.why_not("a").startswith("due in 60 s")

    def test_it_runs_here_once_a_task_with_that_function_is_registered(self, here: TaskRegistry) -> None:
        here.register(adder("b", args=(2, 2)))
        see(here)
        assert (here["a"].result, here["b"].result) == (3, 4)

    def test_a_slot_that_has_run_elsewhere_does_not_run_here(self, worker: TaskRegistry, here: TaskRegistry) -> None:
        see(worker)
        here.expose(jobs.add)
        see(here)
        assert runs(here, "a") == 1

    def test_another_name_of_the_function_changes_nothing_for_the_others(
        self, worker: TaskRegistry, here: TaskRegistry
    ) -> None:
        backend = worker._session.backend  # type: ignore[union-attr]  # it has one
        before = backend.fetch([], 0).revision
        here.expose(jobs.add)
        here.expose(jobs.add, "plus")
        see(here, here)
        assert (here["a"].result, backend.fetch([], 0).revision) == (3, before)

    def test_a_function_that_becomes_unknown_by_an_update_elsewhere(
        self, join: Join, worker: TaskRegistry, here: TaskRegistry, clock: Clock
    ) -> None:
        here.register(adder())
        see(here)
        worker.update("a", func=jobs.echo, args=(5,))
        clock.advance(60)
        see(here, here)
        assert (here.why_not("a"), runs(here, "a")) == (f"{UNKNOWN.replace('add', 'echo')}; due now", 1)
        see(worker, here)
        assert here["a"].result == 5

    def test_the_place_of_a_function_in_a_list_of_names_is_found_whichever_comes_first(
        self, worker: TaskRegistry, here: TaskRegistry
    ) -> None:
        worker.register(adder("b", func=jobs.echo, args=(1,)))
        here.expose(jobs.echo)  # before its task is read
        here.expose(noop)
        see(here)
        assert (here["b"].result, isinstance(here["a"].func, UnknownFunction)) == (1, True)


class TestLog:
    def test_one_line_names_those_that_are_new_here(
        self, join: Join, worker: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(12):
            worker.register(adder(f"t{number}"))
        worker.register(adder("known", func=noop, args=()))
        caplog.set_level("INFO")
        caplog.clear()
        here = join()
        here.expose(noop)
        see(here, here)
        lines = [(record.levelname, record.message) for record in caplog.records if "unknown" in record.message]
        names = ", ".join(f"'t{number}'" for number in range(10))
        text = "Tasks of the store run on other instances only, as their functions are unknown here"
        assert lines == [("INFO", f"{text}: {names} and 2 more.")]


class TestCost:
    @pytest.fixture
    def store(self) -> Store:
        return Store("memory", "")

    def test_a_tick_looks_at_a_bounded_number_of_those_that_nobody_runs(
        self, join: Join, worker: TaskRegistry, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(500):
            worker.register(adder(f"{number}"))
        here = join()
        looks: list[int] = []

        def fetch(self: MemoryBackend, ids: Any, seen: int, known: Any = None) -> Any:
            looks.append(len(known or ()))
            return plain(self, ids, seen, known)

        plain = MemoryBackend.fetch
        monkeypatch.setattr(MemoryBackend, "fetch", fetch)
        for _ in range(8):
            clock.advance(61)
            here.tick()
        assert max(looks) == 100

    def test_each_one_has_its_turn(self, join: Join, worker: TaskRegistry, clock: Clock) -> None:
        for number in range(300):
            worker.register(adder(f"{number}"))
        here = join()
        see(here, here, here, here)
        clock.advance(100)
        see(worker, *[here] * 20)
        assert {task.status for task in here} == {TaskStatus.SUCCESS}
