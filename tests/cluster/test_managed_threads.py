"""Threads of several programs start anew and edit one task at once: no edit is lost, none is undone by a start."""

import logging
import threading
from collections.abc import Callable

import pytest

from est_alan_scheduler import ConflictError, TaskRegistry
from tests.backends.stores import Store
from tests.cluster.helpers import adder

EDITS = 12


def edit(registry: TaskRegistry) -> None:
    """Count up by one, as often as is asked for, each time from what was read."""
    left = EDITS
    while left:
        registry.refresh("a")
        task, version = registry["a"], registry.version("a")
        try:
            registry.update("a", if_version=version, timeout=(task.timeout or 0) + 1)
        except ConflictError:
            continue
        left -= 1


@pytest.mark.slow
def test_edits_by_version_are_all_kept_while_programs_start_anew(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "est_alan_scheduler")
    keeper = TaskRegistry(backend=store.open())
    keeper.register(adder(every={"hours": 1}))
    is_over, failures = threading.Event(), list[BaseException]()

    def start_anew() -> None:
        while not is_over.is_set():
            registry = TaskRegistry(backend=store.open())
            registry.register(adder(every={"hours": 1}))
            registry.tick()
            registry.shutdown(5)

    def do(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)
            raise

    pages = [TaskRegistry(backend=store.open(), observe=True) for _ in range(3)]
    editing = [threading.Thread(target=do, args=(lambda page=page: edit(page),)) for page in pages]
    starting = [threading.Thread(target=do, args=(start_anew,)) for _ in range(2)]
    for thread in (*editing, *starting):
        thread.start()
    for thread in editing:
        thread.join(60)
    is_over.set()
    for thread in starting:
        thread.join(60)
    keeper.refresh("a")
    assert (failures, keeper["a"].timeout) == ([], EDITS * len(pages))
    assert [record for record in caplog.records if "Code has changed" in record.getMessage()] == []
    for registry in (keeper, *pages):
        registry.shutdown(5)
