"""The loop inside an asyncio app: `run_scheduler`."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus, current_run, run_scheduler, scheduler
from tests import jobs
from tests.loops.helpers import HOUR, Gate, run, run_into_ctrl_c, running, until
from tests.messages import missing
from tests.ways import PATIENCE


def test_coroutines_run_on_the_loop_of_the_app_and_plain_functions_in_threads() -> None:
    async def where() -> tuple[str, object]:
        return threading.current_thread().name, asyncio.get_running_loop()

    async def main(registry: TaskRegistry) -> None:
        later = registry.register(Task(every=HOUR, func=where))
        plain = registry.register(Task(every=HOUR, func=threading.current_thread))
        async with running(registry):
            await until(lambda: bool(later.history and plain.history))
        assert later.result == (threading.current_thread().name, asyncio.get_running_loop())
        assert plain.result.name.startswith("est-alan-scheduler_")

    run(main)


def test_plain_functions_go_to_the_executor_if_there_is_one() -> None:
    async def main(registry: TaskRegistry) -> None:
        plain = registry.register(Task(every=HOUR, func=threading.current_thread))
        later = registry.register(Task(every=HOUR, func=jobs.current_run_async))
        async with running(registry):
            await until(lambda: bool(later.history and plain.history))
        assert plain.result.name == "pool_0"

    with ThreadPoolExecutor(1, thread_name_prefix="pool") as executor:
        run(main, TaskRegistry(executor=executor))


def test_coroutines_run_concurrently_up_to_max_running() -> None:
    async def main(registry: TaskRegistry) -> None:
        gate = Gate()
        tasks = [registry.register(Task(every=HOUR, func=gate)) for _ in range(40)]
        async with running(registry):
            await until(lambda: gate.inside == limit)
            assert sum(task.status is TaskStatus.RUNNING for task in tasks) == limit
            gate.open.set()
            await until(lambda: all(task.history for task in tasks))

    limit = 32
    run(main)
    limit = 3
    run(main, TaskRegistry(max_running=3))


def test_the_global_registry_is_ticked_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        job = asyncio.create_task(run_scheduler())
        await until(lambda: bool(task.history))
        job.cancel()

    registry = TaskRegistry()
    monkeypatch.setattr(scheduler, "registry", registry)
    run(main, registry)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"interval": 0}, ["interval", "finite", "greater than 0", "got 0"]),
        ({"registry": 5}, ["registry", "TaskRegistry", "got 5"]),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        asyncio.run(run_scheduler(**options))
    assert missing(caught.value, *parts) == []


def test_a_registration_from_another_thread_wakes_the_loop() -> None:
    async def main(registry: TaskRegistry) -> None:
        async with running(registry):
            await asyncio.sleep(0.01)
            task = await asyncio.to_thread(registry.register, Task(every=HOUR, func=jobs.add, args=(1, 2)))
            await until(lambda: bool(task.history))

    run(main)


def test_the_loop_ticks_when_a_slot_comes() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every={"milliseconds": 5}, func=jobs.current_run_async))
        async with running(registry):
            await until(lambda: len(task.history) >= 5)
        assert all(run["status"] == "success" for run in task.history[:5])

    run(main)


def test_a_coroutine_is_cancelled_at_its_timeout() -> None:
    async def main(registry: TaskRegistry) -> None:
        gate = Gate()
        task = registry.register(Task(every=HOUR, func=gate, timeout=0.02))
        quick = registry.register(Task(every=HOUR, func=jobs.current_run_async, timeout=30))
        failing = registry.register(Task(every=HOUR, func=fail_later, timeout=30))
        async with running(registry):
            await until(lambda: bool(task.history))
        assert task.error_message == "TimeoutError: the run took longer than its timeout of 0.02 s"
        assert (type(task.error), gate.ends) == (TimeoutError, ["cancelled"])
        assert (quick.status, failing.error_message) == (TaskStatus.SUCCESS, "TimeoutError: its own")

    async def fail_later() -> None:
        raise TimeoutError("its own")

    run(main)


def test_a_coroutine_cancelled_from_outside_has_failed() -> None:
    async def main(registry: TaskRegistry) -> None:
        async def give_up() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

        task = registry.register(Task(every=HOUR, func=give_up))
        async with running(registry) as job:
            await until(lambda: bool(task.history))
            assert not job.done()
        assert task.error_message == "CancelledError"

    run(main)


def test_system_exit_in_a_coroutine_is_recorded_as_a_failure() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=leave))
        async with running(registry):
            await until(lambda: bool(task.history))
        assert task.error_message == "SystemExit: 3"

    run(main)


def test_ctrl_c_in_a_coroutine_is_recorded_and_raised() -> None:
    assert run_into_ctrl_c(running).error_message == "KeyboardInterrupt"


def test_cancelling_run_scheduler_cancels_coroutines_and_waits_for_threads() -> None:
    async def main(registry: TaskRegistry) -> None:
        gate = Gate()
        later = registry.register(Task(every=HOUR, func=gate))
        plain = registry.register(Task(every=HOUR, func=time.sleep, args=(0.03,)))
        job = asyncio.create_task(run_scheduler(registry=registry))
        await until(lambda: gate.inside == 1 and plain.status is TaskStatus.RUNNING)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert (later.error_message, gate.ends) == ("RuntimeError: interrupted by shutdown", ["cancelled"])
        assert (plain.status, plain.error) == (TaskStatus.SUCCESS, None)

    run(main)


def test_no_task_is_running_after_the_event_loop_ends() -> None:
    async def main(registry: TaskRegistry) -> None:
        gate = Gate()
        registry.register(Task(id="later", every=HOUR, func=gate))
        registry.register(Task(id="plain", every=HOUR, func=time.sleep, args=(0.03,)))
        keep.append(asyncio.create_task(run_scheduler(registry=registry)))
        await until(lambda: gate.inside == 1 and registry.store["plain"].status is TaskStatus.RUNNING)

    keep: list[asyncio.Task[None]] = []
    registry = run(main)
    assert [task.status.value for task in registry] == ["failed", "success"]
    assert registry.store["later"].error_message == "RuntimeError: interrupted by shutdown"


def test_every_coroutine_is_recorded_as_interrupted_when_the_event_loop_ends() -> None:
    async def main(registry: TaskRegistry) -> None:
        gate = Gate()
        for _ in range(8):
            registry.register(Task(every=HOUR, func=gate))
        keep.append(asyncio.create_task(run_scheduler(registry=registry)))
        await until(lambda: gate.inside == 8)

    keep: list[asyncio.Task[None]] = []
    assert {task.error_message for task in run(main)} == {"RuntimeError: interrupted by shutdown"}


def test_raising_max_running_lets_more_plain_functions_run_at_once(tmp_path: Path) -> None:
    async def main(registry: TaskRegistry) -> None:
        first = registry.register(Task(every=HOUR, func=int))
        job = asyncio.create_task(run_scheduler(registry=registry))
        await until(lambda: first.status is TaskStatus.SUCCESS)
        await until(lambda: registry.pending()[0] == [])
        registry.configure(max_running=4)
        for number in range(4):
            registry.register(Task(every=HOUR, func=jobs.hold, args=(str(tmp_path), str(number))))
        await until(lambda: sum(jobs.count(str(tmp_path), "started", str(number)) for number in range(4)) == 4)
        for number in range(4):
            jobs.release_unstarted(str(tmp_path), str(number))
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    run(main, TaskRegistry(max_running=1))


def test_a_coroutine_may_tick_its_own_registry_and_start_coroutines() -> None:
    async def main(registry: TaskRegistry) -> None:
        async def nest() -> None:
            registry.register(Task(id="inner", every=HOUR, func=jobs.current_run_async))
            registry.tick()

        outer = registry.register(Task(every=HOUR, func=nest))
        async with running(registry):
            await until(lambda: bool(outer.history and registry.store["inner"].history))
        assert (outer.status, registry.store["inner"].status) == (TaskStatus.SUCCESS, TaskStatus.SUCCESS)

    run(main)


def test_the_error_of_a_plain_tick_in_a_running_loop_names_run_scheduler() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=jobs.current_run_async))
        other = registry.register(Task(every=HOUR, func=jobs.add, args=(1, 2)))
        registry.tick()
        assert task.error_message == (
            "RuntimeError: func is a coroutine function, and tick() cannot await it inside a running event loop: "
            "let `await run_scheduler()` do the ticking there"
        )
        assert other.result == 3

    run(main)


def test_a_coroutine_returned_by_a_lambda_is_awaited() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(id="a", every=HOUR, func=lambda: jobs.current_run_async()))
        async with running(registry):
            await until(lambda: bool(task.history))
        assert task.result.task_id == "a"

    run(main)


def test_current_run_is_none_outside_a_run() -> None:
    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(every=HOUR, func=jobs.current_run_async))
        async with running(registry):
            await until(lambda: bool(task.history))
            assert current_run() is None

    run(main)
    assert current_run() is None


def test_a_coroutine_cancelled_before_its_first_step_is_recorded() -> None:
    async def main(registry: TaskRegistry) -> None:
        registry.register(Task(id="a", every=HOUR, func=jobs.current_run_async))
        keep.append(asyncio.create_task(run_scheduler(registry=registry)))  # one tick happens before the cancellation

    keep: list[asyncio.Task[None]] = []
    assert run(main).store["a"].error_message == "RuntimeError: interrupted by shutdown"


@pytest.mark.parametrize("timeout", [None, 30])
def test_system_exit_ends_neither_the_app_nor_an_inline_tick(timeout: float | None) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(id="a", every=HOUR, func=leave, timeout=timeout))
        async with running(registry):
            await until(lambda: bool(task.history))

    inline = TaskRegistry()
    inline.register(Task(id="a", every=HOUR, func=leave, timeout=timeout))
    inline.tick()
    assert [registry.store["a"].error_message for registry in (run(main), inline)] == ["SystemExit: 3"] * 2


def test_a_coroutine_that_blocks_past_its_timeout_has_failed() -> None:
    async def block() -> None:
        time.sleep(0.03)

    async def main(registry: TaskRegistry) -> None:
        task = registry.register(Task(id="a", every=HOUR, func=block, timeout=0.01))
        async with running(registry):
            await until(lambda: bool(task.history))

    inline = TaskRegistry()
    inline.register(Task(id="a", every=HOUR, func=block, timeout=0.01))
    inline.tick()
    message = "TimeoutError: the run took longer than its timeout of 0.01 s"
    assert [registry.store["a"].error_message for registry in (run(main), inline)] == [message] * 2


def test_a_coroutine_that_ignores_cancellation_is_recorded_at_its_timeout() -> None:
    async def main(registry: TaskRegistry) -> None:
        go = asyncio.Event()

        async def hold_on() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE)
            await go.wait()

        task = registry.register(Task(every=HOUR, func=hold_on, timeout=0.01))
        async with running(registry):
            await until(lambda: bool(task.history))
            assert registry.why_not(task.id).endswith("but that call still goes on")
            go.set()
            await until(lambda: registry.why_not(task.id).startswith("due in"))
        assert [run["status"] for run in task.history] == ["failed"]

    run(main)


def test_no_more_plain_functions_start_than_the_executor_has_workers() -> None:
    async def main(registry: TaskRegistry) -> None:
        for _ in range(6):
            registry.register(Task(every=HOUR, func=release.wait, args=(PATIENCE,)))
        job = asyncio.create_task(run_scheduler(registry=registry))
        await asyncio.sleep(0.03)
        assert sum(task.status is TaskStatus.RUNNING for task in registry) == 2
        job.cancel()
        release.set()
        with suppress(asyncio.CancelledError):
            await job
        assert sum(task.status is TaskStatus.PENDING for task in registry) == 4

    release = threading.Event()
    with ThreadPoolExecutor(2) as executor:
        run(main, TaskRegistry(executor=executor))


def test_shutdown_on_the_event_loop_of_its_coroutines_is_refused() -> None:
    async def main(registry: TaskRegistry) -> None:
        async def stop() -> None:
            registry.shutdown()

        task = registry.register(Task(every=HOUR, func=stop))
        async with running(registry):
            await until(lambda: bool(task.history))
        assert task.error_message == (
            "WrongStateError: shutdown() would wait for coroutines in the thread of their own event loop: "
            "cancel run_scheduler() instead"
        )

    run(main)


def test_a_coroutine_that_a_plain_tick_cannot_await_is_closed() -> None:
    async def main(registry: TaskRegistry) -> None:  # a coroutine never awaited warns: an error here
        task = registry.register(Task(every=HOUR, func=jobs.current_run_async, timeout=5))
        registry.tick()
        assert task.status is TaskStatus.FAILED

    run(main)
