"""A tick of short inline runs: the next batch is claimed while one is started."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from est_alan_scheduler.cluster import claims
from est_alan_scheduler.cluster import session as ledger_module
from est_alan_scheduler.cluster.heartbeat import Heartbeat
from tests.backends.stores import Clock
from tests.cluster.helpers import MINUTE, Flaky, end_pause, noop
from tests.ways import wait_until


class TestAhead:
    """While a batch of short inline runs is started, the next one is claimed."""

    class Served(Flaky):
        """A store that works on its own."""

        is_in_process = False

    @pytest.fixture
    def served(self, clock: Clock) -> Served:
        return self.Served(clock)

    @pytest.fixture
    def registry(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskRegistry]:
        monkeypatch.setattr(ledger_module, "_AHEAD", 2)
        monkeypatch.setattr(claims, "_SHORT", 1_000.0)  # however slow the machine is
        registry = TaskRegistry(backend=served, lease=600)
        yield registry
        registry.shutdown(0)

    def due(self, registry: TaskRegistry, func: Any, number: int = 8) -> list[Task]:
        """Tasks that are all due, and claimed by twos."""
        registry.expose(func, "func")
        session: Any = registry._session
        session._claims._size = 8
        return [registry.register(Task(id=str(name), every=MINUTE, func=func)) for name in range(number)]

    def test_the_next_batch_is_claimed_while_the_current_batch_runs(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claimed: dict[str, list[str]] = {"here": [], "meanwhile": []}
        second, found = threading.Event(), []
        claim, this = served.claim, threading.current_thread()

        def note(owner: str, token: str, claims: Any) -> dict[str, int]:
            won = claim(owner, token, claims)
            claimed["here" if threading.current_thread() is this else "meanwhile"] += won
            if "2" in won:
                second.set()
            return won

        monkeypatch.setattr(served, "claim", note)
        tasks = self.due(registry, lambda: found.append(second.wait(10)))
        registry.tick()
        assert claimed == {"here": ["0", "1"], "meanwhile": ["2", "3", "4", "5", "6", "7"]}
        assert found == [True] * 8
        assert {task.status for task in tasks} == {TaskStatus.SUCCESS}

    def test_all_due_tasks_are_claimed_at_once_from_a_store_in_this_process(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(served, "is_in_process", True)
        self.due(registry, noop)
        served.asked.clear()
        registry.tick()
        assert served.asked.count("claim") == 1

    def test_batches_claimed_ahead_grow_too(self, registry: TaskRegistry) -> None:
        self.due(registry, noop, 100)
        session: Any = registry._session
        session._claims._size = 16
        registry.tick()
        assert session._claims._size > 50

    def test_a_batch_claimed_ahead_is_released_when_the_tick_is_interrupted(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claim, this = served.claim, threading.current_thread()

        def slow(*arguments: Any) -> Any:
            time.sleep(0.0 if threading.current_thread() is this else 0.03)
            return claim(*arguments)

        def interrupt() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(served, "claim", slow)
        tasks = self.due(registry, interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        session: Any = registry._session
        assert (session.replica.held, session.replica.released, session.replica.mine) == ({}, {}, {})
        states = session.backend.fetch(None, 0).states
        assert [states[task.id].status for task in tasks] == [TaskStatus.FAILED, *[TaskStatus.PENDING] * 7]

    def test_a_batch_claimed_ahead_whose_answer_comes_after_the_interruption_is_released(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger_module, "_LAST_CALL", 0.001)
        is_over, claim, this = threading.Event(), served.claim, threading.current_thread()

        def late(*arguments: Any) -> Any:
            if threading.current_thread() is not this:
                is_over.wait(10)
            return claim(*arguments)

        def interrupt() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(served, "claim", late)
        self.due(registry, interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        is_over.set()
        given_back = "not started: owner"
        wait_until(lambda: any(run["error"] for run in registry.history("3")))
        assert [run["error"][:18] for run in registry.history("3")] == [given_back]
        assert registry.store["3"].status is TaskStatus.PENDING

    def test_a_batch_claimed_ahead_is_released_when_a_run_takes_long(self, registry: TaskRegistry) -> None:
        session: Any = registry._session
        held: list[set[str]] = []

        def stall() -> None:
            if held:
                return
            wait_until(lambda: "2" in session.replica.held)
            session._claims._hold_until = 0.0  # it took as long as that
            session.heartbeat()
            held.append(set(session.replica.held))

        tasks = self.due(registry, stall)
        registry.tick()
        assert held == [set()]
        assert [(task.status, len(registry.history(task.id))) for task in tasks] == [
            (TaskStatus.SUCCESS, 2 if task.id in "123" else 1) for task in tasks
        ]

    @pytest.mark.slow
    def test_a_batch_claimed_ahead_is_released_in_time_though_nothing_else_was_held(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "_LONGEST", 0.1)
        session: Any = registry._session
        claim, this = served.claim, threading.current_thread()
        stalled: list[bool] = []

        def late(*arguments: Any) -> Any:
            if threading.current_thread() is not this:
                time.sleep(0.3)
            return claim(*arguments)

        def stall() -> None:
            if not stalled:
                stalled.append(False)
                wait_until(lambda: "2" in session.replica.mine)
                wait_until(lambda: "2" not in session.replica.held)
                stalled[0] = True

        monkeypatch.setattr(served, "claim", late)
        self.due(registry, stall)
        registry.tick()
        assert stalled == [True]

    def test_outcomes_are_written_while_the_next_batch_runs(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Heartbeat.flush_soon, "__defaults__", (3_600.0,))
        monkeypatch.setattr(claims, "_LONGEST", 1_000.0)  # nor does the beat come for what is held
        finish, is_written = served.finish, threading.Event()
        found: list[bool] = []
        started: list[None] = []

        def note(*arguments: Any) -> Any:
            is_written.set()
            return finish(*arguments)

        def work() -> None:
            started.append(None)
            if len(started) == 3:
                found.append(is_written.wait(10))

        monkeypatch.setattr(served, "finish", note)
        self.due(registry, work)
        registry.tick()
        assert found == [True]

    def test_a_batch_claimed_ahead_does_not_start_once_all_tasks_are_paused(self, registry: TaskRegistry) -> None:
        tasks = self.due(registry, registry.pause_all)
        registry.tick()
        assert [task.id for task in tasks if task.status is TaskStatus.SUCCESS] == ["0"]
        assert registry._session is not None
        assert registry._session.replica.held == {}

    def test_an_outage_while_claiming_ahead_ends_the_tick_and_loses_no_run(
        self, registry: TaskRegistry, served: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        failing = {"claim"}
        tasks = self.due(registry, lambda: served.fails_before.update(failing))
        claimed = served.asked.count
        registry.tick()
        done = [task.id for task in tasks if task.status is TaskStatus.SUCCESS]
        assert done in (["0", "1"], ["0", "1", "2", "3"])  # the next two may have been claimed by then
        assert claimed("claim") == len(done) // 2 + 1
        assert caplog.records[0].message == (
            "The store is out of reach, and nothing starts until it is back: memory: out of reach"
        )
        failing.clear()
        served.fails_before.clear()
        end_pause(registry)
        registry.tick()
        assert {task.status for task in tasks} == {TaskStatus.SUCCESS}

    def test_batches_are_claimed_without_a_thread_at_interpreter_shutdown(
        self, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise RuntimeError("can't start new thread at interpreter shutdown")

        monkeypatch.setattr(ledger_module, "BackgroundCall", refuse)
        tasks = self.due(registry, noop)
        registry.tick()
        assert {task.status for task in tasks} == {TaskStatus.SUCCESS}
