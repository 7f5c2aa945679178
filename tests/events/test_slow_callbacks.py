"""The watch over slow callbacks, which logs hanging ones while they hang."""

import logging
import os
import re
import threading

import pytest

from est_alan_scheduler import Event, Task, TaskRegistry
from est_alan_scheduler.events import slow_callbacks, subscribers
from est_alan_scheduler.events.slow_callbacks import CallbackWatch, watch
from tests.test_task_registry import Frozen, work
from tests.ways import wait_until


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_callbacks, "PATIENCE", 0.01)
    monkeypatch.setattr(subscribers, "watch", CallbackWatch())  # the old thread may wait for longer


def test_a_hanging_callback_is_logged_once_while_it_hangs(impatience: None, caplog: pytest.LogCaptureFixture) -> None:
    registry, release = TaskRegistry(), threading.Event()

    def hang(event: Event) -> None:
        wait_until(lambda: bool(caplog.messages))
        assert not release.wait(0.03)  # long enough to be logged again

    caplog.set_level(logging.ERROR)
    registry.on("registered", hang)
    registry.register(Task(id="a", at="23:00", func=work))
    (message,) = caplog.messages
    assert message.startswith("The callback <function test_a_hanging_callback_is_logged_once_while_it_hangs.<locals>")
    assert re.search(
        r"of the event 'registered' \(task 'a'\) has not returned for \d[\d.e-]* s; its thread waits\.$", message
    )


def test_a_hanging_callback_is_logged_even_if_its_repr_exits(
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
    logged = [message.partition(" has not returned")[0] for message in caplog.messages]
    assert logged == ["A callback whose repr failed", "It"]


def test_the_thread_ends_when_no_callback_is_being_called(impatience: None) -> None:
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


def test_without_subscribers_no_callback_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribers, "watch", None)
    registry = Frozen()
    task = registry.register(Task(id="a", every={"hours": 1}, func=work))
    registry.tick()
    assert len(task.history) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the test is about forks with threads
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
