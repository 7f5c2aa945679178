"""The outbox: what is published when, and in which order."""

import threading
from datetime import datetime

import pytest

from est_alan_scheduler.events.event import Event
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.readiness import Notice
from est_alan_scheduler.runs.outbox import Outbox
from est_alan_scheduler.runs.record import Record, build_record, dead_run_record
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.task import Task

NOON = datetime(2026, 6, 1, 12)


def run_of(task_id: str) -> Run:
    return Run(Task(id=task_id, func=print), NOON, 0.0, NOON, 1, 1, None, ThreadContext(), is_call=False)


def success(run: Run) -> Record:
    return build_record(run, 1, None, NOON, run.began + 2)


class OutboxSetup:
    """An outbox whose events go into a list, and a store that may be out of reach."""

    def __init__(self) -> None:
        self.outbox = Outbox(threading.Lock(), Agenda())
        self.published: list[str] = []
        for name in ("succeeded", "failed", "misfired"):
            self.outbox.subscribers.subscribe(name, lambda event: self.published.append(str(event.task_id)))
        self.is_stored = True

    def flush(self) -> list[str]:
        self.outbox.flush(lambda: self.is_stored)
        return self.published

    def add(self, *task_ids: str) -> None:
        for run in map(run_of, task_ids):
            assert self.outbox.add_outcome(run, success(run))

    def add_dead_run(self, task_id: str) -> None:
        line = {"finished_at": NOON, "error": "lease expired"}
        self.outbox.add_dead_run(run_of(task_id), dead_run_record(line, None))


@pytest.fixture
def setup() -> OutboxSetup:
    return OutboxSetup()


def test_outcomes_are_published_in_order_once_they_are_stored(setup: OutboxSetup) -> None:
    setup.add("a", "b")
    setup.is_stored = False
    assert setup.flush() == []
    setup.add("c")
    setup.is_stored = True
    assert setup.flush() == ["a", "b", "c"]
    assert setup.flush() == ["a", "b", "c"]


def test_an_outcome_that_comes_while_others_are_stored_waits(setup: OutboxSetup) -> None:
    def store() -> bool:
        setup.add("b")
        return True

    setup.add("a")
    setup.outbox.flush(store)
    assert setup.published == ["a"]
    assert setup.flush() == ["a", "b"]


def test_an_interruption_leaves_the_rest_to_be_published_in_order(setup: OutboxSetup) -> None:
    def interrupt(event: Event) -> None:
        end()
        raise KeyboardInterrupt

    end = setup.outbox.subscribers.subscribe("succeeded", interrupt)
    setup.add("a", "b", "c")
    with pytest.raises(KeyboardInterrupt):
        setup.flush()
    assert setup.published == ["a"]
    assert setup.flush() == ["a", "b", "c"]


def test_a_dead_run_waits_until_its_task_is_read(setup: OutboxSetup) -> None:
    setup.add_dead_run("dead")
    number = setup.outbox.count_dead_runs()
    setup.add_dead_run("later")
    setup.add("a")
    assert setup.flush() == ["a"]
    setup.outbox.queue_dead_runs(number)
    assert setup.flush() == ["a", "dead"]


def test_at_the_end_everything_is_published(setup: OutboxSetup) -> None:
    setup.add("a")
    setup.add_dead_run("dead")
    setup.outbox.publish_all()
    assert setup.published == ["a", "dead"]


def test_an_outcome_that_is_only_logged_does_not_wait() -> None:
    run = run_of("a")
    assert not Outbox(threading.Lock(), Agenda()).add_outcome(run, success(run))


def test_a_run_that_was_recorded_as_dead_meanwhile_is_not_published(setup: OutboxSetup) -> None:
    run = run_of("a")
    setup.outbox.add_outcome(run, success(run))
    run.is_dead = True
    assert setup.flush() == []


def test_an_interrupted_notice_does_not_silence_the_others(
    setup: OutboxSetup, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(event: Event) -> None:
        end()
        raise KeyboardInterrupt

    end = setup.outbox.subscribers.subscribe("misfired", interrupt)
    with pytest.raises(KeyboardInterrupt):
        setup.outbox.publish_notices([Notice(name, Event("misfired", name)) for name in "ab"])
    assert (setup.published, caplog.messages) == (["a", "b"], ["a", "b"])


def test_nothing_is_published_twice_by_a_forked_child(setup: OutboxSetup) -> None:
    setup.add("a")
    setup.add_dead_run("dead")
    setup.outbox.clear_after_fork(threading.Lock())
    setup.outbox.publish_all()
    assert setup.published == []
