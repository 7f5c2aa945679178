"""The warning about tasks of the store that run here although this program has not registered them."""

import threading
from datetime import timedelta

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.control.tick import SplitTick
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, at, runs
from tests.messages import missing

pytestmark = pytest.mark.pydantic


@pytest.fixture
def store() -> Store:
    """Return one store: what is tested here is the same on all of them."""
    return Store("memory", "")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings so far, and forget them."""
    found = [record.message for record in caplog.records if "not registered" in record.message]
    assert {record.levelname for record in caplog.records if record.message in found} <= {"WARNING"}
    caplog.clear()
    return found


def tick_elsewhere(registry: TaskRegistry) -> None:
    """Tick in a thread that registers no tasks."""
    thread = threading.Thread(target=registry.tick)
    thread.start()
    thread.join()


@pytest.fixture
def former(join: Join) -> TaskRegistry:
    """A former start of a program, with the tasks "renamed" and "kept"."""
    registry = join()
    for task_id in ("renamed", "kept"):
        registry.register(adder(task_id))
    registry.tick()
    registry.shutdown()
    return registry


class TestStart:
    def test_names_each_task_that_goes_on_and_says_what_to_do(
        self, join: Join, former: TaskRegistry, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(2):  # starts
            clock.advance(60)
            registry = join()
            registry.register(adder("kept"))
            registry.register(adder("new"))
            registry.tick()
            (message,) = warnings(caplog)
            assert message == (
                "Tasks of the store run here that this program has not registered: 'renamed'. Another program, a former"
                " version of this one or a person has registered them. Only if nobody needs one of them, remove it:"
                " registry.remove(id)"
            )
            registry.tick()
            assert warnings(caplog) == []
            registry.shutdown()
        assert runs(registry, "renamed") == 3
        registry = join()
        registry.register(adder("kept"))
        registry.prune(["renamed", "new"])
        registry.tick()
        assert (warnings(caplog), list(registry.store)) == ([], ["kept"])

    def test_one_that_was_made_from_outside_is_not_said_to_be_superfluous(
        self, join: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        page = join(observe=True)
        page.expose(jobs.add)
        page.register(adder("z"))
        registry = join()
        registry.register(adder("kept"))
        registry.tick()
        (message,) = warnings(caplog)
        assert missing(message, "'z'", "or a person has registered them") == []
        assert "prune" not in message  # nothing that may be copied, and takes out all of them

    def test_many_are_counted(self, join: Join, caplog: pytest.LogCaptureFixture) -> None:
        former = join()
        for number in range(25):
            former.register(adder(f"old {number}"))
        registry = join()
        registry.register(adder("new"))
        registry.tick()
        (message,) = warnings(caplog)
        assert missing(message, "'old 0'", "'old 9' and 15 more") == []

    def test_tasks_registered_before_the_backend_was_given_are_those_of_the_program(
        self, join: Join, former: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry = TaskRegistry()
        registry.register(adder("kept"))
        registry.configure(backend=former.backend, lease=600)
        registry.tick()
        assert missing(*warnings(caplog), "'renamed'") == []
        registry.configure(lease=300)
        registry.tick()
        assert len(warnings(caplog)) == 1  # a start on a backend
        registry.shutdown()

    def test_a_tick_of_an_event_loop_warns_as_well(
        self, join: Join, former: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry = join()
        registry.register(adder("kept"))
        assert registry._session is not None
        tick = SplitTick(registry._parts, registry._session)
        tick.plan()
        tick.cancel()
        assert len(warnings(caplog)) == 1


class TestNoWarning:
    def test_tasks_that_would_not_run_are_not_named(
        self, join: Join, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        former = join()
        former.expose(print, "print")
        former.register(adder("paused", paused=True))
        former.register(adder("done", every=None, run_at=at(clock)))
        former.register(Task(id="stand-in", every=MINUTE, func=print))
        former.register(adder("ended", end_at=at(clock) - timedelta(days=1)))
        former.tick()
        clock.advance(1)
        registry = join()
        registry.register(adder("new"))
        registry.tick()
        assert warnings(caplog) == []
        assert {"paused", "done", "ended", "stand-in"} < set(registry.store)

    def test_a_program_that_registers_nothing_works_for_others(
        self, join: Join, former: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        worker = join()
        worker.expose(jobs.add)
        for _ in range(3):
            worker.tick()
        assert (warnings(caplog), len(worker.store)) == ([], 2)

    def test_tasks_of_others_that_come_later_are_not_named(
        self, join: Join, former: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry, other = join(), join()
        for task_id in ("kept", "renamed"):
            registry.register(adder(task_id))
        registry.tick()
        other.register(adder("later"))
        registry.tick()
        assert ("later" in registry.store, warnings(caplog)) == (True, [])


class TestLoopInAnotherThread:
    def test_waits_until_no_task_was_registered_between_two_ticks(
        self, join: Join, former: TaskRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry = join()
        registry.expose(jobs.add)
        tick_elsewhere(registry)
        tick_elsewhere(registry)
        registry.register(adder("first"))
        tick_elsewhere(registry)
        registry.register(adder("kept"))
        tick_elsewhere(registry)
        assert warnings(caplog) == []
        tick_elsewhere(registry)
        (message,) = warnings(caplog)
        assert ("'renamed'" in message, "kept" in message) == (True, False)
