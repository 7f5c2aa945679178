"""In which threads a site asks the store: never in that of the event loop, which would hold up all other requests.

They are few, and its own: a store that hangs stops neither probes nor the program around.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
import httpx
import pytest

from est_alan_scheduler import MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.web import create_app, feed, site
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.api.routes import ENDPOINTS
from est_alan_scheduler.web.threads import Threads
from tests import jobs
from tests.cluster.helpers import OPERATIONS
from tests.ways import PATIENCE, wait_until
from tests.web.client import Client
from tests.web.clients import MANAGE, TOKEN, bearer

BODIES: dict[str, dict[str, Any]] = {
    "/tasks": {"id": "new", "func": "tests.jobs:add", "args": [1, 2], "manual": True},
    "/tasks/{id}": {"args": [3, 4]},
    "/tasks/{id}/run": {},
    "/preview": {"id": "a", "func": "tests.jobs:add", "args": [1, 2], "every": {"hours": 1}},
}
SILENT = {"/statistics", "/functions", "/openapi.json"}
"""The endpoints that ask nothing of the store before they answer."""


class Noting(MemoryBackend):
    """A backend that notes in which threads it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS:
            self.threads.add(threading.get_ident())
        return super().__getattribute__(name)


@pytest.mark.parametrize("is_observer", [False, True])
@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.path != "/events"], ids=lambda one: f"{one.method} {one.path}"
)
def test_an_endpoint_asks_the_store_in_another_thread(endpoint: Endpoint, is_observer: bool) -> None:
    backend = Noting()
    registry = TaskRegistry(backend=backend, lease=600)
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.tick()
    site = TaskRegistry(backend=backend, observe=True) if is_observer else registry
    site.expose(jobs.add)
    client = Client(site)
    backend.threads.clear()
    path = endpoint.path.replace("{id}", "a")
    response = client.request(
        endpoint.method, path, json=BODIES[endpoint.path] if endpoint.body else None, headers={"If-Match": "*"}
    )
    asked = set(backend.threads)
    registry.shutdown(0)
    assert response.status_code == endpoint.status, response.text
    assert threading.get_ident() not in asked
    assert asked or endpoint.path in SILENT


def test_a_stream_of_events_asks_the_store_in_a_thread_of_its_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_PERIOD", 0.01)
    monkeypatch.setattr(feed, "_LINGER", 0.0)
    backend = Noting()
    registry = TaskRegistry(backend=backend, observe=True)
    backend.threads.clear()
    found = feed.Feed(registry)
    listener = found.join(lambda: None, None)
    thread = found._thread
    assert listener is not None
    assert thread is not None
    wait_until(lambda: bool(backend.threads))
    assert backend.threads == {thread.ident}
    found.leave(listener)
    wait_until(lambda: found._thread is None)


class Hanging(MemoryBackend):
    """A backend that can be made to hang."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()
        self.answers.set()
        self.waits = threading.Semaphore(0)

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS and not self.answers.is_set():
            self.waits.release()
            assert self.answers.wait(PATIENCE)
        return super().__getattribute__(name)

    @contextmanager
    def hang(self) -> Iterator[None]:
        self.answers.clear()
        try:
            yield
        finally:
            self.answers.set()


class TestStoresThatHang:
    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(site, "Threads", lambda _number, **_: Threads(3, queue_seconds=0.02))

    def test_probes_are_answered_others_refused_and_all_goes_on_when_it_is_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend = Hanging()
        app = create_app(TaskRegistry(backend=backend), auth=TOKEN)

        async def ask() -> None:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost/api", headers=bearer(MANAGE)
            ) as client:
                assert (await client.get("/health")).json() == {"status": "ok", "loop": None, "store": True}
                with backend.hang():
                    stuck = [asyncio.ensure_future(client.get("/tasks")) for _ in range(3)]
                    await anyio.to_thread.run_sync(backend.waits.acquire)
                    refused = await asyncio.gather(*[client.get("/functions") for _ in range(30)])
                    assert {(one.status_code, one.headers["retry-after"]) for one in refused} == {(503, "5")}
                    assert refused[0].json()["detail"] == "too many requests wait already: the store may not answer"
                    monkeypatch.setattr("est_alan_scheduler.control.health._STORE_PATIENCE", 0.02)
                    monkeypatch.setattr("est_alan_scheduler.control.health._FRESH", -1.0)
                    health = await client.get("/health")
                    assert not any(one.done() for one in stuck)
                assert (health.status_code, health.json()["store"]) == (503, False)
                assert [one.status_code for one in await asyncio.gather(*stuck)] == [200] * 3
                assert (await client.get("/functions")).status_code == 200

        asyncio.run(ask())

    @pytest.mark.parametrize(
        ("method", "path", "detail"),
        [
            ("GET", "/tasks", "no answer within 0.02 seconds"),
            ("POST", "/pause", "no answer within 0.02 seconds; a change that was asked for may have been made"),
        ],
    )
    def test_who_asked_for_a_change_is_told_that_it_may_have_been_made(
        self, method: str, path: str, detail: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(site, "Threads", lambda _number, **_: Threads(3, seconds=0.02))
        backend = Hanging()
        client = Client(TaskRegistry(backend=backend))
        with backend.hang():
            response = client.request(method, path)
        assert (response.status_code, response.json()["detail"]) == (503, detail)

    def test_they_take_no_thread_of_the_program_around(self) -> None:
        backend = Hanging()
        app = create_app(TaskRegistry(backend=backend), auth=TOKEN)

        async def ask() -> int:
            anyio.to_thread.current_default_thread_limiter().total_tokens = 1
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost/api", headers=bearer(MANAGE)
            ) as client:
                with backend.hang():
                    stuck = [asyncio.ensure_future(client.get("/tasks")) for _ in range(3)]
                    await anyio.to_thread.run_sync(backend.waits.acquire)
                    found = await anyio.to_thread.run_sync(int)
                await asyncio.gather(*stuck)
            return found

        assert asyncio.run(ask()) == 0


class TestThreads:
    def test_a_function_that_takes_too_long_is_given_up_and_keeps_its_place(self) -> None:
        threads, goes_on, has_ended = Threads(1, queue_seconds=0.02, seconds=0.02), threading.Event(), threading.Event()

        def write() -> None:
            goes_on.wait(PATIENCE)
            has_ended.set()

        async def ask() -> tuple[list[str], int]:
            said = []
            for function in (write, has_ended.set):
                with pytest.raises(Problem) as caught:
                    await threads.run(function)
                said.append(caught.value.detail)
            assert not has_ended.is_set()
            goes_on.set()
            return said, await _when_free(threads, int)

        assert asyncio.run(ask()) == (
            [
                "no answer within 0.02 seconds",
                "too many requests wait already: the store may not answer",
            ],
            0,
        )
        assert has_ended.is_set()

    @pytest.mark.parametrize("end", ["cancel", "close"])
    def test_a_place_is_not_lost_with_a_caller_who_leaves(self, end: str) -> None:
        threads, goes_on = Threads(1), threading.Event()

        async def leave() -> None:
            jobs = [asyncio.ensure_future(threads.run(goes_on.wait, PATIENCE)) for _ in range(3)]
            await asyncio.sleep(0)
            if end == "cancel":
                for job in jobs:
                    job.cancel()
                await asyncio.gather(*jobs, return_exceptions=True)

        asyncio.run(leave())
        assert asyncio.run(_busy(threads))
        goes_on.set()
        assert asyncio.run(_when_free(threads, int)) == 0
        assert (threads._free, len(threads._waiting)) == (1, 0)

    def test_those_who_wait_get_a_thread_in_their_order(self) -> None:
        threads, goes_on, order = Threads(1), threading.Event(), list[int]()

        async def ask() -> None:
            first = asyncio.ensure_future(threads.run(goes_on.wait, PATIENCE))
            rest = [asyncio.ensure_future(threads.run(order.append, number)) for number in range(9)]
            await asyncio.sleep(0)
            goes_on.set()
            await asyncio.gather(first, *rest)

        asyncio.run(ask())
        assert order == list(range(9))

    def test_the_number_of_those_who_wait_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("est_alan_scheduler.web.threads._MOST_WAITING", 2)
        threads, goes_on = Threads(1), threading.Event()

        async def ask() -> list[Any]:
            asked = [asyncio.ensure_future(threads.run(goes_on.wait, PATIENCE)) for _ in range(4)]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            goes_on.set()
            return await asyncio.gather(*asked, return_exceptions=True)

        *answered, refused = asyncio.run(ask())
        assert answered == [True] * 3
        assert refused.status == 503

    def test_what_a_function_raises_comes_to_the_caller(self) -> None:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(Threads(1).run(lambda: 1 // 0))
        with pytest.raises(RuntimeError):
            asyncio.run(Threads(1).run(next, iter(())))  # a coroutine may not raise StopIteration
        with pytest.raises(TimeoutError):
            asyncio.run(Threads(1).run(_raise, TimeoutError()))

    def test_a_machine_without_threads_is_a_busy_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        threads = Threads(1)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", lambda _: _raise(RuntimeError("can't start new thread")))
            with pytest.raises(Problem, match=r"^too many requests"):
                asyncio.run(threads.run(int))
        assert asyncio.run(threads.run(int)) == 0


def _raise(error: Exception) -> None:
    raise error


async def _busy(threads: Threads) -> bool:
    threads._queue_seconds = 0.01
    try:
        await threads.run(int)
    except Problem:
        return True
    return False


async def _when_free(threads: Threads, function: Callable[[], int]) -> int:
    threads._queue_seconds = PATIENCE
    return await threads.run(function)
