"""The loop as a block of an asyncio app, and as the lifespan of a web app: `running`."""

import asyncio
import os
import re
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from est_alan_scheduler import (
    Task,
    TaskRegistry,
    TaskStatus,
    WaitTimeoutError,
    WrongStateError,
    run_scheduler,
    running,
    scheduler,
)
from tests import jobs
from tests.loops.helpers import HOUR, Gate, run, run_into_ctrl_c, until
from tests.messages import missing
from tests.ways import PATIENCE

INTERRUPTED = "RuntimeError: interrupted by shutdown"


def schedulers() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "est-alan-scheduler"]


def test_the_scheduler_runs_during_the_block_and_not_after_it() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every={"milliseconds": 5}, func=jobs.current_run_async))
        async with running(registry, interval=600):
            await until(lambda: len(task.history) >= 3)
        runs = len(task.history)
        await asyncio.sleep(0.02)
        assert (len(task.history), schedulers()) == (runs, [])

    run(main)


def test_the_end_of_the_block_cancels_coroutines_and_waits_for_threads() -> None:
    async def main(registry: TaskRegistry) -> None:
        gate = Gate()
        later = registry.register(Task(every=HOUR, func=gate))
        plain = registry.register(Task(every=HOUR, func=time.sleep, args=(0.03,)))
        async with running(registry):
            await until(lambda: gate.inside == 1 and plain.status is TaskStatus.RUNNING)
        assert (later.error_message, gate.ends) == (INTERRUPTED, ["cancelled"])
        assert (plain.status, plain.error) == (TaskStatus.SUCCESS, None)

    run(main)


def test_a_block_without_async_is_answered_with_async_with() -> None:
    async def main(registry: TaskRegistry) -> None:
        block: Any = running(registry)
        expected = r"^write async with running\(registry\): in a coroutine$"
        with pytest.raises(TypeError, match=expected), block:
            pass
        with pytest.raises(TypeError, match=expected):
            await block

    run(main)


@pytest.mark.parametrize("how", ["running", "run_scheduler"])
@pytest.mark.parametrize("case", ["empty", "registered in the block", "given"])
def test_a_loop_of_the_global_registry_says_that_there_are_no_tasks(
    how: str, case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(registry: TaskRegistry) -> None:
        monkeypatch.setattr(scheduler, "registry", registry)
        given = registry if case == "given" else None
        if how == "running":
            async with running(given):
                if case == "registered in the block":
                    registry.register(Task(run_at="2999-01-01", func=int))
                await asyncio.sleep(0.01)
            return
        job = asyncio.create_task(run_scheduler(registry=given))
        if case == "registered in the block":
            registry.register(Task(run_at="2999-01-01", func=int))
        await asyncio.sleep(0.01)
        job.cancel()
        await asyncio.wait([job])

    run(main)
    no_tasks = "The global registry, which this loop ticks, has no tasks: is registry=… missing?"
    assert caplog.messages == ([no_tasks] if case == "empty" else [])


def test_a_block_may_be_empty() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=int))
        async with running(registry):
            pass
        assert (task.status, schedulers()) == (TaskStatus.PENDING, [])

    run(main)


def test_a_wait_that_would_hold_up_the_loop_is_refused_from_the_first_statement_of_the_block_on() -> None:
    async def main(registry: TaskRegistry) -> None:
        registry.register(Task(id="a", every=HOUR, func=int))
        async with running(registry):
            with pytest.raises(WrongStateError, match=re.escape("await asyncio.to_thread(registry.wait, 'a')")):
                registry.wait("a", timeout=0.01)
            task = await asyncio.to_thread(registry.wait, "a")
        assert task.status is TaskStatus.SUCCESS
        with pytest.raises(WaitTimeoutError):
            registry.wait("a", timeout=0)

    run(main)


def test_the_global_registry_is_ticked_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=int))
        async with running():
            await until(lambda: bool(task.history))

    registry = TaskRegistry()
    monkeypatch.setattr(scheduler, "registry", registry)
    run(main, registry)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"interval": 0}, ["interval", "finite", "greater than 0", "got 0"]),
        ({"registry": 5}, ["registry", "TaskRegistry", "got 5"]),
    ],
)
def test_bad_arguments_are_refused_before_the_block(arguments: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        running(**arguments)
    assert missing(caught.value, *parts) == []


def test_an_error_of_the_body_is_raised_after_the_scheduler_has_stopped() -> None:
    async def main(registry: TaskRegistry) -> None:
        async with running(registry):
            raise LookupError("of the body")

    registry = TaskRegistry()
    with pytest.raises(LookupError, match="of the body"):
        run(main, registry)
    assert registry._parts.wakers == ()


def test_a_cancelled_body_stops_the_scheduler_and_stays_cancelled() -> None:
    async def main(registry: TaskRegistry) -> None:
        plain = registry.register(Task(every=HOUR, func=time.sleep, args=(0.03,)))

        async def body() -> None:
            async with running(registry):
                await asyncio.sleep(PATIENCE)

        app = asyncio.create_task(body())
        await until(lambda: plain.status is TaskStatus.RUNNING)
        app.cancel()
        with pytest.raises(asyncio.CancelledError):
            await app
        assert (plain.status, schedulers()) == (TaskStatus.SUCCESS, [])

    run(main)


def test_a_cancellation_at_the_end_of_the_block_stops_waiting() -> None:
    async def main(registry: TaskRegistry) -> None:
        release = threading.Event()
        plain = registry.register(Task(every=HOUR, func=release.wait))
        has_ended = asyncio.Event()

        async def body() -> None:
            async with running(registry):
                await until(lambda: plain.status is TaskStatus.RUNNING)
                has_ended.set()

        app = asyncio.create_task(body())
        await has_ended.wait()
        await asyncio.sleep(0.01)
        app.cancel()
        with pytest.raises(asyncio.CancelledError):
            await app
        assert (plain.error_message, schedulers()) == (INTERRUPTED, [])
        release.set()

    run(main)


def test_a_timeout_around_the_block_ends_it() -> None:
    async def main(registry: TaskRegistry) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), running(registry):
                await asyncio.sleep(PATIENCE)
        assert schedulers() == []

    run(main)


def test_ctrl_c_in_a_coroutine_of_a_task_ends_the_program() -> None:
    assert run_into_ctrl_c(running).error_message == "KeyboardInterrupt"


class Stop(Exception):  # noqa: N818  # not only an error
    pass


@pytest.fixture
def _handler() -> Any:
    def stop(signum: int, frame: Any) -> None:
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


async def press() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.001)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.usefixtures("_handler")
class TestErrorOfTheScheduler:
    def test_it_cancels_the_body_and_is_raised_at_the_end_of_the_block(self) -> None:
        async def main(registry: TaskRegistry) -> None:
            registry.register(Task(every=HOUR, func=press))
            with pytest.raises(Stop):
                async with running(registry):
                    await asyncio.sleep(PATIENCE)
            task = asyncio.current_task()
            assert task is not None
            assert (task.cancelling(), schedulers()) == (0, [])
            await asyncio.sleep(0)  # no cancellation is left

        run(main)

    def test_it_is_raised_also_if_the_body_swallows_its_cancellation(self) -> None:
        async def main(registry: TaskRegistry) -> None:
            registry.register(Task(every=HOUR, func=press))

            async def body() -> None:
                async with running(registry):
                    with suppress(asyncio.CancelledError):
                        await asyncio.sleep(PATIENCE)

            with pytest.raises(Stop):
                await body()

        run(main)

    def test_an_error_of_the_body_that_follows_it_is_its_context(self) -> None:
        async def main(registry: TaskRegistry) -> None:
            registry.register(Task(every=HOUR, func=press))

            async def body() -> None:
                async with running(registry):
                    try:
                        await asyncio.sleep(PATIENCE)
                    except asyncio.CancelledError:
                        raise LookupError("of the body") from None

            with pytest.raises(Stop) as caught:
                await body()
            assert isinstance(caught.value.__context__, LookupError)

        run(main)

    def test_a_cancellation_from_outside_is_not_swallowed_with_it(self) -> None:
        async def main(registry: TaskRegistry) -> None:
            registry.register(Task(every=HOUR, func=press))

            async def body() -> None:
                try:
                    async with running(registry):
                        await asyncio.sleep(PATIENCE)
                except Stop:
                    ends.append("the error")
                    await asyncio.sleep(PATIENCE)

            ends: list[str] = []
            app = asyncio.create_task(body())
            await until(lambda: ends == ["the error"])
            app.cancel()
            with pytest.raises(asyncio.CancelledError):
                await app

        run(main)


def test_blocks_of_several_registries_may_be_nested() -> None:
    async def main(registry: TaskRegistry) -> None:
        other = TaskRegistry()
        tasks = [one.register(Task(every=HOUR, func=jobs.current_run_async)) for one in (registry, other)]
        async with running(registry), running(other):
            await until(lambda: all(task.history for task in tasks))
        assert schedulers() == []

    run(main)


def test_a_second_block_of_one_registry_in_one_event_loop_is_refused() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every={"milliseconds": 5}, func=jobs.current_run_async))
        async with running(registry):
            with pytest.raises(RuntimeError, match="already runs in this event loop"):
                async with running(registry):
                    raise AssertionError("the second block began")
            runs = len(task.history)
            await until(lambda: len(task.history) > runs + 1)
        async with running(registry):
            runs = len(task.history)
            await until(lambda: len(task.history) > runs)

    run(main)


def test_two_event_loops_may_run_one_registry() -> None:
    async def main(registry: TaskRegistry) -> None:
        async def other() -> None:
            async with running(registry):
                registry.register(Task(id="a", every=HOUR, func=int))
                await until(lambda: bool(registry.store["a"].history))

        async with running(registry):
            await asyncio.to_thread(asyncio.run, other())
            task = registry.register(Task(every=HOUR, func=int))
            await until(lambda: bool(task.history))

    run(main)


def test_one_object_serves_block_after_block() -> None:
    async def main(registry: TaskRegistry) -> None:
        block = running(registry)
        for number in (1, 2):
            task = registry.register(Task(every=HOUR, func=int))
            async with block:
                await until(lambda task=task: bool(task.history))  # type: ignore[misc]
            assert registry.statistics().runs == number

    run(main)


class TestLifespan:
    def test_the_scheduler_runs_as_long_as_a_starlette_app(self) -> None:
        pytest.importorskip("httpx")
        applications = pytest.importorskip("starlette.applications")
        testclient = pytest.importorskip("starlette.testclient")
        registry = TaskRegistry()
        app = applications.Starlette(lifespan=running(registry))
        for _ in range(2):
            task = registry.register(Task(every=HOUR, func=jobs.current_run_async))
            with testclient.TestClient(app):
                deadline = time.monotonic() + PATIENCE
                while not task.history and time.monotonic() < deadline:
                    time.sleep(0.002)
            assert [run["status"] for run in task.history] == ["success"]
        assert registry._parts.wakers == ()

    def test_it_is_a_context_manager_of_the_app_without_state(self) -> None:
        async def main(registry: TaskRegistry) -> None:
            lifespan = running(registry)
            async with lifespan(object()) as state:
                assert (state, len(schedulers())) == (None, 1)
            assert schedulers() == []

        run(main)
