"""A registry with a backend: on one store, across restarts, and beside others."""

import json
import operator
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus, current_run, run_scheduler
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends import Backend, BackendUnavailableError, MemoryBackend
from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.rows import Assignment, RunOutcome, View
from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.cluster import claims
from est_alan_scheduler.cluster import completer as outcomes
from est_alan_scheduler.cluster import session as ledger_module
from est_alan_scheduler.cluster.heartbeat import Beat
from est_alan_scheduler.fields import serialization
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from tests import jobs
from tests.backends.stores import SHARED, Clock, Servers, Store
from tests.ways import logged, wait_until

MINUTE = {"minutes": 1}
_LAMBDA = lambda: None  # noqa: E731  # named as if it were a function
_NO_IDS = ("x\0", "x\ud800")  # no store can hold them
_NOT_HELD = "it has a NUL or half a surrogate pair"
Join = Callable[..., TaskRegistry]


def at(clock: Clock) -> datetime:
    return from_utc(from_instant(clock.now))


def adder(task_id: str = "a", **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": MINUTE, "func": jobs.add, "args": (1, 2), **fields})


def _noting() -> Task:
    return Task(id="a", every=MINUTE, func=jobs.note_epoch)


def runs(registry: TaskRegistry, task_id: str) -> int:
    return len(registry.history(task_id))


def noop() -> None:
    pass


def boom() -> None:
    raise ValueError("boom")


def take(dep_source: Any) -> Any:
    return dep_source


def give_tuple() -> tuple[int, set[int]]:
    return 1, {2}


class TestOneInstance:
    def test_a_run_is_recorded_in_the_task_and_in_the_store(self, join: Join, clock: Clock) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        assert (task.status, task.result, task.last_run_at) == (TaskStatus.SUCCESS, 3, at(clock))
        (run,) = registry.history()
        owner = registry.instances()[0].owner
        assert run == {
            "task_id": "a",
            "run_at": at(clock),
            "finished_at": at(clock),
            "status": "success",
            "result": "3",
            "error": None,
            "attempt": 1,
            "epoch": 1,
            "slot": at(clock),
            "owner": owner,
            "late": False,
        }

    def test_history_may_be_asked_for_anything(self, join: Join) -> None:
        registry = join()
        registry.register(adder(history_limit=10**30))
        registry.tick()
        assert [registry.history(name) for name in (*_NO_IDS, "b")] == [[], [], []]
        assert len(registry.history(limit=10**30)) == len(registry.history("a", limit=10**30)) == 1
        again = join()
        assert len(again.register(adder(history_limit=10**30)).history) == 1

    def test_a_restart_finds_all_as_it_was(self, join: Join, clock: Clock) -> None:
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

    def test_a_changed_schedule_takes_effect_and_the_rest_stays(self, join: Join, clock: Clock) -> None:
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

    def test_results_are_what_json_makes_of_them(self, alone: TaskRegistry) -> None:
        task = alone.register(adder(func=give_tuple, args=()))
        pair = alone.register(adder("pair", func=jobs.give_back, args=([1, {"b": None}],)))
        alone.tick()
        assert (task.result, pair.result) == ("(1, {2})", [1, {"b": None}])

    def test_func_knows_its_epoch(self, alone: TaskRegistry, clock: Clock) -> None:
        seen = []
        alone.expose(look := lambda: seen.append(current_run()), "look")
        alone.register(adder(func=look, args=()))
        alone.tick()
        clock.advance(60)
        alone.tick()
        assert [run and run.epoch for run in seen] == [1, 2]

    def test_what_a_constructor_says_goes_into_a_new_row(self, join: Join, clock: Clock) -> None:
        registry = join()
        registry.register(adder(last_run_at=at(clock) - timedelta(seconds=30)))
        registry.tick()
        assert runs(registry, "a") == 0
        registry.shutdown()
        assert join().register(adder()).last_run_at == at(clock) - timedelta(seconds=30)

    def test_fields_assigned_by_hand_reach_the_store(self, join: Join, clock: Clock) -> None:
        registry = join()
        task = registry.register(adder())
        registry.tick()
        task.last_run_at = at(clock) - timedelta(seconds=60)
        task.result = {1}
        task.kwargs = {"y": 5}
        task.args = (1,)
        registry.tick()
        assert task.result == 6
        registry.shutdown()
        again = join().register(adder(args=(1,), kwargs={"y": 5}))
        assert (again.result, again.first_run_at) == (6, task.first_run_at)

    def test_tasks_put_into_the_store_by_hand_are_shared(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.store["a"] = adder()
        first.tick()
        second.tick()
        assert (runs(first, "a"), list(second.store)) == (1, ["a"])
        del first.store["a"]
        first.tick()
        second.tick()
        assert (list(first.store), list(second.store)) == ([], [])

    def test_a_task_that_cannot_be_shared_says_so_and_hinders_no_other(self, alone: TaskRegistry) -> None:
        alone.store["bad"] = Task(id="bad", every=MINUTE, func=lambda: None)
        alone.register(adder())
        alone.tick()
        assert (runs(alone, "a"), runs(alone, "bad")) == (1, 0)
        assert alone.why_not("bad").startswith("cannot run here: task 'bad': func <function")
        assert alone.idle_seconds() == 60  # it does not keep the loop busy

    def test_tasks_registered_before_the_backend_move_there(self, store: Store, clock: Clock) -> None:
        registry = TaskRegistry()
        registry.register(adder())
        registry.configure(backend=store.open(clock), lease=600)
        registry.tick()
        assert runs(registry, "a") == 1
        registry.configure(backend=None)
        assert (registry.instances(), registry.backend, len(registry.history("a"))) == ([], None, 1)

    @pytest.mark.parametrize("other", [{"lease": 300}, {"backend": None}])
    def test_what_it_remembers_is_there_once_after_it_has_joined_again(
        self, store: Store, clock: Clock, other: dict[str, Any]
    ) -> None:
        backend = store.open(clock)
        registry = TaskRegistry(backend=backend, lease=600)
        task = registry.register(adder())
        registry.tick()
        history = list(task.history)
        registry.configure(**other)
        registry.configure(backend=backend, lease=600)
        assert (len(history), task.history) == (1, history)

    def test_executors_run_what_is_claimed(self, join: Join) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            registry = join(executor=pool)
            tasks = [registry.register(adder(str(number))) for number in range(5)]
            while not all(task.result for task in tasks):
                registry.tick()
            registry.shutdown()
        assert [runs(registry, task.id) for task in tasks] == [1] * 5

    def test_claims_stop_at_max_running(self, join: Join, tmp_path: Path) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(4) as pool:
            first, second = join(executor=pool, max_running=1), join()
            for name in ("a", "b"):
                first.register(Task(id=name, every=MINUTE, func=jobs.hold, args=(str(tmp_path), name)))
                jobs.let_go(str(tmp_path), "b")
            second.expose(jobs.hold)
            first.tick()
            second.tick()
            jobs.let_go(str(tmp_path), "a")
            first.shutdown()
        owners = {run["task_id"]: run["owner"] for run in second.history()}
        assert owners["a"] != owners["b"]

    def test_a_run_that_may_not_start_any_more_is_given_back(self, alone: TaskRegistry, clock: Clock) -> None:
        alone.expose(lambda: alone.pause("b"), "pause b")
        alone.register(adder("a", func=alone._names.find("pause b"), args=()))
        task = alone.register(adder("b"))
        alone._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        alone.tick()
        assert (task.status, task.last_run_at, task.paused) == (TaskStatus.PENDING, None, True)
        (run,) = alone.history("b")
        assert (run["status"], run["error"].partition(":")[0], run["late"]) == ("failed", "not started", True)
        alone.resume("b")
        alone.tick()
        assert task.result == 3

    def test_a_run_that_was_asked_for_and_is_given_back_is_still_asked_for(
        self, alone: TaskRegistry, clock: Clock
    ) -> None:
        alone.expose(lambda: alone.pause_all(), "pause all")
        alone.register(adder("a", func=alone._names.find("pause all"), args=()))
        task = alone.register(adder("b", last_run_at=at(clock)))
        alone.tick()
        alone.resume_all()
        clock.advance(1)
        alone.run_now("a")
        alone.run_now("b")
        alone._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        alone.tick()
        alone.resume_all()
        alone.tick()
        assert ([run["status"] for run in alone.history("b")], task.run_requested) == (["failed", "success"], None)

    def test_what_others_change_in_between_does_not_keep_a_run_from_being_given_back(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)

        def stop() -> None:
            second.tick()
            second.pause("b")
            first.pause_all()

        first.expose(stop, "stop")
        second.expose(boom, "stop")
        first.register(adder("a", func=stop, args=()))
        first.register(adder("b"))
        first._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        first.tick()
        second.resume("b")
        second.resume_all()
        second.tick()
        assert [run["status"] for run in second.history("b")] == ["failed", "success"]

    def test_nor_what_they_change_while_it_is_being_given_back(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        backend: Any = first._ledger and first._ledger.backend
        assign, pauses = backend.assign, [second.pause, second.resume, second.pause]

        def late(assignments: Any) -> Any:
            if pauses:
                pauses.pop()("b")
            return assign(assignments)

        def stop() -> None:
            monkeypatch.setattr(backend, "assign", late)
            first.pause_all()

        first.expose(stop, "stop")
        first.register(adder("a", func=stop, args=()))
        first.register(adder("b"))
        second._management.catch_up("b")
        first._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        first.tick()
        assert (pauses, first.store["b"].status, first.store["b"].paused) == ([], TaskStatus.PENDING, True)

    @pytest.mark.parametrize("cut", ["before", "after"])
    def test_a_start_that_is_cut_off_is_given_back(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch, cut: str
    ) -> None:
        task, agenda = alone.register(adder()), alone._agenda
        begin = agenda.start

        def interrupt(entry: Any) -> None:
            monkeypatch.setattr(agenda, "start", begin)
            if cut == "after":
                begin(entry)
            raise KeyboardInterrupt

        monkeypatch.setattr(agenda, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            alone.tick()
        ledger: Any = alone._ledger
        assert (ledger.tasks.held, ledger.tasks.mine) == ({}, {})
        assert ledger.backend.look(["a"], 0).states["a"].status is TaskStatus.PENDING
        alone.tick()
        assert task.result == 3

    def test_a_run_asked_for_between_claim_and_start_is_one_more(self, alone: TaskRegistry) -> None:
        def ask() -> None:
            alone.run_now("b")

        alone.expose(ask, "ask")
        alone.register(adder("a", func=ask, args=()))
        alone.register(adder("b"))
        alone._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        for _ in range(3):
            alone.tick()
        assert (runs(alone, "a"), runs(alone, "b")) == (1, 2)

    def test_nested_ticks_start_each_run_once(self, alone: TaskRegistry) -> None:
        alone.expose(alone.tick, "tick")
        alone._ledger._claims._size = 10  # type: ignore[union-attr]  # all in one batch
        for number in range(4):
            alone.register(adder(str(number), func=alone.tick, args=()))
        alone.tick()
        assert [runs(alone, str(number)) for number in range(4)] == [1] * 4

    def test_execute_claims_by_itself(self, alone: TaskRegistry) -> None:
        task = alone.register(adder())
        alone._execute(task)
        alone._execute(task)
        alone._execute(adder("b"))
        assert (runs(alone, "a"), runs(alone, "b")) == (2, 0)

    def test_memory_has_a_history_without_a_backend(self) -> None:
        registry = TaskRegistry()
        registry.register(adder())
        registry.register(adder("bad", func=boom, args=()))
        registry.tick()
        (bad,) = registry.history(status="failed")
        assert (bad["task_id"], bad["error"]) == ("bad", "ValueError: boom")
        assert [run["task_id"] for run in registry.history(limit=1)] == ["bad"]
        assert registry.history(since=datetime.max) == registry.history(limit=0) == registry.history("c") == []


class TestEvents:
    def test_subscribers_hear_of_an_outcome_once_it_is_stored(self, join: Join) -> None:
        registry, other = join(), join()
        heard: list[tuple[str, str, str]] = []

        def note(event: Event) -> None:
            heard.append((event.name, event.task_id or "", other.history(event.task_id)[-1]["status"]))

        for name in ("succeeded", "failed", "retrying"):
            registry.on(name, note)
        registry.register(adder())
        registry.register(adder("bad", func=boom, args=(), retry=1))
        registry.tick()
        assert heard == [("succeeded", "a", "success"), ("failed", "bad", "failed"), ("retrying", "bad", "failed")]

    def test_so_they_do_from_an_executor(self, join: Join) -> None:
        from concurrent.futures import ThreadPoolExecutor

        heard = []
        with ThreadPoolExecutor(4) as pool:
            registry = join(executor=pool)
            registry.on("succeeded", lambda event: heard.append(registry.history(event.task_id)[-1]["status"]))
            for number in range(20):
                registry.register(adder(str(number)))
            while len(heard) < 20:
                registry.tick()
        assert heard == ["success"] * 20

    def test_a_subscriber_sees_each_run_before_the_next_one_starts(self, alone: TaskRegistry) -> None:
        alone._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        alone.on("failed", lambda _: alone.pause("b"))
        alone.register(adder("a", func=boom, args=()))
        task = alone.register(adder("b"))
        alone.tick()
        assert (task.status, task.paused) == (TaskStatus.PENDING, True)

    def test_who_takes_over_a_lost_run_tells_and_counts_its_failure(
        self, join: Join, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = join(), join()
        heard, start = heard_by(second), at(clock)
        retry = Retry(max_retries=1, delay=5, jitter=0)
        for registry in (first, second):
            registry.register(adder(every={"hours": 1}, retry=retry))
        task = second.store["a"]
        _claim_and_die(first, first.store["a"])
        clock.advance(700)
        _reap(second)
        counts = second.statistics("a")
        assert (counts.runs, counts.failures, counts.last_duration, counts.lateness.count) == (1, 1, None, 0)
        assert counts == second.statistics()
        second.tick()
        error = task.error_message or ""
        lost = Event("failed", "a", start, 1, start, at(clock), error_message=error, retry_at=task.retry_at)
        (told, retried), due = heard, at(clock) + timedelta(seconds=5)
        assert [told._replace(error=None), retried._replace(error=None)] == [lost, lost._replace(name="retrying")]
        assert (str(told.error), told.retry_at) == (error, due)
        assert logged(caplog) == [f"Task 'a' failed: {error}; next attempt at {due}"]
        clock.advance(5)
        second.tick()
        assert [event.name for event in heard] == ["failed", "retrying", "succeeded"]
        counts = second.statistics("a")
        assert (counts.runs, counts.successes, counts.failures, counts.retries) == (2, 1, 1, 1)
        assert [(line["status"], line["attempt"]) for line in task.history] == [("failed", 1), ("success", 2)]

    def test_what_is_taken_over_during_a_run_is_told_when_it_is_known_how_the_task_stands(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        heard = heard_by(second)

        def outlive() -> None:
            clock.advance(700)
            _reap(second)

        second.expose(outlive, "outlive")
        for registry in (first, second):
            registry.register(adder(every={"hours": 1}, retry=Retry(max_retries=1, delay=5, jitter=0)))
        _claim_and_die(first, first.store["a"])
        second.register(adder("b", every={"hours": 1}, func=outlive, args=()))
        second.tick()
        assert [(event.name, event.task_id) for event in heard] == [("succeeded", "b")]
        second.tick()
        due = at(clock) + timedelta(seconds=5)
        assert [(event.name, event.retry_at) for event in heard[1:]] == [("failed", due), ("retrying", due)]

    def test_a_lost_run_of_a_task_that_is_gone_is_told_by_its_id(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        heard, start = heard_by(second), at(clock)
        for registry in (first, second):
            registry.register(adder(every={"hours": 1}, retry=1))
        _claim_and_die(first, first.store["a"])
        second.remove("a")
        again = second.register(adder(every={"hours": 1}, retry=1))
        clock.advance(700)
        _reap(second)
        second.shutdown()
        assert [(event.name, event.task_id, event.slot, event.attempt) for event in heard] == [
            ("failed", "a", start, 1)
        ]
        assert (second.statistics().failures, second.statistics("a").failures, again.history) == (1, 0, [])

    def test_who_comes_back_when_the_history_has_dropped_its_lost_run_tells_nothing(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        heard = heard_by(first)

        def outlive() -> None:
            outlive_lease(first, clock)
            _reap(second)
            for _ in range(2):
                second.tick()
                clock.advance(60)

        first.expose(outlive, "run")
        second.expose(noop, "run")
        first.register(adder(func=outlive, args=(), history_limit=1))
        second.register(adder(func=noop, args=(), history_limit=1))
        first.tick()
        assert ([event.name for event in heard], first.statistics().runs) == ([], 0)
        assert second.statistics().runs == 3

    @pytest.mark.parametrize("is_success", [True, False])
    def test_whose_run_others_have_recorded_as_lost_neither_tells_nor_counts_its_outcome(
        self, join: Join, clock: Clock, is_success: bool
    ) -> None:
        first, second = join(), join()
        heard, heard_by_second = heard_by(first), heard_by(second)

        def outlive() -> None:
            outlive_lease(first, clock)
            _reap(second)
            second.tick()
            clock.advance(60)
            second.tick()
            if not is_success:
                raise ValueError("boom")

        for registry, func in ((first, outlive), (second, noop)):
            registry.expose(func, "func")
            retry = Retry(max_retries=1, delay=60, jitter=0)
            registry.register(adder(every={"hours": 1}, func=func, args=(), retry=retry))
        first.tick()
        assert [event.name for event in heard] == []
        assert [event.name for event in heard_by_second] == ["failed", "retrying", "succeeded"]
        assert [registry.statistics("a").failures for registry in (first, second)] == [0, 1]
        assert first.statistics().runs == first.statistics("a").runs == 0
        (line,), (stored, _) = first.store["a"].history, first.history("a")
        assert line == {key: stored[key] for key in line}
        assert (line["status"], line["error"].partition(":")[0]) == ("failed", "lease expired")

    def test_neither_does_who_started_it_some_time_after_the_claim(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        heard, ledger = heard_by(first), first._ledger
        assert ledger is not None
        claim = ledger.backend.claim

        def claim_slowly(*arguments: Any) -> Any:
            answer = claim(*arguments)
            clock.advance(1)
            return answer

        def outlive() -> None:
            outlive_lease(first, clock)
            _reap(second)

        monkeypatch.setattr(ledger.backend, "claim", claim_slowly)
        first.expose(outlive, "outlive")
        second.expose(noop, "outlive")
        first._execute(first.register(adder(every={"hours": 1}, func=outlive, args=())))
        first.tick()
        assert ([event.name for event in heard], first.statistics().runs) == ([], 0)

    @pytest.mark.parametrize(("func", "name"), [(noop, "succeeded"), (boom, "failed")])
    def test_an_outcome_of_a_task_that_others_have_removed_is_told_and_counted(
        self, join: Join, func: Callable[[], object], name: str
    ) -> None:
        first, second = join(), join()
        heard = heard_by(first)

        def remove() -> None:
            second.remove("a")
            func()

        first.expose(remove, "remove")
        first.register(adder(func=remove, args=()))
        first.tick()
        assert ([event.name for event in heard], first.statistics().runs) == ([name], 1)

    def test_the_history_takes_no_more_lost_runs_than_its_limit(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder(history_limit=0))
        _claim_and_die(first, first.store["a"])
        clock.advance(700)
        _reap(second)
        assert second.store["a"].history == []


_DEFINED = {"every", "run_at", "func", "args", "retry"}


class TestManyInstances:
    def test_who_manages_without_ticking_is_heard_each_time(self, join: Join) -> None:
        worker, web = join(), join()
        for registry in (worker, web):
            registry.register(adder(every={"hours": 1}))
        worker.tick()
        for _ in range(3):
            web.run_now("a")
            worker.tick()
        assert runs(worker, "a") == 4
        changes: list[Callable[[], Task]] = [lambda: web.resume("a"), lambda: web.update("a", paused=False)]
        for change in changes:
            worker.pause("a")
            change()
            worker.tick()
            assert worker.store["a"].paused is False
        worker.register(adder("new"))
        assert web.pause("new").paused is True
        worker.remove("a")
        with pytest.raises(UnknownTaskError):
            web.remove("a")

    @pytest.mark.parametrize("changes", [{"args": (object(),)}, {"func": _LAMBDA}, {"depends_on": ["x\0"]}])
    def test_an_update_that_others_could_not_read_changes_nothing(self, join: Join, changes: dict[str, Any]) -> None:
        registry = join()
        task = registry.register(adder())
        with pytest.raises(ValueError, match="task 'a'"):
            registry.update("a", **changes)
        assert (task.func, task.args) == (jobs.add, (1, 2))

    def test_an_update_is_given_up_when_others_are_always_faster(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        task = first.register(adder())
        second.tick()
        assert first._ledger is not None
        push, seconds = first._ledger.edits.push, iter(range(1, 100))

        def be_slow() -> set[str]:
            second.update("a", every={"seconds": next(seconds)})
            return push()

        monkeypatch.setattr(first._ledger.edits, "push", be_slow)
        with pytest.raises(RuntimeError, match="task 'a' was not changed: others changed it 5 times meanwhile"):
            first.update("a", every={"hours": 1})
        assert task.every == {"seconds": 5}

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

    def test_what_others_have_registered_is_left_behind_with_the_backend(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        second.register(adder("own"))
        second.tick()
        assert set(second.store) == {"own", "a"}
        second.configure(lease=300)
        second.register(adder())
        second.configure(lease=600)
        first.register(adder("other"))
        second.tick()
        assert set(second.store) == {"own", "a", "other"}
        second.configure(backend=None)
        assert set(second.store) == {"own", "a"}

    def test_a_backend_that_cannot_be_changed_keeps_what_others_have_registered(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        second.tick()
        with pytest.raises(TypeError, match="backend must be"):
            second.configure(backend=5)  # type: ignore[arg-type]  # on purpose
        second.tick()
        assert list(second.store) == ["a"]

    def test_each_slot_runs_once(self, join: Join, clock: Clock) -> None:
        registries = [join(), join(), join()]
        for registry in registries:
            for number in range(20):
                registry.register(adder(str(number)))
        for _ in range(3):
            threads = [threading.Thread(target=registry.tick) for registry in registries]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for registry in registries:
                registry.tick()
            clock.advance(60)
        counts = {str(number): 0 for number in range(20)}
        for run in registries[0].history(limit=1_000):
            counts[run["task_id"]] += run["status"] == "success"
        assert set(counts.values()) == {3}

    @pytest.mark.parametrize("others", [0, 1])
    def test_what_a_slow_inline_tick_holds_is_given_back_for_others_to_run(self, join: Join, others: int) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        ledger = first._ledger
        assert ledger is not None

        def dawdle() -> None:
            ledger._claims._hold_until = 0.0  # it took as long as that
            ledger.beat()
            for _ in range(others):
                second.tick()

        first.expose(dawdle, "dawdle")
        first.register(adder("a", func=dawdle, args=()))
        for name in ("b", "c"):
            first.register(adder(name))
        ledger._claims._size = 10  # all in one batch
        first.tick()
        owners = {run["task_id"]: run["owner"] for run in first.history(status="success")}
        mine, theirs = ledger.lease.owner, second._ledger.lease.owner  # type: ignore[union-attr]  # it has one
        assert owners == {"a": mine, "b": theirs if others else mine, "c": theirs if others else mine}

    def test_dependents_see_successes_of_others_and_their_results(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder("source", func=jobs.give_back, args=([1, 2],)))
        second.register(adder("sink", func=take, args=(), depends_on=["source"]))
        second.expose(jobs.give_back)
        second.pause("source")
        second.tick()
        first.resume("source")
        first.tick()
        second.tick()
        assert second.store["sink"].result == [1, 2]

    def test_fresh_input_is_made_use_of_once_whoever_runs_and_after_a_restart(self, join: Join, clock: Clock) -> None:
        fresh = {
            "every": {"seconds": 1},
            "func": take,
            "args": (),
            "depends_on": ["source"],
            "depends_on_mode": "fresh",
        }

        def start() -> TaskRegistry:
            registry = join()
            registry.register(adder("source"))
            registry.register(adder("sink", **fresh))
            return registry

        first, second = start(), start()
        first.tick()
        first.tick()
        consumed = first.store["sink"].consumed
        assert consumed == {"source": first.store["source"].last_success_at}
        clock.advance(1)
        for registry in (second, first, start()):
            registry.tick()
            assert (runs(registry, "sink"), registry.store["sink"].consumed) == (1, consumed)
        clock.advance(59)
        for registry in (second, second, first, first):
            registry.tick()
        assert (runs(first, "sink"), first.store["sink"].consumed) == (2, {"source": at(clock)})

    def test_a_task_that_runs_elsewhere_is_running_here(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        seen = []

        def look() -> None:
            second.tick()
            seen.append(second.store["a"].status)

        first.expose(look, "look")
        second.expose(boom, "look")
        first.register(adder(func=look, args=()))
        first.tick()
        second.tick()
        assert (seen, second.store["a"].status, runs(first, "a")) == ([TaskStatus.RUNNING], TaskStatus.SUCCESS, 1)
        clock.advance(60)
        second.tick()
        assert second.store["a"].status is TaskStatus.FAILED

    def test_management_reaches_the_others(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        first.register(adder())
        second.expose(jobs.add)
        second.tick()
        there = second.store["a"]
        first.update("a", every={"seconds": 5}, args=(2, 3))
        first.pause("a")
        second.tick()
        assert (there.every, there.args, there.paused) == ({"seconds": 5}, (2, 3), True)
        second.resume("a")
        first.tick()
        assert not first.store["a"].paused
        before = runs(first, "a")
        first.run_now("a")
        second.tick()
        assert (runs(second, "a"), there.result, there.run_requested) == (before + 1, 5, None)
        first.remove("a")
        second.tick()
        assert list(second.store) == []

    def test_edits_of_two_instances_meet(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder())
        second.register(adder())
        first.update("a", timeout=5)
        second.update("a", misfire_grace=7)
        first.tick()
        assert [(r.store["a"].timeout, r.store["a"].misfire_grace) for r in (first, second)] == [(5, 7), (5, 7)]

    def test_the_code_of_the_latest_start_wins_over_an_earlier_update_and_a_later_one_over_that(
        self, join: Join, clock: Clock
    ) -> None:
        first = join()
        task = first.register(adder())
        first.tick()
        first.update("a", every={"seconds": 10}, args=(5, 6))
        second = join()
        again = second.register(adder())
        first.tick()
        assert [(one.every, one.args) for one in (task, again)] == [(MINUTE, (1, 2))] * 2
        clock.advance(10)
        first.tick()
        assert runs(first, "a") == 1
        first.update("a", every={"seconds": 10})
        second.tick()
        assert again.every == {"seconds": 10}
        assert [run["slot"] for run in first.history("a")] == [at(clock) - timedelta(seconds=10), at(clock)]

    @pytest.mark.parametrize("seconds", [61, 0])
    def test_of_two_that_register_a_new_task_who_ticks_first_says_when_it_last_ran(
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

    def test_a_task_that_is_registered_as_paused_is_not_paused_anew_by_who_ticks_later(self, join: Join) -> None:
        first, second = join(), join()
        tasks = [registry.register(adder(paused=True)) for registry in (first, second)]
        first.tick()
        first.resume("a")
        second.tick()
        first.tick()
        assert ([task.paused for task in tasks], runs(first, "a")) == ([False, False], 1)

    def test_an_assignment_outlives_a_run_elsewhere(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder())
        second.register(adder())
        second.store["a"].misfires = 5
        first.tick()
        second.tick()
        second.tick()
        assert (second.store["a"].misfires, second.store["a"].result) == (5, 3)
        assert join().register(adder()).misfires == 5

    def test_a_task_of_others_can_be_registered_here_too(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        first.register(adder("other"))
        first.register(adder())
        second.register(adder("other"))
        second.tick()
        mine = second.register(adder())
        clock.advance(60)
        second.tick()
        assert (second.store["a"] is mine, mine.result) == (True, 3)
        with pytest.raises(ValueError, match=r"^Task with id 'a' already registered.$"):
            second.register(adder())

    def test_a_task_of_others_may_be_registered_here_while_it_runs_here(self, join: Join, clock: Clock) -> None:
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

    def test_a_task_of_others_may_be_registered_here_while_it_is_claimed_here(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()

        def register() -> None:
            if second._ledger._claims._tasks.is_adopted("b"):  # type: ignore[union-attr]
                second.register(adder("b"))

        first.expose(register, "register")
        second.expose(register, "register")
        second.expose(jobs.add)
        first.register(Task(id="a", every=MINUTE, func=register))
        first.register(adder("b"))
        second._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        second.tick()
        second.tick()
        assert [run["status"] for run in second.history("b")] == ["failed", "success"]
        assert (second.store["b"].status, second.store["b"].result) == (TaskStatus.SUCCESS, 3)
        assert second.history("b")[0]["error"].partition(":")[0] == "not started"

    @pytest.mark.parametrize(("remover", "is_seen"), [("here", False), ("there", False), ("there", True)])
    def test_a_claim_of_a_task_that_was_removed_and_registered_anew_does_not_start_it(
        self, join: Join, clock: Clock, remover: str, is_seen: bool
    ) -> None:
        here, there, started = join(), join(), list[int | None]()

        def note() -> None:
            run = current_run()
            started.append(run and run.epoch)

        def replace() -> None:
            registry = {"here": here, "there": there}[remover]
            registry.remove("b")
            if is_seen:
                here.pause("c")
            registry.register(Task(id="b", every=MINUTE, func=note))
            if is_seen:
                here.pause("c")
            else:
                here.tick()

        here.expose(replace, "replace")
        for registry in (here, there):
            registry.expose(note, "note")
        here.register(Task(id="a", every=MINUTE, func=replace))
        here.register(Task(id="b", every=MINUTE, func=note))
        here.register(adder("c", run_at=at(clock) + timedelta(1), every=None))
        here._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        here.tick()
        here.tick()
        found = [(run["epoch"], (run["error"] or "").partition(":")[0]) for run in here.history("b")]
        assert (started, found) == ([2], [(1, "not started"), (2, "")])

    @pytest.mark.parametrize(
        ("meanwhile", "started", "found"),
        [
            (lambda here, _: (here.pause("a"), here.resume("a")), [1], ["success"]),
            (lambda here, _: here.run_now("a"), [1, 2], ["success", "success"]),
            (lambda here, _: here.update("a", args=()), [1], ["success"]),
            (lambda here, _: (here.remove("a"), here.register(_noting())), [2], ["failed", "success"]),
            (lambda here, there: (there.remove("a"), there.register(_noting())), [1, 2], ["success", "success"]),
            (
                lambda here, there: (there.remove("a"), there.register(_noting()), here.pause("a"), here.resume("a")),
                [2],
                ["failed", "success"],
            ),
        ],
    )
    def test_management_before_the_answer_to_a_claim_has_come(
        self, join: Join, meanwhile: Callable[[TaskRegistry, TaskRegistry], Any], started: list[int], found: list[str]
    ) -> None:
        here, there = join(), join()
        here.register(_noting())
        there.expose(jobs.note_epoch)
        backend, noted = here._ledger.backend, jobs.EPOCHS  # type: ignore[union-attr]
        claim = backend.claim
        noted.clear()

        def late(*arguments: Any) -> Any:
            backend.claim = claim  # type: ignore[method-assign]
            won = claim(*arguments)
            meanwhile(here, there)
            return won

        backend.claim = late  # type: ignore[method-assign]
        for _ in range(3):
            here.tick()
        assert (noted, [run["status"] for run in here.history("a")]) == (started, found)

    def test_what_is_removed_here_and_by_others_at_once_is_gone_without_an_error(self, join: Join) -> None:
        first, second = join(), join()
        first.register(adder())
        second.register(adder())
        backend, ticking = second._ledger.backend, threading.Thread(target=second.tick)  # type: ignore[union-attr]
        remove = backend.remove

        def meanwhile(ids: Any) -> None:
            backend.remove = remove  # type: ignore[method-assign]  # in memory, both have the same
            first.remove("a")
            ticking.start()
            ticking.join(0.03)
            remove(ids)

        backend.remove = meanwhile  # type: ignore[method-assign]
        second.remove("a")
        ticking.join(10)
        assert ("a" in second.store, "a" in first.store) == (False, False)

    def test_what_is_registered_while_its_removal_is_written_is_there(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        backend = registry._ledger.backend  # type: ignore[union-attr]
        registering = threading.Thread(target=registry.register, args=(adder(),))
        remove = backend.remove

        def meanwhile(ids: Any) -> None:
            registering.start()
            registering.join(0.03)
            remove(ids)

        backend.remove = meanwhile  # type: ignore[method-assign]
        del registry.store["a"]
        registry.tick()
        registering.join(10)
        registry.tick()
        assert registry.store["a"].result == 3

    def test_an_unknown_function_is_told_and_hinders_no_other(
        self, join: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        first.register(adder("bad", func=boom, args=()))
        second.expose(jobs.add)
        second.tick()
        second.tick()
        reason = "its function 'tests.test_ledger:boom' is unknown here: register or expose it"
        assert (second.unresolved(), second.store["a"].result) == ({"bad": reason}, 3)
        assert second.why_not("bad") == f"cannot run here: {reason}"
        told = [record.message for record in caplog.records if "unknown here" in record.message]
        assert told == [f"Task 'bad' of the store does not run here: {reason}."]
        second.expose(boom)
        second.tick()
        assert (second.unresolved(), second.store["bad"].status) == ({}, TaskStatus.FAILED)

    @pytest.mark.parametrize("dependency", _NO_IDS)
    def test_a_row_that_depends_on_what_is_no_id_is_set_aside(self, join: Join, store: Store, dependency: str) -> None:
        first = join()
        first.register(adder("b"))
        definition = {"task": {"every": MINUTE, "func": "tests.jobs:add", "depends_on": [dependency]}}
        store.spoil("b", "definition", json.dumps({**definition, "armed": 0, "zone": None}))
        second = join()
        second.register(adder())
        second.tick()
        reason = (
            f"depends_on of task 'b' has {dependency!r}, which no task of a backend can have for an id: {_NOT_HELD}"
        )
        assert (runs(second, "a"), second.unresolved()) == (1, {"b": reason})

    def test_an_id_that_is_too_long_is_refused(self, join: Join) -> None:
        registry = join()
        registry.register(adder("x" * 2_000))
        registry.tick()
        with pytest.raises(ValueError, match="cannot be stored") as caught:
            registry.register(adder("é" * 1_001))
        assert str(caught.value).endswith("it has a NUL, half a surrogate pair, or more than 2000 bytes in UTF-8")
        assert [run["status"] for run in registry.history()] == ["success"]

    @pytest.mark.parametrize("name", _NO_IDS)
    def test_what_is_no_id_and_was_assigned_by_hand_stops_no_other_task(self, join: Join, name: str) -> None:
        first, second = join(), join()
        first.register(adder())
        task = first.register(adder("b"))
        task.depends_on = [name]
        first.store[name] = adder(name)
        for _ in range(2):
            first.tick()
        assert (runs(first, "a"), runs(first, "b"), list(first.unresolved())) == (1, 0, [name])
        second.expose(jobs.add)
        second.tick()  # goes by what was registered
        assert (runs(first, "b"), second.unresolved()) == (1, {})

    def test_an_unreadable_row_is_set_aside(self, join: Join, store: Store) -> None:
        first = join()
        first.register(adder())
        first.register(adder("b"))
        store.spoil("b", "status", "nonsense")
        first.tick()
        assert (list(first.store), list(first.unresolved()), runs(first, "a")) == (["a"], ["b"], 1)

    def test_a_row_that_is_unreadable_when_its_task_is_registered_is_set_aside_until_it_is_removed(
        self, join: Join, store: Store
    ) -> None:
        join().register(adder("b"))
        store.spoil("b", "result", "nonsense")
        registry = join()
        registry.register(adder())
        task = registry.register(adder("b"))
        registry.tick()
        (reason,) = registry.unresolved().values()
        assert reason.startswith("its row cannot be read: the result is no JSON: ")
        assert registry.why_not("b") == f"cannot run here: {reason}"
        assert (list(registry.store), runs(registry, "a"), runs(registry, "b")) == (["a", "b"], 1, 0)
        registry.remove("b")
        registry.register(task)
        registry.tick()
        assert (registry.unresolved(), task.result) == ({}, 3)

    def test_a_row_that_is_unreadable_when_its_task_is_managed_is_set_aside(self, join: Join, store: Store) -> None:
        registry = join()
        registry.register(adder())
        store.spoil("a", "status", "nonsense")
        with pytest.raises(
            KeyError, match="task 'a' of the backend can only be removed here: its row cannot be read: "
        ):
            registry.pause("a")
        registry.tick()
        assert registry.unresolved() == {"a": "its row cannot be read: 'nonsense' is not a valid TaskStatus"}

    def test_another_zone_is_refused(self, join: Join, set_zone: Callable[[str], None]) -> None:
        set_zone("Asia/Seoul")
        first = join()
        first.register(adder(every=None, at="12:00"))
        first.register(adder("b"))
        set_zone("America/New_York")
        second = join()
        second.register(adder("b"))
        expected = (
            "task 'a' was first registered where local time is Asia/Seoul, here it is America/New_York: say which one "
            "is meant, timezone='Asia/Seoul' for example, or each zone would have slots of its own"
        )
        with pytest.raises(ValueError, match=r"^task 'a' was first registered where") as raised:
            second.register(adder(every=None, at="12:00"))
        assert str(raised.value) == expected
        assert second.unresolved() == {"a": expected}
        second.register(adder(every=None, at="12:00", timezone="Asia/Seoul"))
        set_zone("Asia/Tokyo")  # another name, another zone, the same rules but for history
        assert second.unresolved() == {}

    def test_instances_are_listed(self, join: Join) -> None:
        first, second = join(), join()
        first.tick()
        second.tick()
        assert len({instance.owner for instance in first.instances()}) == 2
        second.shutdown()
        assert len(first.instances()) == 1

    def test_a_retry_is_for_the_slot_of_the_first_attempt_whoever_starts_it(self, join: Join, clock: Clock) -> None:
        seen = []

        def fail() -> None:
            run = current_run()
            assert run is not None
            seen.append(((run.slot - start).seconds, run.attempt))
            if len(seen) > 1:
                raise ValueError

        start, registries = at(clock), [join(), join()]
        for registry in registries:
            registry.expose(fail, "fail")
            retry = Retry(max_retries=1, delay=1, jitter=0)
            registry.register(adder(func=fail, args=(), retry=retry))
        first, second = registries
        for registry, seconds in ((first, 0), (first, 60), (first, 1), (second, 59), (first, 1)):
            clock.advance(seconds)
            registry.tick()
        assert seen == [(0, 1), (60, 1), (60, 2), (120, 1), (120, 2)]
        assert [((run["slot"] - start).seconds, run["attempt"]) for run in first.history()] == seen

    def test_so_it_is_after_a_restart_and_its_lateness_counts_from_its_own_moment(
        self, join: Join, clock: Clock
    ) -> None:
        retry = Retry(max_retries=1, delay=30, jitter=0)
        first, start = join(), at(clock)
        first.register(adder(func=boom, args=(), retry=retry))
        first.tick()
        first.shutdown()
        second, heard = join(), list[Event]()
        second.on("started", heard.append)
        second.register(adder(func=boom, args=(), retry=retry))
        clock.advance(35)
        second.tick()
        assert [(event.slot, event.attempt) for event in heard] == [(start, 2)]
        assert second.statistics("a").lateness.max == pytest.approx(5, abs=4)

    def test_so_it_is_after_a_claim_was_given_back(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        start = at(clock)
        for registry in (first, second):
            registry.register(adder("good"))
            registry.register(adder("bad", func=boom, args=(), retry=Retry(max_retries=1, delay=60, jitter=0)))
        for _ in range(2):
            first.tick()
        clock.advance(61)
        ledger = first._ledger
        assert ledger is not None
        for task in first:
            assert ledger.obtain(task)
        ledger.give_back(["good", "bad"])
        assert {state.slot for state in ledger.backend.look(None, 0).states.values()} == {to_instant(to_utc(start))}

    def test_so_it_is_of_a_task_that_has_failed_elsewhere_before_it_was_shared(
        self, join: Join, alone: TaskRegistry, store: Store, clock: Clock
    ) -> None:
        registry, start = alone, at(clock)
        retry = Retry(max_retries=1, delay=1, jitter=0)
        task = registry.register(adder(every=None, run_at=start, func=boom, args=(), retry=retry))
        registry.tick()
        registry.configure(backend=store.open(clock), lease=600)
        registry._ledger.edits.push()  # type: ignore[union-attr]  # as a tick would, whose first run it would be
        clock.advance(1)
        other = join()
        other.register(adder(every=None, run_at=start, func=boom, args=(), retry=retry))
        other.tick()
        registry.tick()
        assert [(run["slot"], run["attempt"]) for run in other.history()] == [(start, 2)]
        assert task.attempt == 2


class TestLease:
    def test_a_lost_race_costs_no_renewal(self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder())
            registry.tick()
        ledger = first._ledger
        assert ledger is not None
        claim, renewals = ledger.backend.claim, []

        def come_late(*arguments: Any) -> dict[str, int]:
            monkeypatch.setattr(ledger.backend, "claim", claim)
            second.tick()
            return claim(*arguments)

        monkeypatch.setattr(ledger.lease, "renew", lambda: renewals.append(1))
        monkeypatch.setattr(ledger.backend, "claim", come_late)
        for _ in range(3):
            clock.advance(60)
            first.tick()
        owners = [run["owner"] for run in first.history()]
        assert second._ledger is not None
        mine, theirs = ledger.lease.owner, second._ledger.lease.owner
        assert (owners, renewals) == ([mine, theirs, mine, mine], [])

    def test_who_is_refused_what_nobody_has_taken_renews_a_lease_that_the_store_has_lost(
        self, join: Join, clock: Clock
    ) -> None:
        registry = join()
        registry.register(adder())
        registry.tick()
        ledger = registry._ledger
        assert ledger is not None
        ledger.backend.leave(ledger.lease.owner)
        clock.advance(60)
        for count in (1, 2):
            registry.tick()
            assert runs(registry, "a") == count

    def test_it_is_given_back_also_when_it_may_have_expired(self, join: Join) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder())
            registry.tick()
        assert second._ledger is not None
        second._ledger.lease.deadline = 0.0
        second.shutdown()
        assert [instance.owner for instance in first.instances()] == [first._ledger and first._ledger.lease.owner]

    def test_what_a_dead_instance_ran_is_taken_over_after_its_lease(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)

        retry = Retry(max_retries=1, delay=5, jitter=0, on=(KeyError,))  # a lost run raised nothing, and is tried again
        task = first.register(adder(every={"hours": 1}, retry=retry))
        _claim_and_die(first, task)
        second.tick()
        assert second.store["a"].status is TaskStatus.RUNNING
        clock.advance(700)
        _reap(second)
        second.tick()
        there = second.store["a"]
        assert there.error_message is not None
        assert there.error_message.startswith("lease expired: owner ")
        assert (there.status, there.retry_at) == (TaskStatus.FAILED, at(clock) + timedelta(seconds=5))

    def test_what_is_lost_is_judged_by_what_its_task_is_by_now(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        second.tick()  # when there was none
        retry = Retry(max_retries=1, delay=5, jitter=0)
        _claim_and_die(first, first.register(adder(every={"hours": 1}, retry=retry)))
        clock.advance(700)
        _reap(second)
        second.tick()
        assert second.store["a"].retry_at == at(clock) + timedelta(seconds=5)

    def test_what_is_lost_is_taken_over_though_much_else_is_nobody_here_knows(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger_module, "_LOST", 1)
        first, second = join(), join()
        second.expose(jobs.add)
        first.expose(noop, "only here")
        for task in (adder("a", func=noop, args=()), adder("b", func=noop, args=()), adder("c")):
            _claim_and_die(first, first.register(task))
        second.tick()
        clock.advance(700)
        _reap(second)
        assert [run["task_id"] for run in second.history(status="failed")] == ["c"]

    def test_a_run_that_goes_on_here_is_not_lost_though_the_clock_of_the_store_was_set_ahead(
        self, alone: TaskRegistry, clock: Clock
    ) -> None:
        ledger = alone._ledger
        assert ledger is not None

        def outlive() -> None:
            clock.advance(700)
            ledger.outage.healthy_since = -600.0
            ledger.reap()

        alone.expose(outlive, "outlive")
        alone.register(adder(func=outlive, args=()))
        alone.tick()
        assert [(run["status"], run["late"]) for run in alone.history()] == [("success", False)]

    def test_the_first_tick_after_the_clock_was_set_ahead_runs_what_is_due(self, join: Join, clock: Clock) -> None:
        registry = join()
        registry.register(adder(every={"hours": 1}))
        registry.tick()
        clock.advance(3600)
        registry.tick()
        assert runs(registry, "a") == 2

    def test_who_needs_the_turn_for_long_does_not_keep_the_lease_from_being_renewed(
        self, join: Join, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        _claim_and_die(first, first.register(adder()))
        clock.advance(700)
        ledger, has_turn, go = second._ledger, threading.Event(), threading.Event()
        assert ledger is not None

        def hold() -> None:
            with ledger.tasks.turn:
                has_turn.set()
                go.wait(60)

        holds = threading.Thread(target=hold)
        holds.start()
        assert has_turn.wait(60)
        monkeypatch.setattr(ledger.lease, "seconds", 0.1)
        _reap(second)  # it comes back
        go.set()
        holds.join()
        assert second.history(status="failed") == []
        _reap(second)
        assert [run["task_id"] for run in second.history(status="failed")] == ["a"]

    def test_the_end_of_the_program_removes_nothing(self, alone: TaskRegistry) -> None:
        alone.register(adder())
        alone.tick()
        del alone.store["a"]
        ledger_module._leave_all()
        assert isinstance(alone.backend, MemoryBackend)
        assert list(alone.backend.look(None, 0).states) == ["a"]

    def test_an_edit_that_cannot_be_written_keeps_no_outcome_back(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger = alone._ledger
        assert ledger is not None
        monkeypatch.setattr(ledger.edits, "push", lambda: 1 / 0)
        alone.shutdown()
        assert (alone.instances(), caplog.messages) == ([], ["What was edited could not be written to the store."])

    def test_a_retry_that_another_instance_has_begun_is_told_of(self, join: Join) -> None:
        first, second = join(), join()
        told = []

        def go_on(event: Event) -> None:
            second.tick()
            first.tick()

        for registry in (first, second):
            registry.expose(boom, "boom")
        first.on("failed", go_on)
        first.on("retrying", lambda event: told.append(event.attempt))
        first.register(adder(func=boom, args=(), retry=Retry(max_retries=1, delay=0)))
        first.tick()
        assert ([run["attempt"] for run in second.history()], told) == ([1, 2], [1])

    def test_what_was_edited_last_is_written_at_the_end(self, join: Join) -> None:
        first = join()
        for task_id in "abc":
            first.register(adder(task_id))
        first.tick()
        first.store["a"].paused = True
        del first.store["b"]
        first.store["c"].every = {"days": 9}
        first.register(adder("d", last_run_at=datetime(2020, 1, 1)))
        first.shutdown()
        second = join()
        second.expose(jobs.add)
        second.tick()
        assert (second.store["a"].paused, sorted(second.store), second.store["c"].every) == (
            True,
            ["a", "c", "d"],
            {"days": 9},
        )
        assert second.store["d"].first_run_at == datetime(2020, 1, 1)

    def test_what_is_registered_as_paused_is_so_for_all_at_once(self, join: Join) -> None:
        first, second = join(), join()
        task = first.register(adder(paused=True))
        second.expose(jobs.add)
        second.tick()
        first.tick()
        assert (task.paused, second.store["a"].paused, runs(second, "a")) == (True, True, 0)

    def test_a_retry_of_what_was_lost_is_for_the_same_slot_and_as_late_as_its_owner_would_have_it(
        self, join: Join, clock: Clock
    ) -> None:
        first, second = join(), join()
        heard = heard_by(second)
        retry, start = Retry(max_retries=2, delay=5, jitter=1), at(clock)
        task = first.register(adder(every={"hours": 1}, func=boom, args=(), retry=retry))
        second.register(adder(every={"hours": 1}, func=boom, args=(), retry=retry))
        first.tick()
        delays = [retry.seconds_after(attempt, None, "a", to_utc(start)) or 0 for attempt in (1, 2)]
        assert task.retry_at == start + timedelta(seconds=delays[0])
        clock.advance(10)
        _claim_and_die(first, task)
        clock.advance(700)
        _reap(second)
        second.tick()
        assert second.store["a"].retry_at == at(clock) + timedelta(seconds=delays[1])
        clock.advance(20)
        second.tick()
        assert [(run["slot"], run["attempt"]) for run in second.history()] == [(start, 1), (start, 2), (start, 3)]
        told = [(event.name, event.slot, event.attempt) for event in heard]
        assert told == [("failed", start, 2), ("retrying", start, 2), ("failed", start, 3)]
        assert second.statistics("a").retries == 2

    def test_what_is_lost_is_taken_over_also_while_ticks_renew_the_lease(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        task = first.register(adder())
        _claim_and_die(first, task)
        clock.advance(700)
        second.register(adder())
        ledger = second._ledger
        assert ledger is not None
        ledger.lease.renew()  # so that it is not due when it beats
        ledger.outage.healthy_since, ledger._reap_at = -600.0, 0.0
        ledger.beat()
        assert [run["status"] for run in second.history("a")] == ["failed"]

    def test_an_outcome_that_comes_late_changes_nothing(
        self, join: Join, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = join(), join()

        def outlive() -> int:
            outlive_lease(first, clock)
            _reap(second)
            second.tick()
            return 7

        first.expose(outlive, "tests.jobs:add")
        task = first.register(adder(func=outlive, args=(1, 2), kwargs={}).model_copy(update={"args": ()}))
        second.expose(lambda: 5, "tests.jobs:add")
        first.tick()
        first.tick()
        assert (task.result, second.store["a"].result) == (5, 5)
        assert [(run["epoch"], run["late"], run["status"]) for run in first.history("a")] == [
            (1, True, "failed"),
            (2, False, "success"),
        ]
        assert (
            "Run 1 of task 'a' ended late (success): it had lost its task before, and changes nothing." in caplog.text
        )

    def test_after_a_late_outcome_the_task_stands_as_the_store_has_it(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()

        def outlive() -> int:
            outlive_lease(first, clock)
            _reap(second)
            return 7

        first.expose(outlive, "outlive")
        second.expose(boom, "outlive")
        task = first.register(adder(every={"hours": 1}, func=outlive, args=()))
        first.tick()
        first.tick()
        assert task.error_message is not None
        assert (task.status, task.result, task.error_message.partition(":")[0]) == (
            TaskStatus.FAILED,
            None,
            "lease expired",
        )

    def test_a_lost_run_has_made_use_of_no_fresh_input(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        given = []

        def outlive(dep_source: int) -> None:
            given.append(dep_source)
            if len(given) == 1:
                outlive_lease(first, clock)
                _reap(second)

        fresh: dict[str, Any] = {"args": (), "depends_on": ["source"], "depends_on_mode": "fresh"}
        first.expose(outlive, "outlive")
        second.expose(outlive, "outlive")
        first.register(adder("source", every={"days": 1}))
        task = first.register(adder("sink", func=outlive, **fresh))
        for _ in range(4):
            first.tick()
        assert (given, [run["late"] for run in first.history("sink")]) == ([3, 3], [True, False])
        assert task.consumed == {"source": first.store["source"].last_success_at}

    def test_nobody_is_declared_dead_after_an_outage_until_a_lease_has_passed(self, join: Join, clock: Clock) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        _claim_and_die(first, first.register(adder()))
        clock.advance(700)
        second.tick()
        ledger = second._ledger
        assert ledger is not None
        ledger.lease.renew()
        ledger.reap()
        second.tick()
        statuses = [second.store["a"].status]
        _reap(second)
        second.tick()
        assert [*statuses, second.store["a"].status] == [TaskStatus.RUNNING, TaskStatus.SUCCESS]

    def test_a_claim_whose_lease_has_expired_is_not_started(self, alone: TaskRegistry) -> None:
        ledger = alone._ledger
        assert ledger is not None

        def stall() -> None:
            ledger.lease.deadline = 0.0

        alone.expose(stall, "stall")
        ledger._claims._size = 10
        alone.register(adder("a", func=stall, args=()))
        task = alone.register(adder("b"))
        alone.tick()
        alone.tick()
        given_back, run = alone.history("b")
        assert given_back["error"] == f"not started: owner {ledger.lease.owner} gave its claim back"
        assert (run["status"], run["epoch"], task.result) == ("success", 2, 3)

    def test_a_claim_that_is_given_back_drops_no_history(self, alone: TaskRegistry, clock: Clock) -> None:
        task, ledger = alone.register(adder(history_limit=200)), alone._ledger
        assert ledger is not None
        for _ in range(101):
            ledger.lease.renew()
            alone.tick()
            clock.advance(60)
        assert ledger.obtain(task)
        ledger.give_back(["a"])
        alone.tick()
        assert len(alone.history("a", limit=1_000)) == 103

    def test_a_removed_task_leaves_its_epoch(self, alone: TaskRegistry, clock: Clock) -> None:
        alone.register(adder())
        alone.tick()
        alone.remove("a")
        task = alone.register(adder())
        assert (task.status, task.last_run_at, task.history) == (TaskStatus.PENDING, None, [])
        alone.tick()
        assert [run["epoch"] for run in alone.history("a")] == [2]


def _claim_and_die(registry: TaskRegistry, task: Task) -> None:
    """Claim what is due, as a tick does, and go no further."""
    ledger = registry._ledger
    assert ledger is not None
    ledger.obtain(task)
    ledger.tasks.held.clear()
    ledger._beat.stop(60)


def heard_by(registry: TaskRegistry) -> list[Event]:
    """Return what it tells of outcomes from now on, as it comes."""
    heard: list[Event] = []
    for name in ("succeeded", "failed", "retrying"):
        registry.on(name, heard.append)
    return heard


def outlive_lease(registry: TaskRegistry, clock: Clock) -> None:
    """Let the store's clock go on beyond the lease of an instance that does not renew it."""
    assert registry._ledger is not None
    registry._ledger._beat.stop(60)
    clock.advance(700)


def _reap(registry: TaskRegistry) -> None:
    ledger = registry._ledger
    assert ledger is not None
    ledger.lease.renew()
    ledger.outage.healthy_since = 0.0
    ledger.reap()


class Flaky(MemoryBackend):
    """A store that goes out of reach when told to: before an operation, or after it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.fails_before: set[str] = set()
        self.fails_after: set[str] = set()
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in _OPERATIONS:
            return found

        def ask(*arguments: Any, **named: Any) -> Any:
            self.asked.append(name)
            if name in self.fails_before:
                raise BackendUnavailableError("memory: out of reach")
            answer = found(*arguments, **named)
            if name in self.fails_after:
                raise BackendUnavailableError("memory: no answer")
            return answer

        return ask


_OPERATIONS = frozenset(Backend.__abstractmethods__) - {"open", "close"}


def test_what_no_slow_tick_holds_is_kept(alone: TaskRegistry, clock: Clock) -> None:
    ledger = alone._ledger
    assert ledger is not None
    ledger._claims._size = 10
    task = alone.register(adder())
    alone.tick()
    clock.advance(60)
    assert ledger.obtain(task)
    ledger._claims._hold_until = 0.0
    ledger.beat()
    assert list(ledger.tasks.held) == ["a"]


def test_the_beat_comes_in_time_for_what_is_held(alone: TaskRegistry) -> None:
    ledger = alone._ledger
    assert ledger is not None
    seconds = []
    alone.expose(lambda: seconds.append(ledger.seconds_to_beat()), "look")
    for name in ("a", "b"):
        alone.register(adder(name, func=alone._names.find("look"), args=()))
    ledger._claims._size = 10  # both in one batch
    alone.tick()
    assert seconds[0] <= 1 < seconds[1]


class TestOutage:
    @pytest.fixture
    def flaky(self, clock: Clock) -> Flaky:
        return Flaky(clock)

    @pytest.fixture
    def registry(self, flaky: Flaky) -> Iterator[TaskRegistry]:
        registry = TaskRegistry(backend=flaky, lease=600)
        yield registry
        flaky.fails_before.clear()
        flaky.fails_after.clear()
        registry.shutdown(0)

    def test_nothing_starts_and_the_log_tells_once(
        self, flaky: Flaky, registry: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register(adder())
        flaky.fails_before = set(_OPERATIONS)
        for _ in range(3):
            registry.tick()
            _end_pause(registry)
        assert registry.why_not("a") == "due now, it runs with the next tick"
        flaky.fails_before.clear()
        registry.tick()
        assert runs(registry, "a") == 1
        assert [record.message for record in caplog.records] == [
            "The store is out of reach, and nothing starts until it is back: memory: out of reach",
            "The store is back.",
        ]

    def test_it_is_left_alone_between_two_attempts(self, flaky: Flaky, registry: TaskRegistry) -> None:
        registry.register(adder())
        flaky.fails_before = set(_OPERATIONS)
        registry.tick()
        asked = len(flaky.asked)
        registry.tick()
        idle = registry.idle_seconds()
        assert (len(flaky.asked), idle is not None and 0 < idle <= 0.1) == (asked, True)
        assert registry.why_not("a") == "nothing starts until the store, which is out of reach, is back"

    @pytest.mark.parametrize("when", ["fails_before", "fails_after"])
    def test_outcomes_are_kept_and_written_when_it_is_back(
        self, flaky: Flaky, registry: TaskRegistry, when: str
    ) -> None:
        task = registry.register(adder())
        setattr(flaky, when, {"finish"})
        registry.tick()
        assert task.status is TaskStatus.SUCCESS
        setattr(flaky, when, set())
        _end_pause(registry)
        registry.tick()
        assert [(run["status"], run["late"]) for run in registry.history("a")] == [("success", False)]
        assert task.status is TaskStatus.SUCCESS

    def test_a_claim_whose_answer_is_lost_runs_once(self, flaky: Flaky, registry: TaskRegistry, clock: Clock) -> None:
        task = registry.register(adder(last_run_at=at(clock) - timedelta(seconds=61)))
        flaky.fails_after = {"claim"}
        registry.tick()
        assert task.status is TaskStatus.PENDING
        flaky.fails_after.clear()
        _end_pause(registry)
        clock.advance(1)
        registry.tick()
        registry.tick()
        found = [((run["error"] or "").partition(":")[0], run["status"]) for run in registry.history("a")]
        assert found == [("not started", "failed"), ("", "success")]
        assert (registry.history("a")[-1]["run_at"], task.last_run_at) == (at(clock), at(clock))

    def test_a_claim_whose_answer_is_lost_is_given_back_at_the_end(self, flaky: Flaky, registry: TaskRegistry) -> None:
        registry.register(adder(every=None, run_at=datetime(2020, 1, 1)))
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        registry.shutdown()
        other = TaskRegistry(backend=flaky)
        task = other.register(adder(every=None, run_at=datetime(2020, 1, 1)))
        other.tick()
        assert (task.status, [run["status"] for run in other.history()]) == (TaskStatus.SUCCESS, ["failed", "success"])
        other.shutdown()

    def test_a_backend_that_cannot_be_had_leaves_all_as_it_is(self, flaky: Flaky, registry: TaskRegistry) -> None:
        other = TaskRegistry(backend=flaky)
        other.register(adder())
        registry.expose(jobs.add)
        registry.tick()
        down = MemoryBackend()
        down.open = _fail  # type: ignore[method-assign]
        with pytest.raises(BackendUnavailableError):
            registry.configure(backend=down)
        assert (list(registry.store), registry.backend) == (["a"], flaky)
        other.shutdown()

    def test_a_failure_of_another_kind_at_the_end_is_logged(
        self, flaky: Flaky, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register(adder())
        registry.tick()
        with monkeypatch.context() as patch:
            patch.setattr(flaky, "leave", lambda _: 1 / 0)
            registry.shutdown()
        assert caplog.messages == ["What is left could not be written to the store."]

    def test_a_claim_whose_answer_is_lost_holds_no_task_that_is_paused_meanwhile(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        task = registry.register(adder(last_run_at=at(clock) - timedelta(seconds=61)))
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        registry.pause("a")
        _end_pause(registry)
        registry.tick()
        assert flaky.look(["a"], 0).states["a"].status is TaskStatus.PENDING
        registry.run_now("a")
        registry.tick()
        assert (task.result, task.paused) == (3, True)

    def test_a_forked_child_does_not_claim_what_its_parent_may_have(self, flaky: Flaky, registry: TaskRegistry) -> None:
        registry.register(adder())
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        registry._management.catch_up("a")
        registry._start_over_after_fork()
        flaky.fails_before = {"claim"}
        for _ in range(3):
            registry.tick()
        assert registry.why_not("a").startswith("running")

    def test_the_grid_begins_with_the_first_start_also_after_a_claim_whose_answer_was_lost(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        task = registry.register(adder())
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        _end_pause(registry)
        clock.advance(1)
        for _ in range(2):
            registry.tick()
        given_back, run = registry.history("a")
        assert (given_back["late"], run["status"], run["slot"]) == (True, "success", at(clock))
        assert (flaky.look(["a"], 0).states["a"].first_run_at, task.first_run_at) == (clock.now, at(clock))

    def test_a_slot_takes_over_from_a_retry_whose_claim_was_not_answered(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        seen = []

        def fail_once() -> None:
            run = current_run()
            assert run is not None
            seen.append(((run.slot - start).seconds, run.attempt))
            if len(seen) == 1:
                raise ValueError

        start = at(clock)
        registry.expose(fail_once, "fail_once")
        registry.register(adder(func=fail_once, args=(), retry=Retry(max_retries=1, delay=1, jitter=0)))
        registry.tick()
        clock.advance(1)
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after.clear()
        _end_pause(registry)
        clock.advance(59)
        for _ in range(3):
            registry.tick()
        assert seen == [(0, 1), (60, 1)]
        assert [(run["status"], run["attempt"]) for run in registry.history("a")] == [
            ("failed", 1),
            ("failed", 2),
            ("success", 1),
        ]

    def test_subscribers_are_told_in_order_when_it_is_back(self, flaky: Flaky, registry: TaskRegistry) -> None:
        heard: list[str | None] = []
        registry.on("succeeded", lambda event: heard.append(event.task_id))
        registry._ledger._claims._size = 10  # type: ignore[union-attr]  # all in one batch
        for name in ("a", "b", "c"):
            registry.register(adder(name))
        flaky.fails_before = {"finish"}
        registry.tick()
        assert (heard, registry.store["c"].result) == ([], 3)
        flaky.fails_before = set()
        _end_pause(registry)
        registry.tick()
        assert heard == ["a", "b", "c"]

    def test_subscribers_are_told_at_the_end_if_it_does_not_come_back(
        self, flaky: Flaky, registry: TaskRegistry
    ) -> None:
        heard: list[str | None] = []
        registry.on("succeeded", lambda event: heard.append(event.task_id))
        registry.register(adder())
        flaky.fails_before = {"finish"}
        registry.tick()
        registry.shutdown(0)
        assert heard == ["a"]

    @pytest.mark.parametrize("when", ["fails_before", "fails_after"])
    def test_what_was_not_started_is_given_back_when_it_is_back(
        self, flaky: Flaky, registry: TaskRegistry, when: str
    ) -> None:
        def stop() -> None:
            registry.pause_all()
            setattr(flaky, when, {"assign"})

        registry.expose(stop, "stop")
        registry._ledger._claims._size = 10  # type: ignore[union-attr]  # both in one batch
        registry.register(adder("a", func=stop, args=()))
        task = registry.register(adder("b"))
        registry.tick()
        setattr(flaky, when, set())
        registry.resume_all()
        for _ in range(2):
            _end_pause(registry)
            registry.tick()
        assert ([run["status"] for run in registry.history("b")], task.result) == (["failed", "success"], 3)

    def test_a_start_that_stands_for_a_slot_is_the_one_in_the_store(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        slots = []

        def note() -> None:
            this = current_run()
            slots.append(this and this.slot)

        registry.expose(note, "note")
        registry.register(adder(func=note, args=()))
        flaky.fails_after = {"claim"}
        registry.tick()
        flaky.fails_after = set()
        clock.advance(5)
        _end_pause(registry)
        for _ in range(2):
            registry.tick()
        assert slots == [run["slot"] for run in registry.history(status="success")] == [at(clock)]

    def test_management_fails_and_changes_nothing(self, flaky: Flaky, registry: TaskRegistry) -> None:
        task = registry.register(adder())
        flaky.fails_before = set(_OPERATIONS)
        edits: list[Callable[[], object]] = [
            lambda: registry.update("a", every={"seconds": 5}),
            lambda: registry.pause("a"),
            lambda: registry.remove("a"),
            lambda: registry.register(adder("b")),
            lambda: registry.pause_all(),
        ]
        for manage in edits:
            with pytest.raises(BackendUnavailableError):
                manage()
        assert (task.every, task.paused, registry.is_paused, list(registry.store)) == (MINUTE, False, False, ["a"])

    def test_an_outcome_whose_write_was_not_answered_is_told_though_the_history_has_dropped_it(
        self, flaky: Flaky, registry: TaskRegistry, clock: Clock
    ) -> None:
        other, heard = TaskRegistry(backend=flaky, lease=600), heard_by(registry)
        for each in (registry, other):
            each.register(adder(history_limit=1))
        flaky.fails_after = {"finish"}
        registry.tick()
        flaky.fails_after = set()
        for _ in range(2):
            clock.advance(60)
            other.tick()
        _end_pause(registry)
        registry.tick()
        assert ([event.name for event in heard], registry.statistics().runs) == (["succeeded"], 1)
        other.shutdown()

    def test_an_update_that_fails_skips_no_slot(self, flaky: Flaky, registry: TaskRegistry, clock: Clock) -> None:
        due = at(clock) + timedelta(hours=1)
        registry.register(adder(every={"hours": 2}, start_at=due))
        clock.advance(3600 + 30)
        flaky.fails_before = {"change"}
        with pytest.raises(BackendUnavailableError):
            registry.update("a", every={"hours": 3})
        flaky.fails_before = set()
        _end_pause(registry)
        registry.tick()
        assert [run["slot"] for run in registry.history("a")] == [due]


def _fail() -> None:
    raise BackendUnavailableError("memory: out of reach")


def _end_pause(registry: TaskRegistry) -> None:
    ledger = registry._ledger
    assert ledger is not None
    ledger.outage._until = 0.0


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"func": lambda: None}, "task 'a': func <function"),
            ({"func": _LAMBDA}, "has no name by which other processes could find it"),
            ({"args": ({1},)}, "args[0] of task 'a' is {1}, which JSON cannot hold: with a backend, pass texts, "),
            ({"args": (), "kwargs": {"x": object}}, "kwargs['x'] of task 'a' is <class 'object'>, which JSON cannot"),
        ],
    )
    def test_the_error_says_what_to_do(self, alone: TaskRegistry, fields: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match="task 'a'") as raised:
            alone.register(adder(**fields))
        assert message in str(raised.value)
        assert (list(alone.store), alone.unresolved()) == ([], {})

    def test_an_id_has_to_be_given(self, alone: TaskRegistry) -> None:
        with pytest.raises(ValueError, match=r"^a backend needs a stable id, the same after a restart: Task\(id='…', "):
            alone.register(Task(every=MINUTE, func=jobs.add, args=(1, 2)))

    def test_a_function_of_the_program_needs_a_name(self, alone: TaskRegistry) -> None:
        def work() -> None: ...

        work.__module__, work.__qualname__ = "__main__", "work"
        with pytest.raises(ValueError, match=r"func 'work' is defined in the program itself \(__main__\)"):
            alone.register(adder(func=work, args=()))
        alone.expose(work, "work")
        alone.register(adder(func=work, args=()))
        with pytest.raises(ValueError, match=r"^only a function can be exposed, got 1$"):
            alone.expose(1)  # type: ignore[type-var]  # that is what is refused
        with pytest.raises(ValueError, match=r"^the name of a function must be a non-empty text, got ''$"):
            alone.expose(work, "")

    @pytest.mark.parametrize("dependency", _NO_IDS)
    def test_a_dependency_has_to_be_what_an_id_can_be(self, alone: TaskRegistry, dependency: str) -> None:
        task = adder(depends_on=["b", dependency])
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
            alone.register(task)
        assert str(caught.value) == (
            f"depends_on of task 'a' has {dependency!r}, which no task of a backend can have for an id: {_NOT_HELD}"
        )
        assert (list(alone.store), alone.unresolved()) == ([], {})
        registry = TaskRegistry()
        registry.register(task)
        with pytest.raises(ValueError, match="which no task of a backend can have for an id"):
            registry.configure(backend=alone.backend)
        assert registry.backend is None

    def test_what_is_no_backend(self) -> None:
        with pytest.raises(TypeError, match=r"^backend must be a URL, a Backend or None, got 1$"):
            TaskRegistry(backend=1)  # type: ignore[arg-type]  # that is what is refused
        with pytest.raises(ValueError, match=r"^lease must be a number of seconds from 0.1 to 86400, got 0$"):
            TaskRegistry(lease=0)

    def test_a_registry_that_cannot_move_stays(self, clock: Clock) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", every=MINUTE, func=lambda: 1))
        with pytest.raises(ValueError, match=r"^task 'a': func"):
            registry.configure(backend=MemoryBackend(clock))
        registry.tick()
        assert (registry.backend, registry.store["a"].result) == (None, 1)


def test_backends_are_imported_when_one_is_asked_for() -> None:
    code = (
        "import sys; from est_alan_scheduler import Task, TaskRegistry; r = TaskRegistry();"
        " r.register(Task(run_at='2020-01-01', func=print)); r.tick(); r.history(); r.expose(print);"
        " print([name for name in sys.modules if 'backends' in name or name in ('sqlalchemy', 'redis', 'psycopg')])"
    )
    worker = _spawn(code)
    assert worker.communicate(timeout=60) == ("\n[]\n", "")


@pytest.mark.slow
def test_an_event_loop_runs_what_is_claimed() -> None:
    import asyncio

    async def fetch() -> str:
        await asyncio.sleep(0)
        return "fetched"

    async def main() -> None:
        loop = asyncio.create_task(run_scheduler(0.02, registry))
        while task.result is None:
            await asyncio.sleep(0.01)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    registry = TaskRegistry(backend=MemoryBackend())
    registry.expose(fetch, "fetch")
    task = registry.register(adder(func=fetch, args=()))
    asyncio.run(main())
    assert ([run["status"] for run in registry.history()], registry.instances()) == (["success"], [])


@pytest.mark.slow
def test_an_event_loop_does_not_wait_for_the_store_to_look_to_claim_or_to_write() -> None:
    import asyncio

    class Noting(MemoryBackend):
        asked: set[tuple[str, bool]] = set()  # noqa: RUF012  # there is one of it

        def __getattribute__(self, name: str) -> Any:
            if name in _OPERATIONS:
                self.asked.add((name, threading.current_thread() is threading.main_thread()))
            return super().__getattribute__(name)

    async def fetch() -> int:
        return len(fetched)

    async def main() -> None:
        loop = asyncio.create_task(run_scheduler(0.005, registry))
        while len(registry.store["a"].history) < 3:
            await asyncio.sleep(0.01)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    fetched: list[int] = []
    backend = Noting()
    registry = TaskRegistry(backend=backend)
    registry.expose(fetch, "fetch")
    registry.register(adder(every={"milliseconds": 100}, func=fetch, args=()))
    backend.asked.clear()
    asyncio.run(main())
    here = {name for name, is_here in backend.asked if is_here}
    there = {name for name, is_here in backend.asked if not is_here}
    assert (here - {"leave", "finish"}, {"look", "renew", "claim", "finish"} - there) == (set(), set())


def test_what_is_due_is_not_read_again_unless_it_has_changed(alone: TaskRegistry, clock: Clock) -> None:
    backend = alone._ledger.backend  # type: ignore[union-attr]  # it has one
    read: list[list[str]] = []

    def look(*arguments: Any) -> View:
        view = MemoryBackend.look(backend, *arguments)  # type: ignore[arg-type]  # that is what it is
        read.append(sorted(view.states))
        return view

    alone.register(adder())
    alone.register(adder("b"))
    alone.tick()
    clock.advance(60)
    backend.look = look  # type: ignore[method-assign]
    alone.tick()
    clock.advance(60)
    backend.assign([Assignment("b", backend.look(["b"], 0).states["b"].version, {"misfires": 7})])
    alone.tick()
    assert (read[0], read[-1], alone.store["b"].misfires, runs(alone, "b")) == ([], ["b"], 7, 3)


def test_a_row_that_the_store_has_lost_is_missed_by_its_claim_and_put_back(alone: TaskRegistry, clock: Clock) -> None:
    backend: Any = alone._ledger.backend  # type: ignore[union-attr]  # it has one
    alone.register(adder())
    alone.tick()
    clock.advance(60)
    del backend._rows["a"]
    for _ in range(3):  # refused, found to be gone, written anew
        alone.tick()
    assert (backend.look(["a"], 0).states["a"].epoch, len(alone.store["a"].history)) == (1, 2)


@pytest.mark.parametrize(
    ("runs_of_batch", "seconds", "size"),
    [(64, 0.001, 256), (3, 0.001, 64), (64, 0.2, 32), (2, 1.0, 1), (64, 0.0, 256)],
)
def test_an_inline_batch_grows_and_shrinks_to_what_is_short(
    alone: TaskRegistry, runs_of_batch: int, seconds: float, size: int
) -> None:
    claims = alone._ledger._claims  # type: ignore[union-attr]  # it has one
    claims._size = 64
    claims.learn(runs_of_batch, seconds)
    assert claims.size(is_inline=True) == size


def test_a_slow_store_makes_no_batch_smaller(alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, seconds = alone._ledger, [0.0]
    assert ledger is not None
    claim = ledger.backend.claim

    def dawdle(*arguments: Any) -> dict[str, int]:
        seconds[0] += 1
        return claim(*arguments)

    monkeypatch.setattr(ledger.backend, "claim", dawdle)
    alone.register(adder())
    monkeypatch.setattr("est_alan_scheduler.cluster.session.monotonic", lambda: seconds[0])
    alone.tick()
    assert (seconds, ledger._claims.size(is_inline=True)) == ([1.0], 4)


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
        ledger: Any = registry._ledger
        ledger._claims._size = 8
        return [registry.register(Task(id=str(name), every=MINUTE, func=func)) for name in range(number)]

    def test_the_next_batch_is_claimed_while_one_runs(
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

    def test_a_store_in_this_process_is_asked_for_all_at_once(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(served, "is_in_process", True)
        self.due(registry, noop)
        served.asked.clear()
        registry.tick()
        assert served.asked.count("claim") == 1

    def test_batches_grow_also_when_they_are_claimed_ahead(self, registry: TaskRegistry) -> None:
        self.due(registry, noop, 100)
        ledger: Any = registry._ledger
        ledger._claims._size = 16
        registry.tick()
        assert ledger._claims._size > 50

    def test_what_is_claimed_ahead_is_given_back_when_the_tick_is_interrupted(
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
        ledger: Any = registry._ledger
        assert (ledger.tasks.held, ledger.tasks.released, ledger.tasks.mine) == ({}, {}, {})
        states = ledger.backend.look(None, 0).states
        assert [states[task.id].status for task in tasks] == [TaskStatus.FAILED, *[TaskStatus.PENDING] * 7]

    def test_also_what_is_won_only_after_that(
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

    def test_it_is_given_back_when_a_run_takes_long(self, registry: TaskRegistry) -> None:
        ledger: Any = registry._ledger
        held: list[set[str]] = []

        def stall() -> None:
            if held:
                return
            wait_until(lambda: "2" in ledger.tasks.held)
            ledger._claims._hold_until = 0.0  # it took as long as that
            ledger.beat()
            held.append(set(ledger.tasks.held))

        tasks = self.due(registry, stall)
        registry.tick()
        assert held == [set()]
        assert [(task.status, len(registry.history(task.id))) for task in tasks] == [
            (TaskStatus.SUCCESS, 2 if task.id in "123" else 1) for task in tasks
        ]

    @pytest.mark.slow
    def test_so_it_is_if_it_is_won_while_nothing_was_held(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "_LONGEST", 0.1)
        ledger: Any = registry._ledger
        claim, this = served.claim, threading.current_thread()
        stalled: list[bool] = []

        def late(*arguments: Any) -> Any:
            if threading.current_thread() is not this:
                time.sleep(0.3)
            return claim(*arguments)

        def stall() -> None:
            if not stalled:
                stalled.append(False)
                wait_until(lambda: "2" in ledger.tasks.mine)
                wait_until(lambda: "2" not in ledger.tasks.held)
                stalled[0] = True

        monkeypatch.setattr(served, "claim", late)
        self.due(registry, stall)
        registry.tick()
        assert stalled == [True]

    def test_what_has_run_is_written_while_the_next_batch_runs(
        self, registry: TaskRegistry, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Beat.hurry, "__defaults__", (3_600.0,))
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

    def test_nothing_of_it_starts_once_all_is_paused(self, registry: TaskRegistry) -> None:
        tasks = self.due(registry, registry.pause_all)
        registry.tick()
        assert [task.id for task in tasks if task.status is TaskStatus.SUCCESS] == ["0"]
        assert registry._ledger is not None
        assert registry._ledger.tasks.held == {}

    def test_an_outage_ends_the_tick_and_loses_nothing(
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
        _end_pause(registry)
        registry.tick()
        assert {task.status for task in tasks} == {TaskStatus.SUCCESS}

    def test_at_the_end_of_the_interpreter_there_is_no_thread_for_it(
        self, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise RuntimeError("can't start new thread at interpreter shutdown")

        monkeypatch.setattr(ledger_module, "Errand", refuse)
        tasks = self.due(registry, noop)
        registry.tick()
        assert {task.status for task in tasks} == {TaskStatus.SUCCESS}


class TestRoundTrips:
    def test_what_is_large_is_written_in_several(self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outcomes, "_LARGEST_WRITE", 10)
        ledger, backend, sizes = alone._ledger, alone.backend, []
        assert ledger is not None
        assert isinstance(backend, MemoryBackend)
        finish = backend.finish

        def note(owner: str, batch: Any) -> Any:
            sizes.append(len(batch))
            return finish(owner, batch)

        monkeypatch.setattr(backend, "finish", note)
        monkeypatch.setattr(Beat, "hurry", lambda *_: None)
        ledger._claims._size = 10
        for number, length in enumerate((2, 4, 20, 2)):
            alone.register(adder(str(number), func=operator.mul, args=("x", length)))
        alone.tick()
        assert sizes == [2, 1, 1]

    def test_outcomes_that_come_while_it_is_filled_do_not_disturb_it(self, alone: TaskRegistry) -> None:
        ledger = alone._ledger
        assert ledger is not None
        queue = ledger._outcomes._queue

        class Growing(str):
            def __len__(self) -> int:
                queue.append((outcome, None))
                return 1

        outcome = RunOutcome("a", 1, 0, TaskStatus.SUCCESS, result=Growing("x"))
        queue.append((outcome, None))
        queue.append((outcome, None))
        assert len(ledger._outcomes._batch()) == 2
        queue.clear()

    def test_a_result_that_no_store_takes_becomes_its_repr(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(serialization, "_LARGEST", 2_000)
        short, long = (
            alone.register(adder(str(length), func=operator.mul, args=("x", length))) for length in (1_990, 2_000)
        )
        alone.tick()
        alone.tick()
        assert (short.result, long.result) == ("x" * 1_990, short_repr("x" * 2_000))

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_an_idle_tick_is_one_and_a_thousand_due_tasks_are_a_handful(
        self, join: Join, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = TaskRegistry()
        for number in range(1_000):
            registry.register(adder(str(number)))
        registry.configure(backend=store.open(), lease=600)
        backend: Any = registry.backend
        asked: list[str] = []
        for name in _OPERATIONS:
            original = getattr(backend, name)

            def ask(*arguments: Any, _name: str = name, _original: Any = original, **named: Any) -> Any:
                asked.append(_name)
                return _original(*arguments, **named)

            monkeypatch.setattr(backend, name, ask)
        # However slow the machine is: batches grow, none is given back, and outcomes are written at the end.
        monkeypatch.setattr(claims, "_SHORT", 1_000.0)
        monkeypatch.setattr(claims, "_LONGEST", 1_000.0)
        monkeypatch.setattr(Beat, "hurry", lambda *_: None)
        registry.tick()
        assert {run["status"] for run in registry.history(limit=2_000)} == {"success"}
        assert len(asked) <= 12, asked
        registry.tick()
        asked.clear()
        with store.round_trips(monkeypatch) as trips:
            registry.tick()
        assert (asked, len([trip for trip in trips if trip != "COMMIT"])) == (["look"], len(asked))
        registry.shutdown()


_WORKER = """
import sys, time
from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import open_backend
from tests import jobs
url, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
backend = open_backend(url, name)
registry = TaskRegistry(backend=backend, lease=30)
for number in range(10):
    registry.register(Task(id=str(number), every={"milliseconds": 200}, func=jobs.add, args=(1, 2)))
print("ready", flush=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    registry.tick()
    time.sleep(0.01)
registry.shutdown()
backend.close()
"""

_VICTIM = """
import sys, time
from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import open_backend
from tests import jobs
registry = TaskRegistry(backend=open_backend(sys.argv[1], sys.argv[2]), lease=0.5)
registry.register(Task(id="a", every={"hours": 1}, func=jobs.hold, args=(sys.argv[3],), retry=1))
registry.tick()
"""


def _spawn(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )


def _await(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("store", SHARED, indirect=True)
class TestProcesses:
    def test_two_share_the_slots(self, store: Store) -> None:
        workers = [_spawn(_WORKER, store.url, store.name, 2) for _ in range(2)]
        answers = [worker.communicate(timeout=60) for worker in workers]
        assert answers == [("ready\n", "")] * 2
        slots: dict[tuple[str, int], int] = {}
        owners = set()
        for run in store.open().history(limit=10_000):
            assert (run.status, run.late) == (TaskStatus.SUCCESS, False)
            slot = (run.task_id, run.slot or 0)
            slots[slot] = slots.get(slot, 0) + 1
            owners.add(run.owner)
        assert (set(slots.values()), len(owners)) == ({1}, 2)

    def test_a_run_is_taken_over_after_kill_9(self, store: Store, tmp_path: Path) -> None:
        victim = _spawn(_VICTIM, store.url, store.name, tmp_path)
        _await(lambda: jobs.count(str(tmp_path), "started") == 1)
        registry = TaskRegistry(backend=store.open(), lease=0.5)
        task = registry.register(
            Task(id="a", every={"hours": 1}, func=jobs.hold, args=(str(tmp_path),), retry=Retry(max_retries=1, delay=0))
        )
        registry.tick()
        assert task.status is TaskStatus.RUNNING
        victim.kill()
        victim.communicate(timeout=60)
        jobs.let_go(str(tmp_path))

        def is_done() -> bool:
            registry.tick()
            return task.status is TaskStatus.SUCCESS

        _await(is_done)
        first, second = registry.history("a")
        assert (first["status"], first["error"].partition(":")[0], second["attempt"]) == ("failed", "lease expired", 2)
        registry.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_server_that_restarts_is_survived(kind: str, servers: Servers, tmp_path: Path) -> None:
    store = servers.store(kind, tmp_path)
    registry = TaskRegistry(backend=store.open(), lease=5)
    task = registry.register(adder(every={"milliseconds": 50}))

    def runs_on() -> bool:
        registry.tick()
        return len(task.history) > before

    before = 0
    _await(runs_on)

    def meanwhile() -> None:
        registry.tick()
        registry.tick()

    servers.get(kind).restart(meanwhile)
    before = len(task.history)
    _await(runs_on)
    registry.shutdown()
    assert {run.status for run in store.open().history("a")} == {TaskStatus.SUCCESS}
    store.close()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking with threads: that is the point
def test_a_forked_child_is_an_instance_of_its_own(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("sqlite", tmp_path)
    registry = TaskRegistry(backend=store.open(), lease=60)
    registry.register(adder(every={"milliseconds": 1}))
    registry.tick()
    child = os.fork()
    if not child:
        code = 1
        try:
            before = registry.history("a")[-1]
            registry.tick()
            after = registry.history("a")[-1]
            code = 0 if after["owner"] != before["owner"] and registry.shutdown() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    registry.tick()
    registry.shutdown()
    store.close()
