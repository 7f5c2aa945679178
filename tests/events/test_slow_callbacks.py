"""Callbacks that hang are told of while they do."""

import logging
import os
import threading

import pytest

from est_alan_scheduler import Event, Task, TaskRegistry
from est_alan_scheduler.events import slow_callbacks as callback_watch
from est_alan_scheduler.events import subscribers as events
from est_alan_scheduler.events.slow_callbacks import CallbackWatch, watch
from tests.test_task_registry import Frozen, work
from tests.ways import wait_until


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_watch, "PATIENCE", 0.01)
    monkeypatch.setattr(events, "watch", CallbackWatch())  # the thread of the other may be in the middle of a wait


def test_a_callback_that_hangs_is_logged_once_while_it_does(impatience: None, caplog: pytest.LogCaptureFixture) -> None:
    registry, release = TaskRegistry(), threading.Event()

    def hang(event: Event) -> None:
        wait_until(lambda: bool(caplog.messages))
        assert not release.wait(0.03)  # long enough to be told of again

    caplog.set_level(logging.ERROR)
    registry.on("registered", hang)
    registry.register(Task(id="a", at="23:00", func=work))
    (message,) = caplog.messages
    assert message.startswith("The callback <function test_a_callback_that_hangs_is_logged_once_while_it_does.<locals>")
    assert "of the event 'registered' (task 'a') has not returned for 0.0" in message
    assert message.endswith(" s; its thread waits.")


def test_a_callback_that_hangs_is_logged_of_though_its_repr_leaves(
    impatience: None, caplog: pytest.LogCaptureFixture
) -> None:
    def leave() -> str:
        raise SystemExit

    watching = CallbackWatch()
    calls = [watching.enter(leave), watching.enter(lambda: "It")]
    wait_until(lambda: len(caplog.messages) == 2)
    for call in calls:
        watching.leave(call)
    wait_until(lambda: watching._thread is None)
    told = [message.partition(" has not returned")[0] for message in caplog.messages]
    assert told == ["A callback whose repr failed", "It"]


def test_the_thread_ends_when_nothing_is_called(impatience: None) -> None:
    watching = CallbackWatch()
    for _ in range(2):
        calls = [watching.enter(lambda: "it") for _ in range(2)]
        thread = watching._thread
        assert thread is not None
        assert thread.daemon
        for call in calls:
            watching.leave(call)
        thread.join(60)
        assert (watching._thread, thread.is_alive()) == (None, False)


def test_there_is_none_without_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "watch", None)
    registry = Frozen()
    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.tick()
    assert len(task.history) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # to fork with threads is what the test is about
def test_a_forked_child_watches_with_a_thread_and_a_lock_of_its_own(impatience: None) -> None:
    call = watch.enter(lambda: "it")
    held, proceed = threading.Event(), threading.Event()

    def hold() -> None:
        with watch._lock:
            held.set()
            assert proceed.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    child = os.fork()
    if child == 0:
        watch.leave(watch.enter(lambda: "it"))
        os._exit(0 if watch._thread is not None and watch._calls == {} else 1)
    proceed.set()
    thread.join(60)
    watch.leave(call)
    assert os.waitpid(child, 0)[1] == 0
