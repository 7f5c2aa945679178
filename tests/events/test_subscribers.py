"""Subscribers: how callbacks are subscribed, and how their errors and delays are isolated."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any
from unittest.mock import MagicMock

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, EventName, Task, TaskRegistry, TaskStatus, start_scheduler
from est_alan_scheduler.events.subscribers import Subscribers
from tests import jobs
from tests.frozen import START, Frozen, boom, work
from tests.ways import wait_until


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


@pytest.mark.parametrize(
    ("subscribed", "retry_at", "answer"),
    [
        (None, None, True),
        (None, START, True),
        ("failed", None, False),
        ("retrying", None, True),
        ("retrying", START, False),
        ("succeeded", START, True),
    ],
)
def test_an_outcome_that_only_the_log_gets_need_not_wait_for_its_batch(
    subscribed: str | None, retry_at: datetime | None, answer: bool
) -> None:
    subscribers = Subscribers()
    if subscribed:
        subscribers.subscribe(subscribed, print)
    assert subscribers.is_only_logged(Event("failed", "a", retry_at=retry_at)) is answer


class TestSubscribing:
    def test_a_subscription_can_be_ended_in_two_ways(self, registry: Frozen) -> None:
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

    def test_a_subscription_is_found_by_identity_not_by_equality(self, registry: Frozen) -> None:
        class Agreeable:
            def __call__(self, event: Event) -> None:
                calls.append(self)

            def __eq__(self, other: object) -> bool:
                compared.append(other)
                return True

            __hash__ = None  # type: ignore[assignment]  # as of any class that defines `__eq__` alone

        calls: list[Agreeable] = []
        compared: list[object] = []
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

    def test_the_function_that_ends_a_subscription_ends_no_other(self, registry: Frozen) -> None:
        calls: list[Event] = []
        off = registry.on("registered", calls.append)
        registry.off("registered", calls.append)
        registry.on("registered", calls.append)
        off()
        registry.register(Task(id="a", at="23:00", func=work))
        assert len(calls) == 1

    def test_a_bound_method_is_recognised_at_each_look_up(self, registry: Frozen) -> None:
        lists: list[list[Event]] = [[], []]
        for calls in lists:
            registry.on("registered", calls.append)
        registry.off("registered", lists[0].append)
        registry.register(Task(id="a", at="23:00", func=work))
        assert [len(calls) for calls in lists] == [0, 1]

    def test_a_callback_with_two_subscriptions_is_called_twice(self, registry: Frozen) -> None:
        calls: list[Event] = []
        registry.on("registered", calls.append)
        off = registry.on("registered", calls.append)
        registry.register(Task(id="a", at="23:00", func=work))
        off()
        registry.register(Task(id="b", at="23:00", func=work))
        assert [event.task_id for event in calls] == ["a", "a", "b"]

    @pytest.mark.parametrize("method", ["on", "off"])
    def test_the_error_for_an_unknown_event_suggests_the_nearest_name(self, registry: Frozen, method: str) -> None:
        with pytest.raises(ValueError, match="there is no event") as caught:
            getattr(registry, method)("fialed", print)
        assert str(caught.value) == (
            "there is no event 'fialed' (did you mean 'failed'?); the events are: registered, updated, removed, "
            "paused, resumed, started, succeeded, failed, retrying, misfired, gave_up, recovered, skipped"
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
            ("gaveup give_up giveup", "gave_up"),
            ("recover recovery", "recovered"),
            ("skip skips", "skipped"),
            ("remove", "removed"),
            ("error done banana tick x re", None),
        ],
    )
    def test_the_error_for_a_common_slip_suggests_the_event_that_is_meant(
        self, registry: Frozen, slips: str, meant: str | None
    ) -> None:
        hint = "" if meant is None else f" (did you mean {meant!r}?)"
        for slip in slips.split():
            with pytest.raises(ValueError, match="there is no event") as caught:
                registry.on(slip, print)  # type: ignore[call-overload]  # no event is the test
            assert str(caught.value).partition(";")[0] == f"there is no event {slip!r}{hint}"

    def test_one_subscription_may_be_to_several_events_and_ends_as_one(self, registry: Frozen) -> None:
        names = list[str]()
        end = registry.on("registered", "removed", "registered", lambda event: names.append(event.name))
        registry.register(Task(id="a", at="23:00", func=work))
        registry.remove("a")
        end()
        end()
        registry.register(Task(id="a", at="23:00", func=work))
        assert names == ["registered", "removed"]

    def test_on_is_a_decorator_that_returns_the_function(self, registry: Frozen) -> None:
        names = list[str]()

        @registry.on("registered", "removed")
        def note(event: Event) -> str:
            names.append(event.name)
            return "noted"

        registry.register(Task(id="a", at="23:00", func=work))
        registry.remove("a")
        assert (names, note(Event("paused", None))) == (["registered", "removed", "paused"], "noted")
        registry.off("registered", note)

    def test_the_callback_may_be_named(self, registry: Frozen) -> None:
        names = list[str]()
        registry.on("registered", callback=lambda event: names.append(event.name))
        registry.register(Task(id="a", at="23:00", func=work))
        assert names == ["registered"]

    def test_one_invalid_name_or_callback_subscribes_to_none(self, registry: Frozen) -> None:
        before = dict(registry._recorder.subscribers.callbacks)
        with pytest.raises(ValueError, match=r"there is no event 'faild' \(did you mean 'failed'\?\)"):
            registry.on("succeeded", "faild", print)  # type: ignore[call-overload]  # no event is the test
        with pytest.raises(ValueError, match="there is no event 'faild'"):
            registry.on("faild")  # type: ignore[call-overload]  # at once, before anything is decorated
        with pytest.raises(TypeError, match="callback must be a plain function"):
            registry.on("succeeded", "failed")(jobs.current_run_async)  # type: ignore[type-var]  # no callback is the test
        assert registry._recorder.subscribers.callbacks == before

    @pytest.mark.parametrize("arguments", [(), (print,)])
    def test_a_subscription_without_events_says_how_to_name_them(
        self, registry: Frozen, arguments: tuple[Any, ...]
    ) -> None:
        with pytest.raises(
            TypeError, match=r"name the events, as in on\('failed', callback\), or @registry.on\('failed'\)"
        ):
            registry.on(*arguments)

    @pytest.mark.parametrize("callback", [None, 5, jobs.current_run_async])
    def test_a_callback_must_be_a_plain_function(self, registry: Frozen, callback: Any) -> None:
        with pytest.raises(TypeError, match="callback must be a plain function that takes an Event, got"):
            registry.on("failed", callback)

    @pytest.mark.parametrize("callback", [lambda: print("ALERT"), lambda event, to: None, lambda *, event: None, work])
    def test_a_callback_that_cannot_take_an_event_is_refused_at_once(self, registry: Frozen, callback: Any) -> None:
        before = dict(registry._recorder.subscribers.callbacks)
        for subscribe in (lambda: registry.on("failed", callback), lambda: registry.on("failed")(callback)):
            with pytest.raises(
                TypeError, match="callback must be a plain function that takes an Event, got "
            ) as caught:
                subscribe()
            assert str(caught.value).endswith(", which cannot be called with one: write def alert(event), for example")
        assert registry._recorder.subscribers.callbacks == before

    @pytest.mark.parametrize(
        "callback",
        [[].append, print, MagicMock(), partial(print, "x"), lambda *a: a, lambda event, to=None: None, repr, list],
    )
    def test_a_callback_may_take_more_than_an_event(self, registry: Frozen, callback: Any) -> None:
        registry.on("removed", callback)
        registry.register(Task(id="a", at="23:00", func=work))
        registry.remove("a")

    def test_no_concurrent_subscription_is_lost(self, registry: Frozen) -> None:
        calls: list[str] = []

        def subscribe(_: int) -> None:
            for _ in range(200):
                registry.on("removed", lambda event: calls.append(event.name))()
            registry.on("registered", lambda event: calls.append(event.name))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(subscribe, range(8)))
        registry.register(Task(id="a", at="23:00", func=work))
        registry.remove("a")
        assert calls == ["registered"] * 8


class TestIsolation:
    @pytest.mark.parametrize("name", ["started", "succeeded", "misfired", "registered"])
    @pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
    def test_an_error_of_a_callback_is_logged_and_stops_nothing(
        self, registry: Frozen, caplog: pytest.LogCaptureFixture, name: EventName, error: BaseException
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
    def test_an_interruption_is_raised_after_the_last_callback_and_the_record_of_the_run(
        self, registry: Frozen, name: EventName
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

    def test_an_interruption_on_one_misfire_does_not_suppress_another_misfire(self, registry: Frozen) -> None:
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

    def test_an_interruption_by_a_callback_does_not_end_a_worker(self, caplog: pytest.LogCaptureFixture) -> None:
        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        pool = ThreadPoolExecutor(1)
        registry = TaskRegistry(executor=pool)
        registry.on("succeeded", interrupt)
        for _ in range(3):
            ticked = threading.Event()
            task = registry.register(Task(run_at=datetime.now(), func=ticked.wait, args=(60,)))
            registry.tick()
            ticked.set()  # from here on, the worker records the end
            wait_until(lambda task=task: bool(task.history))  # type: ignore[misc]  # of a lambda with a default
        pool.shutdown()
        assert caplog.messages == ["A callback was interrupted."] * 3

    def test_a_slow_callback_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with freeze_time(START) as frozen:
            registry = TaskRegistry()
            registry.on("registered", lambda event: frozen.tick(1.5))
            registry.register(Task(id="a", at="23:00", func=work))
        (message,) = caplog.messages
        assert "of the event 'registered' (task 'a') took 1.5 s" in message

    def test_a_hanging_callback_blocks_only_its_own_thread(self) -> None:
        release, entered, ticked = threading.Event(), threading.Event(), threading.Event()

        def hang(event: Event) -> None:
            entered.set()
            release.wait(60)

        with ThreadPoolExecutor(2) as pool:
            registry = TaskRegistry(executor=pool)
            hung = registry.register(Task(id="a", run_at=datetime.now(), func=ticked.wait, args=(60,)))
            off = registry.on("succeeded", hang)
            registry.tick()
            ticked.set()  # from here on, the worker records the end
            assert entered.wait(60)
            off()
            assert (hung.status, registry.pending()) == (TaskStatus.SUCCESS, ([], None))
            other = registry.register(Task(id="b", run_at=datetime.now(), func=work))
            registry.tick()
            wait_until(lambda: bool(other.history))
            assert registry.remove("a") is hung
            release.set()

    @pytest.mark.parametrize("name", ["started", "succeeded"])
    def test_a_loop_with_a_hanging_callback_can_be_stopped(self, name: EventName) -> None:
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
    def test_the_duration_of_a_run_excludes_its_callbacks(self, name: EventName) -> None:
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
