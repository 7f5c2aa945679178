"""What pages do while the store hangs: they show what is in memory, and ask it nothing more."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import BackendUnavailableError, MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.control import health
from est_alan_scheduler.web import Role, threads
from est_alan_scheduler.web.threads import Reads
from tests import jobs
from tests.backends.stores import Servers, Valkey
from tests.cluster.helpers import OPERATIONS
from tests.ways import PATIENCE, wait_until
from tests.web.page.pages import Browser, Page

PAGES = ["", "task?id=a", "timeline", "instances"]
SILENCE = ["The store does not answer."]


class Hanging(MemoryBackend):
    """A backend that hangs, from one operation on, until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.hangs_in: frozenset[str] | set[str] = OPERATIONS
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS and name in self.hangs_in and not self.goes_on.is_set():
            self.asked.append(name)
            self.goes_on.wait(PATIENCE)
        return super().__getattribute__(name)


@pytest.fixture
def backend() -> Iterator[Hanging]:
    backend = Hanging()
    yield backend
    backend.goes_on.set()


@pytest.fixture
def registry(backend: Hanging) -> Iterator[TaskRegistry]:
    registry = TaskRegistry(backend=backend, lease=600)
    registry.register(Task(id="a", func=jobs.process_id, every={"hours": 1}))
    registry.tick()
    yield registry
    backend.goes_on.set()
    registry.shutdown(0)


@pytest.fixture
def hang(backend: Hanging, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the store hang, in all operations or in some, and the pages wait for it only a short while."""

    def begin(*operations: str) -> None:
        backend.hangs_in = set(operations) or OPERATIONS
        monkeypatch.setattr(threads, "_REFRESH_SECONDS", 0.02 if not operations else PATIENCE)
        monkeypatch.setattr(threads, "_READ_SECONDS", 0.02)
        monkeypatch.setattr(health, "_STORE_PATIENCE", 0.02)
        backend.goes_on.clear()

    return begin


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_answered_from_memory_and_says_so(
    path: str, registry: TaskRegistry, backend: Hanging, hang: Callable[..., None]
) -> None:
    browser = Browser(registry)
    hang()
    page = browser.get(path)
    assert banner(page) == SILENCE
    assert path == "instances" or "process_id" in page.html
    assert banner(browser.get(path, language="ko")) == ["저장소가 응답하지 않습니다."]
    assert backend.asked.count("fetch") == 1


@pytest.mark.parametrize("path", PAGES)
def test_an_observer_waits_for_nothing_else_of_a_store_that_hangs(
    path: str, registry: TaskRegistry, backend: Hanging, hang: Callable[..., None]
) -> None:
    browser = Browser(TaskRegistry(backend=backend, observe=True))
    assert registry.is_observer is False
    hang()
    assert banner(browser.get(path)) == SILENCE
    assert backend.asked.count("fetch") == 1
    assert backend.asked.count("instances") == (path == "instances")  # by the probe of its health


def test_once_a_store_is_known_to_hang_no_page_asks_it_or_waits_for_it(
    registry: TaskRegistry, backend: Hanging, hang: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(registry)
    hang()
    assert banner(browser.get()) == SILENCE
    monkeypatch.setattr(threads, "_REFRESH_SECONDS", 2 * PATIENCE)  # longer than the store hangs
    for path in [*PAGES, *PAGES]:
        assert banner(browser.get(path)) == SILENCE
    assert backend.asked.count("fetch") == 1
    backend.goes_on.set()
    wait_until(lambda: banner(browser.get()) == [])


@pytest.mark.parametrize(("path", "operation"), [("task?id=a", "history"), ("timeline", "history")])
def test_runs_that_do_not_come_are_left_out(
    path: str, operation: str, registry: TaskRegistry, hang: Callable[..., None]
) -> None:
    browser = Browser(registry)
    hang(operation)
    page = browser.get(path)
    assert "The runs cannot be read: the store is out of reach." in page.html
    assert "process_id" in page.html


def test_instances_that_do_not_come_are_not_known(registry: TaskRegistry, hang: Callable[..., None]) -> None:
    browser = Browser(registry)
    hang("history")
    assert "the live instances are not known" in browser.get("instances").html


def test_an_action_on_a_store_that_hangs_is_refused_at_once_and_never_done(
    registry: TaskRegistry, backend: Hanging, hang: Callable[..., None]
) -> None:
    browser = Browser(registry)
    hang()
    found = browser.post("act", {"action": "pause", "tasks": [{"id": "a"}]})["results"]
    assert [(one["ok"], one["detail"]) for one in found] == [(False, "the store is out of reach")]
    backend.goes_on.set()
    wait_until(lambda: banner(browser.get()) == [])
    assert not registry["a"].paused


def test_the_editor_says_at_once_that_the_store_does_not_answer(
    registry: TaskRegistry, hang: Callable[..., None]
) -> None:
    browser = Browser(registry)
    hang()
    page = browser.get("edit?id=a", status=503)
    assert page.texts(".//p[@class='detail']") == ["the store is out of reach"]
    assert banner(page) == SILENCE


def test_who_may_not_read_learns_nothing_of_the_store(registry: TaskRegistry, hang: Callable[..., None]) -> None:
    site = Browser(registry)
    hang()
    assert banner(site.get()) == SILENCE
    assert banner(Browser(registry, None).get(status=401)) == []


class TestReads:
    def test_without_a_backend_no_thread_is_needed(self) -> None:
        found = Reads(TaskRegistry())
        found.refresh("a")
        assert found.read(threading.current_thread) is threading.current_thread()

    def test_what_a_read_raises_comes_to_the_caller(self, registry: TaskRegistry) -> None:
        found = Reads(registry)
        with pytest.raises(ZeroDivisionError):
            found.read(lambda: 1 // 0)
        with pytest.raises(TimeoutError, match=r"^mine$"):
            found.read(lambda: _raise(TimeoutError("mine")))

    def test_an_outage_that_the_store_tells_is_no_hang(
        self, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = Reads(registry)
        monkeypatch.setattr(registry, "refresh", lambda: _raise(BackendUnavailableError("db-7 is away")))
        for _ in range(2):
            with pytest.raises(BackendUnavailableError, match=r"^db-7 is away$"):
                found.refresh()
        assert not found.hangs

    def test_one_refresh_goes_on_at_a_time(
        self, registry: TaskRegistry, backend: Hanging, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(threads, "_REFRESH_SECONDS", PATIENCE)
        found, ended = Reads(registry), list[int]()
        backend.goes_on.clear()

        def refresh(number: int) -> None:
            found.refresh()
            ended.append(number)

        waiting = [threading.Thread(target=refresh, args=(number,)) for number in range(5)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: backend.asked == ["fetch"])
        assert ended == []
        assert backend.asked == ["fetch"]
        backend.goes_on.set()
        for thread in waiting:
            thread.join(PATIENCE)
        assert sorted(ended) == [*range(5)]

    def test_a_machine_without_threads_is_a_store_that_does_not_answer(
        self, registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = Reads(registry)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", lambda _: _raise(RuntimeError("can't start new thread")))
            with pytest.raises(BackendUnavailableError, match=r"^the store does not answer$"):
                found.refresh()
        found.refresh()


@pytest.mark.slow
def test_a_server_that_is_stopped_holds_up_no_page(servers: Servers, tmp_path: Path) -> None:
    store, server = servers.store("redis", tmp_path), servers.get("redis")
    assert isinstance(server, Valkey)
    registry = TaskRegistry(backend=store.open(), lease=600)
    registry.register(Task(id="a", func=jobs.process_id, every={"hours": 1}))
    registry.tick()
    browser = Browser(registry, Role.READ)
    assert [banner(browser.get(path)) for path in PAGES] == [[]] * len(PAGES)
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert [banner(browser.get(path)) for path in PAGES] == [SILENCE] * len(PAGES)
        assert time.monotonic() - began < 8  # Redis itself is given up after 30 seconds
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
    wait_until(lambda: banner(browser.get()) == [])
    registry.shutdown(0)
    store.close()


def banner(page: Page) -> list[str]:
    return page.texts(".//p[@class='banner lost']/strong")


def _raise(error: Exception) -> None:
    raise error
