"""Subscribers: what subscribers are told, and that they hurt nobody."""

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus, simulate, start_scheduler
from est_alan_scheduler.events.event import EVENTS
from est_alan_scheduler.events.subscribers import log_outcome
from tests import jobs
from tests.test_task_registry import SECOND, START, Frozen, boom, work
from tests.ways import wait_until, without_seconds


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def heard(registry: TaskRegistry) -> list[str]:
    """Return a list that fills with the names of all events and the ids of their tasks."""
    names: list[str] = []
    for name in EVENTS:
        registry.on(name, lambda event: names.append(f"{event.name} {event.task_id}"))
    return names


class TestWhatIsTold:
    def test_a_run_from_its_start_to_its_end(self) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            events: list[Event] = []
            for name in ("started", "succeeded"):
                registry.on(name, events.append)

            def take_long() -> str:
                frozen.tick(2.5)
                return "done"

            registry.register(Task(id="a", run_at=START - SECOND, func=take_long))
            registry.tick()
        assert events == [
            Event("started", "a", slot=START - SECOND, attempt=1, started_at=START),
            Event(
                "succeeded",
                "a",
                slot=START - SECOND,
                attempt=1,
                started_at=START,
                finished_at=START + 2.5 * SECOND,
                duration=2.5,
                result="done",
            ),
        ]

    def test_each_attempt_that_fails_and_whether_it_is_tried_again(self) -> None:
        error = ValueError("boom")

        def fail() -> None:
            raise error

        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            events: list[Event] = []
            for name in ("failed", "retrying"):
                registry.on(name, events.append)
            registry.register(Task(id="a", run_at=START, func=fail, retry=Retry(max_retries=1, jitter=0)))
            registry.tick()
            frozen.tick(1)
            registry.tick()
        later = START + SECOND
        first = Event("failed", "a", START, 1, START, START, 0.0, None, error, "ValueError: boom", later)
        last = Event("failed", "a", START, 2, later, later, 0.0, None, error, "ValueError: boom", None)
        assert events == [first, first._replace(name="retrying"), last]

    @pytest.mark.parametrize(
        ("react", "is_told"),
        [
            (lambda registry: registry.update("a", args=()), True),
            (lambda registry: registry.pause("a"), True),  # it comes when the task is resumed
            (lambda registry: registry.update("a", timezone="Asia/Seoul"), True),
            (lambda registry: registry.update("a", retry=None), False),
            (lambda registry: registry.update("a", retry=0), False),
            (lambda registry: registry.update("a", retry_at=None), False),
            (lambda registry: registry.run_now("a"), False),
            (lambda registry: registry.update("a", retry_at=START + 60 * SECOND), False),
            (lambda registry: registry.remove("a"), False),
        ],
    )
    def test_a_retry_that_a_callback_has_called_off_is_not_told_of(
        self, registry: Frozen, react: Callable[[TaskRegistry], Any], is_told: bool
    ) -> None:
        registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1)))
        registry.on("failed", lambda event: react(registry))
        events: list[Event] = []
        registry.on("retrying", events.append)
        registry.tick()
        assert len(events) == is_told

    def test_a_retry_that_begins_while_a_callback_hears_of_the_failure_is_told_of(self) -> None:
        go, names = threading.Event(), []
        with ThreadPoolExecutor(2) as pool:
            registry = TaskRegistry(executor=pool)
            registry.on("failed", lambda event: event.attempt == 1 and go.wait(60))
            registry.on("retrying", lambda event: names.append(f"retrying after attempt {event.attempt}"))
            task = registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1, delay=0)))
            registry.tick()
            wait_until(lambda: task.retry_at is not None)
            registry.tick()
            wait_until(lambda: len(task.history) == 2)
            go.set()
        assert names == ["retrying after attempt 1"]

    def test_a_retry_that_is_over_when_all_have_heard_of_the_failure_is_told_of(self, registry: Frozen) -> None:
        def go_on(event: Event) -> None:
            if event.started_at == START:
                registry.tick_at(START + SECOND)  # the retry
                registry.tick_at(START + 60 * SECOND)  # the next slot

        told: list[Any] = []
        registry.on("failed", go_on)
        registry.on("retrying", lambda event: told.append(event.started_at))
        registry.register(Task(id="a", every={"seconds": 60}, func=boom, retry=Retry(max_retries=1, delay=1, jitter=0)))
        registry.tick()
        assert told == [START + 60 * SECOND, START]

    def test_a_retry_of_a_later_slot_is_not_that_of_an_earlier_one(self, registry: Frozen) -> None:
        def call_off(event: Event) -> None:
            if event.started_at == START:
                registry.store["a"].retry_at = None
                registry.tick_at(START + 60 * SECOND)
                registry.tick_at(START + 61 * SECOND)

        told: list[Any] = []
        registry.on("failed", call_off)
        registry.on("retrying", lambda event: told.append(event.started_at))
        registry.register(Task(id="a", every={"seconds": 60}, func=boom, retry=Retry(max_retries=1, delay=1, jitter=0)))
        registry.tick()
        assert told == [START + 60 * SECOND]

    @pytest.mark.parametrize("change", [lambda registry: registry.remove("a"), lambda registry: registry.run_now("a")])
    def test_a_retry_that_was_called_off_during_the_run_is_not_announced(
        self, registry: Frozen, change: Callable[[TaskRegistry], object], caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail() -> None:
            change(registry)
            raise ValueError("boom")

        moments = []
        registry.on("failed", lambda event: moments.append(event.retry_at))
        registry.register(Task(id="a", run_at=START, func=fail, retry=Retry()))
        registry.tick()
        assert (moments, "next attempt" in caplog.text) == ([None], False)

    def test_what_is_done_to_tasks(self, registry: Frozen) -> None:
        names = heard(registry)
        registry.register(Task(id="a", at="23:00", func=work))
        registry.update("a", at="22:00")
        registry.pause("a")
        registry.pause("a")
        registry.resume("a")
        registry.resume("a")
        registry.pause_all()
        registry.pause_all()
        registry.resume_all()
        registry.remove("a")
        assert names == [
            "registered a",
            "updated a",
            "paused a",
            "resumed a",
            "paused None",
            "resumed None",
            "removed a",
        ]

    def test_before_the_loop_starts_what_comes_of_it(self, registry: Frozen) -> None:
        names = heard(registry)
        registry._loop_side.add_waker(lambda: names.append("woken"))
        registry.register(Task(id="a", at="23:00", func=work))
        registry.update("a", at="22:00")
        registry.pause("a")
        registry.resume("a")
        registry.pause_all()
        registry.resume_all()
        assert names[::2] == [
            "registered a",
            "updated a",
            "paused a",
            "resumed a",
            "paused None",
            "resumed None",
        ]
        assert set(names[1::2]) == {"woken"}

    def test_the_loop_is_woken_though_a_callback_interrupts(self, registry: Frozen) -> None:
        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        woken: list[bool] = []
        registry._loop_side.add_waker(lambda: woken.append(True))
        registry.on("registered", interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.register(Task(id="a", at="23:00", func=work))
        assert (woken, "a" in registry) == ([True], True)

    def test_nothing_that_was_refused(self, registry: Frozen) -> None:
        registry.register(Task(id="a", at="23:00", func=work))
        names = heard(registry)
        for method, argument in (("register", Task(id="a", at="23:00", func=work)), ("remove", "b"), ("pause", "b")):
            with pytest.raises((ValueError, KeyError)):
                getattr(registry, method)(argument)
        with pytest.raises(ValueError, match="exactly one"):
            registry.update("a", at=None)
        assert names == []

    def test_a_misfire(self, registry: Frozen) -> None:
        events: list[Event] = []
        registry.on("misfired", events.append)
        registry.register(Task(id="a", at="11:00", func=work, misfire_grace=60))
        registry.tick()
        assert events == [Event("misfired", "a", slot=START.replace(hour=11))]

    def test_a_run_in_a_pool(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            names = heard(registry)
            registry.register(Task(id="a", run_at=datetime.now(), func=work))
            registry.tick()
            wait_until(lambda: len(names) == 3)
        assert names == ["registered a", "started a", "succeeded a"]

    def test_what_took_longer_than_its_timeout_once(self, tmp_path: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            registry = TaskRegistry(executor=pool)
            names = heard(registry)
            registry.register(Task(id="a", run_at=datetime.now(), func=jobs.hold, args=(str(tmp_path),), timeout=0.02))
            registry.tick()
            wait_until(lambda: registry.pending()[1] == 0 or "failed a" in names)
            registry.tick()
            jobs.release_unstarted(str(tmp_path))
        assert names == ["registered a", "started a", "failed a"]


class TestSubscribing:
    def test_it_can_be_taken_back_in_two_ways(self, registry: Frozen) -> None:
        calls: list[Event] = []
        off = registry.on("removed", calls.append)
        registry.on("removed", print)
        off()
        off()  # once is enough
        registry.off("removed", print)
        registry.register(Task(id="a", at="23:00", func=work))
        registry.remove("a")
        assert calls == []
        with pytest.raises(ValueError, match="is not called on the event 'removed'"):
            registry.off("removed", print)

    def test_it_is_taken_back_by_identity_whatever_its_class_says_of_equality(self, registry: Frozen) -> None:
        class Agreeable:
            def __call__(self, event: Event) -> None:
                calls.append(self)

            def __eq__(self, other: object) -> bool:
                compared.append(registry._lock.locked())
                return True

            __hash__ = None  # type: ignore[assignment]  # what defines no hash beside its equality has none

        calls: list[Agreeable] = []
        compared: list[bool] = []
        first, second, third = Agreeable(), Agreeable(), Agreeable()
        registry.on("registered", first)
        off = registry.on("registered", second)
        registry.on("registered", third)
        off()
        registry.off("registered", third)
        with pytest.raises(ValueError, match="is not called on the event 'registered'"):
            registry.off("registered", Agreeable())
        registry.register(Task(id="a", at="23:00", func=work))
        assert ([call is first for call in calls], compared) == ([True], [])

    def test_what_takes_one_back_takes_back_no_other(self, registry: Frozen) -> None:
        calls: list[Event] = []
        off = registry.on("registered", calls.append)
        registry.off("registered", calls.append)
        registry.on("registered", calls.append)
        off()
        registry.register(Task(id="a", at="23:00", func=work))
        assert len(calls) == 1

    def test_a_bound_method_is_the_same_whenever_it_is_looked_up(self, registry: Frozen) -> None:
        lists: list[list[Event]] = [[], []]
        for calls in lists:
            registry.on("registered", calls.append)
        registry.off("registered", lists[0].append)
        registry.register(Task(id="a", at="23:00", func=work))
        assert [len(calls) for calls in lists] == [0, 1]

    def test_who_subscribes_twice_is_called_twice(self, registry: Frozen) -> None:
        calls: list[Event] = []
        registry.on("registered", calls.append)
        off = registry.on("registered", calls.append)
        registry.register(Task(id="a", at="23:00", func=work))
        off()
        registry.register(Task(id="b", at="23:00", func=work))
        assert [event.task_id for event in calls] == ["a", "a", "b"]

    @pytest.mark.parametrize("method", ["on", "off"])
    def test_an_unknown_event_suggests_the_near_miss(self, registry: Frozen, method: str) -> None:
        with pytest.raises(ValueError, match="there is no event") as caught:
            getattr(registry, method)("fialed", print)
        assert str(caught.value) == (
            "there is no event 'fialed' (did you mean 'failed'?); the events are: registered, updated, removed, "
            "paused, resumed, started, succeeded, failed, retrying, misfired"
        )

    @pytest.mark.parametrize(
        ("slips", "meant"),
        [
            ("sucess success SUCCESS succes successful", "succeeded"),
            ("fail failure Failed fails", "failed"),
            ("start starting starts", "started"),
            ("retry retried", "retrying"),
            ("misfire missed", "misfired"),
            ("pause", "paused"),
            ("resume", "resumed"),
            ("register registred", "registered"),
            ("update", "updated"),
            ("remove", "removed"),
            ("error done banana tick x re", None),
        ],
    )
    def test_what_an_event_is_often_taken_for_suggests_it_and_nonsense_nothing(
        self, registry: Frozen, slips: str, meant: str | None
    ) -> None:
        hint = "" if meant is None else f" (did you mean {meant!r}?)"
        for slip in slips.split():
            with pytest.raises(ValueError, match="there is no event") as caught:
                registry.on(slip, print)
            assert str(caught.value).partition(";")[0] == f"there is no event {slip!r}{hint}"

    @pytest.mark.parametrize("callback", [None, "print", jobs.current_run_async])
    def test_only_plain_functions_are_taken(self, registry: Frozen, callback: Any) -> None:
        with pytest.raises(TypeError, match="callback must be a plain function that takes an Event, got"):
            registry.on("failed", callback)

    def test_it_needs_no_lock_to_stay_whole(self, registry: Frozen) -> None:
        def subscribe(_: int) -> None:
            for _ in range(200):
                registry.on("removed", print)()
            registry.on("updated", print)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(subscribe, range(8)))
        assert (
            registry._recorder.subscribers.callbacks["removed"],
            registry._recorder.subscribers.callbacks["updated"],
        ) == (
            (),
            (print,) * 8,
        )


class TestIsolation:
    @pytest.mark.parametrize("name", ["started", "succeeded", "misfired", "registered"])
    @pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
    def test_what_a_callback_raises_is_logged_and_hurts_nobody(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture, name: str, error: BaseException
    ) -> None:
        def fail(event: Event) -> None:
            raise error

        calls: list[Event] = []
        registry.on(name, fail)
        registry.on(name, calls.append)
        registry.register(Task(id="late", at="11:00", func=work, misfire_grace=1))
        task = registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.tick()
        assert (task.status, len(calls) > 0) == (TaskStatus.SUCCESS, True)
        (record,) = [record for record in caplog.records if "callback" in record.message][:1]
        assert f"of the event {name!r} (task " in record.message
        assert record.message.endswith(f"failed: {type(error).__name__}: {error}")
        assert record.exc_info is not None

    @pytest.mark.parametrize("name", ["failed", "succeeded", "started", "misfired"])
    def test_an_interruption_is_raised_when_all_are_told_and_the_run_is_recorded(
        self, registry: Frozen, name: str
    ) -> None:
        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        calls: list[Event] = []
        registry.on(name, interrupt)
        registry.on(name, calls.append)
        late = registry.register(Task(id="late", at="11:00", func=work, misfire_grace=1))
        tasks = [
            registry.register(Task(id=task_id, every={"hours": 1}, func=func))
            for task_id, func in (("a", boom if name == "failed" else work), ("b", work))
        ]
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        assert [event.name for event in calls] == [name]
        ran = 0 if name == "misfired" else 1
        assert ([len(task.history) for task in tasks], late.misfires) == ([ran, 0], 1)
        assert (registry._parts.in_flight.thread.context.runs, registry._agenda.batches, registry._lock.locked()) == (
            [],
            [],
            False,
        )
        registry.off(name, interrupt)
        registry.tick()
        assert [len(task.history) for task in tasks] == [1, 1]

    def test_an_interruption_by_one_misfire_keeps_no_other_from_being_told(self, registry: Frozen) -> None:
        def interrupt(event: Event) -> None:
            calls.append(event.task_id)
            raise KeyboardInterrupt

        calls: list[str | None] = []
        registry.on("misfired", interrupt)
        for task_id in "ab":
            registry.register(Task(id=task_id, at="11:00", func=work, misfire_grace=1))
        with pytest.raises(KeyboardInterrupt):
            registry.tick()
        assert (calls, registry.statistics().misfires) == (["a", "b"], 2)

    def test_an_interruption_costs_a_pool_no_worker(self, caplog: pytest.LogCaptureFixture) -> None:
        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        pool = ThreadPoolExecutor(1)
        registry = TaskRegistry(executor=pool)
        registry.on("succeeded", interrupt)
        for _ in range(3):
            ticked = threading.Event()
            task = registry.register(Task(run_at=datetime.now(), func=ticked.wait, args=(60,)))
            registry.tick()
            ticked.set()  # from now on, its end is the worker's business
            wait_until(lambda task=task: bool(task.history))  # type: ignore[misc]  # of a lambda with a default
        pool.shutdown()
        assert caplog.messages == ["A callback was interrupted."] * 3

    def test_a_slow_callback_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            registry.on("registered", lambda event: frozen.tick(1.5))
            registry.register(Task(id="a", at="23:00", func=work))
        (message,) = caplog.messages
        assert message.endswith("of the event 'registered' (task 'a') took 1.5 s, in which nobody else was told.")

    def test_a_callback_that_hangs_holds_up_its_own_thread_alone(self) -> None:
        release, entered, ticked = threading.Event(), threading.Event(), threading.Event()

        def hang(event: Event) -> None:
            entered.set()
            release.wait(60)

        with ThreadPoolExecutor(2) as pool:
            registry = TaskRegistry(executor=pool)
            hung = registry.register(Task(id="a", run_at=datetime.now(), func=ticked.wait, args=(60,)))
            off = registry.on("succeeded", hang)
            registry.tick()
            ticked.set()  # from now on, its end is the worker's business
            assert entered.wait(60)
            off()
            assert (hung.status, registry.pending()) == (TaskStatus.SUCCESS, ([], None))
            other = registry.register(Task(id="b", run_at=datetime.now(), func=work))
            registry.tick()
            wait_until(lambda: bool(other.history))
            assert registry.remove("a") is hung
            release.set()

    @pytest.mark.parametrize("name", ["started", "succeeded"])
    def test_a_loop_whose_callback_hangs_can_be_stopped(self, name: str) -> None:
        release, entered = threading.Event(), threading.Event()

        def hang(event: Event) -> None:
            entered.set()
            release.wait(60)

        registry = TaskRegistry()
        registry.on(name, hang)
        registry.register(Task(id="a", run_at=datetime.now(), func=work))
        thread = start_scheduler(registry=registry)
        assert entered.wait(60)
        assert thread.stop(0.01) is False
        release.set()
        thread.join(60)
        assert not thread.is_alive()

    @pytest.mark.parametrize("name", ["started", "succeeded"])
    def test_the_time_that_callbacks_take_is_not_that_of_the_run(self, name: str) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            registry.on(name, lambda event: frozen.tick(2))
            registry.register(Task(id="a", run_at=START, func=lambda: frozen.tick(0.5)))
            registry.tick()
            assert registry.statistics("a").last_duration == 0.5

    def test_callbacks_may_do_anything_to_the_registry(self, registry: Frozen) -> None:
        def everything(event: Event) -> None:
            registry.off("succeeded", everything)
            registry.remove("a")
            registry.register(Task(id="new", every={"hours": 1}, func=work))
            registry.update("b", args=())
            registry.pause("c")
            registry.run_now("b")
            registry.statistics()
            registry.tick()

        registry.on("succeeded", everything)
        for task_id in "abc":
            registry.register(Task(id=task_id, every={"hours": 1}, func=work))
        registry.tick()
        assert {task.id: len(task.history) for task in registry} == {"b": 1, "c": 0, "new": 1}


class TestLog:
    def test_it_gets_one_line_a_run(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "est_alan_scheduler")
        registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.register(Task(id="b", run_at=START, func=boom, retry=Retry(max_retries=1, jitter=0)))
        registry.tick()
        registry.tick_at(START + SECOND)
        assert [record.levelname for record in caplog.records] == ["INFO", "ERROR", "ERROR"]
        assert without_seconds(caplog.messages) == [
            "Task 'a' succeeded in N s",
            "Task 'b' failed after N s: ValueError: boom; next attempt at 2026-06-01 12:00:01",
            "Task 'b' failed after N s (attempt 2): ValueError: boom",
        ]

    @pytest.mark.parametrize("error", [RuntimeError(), SystemExit(3)])
    def test_a_handler_that_raises_costs_neither_the_tick_nor_the_other_subscribers(
        self, registry: Frozen, error: BaseException
    ) -> None:
        class Bad(logging.Handler):
            def handle(self, record: logging.LogRecord) -> bool:
                raise error

        names = heard(registry)
        for task_id, func in (("a", boom), ("b", work)):
            registry.register(Task(id=task_id, every={"hours": 1}, func=func))
        handler = Bad()
        logging.getLogger("est_alan_scheduler").addHandler(handler)
        try:
            registry.tick()
        finally:
            logging.getLogger("est_alan_scheduler").removeHandler(handler)
        assert names[2:] == ["started a", "failed a", "started b", "succeeded b"]

    def test_an_interrupted_handler_silences_no_subscriber(self, registry: Frozen) -> None:
        class Interrupted(logging.Handler):
            def handle(self, record: logging.LogRecord) -> bool:
                raise KeyboardInterrupt

        names = heard(registry)
        registry.register(Task(id="a", every={"hours": 1}, func=boom))
        handler = Interrupted()
        logging.getLogger("est_alan_scheduler").addHandler(handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                registry.tick()
        finally:
            logging.getLogger("est_alan_scheduler").removeHandler(handler)
        assert names[1:] == ["started a", "failed a"]

    def test_it_can_be_taken_off_like_any_other(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        registry.off("failed", log_outcome)
        registry.register(Task(id="a", every={"hours": 1}, func=boom))
        registry.tick()
        assert caplog.messages == []

    def test_where_it_stands_among_the_subscribers_silences_nobody(self, registry: Frozen) -> None:
        calls: list[Event] = []
        registry.on("succeeded", calls.append)
        registry.off("succeeded", log_outcome)
        registry.on("succeeded", log_outcome)
        registry.register(Task(id="a", run_at=START, func=work))
        registry.tick()
        assert len(calls) == 1

    def test_a_simulation_leaves_no_trace_in_it(self, registry: Frozen, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "est_alan_scheduler")
        registry.register(Task(id="a", every={"hours": 1}, func=work))
        assert len(list(simulate(registry, START, START + timedelta(days=1)))) == 25
        assert caplog.messages == []

    def test_nothing_is_made_for_a_success_that_nobody_hears_of(
        self, registry: Frozen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry._recorder.outbox, "publish_outcome", None)
        task = registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.tick()
        assert task.status is TaskStatus.SUCCESS


def test_durations_are_measured_by_a_clock_that_nobody_sets(registry: Frozen) -> None:
    events: list[Event] = []
    registry.on("succeeded", events.append)

    def step_back() -> None:
        time.sleep(0.005)
        registry.now -= timedelta(hours=1)

    registry.register(Task(id="a", run_at=START, func=step_back))
    registry.tick()
    assert 0.005 <= (events[0].duration or math.nan) < 60
