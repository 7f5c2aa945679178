"""Programs that go on in another thread when their main thread has ended."""

from pathlib import Path

import pytest

from tests.executors.helpers import run_program

ENDED = (
    "ERROR:est_alan_scheduler:The main thread has ended, and Python's executors take no more calls: no task of this "
    "registry runs any more, though the program goes on. Keep the main thread alive, or use no executor.\n"
)
WHY = "due now, but the main thread has ended, and Python's executors take no more calls\n"
PROGRAM = """
    import asyncio, logging, sys, threading, time
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from est_alan_scheduler import Task, TaskRegistry, run_scheduler, start_scheduler

    def wait_until(condition):
        end = time.monotonic() + 30
        while not condition() and time.monotonic() < end:
            time.sleep(0.005)
        return condition()

    async def coroutine():
        await asyncio.sleep(0)

    def serve(registry, task, report):
        threading.main_thread().join()
        report(registry, task, len(task.history))

    def goes_on(registry, task, number):
        print(wait_until(lambda: len(task.history) > number + 3), task.status.value)

    def is_over(registry, task, number):
        wait_until(lambda: "has ended" in registry.why_not(task.id))
        print(registry.why_not(task.id))

    def start(registry, task, report, begin=start_scheduler):
        logging.basicConfig()
        threading.Thread(target=serve, args=(registry, task, report)).start()
        begin(registry=registry)
        wait_until(lambda: task.history)
"""


@pytest.mark.parametrize("func", ["int", "coroutine"])
@pytest.mark.parametrize("backend", [None, "sqlite:///tasks.db"])
def test_inline_the_loop_goes_on_as_long_as_the_program_does(func: str, backend: str | None, tmp_path: Path) -> None:
    url = None if backend is None else f"sqlite:///{tmp_path}/tasks.db"
    script = f"""{PROGRAM}
    registry = TaskRegistry(backend={url!r})
    registry.expose({func}, "func")
    task = registry.register(Task(id="a", every={{"milliseconds": 10}}, func={func}))
    start(registry, task, goes_on)
    """
    assert run_program(script, tmp_path) == (0, "True success\n", "")


@pytest.mark.parametrize("source", ["", "lambda: "])
@pytest.mark.parametrize("kind", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_where_an_executor_cannot_go_on_one_line_says_so(kind: str, source: str, tmp_path: Path) -> None:
    script = f"""{PROGRAM}
    if __name__ == "__main__":
        registry = TaskRegistry(executor={source}{kind}(1))
        task = registry.register(Task(id="a", every={{"milliseconds": 10}}, func=int))
        start(registry, task, is_over)
    """
    assert run_program(script, tmp_path) == (0, WHY, ENDED)


def test_without_its_executor_the_registry_goes_on(tmp_path: Path) -> None:
    script = f"""{PROGRAM}
    def replace(registry, task, number):
        is_over(registry, task, number)
        registry.configure(executor=None)
        goes_on(registry, task, number)

    registry = TaskRegistry(executor=ThreadPoolExecutor(1))
    task = registry.register(Task(id="a", every={{"milliseconds": 10}}, func=int))
    start(registry, task, replace)
    """
    assert run_program(script, tmp_path) == (0, WHY + "True success\n", ENDED)


@pytest.mark.parametrize(
    ("func", "report", "out", "err"),
    [("coroutine", "goes_on", "True success\n", ""), ("int", "is_over", WHY, ENDED)],
)
@pytest.mark.parametrize("backend", [None, "sqlite:///tasks.db"])
def test_under_run_scheduler_coroutines_go_on_and_threads_do_not(
    func: str, report: str, out: str, err: str, backend: str | None, tmp_path: Path
) -> None:
    url = None if backend is None else f"sqlite:///{tmp_path}/tasks.db"
    script = f"""{PROGRAM}
    loop, stopped = asyncio.new_event_loop(), threading.Event()

    async def tick_until_stopped(registry):
        ticking = asyncio.create_task(run_scheduler(registry=registry))
        while not stopped.is_set() and not ticking.done():
            await asyncio.sleep(0.01)
        ticking.cancel()
        await asyncio.wait([ticking])

    def begin(registry):
        threading.Thread(target=lambda: loop.run_until_complete(tick_until_stopped(registry))).start()

    def report(*arguments):
        {report}(*arguments)
        registry.pause_all()
        wait_until(lambda: not registry.pending()[0])  # a run that is cut off would log so
        stopped.set()

    registry = TaskRegistry(backend={url!r})
    registry.expose({func}, "func")
    task = registry.register(Task(id="a", every={{"milliseconds": 10}}, func={func}))
    start(registry, task, report, begin)
    """
    assert run_program(script, tmp_path) == (0, out, err)


@pytest.mark.slow
def test_a_program_that_goes_on_in_a_worker_of_a_pool_is_found_after_a_second(tmp_path: Path) -> None:
    script = f"""{PROGRAM}
    registry = TaskRegistry()
    task = registry.register(Task(id="a", every={{"milliseconds": 10}}, func=int))
    logging.basicConfig()
    start_scheduler(registry=registry)
    wait_until(lambda: task.history)
    ThreadPoolExecutor(1).submit(lambda: (time.sleep(0.2), goes_on(registry, task, len(task.history))))
    """
    assert run_program(script, tmp_path) == (0, "True success\n", "")
