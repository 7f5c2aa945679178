"""Ctrl+C, or a signal handler's exception, at any moment: whatever the program survives, the registry survives."""

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import est_alan_scheduler
from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.cluster.lease import Heartbeat
from tests.backends.stores import KINDS, Clock, Servers, Store
from tests.cluster.helpers import adder
from tests.cluster.interrupted import Program
from tests.interrupts import Interrupter, Interruption
from tests.jobs import add
from tests.ways import PATIENCE, wait_until

ROOT = str(Path(est_alan_scheduler.__file__).parent)
PROGRAMS = {"memory": 30, "sqlite": 16, "postgres": 8, "redis": 8}
"""How many programs are interrupted, each at another place, unless `--interrupts` says so."""


def is_ours(file: str) -> bool:
    """Return whether a file is of this package, or of the `with` blocks that it writes as generators."""
    return file.startswith(ROOT) or file == contextlib.__file__


@pytest.fixture
def interrupter() -> Iterator[Interrupter]:
    interrupter = Interrupter(is_ours)
    yield interrupter
    interrupter.close()


@pytest.fixture(params=["inline", "threads"])
def executor(request: pytest.FixtureRequest) -> Iterator[ThreadPoolExecutor | None]:
    if request.param == "inline":
        yield None
    else:
        with ThreadPoolExecutor(8) as pool:
            yield pool


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of connections whose making was cut off
# pydantic's serializer cannot pass on what is raised in it
@pytest.mark.filterwarnings("ignore:Exception ignored in. 'Interruption':pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_at_any_moment_leaves_nothing_claimed_taken_or_locked(
    kind: str,
    executor: ThreadPoolExecutor | None,
    interrupter: Interrupter,
    servers: Servers,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    stores = (servers.store(kind, tmp_path) for _ in count())

    def run(store: Store, moment: int | None) -> None:
        interrupter.expect(moment)
        program = Program(store, interrupter, executor)
        program.run()
        try:
            program.check()
            program.close()
        except BaseException as error:
            error.add_note(f"interrupted at moment {moment}: {interrupter.place}")
            raise
        finally:
            store.close()

    run(next(stores), None)
    places = interrupter.places or []
    assert len(places) > 5_000
    moments = list({place: moment for moment, place in reversed(list(enumerate(places)))}.values())  # once a place
    step = max(1, len(moments) // (pytestconfig.getoption("interrupts") or PROGRAMS[kind]))
    for moment in sorted(moments)[sys.version_info.minor % step :: step]:  # others with each version of Python
        run(next(stores), moment)
    gc.collect()  # now, while the warnings are ignored


def test_an_interrupt_at_any_moment_leaves_the_fair_lock_of_a_file_free(interrupter: Interrupter) -> None:
    pytest.importorskip("sqlalchemy")
    fair_lock: Any = import_module("est_alan_scheduler.backends.sql.fair_lock")
    done: list[int] = []

    def hold(lock: Any) -> None:
        try:
            with lock.hold(0):
                done.append(1)
        except BaseException:
            lock.leave()
            raise

    kept = []
    for moment in count():
        lock = fair_lock.FairLock()
        interrupter.expect(moment)
        try:
            with interrupter.watching():
                hold(lock)
        except Interruption as error:
            kept.append(error)  # with its frames
        thread = threading.Thread(target=hold, args=[lock])
        done.clear()
        thread.start()
        thread.join(PATIENCE)
        hold(lock)
        assert (done, lock._queue) == ([1, 1], {}), interrupter.place
        if not interrupter.arrived:
            break
    assert moment > 20


def test_an_interrupt_at_any_moment_of_a_removal_brings_no_task_back(interrupter: Interrupter) -> None:
    for moment in count():
        backend = MemoryBackend(Clock())
        registries = [TaskRegistry(backend=backend, lease=600) for _ in range(2)]
        for task_id in "abc":
            registries[0].register(adder(task_id))
        registries[1].expose(add)
        registries[1].tick()
        interrupter.expect(moment)
        with suppress(Interruption), interrupter.watching():
            registries[0].prune(["a", "b"])
        left = backend.fetch(None, 0).states.keys()
        for registry in registries * 2:
            registry.tick()
        assert [registry.store.keys() for registry in registries] == [left, left], interrupter.place
        for registry in registries:
            registry.shutdown(0)
        if not interrupter.arrived:
            break
    assert moment > 100


@pytest.mark.filterwarnings("ignore:Exception ignored in. 'Interruption':pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_shared", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_interrupt_at_any_moment_of_a_replacement_leaves_one_task_with_its_own_definition(
    interrupter: Interrupter, is_shared: bool
) -> None:
    for moment in count():
        backend = MemoryBackend(Clock()) if is_shared else None
        registry = TaskRegistry(backend=backend)
        former, new = registry.register(adder()), adder(args=(3, 4))
        registry.tick()
        interrupter.expect(moment)
        with suppress(BaseException), interrupter.watching():  # pydantic makes errors of its own of some
            registry.register(new, replace=True)
        task = registry["a"]
        assert (task is former) or (task is new and former.args == (1, 2) and new.args == (3, 4)), interrupter.place
        assert (task.result, len(task.history)) == (3, 1), interrupter.place
        registry.tick()
        if backend is not None:
            assert f'"args":{list(task.args)}'.replace(" ", "") in backend.fetch(None, 0).definitions["a"].json  # type: ignore[union-attr]
        registry.run_now(task)
        registry.tick()
        assert (task.result, len(task.history)) == (sum(task.args), 2), interrupter.place
        registry.shutdown(0)
        if not interrupter.arrived:
            break
    assert moment > 100


def test_an_interrupt_at_any_moment_of_its_start_leaves_one_heartbeat(interrupter: Interrupter) -> None:
    class Owner:
        def __init__(self) -> None:
            self.beats: list[threading.Thread] = []

        def beat(self) -> None:
            self.beats.append(threading.current_thread())

        def seconds(self) -> float:
            return 60.0

    for moment in count():
        owner = Owner()
        heartbeat = Heartbeat(owner.beat, owner.seconds)
        interrupter.expect(moment)
        with suppress(Interruption), interrupter.watching():
            heartbeat.start()
            heartbeat.flush_soon(0)
        heartbeat.start()
        owner.beats.clear()
        heartbeat.flush_soon(0)
        wait_until(lambda: owner.beats != [])  # noqa: B023  # it ends before the next moment
        beating = set(owner.beats)
        heartbeat.stop(PATIENCE)
        assert [thread.is_alive() for thread in beating] == [False], interrupter.place
        if not interrupter.arrived:
            break
    assert moment > 10
