"""`refresh`: a look at what other instances have done, between the ticks of a registry, or on an observer."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import BackendUnavailableError, Retry, Task, TaskRegistry, TaskStatus
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.planning import lookout
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import MINUTE, Flaky, Join, adder, at, claim_and_die, end_pause, noop
from tests.ways import wait_until

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus


@pytest.fixture
def worker(join: Join) -> TaskRegistry:
    return join()


@pytest.fixture(params=[True, False], ids=["observer", "ticking"])
def looker(request: Any, join: Join, worker: TaskRegistry) -> TaskRegistry:
    """A registry that looks at what the worker does: an observer, or one that could tick."""
    registry = join(observe=request.param)
    registry.expose(jobs.add)
    return registry


def looks(registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Return a list that gets, at each look at the store, the ids of the tasks that are compared or read."""
    found: list[set[str]] = []
    backend: Any = registry.backend
    fetch = backend.fetch

    def counted(ids: Any, seen: int, known: Any = None) -> Any:
        found.append({*ids, *(known or ())})
        return fetch(ids, seen, known)

    monkeypatch.setattr(backend, "fetch", counted)
    return found


class TestRefresh:
    def test_it_reads_definitions_pauses_and_removals(self, worker: TaskRegistry, looker: TaskRegistry) -> None:
        worker.register(adder("a"))
        worker.register(adder("b"))
        looker.refresh()
        assert [(task.id, task.every, task.paused) for task in looker] == [("a", MINUTE, False), ("b", MINUTE, False)]
        worker.update("a", every={"hours": 1})
        worker.pause("a")
        worker.remove("b")
        worker.pause_all()
        looker.refresh()
        assert [(task.id, task.every, task.paused) for task in looker] == [("a", {"hours": 1}, True)]
        assert looker.is_paused

    def test_a_run_elsewhere_shows_and_then_its_outcome(self, join: Join, looker: TaskRegistry, tmp_path: Path) -> None:
        looker.expose(jobs.hold)
        with ThreadPoolExecutor(1) as pool:
            worker = join(executor=pool)
            worker.register(Task(id="a", every=MINUTE, func=jobs.hold, args=(str(tmp_path),)))
            looker.refresh()
            assert looker["a"].status is PENDING
            worker.tick()
            looker.refresh()
            assert (looker["a"].status, looker["a"].runs) == (RUNNING, 1)
            looker.refresh()
            jobs.release_unstarted(str(tmp_path))
            wait_until(lambda: worker["a"].status is SUCCESS)
            worker.shutdown()
        looker.refresh()
        assert (looker["a"].status, looker["a"].last_success_at) == (SUCCESS, worker["a"].last_success_at)

    def test_each_later_run_shows(self, worker: TaskRegistry, looker: TaskRegistry, clock: Clock) -> None:
        worker.register(adder())
        for number in range(1, 5):
            worker.tick()
            looker.refresh()
            assert (looker["a"].runs, looker["a"].last_run_at) == (number, at(clock))
            clock.advance(60)

    def test_a_requested_run_shows_after_it_has_ended(self, worker: TaskRegistry, looker: TaskRegistry) -> None:
        worker.register(adder(every={"hours": 1}))
        worker.tick()
        looker.refresh()
        worker.run_now("a")
        looker.refresh()
        assert [task.run_requested for task in looker] == ["ready"]
        worker.tick()
        looker.refresh()
        assert [(task.run_requested, task.runs) for task in looker] == [(None, 2)]

    def test_a_retry_shows(self, worker: TaskRegistry, looker: TaskRegistry, clock: Clock) -> None:
        looker.expose(jobs.boom)
        worker.register(adder(func=jobs.boom, args=(), retry=Retry(max_retries=2, delay=5, jitter=0)))
        for attempt in (1, 2, 3):
            worker.tick()
            looker.refresh()
            assert (looker["a"].status, looker["a"].attempt) == (FAILED, attempt if attempt < 3 else 3)
            clock.advance(10)

    def test_tasks_that_follow_others_show_within_two_looks(
        self, worker: TaskRegistry, looker: TaskRegistry, clock: Clock
    ) -> None:
        worker.register(adder("a"))
        worker.register(Task(id="b", after=["a"], func=jobs.add, args=(1, 1)))
        worker.register(adder("c", depends_on=["b"]))
        looker.refresh()
        for number in (1, 2):
            for _ in range(3):
                worker.tick()
            for _ in range(3):
                looker.refresh()
            assert [looker[name].runs for name in "abc"] == [worker[name].runs for name in "abc"] == [number] * 3
            clock.advance(60)

    def test_ids_that_are_given_are_read_for_sure(self, join: Join, worker: TaskRegistry) -> None:
        observer = join(observe=True)
        observer.expose(jobs.add)
        worker.register(adder(every={"hours": 1}))
        worker.tick()
        observer.refresh()
        observer.refresh()  # it is not due any more
        worker["a"].error_message = "by hand"
        worker.refresh()  # writes it
        observer.refresh()
        assert observer["a"].error_message is None
        observer.refresh("a", "nobody", "x\0")
        assert observer["a"].error_message == "by hand"

    def test_fields_assigned_here_are_written(self, worker: TaskRegistry, looker: TaskRegistry) -> None:
        worker.register(adder())
        looker.refresh()
        looker["a"].paused = True
        looker["a"].error_message = "here"
        looker.refresh()
        worker.refresh("a")
        assert (worker["a"].paused, worker["a"].error_message) == (True, "here")

    def test_it_does_nothing_without_a_backend(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", every=MINUTE, func=noop))
        registry.refresh()
        registry.refresh("a", registry["a"])
        with pytest.raises(TypeError):
            registry.refresh(1)  # type: ignore[arg-type]

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_it_is_one_round_trip(
        self, worker: TaskRegistry, looker: TaskRegistry, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(50):
            worker.register(adder(str(number)))
        looker.refresh()
        worker.tick()
        monkeypatch.setattr(store, "_opened", [looker.backend])
        with store.round_trips(monkeypatch) as trips:
            looker.refresh("1", "2")
        assert len([trip for trip in trips if trip != "COMMIT"]) == 1
        assert {task.status for task in looker} == {SUCCESS}

    def test_a_run_that_is_claimed_here_goes_on_undisturbed(self, worker: TaskRegistry, looker: TaskRegistry) -> None:
        seen = []

        def look() -> None:
            worker.refresh("a")
            seen.append(worker["a"].status)

        worker.expose(look, "look")
        task = worker.register(adder(func=look, args=()))
        worker.tick()
        assert (seen, task.status, len(worker.history())) == ([RUNNING], SUCCESS, 1)

    def test_it_may_be_called_from_any_thread_while_others_tick(self, worker: TaskRegistry, clock: Clock) -> None:
        for number in range(20):
            worker.register(adder(str(number)))
        is_over = threading.Event()

        def refresh() -> None:
            while not is_over.is_set():
                worker.refresh("1")

        with ThreadPoolExecutor(2) as pool:
            refreshing = [pool.submit(refresh) for _ in range(2)]
            for _ in range(10):
                worker.tick()
                clock.advance(60)
            is_over.set()
            assert [one.result() for one in refreshing] == [None, None]
        assert {task.runs for task in worker} == {10}


class TestOutage:
    @pytest.fixture(params=[True, False], ids=["observer", "ticking"])
    def looker(self, request: Any, flaky: Flaky) -> TaskRegistry:
        return TaskRegistry(backend=flaky, observe=request.param)

    def test_it_raises_then_backs_off_and_reads_again(
        self, flaky: Flaky, looker: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        looker.expose(jobs.add)
        flaky.fails_before = {"fetch"}
        with pytest.raises(BackendUnavailableError, match=r"^memory: out of reach$"):
            looker.refresh()
        flaky.asked.clear()
        with pytest.raises(BackendUnavailableError) as caught:
            looker.refresh()
        assert str(caught.value) == "the store is out of reach, and is asked again in 0.1 s: memory: out of reach"
        assert flaky.asked == []
        flaky.fails_before.clear()
        TaskRegistry(backend=flaky).register(adder())
        end_pause(looker)
        looker.refresh()
        assert [task.id for task in looker] == ["a"]
        what = "nothing is read" if looker.is_observer else "nothing starts"
        expected = [f"The store is out of reach, and {what} until it is back: memory: out of reach"]
        expected += ["The store is back."] * looker.is_observer
        assert caplog.messages == expected

    def test_a_tick_ends_what_a_look_has_noted(self, flaky: Flaky, registry: TaskRegistry) -> None:
        task = registry.register(adder())
        flaky.fails_before = {"fetch"}
        with pytest.raises(BackendUnavailableError):
            registry.refresh()
        flaky.fails_before.clear()
        end_pause(registry)
        registry.tick()
        registry.refresh()
        assert task.status is SUCCESS

    def test_what_could_not_be_read_is_read_later(self, flaky: Flaky, looker: TaskRegistry) -> None:
        worker = TaskRegistry(backend=flaky)
        worker.register(adder())
        looker.expose(jobs.add)
        looker.refresh()
        worker.tick()
        flaky.fails_after = {"fetch"}
        with pytest.raises(BackendUnavailableError):
            looker.refresh("a")
        flaky.fails_after.clear()
        end_pause(looker)
        looker.refresh()
        assert looker["a"].status is SUCCESS
        worker.shutdown()


class TestManyDueTasks:
    """Nobody runs them: an observer looks at a bounded number of them each time, in turn."""

    @pytest.fixture(autouse=True)
    def most(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lookout, "MOST", 10)
        monkeypatch.setattr(lookout.next_due_ids, "__defaults__", (10,))

    @pytest.fixture(params=["known", "unknown"])
    def observer(self, request: Any, clock: Clock) -> TaskRegistry:
        """Return an observer on a list to which others add tasks with `register`; it may know their functions."""
        backend = MemoryBackend(clock)
        registry, other = TaskRegistry(backend=backend, observe=True), TaskRegistry(backend=backend, observe=True)
        if request.param == "known":
            registry.expose(jobs.add)
            registry.expose(noop)
        registry.register = other.register  # type: ignore[method-assign]
        return registry

    def test_each_look_is_bounded_and_all_are_looked_at_in_turn(
        self, observer: TaskRegistry, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(100):
            observer.register(adder(f"a{number}"))
            observer.register(Task(id=f"b{number}", after=[f"a{number}"], func=noop))
        found = looks(observer, monkeypatch)
        for _ in range(80):
            observer.refresh()
        assert max(map(len, found)) <= 20
        assert set.union(*found[:50]) == set(observer.store)
        assert set.union(*found[50:]) == {f"a{number}" for number in range(100)}

    def test_the_others_have_their_turns_while_many_come_due(
        self, observer: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(100):
            observer.register(adder(f"a{number}"))
        found = looks(observer, monkeypatch)
        for _ in range(8):
            observer.refresh()
        assert len(set.union(*found)) < sum(map(len, found))

    def test_those_that_others_wait_for_have_their_turns(
        self, observer: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(50):
            observer.register(adder(f"a{number}", run_immediately=False))
            observer.register(Task(id=f"b{number}", after=[f"a{number}"], func=noop))
        for _ in range(20):
            observer.refresh()
        found = looks(observer, monkeypatch)
        for _ in range(12):
            observer.refresh()
        assert (set.union(*found), max(map(len, found))) == ({f"a{number}" for number in range(50)}, 5)

    def test_a_thousand_looks_neither_grow_nor_lose_anything(self, observer: TaskRegistry, clock: Clock) -> None:
        for number in range(50):
            observer.register(adder(f"a{number}", run_immediately=number % 2 == 0))
            observer.register(Task(id=f"b{number}", after=[f"a{number}"], func=noop))
        agenda = observer._agenda

        def places() -> list[str]:
            filed = [
                one for found in agenda.heap.filed.values() for one in ([found] if hasattr(found, "task") else found)
            ]
            waiting = [entry for entries in agenda.waiting.values() for entry in entries]
            return sorted(entry.task.id for entry in [*filed, *agenda.held, *waiting])

        for _ in range(1_000):
            observer.refresh()
            clock.advance(1)
        assert places() == sorted(observer.store)
        assert (len(agenda.heap.moments) < 200, agenda._dropped, len(agenda.notes)) == (True, [], 0)

    def test_new_ones_come_before_the_others(
        self, observer: TaskRegistry, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(100):
            observer.register(adder(f"a{number}"))
        observer.register(adder("new", run_immediately=False))
        for _ in range(15):
            observer.refresh()
        clock.advance(60)
        found = looks(observer, monkeypatch)
        observer.refresh()
        assert "new" in found[0]

    def test_a_worker_that_comes_back_shows_in_the_end(self, observer: TaskRegistry, clock: Clock) -> None:
        for number in range(100):
            observer.register(adder(f"a{number}"))
        for _ in range(15):
            observer.refresh()
        worker = TaskRegistry(backend=observer.backend, lease=600)
        worker.expose(jobs.add)
        worker.tick()
        for _ in range(20):
            observer.refresh()
        assert {(task.status, task.runs) for task in observer} == {(SUCCESS, 1)}
        worker.shutdown()

    def test_removed_tasks_leave_no_place(self, observer: TaskRegistry) -> None:
        for number in range(30):
            observer.register(adder(f"a{number}"))
        observer.refresh()
        observer.prune([f"a{number}" for number in range(30)])
        observer.refresh()
        agenda = observer._agenda
        assert (len(agenda.held), len(agenda.heap.filed), agenda._dropped, len(agenda.entries)) == (0, 0, [], 0)

    def test_a_forced_run_is_looked_at_whatever_it_depends_on(
        self, observer: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        observer.register(adder("a", every={"hours": 1}, run_immediately=False))
        observer.register(Task(id="b", after=["a"], func=noop))
        observer.run_now("b", force=True)
        observer.refresh()
        found = looks(observer, monkeypatch)
        observer.refresh()
        assert found == [{"b"}]


STEPS = st.sampled_from(["tick", "advance", "run_now 1", "run_now 3", "pause 2", "resume 2", "other ticks", "remove 4"])


@given(st.lists(STEPS, max_size=20), st.integers(1, 3))
def test_ticks_do_the_same_whether_or_not_others_look_meanwhile(steps: list[str], capacity: int) -> None:
    """Law: a look at the store changes no decision of a tick, and no order."""

    def play(look: Callable[[TaskRegistry], None]) -> list[Any]:
        clock, log = Clock(), list[str]()
        backend = MemoryBackend(clock)
        own, other = (TaskRegistry(backend=backend, lease=600) for _ in range(2))
        other.expose(noop)
        for number in range(6):
            own.expose(work := lambda name=str(number): log.append(name), f"work{number}")
            fields: dict[str, Any] = {"after": ["0"]} if number == 5 else {"every": {"seconds": 30 + number}}
            own.register(Task(id=str(number), func=work, **fields))
        own._parts.capacity.available = lambda runner: capacity  # type: ignore[method-assign]
        for step in steps:
            look(own)
            name, _, task_id = step.partition(" ")
            if step == "advance":
                clock.advance(31)
            elif step == "other ticks":
                other.tick()
            elif not task_id:
                own.tick()
            elif task_id in own.store:
                getattr(own, name)(task_id)
            log.append("|")
        for registry in (own, other):
            registry.shutdown()
        return log

    assert play(lambda _: None) == play(lambda registry: registry.refresh("1"))


def test_a_dead_run_shows_as_running_until_it_is_reaped(join: Join, looker: TaskRegistry, worker: TaskRegistry) -> None:
    claim_and_die(worker, worker.register(adder()))
    looker.refresh()
    looker.refresh()
    assert looker["a"].status is RUNNING
