"""The leases of the instances, as pages read them."""

from datetime import UTC, datetime, timedelta

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import leases
from est_alan_scheduler.web.leases import LeaseBook
from est_alan_scheduler.web.threads import Reads
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, adder
from tests.web.page.pages import lose_store

MINUTE = timedelta(minutes=1)


def test_the_store_is_asked_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = Flaky(Clock()), [10.0]
    monkeypatch.setattr(leases, "monotonic", lambda: now[0])
    observer = TaskRegistry(backend=store, observe=True)
    book, looks = LeaseBook(observer, Reads(observer)), list[int]()
    for now[0] in (10.0, 10.5, 10.99, 11.0, 11.9):
        store.asked.clear()
        found = book.latest()
        assert found is not None
        assert found.instances == []
        looks.append(store.asked.count("instances"))
    assert looks == [1, 0, 0, 1, 0]


def test_a_store_that_does_not_answer_is_asked_no_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = Flaky(Clock()), [10.0]
    monkeypatch.setattr(leases, "monotonic", lambda: now[0])
    registry = TaskRegistry(backend=store, observe=True)
    book = LeaseBook(registry, Reads(registry))
    store.fails_before.add("instances")
    store.asked.clear()
    assert [book.latest(), book.latest()] == [None, None]
    assert store.asked == ["instances"]
    store.fails_before.clear()
    now[0] = 11.0
    assert book.latest() is not None


def test_nothing_is_known_without_a_backend_or_during_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry()
    assert LeaseBook(registry, Reads(registry)).latest() is None
    observer = TaskRegistry(backend=Flaky(Clock()), observe=True)
    book = LeaseBook(observer, Reads(observer))
    assert book.latest() is not None
    lose_store(observer, monkeypatch)
    assert book.latest() is None


def test_a_run_is_lost_if_its_instance_has_no_lease_and_it_began_before_that_was_read() -> None:
    store = Flaky(Clock())
    worker = TaskRegistry(backend=store)
    worker.register(adder())
    worker.tick()
    (instance,) = worker.instances()
    found = LeaseBook(worker, Reads(worker)).read()
    at = found.at.replace(tzinfo=UTC)
    assert not found.has_lost(instance.owner, at - MINUTE)
    assert found.has_lost("host:1:gone", at - MINUTE)
    assert not found.has_lost("host:2:new", at)
    assert isinstance(found.at, datetime)
    worker.shutdown(0)
