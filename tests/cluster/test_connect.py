"""The connection of a registry to a backend: its options, and a change of the backend."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import BackendUnavailableError, MemoryBackend
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.connect import check_lease, join
from est_alan_scheduler.cluster.session import ClusterSession
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.recorder import RunRecorder
from est_alan_scheduler.task import Task
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Flaky, Join, adder, runs, spawn

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


def joined(backend: Any, *tasks: Task, opened: MemoryBackend | None = None) -> ClusterSession:
    agenda = Agenda()
    agenda.store.update({task.id: task for task in tasks})
    recorder = RunRecorder(threading.Lock(), agenda, datetime.now, lambda: None)
    return join(backend, opened, 30.0, recorder, agenda, FunctionNames(), lambda: None)


def shared(backend: MemoryBackend) -> list[str]:
    return sorted(backend.fetch(None, 0).states)


@pytest.mark.parametrize("value", [0.1, 1, 86_400])
def test_a_lease_is_a_number_of_seconds(value: float) -> None:
    assert check_lease(value) == check_lease(timedelta(seconds=value)) == value


def test_a_lease_may_be_given_as_a_timedelta() -> None:
    registry = TaskRegistry(lease=timedelta(minutes=1))
    assert registry._parts.lease == 60.0
    registry.configure(lease=timedelta(seconds=5), backend=MemoryBackend())
    assert registry._parts.lease == 5.0
    registry.shutdown(timedelta(0))


@pytest.mark.parametrize("value", [timedelta(days=2), 0, -1, 86_401, float("nan"), True, "30", None])
def test_a_lease_that_is_no_number_of_seconds_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="lease") as caught:
        check_lease(value)
    assert str(caught.value) == f"lease must be a number of seconds from 0.1 to 86400, or a timedelta, got {value!r}"


def test_all_tasks_of_the_registry_are_shared() -> None:
    backend = MemoryBackend()
    session = joined(backend, *(Task(id=task_id, at="07:00", func=jobs.add, args=(1, 2)) for task_id in "ab"))
    assert (session.backend, session.is_ours, session.records.known_ids()) == (backend, False, ["a", "b"])
    assert shared(backend) == ["a", "b"]


def test_one_task_that_cannot_be_shared_keeps_all_from_being_shared() -> None:
    backend = MemoryBackend()
    named, nameless = Task(id="a", at="07:00", func=jobs.add), Task(id="b", at="07:00", func=lambda: 1)
    with pytest.raises(ValueError, match=r"^task 'b': func"):
        joined(backend, named, nameless)
    assert shared(backend) == []


def test_a_backend_is_opened_once() -> None:
    backend = MemoryBackend()
    assert joined("memory", opened=backend).backend is backend


def test_an_object_that_is_no_backend_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^backend must be a URL, a Backend or None, got 1$"):
        joined(1)


def _fail() -> None:
    raise BackendUnavailableError("memory: out of reach")


class TestConfigure:
    def test_tasks_registered_before_the_backend_move_there(self, store: Store, clock: Clock) -> None:
        registry = TaskRegistry()
        registry.register(adder())
        registry.configure(backend=store.open(clock), lease=600)
        registry.tick()
        assert runs(registry, "a") == 1
        registry.configure(backend=None)
        assert (registry.instances(), registry.backend, len(registry.history("a"))) == ([], None, 1)

    @pytest.mark.parametrize("other", [{"lease": 300}, {"backend": None}])
    def test_a_registry_that_joins_again_has_its_history_once(
        self, store: Store, clock: Clock, other: dict[str, Any]
    ) -> None:
        backend = store.open(clock)
        registry = TaskRegistry(backend=backend, lease=600)
        task = registry.register(adder())
        registry.tick()
        history = list(task.history)
        registry.configure(**other)
        registry.configure(backend=backend, lease=600)
        assert (len(history), task.history) == (1, history)

    def test_a_registry_that_leaves_a_backend_leaves_the_tasks_of_other_instances_behind(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        second.register(adder("own"))
        second.tick()
        assert set(second.store) == {"own", "a"}
        second.configure(lease=300)
        second.register(adder())
        second.configure(lease=600)
        first.register(adder("other"))
        second.tick()
        assert set(second.store) == {"own", "a", "other"}
        second.configure(backend=None)
        assert set(second.store) == {"own", "a"}

    def test_a_refused_change_of_the_backend_keeps_the_tasks_of_other_instances(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        first.register(adder())
        second.tick()
        with pytest.raises(TypeError, match="backend must be"):
            second.configure(backend=5)  # type: ignore[arg-type]  # on purpose
        second.tick()
        assert list(second.store) == ["a"]

    def test_a_backend_out_of_reach_leaves_the_registry_as_before(self, flaky: Flaky, registry: TaskRegistry) -> None:
        other = TaskRegistry(backend=flaky)
        other.register(adder())
        registry.expose(jobs.add)
        registry.tick()
        down = MemoryBackend()
        down.open = _fail  # type: ignore[method-assign]
        with pytest.raises(BackendUnavailableError):
            registry.configure(backend=down)
        assert (list(registry.store), registry.backend) == (["a"], flaky)
        other.shutdown()

    def test_a_registry_refuses_an_invalid_backend_and_an_invalid_lease(self) -> None:
        with pytest.raises(TypeError, match=r"^backend must be a URL, a Backend or None, got 1$"):
            TaskRegistry(backend=1)  # type: ignore[arg-type]  # that is what is refused
        with pytest.raises(
            ValueError, match=r"^lease must be a number of seconds from 0.1 to 86400, or a timedelta, got 0$"
        ):
            TaskRegistry(lease=0)

    def test_a_registry_with_a_task_that_cannot_be_shared_stays_without_a_backend(self, clock: Clock) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", every=MINUTE, func=lambda: 1))
        with pytest.raises(ValueError, match=r"^task 'a': func"):
            registry.configure(backend=MemoryBackend(clock))
        registry.tick()
        assert (registry.backend, registry.store["a"].result) == (None, 1)

    def test_a_registry_that_has_left_a_backend_ignores_a_late_answer_of_the_backend(self, join: Join) -> None:
        first, second = join(), join()
        second.expose(jobs.add)
        backend: Any = second._session and second._session.backend
        look = backend.fetch

        def late(*arguments: Any) -> Any:
            backend.fetch = look
            first.register(adder())
            snapshot = look(*arguments)
            second.configure(backend=None)
            return snapshot

        backend.fetch = late
        second.tick()
        assert (list(first.store), list(second.store)) == (["a"], [])


def test_backends_are_imported_only_when_a_registry_gets_one() -> None:
    code = (
        "import sys; from est_alan_scheduler import Task, TaskRegistry; r = TaskRegistry();"
        " r.register(Task(run_at='2020-01-01', func=print)); r.tick(); r.history(); r.expose(print);"
        " print([name for name in sys.modules if 'backends' in name or name in ('sqlalchemy', 'redis', 'psycopg')])"
    )
    worker = spawn(code)
    assert worker.communicate(timeout=60) == ("\n[]\n", "")
