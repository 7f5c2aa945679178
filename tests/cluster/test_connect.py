"""Joining those who share a backend."""

import threading
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.cluster.connect import check_lease, join
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.cluster.session import Ledger
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.recorder import RunBook
from est_alan_scheduler.task import Task
from tests import jobs


def joined(backend: Any, *tasks: Task, opened: MemoryBackend | None = None) -> Ledger:
    agenda = Agenda()
    agenda.store.update({task.id: task for task in tasks})
    book = RunBook(threading.Lock(), agenda, datetime.now, lambda: None)
    return join(backend, opened, 30.0, book, agenda, FunctionNames(), lambda: None)


def shared(backend: MemoryBackend) -> list[str]:
    return sorted(backend.look(None, 0).states)


@pytest.mark.parametrize("value", [0.1, 1, 86_400])
def test_a_lease_is_a_number_of_seconds(value: float) -> None:
    check_lease(value)


@pytest.mark.parametrize("value", [0, -1, 86_401, float("nan"), True, "30", None])
def test_what_is_no_lease_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="lease") as caught:
        check_lease(value)
    assert str(caught.value) == f"lease must be a number of seconds from 0.1 to 86400, got {value!r}"


def test_all_tasks_of_the_registry_are_shared() -> None:
    backend = MemoryBackend()
    ledger = joined(backend, *(Task(id=task_id, at="07:00", func=jobs.add, args=(1, 2)) for task_id in "ab"))
    assert (ledger.backend, ledger.is_ours, list(ledger.tasks.rows)) == (backend, False, ["a", "b"])
    assert shared(backend) == ["a", "b"]


def test_a_task_that_cannot_be_shared_shares_none() -> None:
    backend = MemoryBackend()
    named, nameless = Task(id="a", at="07:00", func=jobs.add), Task(id="b", at="07:00", func=lambda: 1)
    with pytest.raises(ValueError, match=r"^task 'b': func"):
        joined(backend, named, nameless)
    assert shared(backend) == []


def test_a_backend_is_opened_once() -> None:
    backend = MemoryBackend()
    assert joined("memory", opened=backend).backend is backend


def test_what_is_no_backend_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^backend must be a URL, a Backend or None, got 1$"):
        joined(1)
