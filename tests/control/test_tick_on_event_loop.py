"""Ticks on an event loop: the loop goes on while the store is slow to answer a claim."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, run_scheduler
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.rows import Claim, Snapshot
from tests import jobs
from tests.cluster.helpers import OPERATIONS, adder
from tests.loops.helpers import until
from tests.ways import PATIENCE

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

HOUR = {"hours": 1}


class Slow(MemoryBackend):
    """A store that answers claims late: before or after it has made them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.goes_on = threading.Event(), threading.Event()
        self.answers_late = True
        self.claims = self.fetches = 0
        self.error: Exception | None = None

    def fetch(
        self, ids: Collection[str] | None, seen_revision: int, known: Mapping[str, int] | None = None
    ) -> Snapshot:
        self.fetches += 1
        return super().fetch(ids, seen_revision, known)

    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        self.claims += 1
        won = super().claim(owner, token, claims) if self.answers_late else {}
        self.asked.set()
        assert self.goes_on.wait(PATIENCE)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return won if self.answers_late else super().claim(owner, token, claims)


@pytest.fixture(params=[False, True], ids=["before", "after"])
def backend(request: pytest.FixtureRequest) -> Slow:
    backend = Slow()
    backend.answers_late = request.param
    return backend


@pytest.fixture
def registry(backend: Slow) -> Iterator[TaskRegistry]:
    registry = TaskRegistry(backend=backend)
    registry.expose(jobs.add)
    yield registry
    backend.goes_on.set()
    registry.shutdown(0)


@pytest.fixture
def task(registry: TaskRegistry) -> Task:
    return registry.register(Task(id="a", every=HOUR, func=jobs.add, args=(1, 2)))


def during_the_claim(
    registry: TaskRegistry,
    act: Callable[["asyncio.Task[None]"], object],
    after: Callable[[], Awaitable[None]] | None = None,
    interval: float = 0.02,
) -> None:
    """Run the loop, act on it during a claim, and then do `after`: by default, let the loop go on."""
    backend: Any = registry.backend

    async def main() -> None:
        loop = asyncio.create_task(run_scheduler(interval, registry))
        await until(backend.asked.is_set)
        act(loop)
        fetches = backend.fetches
        backend.goes_on.set()
        await (until(lambda: backend.fetches > fetches + 2) if after is None else after())
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop

    asyncio.run(main())


def status(registry: TaskRegistry) -> TaskStatus:
    """Return the status of the task in the store."""
    backend: Any = registry.backend
    return backend.fetch(["a"], 0).states["a"].status  # type: ignore[no-any-return]  # it is any backend


def outcomes(registry: TaskRegistry) -> list[tuple[str, str | None]]:
    return [(run["status"], (run["error"] or "").partition(":")[0] or None) for run in registry.history("a")]


RELEASED = "failed", "not started"
SUCCESS = "success", None


def test_the_event_loop_goes_on_while_a_claim_takes_long(registry: TaskRegistry, task: Task) -> None:
    seen = []
    during_the_claim(registry, lambda _: seen.append(task.status), lambda: until(lambda: bool(task.history)))
    assert (seen, task.result, outcomes(registry)) == ([TaskStatus.PENDING], 3, [SUCCESS])


@pytest.mark.parametrize("has_other_loop", [False, True])
def test_a_loop_that_is_cancelled_during_a_claim_releases_the_claim(
    registry: TaskRegistry, task: Task, has_other_loop: bool
) -> None:
    if has_other_loop:
        registry._loop_side.add_waker(lambda: None)
    during_the_claim(registry, lambda loop: loop.cancel(), lambda: until(lambda: outcomes(registry) == [RELEASED]))
    assert (task.status, status(registry)) == (TaskStatus.PENDING, TaskStatus.PENDING)
    while status(registry) is TaskStatus.PENDING:
        registry.tick()
    assert outcomes(registry)[-1] == SUCCESS


@pytest.mark.parametrize(("pause", "resume"), [("pause", "resume"), ("pause_all", "resume_all")])
def test_a_task_that_is_paused_during_its_claim_does_not_start(
    registry: TaskRegistry, task: Task, pause: str, resume: str
) -> None:
    ids = () if pause == "pause_all" else ("a",)
    during_the_claim(registry, lambda _: getattr(registry, pause)(*ids))
    assert (task.status, status(registry), task.history) == (TaskStatus.PENDING, TaskStatus.PENDING, [])
    getattr(registry, resume)(*ids)
    registry.tick()
    assert (task.result, outcomes(registry)[-1], len(task.history)) == (3, SUCCESS, 1)


def test_a_task_updated_during_its_claim_runs_once_with_the_new_fields(registry: TaskRegistry, task: Task) -> None:
    during_the_claim(
        registry, lambda _: registry.update("a", args=(5, 6)), lambda: until(lambda: task.status is TaskStatus.SUCCESS)
    )
    assert (task.result, outcomes(registry)[-1]) == (11, SUCCESS)
    assert outcomes(registry).count(SUCCESS) == 1


def test_a_run_requested_after_its_claim_was_made_is_an_additional_run(
    registry: TaskRegistry, task: Task, backend: Slow
) -> None:
    times = 2 if backend.answers_late else 1
    during_the_claim(
        registry,
        lambda _: registry.run_now("a"),
        lambda: until(lambda: outcomes(registry).count(SUCCESS) == times),
    )
    registry.tick()
    assert outcomes(registry).count(SUCCESS) == times


def test_a_tick_during_a_claim_starts_nothing_twice(registry: TaskRegistry, task: Task) -> None:
    def tick() -> None:
        backend: Any = registry.backend
        threading.Timer(0.02, backend.goes_on.set).start()  # it claims as well, or tries to
        registry.tick()

    during_the_claim(registry, lambda _: tick(), lambda: until(lambda: task.status is TaskStatus.SUCCESS))
    assert outcomes(registry).count(SUCCESS) == 1


class Other(MemoryBackend):
    """A store that notes which threads ask it."""

    def __init__(self) -> None:
        super().__init__()
        self.askers: list[threading.Thread] = []

    def claim(self, owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        self.askers.append(threading.current_thread())
        return super().claim(owner, token, claims)


@pytest.mark.parametrize("goes_to", [None, Other])
def test_a_registry_that_leaves_its_backend_during_a_claim_releases_the_claim(
    registry: TaskRegistry, task: Task, backend: Slow, goes_to: type[Other] | None
) -> None:
    other = None if goes_to is None else goes_to()
    during_the_claim(
        registry, lambda _: registry.configure(backend=other), lambda: until(lambda: task.status is TaskStatus.SUCCESS)
    )
    assert other is None or threading.main_thread() not in other.askers
    assert backend.fetch(["a"], 0).states["a"].status is not TaskStatus.RUNNING
    assert [run.status for run in backend.history()] in ([], [TaskStatus.FAILED])
    assert len(task.history) == 1


def test_a_task_of_another_instance_that_is_registered_here_during_its_claim_runs_once(
    registry: TaskRegistry, backend: Slow
) -> None:
    task = Task(id="a", every=HOUR, func=jobs.add, args=(1, 2))
    TaskRegistry(backend=backend).register(task.model_copy())
    during_the_claim(
        registry, lambda _: registry.register(task), lambda: until(lambda: task.status is TaskStatus.SUCCESS)
    )
    assert (task.result, outcomes(registry).count(SUCCESS)) == (3, 1)


def test_a_claim_that_has_not_returned_is_not_repeated(registry: TaskRegistry, task: Task, backend: Slow) -> None:
    tick, session = registry._loop_side.new_tick(), registry._session
    assert tick is not None
    assert session is not None
    thread = threading.Thread(target=tick.plan)
    thread.start()
    assert backend.asked.wait(PATIENCE)
    session.prepare(0, is_paused=True)
    backend.goes_on.set()
    thread.join()
    tick.start()
    assert (len(task.history), backend.claims) == (1, 1)


def test_a_task_started_by_another_tick_during_a_claim_is_not_started_again(
    registry: TaskRegistry, task: Task, backend: Slow
) -> None:
    backend.goes_on.set()
    tick = registry._loop_side.new_tick()
    assert tick is not None
    tick.plan()
    registry.tick()
    fetches = backend.fetches
    tick.start()
    assert (len(task.history), backend.claims, backend.fetches - fetches) == (1, 1, 0)


def test_an_error_raised_by_a_claim_is_logged_and_the_loop_goes_on(
    registry: TaskRegistry, task: Task, backend: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    backend.error = RuntimeError("the store is odd")
    during_the_claim(registry, lambda _: None, lambda: until(lambda: task.status is TaskStatus.SUCCESS))
    assert caplog.messages.count("A tick failed; the scheduler goes on.") == 1
    assert outcomes(registry).count(SUCCESS) == 1


def test_a_loop_calls_the_tick_that_a_subclass_overrides() -> None:
    class Own(TaskRegistry):
        ticks = 0

        def tick(self) -> None:
            self.ticks += 1
            super().tick()

    async def main() -> None:
        loop = asyncio.create_task(run_scheduler(0.02, own))
        await until(lambda: own.ticks > 1)
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop

    own = Own(backend=MemoryBackend())
    asyncio.run(main())


def test_a_claim_does_not_wait_for_the_busy_default_threads_of_the_app(
    registry: TaskRegistry, task: Task, backend: Slow
) -> None:
    backend.goes_on.set()

    async def main() -> None:
        event_loop, free = asyncio.get_running_loop(), threading.Event()
        event_loop.set_default_executor(ThreadPoolExecutor(1))
        busy = event_loop.run_in_executor(None, free.wait, 2 * PATIENCE)
        loop = asyncio.create_task(run_scheduler(0.02, registry))
        await until(lambda: task.status is TaskStatus.SUCCESS)
        free.set()
        await busy
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop

    asyncio.run(main())


@pytest.mark.slow
def test_an_event_loop_runs_a_claimed_coroutine() -> None:
    async def fetch() -> str:
        await asyncio.sleep(0)
        return "fetched"

    registry = TaskRegistry(backend=MemoryBackend())
    registry.expose(fetch, "fetch")
    task = registry.register(adder(func=fetch, args=()))

    async def main() -> None:
        loop = asyncio.create_task(run_scheduler(0.02, registry))
        while task.result is None:
            await asyncio.sleep(0.01)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(main())
    assert ([run["status"] for run in registry.history()], registry.instances()) == (["success"], [])


@pytest.mark.slow
def test_an_event_loop_does_not_wait_for_reads_claims_and_writes_of_the_store() -> None:
    class Noting(MemoryBackend):
        asked: set[tuple[str, bool]] = set()  # noqa: RUF012  # there is one of it

        def __getattribute__(self, name: str) -> Any:
            if name in OPERATIONS:
                self.asked.add((name, threading.current_thread() is threading.main_thread()))
            return super().__getattribute__(name)

    async def fetch() -> int:
        return len(fetched)

    fetched: list[int] = []
    backend = Noting()
    registry = TaskRegistry(backend=backend)
    registry.expose(fetch, "fetch")
    registry.register(adder(every={"milliseconds": 100}, func=fetch, args=()))
    backend.asked.clear()

    async def main() -> None:
        loop = asyncio.create_task(run_scheduler(0.005, registry))
        while len(registry.store["a"].history) < 3:
            await asyncio.sleep(0.01)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(main())
    here = {name for name, is_here in backend.asked if is_here}
    there = {name for name, is_here in backend.asked if not is_here}
    assert (here - {"leave", "finish"}, {"fetch", "renew", "claim", "finish"} - there) == (set(), set())
